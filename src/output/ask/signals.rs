//! SIGINT and SIGTERM while a question stands: noted instead of fatal, so that the terminal is restored first.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::{SigId, flag, low_level};

use super::AskError;

/// Whether the signals end the process, as they do by default. One for the process, because so are its handlers:
/// once there is one, the system's default does not come back by itself.
static FATAL: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// Holds the two signals back until it is dropped.
pub(super) struct Signals {
    seen: Arc<AtomicUsize>,
    handlers: Vec<SigId>,
}

impl Signals {
    pub(super) fn hold() -> io::Result<Self> {
        let fatal = match FATAL.get() {
            Some(fatal) => fatal,
            None => FATAL.get_or_init(act_by_default()?),
        };
        let seen = Arc::new(AtomicUsize::new(0));
        let mut signals = Self { seen: Arc::clone(&seen), handlers: Vec::new() };
        fatal.store(false, Ordering::SeqCst);
        for (signal, number) in [(SIGINT, 1), (SIGTERM, 2)] {
            signals.handlers.push(flag::register_usize(signal, Arc::clone(&seen), number)?);
        }
        Ok(signals)
    }

    /// An error when one of them came.
    pub(super) fn check(&self) -> Result<(), AskError> {
        match self.seen.load(Ordering::SeqCst) {
            0 => Ok(()),
            1 => Err(AskError::Interrupted),
            _ => Err(AskError::Terminated),
        }
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        for handler in self.handlers.drain(..) {
            low_level::unregister(handler);
        }
        if let Some(fatal) = FATAL.get() {
            fatal.store(true, Ordering::SeqCst);
        }
    }
}

fn act_by_default() -> io::Result<impl FnOnce() -> Arc<AtomicBool>> {
    let fatal = Arc::new(AtomicBool::new(true));
    for signal in [SIGINT, SIGTERM] {
        flag::register_conditional_default(signal, Arc::clone(&fatal))?;
    }
    Ok(|| fatal)
}
