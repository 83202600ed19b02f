//! Bytes at rest: private files, their folders, and locks.
//!
//! Owns how neto reads, replaces and locks a file, and what a signal does meanwhile. Knows no word of the domain:
//! callers say which path, how large, how private and how durable.

mod folder;
mod lock;
mod read;
mod signals;
mod stamp;
mod write;

#[cfg(unix)]
pub use folder::is_users_own;
pub use folder::{create_private_folder, ensure_own, examine_folder, is_own, names, narrow};
pub use lock::{Lock, Locked};
pub use read::{Privacy, Rules, examine, read, read_seen, read_start};
pub use signals::{Ending, Held, hold};
pub use stamp::{Sighting, Stamp};
pub use write::{
    Durability, append, append_lines, clear_leftovers, clear_leftovers_beside, create_new, create_new_there, leftovers,
    refuse_pipe, rehearse, remove, remove_durably, replace, replace_shared, replace_with_link,
};

use std::io;
use std::path::{Path, PathBuf};

/// What went wrong with one file or folder.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// The system refused; `action` is a verb such as `read`.
    #[error("cannot {action} {}: {}", path.display(), plain(source))]
    Io {
        /// What neto was about to do.
        action: &'static str,
        /// To which file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Not a regular file: a folder, FIFO, device or, where links are not allowed, a symbolic link.
    #[error("{} is {found}, not a regular file", path.display())]
    NotAFile {
        /// The path that was opened.
        path: PathBuf,
        /// What it is instead.
        found: &'static str,
    },
    /// Larger than such a file can be.
    #[error("{} has {size} bytes; at most {cap} are read", path.display())]
    TooLarge {
        /// The path that was opened.
        path: PathBuf,
        /// Its size in bytes.
        size: u64,
        /// The most that is read.
        cap: u64,
    },
    /// Others may read or write what only its owner should.
    #[error("{} can be {} by others (mode {mode:04o})", path.display(), if *writable { "written" } else { "read" })]
    TooOpen {
        /// The file or folder.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// Whether it is writing, not reading, that is too widely allowed.
        writable: bool,
    },
    /// Owned by another user.
    #[error("{} belongs to another user (uid {owner})", path.display())]
    ForeignOwner {
        /// The file or folder.
        path: PathBuf,
        /// Its owner.
        owner: u32,
    },
}

impl DiskError {
    pub(crate) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { action, path: path.to_path_buf(), source }
    }

    /// Whether the file or folder is simply not there. Unreadable is not absent.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }

    /// Whether a folder is open because it is everybody's, such as `/tmp`: closing it would harm others.
    #[must_use]
    pub fn is_everybodys(&self) -> bool {
        matches!(self, Self::TooOpen { mode, writable: true, .. } if mode & 0o1000 != 0)
    }

    /// The file or folder it is about.
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

/// The system's words without Rust's ` (os error 2)`.
#[must_use]
pub fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error") {
        Some(end) => text[..end].to_lowercase(),
        None => text,
    }
}
