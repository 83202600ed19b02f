//! Stops a run early: after a signal, or if the output cannot be written.

use crate::disk::{self, SignalHold, TerminationSignal};
use crate::error::{Code, Error};
use std::cell::RefCell;
use std::time::Duration;
use tokio::time::sleep;

/// Interval of the check for signals.
const TICK: Duration = Duration::from_millis(20);

/// Stop state of a run, with the reason. While this value exists, termination signals are held and do not end neto.
pub(super) struct Stop {
    signal_hold: SignalHold,
    signals: RefCell<Vec<TerminationSignal>>,
    other_reason: RefCell<Option<Error>>,
}

impl Stop {
    /// Holds the termination signals, without a reason to stop.
    pub(super) fn new() -> Self {
        Self { signal_hold: disk::hold_signals(), signals: RefCell::default(), other_reason: RefCell::default() }
    }

    /// Stops the run for a reason other than a signal, such as output that nobody reads.
    pub(super) fn request(&self, reason: impl Into<Error>) {
        self.other_reason.replace(Some(reason.into()));
    }

    /// Waits until the run is to stop.
    pub(super) async fn requested(&self) {
        while !self.is_requested() {
            sleep(TICK).await;
        }
    }

    /// Waits for the next signal after the first `seen` ones.
    pub(super) async fn next_signal(&self, seen: usize) -> TerminationSignal {
        loop {
            self.collect_signals();
            if let Some(signal) = self.signals.borrow().get(seen) {
                return *signal;
            }
            sleep(TICK).await;
        }
    }

    /// Returns the error with which neto exits. A signal takes precedence over other reasons.
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
        self.signals.borrow_mut().extend(self.signal_hold.take_pending());
    }

    /// Returns whether the run is to stop.
    pub(super) fn is_requested(&self) -> bool {
        self.collect_signals();
        self.other_reason.borrow().is_some() || !self.signals.borrow().is_empty()
    }
}
