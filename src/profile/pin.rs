//! Pins: `.neto-profile` files. A pin selects the profile for its directory and all subdirectories.

use super::{NameError, ProfileName};
use crate::disk::{self, DiskError, Privacy, ReadRules};
use std::path::{Path, PathBuf};

/// Name of a pin file.
const FILE_NAME: &str = ".neto-profile";

/// Read limits. The cap of 1024 bytes is far more than a name with a line ending needs.
const READ_RULES: ReadRules = ReadRules { cap: 1024, privacy: Privacy::OwnOrRoot };

/// Pin that was found, readable or not.
#[derive(Debug)]
pub struct Pin {
    /// Path of the file.
    pub path: PathBuf,
    /// Name in the file, or the reason why the pin cannot be used.
    pub name: Result<ProfileName, PinError>,
}

/// Reason why a pin cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PinError {
    /// The file cannot be read, is not a regular file, or is too large.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The content is not exactly one profile name. Line endings after the name are allowed.
    #[error("it does not hold the name of a profile and nothing else: {0}")]
    Content(NameError),
}

impl Pin {
    /// Finds the nearest pin in `directory` and its ancestors. If the nearest pin cannot be used, returns this pin with
    /// its error and does not search further. Ignores pins that belong to neither this user nor root. Any user can
    /// create a pin in a shared directory such as `/tmp`.
    #[must_use]
    pub fn find(directory: &Path) -> Option<Self> {
        directory.ancestors().find_map(|ancestor| {
            let path = ancestor.join(FILE_NAME);
            match disk::read(&path, READ_RULES) {
                Err(error) if error.is_absent() => None,
                Err(_) if disk::is_foreign(&path) => None,
                Err(error) => Some(Self { path, name: Err(error.into()) }),
                Ok(bytes) => Some(Self { path, name: parse(&bytes) }),
            }
        })
    }
}

fn parse(bytes: &[u8]) -> Result<ProfileName, PinError> {
    String::from_utf8_lossy(bytes).trim_end_matches(['\r', '\n']).parse().map_err(PinError::Content)
}
