//! How many lines of a kind the log gets: whoever sends wrong requests as fast as they can, which needs no token, must not
//! fill the disk, nor push what matters out of the log.
//!
//! In a minute the first [`LINES`] are written. The others are counted, and the count is written at its end.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::Ticks;

/// The most lines of a kind in a [`MINUTE`].
const LINES: u64 = 20;
/// After this time the count begins anew.
pub(super) const MINUTE: Duration = Duration::from_secs(60);

/// What becomes of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// It is written.
    Written,
    /// It is the first that is not: after a minute, [`Chatter::left_out`] has to be said.
    FirstLeftOut,
    /// It is another one that is not.
    LeftOut,
}

/// The lines of a kind.
#[derive(Debug)]
pub(super) struct Chatter {
    counted: Mutex<Counted>,
    ticks: Ticks,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counted {
    began: Option<u64>,
    lines: u64,
    left_out: u64,
}

impl Chatter {
    pub(super) fn new(ticks: Ticks) -> Self {
        Self { counted: Mutex::default(), ticks }
    }

    /// One more line is to be written.
    pub(super) fn line(&self) -> Line {
        let now = self.ticks.now();
        let mut counted = self.counted();
        let is_over = |began: u64| u128::from(now.saturating_sub(began)) >= MINUTE.as_millis();
        if counted.began.is_none_or(is_over) {
            (counted.began, counted.lines) = (Some(now), 0);
        }
        if counted.lines < LINES {
            counted.lines += 1;
            return Line::Written;
        }
        counted.left_out += 1;
        if counted.left_out == 1 { Line::FirstLeftOut } else { Line::LeftOut }
    }

    /// How many lines were left out since this was asked last.
    pub(super) fn left_out(&self) -> u64 {
        std::mem::take(&mut self.counted().left_out)
    }

    fn counted(&self) -> MutexGuard<'_, Counted> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn of_a_minute_twenty_lines_are_written_and_the_others_counted() {
        let passed = Arc::new(AtomicU64::new(0));
        let chatter = Chatter::new(Ticks::Manual(Arc::clone(&passed)));
        for _ in 0..3 {
            assert!((0..20).all(|_| chatter.line() == Line::Written));
            assert_eq!(chatter.line(), Line::FirstLeftOut);
            assert!((0..99).all(|_| chatter.line() == Line::LeftOut));
            passed.fetch_add(60_000, Ordering::AcqRel);
            assert_eq!((chatter.left_out(), chatter.left_out()), (100, 0));
        }
    }
}
