//! Durations as users write them: `30s`, `10m`, `2h`, `7d`, or combined as in `1h30m`.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Units and their length in seconds, largest first.
const UNITS: [(char, u64); 4] = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

/// Regular expression for durations. Also matches durations above the limit of 3650 days.
pub(super) const SPAN_PATTERN: &str =
    "^([0-9]+d([0-9]+h)?([0-9]+m)?([0-9]+s)?|[0-9]+h([0-9]+m)?([0-9]+s)?|[0-9]+m([0-9]+s)?|[0-9]+s)$";

/// Duration in whole seconds. A parsed duration is at most 3650 days long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Span(u64);

/// Reason why a text is not a duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SpanError {
    /// Number without a unit.
    #[error("a bare number has no unit; write it like 30s, 10m, 2h or 7d")]
    MissingUnit,
    /// Any other invalid text, or a duration longer than 3650 days.
    #[error("not a length of time; write it like 30s, 10m, 2h, 7d or 1h30m")]
    Malformed,
}

impl Span {
    /// Creates a duration from seconds.
    #[must_use]
    pub const fn from_seconds(seconds: u64) -> Self {
        Self(seconds)
    }

    /// Returns the duration in seconds.
    #[must_use]
    pub const fn seconds(self) -> u64 {
        self.0
    }

    /// Converts to the duration type of the standard library.
    #[must_use]
    pub const fn duration(self) -> Duration {
        Duration::from_secs(self.0)
    }
}

impl FromStr for Span {
    type Err = SpanError;

    fn from_str(text: &str) -> Result<Self, SpanError> {
        let mut rest = text;
        let mut total: u64 = 0;
        let mut units = UNITS.iter();
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let number: u64 = rest[..digits].parse().map_err(|_| SpanError::Malformed)?;
            let unit = rest[digits..].chars().next().ok_or(SpanError::MissingUnit)?;
            // Units must come from large to small and must not repeat, so that no text is ambiguous.
            let (_, seconds) = units.find(|(name, _)| *name == unit).ok_or(SpanError::Malformed)?;
            total =
                number.checked_mul(*seconds).and_then(|part| total.checked_add(part)).ok_or(SpanError::Malformed)?;
            rest = &rest[digits + 1..];
        }
        // The limit of ten years is more than any setting needs, and keeps later additions from overflowing.
        if text.is_empty() || total > 3650 * 86_400 { Err(SpanError::Malformed) } else { Ok(Self(total)) }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0s");
        }
        let mut rest = self.0;
        for (name, seconds) in UNITS {
            if rest >= seconds {
                write!(f, "{}{name}", rest / seconds)?;
                rest %= seconds;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parsed_duration_is_displayed_as_written() {
        for (text, seconds) in [("30s", 30), ("10m", 600), ("2h", 7200), ("7d", 604_800), ("1h30m", 5400), ("0s", 0)] {
            assert_eq!(text.parse(), Ok(Span::from_seconds(seconds)), "{text}");
            assert_eq!(Span::from_seconds(seconds).to_string(), text);
        }
    }

    #[test]
    fn invalid_durations_are_rejected() {
        assert_eq!("30".parse::<Span>(), Err(SpanError::MissingUnit));
        for bad in
            ["", "s", "1x", "-1s", "1.5h", "30m1h", "1h1h", "1 h", "1h é", "1é", "99999999999999999999s", "4000d"]
        {
            assert_eq!(bad.parse::<Span>(), Err(SpanError::Malformed), "{bad}");
        }
    }
}
