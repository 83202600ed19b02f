//! Reads files from paths that other users may control. Refuses FIFOs, devices and files above a size limit; the
//! caller's rules decide about links, owners and permissions.

use super::{DiskError, Stamp, StampedRead};
use std::fs::{File, Metadata, OpenOptions};
use std::io::Read as _;
use std::path::Path;

/// Owner, permissions and links that a caller accepts for a file. On non-Unix systems these are not checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Privacy {
    /// No permission for group and others, owned by the current user, not a symbolic link.
    Own,
    /// No permission for group and others, owned by the current user or root. May be a symbolic link, because container
    /// systems mount secrets as links.
    Mounted,
    /// No write permission for group and others, owned by the current user or root. May be a symbolic link.
    NotWritable,
    /// Any permissions, owned by the current user or root, not a symbolic link.
    OwnOrRoot,
    /// No restrictions.
    Any,
}

/// Conditions that a file must meet to be read.
#[derive(Debug, Clone, Copy)]
pub struct ReadRules {
    /// Maximum size of the file in bytes.
    pub cap: u64,
    /// Accepted owner, permissions and links.
    pub privacy: Privacy,
}

/// Reads a whole regular file. Never blocks on a FIFO or device.
///
/// # Errors
/// Returns a [`DiskError`] if the file is missing or unreadable, or does not meet the rules. [`DiskError::is_absent`]
/// is true for a missing file.
pub fn read(path: &Path, rules: ReadRules) -> Result<Vec<u8>, DiskError> {
    Ok(read_stamped(path, rules)?.0)
}

/// Reads a file like [`read`] and also returns its stamp. The stamp is `None` if [`Stamp::of`] returns `None`.
///
/// # Errors
/// Returns the errors of [`read`].
pub fn read_stamped(path: &Path, rules: ReadRules) -> Result<(Vec<u8>, Option<StampedRead>), DiskError> {
    let (file, metadata) = open_checked(path, rules)?;
    let stamped = Stamp::of(&metadata).map(StampedRead::before_read);
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0) + 1);
    // Reading one byte more than the cap detects a file that has grown since the size check.
    let count =
        file.take(rules.cap + 1).read_to_end(&mut bytes).map_err(|source| DiskError::io("read", path, source))?;
    if count as u64 > rules.cap {
        return Err(DiskError::TooLarge { path: path.to_path_buf(), size: count as u64, cap: rules.cap });
    }
    Ok((bytes, stamped))
}

/// Reads at most the first `limit` bytes of a regular file. The cap in the rules limits the size of the whole file.
///
/// # Errors
/// Returns the errors of [`read`].
pub fn read_start(path: &Path, rules: ReadRules, limit: usize) -> Result<Vec<u8>, DiskError> {
    let (file, _) = open_checked(path, rules)?;
    let mut bytes = Vec::with_capacity(limit);
    file.take(limit as u64).read_to_end(&mut bytes).map_err(|source| DiskError::io("read", path, source))?;
    Ok(bytes)
}

/// Returns whether the file exists. Opens an existing file and checks the rules, but does not read the file.
///
/// # Errors
/// Returns the errors of [`read`], except for a missing file.
pub fn check_file(path: &Path, rules: ReadRules) -> Result<bool, DiskError> {
    match open_checked(path, rules) {
        Ok(_) => Ok(true),
        Err(error) if error.is_absent() => Ok(false),
        Err(error) => Err(error),
    }
}

/// Opens the file and checks the rules.
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
        let is_own = super::is_current_user(owner);
        let (forbidden_bits, is_owner_allowed) = match rules.privacy {
            Privacy::Own => (0o077, is_own),
            Privacy::Mounted => (0o077, is_own || owner == 0),
            Privacy::NotWritable => (0o022, is_own || owner == 0),
            Privacy::OwnOrRoot => (0, is_own || owner == 0),
            Privacy::Any => (0, true),
        };
        if !is_owner_allowed {
            return Err(DiskError::ForeignOwner { path: path.to_path_buf(), owner });
        }
        if mode & forbidden_bits != 0 {
            let writable = rules.privacy == Privacy::NotWritable;
            return Err(DiskError::TooOpen { path: path.to_path_buf(), mode, writable });
        }
    }
    Ok(())
}
