//! Last failed login of each profile, shared between processes.
//!
//! If a login fails, the processes that waited for it return its error instead of logging in too. Until the server's
//! `Retry-After` has passed, no process requests a new token, except with `--force`.

use crate::disk::{self, DiskError, Durability, Privacy, ReadRules};
use crate::fusion::FusionError;
use crate::profile::ProfileName;
use crate::token::Fingerprint;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::{Path, PathBuf};

const RULES: ReadRules = ReadRules { cap: 16 * 1024, privacy: Privacy::Own };

/// Maximum number of seconds for which a `Retry-After` blocks logins. A longer `Retry-After` is shortened.
const MAX_PAUSE_SECONDS: u64 = 300;

/// Failed login, as saved for other processes. Serialized as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SharedFailure {
    /// Random number that identifies this failure.
    id: u64,
    /// Fingerprint that identifies the URL, account and credential of the failed login. Other logins are not affected.
    fingerprint: Fingerprint,
    /// Whether the server rejected the credential itself.
    pub rejected: bool,
    /// Message of the error.
    message: String,
    /// End of the server's `Retry-After`, at most five minutes after the failure; `None` if the server sent no
    /// `Retry-After`.
    #[serde(with = "jiff::fmt::serde::timestamp::second::optional")]
    retry_at: Option<Timestamp>,
}

/// Directory with one JSON file for each profile whose last login failed. An unreadable file counts as missing, because
/// the worst result is one more login.
#[derive(Debug)]
pub(super) struct SharedFailureDirectory(PathBuf);

impl SharedFailureDirectory {
    pub(super) fn new(directory: PathBuf) -> Self {
        Self(directory)
    }

    pub(super) fn directory(&self) -> &Path {
        &self.0
    }

    pub(super) fn load(&self, profile: &ProfileName) -> Option<SharedFailure> {
        serde_json::from_slice(&disk::read(&self.file(profile), RULES).ok()?).ok()
    }

    /// Saves the failure of a login, or removes the saved failure after a success. The caller holds the profile's lock
    /// if the lock file could be created.
    pub(super) fn record_outcome(
        &self,
        profile: &ProfileName,
        outcome: Result<(), &SharedFailure>,
    ) -> Result<(), DiskError> {
        let file = self.file(profile);
        match outcome {
            Ok(()) => disk::remove(&file).map(drop),
            Err(failure) => {
                let bytes = serde_json::to_vec(failure).unwrap_or_default();
                disk::replace(&file, &bytes, Durability::Atomic)?;
                disk::remove_stale_temp_files(&self.0);
                Ok(())
            }
        }
    }

    fn file(&self, profile: &ProfileName) -> PathBuf {
        Path::new(&self.0).join(format!("{profile}.json"))
    }
}

impl SharedFailure {
    /// Describes a login that failed with `error`. `fingerprint` identifies the URL, account and credential of the
    /// login.
    pub(super) fn from_error(error: &FusionError, fingerprint: Fingerprint, now: Timestamp) -> Self {
        let pause = error.retry_after().map(|seconds| seconds.min(MAX_PAUSE_SECONDS));
        let after = |seconds: u64| now.checked_add(SignedDuration::from_secs(i64::try_from(seconds).ok()?)).ok();
        Self {
            id: rand::random(),
            fingerprint,
            rejected: error.is_rejection(),
            message: error.to_string(),
            retry_at: pause.and_then(after),
        }
    }

    /// Returns whether the failure has this `fingerprint` and differs from `seen`, the failure that was read earlier.
    pub(super) fn came_after(&self, seen: Option<&Self>, fingerprint: &Fingerprint) -> bool {
        self.fingerprint == *fingerprint && seen.is_none_or(|seen| seen.id != self.id)
    }

    /// Returns whether the server's `Retry-After` forbids a login with this fingerprint at `now`. A remaining time
    /// above the maximum is ignored: it can occur only if the clock was set back.
    pub(super) fn blocks_login(&self, fingerprint: &Fingerprint, now: Timestamp) -> bool {
        let remaining_seconds = self.retry_at.map(|until| until.duration_since(now).as_secs());
        self.fingerprint == *fingerprint
            && remaining_seconds
                .is_some_and(|remaining_seconds| (1..=MAX_PAUSE_SECONDS.cast_signed()).contains(&remaining_seconds))
    }
}

impl fmt::Display for SharedFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match self.retry_at {
            Some(until) => write!(f, " (another neto was told so; the server wants to be left alone until {until})"),
            None => f.write_str(" (another neto was told so just now)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn print(credential: &str) -> Fingerprint {
        Fingerprint::of(&"https://api.example".parse().unwrap(), &["acme"], &[credential])
    }

    fn failure(retry_after: Option<u64>) -> SharedFailure {
        let error = FusionError::Status { host: "h".to_owned(), status: 429, message: String::new(), retry_after };
        SharedFailure::from_error(&error, print("one"), at(0))
    }

    #[test]
    fn retry_after_blocks_the_same_login_for_at_most_five_minutes() {
        for (retry_after, credential, now, binds) in [
            (Some(60), "one", 59, true),
            (Some(60), "one", 60, false),
            (Some(60), "two", 1, false),
            (Some(86_400), "one", 299, true),
            (Some(86_400), "one", 300, false),
            (Some(60), "one", -100_000, false),
            (None, "one", 1, false),
        ] {
            assert_eq!(failure(retry_after).blocks_login(&print(credential), at(now)), binds, "{retry_after:?} {now}");
        }
    }

    #[test]
    fn only_a_newer_failure_is_shared() {
        let (first, second) = (failure(None), failure(None));
        assert!(second.came_after(Some(&first), &print("one")) && second.came_after(None, &print("one")));
        assert!(!second.came_after(Some(&second), &print("one")), "it was there before the waiting began");
        assert!(!second.came_after(None, &print("two")), "it is about another credential");
    }

    #[test]
    fn a_failure_is_saved_until_the_next_success() {
        let folder = tempfile::tempdir().unwrap();
        let failures = SharedFailureDirectory::new(folder.path().join("failures"));
        let (profile, failure) = ("acme".parse().unwrap(), failure(Some(60)));
        assert_eq!(failures.load(&profile), None);
        failures.record_outcome(&profile, Err(&failure)).unwrap();
        assert_eq!(failures.load(&profile), Some(failure));
        failures.record_outcome(&profile, Ok(())).unwrap();
        assert_eq!(failures.load(&profile), None);
    }
}
