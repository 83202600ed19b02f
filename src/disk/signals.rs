//! The signals that end a run, held back while something is half done: a file, a terminal.
//!
//! Handlers belong to the whole process, and once there is one the system's default does not come back by itself;
//! from then on one of ours does what the default does. What was ignored when neto was started (`nohup`, a job in a
//! shell's background) stays ignored, also for a child; what is handled here is the default again for a child.

/// A signal that ends a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// SIGHUP: the terminal went away.
    HangUp,
    /// SIGINT.
    Interrupt,
    /// SIGTERM.
    Terminate,
}

pub(super) use system::outlive_size_limits;
pub use system::{Held, hold};

#[cfg(unix)]
mod system {
    use super::Ending;
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
    use signal_hook::{flag, low_level};
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use std::sync::{Arc, Mutex, Once, OnceLock, PoisonError};

    const ENDINGS: [(i32, Ending); 3] =
        [(SIGHUP, Ending::HangUp), (SIGINT, Ending::Interrupt), (SIGTERM, Ending::Terminate)];

    static SIGNALS: OnceLock<Signals> = OnceLock::new();

    struct Signals {
        /// How many hold them back.
        holders: Mutex<usize>,
        /// Whether they end the process, as they do by default.
        fatal: Arc<AtomicBool>,
        /// The place in [`ENDINGS`], from 1, of the one that came while they were held back; 0 for none.
        seen: Arc<AtomicUsize>,
    }

    /// Holds the signals back until it is dropped; the last of several that is dropped lets them act.
    #[derive(Debug)]
    #[must_use]
    pub struct Held(());

    /// Holds back what ends a run, from now until the answer is dropped. May be nested. Best effort: where the
    /// system takes no handler, the signals act as ever.
    pub fn hold() -> Held {
        let signals = SIGNALS.get_or_init(Signals::handled);
        let mut holders = signals.holders.lock().unwrap_or_else(PoisonError::into_inner);
        *holders += 1;
        signals.fatal.store(false, Ordering::SeqCst);
        Held(())
    }

    impl Held {
        /// What came meanwhile and has not acted. Whoever takes it ends the run.
        pub fn take(&self) -> Option<Ending> {
            let seen = SIGNALS.get()?.seen.swap(0, Ordering::SeqCst);
            ENDINGS.get(seen.checked_sub(1)?).map(|(_, ending)| *ending)
        }
    }

    impl Drop for Held {
        fn drop(&mut self) {
            let Some(signals) = SIGNALS.get() else { return };
            let mut holders = signals.holders.lock().unwrap_or_else(PoisonError::into_inner);
            *holders -= 1;
            if *holders > 0 {
                return;
            }
            signals.fatal.store(true, Ordering::SeqCst);
            let seen = signals.seen.swap(0, Ordering::SeqCst);
            if let Some((signal, _)) = seen.checked_sub(1).and_then(|place| ENDINGS.get(place)) {
                let _ = low_level::emulate_default_handler(*signal);
            }
        }
    }

    impl Signals {
        fn handled() -> Self {
            let (fatal, seen) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicUsize::new(0)));
            // Where the system does not say what is ignored, it will be the one that `nohup` ignores.
            let ignored = ignored().unwrap_or(bit(SIGHUP));
            for (place, (signal, _)) in
                ENDINGS.into_iter().enumerate().filter(|(_, (signal, _))| ignored & bit(*signal) == 0)
            {
                // First the one that ends the process: what does not end it is noted.
                let _ = flag::register_conditional_default(signal, Arc::clone(&fatal))
                    .and_then(|_| flag::register_usize(signal, Arc::clone(&seen), place + 1));
            }
            Self { holders: Mutex::new(0), fatal, seen }
        }
    }

    /// Lets a write beyond the largest file that is allowed fail (`EFBIG`), where by default SIGXFSZ ends the
    /// process.
    pub(in crate::disk) fn outlive_size_limits() {
        static HANDLED: Once = Once::new();
        HANDLED.call_once(|| {
            if ignored().unwrap_or(0) & bit(SIGXFSZ) == 0 {
                let _ = flag::register(SIGXFSZ, Arc::default());
            }
        });
    }

    /// The signals that were ignored when neto was started, a bit each; nothing where the system does not say.
    fn ignored() -> Option<u64> {
        #[allow(clippy::disallowed_methods, reason = "the kernel's own file, not one of the user's")]
        let status = std::fs::read_to_string("/proc/self/status").ok()?;
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
        u64::from_str_radix(mask.trim(), 16).ok()
    }

    fn bit(signal: i32) -> u64 {
        1 << (signal - 1)
    }
}

#[cfg(not(unix))]
mod system {
    use super::Ending;

    /// Nothing is held back here.
    #[derive(Debug)]
    #[must_use]
    pub struct Held(());

    /// Holds nothing back.
    pub fn hold() -> Held {
        Held(())
    }

    impl Held {
        /// Nothing.
        pub fn take(&self) -> Option<Ending> {
            None
        }
    }

    /// There is no such limit.
    pub(in crate::disk) fn outlive_size_limits() {}
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    use signal_hook::low_level::raise;

    #[test]
    fn what_comes_is_held_until_the_last_lets_go() {
        let outer = hold();
        for (signal, ending) in [(SIGHUP, Ending::HangUp), (SIGINT, Ending::Interrupt), (SIGTERM, Ending::Terminate)] {
            assert_eq!(outer.take(), None);
            let inner = hold();
            raise(signal).unwrap();
            // It would end the tests.
            drop(inner);
            assert_eq!((outer.take(), outer.take()), (Some(ending), None));
        }
    }
}
