//! A new key from the server in place of the one that a profile has, such that no crash leaves the profile without one.
//!
//! Owns the rotations that were begun (`state/rotations/NAME.json`, one file a profile), the keys that came of them
//! (`state/rotated/`, for 30 days), and the steps against the server. Which profiles, and what is asked of the user first,
//! is for the command; whoever is about to sign in finishes what lies there.
//!
//! # The states
//! Everything is written durably (fsync of file and folder) before the next step, under the profile's lock.
//!
//! | state | what is on disk | what the next neto does |
//! | --- | --- | --- |
//! | nothing | the old key in the store | nothing |
//! | [`Stage::Asked`] | the key's name, roles and description; a token that lives for an hour | asks again, see below |
//! | [`Stage::Answered`] | the new key, sealed as the store will have it | puts it into the store |
//! | stored | the same; the store has the key's id, so this is read off the store and written nowhere | signs in, compares the roles, sets it aside |
//! | set aside | the sealed key in `rotated/` | nothing |
//!
//! After `Asked` nobody knows whether the server changed the key: the answer may be lost with the process. Asking again
//! gives another new key, which is as good: nobody has the first one. It takes a token: the cached one, which was made to
//! live long enough and to lie on disk for good before anything was asked; else one for its refresh token; else one for the
//! old key, which still works if the question never arrived. Only where none of the three does is the key lost
//! ([`RotationError::Lost`]).
//!
//! Where the answer is a refusal, nothing was changed and the rotation is forgotten. Where it is none (a time limit, a
//! broken connection, a 5xx, an answer without a key) it is asked once more, and else left as `Asked`.
//!
//! The store is written only where it still has the credential that the rotation began with. Where somebody gave the profile
//! another one meanwhile, the rotation is overtaken: the new key is set aside, and the store stays.
//!
//! With [`Kind::Beside`] a second key is made (`POST`) beside the first. The old one works until [`Session::finish_beside`]
//! removes it; so nothing can be lost, and asking again takes over the key that an earlier question may have made.
//!
//! # Locks
//! The profile's, then the store's, never the other way round; while many are rotated, none is held from one profile's
//! answer to the store's change.

mod batch;
mod journal;
mod new_key;
mod record;
mod store_keys;

pub(super) use journal::Rotations;
pub use record::{Rotation, Stage};
pub(super) use store_keys::Read;

use crate::disk::DiskError;
use crate::fusion::{FusionError, PathError};
use crate::profile::{ProfileName, StoreFileError};
use crate::secret::SealError;
use crate::session::SessionError;
use std::path::PathBuf;
use std::rc::Rc;

/// Which new key is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// In place of the old one, which is dead at once.
    InPlace,
    /// Beside the old one, which works until it is removed.
    Beside,
}

/// What came of one profile's rotation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rotated {
    /// The profile has a new key, of this name, in place of the old one.
    Replaced(String),
    /// The profile has a new key, of this name, and the old one works.
    Beside(String),
    /// Another neto gave it one while this one waited.
    ByAnother,
}

/// Why a key is not, or not wholly, rotated.
#[derive(Debug, thiserror::Error)]
pub enum RotationError {
    /// The credential is not an API key that is sealed in the store.
    #[error("only an API key that is sealed in the store can be rotated, and its secret is {0}")]
    NotSealed(&'static str),
    /// A rotation was begun and is not finished.
    #[error("a rotation of its key is not finished")]
    Unfinished,
    /// The server changed the key, nobody knows into what, and nothing there is gives a token.
    #[error(
        "a rotation of its key was cut off before the new key came, and neither its token nor the old key is taken any more"
    )]
    Lost,
    /// The server did not say what the key is, or refused to change it.
    #[error("its key is not changed: {0}")]
    Unchanged(FusionError),
    /// The server may have changed the key, or not.
    #[error("whether the server changed the key is not known: {0}")]
    Unknown(FusionError),
    /// What the server says of its tokens does not let one be kept, so that a crash would lose the key.
    #[error("its token cannot be kept on disk, and without one a crash would leave it without a key")]
    NoToken,
    /// The new key is safe, but not in the store.
    #[error("its new key is kept, but it is not in the store yet: {0}")]
    NotStored(Rc<SessionError>),
    /// The store could not be written for others, so nothing was asked for this one.
    #[error("its key is not changed, since the store cannot be written: {0}")]
    NotBegun(Rc<SessionError>),
    /// The profile got another credential while its key was rotated.
    #[error("it got another credential meanwhile, which stands; the rotated key is kept")]
    Overtaken,
    /// The key is not what it was.
    #[error("its new key works, but the server gave it {now}, where the old one had {before}")]
    OtherRoles {
        /// Roles and description as they were.
        before: String,
        /// As they are.
        now: String,
    },
    /// The profile is not in the store any more, or faulty.
    #[error("the profile is not in the store any more, or faulty")]
    Gone,
    /// There is no second key to finish with.
    #[error("there is no second key beside it that this machine made")]
    NoSecondKey,
    /// A profile uses the key that would be removed.
    #[error("the profile '{user}' still uses the key '{appname}', which would be removed")]
    StillUsed {
        /// The profile that uses it.
        user: ProfileName,
        /// The key.
        appname: String,
    },
    /// No name is free for a second key.
    #[error("no name for a second key is free")]
    NoName,
    /// The key's name cannot stand in a path.
    #[error("the key's name cannot be asked for: {0}")]
    Name(#[from] PathError),
    /// The new key cannot be sealed.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The store cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreFileError),
    /// What was begun cannot be read or written.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// It is not what neto wrote.
    #[error("{} is damaged: it is not what neto writes", .0.display())]
    Damaged(PathBuf),
}
