//! The current and the previous profile, as `neto profile use` set them for all shells.

use super::ProfileName;
use crate::disk::{self, DiskError, Durability, Privacy, ReadRules};
use serde::{Deserialize, Serialize};
use std::path::Path;

const RULES: ReadRules = ReadRules { cap: 4096, privacy: Privacy::Own };

/// Current and previous profile.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Current {
    /// Profile that is used if no source of higher precedence selects one.
    pub current: Option<ProfileName>,
    /// Profile that `neto profile use -` returns to.
    pub previous: Option<ProfileName>,
}

/// Reason why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CurrentError {
    /// The file cannot be read or written.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The content is not in the format that neto writes.
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
    /// Reads the file at `path`. A missing file means that no profile is current.
    ///
    /// # Errors
    /// [`CurrentError`] when the file exists and cannot be read or parsed.
    pub fn load(path: &Path) -> Result<Self, CurrentError> {
        let bytes = match disk::read(path, RULES) {
            Err(error) if error.is_absent() => return Ok(Self::default()),
            read => read?,
        };
        let content = || CurrentError::Content(path.to_path_buf());
        let written: CurrentFile = serde_json::from_slice(&bytes).map_err(|_| content())?;
        let name = |text: Option<String>| text.map(|text| text.parse()).transpose().map_err(|_| content());
        Ok(Self { current: name(written.current)?, previous: name(written.previous)? })
    }

    /// Writes the file at `path`, durably.
    ///
    /// # Errors
    /// [`CurrentError::Disk`] when the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), CurrentError> {
        let text = |name: &Option<ProfileName>| name.as_ref().map(ToString::to_string);
        let written = CurrentFile { current: text(&self.current), previous: text(&self.previous) };
        let mut bytes = serde_json::to_vec(&written).unwrap_or_default();
        bytes.push(b'\n');
        disk::replace(path, &bytes, Durability::Durable)?;
        disk::remove_stale_temp_files_beside(path);
        Ok(())
    }

    /// Makes `name` (or no profile) current and the former current profile previous. Changes nothing if `name` is
    /// current already.
    #[must_use]
    pub fn switched_to(self, name: Option<ProfileName>) -> Self {
        if name == self.current {
            return self;
        }
        Self { previous: self.current.or(self.previous), current: name }
    }

    /// Replaces `from` by `to` after a profile was renamed. Drops `from` if `to` is absent, after a profile was
    /// removed.
    #[must_use]
    pub fn renamed(self, from: &ProfileName, to: Option<&ProfileName>) -> Self {
        let follow = |name: Option<ProfileName>| if name.as_ref() == Some(from) { to.cloned() } else { name };
        Self { current: follow(self.current), previous: follow(self.previous) }
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
    fn what_was_current_is_previous() {
        let (acme, globex) = ("acme".parse().ok(), "globex".parse().ok());
        let both = Current::default().switched_to(acme).switched_to(globex.clone());
        assert_eq!(both, current(Some("globex"), Some("acme")));
        assert_eq!(both.clone().switched_to(globex), both);
        assert_eq!(both.clone().switched_to(None), current(None, Some("globex")));
        assert_eq!(both.renamed(&"globex".parse().unwrap(), None), current(None, Some("acme")));
    }

    #[test]
    fn it_survives_the_disk_and_a_foreign_text_does_not() {
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
