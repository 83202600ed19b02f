//! Defers SIGHUP, SIGINT and SIGTERM while a file is being written or a terminal is in raw mode.
//!
//! The signal handlers stay installed for the rest of the process. While no [`SignalDeferral`] exists, they emulate the
//! default action and end the process. Signals that were ignored when neto started (`nohup`, a background job) stay
//! ignored, in neto and in its children. A signal that neto handles has the default action in a child.

/// Signal that by default ends the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TerminationSignal {
    /// SIGHUP: the terminal was closed.
    HangUp,
    /// SIGINT: Ctrl-C.
    Interrupt,
    /// SIGTERM.
    Terminate,
}

pub(super) use system::catch_sigxfsz;
pub use system::{SignalDeferral, defer_signals};

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
        /// Number of [`SignalDeferral`] values that exist.
        deferrals: Mutex<usize>,
        /// Whether a signal ends the process at once. False while a [`SignalDeferral`] exists.
        is_fatal: Arc<AtomicBool>,
        /// Last signal received while signals were deferred: its index in [`TERMINATION_SIGNALS`] plus 1, or 0 for
        /// none.
        pending: Arc<AtomicUsize>,
    }

    /// Defers the termination signals until dropped. If several values exist, signals are deferred until all of them
    /// are dropped. The last drop ends the process if a signal is pending.
    #[derive(Debug)]
    #[must_use]
    pub struct SignalDeferral(());

    /// Defers the termination signals until the returned value is dropped. Calls may be nested. If the system refuses a
    /// handler, its signal is not deferred and ends the process as usual.
    pub fn defer_signals() -> SignalDeferral {
        let signals = STATE.get_or_init(SignalState::with_handlers);
        let mut deferrals = signals.deferrals.lock().unwrap_or_else(PoisonError::into_inner);
        *deferrals += 1;
        signals.is_fatal.store(false, Ordering::SeqCst);
        SignalDeferral(())
    }

    impl SignalDeferral {
        /// Takes the last signal received while signals were deferred; `None` if there is none. The signal then no
        /// longer ends the process, so the caller must end the run.
        #[allow(clippy::unused_self, reason = "only code that defers signals may take one")]
        pub fn take_pending(&self) -> Option<TerminationSignal> {
            let pending = STATE.get()?.pending.swap(0, Ordering::SeqCst);
            TERMINATION_SIGNALS.get(pending.checked_sub(1)?).map(|(_, signal)| *signal)
        }
    }

    impl Drop for SignalDeferral {
        fn drop(&mut self) {
            let Some(signals) = STATE.get() else { return };
            let mut deferrals = signals.deferrals.lock().unwrap_or_else(PoisonError::into_inner);
            *deferrals -= 1;
            if *deferrals > 0 {
                return;
            }
            signals.is_fatal.store(true, Ordering::SeqCst);
            let pending = signals.pending.swap(0, Ordering::SeqCst);
            if let Some((signal, _)) = pending.checked_sub(1).and_then(|index| TERMINATION_SIGNALS.get(index)) {
                let _ = low_level::emulate_default_handler(*signal);
            }
        }
    }

    impl SignalState {
        fn with_handlers() -> Self {
            let (is_fatal, pending) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicUsize::new(0)));
            // Systems other than Linux do not report ignored signals. Assume that SIGHUP is ignored, as under `nohup`.
            let ignored_signals = ignored_signals().unwrap_or(signal_bit(SIGHUP));
            for (index, (signal, _)) in TERMINATION_SIGNALS
                .into_iter()
                .enumerate()
                .filter(|(_, (signal, _))| ignored_signals & signal_bit(*signal) == 0)
            {
                // Order matters: the first handler may end the process. If it does not, the second records the signal.
                let _ = flag::register_conditional_default(signal, Arc::clone(&is_fatal))
                    .and_then(|_| flag::register_usize(signal, Arc::clone(&pending), index + 1));
            }
            Self { deferrals: Mutex::new(0), is_fatal, pending }
        }
    }

    /// Handles SIGXFSZ, which the system sends for a write beyond the file size limit. Without the handler, the signal
    /// ends the process. With the handler, the write fails with `EFBIG`.
    pub(in crate::disk) fn catch_sigxfsz() {
        static HANDLED: Once = Once::new();
        HANDLED.call_once(|| {
            if ignored_signals().unwrap_or(0) & signal_bit(SIGXFSZ) == 0 {
                let _ = flag::register(SIGXFSZ, Arc::default());
            }
        });
    }

    /// Returns the bit mask of the signals that this process ignores; `None` if the system does not report them. Call
    /// this before neto installs handlers for these signals, so that the mask is still that of the parent process.
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

    /// Placeholder: signals are not deferred on this platform.
    #[derive(Debug)]
    #[must_use]
    pub struct SignalDeferral(());

    /// Does nothing on this platform.
    pub fn defer_signals() -> SignalDeferral {
        SignalDeferral(())
    }

    impl SignalDeferral {
        /// Always returns `None`.
        #[allow(clippy::unused_self, reason = "only code that defers signals may take one")]
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
    fn signals_stay_pending_while_a_deferral_exists() {
        let outer = defer_signals();
        for (signal, ending) in [
            (SIGHUP, TerminationSignal::HangUp),
            (SIGINT, TerminationSignal::Interrupt),
            (SIGTERM, TerminationSignal::Terminate),
        ] {
            assert_eq!(outer.take_pending(), None);
            let inner = defer_signals();
            raise(signal).unwrap();
            // If the signal acted, it would end the test process.
            drop(inner);
            assert_eq!((outer.take_pending(), outer.take_pending()), (Some(ending), None));
        }
    }
}
