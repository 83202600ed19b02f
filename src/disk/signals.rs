//! Holds back SIGHUP, SIGINT and SIGTERM while a file is being written or a terminal is in raw mode.
//!
//! Handlers belong to the whole process and stay installed, so from then on a handler emulates the default action. A
//! signal that was ignored when neto started (`nohup`, a background job) stays ignored, also for children. Children
//! get the default action for the signals handled here.

/// Signal that ends a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TerminationSignal {
    /// SIGHUP: the terminal was closed.
    HangUp,
    /// SIGINT.
    Interrupt,
    /// SIGTERM.
    Terminate,
}

pub(super) use system::catch_sigxfsz;
pub use system::{SignalHold, hold_signals};

#[cfg(unix)]
mod system {
    use super::TerminationSignal;
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
    use signal_hook::{flag, low_level};
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use std::sync::{Arc, Mutex, Once, OnceLock, PoisonError};

    const TERMINATION_SIGNALS: [(i32, TerminationSignal); 3] = [
        (SIGHUP, TerminationSignal::HangUp),
        (SIGINT, TerminationSignal::Interrupt),
        (SIGTERM, TerminationSignal::Terminate),
    ];

    static STATE: OnceLock<SignalState> = OnceLock::new();

    struct SignalState {
        /// Number of [`SignalHold`] values alive.
        holders: Mutex<usize>,
        /// True if the signals end the process, as they do by default.
        fatal: Arc<AtomicBool>,
        /// Index in [`TERMINATION_SIGNALS`], counted from 1, of the signal received while signals were held back; 0
        /// for none.
        pending: Arc<AtomicUsize>,
    }

    /// Holds the signals back until dropped. Of several, the last to be dropped lets the signals act.
    #[derive(Debug)]
    #[must_use]
    pub struct SignalHold(());

    /// Holds the termination signals back until the returned value is dropped. Calls may be nested. Best effort: if
    /// the system accepts no handler, the signals act as usual.
    pub fn hold_signals() -> SignalHold {
        let signals = STATE.get_or_init(SignalState::with_handlers);
        let mut holders = signals.holders.lock().unwrap_or_else(PoisonError::into_inner);
        *holders += 1;
        signals.fatal.store(false, Ordering::SeqCst);
        SignalHold(())
    }

    impl SignalHold {
        /// Takes the signal that was received meanwhile and has not acted. The caller must then end the run.
        pub fn take_pending(&self) -> Option<TerminationSignal> {
            let pending = STATE.get()?.pending.swap(0, Ordering::SeqCst);
            TERMINATION_SIGNALS.get(pending.checked_sub(1)?).map(|(_, signal)| *signal)
        }
    }

    impl Drop for SignalHold {
        fn drop(&mut self) {
            let Some(signals) = STATE.get() else { return };
            let mut holders = signals.holders.lock().unwrap_or_else(PoisonError::into_inner);
            *holders -= 1;
            if *holders > 0 {
                return;
            }
            signals.fatal.store(true, Ordering::SeqCst);
            let pending = signals.pending.swap(0, Ordering::SeqCst);
            if let Some((signal, _)) = pending.checked_sub(1).and_then(|index| TERMINATION_SIGNALS.get(index)) {
                let _ = low_level::emulate_default_handler(*signal);
            }
        }
    }

    impl SignalState {
        fn with_handlers() -> Self {
            let (fatal, pending) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicUsize::new(0)));
            // If the ignored signals are unknown, assume SIGHUP, which `nohup` ignores.
            let ignored_signals = ignored_signals().unwrap_or(signal_bit(SIGHUP));
            for (index, (signal, _)) in TERMINATION_SIGNALS
                .into_iter()
                .enumerate()
                .filter(|(_, (signal, _))| ignored_signals & signal_bit(*signal) == 0)
            {
                // Registered first: the handler that ends the process. The second records a signal that did not end
                // it.
                let _ = flag::register_conditional_default(signal, Arc::clone(&fatal))
                    .and_then(|_| flag::register_usize(signal, Arc::clone(&pending), index + 1));
            }
            Self { holders: Mutex::new(0), fatal, pending }
        }
    }

    /// Handles SIGXFSZ, which by default ends the process. A write beyond the file size limit then fails with `EFBIG`.
    pub(in crate::disk) fn catch_sigxfsz() {
        static HANDLED: Once = Once::new();
        HANDLED.call_once(|| {
            if ignored_signals().unwrap_or(0) & signal_bit(SIGXFSZ) == 0 {
                let _ = flag::register(SIGXFSZ, Arc::default());
            }
        });
    }

    /// Bit mask of the signals ignored when neto started; `None` if the system does not report them.
    fn ignored_signals() -> Option<u64> {
        #[allow(clippy::disallowed_methods, reason = "the kernel's own file, not one of the user's")]
        let status = std::fs::read_to_string("/proc/self/status").ok()?;
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
        u64::from_str_radix(mask.trim(), 16).ok()
    }

    fn signal_bit(signal: i32) -> u64 {
        1 << (signal - 1)
    }
}

#[cfg(not(unix))]
mod system {
    use super::TerminationSignal;

    /// Placeholder: signals are not held back on this platform.
    #[derive(Debug)]
    #[must_use]
    pub struct SignalHold(());

    /// Does nothing on this platform.
    pub fn hold_signals() -> SignalHold {
        SignalHold(())
    }

    impl SignalHold {
        /// Always returns `None`.
        pub fn take_pending(&self) -> Option<TerminationSignal> {
            None
        }
    }

    /// Does nothing: this platform has no SIGXFSZ.
    pub(in crate::disk) fn catch_sigxfsz() {}
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    use signal_hook::low_level::raise;

    #[test]
    fn what_comes_is_held_until_the_last_lets_go() {
        let outer = hold_signals();
        for (signal, ending) in [
            (SIGHUP, TerminationSignal::HangUp),
            (SIGINT, TerminationSignal::Interrupt),
            (SIGTERM, TerminationSignal::Terminate),
        ] {
            assert_eq!(outer.take_pending(), None);
            let inner = hold_signals();
            raise(signal).unwrap();
            // If the signal acted, it would end the test process.
            drop(inner);
            assert_eq!((outer.take_pending(), outer.take_pending()), (Some(ending), None));
        }
    }
}
