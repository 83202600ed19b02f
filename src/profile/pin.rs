//! `.neto-profile`: a file that holds the name of the profile for a folder and all below it.

use super::{NameError, ProfileName};
use crate::disk::{self, DiskError, Privacy, Rules};
use std::path::{Path, PathBuf};

/// The file's name.
const FILE: &str = ".neto-profile";

/// A name and a line end fit many times.
const RULES: Rules = Rules { cap: 1024, privacy: Privacy::OwnOrRoot };

/// The nearest pin at or above a folder.
#[derive(Debug)]
pub struct Pin {
    /// The file that was found.
    pub path: PathBuf,
    /// The name that it holds, or why it does not count.
    pub name: Result<ProfileName, PinError>,
}

/// Why a pin is not followed.
#[derive(Debug, thiserror::Error)]
pub enum PinError {
    /// It cannot be read, is no plain file, or belongs to somebody else.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// It holds something else than one name.
    #[error("it does not hold the name of a profile and nothing else: {0}")]
    Content(NameError),
}

impl Pin {
    /// Looks for a pin in `folder` and in those above it. Anybody could leave a pin in a shared folder
    /// above (`/tmp`), so a foreign one is passed over.
    #[must_use]
    pub fn find(folder: &Path) -> Option<Self> {
        folder.ancestors().find_map(|above| {
            let path = above.join(FILE);
            match disk::read(&path, RULES) {
                Err(error) if error.is_absent() => None,
                Err(_) if is_foreign(&path) => None,
                Err(error) => Some(Self { path, name: Err(error.into()) }),
                Ok(bytes) => Some(Self { path, name: parse(&bytes) }),
            }
        })
    }
}

/// Whether somebody else than this user and root put it there, whatever it is.
#[cfg(unix)]
fn is_foreign(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let owner = path.symlink_metadata().map(|found| found.uid());
    owner.is_ok_and(|owner| owner != 0 && !disk::is_users_own(owner))
}

#[cfg(not(unix))]
fn is_foreign(_path: &Path) -> bool {
    false
}

fn parse(bytes: &[u8]) -> Result<ProfileName, PinError> {
    String::from_utf8_lossy(bytes).trim_end_matches(['\r', '\n']).parse().map_err(PinError::Content)
}
