//! The counters of this process, and what of them the state store has been told.
//!
//! A request touches one of them, with one atomic addition; nothing is sampled. So that threads do not take each
//! other's cache lines away, there are sixteen sets of counters, each thread adds to its own, and a count is their sum:
//! as exact as one, since each of the sixteen only grows. A reset does not touch the counters but remembers where they
//! stood, so that no count that happens meanwhile is lost or split.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::health::Counters;

/// A reset moves a store's epoch by one. An epoch elsewhere is that of a store which lost what it had, or of another.
const RESETS: u64 = 1 << 20;

/// Sets of counters. More threads than these share them, and still count exactly.
const LANES: usize = 16;

thread_local! {
    /// The lane of this thread: they are dealt in turn, so that few threads share none.
    static LANE: usize = {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        NEXT.fetch_add(1, Ordering::Relaxed) % LANES
    };
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Count {
    Hit,
    Miss,
    Created,
    Exhausted,
    SharedHit,
    SharedMiss,
}

/// The counters since the process began.
#[derive(Debug)]
pub(super) struct Metrics {
    enabled: bool,
    lanes: [Lane; LANES],
    books: Mutex<Books>,
}

/// One set of counters, on cache lines of its own; two, since processors fetch them in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Lane([AtomicU64; 6]);

/// Where the counters stood at certain moments.
#[derive(Debug, Default)]
struct Books {
    /// At the last reset.
    reset: Counters,
    /// At the last report that the store has taken.
    reported: Counters,
    /// How many reports there were.
    number: u64,
    /// The epoch of the store that the counts belong to.
    epoch: u64,
    /// A report of which it is not known whether it was taken: where the counters stood.
    pending: Option<Counters>,
}

/// The part of a report that the counters know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) number: u64,
    pub(super) epoch: u64,
    pub(super) added: Counters,
}

impl Metrics {
    pub(super) fn new(enabled: bool) -> Self {
        Self { enabled, lanes: Default::default(), books: Mutex::default() }
    }

    pub(super) fn is_enabled(&self) -> bool {
        self.enabled
    }

    pub(super) fn count(&self, what: Count) {
        if self.enabled {
            LANE.with(|lane| self.lanes[*lane].0[what as usize].fetch_add(1, Ordering::Relaxed));
        }
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Counters {
        let count =
            |what: Count| self.lanes.iter().map(|lane| lane.0[what as usize].load(Ordering::Relaxed)).sum();
        Counters {
            cache_hits: count(Count::Hit),
            cache_misses: count(Count::Miss),
            total_clients_created: count(Count::Created),
            pool_exhausted_count: count(Count::Exhausted),
            shared_hits: count(Count::SharedHit),
            shared_misses: count(Count::SharedMiss),
            ..Counters::default()
        }
    }

    /// The counts since the last reset.
    pub(super) fn since_reset(&self) -> Counters {
        let books = self.books();
        self.now() - books.reset
    }

    /// Begins at zero.
    pub(super) fn reset(&self) {
        let mut books = self.books();
        let now = self.now();
        books.reset = now;
        books.reported = now;
        books.pending = None;
    }

    /// What the next report has to say; the same again while it is not known whether the last one was taken.
    pub(super) fn due(&self) -> Due {
        let mut books = self.books();
        let upto = match books.pending {
            Some(upto) => upto,
            None => {
                books.number += 1;
                let now = self.now();
                books.pending = Some(now);
                now
            }
        };
        Due { number: books.number, epoch: books.epoch, added: upto - books.reported }
    }

    /// The store has answered the last report with this epoch. Answers whether it has not taken the report, since there was
    /// a reset or it has lost what it knew, so that there is another to be made.
    pub(super) fn taken(&self, epoch: u64) -> bool {
        let mut books = self.books();
        let before = std::mem::replace(&mut books.epoch, epoch);
        // The first report has no epoch yet, and is taken in whatever one the store is.
        if before != 0 && before != epoch {
            books.pending = None;
            if epoch.checked_sub(before).is_some_and(|resets| resets < RESETS) {
                let now = self.now();
                books.reset = now;
                books.reported = now;
            } else {
                // Nobody has reset anything, and the store knows nothing of us: it is told all of it again.
                books.reported = books.reset;
            }
            return true;
        }
        if let Some(upto) = books.pending.take() {
            books.reported = upto;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(hits: u64, misses: u64) -> Counters {
        Counters { cache_hits: hits, cache_misses: misses, ..Counters::default() }
    }

    fn count(metrics: &Metrics, hits: u64, misses: u64) {
        (0..hits).for_each(|_| metrics.count(Count::Hit));
        (0..misses).for_each(|_| metrics.count(Count::Miss));
    }

    #[test]
    fn a_report_whose_answer_was_lost_is_repeated_and_what_came_since_follows() {
        let metrics = Metrics::new(true);
        count(&metrics, 3, 1);
        let begin = metrics.due();
        assert_eq!((begin.epoch, begin.added), (0, counted(3, 1)));
        assert!(!metrics.taken(7), "the first report is taken in whatever epoch");
        count(&metrics, 4, 2);
        let first = metrics.due();
        assert_eq!((first.epoch, first.added), (7, counted(4, 2)));
        count(&metrics, 2, 0);
        assert_eq!(metrics.due(), first);
        assert!(!metrics.taken(7));
        let second = metrics.due();
        assert_eq!((second.number, second.added), (first.number + 1, counted(2, 0)));
    }

    #[test]
    fn after_a_reset_elsewhere_nothing_from_before_is_counted_or_reported() {
        let metrics = Metrics::new(true);
        metrics.due();
        metrics.taken(1);
        count(&metrics, 5, 5);
        metrics.due();
        assert!(metrics.taken(2), "the store is in another epoch");
        assert_eq!(metrics.since_reset(), Counters::default());
        count(&metrics, 1, 0);
        assert_eq!((metrics.since_reset(), metrics.due().added), (counted(1, 0), counted(1, 0)));
    }

    #[test]
    fn a_store_that_lost_everything_is_told_again_what_was_counted_since_the_last_reset() {
        let metrics = Metrics::new(true);
        metrics.due();
        metrics.taken(100);
        count(&metrics, 5, 5);
        metrics.due();
        assert!(metrics.taken(101), "a reset");
        count(&metrics, 3, 1);
        metrics.due();
        assert!(!metrics.taken(101));
        count(&metrics, 1, 0);
        metrics.due();
        assert!(metrics.taken(7), "an epoch that no reset leads to");
        assert_eq!((metrics.since_reset(), metrics.due().added), (counted(4, 1), counted(4, 1)));
    }

    #[test]
    fn more_threads_than_lanes_lose_no_count_and_no_look_meanwhile_sees_fewer_than_the_last() {
        const EACH: u64 = 20_000;
        let metrics = Metrics::new(true);
        let threads = u64::try_from(LANES).unwrap() + 3;
        let over = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    count(&metrics, EACH, EACH / 2);
                    over.fetch_add(1, Ordering::Release);
                });
            }
            let mut last = Counters::default();
            while over.load(Ordering::Acquire) < usize::try_from(threads).unwrap() {
                let now = metrics.since_reset();
                assert!(now.cache_hits >= last.cache_hits && now.cache_misses >= last.cache_misses);
                last = now;
            }
        });
        assert_eq!(metrics.since_reset(), counted(threads * EACH, threads * EACH / 2));
    }

    #[test]
    fn nothing_is_counted_when_metrics_are_off() {
        let metrics = Metrics::new(false);
        count(&metrics, 5, 5);
        assert_eq!(metrics.since_reset(), Counters::default());
    }
}
