//! File stamps: metadata that shows whether a file has changed, without reading the file.
//!
//! Two changes within one tick of the file system's clock can leave the same times. So a stamp identifies the content
//! only if the file was unchanged for `STABLE_AFTER` before the read.

use serde::{Deserialize, Serialize};
use std::fs::Metadata;
use std::time::{Duration, Instant};

/// Time for which a file must be unchanged before a read. Longer than one tick of any file system's clock (2 s on FAT).
const STABLE_AFTER: Duration = Duration::from_secs(3);

/// Device, inode, size and times of a file. Different stamps mean that the file has changed or been replaced. Equal
/// stamps mean the same content only for a [stable stamp](StampedRead::stable_stamp).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    /// Modification time (mtime) in nanoseconds since 1970. Programs can set this time.
    modified: i64,
    /// Time of the last change of content, mode, owner or name (ctime), in nanoseconds since 1970. Programs cannot set
    /// this time.
    changed: i64,
}

/// Stamp of a file whose content was read.
#[derive(Debug, Clone, Copy)]
pub struct StampedRead {
    stamp: Stamp,
    /// Instant just before the content was read; `None` if the stamp is known to identify the content.
    read_at: Option<Instant>,
}

impl Stamp {
    /// Returns the stamp of a file; `None` if a time of the file, in nanoseconds, does not fit into 64 bits.
    #[cfg(unix)]
    #[must_use]
    pub fn of(metadata: &Metadata) -> Option<Self> {
        use std::os::unix::fs::MetadataExt as _;
        let nanoseconds = |seconds: i64, nanos: i64| seconds.checked_mul(1_000_000_000)?.checked_add(nanos);
        Some(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: nanoseconds(metadata.mtime(), metadata.mtime_nsec())?,
            changed: nanoseconds(metadata.ctime(), metadata.ctime_nsec())?,
        })
    }

    /// Returns `None`: on this platform a program can set all times of a file, and so hide a change.
    #[cfg(not(unix))]
    pub fn of(_metadata: &Metadata) -> Option<Self> {
        None
    }
}

impl StampedRead {
    /// Records the stamp of a file. Call this just before reading the file.
    pub(super) fn before_read(stamp: Stamp) -> Self {
        Self { stamp, read_at: Some(Instant::now()) }
    }

    /// Creates a stamped read whose `stamp` is known to identify the content.
    #[must_use]
    pub fn of_known_content(stamp: Stamp) -> Self {
        Self { stamp, read_at: None }
    }

    /// Checks whether the file had this stamp when it was read.
    #[must_use]
    pub fn matches(&self, stamp: Stamp) -> bool {
        self.stamp == stamp
    }

    /// Returns the stamp if it identifies the content: the file was unchanged for `STABLE_AFTER` before the read.
    /// Returns `None` if the last change was later, or if `stamp_at_lock` returns `None`.
    ///
    /// `stamp_at_lock` must return the stamp of a file written just now. The change time of this file serves as the
    /// current time: the clocks of the system and the file system may differ.
    #[must_use]
    pub fn stable_stamp(&self, stamp_at_lock: impl FnOnce() -> Option<Stamp>) -> Option<Stamp> {
        let Some(read_at) = self.read_at else { return Some(self.stamp) };
        let now = stamp_at_lock()?.changed;
        let margin = i64::try_from((read_at.elapsed() + STABLE_AFTER).as_nanos()).ok()?;
        (self.stamp.changed.max(self.stamp.modified) <= now.checked_sub(margin)?).then_some(self.stamp)
    }
}
