//! Which file it was: what the system says of a file, by which a change of it shows without reading it.
//!
//! A change shows only in what differs, and two changes within one tick of the file system's clock may leave the same
//! times. So what was read counts as this stamp's content only where the file had been still for a while before.

use super::Locked;
use serde::{Deserialize, Serialize};
use std::fs::Metadata;
use std::time::{Duration, Instant};

/// Longer than one tick of any file system's clock (FAT: 2 s).
const STILL: Duration = Duration::from_secs(3);

/// Device, inode, size and times of a file; two that are equal are one file that nobody changed in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    /// When the content changed, in nanoseconds since 1970; a program can set it.
    modified: i64,
    /// When the content, mode, owner or name changed, in nanoseconds since 1970; nobody can set it.
    changed: i64,
}

/// A file as it was when its content was read.
#[derive(Debug, Clone, Copy)]
pub struct Sighting {
    stamp: Stamp,
    /// Before the first byte was read; nothing where the stamp is known to stand for that content.
    at: Option<Instant>,
}

impl Stamp {
    /// The stamp of the file that was looked at; nothing where the system has no times that tell.
    #[cfg(unix)]
    #[must_use]
    pub fn of(found: &Metadata) -> Option<Self> {
        use std::os::unix::fs::MetadataExt as _;
        let nanoseconds = |seconds: i64, rest: i64| seconds.checked_mul(1_000_000_000)?.checked_add(rest);
        Some(Self {
            device: found.dev(),
            inode: found.ino(),
            size: found.size(),
            modified: nanoseconds(found.mtime(), found.mtime_nsec())?,
            changed: nanoseconds(found.ctime(), found.ctime_nsec())?,
        })
    }

    /// Elsewhere no time tells a change that a program wants to hide.
    #[cfg(not(unix))]
    pub fn of(_found: &Metadata) -> Option<Self> {
        None
    }
}

impl Sighting {
    pub(super) fn now(stamp: Stamp) -> Self {
        Self { stamp, at: Some(Instant::now()) }
    }

    /// Of a content that `stamp` was found to stand for before.
    #[must_use]
    pub fn known(stamp: Stamp) -> Self {
        Self { stamp, at: None }
    }

    /// Whether it was that very file.
    #[must_use]
    pub fn is_of(&self, stamp: Stamp) -> bool {
        self.stamp == stamp
    }

    /// The stamp, where it stands for what was read: the file had been still for long enough by then. The moment comes
    /// from the lock's file, so that one clock made both times, and not the one of this process.
    #[must_use]
    pub fn settled(&self, held: &Locked) -> Option<Stamp> {
        let Some(at) = self.at else { return Some(self.stamp) };
        let taken = held.taken()?.changed;
        let since_seen = i64::try_from((at.elapsed() + STILL).as_nanos()).ok()?;
        (self.stamp.changed.max(self.stamp.modified) <= taken.checked_sub(since_seen)?).then_some(self.stamp)
    }
}
