//! The only source of "now", so that expiry and ages can be tested without sleeping.
//!
//! Two kinds of it: the time of day ([`Clock`]), which others see and which jumps when it is set, and time that only
//! passes ([`Ticks`]), by which what is in memory grows old.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::{SignedDuration, Timestamp};
use rustix::time::{ClockId, clock_gettime};

/// Passes also while the time of day is set. On Linux the moment of the kernel's last timer tick: late by at most one of
/// them, 4 ms at the usual 250 a second and 10 ms at the slowest (in a virtual machine longer, while its host takes away
/// the processor that keeps the time), which no time to live here notices. Reading it takes 3 ns and lets the processor
/// go on meanwhile; the exact clock takes 25 ns, and its fences make the reads of memory around it wait for each other,
/// which costs as much again.
#[cfg(target_os = "linux")]
const PASSING: ClockId = ClockId::MonotonicCoarse;
#[cfg(not(target_os = "linux"))]
const PASSING: ClockId = ClockId::Monotonic;

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
#[derive(Clone, Debug, Default)]
pub enum Ticks {
    /// The monotonic clock of this machine, since it was started; late by a timer tick, 10 ms at most.
    #[default]
    System,
    /// For tests: as far as somebody has moved it.
    Manual(Arc<AtomicU64>),
}

impl Ticks {
    /// Milliseconds since the beginning.
    #[must_use]
    pub fn now(&self) -> u64 {
        match self {
            Self::System => {
                let passed = clock_gettime(PASSING);
                // Neither is ever negative.
                let seconds = u64::try_from(passed.tv_sec).unwrap_or(0);
                let milliseconds = u64::try_from(passed.tv_nsec / 1_000_000).unwrap_or(0);
                seconds.saturating_mul(1000).saturating_add(milliseconds)
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
    fn what_passes_follows_the_exact_clock_and_never_goes_back() {
        let exact = || {
            let passed = clock_gettime(ClockId::Monotonic);
            u64::try_from(passed.tv_sec * 1000 + passed.tv_nsec / 1_000_000).unwrap()
        };
        let ticks = Ticks::default();
        let (mut last, begin) = (0, exact());
        while last < begin + 20 {
            let (now, after) = (ticks.now(), exact());
            assert!(last <= now && now <= after, "{last} {now} {after}");
            assert!(after < begin + 60_000, "it stands still");
            last = now;
        }
    }

    #[test]
    fn a_moment_beyond_all_years_is_the_last_one() {
        let now = Timestamp::UNIX_EPOCH;
        assert_eq!(after(now, i64::MAX), Timestamp::MAX);
        assert_eq!(after(now, 30).as_second(), 30);
        assert_eq!(from_unix_seconds(i64::MAX), None);
    }
}
