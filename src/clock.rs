//! Now: from the system, or fixed by a test.
//!
//! Nothing else in the crate asks for the time, so a run can be told what time it is.

use jiff::Timestamp;

/// Where a run takes the time from.
#[derive(Debug, Clone, Copy, Default)]
pub enum Clock {
    /// The machine's clock.
    #[default]
    System,
    /// Always this instant.
    Fixed(Timestamp),
}

impl Clock {
    /// The present instant. A time stamp is in whole seconds wherever neto writes one down.
    #[must_use]
    pub fn now(self) -> Timestamp {
        match self {
            #[allow(clippy::disallowed_methods, reason = "this is the one place that asks the system")]
            Self::System => Timestamp::now(),
            Self::Fixed(instant) => instant,
        }
    }
}
