//! Key rotation: replaces a profile's key at the server, so that no crash leaves the profile without a key.
//!
//! Owns the unfinished rotations (`state/rotations/NAME.json`, one file per profile) and the new keys of finished ones
//! (`state/rotated/`, for 30 days). Owns the requests to the server too. The command selects profiles and asks the
//! user. The next login to a profile finishes its rotation.
//!
//! # States
//! Each state is written durably (fsync of file and directory) before the next step, under the profile's lock.
//!
//! | state | on disk | next step |
//! | --- | --- | --- |
//! | none | the old key in the store | none |
//! | [`Stage::Asked`](record::Stage) | the key's name, roles and description; a token valid for an hour | requests a key again, see below |
//! | [`Stage::Answered`](record::Stage) | the new key, sealed for the store | writes the key to the store |
//! | stored | as before; the id in the store shows this state, so no file records it | logs in, compares the roles, finishes |
//! | finished | the sealed key in `rotated/` | none |
//!
//! In state `Asked`, the server may or may not have changed the key: the answer may be lost with the process. A
//! repeated request creates another new key, which is equally valid: no process received the first. The repeated
//! request needs a token: first the cached token, then a token from its refresh token, then a token for the old key.
//! The cached token was made long-lived and durable before the first request. The old key still works if the first
//! request never arrived. The key is lost only if all three fail
//! ([`RotationError::Lost`](crate::session::RotationError::Lost)).
//!
//! A refusal of the first request means that the key is unchanged, and the rotation is removed. Without a clear answer
//! the request is repeated once, and the rotation then stays `Asked`. Unclear are a timeout, a broken connection, a
//! 5xx, and an answer without a key.
//!
//! The store is written only if it still has the credential that the rotation began with. Otherwise the rotation is
//! overtaken: the new key is kept in `rotated/`, and the store is unchanged.
//!
//! [`RotationKind::Beside`] creates a second key (`POST`). The first key works until
//! [`Session::remove_first_key`](crate::session::Session::remove_first_key) removes the first key, so no key can be
//! lost. A repeated request takes over the key that the earlier request may have created.
//!
//! # Locks
//! The profile's lock is acquired before the store's lock, never after. In a batch, no profile lock is held between the
//! server's answer and the change of the store.

mod batch;
pub(super) mod journal;
mod new_key;
mod record;
mod store_keys;

pub use record::{Rotated, Rotation, RotationKind};
