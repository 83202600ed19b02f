//! Interface for messages and questions of the pipeline to the user.

use crate::disk::DiskError;
use crate::fusion::{FusionError, RequestObserver};
use crate::profile::ProfileName;
use crate::secret::Prompter;
use crate::token::TokenFileError;

/// Reports the pipeline's progress to the user and asks the user's questions. Commands implement this trait.
pub trait Reporter: RequestObserver + Prompter {
    /// Reports that another process (its id, if known) holds the lock of `what`.
    fn waiting(&self, what: &str, holder: Option<u32>);
    /// Reports a problem that does not stop the pipeline.
    fn warn(&self, warning: Warning<'_>);
    /// Reports a step of the pipeline for `--verbose`. The text is built only if it is shown.
    fn trace(&self, text: &dyn Fn() -> String);
}

/// Problem that does not stop the pipeline.
#[derive(Debug)]
pub enum Warning<'a> {
    /// The token file is unusable and will be replaced.
    TokenFile(&'a TokenFileError),
    /// The token cannot be cached.
    NotCached(&'a dyn std::error::Error),
    /// The lock cannot be created; neto continues without locking.
    NoLock(&'a DiskError),
    /// The token's lifetime is shorter than `--min-ttl` requires.
    ShortLife {
        /// Profile of the token.
        profile: &'a ProfileName,
        /// Whole lifetime of the token, in seconds.
        lifetime_seconds: i64,
    },
    /// The server's answer had no valid `expires_in`.
    NoLifetime(&'a ProfileName),
    /// The refresh failed; a login follows.
    RefreshFailed {
        /// Profile of the token.
        profile: &'a ProfileName,
        /// Reason for the failure.
        error: &'a FusionError,
    },
    /// A rotation of the profile's key was interrupted; neto resumes it.
    Finishing(&'a ProfileName),
    /// The rotation is still unfinished, or finished with a deviation.
    Unfinished {
        /// Profile of the rotation.
        profile: &'a ProfileName,
        /// Reason.
        error: &'a dyn std::error::Error,
    },
}
