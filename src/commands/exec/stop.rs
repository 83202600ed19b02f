//! Early stop of a run: after a termination signal, or after an error such as a failed write of the output.

use crate::disk::{self, SignalDeferral, TerminationSignal};
use crate::error::{Code, Error};
use std::cell::RefCell;
use std::time::Duration;
use tokio::time::sleep;

/// Interval between checks for new signals.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Collects the reasons to stop a run. While this value exists, termination signals are recorded and do not end neto.
pub(super) struct Stop {
    signal_deferral: SignalDeferral,
    signals: RefCell<Vec<TerminationSignal>>,
    other_reason: RefCell<Option<Error>>,
}

impl Stop {
    /// Starts to record termination signals. There is no reason to stop yet.
    pub(super) fn new() -> Self {
        Self { signal_deferral: disk::defer_signals(), signals: RefCell::default(), other_reason: RefCell::default() }
    }

    /// Stops the run for a reason other than a signal. The reason replaces an earlier reason of this kind.
    pub(super) fn request(&self, reason: impl Into<Error>) {
        self.other_reason.replace(Some(reason.into()));
    }

    /// Waits until there is a reason to stop the run.
    pub(super) async fn wait_until_requested(&self) {
        while !self.is_requested() {
            sleep(POLL_INTERVAL).await;
        }
    }

    /// Returns the signal that follows the first `seen_count` signals. Waits until neto receives that signal.
    pub(super) async fn next_signal(&self, seen_count: usize) -> TerminationSignal {
        loop {
            self.collect_signals();
            if let Some(signal) = self.signals.borrow().get(seen_count) {
                return *signal;
            }
            sleep(POLL_INTERVAL).await;
        }
    }

    /// Returns the error with which neto exits; `None` without a reason to stop. The first signal takes precedence over
    /// other reasons.
    pub(super) fn into_reason(self) -> Option<Error> {
        self.collect_signals();
        match self.signals.borrow().first() {
            Some(TerminationSignal::Interrupt) => Some(Error::silent(Code::Interrupted)),
            Some(TerminationSignal::Terminate) => Some(Error::silent(Code::Terminated)),
            Some(TerminationSignal::HangUp) => Some(Error::silent(Code::Exec(129))),
            None => self.other_reason.take(),
        }
    }

    fn collect_signals(&self) {
        self.signals.borrow_mut().extend(self.signal_deferral.take_pending());
    }

    /// Checks whether there is a reason to stop the run.
    pub(super) fn is_requested(&self) -> bool {
        self.collect_signals();
        self.other_reason.borrow().is_some() || !self.signals.borrow().is_empty()
    }
}
