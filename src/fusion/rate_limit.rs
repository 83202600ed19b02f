//! How fast one server is asked: once it says that this is too much, every request of the run to it waits and the next
//! ones come further apart, whichever tenant was told so.

use super::FusionError;
use std::cell::Cell;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// How long all hold back after a 429 that names no time.
const PAUSE: Duration = Duration::from_secs(1);
/// Once a server has complained for so long without any other answer, nobody waits for a turn any more.
const LONGEST: Duration = Duration::from_secs(300);
/// The first gap between two requests, and the widest.
const GAP: [Duration; 2] = [Duration::from_millis(20), Duration::from_secs(1)];
/// A gap shorter than this is none.
const SHORTEST: Duration = Duration::from_millis(2);
/// A rest that ends so much later than the one before is another one.
const SAME: Duration = Duration::from_millis(500);

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
    /// The first complaint since the last answer that was none.
    complains_since: Cell<Option<Instant>>,
}

impl Pace {
    /// Waits until a request may be sent to `host`.
    ///
    /// # Errors
    /// `Status` 429, without anything being sent, where the server has wanted to be left alone for five minutes, or will
    /// have.
    pub(super) async fn turn(&self, host: &str) -> Result<(), FusionError> {
        loop {
            let now = Instant::now();
            let due = self.rest_until.get().max(self.next.get()).unwrap_or(now);
            if due <= now {
                self.next.set(Some(now + self.gap.get()));
                return Ok(());
            }
            if self.complains_since.get().is_some_and(|since| due > since + LONGEST) {
                let retry_after = Some((due - now).as_secs());
                let message = "it said so to an earlier request".to_owned();
                return Err(FusionError::Status { host: host.to_owned(), status: 429, message, retry_after });
            }
            sleep_until(due).await;
        }
    }

    /// Takes note of an answer to what was sent at `sent`; `retry_after` in seconds. Where all are to hold back from now on,
    /// for how long.
    pub(super) fn heard(&self, sent: Instant, status: u16, retry_after: Option<u64>) -> Option<Duration> {
        match (status, retry_after) {
            (429, _) => {
                if self.slowed.get().is_none_or(|slowed| sent > slowed) {
                    self.gap.set((self.gap.get() * 2).clamp(GAP[0], GAP[1]));
                    self.slowed.set(Some(Instant::now()));
                }
                self.rest(retry_after.map_or(PAUSE, Duration::from_secs))
            }
            (503, Some(seconds)) => self.rest(Duration::from_secs(seconds)),
            _ => {
                let shorter = self.gap.get().mul_f64(0.97);
                self.gap.set(if shorter < SHORTEST { Duration::ZERO } else { shorter });
                self.complains_since.set(None);
                None
            }
        }
    }

    fn rest(&self, pause: Duration) -> Option<Duration> {
        let now = Instant::now();
        self.complains_since.set(self.complains_since.get().or(Some(now)));
        // A year is as good as for ever, and can be added.
        let until = now + pause.min(Duration::from_secs(365 * 86_400));
        let before = self.rest_until.get();
        self.rest_until.set(before.max(Some(until)));
        before.is_none_or(|before| until > before + SAME).then_some(pause)
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
        assert_eq!(pace.heard(Instant::now(), 429, Some(7)), Some(Duration::from_secs(7)));
        assert_eq!(pace.heard(Instant::now(), 429, Some(7)), None, "that was said");
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
        (0..64).for_each(|_| _ = pace.heard(sent, 429, None));
        assert_eq!(pace.gap.get(), GAP[0]);
        tokio::time::advance(Duration::from_secs(2)).await;
        pace.heard(Instant::now(), 429, None);
        assert_eq!(pace.gap.get(), 2 * GAP[0]);
        (0..200).for_each(|_| _ = pace.heard(Instant::now(), 200, None));
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

    #[tokio::test(start_paused = true)]
    async fn who_complains_for_five_minutes_is_given_up_and_any_other_answer_starts_anew() {
        for (other, waits) in [(None, false), (Some(200), true)] {
            let pace = Pace::default();
            for status in [Some(429), other, Some(429)].into_iter().flatten() {
                pace.heard(Instant::now(), status, Some(200).filter(|_| status == 429));
                tokio::time::advance(Duration::from_secs(150)).await;
            }
            assert_eq!(pace.turn("h").await.is_ok(), waits);
        }
    }
}
