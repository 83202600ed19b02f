//! Kernel locks on separate lock files, which are never renamed or deleted.
//!
//! A lock is only tried; the caller waits and retries, so that the event loop never blocks. The kernel releases the
//! lock when its process ends, and children do not inherit it (close-on-exec).

use super::{DiskError, Stamp, create_private_dir, refuse_foreign_owner, signals};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};

/// Lock file that [`Lock::try_lock`] locks.
#[derive(Debug, Clone)]
pub struct Lock {
    path: PathBuf,
}

/// Acquired lock, held until this value is dropped or the process ends.
#[derive(Debug)]
pub struct LockGuard {
    file: File,
}

impl Lock {
    /// Creates a lock on the file `path`. The first [`Lock::try_lock`] creates the file and its directory.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Acquires the lock without waiting. Returns `None` if another process holds the lock.
    ///
    /// # Errors
    /// [`DiskError`] if the file cannot be created or the file system has no locks.
    pub fn try_lock(&self) -> Result<Option<LockGuard>, DiskError> {
        let mut file = self.open()?;
        match file.try_lock() {
            Ok(()) => {
                // The process id only appears in messages, so failing to write it is not an error.
                let _ = write_holder(&mut file);
                Ok(Some(LockGuard { file }))
            }
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(source)) => Err(DiskError::io("lock", &self.path, source)),
        }
    }

    /// Process id that last acquired the lock, if it is known.
    #[must_use]
    pub fn holder(&self) -> Option<u32> {
        let mut text = String::new();
        File::open(&self.path).ok()?.take(20).read_to_string(&mut text).ok()?;
        text.trim().parse().ok()
    }

    /// Path of the lock file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn open(&self) -> Result<File, DiskError> {
        if let Some(dir) = self.path.parent() {
            // A lock file that root creates in a user's directory would lock the user out permanently.
            refuse_foreign_owner(dir)?;
            create_private_dir(dir)?;
        }
        let lock_error = |source| DiskError::io("lock", &self.path, source);
        let file = match open_options().create_new(true).open(&self.path) {
            Ok(file) => {
                set_private_mode(&file).map_err(lock_error)?;
                file
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                open_options().open(&self.path).map_err(lock_error)?
            }
            Err(error) => return Err(lock_error(error)),
        };
        // The holder is read from this file, and reading a pipe would block.
        if file.metadata().map_err(lock_error)?.is_file() {
            Ok(file)
        } else {
            Err(DiskError::NotAFile { path: self.path.clone(), found: "a device or pipe" })
        }
    }
}

impl LockGuard {
    /// Returns the stamp of the lock file, written when the lock was acquired. Its times come from the file system's
    /// clock.
    #[must_use]
    pub fn stamp_at_lock(&self) -> Option<Stamp> {
        Stamp::of(&self.file.metadata().ok()?)
    }
}

fn open_options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600).custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed());
    }
    options
}

/// Sets mode 0600, because a umask such as 0777 removes bits even from 0600.
#[cfg(unix)]
fn set_private_mode(file: &File) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    file.set_permissions(std::fs::Permissions::from_mode(0o600))
}

#[cfg(not(unix))]
fn set_private_mode(_file: &File) -> std::io::Result<()> {
    Ok(())
}

/// Writes this process's id, padded to a fixed width. The file then needs no truncation, which would cost more than
/// all other steps of locking.
fn write_holder(file: &mut File) -> std::io::Result<()> {
    signals::catch_sigxfsz();
    file.write_all(format!("{:<10}\n", std::process::id()).as_bytes())
}
