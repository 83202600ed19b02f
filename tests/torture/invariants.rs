//! Checks that all of neto's files are intact, whatever happened to the run before.

use crate::harness::Sandbox;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Profiles that must still exist after every run.
pub(super) const SURVIVING_PROFILES: [&str; 2] = ["acme", "beta"];

/// Prefix of the names of neto's temporary files.
const TEMPORARY_PREFIX: &str = ".neto-tmp-";

impl Sandbox {
    /// Asserts that the store and the tokens are readable, and that these profiles still exist. Also asserts that both
    /// parts of each token file agree, and that all `.json` files are valid JSON.
    pub(crate) fn assert_intact(&self, profiles: &[&str]) {
        let listed = self.neto(["ls", "-o", "json"]).run();
        let rows = listed.code(0).json();
        for profile in profiles {
            let found = rows.as_array().expect("rows").iter().any(|row| row["profile"] == *profile);
            assert!(found, "'{profile}' is gone: {listed}");
        }
        self.neto(["status", "-o", "json"]).run().code(0).stderr_lacks("cannot be read").stderr_lacks("is damaged");
        for path in self.home_files() {
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            if name.starts_with(TEMPORARY_PREFIX) {
                continue;
            }
            if let Some(profile) = name.strip_suffix(".token") {
                let (header, sealed) = (self.token_header(profile), self.sealed_token(profile));
                for (field, value) in header.as_object().expect("an object") {
                    assert_eq!(sealed[field], *value, "{field} of {}", path.display());
                }
            } else if path.extension().is_some_and(|extension| extension == "json") {
                let bytes = fs::read(&path).expect("a file");
                let content = serde_json::from_slice::<Value>(&bytes);
                assert!(content.is_ok(), "{} is not whole: {content:?}", path.display());
            }
        }
    }

    /// Returns whether this profile exists.
    pub(super) fn has_profile(&self, profile: &str) -> bool {
        let listed = self.neto(["ls", "-o", "json"]).run().code(0).json();
        listed.as_array().expect("rows").iter().any(|row| row["profile"] == *profile)
    }

    /// Returns all files below `NETO_HOME`.
    pub(super) fn home_files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        collect_files(&self.home(""), &mut files);
        files
    }

    /// Returns all temporary files below `NETO_HOME`; runs that were killed leave them behind.
    pub(crate) fn temporary_files(&self) -> Vec<PathBuf> {
        let is_temporary =
            |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(TEMPORARY_PREFIX));
        self.home_files().into_iter().filter(is_temporary).collect()
    }

    /// Sets the modification time of all temporary files to two hours ago, so that neto considers them stale.
    pub(super) fn backdate_temporary_files(&self) {
        for path in self.temporary_files() {
            let file = fs::OpenOptions::new().write(true).open(path).expect("a leftover");
            file.set_modified(SystemTime::now() - Duration::from_secs(7200)).expect("its time");
        }
    }
}

fn collect_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => collect_files(&entry.path(), files),
            Ok(_) => files.push(entry.path()),
            Err(_) => {}
        }
    }
}
