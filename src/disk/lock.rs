//! Kernel locks on files of their own, which are never renamed or deleted.
//!
//! A lock is only ever tried; who waits does so with its own patience, so that one event loop
//! never blocks. It dies with its holder, and children do not inherit it (the file is close-on-exec).

use super::{DiskError, Stamp, create_private_folder, ensure_own, signals};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};

/// A lock that may be tried.
#[derive(Debug, Clone)]
pub struct Lock {
    path: PathBuf,
}

/// The lock, held until dropped or until the process ends.
#[derive(Debug)]
pub struct Locked {
    file: File,
}

impl Lock {
    /// The lock whose file is `path`; its folder is made when it is first tried.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Takes the lock, or says at once that another process holds it.
    ///
    /// # Errors
    /// [`DiskError`] when the file cannot be made or the system has no locks here.
    pub fn attempt(&self) -> Result<Option<Locked>, DiskError> {
        let mut file = self.open()?;
        match file.try_lock() {
            Ok(()) => {
                // Whom to wait for is a courtesy to the reader of a message; failing to write it is no failure.
                let _ = write_holder(&mut file);
                Ok(Some(Locked { file }))
            }
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(source)) => Err(DiskError::io("lock", &self.path, source)),
        }
    }

    /// The process id that last took the lock, where it is known.
    #[must_use]
    pub fn holder(&self) -> Option<u32> {
        let mut text = String::new();
        File::open(&self.path).ok()?.take(20).read_to_string(&mut text).ok()?;
        text.trim().parse().ok()
    }

    /// The lock's file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn open(&self) -> Result<File, DiskError> {
        if let Some(folder) = self.path.parent() {
            // A lock that root leaves in a user's folder would lock the user out for good.
            ensure_own(folder)?;
            create_private_folder(folder)?;
        }
        let failed = |source| DiskError::io("lock", &self.path, source);
        let file = match options().create_new(true).open(&self.path) {
            Ok(file) => {
                private(&file).map_err(failed)?;
                file
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => options().open(&self.path).map_err(failed)?,
            Err(error) => return Err(failed(error)),
        };
        // Who holds a lock is read out of it, which would never end with a pipe.
        if file.metadata().map_err(failed)?.is_file() {
            Ok(file)
        } else {
            Err(DiskError::NotAFile { path: self.path.clone(), found: "a device or pipe" })
        }
    }
}

impl Locked {
    /// The stamp of the lock's file, which was written as the lock was taken: its times are the file system's own.
    pub(super) fn taken(&self) -> Option<Stamp> {
        Stamp::of(&self.file.metadata().ok()?)
    }
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600).custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed());
    }
    options
}

/// A umask such as 0777 takes bits away even from 0600.
#[cfg(unix)]
fn private(file: &File) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    file.set_permissions(std::fs::Permissions::from_mode(0o600))
}

#[cfg(not(unix))]
fn private(_file: &File) -> std::io::Result<()> {
    Ok(())
}

/// Always as long as any process id, so that the file need not be cut short first, which costs more than all else here.
fn write_holder(file: &mut File) -> std::io::Result<()> {
    signals::outlive_size_limits();
    file.write_all(format!("{:<10}\n", std::process::id()).as_bytes())
}
