//! Rate limit that the requests of a client to one server share.
//!
//! A limiting response is a 429, or a 503 with `Retry-After`. After a limiting response, the requests for all tenants
//! pause. After a 429, a gap also separates the requests. Every response that is not limiting shrinks the gap.

use super::FusionError;
use std::cell::Cell;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// Pause after a 429 without `Retry-After`.
const DEFAULT_PAUSE: Duration = Duration::from_secs(1);
/// Maximum time from the first limiting response to the end of a request's wait. A request that would have to wait
/// longer fails. A response that is not limiting restarts the time.
const GIVE_UP_AFTER: Duration = Duration::from_secs(300);
/// Gap between two requests after the first 429, and the maximum gap.
const GAP_BOUNDS: [Duration; 2] = [Duration::from_millis(20), Duration::from_secs(1)];
/// Minimum gap. A gap that shrinks below this minimum becomes zero.
const MIN_GAP: Duration = Duration::from_millis(2);
/// Maximum extension of a pause that is not reported.
const MAX_UNREPORTED_EXTENSION: Duration = Duration::from_millis(500);

/// Pause and gap for the requests to one server.
#[derive(Debug, Default)]
pub(super) struct RateLimit {
    /// End of the pause: no request that shares the rate limit is sent before this instant.
    paused_until: Cell<Option<Instant>>,
    /// Minimum time between two requests; zero until the first 429.
    gap: Cell<Duration>,
    /// Time until which the next request waits because of the gap.
    next_request_at: Cell<Option<Instant>>,
    /// Time when the gap was last widened. A 429 to a request sent before this time does not widen the gap again.
    gap_widened_at: Cell<Option<Instant>>,
    /// Time of the first limiting response since the last response that was not limiting.
    limited_since: Cell<Option<Instant>>,
}

impl RateLimit {
    /// Waits until a request may be sent. The error contains `host`.
    ///
    /// # Errors
    /// Returns `Status` 429 if the wait would end more than five minutes after the server began to limit requests.
    pub(super) async fn wait_turn(&self, host: &str) -> Result<(), FusionError> {
        loop {
            let now = Instant::now();
            let may_send_at = self.paused_until.get().max(self.next_request_at.get()).unwrap_or(now);
            if may_send_at <= now {
                self.next_request_at.set(Some(now + self.gap.get()));
                return Ok(());
            }
            if self.limited_since.get().is_some_and(|since| may_send_at > since + GIVE_UP_AFTER) {
                let retry_after = Some((may_send_at - now).as_secs());
                let message = "it said so to an earlier request".to_owned();
                return Err(FusionError::Status { host: host.to_owned(), status: 429, message, retry_after });
            }
            // Another request may extend the pause in the meantime, so the loop checks again.
            sleep_until(may_send_at).await;
        }
    }

    /// Records the response to a request sent at `sent_at`; `retry_after` is in seconds. Returns the length of the
    /// pause if the response starts it or extends it by more than 500 ms.
    pub(super) fn record_response(&self, sent_at: Instant, status: u16, retry_after: Option<u64>) -> Option<Duration> {
        match (status, retry_after) {
            (429, _) => {
                if self.gap_widened_at.get().is_none_or(|widened_at| sent_at > widened_at) {
                    self.gap.set((self.gap.get() * 2).clamp(GAP_BOUNDS[0], GAP_BOUNDS[1]));
                    self.gap_widened_at.set(Some(Instant::now()));
                }
                self.pause(retry_after.map_or(DEFAULT_PAUSE, Duration::from_secs))
            }
            (503, Some(seconds)) => self.pause(Duration::from_secs(seconds)),
            _ => {
                let shorter_gap = self.gap.get().mul_f64(0.97);
                self.gap.set(if shorter_gap < MIN_GAP { Duration::ZERO } else { shorter_gap });
                self.limited_since.set(None);
                None
            }
        }
    }

    fn pause(&self, pause: Duration) -> Option<Duration> {
        let now = Instant::now();
        self.limited_since.set(self.limited_since.get().or(Some(now)));
        // Limited to a year, so that the addition cannot overflow.
        let pause_end = now + pause.min(Duration::from_secs(365 * 86_400));
        let previous_end = self.paused_until.get();
        self.paused_until.set(previous_end.max(Some(pause_end)));
        previous_end.is_none_or(|previous_end| pause_end > previous_end + MAX_UNREPORTED_EXTENSION).then_some(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the total wait of `count` turns. The clock is paused: only waiting advances the time.
    async fn total_wait(rate_limit: &RateLimit, count: u32) -> Duration {
        let began = Instant::now();
        for _ in 0..count {
            rate_limit.wait_turn("h").await.unwrap();
        }
        began.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn requests_wait_only_after_a_limiting_response() {
        let rate_limit = RateLimit::default();
        assert_eq!(total_wait(&rate_limit, 1_000).await, Duration::ZERO);
        assert_eq!(rate_limit.record_response(Instant::now(), 429, Some(7)), Some(Duration::from_secs(7)));
        assert_eq!(rate_limit.record_response(Instant::now(), 429, Some(7)), None, "that was said");
        assert_eq!(total_wait(&rate_limit, 1).await, Duration::from_secs(7), "whoever comes next");
        assert_eq!(total_wait(&rate_limit, 11).await, 11 * GAP_BOUNDS[0], "and then they come apart");
        rate_limit.record_response(Instant::now(), 503, Some(2));
        assert!(total_wait(&rate_limit, 1).await >= Duration::from_secs(2), "a server that is down wants its rest too");
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_of_429s_widens_the_gap_once_and_successes_shrink_it() {
        let rate_limit = RateLimit::default();
        let sent = Instant::now();
        tokio::time::advance(Duration::from_millis(50)).await;
        (0..64).for_each(|_| _ = rate_limit.record_response(sent, 429, None));
        assert_eq!(rate_limit.gap.get(), GAP_BOUNDS[0]);
        tokio::time::advance(Duration::from_secs(2)).await;
        rate_limit.record_response(Instant::now(), 429, None);
        assert_eq!(rate_limit.gap.get(), 2 * GAP_BOUNDS[0]);
        (0..200).for_each(|_| _ = rate_limit.record_response(Instant::now(), 200, None));
        assert_eq!(rate_limit.gap.get(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_would_wait_too_long_fails_at_once() {
        let rate_limit = RateLimit::default();
        rate_limit.record_response(Instant::now(), 429, Some(u64::MAX));
        let began = Instant::now();
        let error = rate_limit.wait_turn("h").await.unwrap_err();
        assert!(matches!(error, FusionError::Status { status: 429, retry_after: Some(300..), .. }), "{error}");
        assert_eq!(began.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn five_minutes_of_429s_are_an_error_unless_another_response_arrives() {
        for (other, waits) in [(None, false), (Some(200), true)] {
            let rate_limit = RateLimit::default();
            for status in [Some(429), other, Some(429)].into_iter().flatten() {
                rate_limit.record_response(Instant::now(), status, Some(200).filter(|_| status == 429));
                tokio::time::advance(Duration::from_secs(150)).await;
            }
            assert_eq!(rate_limit.wait_turn("h").await.is_ok(), waits);
        }
    }
}
