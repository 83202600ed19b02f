//! How fast one server is asked: once it says that this is too much, every request of the run to it waits and the next
//! ones come further apart, whichever tenant was told so.

use super::FusionError;
use std::cell::Cell;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// How long all hold back after a 429 that names no time.
const PAUSE: Duration = Duration::from_secs(1);
/// Nobody waits longer than this for a turn.
const LONGEST: Duration = Duration::from_secs(300);
/// The first gap between two requests, and the widest.
const GAP: [Duration; 2] = [Duration::from_millis(20), Duration::from_secs(1)];
/// A gap shorter than this is none.
const SHORTEST: Duration = Duration::from_millis(2);

/// The pace towards one server.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// Before this nothing is sent.
    rest_until: Cell<Option<Instant>>,
    /// Between two requests; zero as long as nobody complained.
    gap: Cell<Duration>,
    /// When the next request may be sent, as far as the gap is concerned.
    next: Cell<Option<Instant>>,
    /// When it was last slowed down: what was sent before then is the same complaint.
    slowed: Cell<Option<Instant>>,
}

impl Pace {
    /// Waits until a request may be sent to `host`.
    ///
    /// # Errors
    /// `Status` 429, without anything being sent, where the server wants to be left alone for longer than five minutes.
    pub(super) async fn turn(&self, host: &str) -> Result<(), FusionError> {
        let came = Instant::now();
        loop {
            let now = Instant::now();
            let due = self.rest_until.get().max(self.next.get()).unwrap_or(now);
            if due <= now {
                self.next.set(Some(now + self.gap.get()));
                return Ok(());
            }
            if due > came + LONGEST {
                let retry_after = Some((due - now).as_secs());
                let message = "it said so to an earlier request".to_owned();
                return Err(FusionError::Status { host: host.to_owned(), status: 429, message, retry_after });
            }
            sleep_until(due).await;
        }
    }

    /// Takes note of an answer to what was sent at `sent`; `retry_after` in seconds.
    pub(super) fn heard(&self, sent: Instant, status: u16, retry_after: Option<u64>) {
        match (status, retry_after) {
            (429, _) => {
                let pause = retry_after.map_or(PAUSE, Duration::from_secs);
                self.rest(pause);
                if self.slowed.get().is_none_or(|slowed| sent > slowed) {
                    self.gap.set((self.gap.get() * 2).clamp(GAP[0], GAP[1]));
                    self.slowed.set(Some(Instant::now()));
                }
            }
            (503, Some(seconds)) => self.rest(Duration::from_secs(seconds)),
            _ => {
                let shorter = self.gap.get().mul_f64(0.97);
                self.gap.set(if shorter < SHORTEST { Duration::ZERO } else { shorter });
            }
        }
    }

    fn rest(&self, pause: Duration) {
        // A year is as good as for ever, and can be added.
        let until = Instant::now() + pause.min(Duration::from_secs(365 * 86_400));
        self.rest_until.set(self.rest_until.get().max(Some(until)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How long `count` turns take in all, by a clock that only waiting moves.
    async fn turns(pace: &Pace, count: u32) -> Duration {
        let began = Instant::now();
        for _ in 0..count {
            pace.turn("h").await.unwrap();
        }
        began.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_until_somebody_is_told_to() {
        let pace = Pace::default();
        assert_eq!(turns(&pace, 1_000).await, Duration::ZERO);
        pace.heard(Instant::now(), 429, Some(7));
        assert_eq!(turns(&pace, 1).await, Duration::from_secs(7), "whoever comes next");
        assert_eq!(turns(&pace, 11).await, 11 * GAP[0], "and then they come apart");
        pace.heard(Instant::now(), 503, Some(2));
        assert!(turns(&pace, 1).await >= Duration::from_secs(2), "a server that is down wants its rest too");
    }

    #[tokio::test(start_paused = true)]
    async fn one_burst_of_complaints_slows_down_once_and_success_speeds_up_again() {
        let pace = Pace::default();
        let sent = Instant::now();
        tokio::time::advance(Duration::from_millis(50)).await;
        (0..64).for_each(|_| pace.heard(sent, 429, None));
        assert_eq!(pace.gap.get(), GAP[0]);
        tokio::time::advance(Duration::from_secs(2)).await;
        pace.heard(Instant::now(), 429, None);
        assert_eq!(pace.gap.get(), 2 * GAP[0]);
        (0..200).for_each(|_| pace.heard(Instant::now(), 200, None));
        assert_eq!(pace.gap.get(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn who_would_wait_too_long_is_told_at_once() {
        let pace = Pace::default();
        pace.heard(Instant::now(), 429, Some(u64::MAX));
        let began = Instant::now();
        let error = pace.turn("h").await.unwrap_err();
        assert!(matches!(error, FusionError::Status { status: 429, retry_after: Some(300..), .. }), "{error}");
        assert_eq!(began.elapsed(), Duration::ZERO);
    }
}
