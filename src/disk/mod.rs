//! Private files, their directories, and locks.
//!
//! Owns how neto reads, replaces and locks a file, and defers termination signals during a write. Knows nothing of the
//! domain: callers pass the path, the size limit, the required privacy and the durability.

mod directory;
mod lock;
mod ownership;
mod read;
mod signals;
mod stamp;
mod write;

#[cfg(unix)]
use directory::is_current_user;
pub use directory::{
    check_private_dir, create_private_dir, entry_names, is_owned_by_current_user, refuse_foreign_owner,
    remove_permissions,
};
pub use lock::{Lock, LockGuard};
pub use ownership::{is_foreign, refuse_writable_by_others};
pub use read::{Privacy, ReadRules, check_file, read, read_stamped, read_start};
pub use signals::{SignalDeferral, TerminationSignal, defer_signals};
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
        /// System error that caused the failure.
        source: io::Error,
    },
    /// The path is a directory, FIFO or device, or a symbolic link where links are not allowed.
    #[error("{} is {found}, not a regular file", path.display())]
    NotAFile {
        /// Path that is not a regular file.
        path: PathBuf,
        /// Kind of file found instead, with its article.
        found: &'static str,
    },
    /// The file is larger than the caller's limit.
    #[error("{} has {size} bytes; at most {cap} are read", path.display())]
    TooLarge {
        /// Path of the file.
        path: PathBuf,
        /// Size in bytes. If the file grew while neto read it, the reported size is `cap + 1`.
        size: u64,
        /// Maximum size in bytes that neto reads.
        cap: u64,
    },
    /// Other users have access to a file or directory that must be private.
    #[error("{} can be {} by others (mode {mode:04o})", path.display(), if *writable { "written" } else { "read" })]
    TooOpen {
        /// Path of the file or directory.
        path: PathBuf,
        /// Permission bits, including set-uid, set-gid and sticky.
        mode: u32,
        /// Whether the message reports write access. If false, the message says "read", whatever access others have.
        writable: bool,
    },
    /// The file or directory belongs to another user.
    #[error("{} belongs to another user (uid {owner})", path.display())]
    ForeignOwner {
        /// Path of the file or directory.
        path: PathBuf,
        /// Uid of the owner.
        owner: u32,
    },
}

impl DiskError {
    pub(crate) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { action, path: path.to_path_buf(), source }
    }

    /// Returns whether the error means that the file or directory does not exist.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }

    /// Returns whether the error is about a directory that is shared on purpose, such as `/tmp`: sticky and writable by
    /// others. Removing permissions from this directory would harm other users.
    #[must_use]
    pub fn is_shared_dir(&self) -> bool {
        matches!(self, Self::TooOpen { mode, writable: true, .. } if mode & 0o1000 != 0)
    }

    /// Returns the path of the file or directory in the error.
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

/// Returns the message of a system error in lower case, without Rust's suffix such as ` (os error 2)`. Returns other
/// messages unchanged.
#[must_use]
pub fn os_message(error: &io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error") {
        Some(end) => text[..end].to_lowercase(),
        None => text,
    }
}
