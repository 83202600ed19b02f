//! The last failure of a profile's login, so that those who waited for it do not ask the same again, and
//! a server that wants to be left alone is.

use crate::disk::{self, DiskError, Durability, Privacy, Rules};
use crate::fusion::FusionError;
use crate::profile::ProfileName;
use crate::token::Fingerprint;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::{Path, PathBuf};

const RULES: Rules = Rules { cap: 16 * 1024, privacy: Privacy::Own };

/// The longest that a `Retry-After` binds other processes, in seconds.
const LONGEST_PAUSE: u64 = 300;

/// A failure as another process reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// Random: tells one failure from the next.
    id: u64,
    /// What was asked for; another credential or url is not bound by it.
    fingerprint: Fingerprint,
    /// Whether the server refused the credential itself.
    pub rejected: bool,
    /// What was said of it.
    message: String,
    /// Until when the server wants to be left alone.
    #[serde(with = "jiff::fmt::serde::timestamp::second::optional")]
    retry_at: Option<Timestamp>,
}

/// The folder of the failures, one file a profile. Nothing in it matters for long: what cannot be read or
/// written there counts as none.
#[derive(Debug)]
pub(super) struct Failures(PathBuf);

impl Failures {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self(folder)
    }

    pub(super) fn folder(&self) -> &Path {
        &self.0
    }

    pub(super) fn load(&self, profile: &ProfileName) -> Option<Failure> {
        serde_json::from_slice(&disk::read(&self.file(profile), RULES).ok()?).ok()
    }

    /// Notes what came of a login, while the profile's lock is held.
    pub(super) fn note(&self, profile: &ProfileName, outcome: Result<(), &Failure>) -> Result<(), DiskError> {
        let file = self.file(profile);
        match outcome {
            Ok(()) => disk::remove(&file).map(drop),
            Err(failure) => {
                let bytes = serde_json::to_vec(failure).unwrap_or_default();
                disk::replace(&file, &bytes, Durability::Atomic)?;
                disk::clear_leftovers(&self.0);
                Ok(())
            }
        }
    }

    fn file(&self, profile: &ProfileName) -> PathBuf {
        Path::new(&self.0).join(format!("{profile}.json"))
    }
}

impl Failure {
    /// `error` as the answer to a request for what `fingerprint` stands for.
    pub(super) fn of(error: &FusionError, fingerprint: Fingerprint, now: Timestamp) -> Self {
        let pause = error.retry_after().map(|seconds| seconds.min(LONGEST_PAUSE));
        let after = |seconds: u64| now.checked_add(SignedDuration::from_secs(i64::try_from(seconds).ok()?)).ok();
        Self {
            id: rand::random(),
            fingerprint,
            rejected: error.is_rejection(),
            message: error.to_string(),
            retry_at: pause.and_then(after),
        }
    }

    /// Whether it is about the same request and came later than `seen`.
    pub(super) fn came_after(&self, seen: Option<&Self>, fingerprint: &Fingerprint) -> bool {
        self.fingerprint == *fingerprint && seen.is_none_or(|seen| seen.id != self.id)
    }

    /// Whether the server still wants to be left alone. A clock that was set back binds nobody for long.
    pub(super) fn binds(&self, fingerprint: &Fingerprint, now: Timestamp) -> bool {
        let left = self.retry_at.map(|until| until.duration_since(now).as_secs());
        self.fingerprint == *fingerprint && left.is_some_and(|left| (1..=LONGEST_PAUSE.cast_signed()).contains(&left))
    }
}

impl fmt::Display for Failure {
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

    fn failure(retry_after: Option<u64>) -> Failure {
        let error = FusionError::Status { host: "h".to_owned(), status: 429, message: String::new(), retry_after };
        Failure::of(&error, print("one"), at(0))
    }

    #[test]
    fn a_pause_binds_the_same_request_for_its_time_and_five_minutes_at_most() {
        for (retry_after, credential, now, binds) in [
            (Some(60), "one", 59, true),
            (Some(60), "one", 60, false),
            (Some(60), "two", 1, false),
            (Some(86_400), "one", 299, true),
            (Some(86_400), "one", 300, false),
            (Some(60), "one", -100_000, false),
            (None, "one", 1, false),
        ] {
            assert_eq!(failure(retry_after).binds(&print(credential), at(now)), binds, "{retry_after:?} {now}");
        }
    }

    #[test]
    fn only_who_was_waiting_adopts_it() {
        let (first, second) = (failure(None), failure(None));
        assert!(second.came_after(Some(&first), &print("one")) && second.came_after(None, &print("one")));
        assert!(!second.came_after(Some(&second), &print("one")), "it was there before the waiting began");
        assert!(!second.came_after(None, &print("two")), "it is about another credential");
    }

    #[test]
    fn it_survives_the_disk_and_goes_with_the_next_success() {
        let folder = tempfile::tempdir().unwrap();
        let failures = Failures::new(folder.path().join("failures"));
        let (profile, failure) = ("acme".parse().unwrap(), failure(Some(60)));
        assert_eq!(failures.load(&profile), None);
        failures.note(&profile, Err(&failure)).unwrap();
        assert_eq!(failures.load(&profile), Some(failure));
        failures.note(&profile, Ok(())).unwrap();
        assert_eq!(failures.load(&profile), None);
    }
}
