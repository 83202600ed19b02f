//! Errors of the pipeline and of rotations. Both types are in one file, because each type contains the other.

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

/// Reason why getting a token, calling the API, or rotating a key failed.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The profile has no secret.
    #[error("the profile has no secret yet")]
    NoSecret,
    /// The profile's secret is stored in plaintext.
    #[error("the profile's secret stands in clear in the store")]
    PlaintextSecret,
    /// The profile's credential is not available, or this machine does not trust the profile.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// A request to the server failed.
    #[error(transparent)]
    Fusion(#[from] FusionError),
    /// A writing call may have reached the server, but no response shows whether the server carried out the call.
    #[error("{0}; it may have been done all the same")]
    OutcomeUnknown(FusionError),
    /// The server accepts the token but forbids the call (status 403).
    #[error(transparent)]
    Forbidden(FusionError),
    /// Another process's login failed while this process waited, or the `Retry-After` of a failed login has not passed.
    #[error("{0}")]
    Shared(SharedFailure),
    /// Another neto process held the lock beyond the timeout.
    #[error(transparent)]
    Busy(#[from] LockBusy),
    /// `--offline` was given, and no cached token meets the request; holds the state of the cached token.
    #[error("no cached token can be used (state: {}), and --offline forbids getting one", .0.as_str())]
    Offline(TokenState),
    /// The lock file cannot be used. A rotation then always fails. Getting a token fails only if the lock directory
    /// belongs to another user.
    #[error(transparent)]
    Disk(DiskError),
    /// A rotation failed, is unfinished, or changed more than the key.
    #[error(transparent)]
    Rotation(#[from] RotationError),
    /// The event loop cannot be started.
    #[error("cannot start the network: {}", crate::disk::os_message(.0))]
    Runtime(std::io::Error),
}

/// Reason why a rotation failed, is unfinished, or changed more than the key.
#[derive(Debug, thiserror::Error)]
pub enum RotationError {
    /// The profile's credential is not an API key sealed in the store; holds the kind of the profile's secret.
    #[error("only an API key that is sealed in the store can be rotated, and its secret is {0}")]
    NotSealed(&'static str),
    /// An earlier rotation of the key is not finished.
    #[error("a rotation of its key is not finished")]
    Unfinished,
    /// The server changed the key, but its response was lost. The server no longer accepts the profile's token or old
    /// key.
    #[error(
        "a rotation of its key was cut off before the new key came, and neither its token nor the old key is taken any more"
    )]
    Lost,
    /// A request before the change failed, or the server refused the change, so the key is unchanged.
    #[error("its key is not changed: {0}")]
    Unchanged(FusionError),
    /// The server may or may not have changed the key.
    #[error("whether the server changed the key is not known: {0}")]
    Unknown(FusionError),
    /// The access token cannot be cached on disk, so a crash could lose the key.
    #[error("its token cannot be kept on disk, and without one a crash would leave it without a key")]
    NoToken,
    /// The new key could not be written to the store; the journal keeps the key.
    #[error("its new key is kept, but it is not in the store yet: {0}")]
    NotStored(Rc<SessionError>),
    /// The store could not be written for an earlier batch, so no new key was requested for this profile.
    #[error("its key is not changed, since the store cannot be written: {0}")]
    NotBegun(Rc<SessionError>),
    /// The profile got another credential during the rotation, so the new key was not written to the store.
    #[error("it got another credential meanwhile, which stands; the rotated key is kept")]
    Overtaken,
    /// The new key works, but its roles or its description differ from those of the old key.
    #[error("its new key works, but the server gave it {now}, where the old one had {before}")]
    OtherRoles {
        /// Roles and description of the old key.
        before: String,
        /// Roles and description of the new key.
        now: String,
    },
    /// The store or the profile no longer exists, or the profile is invalid.
    #[error("the profile is not in the store any more, or faulty")]
    Gone,
    /// This machine has no record of a second key for the profile.
    #[error("there is no second key beside it that this machine made")]
    NoSecondKey,
    /// A profile still uses the key that would be removed.
    #[error("the profile '{user}' still uses the key '{appname}', which would be removed")]
    StillUsed {
        /// Profile that uses the key.
        user: ProfileName,
        /// Name of the key.
        appname: String,
    },
    /// All names for a second key with today's date are taken.
    #[error("no name for a second key is free")]
    NoName,
    /// The key's name cannot be used in a URL path.
    #[error("the key's name cannot be asked for: {0}")]
    Name(#[from] PathError),
    /// The credential cannot be sealed.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The store cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreFileError),
    /// A file of the rotation journal, or the token file, cannot be read or written.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// A file of the rotation journal is invalid or has an unknown version; holds its path.
    #[error("{} is damaged: it is not what neto writes", .0.display())]
    Damaged(PathBuf),
}
