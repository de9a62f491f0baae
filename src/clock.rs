//! The only source of "now", so that expiry and ages can be tested without sleeping.
//!
//! Two kinds of it: the time of day ([`Clock`]), which others see and which jumps when it is set, and time that only
//! passes ([`Ticks`]), by which what is in memory grows old.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

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

/// Time that only passes, in milliseconds since some moment. Setting the clock does not touch it.
#[derive(Clone, Debug)]
pub enum Ticks {
    /// The monotonic clock of this machine, since this moment.
    System(Instant),
    /// For tests: as far as somebody has moved it.
    Manual(Arc<AtomicU64>),
}

impl Default for Ticks {
    fn default() -> Self {
        Self::System(Instant::now())
    }
}

impl Ticks {
    /// Milliseconds since the beginning. About 22 ns on the system's clock.
    #[must_use]
    pub fn now(&self) -> u64 {
        match self {
            Self::System(origin) => {
                let passed = origin.elapsed();
                // Not `as_millis`, whose division of 128 bits costs as much as reading the clock.
                passed.as_secs().saturating_mul(1000).saturating_add(passed.subsec_millis().into())
            }
            Self::Manual(milliseconds) => milliseconds.load(Ordering::Acquire),
        }
    }
}

/// The moment that `seconds` since 1970 stands for, as in the claims of a JWT; `None` when it is out of range
/// (years −9999 to 9999).
#[must_use]
pub fn from_unix_seconds(seconds: i64) -> Option<Timestamp> {
    Timestamp::from_second(seconds).ok()
}

/// `moment` plus so many milliseconds, held at the end of the range.
#[must_use]
pub fn after_milliseconds(moment: Timestamp, milliseconds: u64) -> Timestamp {
    let milliseconds = i64::try_from(milliseconds).unwrap_or(i64::MAX);
    moment.checked_add(SignedDuration::from_millis(milliseconds)).unwrap_or(Timestamp::MAX)
}

/// Milliseconds from one moment to a later one; 0 when it is not later.
#[must_use]
pub fn milliseconds_between(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.duration_since(from).as_millis()).unwrap_or(0)
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
