//! Key rotation: replaces a profile's key at the server so that no crash leaves the profile without a key.
//!
//! Owns the requests to the server and the journal. The journal holds a file `state/rotations/NAME.json` for each
//! unfinished rotation. The journal also keeps the new keys of finished rotations in `state/rotated/` for 30 days. The
//! command selects profiles and prompts. The next login to a profile finishes its unfinished rotation.
//!
//! # States
//! Each state is written durably (fsync of file and directory) before the next step, under the profile's lock.
//!
//! | state | on disk | next step |
//! | --- | --- | --- |
//! | none | the old key in the store | none |
//! | [`Stage::Asked`](record::Stage) | the key's name, roles and description; a token valid for an hour | requests a key again, see below |
//! | [`Stage::Answered`](record::Stage) | the new key, sealed for the store | writes the key to the store |
//! | stored | as in `Answered`; the id of the key in the store shows this state | logs in, compares the roles, finishes |
//! | finished | the sealed key in `rotated/` | none |
//!
//! In state `Asked`, the server may or may not have changed the key: the process may have ended before the response
//! arrived. A repeated request replaces the lost new key, which no process received. The repeated request needs a
//! token. neto tries the cached token, then a token from its refresh token, then a token for the old key. The cached
//! token was made long-lived and durable before the first request. The old key still works if the first request never
//! arrived. The key is lost only if all three fail ([`RotationError::Lost`](crate::session::RotationError::Lost)).
//!
//! If the server refuses the first request, the key is unchanged, and the rotation is removed from the journal. After a
//! timeout, a broken connection, a 5xx, or a response without a key, the outcome is unknown. Then the request is
//! repeated once. If the outcome is still unknown, the rotation stays `Asked`.
//!
//! The new key replaces only the credential with which the rotation began. If the store has another credential, the
//! rotation is overtaken: the new key is kept in `rotated/`, and the store is unchanged.
//!
//! [`RotationKind::Beside`] creates a second key (`POST`). The first key works until
//! [`Session::remove_first_key`](crate::session::Session::remove_first_key) removes it, so no key can be lost. If an
//! earlier request may have created the second key, a repeated request regenerates that key.
//!
//! # Locks
//! The profile's lock is acquired before the store's lock, never after. In a batch, no profile lock is held between the
//! server's response and the change of the store.

mod batch;
pub(super) mod journal;
mod new_key;
mod record;
mod store_keys;

pub use record::{Rotated, Rotation, RotationKind};
