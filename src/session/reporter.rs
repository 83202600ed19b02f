//! Interface through which the pipeline shows messages and prompts to the user. The pipeline itself must not print;
//! `workflow::TerminalReporter` implements the interface.

use crate::disk::DiskError;
use crate::fusion::{FusionError, RequestObserver};
use crate::profile::ProfileName;
use crate::secret::Prompter;
use crate::token::TokenFileError;

/// Receives the pipeline's messages for the user, reports on HTTP requests, and answers prompts.
pub trait Reporter: RequestObserver + Prompter {
    /// Reports that this process waits for a lock. `lock_name` says what the lock protects, such as "the store";
    /// `holder` is the id of the process that holds the lock, if known.
    fn waiting_for_lock(&self, lock_name: &str, holder: Option<u32>);
    /// Reports a problem that does not stop the pipeline.
    fn warn(&self, warning: Warning<'_>);
    /// Reports a step of the pipeline for `--verbose`. `text` is called only if the message is shown.
    fn trace(&self, text: &dyn Fn() -> String);
}

/// Problem that does not stop the pipeline.
#[derive(Debug)]
pub enum Warning<'a> {
    /// The token file cannot be used; the next token replaces it.
    TokenFile(&'a TokenFileError),
    /// The token cannot be cached.
    NotCached(&'a dyn std::error::Error),
    /// The lock cannot be created; neto continues without locking.
    NoLock(&'a DiskError),
    /// The new token expires sooner than `--min-ttl` requires.
    ShortLifetime {
        /// Profile of the token.
        profile: &'a ProfileName,
        /// Lifetime that the server gave to the token, in seconds.
        lifetime_seconds: i64,
    },
    /// The server's response had no valid `expires_in`, so the token of this profile is used once and not cached.
    NoLifetime(&'a ProfileName),
    /// The refresh failed; a login follows.
    RefreshFailed {
        /// Profile of the token.
        profile: &'a ProfileName,
        /// Reason for the failure.
        error: &'a FusionError,
    },
    /// A rotation of this profile's key was interrupted; neto resumes it.
    ResumingRotation(&'a ProfileName),
    /// A rotation could not be finished or saved, was overtaken by another credential, or changed the key's roles.
    RotationProblem {
        /// Profile of the rotation.
        profile: &'a ProfileName,
        /// Reason for the warning.
        error: &'a dyn std::error::Error,
    },
}
