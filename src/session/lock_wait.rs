//! Waits for a lock that another neto process holds: retries, reports the wait after a second, and gives up at a
//! timeout.

use crate::disk::{DiskError, Lock, LockGuard};
use rand::RngExt as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Time after which a wait is reported to the user.
const REPORT_AFTER: Duration = Duration::from_secs(1);

/// State of one wait for a lock.
#[derive(Debug)]
pub(super) struct LockWait {
    began: Instant,
    limit: Duration,
    is_reported: bool,
    attempts: usize,
}

/// Error if another neto process held a lock until the timeout.
#[derive(Debug, thiserror::Error)]
#[error("another neto{} holds {} for over {} s", holder.map(|pid| format!(" (process {pid})")).unwrap_or_default(),
    path.display(), waited.as_secs())]
pub struct LockBusy {
    /// Path of the lock file.
    pub path: PathBuf,
    /// Id of the process that holds the lock, if known.
    pub holder: Option<u32>,
    /// Time that this process waited.
    pub waited: Duration,
}

/// Next step after a failed attempt to acquire the lock.
#[derive(Debug)]
pub(super) enum WaitStep {
    /// Retry after this time.
    Sleep(Duration),
    /// Report the wait to the user, then retry after this time.
    ReportAndSleep(Duration),
    /// Stop waiting, because the timeout has passed; holds the time waited.
    GiveUp(Duration),
}

/// Result of waiting for a lock.
pub(super) enum LockOutcome<T> {
    /// This process holds the lock.
    Acquired(LockGuard),
    /// Another process produced this result during the wait, so the lock is not needed.
    ObtainedMeanwhile(T),
}

impl LockWait {
    /// Starts a wait that times out after `limit`.
    #[must_use]
    pub(super) fn new(limit: Duration) -> Self {
        Self { began: Instant::now(), limit, is_reported: false, attempts: 0 }
    }

    /// Returns whether no failed attempt has been counted yet.
    #[must_use]
    pub(super) fn is_first_attempt(&self) -> bool {
        self.attempts == 0
    }

    /// Counts a failed attempt and returns the next step.
    pub(super) fn next_step(&mut self) -> WaitStep {
        self.attempts += 1;
        let waited = self.began.elapsed();
        if waited >= self.limit {
            return WaitStep::GiveUp(waited);
        }
        // The pause is random, so that many waiting processes do not retry at the same time.
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
    /// Another process held the lock until the timeout.
    #[error(transparent)]
    Busy(#[from] LockBusy),
}

/// Acquires `lock`, blocking this thread between attempts. After a second, calls `report_wait` once with the id of the
/// process that holds the lock, if known.
///
/// # Errors
/// Returns [`AcquireError`] if the lock file cannot be used, or if `limit` has passed.
pub fn acquire(lock: &Lock, limit: Duration, report_wait: &dyn Fn(Option<u32>)) -> Result<LockGuard, AcquireError> {
    let mut wait = LockWait::new(limit);
    loop {
        if let Some(guard) = lock.try_lock()? {
            return Ok(guard);
        }
        match wait.next_step() {
            WaitStep::Sleep(pause) => std::thread::sleep(pause),
            WaitStep::ReportAndSleep(pause) => {
                report_wait(lock.holder());
                std::thread::sleep(pause);
            }
            WaitStep::GiveUp(waited) => return Err(lock_busy(lock, waited).into()),
        }
    }
}

pub(super) fn lock_busy(lock: &Lock, waited: Duration) -> LockBusy {
    LockBusy { path: lock.path().to_path_buf(), holder: lock.holder(), waited }
}
