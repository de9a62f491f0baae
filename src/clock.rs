//! The only source of "now", so that expiry and ages can be tested without sleeping.

use jiff::{SignedDuration, Timestamp};

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
    moment.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_beyond_all_years_is_the_last_one() {
        let now = Timestamp::UNIX_EPOCH;
        assert_eq!(after(now, i64::MAX), Timestamp::MAX);
        assert_eq!(after(now, 30).as_second(), 30);
        assert_eq!(from_unix_seconds(i64::MAX), None);
    }
}
