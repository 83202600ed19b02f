//! What ends the work on several profiles before its time: a signal, or that there is nobody to go on for.

use crate::disk::{self, Ending, Held};
use crate::error::{Code, Error};
use std::cell::RefCell;
use std::time::Duration;
use tokio::time::sleep;

/// How often a signal is looked for.
const TICK: Duration = Duration::from_millis(20);

/// Whether, and why, nothing more is begun. While it lives, no signal ends neto by itself.
pub(super) struct Stop {
    held: Held,
    signals: RefCell<Vec<Ending>>,
    other: RefCell<Option<Error>>,
}

impl Stop {
    /// No reason so far.
    pub(super) fn new() -> Self {
        Self { held: disk::hold(), signals: RefCell::default(), other: RefCell::default() }
    }

    /// There is a reason that is no signal, such as an answer that nobody reads.
    pub(super) fn now(&self, reason: impl Into<Error>) {
        self.other.replace(Some(reason.into()));
    }

    /// Waits until there is a reason.
    pub(super) async fn comes(&self) {
        while !self.is_here() {
            sleep(TICK).await;
        }
    }

    /// Waits for a signal; `known` came before.
    pub(super) async fn signal(&self, known: usize) -> Ending {
        loop {
            self.look();
            if let Some(ending) = self.signals.borrow().get(known) {
                return *ending;
            }
            sleep(TICK).await;
        }
    }

    /// The reason as neto ends with it.
    pub(super) fn reason(self) -> Option<Error> {
        self.look();
        match self.signals.borrow().first() {
            Some(Ending::Interrupt) => Some(Error::silent(Code::Interrupted)),
            Some(Ending::Terminate) => Some(Error::silent(Code::Terminated)),
            Some(Ending::HangUp) => Some(Error::silent(Code::Exec(129))),
            None => self.other.take(),
        }
    }

    fn look(&self) {
        self.signals.borrow_mut().extend(self.held.take());
    }

    /// Whether there is a reason.
    pub(super) fn is_here(&self) -> bool {
        self.look();
        self.other.borrow().is_some() || !self.signals.borrow().is_empty()
    }
}
