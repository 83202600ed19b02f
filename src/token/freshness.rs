//! Validity of a token at a given time, and the token state that listings show. Does not read the clock.

use crate::profile::Span;
use jiff::{SignedDuration, Timestamp};
use std::fmt;

/// Maximum time by which the clock may be behind `obtained_at`. If the clock is further behind, no token is used,
/// because expiry times cannot be trusted.
const CLOCK_SLACK: SignedDuration = SignedDuration::from_secs(5);

/// Validity of an access token and its refresh token, by the clock of this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::struct_field_names, reason = "the token file has these names")]
pub struct Lifetime {
    /// Time just before the token request was sent, in whole seconds.
    pub obtained_at: Timestamp,
    /// Expiry of the access token: `obtained_at` plus `expires_in` of the response.
    pub expires_at: Timestamp,
    /// Expiry of the refresh token. `None` if there is no refresh token.
    pub refresh_expires_at: Option<Timestamp>,
}

/// Reason why an access token must not be used. The `Display` text completes a sentence that begins with "the token".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StaleReason {
    /// The clock is more than `CLOCK_SLACK` behind `obtained_at`.
    IssuedInFuture,
    /// The token has expired.
    Expired,
    /// The token expires within the margin that [`Lifetime::is_usable`] describes.
    AboutToExpire,
}

/// State of a cached token according to its lifetime and the clock. The leeway of the profile is ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TokenState {
    /// Valid, with at least a tenth of its lifetime remaining.
    Valid,
    /// Valid, with less than a tenth of its lifetime remaining.
    Expiring,
    /// Expired, with a refresh token that has not expired.
    Renewable,
    /// Expired, without a refresh token that may be used. Also the state if the clock is too far behind `obtained_at`.
    Expired,
    /// No token is cached.
    None,
}

impl Lifetime {
    /// Returns the total lifetime of the access token.
    #[must_use]
    pub fn duration(&self) -> SignedDuration {
        self.expires_at.duration_since(self.obtained_at)
    }

    /// Returns the remaining lifetime of the access token at `now`, which is negative after expiry.
    #[must_use]
    pub fn remaining(&self, now: Timestamp) -> SignedDuration {
        self.expires_at.duration_since(now)
    }

    /// Returns true if the access token may be used at `now`. The remaining lifetime must exceed a margin: the leeway,
    /// but at most a tenth of the total lifetime. The clock must not be more than `CLOCK_SLACK` behind `obtained_at`.
    #[must_use]
    pub fn is_usable(&self, now: Timestamp, leeway: Span) -> bool {
        self.stale_reason(now, leeway).is_none()
    }

    /// Returns the reason why the access token must not be used at `now`, or `None` if it may be used.
    #[must_use]
    pub fn stale_reason(&self, now: Timestamp, leeway: Span) -> Option<StaleReason> {
        match self.remaining(now) {
            _ if !self.is_clock_plausible(now) => Some(StaleReason::IssuedInFuture),
            remaining if !remaining.is_positive() => Some(StaleReason::Expired),
            remaining if remaining <= self.margin(leeway) => Some(StaleReason::AboutToExpire),
            _ => None,
        }
    }

    /// Returns true if there is a refresh token and it may be used at `now`.
    #[must_use]
    pub fn is_renewable(&self, now: Timestamp) -> bool {
        self.is_clock_plausible(now) && self.refresh_expires_at.is_some_and(|end| end > now)
    }

    /// Returns the state that listings show at `now`.
    #[must_use]
    pub fn state(&self, now: Timestamp) -> TokenState {
        let remaining = self.remaining(now);
        if remaining.is_positive() && self.is_clock_plausible(now) {
            if remaining.as_secs().saturating_mul(10) < self.duration().as_secs() {
                TokenState::Expiring
            } else {
                TokenState::Valid
            }
        } else if self.is_renewable(now) {
            TokenState::Renewable
        } else {
            TokenState::Expired
        }
    }

    fn margin(&self, leeway: Span) -> SignedDuration {
        let tenth = SignedDuration::from_millis(i64::try_from(self.duration().as_millis() / 10).unwrap_or(i64::MAX));
        SignedDuration::from_secs(i64::try_from(leeway.seconds()).unwrap_or(i64::MAX)).min(tenth)
    }

    fn is_clock_plausible(&self, now: Timestamp) -> bool {
        self.obtained_at.duration_since(now) <= CLOCK_SLACK
    }
}

impl fmt::Display for StaleReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::IssuedInFuture => "came later than the clock says it is now",
            Self::Expired => "has expired",
            Self::AboutToExpire => "expires within the leeway",
        })
    }
}

impl TokenState {
    /// Returns the name of the state in listings and in output for scripts.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Expiring => "expiring",
            Self::Renewable => "renewable",
            Self::Expired => "expired",
            Self::None => "none",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn life(seconds: i64, refresh: Option<i64>) -> Lifetime {
        Lifetime { obtained_at: at(0), expires_at: at(seconds), refresh_expires_at: refresh.map(at) }
    }

    #[test]
    fn r19_r20_a_token_is_usable_from_its_issue_until_the_margin() {
        let minute = Span::from_seconds(60);
        for (seconds, now, usable) in [
            (3600, 0, true),
            (3600, 3539, true),
            (3600, 3540, false),
            // A tenth of a short lifetime is less than the leeway.
            (100, 89, true),
            (100, 90, false),
            (1, 0, true),
            (3600, -5, true),
            (3600, -6, false),
            (3600, -315_360_000, false),
            (3600, 315_360_000, false),
        ] {
            assert_eq!(life(seconds, None).is_usable(at(now), minute), usable, "{seconds} {now}");
        }
    }

    #[test]
    fn reasons_why_a_token_is_stale() {
        let minute = Span::from_seconds(60);
        for (now, reason) in [
            (0, None),
            (3540, Some(StaleReason::AboutToExpire)),
            (3599, Some(StaleReason::AboutToExpire)),
            (3600, Some(StaleReason::Expired)),
            (-6, Some(StaleReason::IssuedInFuture)),
        ] {
            assert_eq!(life(3600, None).stale_reason(at(now), minute), reason, "{now}");
        }
    }

    #[test]
    fn states_shown_in_listings() {
        for (now, refresh, state) in [
            (0, None, TokenState::Valid),
            (3240, None, TokenState::Valid),
            (3241, None, TokenState::Expiring),
            (3600, None, TokenState::Expired),
            (3600, Some(7200), TokenState::Renewable),
            (7200, Some(7200), TokenState::Expired),
            (-100, Some(7200), TokenState::Expired),
        ] {
            assert_eq!(life(3600, refresh).state(at(now)), state, "{now} {refresh:?}");
        }
    }
}
