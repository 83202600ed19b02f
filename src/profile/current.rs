//! The current profile and the one before it, as `neto profile use` set them for all shells.

use super::ProfileName;
use crate::disk::{self, DiskError, Durability, Privacy, Rules};
use serde::{Deserialize, Serialize};
use std::path::Path;

const RULES: Rules = Rules { cap: 4096, privacy: Privacy::Own };

/// What is current and what was before.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Current {
    /// The profile that is used when nothing else says which.
    pub current: Option<ProfileName>,
    /// The profile that `use -` goes back to.
    pub previous: Option<ProfileName>,
}

/// Why the file does not tell.
#[derive(Debug, thiserror::Error)]
pub enum CurrentError {
    /// It cannot be read or written.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// It holds something else than what neto writes.
    #[error("{} is not what neto wrote", .0.display())]
    Content(std::path::PathBuf),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    current: Option<String>,
    previous: Option<String>,
}

impl Current {
    /// Reads the file at `path`; none there means that nothing is current.
    ///
    /// # Errors
    /// [`CurrentError`] when it is there and cannot be read or understood.
    pub fn load(path: &Path) -> Result<Self, CurrentError> {
        let bytes = match disk::read(path, RULES) {
            Err(error) if error.is_absent() => return Ok(Self::default()),
            read => read?,
        };
        let content = || CurrentError::Content(path.to_path_buf());
        let written: Written = serde_json::from_slice(&bytes).map_err(|_| content())?;
        let name = |text: Option<String>| text.map(|text| text.parse()).transpose().map_err(|_| content());
        Ok(Self { current: name(written.current)?, previous: name(written.previous)? })
    }

    /// Writes the file at `path`, durably.
    ///
    /// # Errors
    /// [`CurrentError::Disk`] when it cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), CurrentError> {
        let text = |name: &Option<ProfileName>| name.as_ref().map(ToString::to_string);
        let written = Written { current: text(&self.current), previous: text(&self.previous) };
        let mut bytes = serde_json::to_vec(&written).unwrap_or_default();
        bytes.push(b'\n');
        disk::replace(path, &bytes, Durability::Durable)?;
        disk::clear_leftovers_beside(path);
        Ok(())
    }

    /// This with `name`, or nothing, as the current one; what was current is previous.
    #[must_use]
    pub fn switched(self, name: Option<ProfileName>) -> Self {
        if name == self.current {
            return self;
        }
        Self { previous: self.current.or(self.previous), current: name }
    }

    /// This after `from` was renamed to `to`, or removed where `to` is nothing.
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
        let both = Current::default().switched(acme).switched(globex.clone());
        assert_eq!(both, current(Some("globex"), Some("acme")));
        assert_eq!(both.clone().switched(globex), both);
        assert_eq!(both.clone().switched(None), current(None, Some("globex")));
        assert_eq!(both.renamed(&"globex".parse().unwrap(), None), current(None, Some("acme")));
    }

    #[test]
    fn it_survives_the_disk_and_a_foreign_text_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("current.json");
        assert_eq!(Current::load(&path).unwrap(), Current::default());
        let current = current(Some("acme"), None);
        current.save(&path).unwrap();
        assert_eq!(Current::load(&path).unwrap(), current);
        disk::replace(&path, br#"{"current":"../x","previous":null}"#, Durability::Atomic).unwrap();
        assert!(matches!(Current::load(&path), Err(CurrentError::Content(_))));
    }
}
