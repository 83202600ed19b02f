//! Errors of the pipeline and of rotations. Both types are in one file because each contains the other.

use super::lock_wait::LockBusy;
use super::shared_failure::SharedFailure;
use super::vault::VaultError;
use crate::disk::DiskError;
use crate::fusion::{FusionError, PathError};
use crate::profile::{ProfileName, StoreFileError};
use crate::secret::SealError;
use crate::token::TokenState;
use std::path::PathBuf;
use std::rc::Rc;

/// Reason why the pipeline returns no access token.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The profile has no secret.
    #[error("the profile has no secret yet")]
    NoSecret,
    /// The profile's secret is stored in plaintext.
    #[error("the profile's secret stands in clear in the store")]
    PlaintextSecret,
    /// The vault returned no credential for the profile.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// A request to the server failed.
    #[error(transparent)]
    Fusion(#[from] FusionError),
    /// A writing call was sent, but no answer shows whether the server carried it out.
    #[error("{0}; it may have been done all the same")]
    OutcomeUnknown(FusionError),
    /// The server accepts the token, but its key is not permitted to make this call.
    #[error(transparent)]
    Forbidden(FusionError),
    /// Another process's login with the same credential failed while this process waited, or the server's `Retry-After`
    /// has not passed yet.
    #[error("{0}")]
    Shared(SharedFailure),
    /// Another neto process held the lock beyond the timeout.
    #[error(transparent)]
    Busy(#[from] LockBusy),
    /// `--offline` was given, and the cache has no usable token.
    #[error("no cached token can be used (state: {}), and --offline forbids getting one", .0.as_str())]
    Offline(TokenState),
    /// The lock directory belongs to another user.
    #[error(transparent)]
    Disk(DiskError),
    /// The profile's key is not, or only partly, rotated.
    #[error(transparent)]
    Rotation(#[from] RotationError),
    /// The event loop cannot be started.
    #[error("cannot start the network: {}", crate::disk::os_message(.0))]
    Runtime(std::io::Error),
}

/// Reason why a key is not, or only partly, rotated.
#[derive(Debug, thiserror::Error)]
pub enum RotationError {
    /// The credential is not a sealed API key in the store.
    #[error("only an API key that is sealed in the store can be rotated, and its secret is {0}")]
    NotSealed(&'static str),
    /// A rotation was begun and is not finished.
    #[error("a rotation of its key is not finished")]
    Unfinished,
    /// The server changed the key, but the answer was lost. No remaining token and no key gets a new token.
    #[error(
        "a rotation of its key was cut off before the new key came, and neither its token nor the old key is taken any more"
    )]
    Lost,
    /// The server did not return the key's roles, or refused to change the key.
    #[error("its key is not changed: {0}")]
    Unchanged(FusionError),
    /// The server may or may not have changed the key.
    #[error("whether the server changed the key is not known: {0}")]
    Unknown(FusionError),
    /// The server's token cannot be cached, so a crash would lose the key.
    #[error("its token cannot be kept on disk, and without one a crash would leave it without a key")]
    NoToken,
    /// The new key is saved on disk, but not in the store.
    #[error("its new key is kept, but it is not in the store yet: {0}")]
    NotStored(Rc<SessionError>),
    /// The store could not be written for other profiles, so no new key was requested for this profile.
    #[error("its key is not changed, since the store cannot be written: {0}")]
    NotBegun(Rc<SessionError>),
    /// The profile got another credential during the rotation.
    #[error("it got another credential meanwhile, which stands; the rotated key is kept")]
    Overtaken,
    /// The new key differs from the old key in roles or description.
    #[error("its new key works, but the server gave it {now}, where the old one had {before}")]
    OtherRoles {
        /// Roles and description of the old key.
        before: String,
        /// Roles and description of the new key.
        now: String,
    },
    /// The profile is no longer in the store, or is invalid.
    #[error("the profile is not in the store any more, or faulty")]
    Gone,
    /// No second key of this machine exists for the profile.
    #[error("there is no second key beside it that this machine made")]
    NoSecondKey,
    /// A profile uses the key that would be removed.
    #[error("the profile '{user}' still uses the key '{appname}', which would be removed")]
    StillUsed {
        /// Profile that uses the key.
        user: ProfileName,
        /// Name of the key.
        appname: String,
    },
    /// No name is free for a second key.
    #[error("no name for a second key is free")]
    NoName,
    /// The key's name is not allowed in a path.
    #[error("the key's name cannot be asked for: {0}")]
    Name(#[from] PathError),
    /// The new key cannot be sealed.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The store cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreFileError),
    /// The rotation's file cannot be read or written.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The rotation's file was not written by neto.
    #[error("{} is damaged: it is not what neto writes", .0.display())]
    Damaged(PathBuf),
}
