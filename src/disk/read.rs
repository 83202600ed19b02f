//! Reading a file that may be hostile: a FIFO, a device, a link, a gigabyte, somebody else's.

use super::{DiskError, Sighting, Stamp};
use std::fs::{File, Metadata, OpenOptions};
use std::io::Read as _;
use std::path::Path;

/// Who else may have access to a file before it is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Privacy {
    /// Mode 0600 or narrower, owned by this user, no symbolic link.
    Own,
    /// Mode 0600 or narrower; may be a link and owned by root, as mounted secrets are.
    Mounted,
    /// Readable by anybody, writable by its owner alone, who is this user or root; may be a link.
    NotWritable,
    /// Readable by anybody, owned by this user or root; no symbolic link.
    OwnOrRoot,
    /// Anything goes.
    Any,
}

/// What a file must be to be read.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// The most bytes that are read.
    pub cap: u64,
    /// Who else may have access.
    pub privacy: Privacy,
}

/// Reads a whole regular file. Never blocks on a FIFO or device.
///
/// # Errors
/// Every kind of [`DiskError`]; `is_absent` tells a missing file from an unreadable one.
pub fn read(path: &Path, rules: Rules) -> Result<Vec<u8>, DiskError> {
    Ok(read_seen(path, rules)?.0)
}

/// Reads a file as [`read`] does, and says which file it was; nothing where the system cannot tell.
///
/// # Errors
/// As [`read`].
pub fn read_seen(path: &Path, rules: Rules) -> Result<(Vec<u8>, Option<Sighting>), DiskError> {
    let (file, found) = open_sound(path, rules)?;
    let seen = Stamp::of(&found).map(Sighting::now);
    let mut bytes = Vec::with_capacity(usize::try_from(found.len()).unwrap_or(0) + 1);
    // One byte past the cap tells a file that grew since it was looked at.
    let count =
        file.take(rules.cap + 1).read_to_end(&mut bytes).map_err(|source| DiskError::io("read", path, source))?;
    if count as u64 > rules.cap {
        return Err(DiskError::TooLarge { path: path.to_path_buf(), size: count as u64, cap: rules.cap });
    }
    Ok((bytes, seen))
}

/// Reads at most the first `most` bytes of a regular file, which is held to the rules as a whole.
///
/// # Errors
/// As [`read`].
pub fn read_start(path: &Path, rules: Rules, most: usize) -> Result<Vec<u8>, DiskError> {
    let (file, _) = open_sound(path, rules)?;
    let mut bytes = Vec::with_capacity(most);
    file.take(most as u64).read_to_end(&mut bytes).map_err(|source| DiskError::io("read", path, source))?;
    Ok(bytes)
}

/// Whether a file is there, held to the rules by which it would be read; nothing of it is.
///
/// # Errors
/// As [`read`], but a missing file is none.
pub fn examine(path: &Path, rules: Rules) -> Result<bool, DiskError> {
    match open_sound(path, rules) {
        Ok(_) => Ok(true),
        Err(error) if error.is_absent() => Ok(false),
        Err(error) => Err(error),
    }
}

/// The open file, when it is what the rules ask for.
fn open_sound(path: &Path, rules: Rules) -> Result<(File, Metadata), DiskError> {
    let file = open(path, rules.privacy)?;
    let found = file.metadata().map_err(|source| DiskError::io("read", path, source))?;
    inspect(path, &found, rules)?;
    Ok((file, found))
}

#[cfg(unix)]
fn open(path: &Path, privacy: Privacy) -> Result<File, DiskError> {
    use rustix::fs::OFlags;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut flags = OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let links = !matches!(privacy, Privacy::Own | Privacy::OwnOrRoot);
    if !links {
        flags |= OFlags::NOFOLLOW;
    }
    let opened = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path);
    opened.map_err(|source| {
        if !links && path.is_symlink() {
            return DiskError::NotAFile { path: path.to_path_buf(), found: "a symbolic link" };
        }
        DiskError::io("read", path, source)
    })
}

#[cfg(not(unix))]
fn open(path: &Path, _privacy: Privacy) -> Result<File, DiskError> {
    OpenOptions::new().read(true).open(path).map_err(|source| DiskError::io("read", path, source))
}

fn inspect(path: &Path, found: &Metadata, rules: Rules) -> Result<(), DiskError> {
    if !found.is_file() {
        let found = if found.is_dir() { "a folder" } else { "a device or pipe" };
        return Err(DiskError::NotAFile { path: path.to_path_buf(), found });
    }
    if found.len() > rules.cap {
        return Err(DiskError::TooLarge { path: path.to_path_buf(), size: found.len(), cap: rules.cap });
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let (mode, owner) = (found.mode() & 0o7777, found.uid());
        let mine = super::is_users_own(owner);
        let (forbidden, own) = match rules.privacy {
            Privacy::Own => (0o077, mine),
            Privacy::Mounted => (0o077, mine || owner == 0),
            Privacy::NotWritable => (0o022, mine || owner == 0),
            Privacy::OwnOrRoot => (0, mine || owner == 0),
            Privacy::Any => (0, true),
        };
        if !own {
            return Err(DiskError::ForeignOwner { path: path.to_path_buf(), owner });
        }
        if mode & forbidden != 0 {
            let writable = rules.privacy == Privacy::NotWritable;
            return Err(DiskError::TooOpen { path: path.to_path_buf(), mode, writable });
        }
    }
    Ok(())
}
