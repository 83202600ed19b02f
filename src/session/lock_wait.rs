//! Waiting for a lock that another neto process holds: retries, a message after a second, and a timeout.

use crate::disk::{DiskError, Lock, LockGuard};
use rand::RngExt as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Time after which the user is told which process neto waits for.
const REPORT_AFTER: Duration = Duration::from_secs(1);

/// State of one wait for a lock.
#[derive(Debug)]
pub(super) struct LockWait {
    began: Instant,
    limit: Duration,
    is_reported: bool,
    attempts: usize,
}

/// Another neto process held a lock beyond the timeout.
#[derive(Debug, thiserror::Error)]
#[error("another neto{} holds {} for over {} s", holder.map(|pid| format!(" (process {pid})")).unwrap_or_default(),
    path.display(), waited.as_secs())]
pub struct LockBusy {
    /// Path of the lock file.
    pub path: PathBuf,
    /// Process that holds the lock, if known.
    pub holder: Option<u32>,
    /// Time that this process waited.
    pub waited: Duration,
}

/// Next step after the lock could not be acquired.
#[derive(Debug)]
pub(super) enum WaitStep {
    /// Retry after this time.
    Sleep(Duration),
    /// Report the wait to the user, then retry after this time.
    ReportAndSleep(Duration),
    /// Stop waiting; holds the time waited.
    GiveUp(Duration),
}

/// Result of waiting for a lock.
pub(super) enum LockOutcome<T> {
    /// This process holds the lock.
    Acquired(LockGuard),
    /// Another process did the work during the wait, so the lock is not needed.
    ObtainedMeanwhile(T),
}

impl LockWait {
    /// Starts a wait that ends after `limit`.
    #[must_use]
    pub(super) fn new(limit: Duration) -> Self {
        Self { began: Instant::now(), limit, is_reported: false, attempts: 0 }
    }

    /// Returns whether no attempt has failed yet.
    #[must_use]
    pub(super) fn is_new(&self) -> bool {
        self.attempts == 0
    }

    /// Returns the next step after a failed attempt.
    pub(super) fn next_step(&mut self) -> WaitStep {
        self.attempts += 1;
        let waited = self.began.elapsed();
        if waited >= self.limit {
            return WaitStep::GiveUp(waited);
        }
        // The pause is random, so that many waiting processes do not retry in step.
        let pause = Duration::from_millis(rand::rng().random_range(10..=50));
        if waited >= REPORT_AFTER && !self.is_reported {
            self.is_reported = true;
            return WaitStep::ReportAndSleep(pause);
        }
        WaitStep::Sleep(pause)
    }
}

/// Reason why a lock could not be acquired.
#[derive(Debug, thiserror::Error)]
pub enum AcquireError {
    /// The lock file cannot be created.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// Another process held the lock beyond the timeout.
    #[error(transparent)]
    Busy(#[from] LockBusy),
}

/// Waits for `lock`, blocking this thread between attempts. `tell` is called once, after a second.
///
/// # Errors
/// [`AcquireError`].
pub fn acquire(lock: &Lock, limit: Duration, tell: &dyn Fn(Option<u32>)) -> Result<LockGuard, AcquireError> {
    let mut wait = LockWait::new(limit);
    loop {
        if let Some(held) = lock.try_lock()? {
            return Ok(held);
        }
        match wait.next_step() {
            WaitStep::Sleep(pause) => std::thread::sleep(pause),
            WaitStep::ReportAndSleep(pause) => {
                tell(lock.holder());
                std::thread::sleep(pause);
            }
            WaitStep::GiveUp(waited) => return Err(lock_busy(lock, waited).into()),
        }
    }
}

pub(super) fn lock_busy(lock: &Lock, waited: Duration) -> LockBusy {
    LockBusy { path: lock.path().to_path_buf(), holder: lock.holder(), waited }
}
