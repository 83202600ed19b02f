//! Current time, from the system or fixed by a test.
//!
//! Every date and time of day in the crate comes from this module. So a test can fix the time of a run.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::Offset;

/// Source of the current time.
#[derive(Debug, Clone, Copy, Default)]
pub enum Clock {
    /// The system clock.
    #[default]
    System,
    /// A fixed instant.
    Fixed(Timestamp),
}

impl Clock {
    /// Returns the current time.
    #[must_use]
    pub fn now(self) -> Timestamp {
        match self {
            #[allow(clippy::disallowed_methods, reason = "this is the one place that asks the system")]
            Self::System => Timestamp::now(),
            Self::Fixed(instant) => instant,
        }
    }

    /// Returns the current date in UTC.
    #[must_use]
    pub fn today(self) -> Date {
        Offset::UTC.to_datetime(self.now()).date()
    }
}
