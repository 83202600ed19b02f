//! Checks of who owns a path and who may write it, for files that neto did not create.

use super::DiskError;
use std::path::Path;

/// Checks whether the owner of a path is neither this user nor root. Does not follow a symlink. Unix only.
#[must_use]
pub fn is_foreign(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let owner = path.symlink_metadata().map(|found| found.uid());
        owner.is_ok_and(|owner| owner != 0 && !super::is_current_user(owner))
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        false
    }
}

/// Fails for a directory that others can write. A missing directory is accepted. Unix only.
///
/// # Errors
/// [`DiskError::TooOpen`].
pub fn refuse_writable_by_others(directory: &Path) -> Result<(), DiskError> {
    #[cfg(unix)]
    if let Ok(found) = std::fs::metadata(directory) {
        use std::os::unix::fs::MetadataExt as _;
        let mode = found.mode() & 0o7777;
        if mode & 0o022 != 0 {
            return Err(DiskError::TooOpen { path: directory.to_path_buf(), mode, writable: true });
        }
    }
    Ok(())
}
