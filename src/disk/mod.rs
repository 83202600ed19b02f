//! Private files, their directories, and locks.
//!
//! Owns how neto reads, replaces and locks a file, and what a signal does meanwhile. Knows nothing of the domain:
//! callers pass the path, the size limit, the privacy and the durability.

mod folder;
mod lock;
mod ownership;
mod read;
mod signals;
mod stamp;
mod write;

#[cfg(unix)]
use folder::is_current_user;
pub use folder::{
    check_private_dir, create_private_dir, entry_names, is_owned_by_user, refuse_foreign_owner, remove_permissions,
};
pub use lock::{Lock, LockGuard};
pub use ownership::{is_foreign, refuse_writable_by_others};
pub use read::{Privacy, ReadRules, check_file, read, read_stamped, read_start};
pub use signals::{SignalHold, TerminationSignal, hold_signals};
pub use stamp::{Stamp, StampedRead};
pub use write::{
    Durability, append, append_lines, check_can_replace, create_new, create_new_in_existing_dir, refuse_pipe, remove,
    remove_durably, remove_stale_temp_files, remove_stale_temp_files_beside, replace, replace_shared,
    replace_with_link, stale_temp_files,
};

use std::io;
use std::path::{Path, PathBuf};

/// Failed operation on a file or directory.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// The system refused the operation.
    #[error("cannot {action} {}: {}", path.display(), os_message(source))]
    Io {
        /// Operation that failed, as a verb such as `read`.
        action: &'static str,
        /// File or directory that the operation was for.
        path: PathBuf,
        /// Error of the system.
        source: io::Error,
    },
    /// Not a regular file: a directory, FIFO, device or, where links are not allowed, a symbolic link.
    #[error("{} is {found}, not a regular file", path.display())]
    NotAFile {
        /// Path that was opened.
        path: PathBuf,
        /// Kind of file found instead.
        found: &'static str,
    },
    /// Larger than the limit for this file.
    #[error("{} has {size} bytes; at most {cap} are read", path.display())]
    TooLarge {
        /// Path that was opened.
        path: PathBuf,
        /// Size of the file in bytes.
        size: u64,
        /// Largest size that is read, in bytes.
        cap: u64,
    },
    /// Others may read or write a file that only its owner should.
    #[error("{} can be {} by others (mode {mode:04o})", path.display(), if *writable { "written" } else { "read" })]
    TooOpen {
        /// File or directory.
        path: PathBuf,
        /// Permission bits of the file.
        mode: u32,
        /// True if others can write, false if others can only read.
        writable: bool,
    },
    /// Owned by another user.
    #[error("{} belongs to another user (uid {owner})", path.display())]
    ForeignOwner {
        /// File or directory.
        path: PathBuf,
        /// Uid of the owner.
        owner: u32,
    },
}

impl DiskError {
    pub(crate) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { action, path: path.to_path_buf(), source }
    }

    /// True if the file or directory does not exist. An unreadable file is not absent.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }

    /// True if the directory is shared on purpose, such as `/tmp` (writable by others, sticky). Closing it would harm
    /// other users.
    #[must_use]
    pub fn is_shared_dir(&self) -> bool {
        matches!(self, Self::TooOpen { mode, writable: true, .. } if mode & 0o1000 != 0)
    }

    /// Returns the path of the file or directory that the error is about.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::Io { path, .. }
            | Self::NotAFile { path, .. }
            | Self::TooLarge { path, .. }
            | Self::TooOpen { path, .. }
            | Self::ForeignOwner { path, .. } => path,
        }
    }
}

/// Returns the system's message in lower case, without Rust's suffix ` (os error 2)`.
#[must_use]
pub fn os_message(error: &io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error") {
        Some(end) => text[..end].to_lowercase(),
        None => text,
    }
}
