//! The only source of "now", so that expiry, ages and certificates of time can be tested without sleeping.

use jiff::{Timestamp, ToSpan};

/// Tells the time of day: the system's, or a fixed one for tests.
#[derive(Clone, Copy, Debug, Default)]
pub enum Clock {
    /// The clock of this machine.
    #[default]
    System,
    /// Always this moment.
    Fixed(Timestamp),
}

impl Clock {
    /// The present moment, UTC.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the replacement that the lint names")]
    pub fn now(self) -> Timestamp {
        match self {
            Self::System => Timestamp::now(),
            Self::Fixed(moment) => moment,
        }
    }
}

/// The moment that `seconds` since 1970 stands for, as in the claims of a JWT; `None` when it is out of range
/// (years −9999 to 9999).
#[must_use]
pub fn from_unix_seconds(seconds: i64) -> Option<Timestamp> {
    Timestamp::from_second(seconds).ok()
}

/// `moment` plus `seconds`, held at the end of the range.
#[must_use]
pub fn after(moment: Timestamp, seconds: i64) -> Timestamp {
    moment.checked_add(seconds.seconds()).unwrap_or(Timestamp::MAX)
}
