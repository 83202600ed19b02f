//! Checks the owner and the permissions of files and directories that neto did not create.

use super::DiskError;
use std::path::Path;

/// Checks whether `path` belongs to neither the current user nor root. Does not follow a symbolic link at `path`.
/// Returns `false` if the owner cannot be read. On systems other than Unix, always returns `false`.
#[must_use]
pub fn is_foreign(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let owner = path.symlink_metadata().map(|metadata| metadata.uid());
        owner.is_ok_and(|owner| owner != 0 && !super::is_current_user(owner))
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        false
    }
}

/// Fails if the group or others can write to the directory, because they could replace its files. Does nothing except
/// on Unix.
///
/// # Errors
/// Returns [`DiskError::TooOpen`]. A directory that is missing, or whose mode cannot be read, is not an error.
pub fn refuse_writable_by_others(directory: &Path) -> Result<(), DiskError> {
    #[cfg(unix)]
    if let Ok(metadata) = std::fs::metadata(directory) {
        use std::os::unix::fs::MetadataExt as _;
        let mode = metadata.mode() & 0o7777;
        if mode & 0o022 != 0 {
            return Err(DiskError::TooOpen { path: directory.to_path_buf(), mode, writable: true });
        }
    }
    Ok(())
}
