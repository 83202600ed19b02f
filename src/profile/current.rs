//! Reads and writes the file with the current and the previous profile. `neto profile use` sets both for all shells.

use super::ProfileName;
use crate::disk::{self, DiskError, Durability, Privacy, ReadRules};
use serde::{Deserialize, Serialize};
use std::path::Path;

const READ_RULES: ReadRules = ReadRules { cap: 4096, privacy: Privacy::Own };

/// Current and previous profile.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Current {
    /// Profile that commands use if no source of higher precedence selects a profile.
    pub current: Option<ProfileName>,
    /// Profile that `neto profile use -` makes current again.
    pub previous: Option<ProfileName>,
}

/// Reason why the file cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum CurrentError {
    /// Reading or writing the file failed, or other users can access the file.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The content is not in the format that neto writes. Holds the path of the file.
    #[error("{} is not what neto wrote", .0.display())]
    Content(std::path::PathBuf),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CurrentFile {
    current: Option<String>,
    previous: Option<String>,
}

impl Current {
    /// Reads the file at `path`. If the file does not exist, both fields of the result are `None`.
    ///
    /// # Errors
    /// Returns a [`CurrentError`] if the file exists but cannot be read or parsed.
    pub fn load(path: &Path) -> Result<Self, CurrentError> {
        let bytes = match disk::read(path, READ_RULES) {
            Err(error) if error.is_absent() => return Ok(Self::default()),
            result => result?,
        };
        let content_error = || CurrentError::Content(path.to_path_buf());
        let file: CurrentFile = serde_json::from_slice(&bytes).map_err(|_| content_error())?;
        let parse = |name: Option<String>| name.map(|name| name.parse()).transpose().map_err(|_| content_error());
        Ok(Self { current: parse(file.current)?, previous: parse(file.previous)? })
    }

    /// Writes the file at `path` so that the new content survives a power failure.
    ///
    /// # Errors
    /// Returns [`CurrentError::Disk`] if the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), CurrentError> {
        let text = |name: &Option<ProfileName>| name.as_ref().map(ToString::to_string);
        let file = CurrentFile { current: text(&self.current), previous: text(&self.previous) };
        let mut bytes = serde_json::to_vec(&file).unwrap_or_default();
        bytes.push(b'\n');
        disk::replace(path, &bytes, Durability::Durable)?;
        disk::remove_stale_temp_files_beside(path);
        Ok(())
    }

    /// Makes `name` the current profile; `None` means no current profile. The former current profile becomes the
    /// previous profile. Without a former current profile, the previous profile stays. Changes nothing if `name` is
    /// already current.
    #[must_use]
    pub fn switched_to(self, name: Option<ProfileName>) -> Self {
        if name == self.current {
            return self;
        }
        Self { previous: self.current.or(self.previous), current: name }
    }

    /// Replaces the name `from` with `to`. Use this after a profile is renamed or removed; for a removed profile, `to`
    /// is `None`.
    #[must_use]
    pub fn replace_name(self, from: &ProfileName, to: Option<&ProfileName>) -> Self {
        let replace = |name: Option<ProfileName>| if name.as_ref() == Some(from) { to.cloned() } else { name };
        Self { current: replace(self.current), previous: replace(self.previous) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn current(current: Option<&str>, previous: Option<&str>) -> Current {
        let name = |text: Option<&str>| text.map(|text| text.parse().unwrap());
        Current { current: name(current), previous: name(previous) }
    }

    #[test]
    fn the_former_current_profile_becomes_the_previous_profile() {
        let (acme, globex) = ("acme".parse().ok(), "globex".parse().ok());
        let both = Current::default().switched_to(acme).switched_to(globex.clone());
        assert_eq!(both, current(Some("globex"), Some("acme")));
        assert_eq!(both.clone().switched_to(globex), both);
        assert_eq!(both.clone().switched_to(None), current(None, Some("globex")));
        assert_eq!(both.replace_name(&"globex".parse().unwrap(), None), current(None, Some("acme")));
    }

    #[test]
    fn a_saved_file_loads_and_an_invalid_file_is_rejected() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("current.json");
        assert_eq!(Current::load(&path).unwrap(), Current::default());
        let current = current(Some("acme"), None);
        current.save(&path).unwrap();
        assert_eq!(Current::load(&path).unwrap(), current);
        disk::replace(&path, br#"{"current":"../x","previous":null}"#, Durability::Atomic).unwrap();
        assert!(matches!(Current::load(&path), Err(CurrentError::Content(_))));
    }
}
