//! Kernel locks on separate lock files. A lock file is never renamed or deleted, because a new file would have its own
//! lock.
//!
//! Locking never waits: the caller retries, so that the event loop does not block. The kernel releases a lock when the
//! process ends. Child processes do not inherit a lock (close-on-exec).

use super::{DiskError, Stamp, create_private_dir, refuse_foreign_owner, signals};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};

/// Lock that processes share through a lock file.
#[derive(Debug, Clone)]
pub struct Lock {
    path: PathBuf,
}

/// Acquired lock. The lock is released when this value is dropped or the process ends.
#[derive(Debug)]
pub struct LockGuard {
    file: File,
}

impl Lock {
    /// Creates a lock for the lock file at `path`. The first [`Lock::try_lock`] creates the file and its directory.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Acquires the lock without waiting. Returns `None` if the lock is held already, by this or another process.
    ///
    /// # Errors
    /// Returns [`DiskError::Io`] if the directory or the lock file cannot be created, opened or locked. Returns
    /// [`DiskError::ForeignOwner`] if the directory belongs to another user, and [`DiskError::NotAFile`] for a device
    /// or pipe.
    pub fn try_lock(&self) -> Result<Option<LockGuard>, DiskError> {
        let mut file = self.open()?;
        match file.try_lock() {
            Ok(()) => {
                // The process id is used only in messages, so an error while writing the id does not matter.
                let _ = write_holder(&mut file);
                Ok(Some(LockGuard { file }))
            }
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(source)) => Err(DiskError::io("lock", &self.path, source)),
        }
    }

    /// Returns the id of the process that last acquired the lock; `None` if the lock file does not contain an id.
    #[must_use]
    pub fn holder(&self) -> Option<u32> {
        let mut text = String::new();
        File::open(&self.path).ok()?.take(20).read_to_string(&mut text).ok()?;
        text.trim().parse().ok()
    }

    /// Returns the path of the lock file.
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
        // `holder` reads this file, and reading a pipe could block.
        if file.metadata().map_err(lock_error)?.is_file() {
            Ok(file)
        } else {
            Err(DiskError::NotAFile { path: self.path.clone(), found: "a device or pipe" })
        }
    }
}

impl LockGuard {
    /// Returns the stamp of the lock file; `None` if the file has no stamp. Acquiring the lock writes the file. So the
    /// stamp shows when the lock was acquired, by the file system's clock.
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

/// Writes this process's id, padded to a fixed width so that the file need not be truncated. Truncation would cost more
/// than all other steps of locking.
fn write_holder(file: &mut File) -> std::io::Result<()> {
    signals::catch_sigxfsz();
    file.write_all(format!("{:<10}\n", std::process::id()).as_bytes())
}
