//! File stamps: metadata that detects a changed file without reading it.
//!
//! Two changes within one tick of the file system's clock can leave the same times. So a stamp identifies the content
//! that was read only if the file had not changed for a while before.

use serde::{Deserialize, Serialize};
use std::fs::Metadata;
use std::time::{Duration, Instant};

/// Time without a change that is required of a file: longer than one tick of any file system's clock (FAT: 2 s).
const STABLE_AFTER: Duration = Duration::from_secs(3);

/// Device, inode, size and times of a file. Two equal stamps mean the same, unchanged file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    /// Modification time in nanoseconds since 1970; programs can set this time.
    modified: i64,
    /// Time of the last change of content, mode, owner or name, in nanoseconds since 1970; programs cannot set this
    /// time.
    changed: i64,
}

/// Stamp of a file at the time its content was read.
#[derive(Debug, Clone, Copy)]
pub struct StampedRead {
    stamp: Stamp,
    /// Instant before the first byte was read; `None` if the stamp is already known to identify the content.
    read_at: Option<Instant>,
}

impl Stamp {
    /// Returns the stamp of a file; `None` if its times do not fit into 64 bits of nanoseconds.
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

    /// Returns `None`: on this platform a program can hide a change, because it can set every time.
    #[cfg(not(unix))]
    pub fn of(_metadata: &Metadata) -> Option<Self> {
        None
    }
}

impl StampedRead {
    pub(super) fn now(stamp: Stamp) -> Self {
        Self { stamp, read_at: Some(Instant::now()) }
    }

    /// Creates the stamp of a content that `stamp` is already known to identify.
    #[must_use]
    pub fn of_known_content(stamp: Stamp) -> Self {
        Self { stamp, read_at: None }
    }

    /// Checks whether the file that was read has this stamp.
    #[must_use]
    pub fn matches(&self, stamp: Stamp) -> bool {
        self.stamp == stamp
    }

    /// Returns the stamp if it identifies the content: the file had not changed for `STABLE_AFTER` before it was read.
    /// The present time comes from `stamp_at_lock`, so that both times are from the file system's clock.
    #[must_use]
    pub fn stable_stamp(&self, stamp_at_lock: impl FnOnce() -> Option<Stamp>) -> Option<Stamp> {
        let Some(read_at) = self.read_at else { return Some(self.stamp) };
        let locked_at = stamp_at_lock()?.changed;
        let margin = i64::try_from((read_at.elapsed() + STABLE_AFTER).as_nanos()).ok()?;
        (self.stamp.changed.max(self.stamp.modified) <= locked_at.checked_sub(margin)?).then_some(self.stamp)
    }
}
