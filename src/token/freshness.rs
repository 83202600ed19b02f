//! When a token may be used, and what a list says of it.

use crate::profile::Span;
use jiff::{SignedDuration, Timestamp};
use std::fmt;

/// How far behind `obtained_at` the clock may be before nothing it says of a token is believed.
const CLOCK_SLACK: SignedDuration = SignedDuration::from_secs(5);

/// From when to when a token and its refresh token live, by this machine's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetime {
    /// Before the request for it was sent, in whole seconds.
    pub obtained_at: Timestamp,
    /// `obtained_at` and the `expires_in` of the answer.
    pub expires_at: Timestamp,
    /// The same for the refresh token; absent when there is none.
    pub refresh_expires_at: Option<Timestamp>,
}

/// Why a token may not be used now; said of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfit {
    /// The clock is behind the time that it came at.
    FromTheFuture,
    /// It has expired.
    Expired,
    /// It expires within the margin.
    AboutToExpire,
}

/// What a list says of a cached token, judged by the clock alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Good.
    Valid,
    /// Good, with less than a tenth of its life left.
    Expiring,
    /// Expired, but its refresh token lives.
    Renewable,
    /// Expired.
    Expired,
    /// There is none.
    None,
}

impl Lifetime {
    /// The whole life of the token.
    #[must_use]
    pub fn whole(&self) -> SignedDuration {
        self.expires_at.duration_since(self.obtained_at)
    }

    /// What is left at `now`; negative when past.
    #[must_use]
    pub fn left(&self, now: Timestamp) -> SignedDuration {
        self.expires_at.duration_since(now)
    }

    /// Whether the token may be used: it ends later than the margin (the leeway, at most a tenth of its
    /// life) and the clock has not been set back before it was obtained.
    #[must_use]
    pub fn is_usable(&self, now: Timestamp, leeway: Span) -> bool {
        self.unfit(now, leeway).is_none()
    }

    /// Why it may not be used; nothing where it may.
    #[must_use]
    pub fn unfit(&self, now: Timestamp, leeway: Span) -> Option<Unfit> {
        match self.left(now) {
            _ if !self.clock_is_sane(now) => Some(Unfit::FromTheFuture),
            left if !left.is_positive() => Some(Unfit::Expired),
            left if left <= self.margin(leeway) => Some(Unfit::AboutToExpire),
            _ => None,
        }
    }

    /// Whether the refresh token may be used.
    #[must_use]
    pub fn is_renewable(&self, now: Timestamp) -> bool {
        self.clock_is_sane(now) && self.refresh_expires_at.is_some_and(|end| end > now)
    }

    /// What a list says.
    #[must_use]
    pub fn state(&self, now: Timestamp) -> State {
        let left = self.left(now);
        if left.is_positive() && self.clock_is_sane(now) {
            if left.as_secs().saturating_mul(10) < self.whole().as_secs() { State::Expiring } else { State::Valid }
        } else if self.is_renewable(now) {
            State::Renewable
        } else {
            State::Expired
        }
    }

    fn margin(&self, leeway: Span) -> SignedDuration {
        let tenth = SignedDuration::from_millis(i64::try_from(self.whole().as_millis() / 10).unwrap_or(i64::MAX));
        SignedDuration::from_secs(i64::try_from(leeway.seconds()).unwrap_or(i64::MAX)).min(tenth)
    }

    fn clock_is_sane(&self, now: Timestamp) -> bool {
        self.obtained_at.duration_since(now) <= CLOCK_SLACK
    }
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::FromTheFuture => "came later than the clock says it is now",
            Self::Expired => "has expired",
            Self::AboutToExpire => "expires within the leeway",
        })
    }
}

impl State {
    /// The word that lists and scripts use.
    #[must_use]
    pub fn word(self) -> &'static str {
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
    fn r19_r20_usable_until_the_margin_and_never_before_it_was_obtained() {
        let minute = Span::from_seconds(60);
        for (seconds, now, usable) in [
            (3600, 0, true),
            (3600, 3539, true),
            (3600, 3540, false),
            // A tenth of a short life is less than the leeway.
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
    fn why_it_may_not_be_used() {
        let minute = Span::from_seconds(60);
        for (now, unfit) in [
            (0, None),
            (3540, Some(Unfit::AboutToExpire)),
            (3599, Some(Unfit::AboutToExpire)),
            (3600, Some(Unfit::Expired)),
            (-6, Some(Unfit::FromTheFuture)),
        ] {
            assert_eq!(life(3600, None).unfit(at(now), minute), unfit, "{now}");
        }
    }

    #[test]
    fn a_list_says() {
        for (now, refresh, state) in [
            (0, None, State::Valid),
            (3240, None, State::Valid),
            (3241, None, State::Expiring),
            (3600, None, State::Expired),
            (3600, Some(7200), State::Renewable),
            (7200, Some(7200), State::Expired),
            (-100, Some(7200), State::Expired),
        ] {
            assert_eq!(life(3600, refresh).state(at(now)), state, "{now} {refresh:?}");
        }
    }
}
