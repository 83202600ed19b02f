//! Waiting for another neto: trying again and again, telling the user after a second, giving up in time.

use crate::disk::{DiskError, Lock, Locked};
use rand::RngExt as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// After this the user is told whom neto waits for.
const TELL_AFTER: Duration = Duration::from_secs(1);

/// How long one waiter has waited and may wait.
#[derive(Debug)]
pub(super) struct Patience {
    began: Instant,
    limit: Duration,
    told: bool,
    tries: usize,
}

/// Another neto holds a lock for too long.
#[derive(Debug, thiserror::Error)]
#[error("another neto{} holds {} for over {} s", holder.map(|pid| format!(" (process {pid})")).unwrap_or_default(),
    path.display(), waited.as_secs())]
pub struct Busy {
    /// The lock's file.
    pub path: PathBuf,
    /// The process that holds it, where known.
    pub holder: Option<u32>,
    /// How long this one waited.
    pub waited: Duration,
}

/// What to do after a lock was not to be had.
#[derive(Debug)]
pub(super) enum Next {
    /// Try again after this.
    Sleep(Duration),
    /// Tell the user, then try again after this.
    Tell(Duration),
    /// Give up.
    GiveUp(Duration),
}

impl Patience {
    /// Patience that ends after `limit`.
    #[must_use]
    pub(super) fn new(limit: Duration) -> Self {
        Self { began: Instant::now(), limit, told: false, tries: 0 }
    }

    /// Whether nobody has waited yet.
    #[must_use]
    pub(super) fn is_new(&self) -> bool {
        self.tries == 0
    }

    /// What to do now that the lock was not to be had.
    pub(super) fn next(&mut self) -> Next {
        self.tries += 1;
        let waited = self.began.elapsed();
        if waited >= self.limit {
            return Next::GiveUp(waited);
        }
        // Spread out, so that many waiters do not try in step.
        let pause = Duration::from_millis(rand::rng().random_range(10..=50));
        if waited >= TELL_AFTER && !self.told {
            self.told = true;
            return Next::Tell(pause);
        }
        Next::Sleep(pause)
    }
}

/// Why a lock is not had: the disk refuses, or somebody holds it for too long.
#[derive(Debug, thiserror::Error)]
pub enum AcquireError {
    /// No lock can be made there.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// It is held for too long.
    #[error(transparent)]
    Busy(#[from] Busy),
}

/// Waits for `lock`, blocking this thread between tries; `tell` is called once, after a second.
///
/// # Errors
/// [`AcquireError`].
pub fn acquire(lock: &Lock, limit: Duration, tell: &dyn Fn(Option<u32>)) -> Result<Locked, AcquireError> {
    let mut patience = Patience::new(limit);
    loop {
        if let Some(held) = lock.attempt()? {
            return Ok(held);
        }
        match patience.next() {
            Next::Sleep(pause) => std::thread::sleep(pause),
            Next::Tell(pause) => {
                tell(lock.holder());
                std::thread::sleep(pause);
            }
            Next::GiveUp(waited) => return Err(busy(lock, waited).into()),
        }
    }
}

pub(super) fn busy(lock: &Lock, waited: Duration) -> Busy {
    Busy { path: lock.path().to_path_buf(), holder: lock.holder(), waited }
}
