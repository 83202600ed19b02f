//! Conditions that every file of neto must meet after every run.

use crate::harness::Sandbox;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Profiles that must survive every run.
pub(super) const SURVIVING_PROFILES: [&str; 2] = ["acme", "beta"];

/// Prefix of temporary files.
const TEMPORARY: &str = ".neto-tmp-";

impl Sandbox {
    /// Asserts that all files are intact: store and tokens are readable, and the profiles still exist. Both parts of
    /// each token file agree, and other files are valid JSON.
    pub(crate) fn assert_intact(&self, profiles: &[&str]) {
        let listed = self.neto(["ls", "-o", "json"]).run();
        let rows = listed.code(0).json();
        for profile in profiles {
            let found = rows.as_array().expect("rows").iter().any(|row| row["profile"] == *profile);
            assert!(found, "'{profile}' is gone: {listed}");
        }
        self.neto(["status", "-o", "json"]).run().code(0).stderr_lacks("cannot be read").stderr_lacks("is damaged");
        for path in self.own_files() {
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            if name.starts_with(TEMPORARY) {
                continue;
            }
            if let Some(profile) = name.strip_suffix(".token") {
                let (line, sealed) = (self.token_header(profile), self.sealed_token(profile));
                for (field, value) in line.as_object().expect("an object") {
                    assert_eq!(sealed[field], *value, "{field} of {}", path.display());
                }
            } else if path.extension().is_some_and(|end| end == "json") {
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

    /// All files below `NETO_HOME`.
    pub(super) fn own_files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        walk(&self.home(""), &mut files);
        files
    }

    /// Temporary files of killed runs, in all directories.
    pub(crate) fn leftovers(&self) -> Vec<PathBuf> {
        let is_one =
            |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(TEMPORARY));
        self.own_files().into_iter().filter(is_one).collect()
    }

    /// Sets the modification time of all leftovers to two hours ago.
    pub(super) fn backdate_leftovers(&self) {
        for path in self.leftovers() {
            let file = fs::OpenOptions::new().write(true).open(path).expect("a leftover");
            file.set_modified(SystemTime::now() - Duration::from_secs(7200)).expect("its time");
        }
    }
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => walk(&entry.path(), files),
            Ok(_) => files.push(entry.path()),
            Err(_) => {}
        }
    }
}
