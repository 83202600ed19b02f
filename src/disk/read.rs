//! Reads files that may be hostile: a FIFO, a device, a link, a very large file, another user's file.

use super::{DiskError, Stamp, StampedRead};
use std::fs::{File, Metadata, OpenOptions};
use std::io::Read as _;
use std::path::Path;

/// Access that others may have to a file that neto reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Privacy {
    /// Mode 0600 or narrower, owned by the current user, no symbolic link.
    Own,
    /// Mode 0600 or narrower, owned by the current user or root; may be a link, as mounted secrets are.
    Mounted,
    /// Readable by anybody, writable only by its owner, who is the current user or root; may be a link.
    NotWritable,
    /// Any mode, owned by the current user or root, no symbolic link.
    OwnOrRoot,
    /// No restrictions.
    Any,
}

/// Conditions that a file must meet to be read.
#[derive(Debug, Clone, Copy)]
pub struct ReadRules {
    /// Largest size that is read, in bytes.
    pub cap: u64,
    /// Access that others may have.
    pub privacy: Privacy,
}

/// Reads a whole regular file. Never blocks on a FIFO or device.
///
/// # Errors
/// Every kind of [`DiskError`]; [`DiskError::is_absent`] distinguishes a missing file from an unreadable one.
pub fn read(path: &Path, rules: ReadRules) -> Result<Vec<u8>, DiskError> {
    Ok(read_stamped(path, rules)?.0)
}

/// Reads a file like [`read`] and also returns its stamp, or `None` if the platform has no stamps.
///
/// # Errors
/// See [`read`].
pub fn read_stamped(path: &Path, rules: ReadRules) -> Result<(Vec<u8>, Option<StampedRead>), DiskError> {
    let (file, metadata) = open_checked(path, rules)?;
    let stamped = Stamp::of(&metadata).map(StampedRead::now);
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0) + 1);
    // Reading one byte beyond the cap detects a file that has grown since its size was checked.
    let count =
        file.take(rules.cap + 1).read_to_end(&mut bytes).map_err(|source| DiskError::io("read", path, source))?;
    if count as u64 > rules.cap {
        return Err(DiskError::TooLarge { path: path.to_path_buf(), size: count as u64, cap: rules.cap });
    }
    Ok((bytes, stamped))
}

/// Reads at most the first `limit` bytes of a regular file. The rules, including the cap, apply to the whole file.
///
/// # Errors
/// See [`read`].
pub fn read_start(path: &Path, rules: ReadRules, limit: usize) -> Result<Vec<u8>, DiskError> {
    let (file, _) = open_checked(path, rules)?;
    let mut bytes = Vec::with_capacity(limit);
    file.take(limit as u64).read_to_end(&mut bytes).map_err(|source| DiskError::io("read", path, source))?;
    Ok(bytes)
}

/// Returns whether the file exists. Opens the file and checks the rules without reading it.
///
/// # Errors
/// See [`read`]; a missing file is not an error.
pub fn check_file(path: &Path, rules: ReadRules) -> Result<bool, DiskError> {
    match open_checked(path, rules) {
        Ok(_) => Ok(true),
        Err(error) if error.is_absent() => Ok(false),
        Err(error) => Err(error),
    }
}

/// Opens the file and checks it against the rules.
fn open_checked(path: &Path, rules: ReadRules) -> Result<(File, Metadata), DiskError> {
    let file = open(path, rules.privacy)?;
    let metadata = file.metadata().map_err(|source| DiskError::io("read", path, source))?;
    check_metadata(path, &metadata, rules)?;
    Ok((file, metadata))
}

#[cfg(unix)]
fn open(path: &Path, privacy: Privacy) -> Result<File, DiskError> {
    use rustix::fs::OFlags;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut flags = OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let follows_links = !matches!(privacy, Privacy::Own | Privacy::OwnOrRoot);
    if !follows_links {
        flags |= OFlags::NOFOLLOW;
    }
    let opened = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path);
    opened.map_err(|source| {
        if !follows_links && path.is_symlink() {
            return DiskError::NotAFile { path: path.to_path_buf(), found: "a symbolic link" };
        }
        DiskError::io("read", path, source)
    })
}

#[cfg(not(unix))]
fn open(path: &Path, _privacy: Privacy) -> Result<File, DiskError> {
    OpenOptions::new().read(true).open(path).map_err(|source| DiskError::io("read", path, source))
}

fn check_metadata(path: &Path, metadata: &Metadata, rules: ReadRules) -> Result<(), DiskError> {
    if !metadata.is_file() {
        let found = if metadata.is_dir() { "a folder" } else { "a device or pipe" };
        return Err(DiskError::NotAFile { path: path.to_path_buf(), found });
    }
    if metadata.len() > rules.cap {
        return Err(DiskError::TooLarge { path: path.to_path_buf(), size: metadata.len(), cap: rules.cap });
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let (mode, owner) = (metadata.mode() & 0o7777, metadata.uid());
        let is_mine = super::is_current_user(owner);
        let (forbidden, is_allowed) = match rules.privacy {
            Privacy::Own => (0o077, is_mine),
            Privacy::Mounted => (0o077, is_mine || owner == 0),
            Privacy::NotWritable => (0o022, is_mine || owner == 0),
            Privacy::OwnOrRoot => (0, is_mine || owner == 0),
            Privacy::Any => (0, true),
        };
        if !is_allowed {
            return Err(DiskError::ForeignOwner { path: path.to_path_buf(), owner });
        }
        if mode & forbidden != 0 {
            let writable = rules.privacy == Privacy::NotWritable;
            return Err(DiskError::TooOpen { path: path.to_path_buf(), mode, writable });
        }
    }
    Ok(())
}
