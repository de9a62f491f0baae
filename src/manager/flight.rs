//! Single flight: however many ask for a thing that is not there, it is made once, and all get what came of it.
//!
//! The work is a task of its own. Whoever asked first has no special part: anybody may stop waiting, and the work goes
//! on for the others and for whoever comes next. A result is not kept here: it goes to those who wait, and where it is
//! to be cached, that is done under the lock that also hears of invalidations. An invalidation during the work makes it
//! begin again, so that nobody who asks after it gets what was read before it.
//!
//! A result waits only for those who were promised it, and the last of them takes it along: a handle in it must not keep
//! a client in use for nobody. They are woken without a lock held that they need: a thousand who wake up into one that
//! is held for as long as it takes to wake a thousand would wait twice.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::future::Future;
use std::hash::Hash;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use foldhash::fast::RandomState;
use tokio::sync::Notify;

/// The promise of a flight's result, to one who waits for it.
pub(super) struct Promise<T, E>(Arc<Outcome<T, E>>);

/// What becomes of a flight.
struct Outcome<T, E> {
    state: Mutex<State<T, E>>,
    landed: Notify,
}

struct State<T, E> {
    /// Promises that are out.
    waiting: usize,
    result: Option<Landed<T, E>>,
}

/// `None`: the work was cut off, by a panic or the end of its runtime.
type Landed<T, E> = Option<Result<T, E>>;

impl<T, E> Outcome<T, E> {
    fn promise(self: &Arc<Self>) -> Promise<T, E> {
        lock(&self.state).waiting += 1;
        Promise(Arc::clone(self))
    }

    /// The first result counts, if anybody waits for it.
    fn land(&self, result: Landed<T, E>) {
        let mut state = lock(&self.state);
        if state.waiting > 0 && state.result.is_none() {
            state.result = Some(result);
        }
        drop(state);
        self.landed.notify_waiters();
    }
}

impl<T: Clone, E: Clone> Promise<T, E> {
    /// Waits for the result. `None`: the work was cut off, by a panic or the end of its runtime.
    pub(super) async fn kept(self) -> Landed<T, E> {
        loop {
            // Before the look, so that a landing right after it is not missed.
            let landed = self.0.landed.notified();
            if let Some(result) = self.claim() {
                return result;
            }
            landed.await;
        }
    }

    fn claim(&self) -> Option<Landed<T, E>> {
        let mut state = lock(&self.0.state);
        if state.waiting == 1 { state.result.take() } else { state.result.clone() }
    }
}

impl<T, E> Drop for Promise<T, E> {
    fn drop(&mut self) {
        let mut state = lock(&self.0.state);
        state.waiting -= 1;
        let unclaimed = if state.waiting == 0 { state.result.take() } else { None };
        drop(state);
        drop(unclaimed);
    }
}

/// The work that is under way, by what it makes.
pub(super) struct Flights<K, T, E>(Running<K, T, E>);

type Running<K, T, E> = Arc<Mutex<HashMap<K, Flight<T, E>, RandomState>>>;

/// Whether work is done for the first time, or because an invalidation came during the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attempt {
    First,
    Again,
}

struct Flight<T, E> {
    outcome: Arc<Outcome<T, E>>,
    stale: Arc<AtomicBool>,
}

impl<K, T, E> Default for Flights<K, T, E> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K, T, E> Flights<K, T, E>
where
    K: Clone + Eq + Hash + Send + 'static,
    T: Clone + Send + Sync + 'static,
    E: Clone + Send + Sync + 'static,
{
    /// What will become of the work on `key`, which is begun if nobody has: `work` then makes the key and the work, which
    /// is done as often as it takes until no invalidation comes in between; `keep` sees the result before anybody else
    /// can ask anew.
    ///
    /// Who joins pays for a look into a map and no more.
    pub(super) fn join<Q, W, F>(
        &self,
        key: &Q,
        work: impl FnOnce() -> (K, W),
        keep: impl Fn(&T) + Send + 'static,
    ) -> Promise<T, E>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
        W: Fn(Attempt) -> F + Send + 'static,
        F: Future<Output = Result<T, E>> + Send,
    {
        let mut flights = lock(&self.0);
        if let Some(flight) = flights.get(key) {
            return flight.outcome.promise();
        }
        let (key, work) = work();
        let flight = self.begin(key.clone(), work, keep);
        let promise = flight.outcome.promise();
        flights.insert(key, flight);
        promise
    }

    fn begin<W, F>(&self, key: K, work: W, keep: impl Fn(&T) + Send + 'static) -> Flight<T, E>
    where
        W: Fn(Attempt) -> F + Send + 'static,
        F: Future<Output = Result<T, E>> + Send,
    {
        let stale = Arc::new(AtomicBool::new(false));
        let outcome = Arc::new(Outcome {
            state: Mutex::new(State { waiting: 0, result: None }),
            landed: Notify::new(),
        });
        let heard = Arc::clone(&stale);
        let landing = Landing { flights: Arc::clone(&self.0), key, outcome: Arc::clone(&outcome) };
        tokio::spawn(async move {
            let mut attempt = Attempt::First;
            loop {
                heard.store(false, Ordering::Release);
                let result = work(attempt).await;
                let mut flights = lock(&landing.flights);
                if result.is_ok() && heard.load(Ordering::Acquire) {
                    attempt = Attempt::Again;
                    continue;
                }
                if let Ok(made) = &result {
                    keep(made);
                }
                // From here on nobody is promised this result.
                flights.remove(&landing.key);
                drop(flights);
                return landing.outcome.land(Some(result));
            }
        });
        Flight { outcome, stale }
    }

    /// Makes the work on `key` begin again, if it is under way; `then` runs before it can end.
    pub(super) fn invalidate(&self, key: &K, then: impl FnOnce()) {
        let flights = lock(&self.0);
        if let Some(flight) = flights.get(key) {
            flight.stale.store(true, Ordering::Release);
        }
        then();
    }

    /// The same for all that is under way.
    pub(super) fn invalidate_all(&self, then: impl FnOnce()) {
        let flights = lock(&self.0);
        for flight in flights.values() {
            flight.stale.store(true, Ordering::Release);
        }
        then();
    }
}

/// Ends a flight however its task ends: those who wait hear of it, and the next who asks begins another.
struct Landing<K: Eq + Hash, T, E> {
    flights: Running<K, T, E>,
    key: K,
    outcome: Arc<Outcome<T, E>>,
}

impl<K: Eq + Hash, T, E> Drop for Landing<K, T, E> {
    fn drop(&mut self) {
        let mut flights = lock(&self.flights);
        // Not another's, which has begun since.
        if flights.get(&self.key).is_some_and(|flight| Arc::ptr_eq(&flight.outcome, &self.outcome)) {
            flights.remove(&self.key);
        }
        drop(flights);
        // Says nothing where there was a result.
        self.outcome.land(None);
    }
}

/// A panic of another holder cannot have left the map half changed.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use tokio::sync::Semaphore;

    use super::*;

    #[tokio::test]
    async fn a_thousand_get_one_result_and_nothing_is_kept_of_a_failure() {
        let flights: Flights<&str, u32, &str> = Flights::default();
        let runs = Arc::new(AtomicU32::new(0));
        for round in 1..=2 {
            let gate = Arc::new(Semaphore::new(0));
            let all = futures_util::future::join_all((0..1000).map(|_| {
                let (runs, gate) = (Arc::clone(&runs), Arc::clone(&gate));
                let work = move |_| {
                    let (runs, gate) = (Arc::clone(&runs), Arc::clone(&gate));
                    async move {
                        let _ = gate.acquire().await;
                        let run = runs.fetch_add(1, Ordering::Relaxed);
                        if run == 0 { Err("failed") } else { Ok(run) }
                    }
                };
                flights.join("key", || ("key", work), |_| ()).kept()
            }));
            gate.add_permits(1);
            let expected = if round == 1 { Err("failed") } else { Ok(1) };
            assert!(all.await.into_iter().all(|result| result == Some(expected)));
            assert_eq!(runs.load(Ordering::Relaxed), round);
        }
    }

    #[tokio::test]
    async fn who_stops_waiting_strands_nobody() {
        let flights: Arc<Flights<&str, u32, ()>> = Arc::default();
        let gate = Arc::new(Semaphore::new(0));
        let ask = |result: u32| {
            let (flights, gate) = (Arc::clone(&flights), Arc::clone(&gate));
            async move {
                let work = move |_| {
                    let gate = Arc::clone(&gate);
                    async move {
                        let _ = gate.acquire().await;
                        Ok(result)
                    }
                };
                flights.join("key", || ("key", work), |_| ()).kept().await
            }
        };
        let leader = tokio::spawn(ask(1));
        tokio::task::yield_now().await;
        let follower = tokio::spawn(ask(2));
        tokio::task::yield_now().await;
        leader.abort();
        gate.add_permits(1);
        assert_eq!(follower.await.unwrap(), Some(Ok(1)));
    }

    #[tokio::test]
    async fn what_was_invalidated_on_the_way_is_made_again_and_not_kept() {
        let flights: Arc<Flights<&str, u32, ()>> = Arc::default();
        let (runs, kept) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
        let work = {
            let (flights, runs) = (Arc::downgrade(&flights), Arc::clone(&runs));
            move |attempt| {
                let (flights, runs) = (flights.clone(), Arc::clone(&runs));
                async move {
                    assert_eq!(attempt == Attempt::First, runs.load(Ordering::Relaxed) == 0);
                    let run = runs.fetch_add(1, Ordering::Relaxed);
                    if run == 0 {
                        flights.upgrade().unwrap().invalidate(&"key", || ());
                    }
                    Ok(run)
                }
            }
        };
        let keep = Arc::clone(&kept);
        let result = flights
            .join("key", || ("key", work), move |run| keep.store(*run + 10, Ordering::Relaxed))
            .kept()
            .await;
        assert_eq!((result, kept.load(Ordering::Relaxed)), (Some(Ok(1)), 11));
    }

    #[tokio::test]
    async fn a_panic_is_no_result_and_the_next_begins_anew() {
        let flights: Flights<&str, u32, ()> = Flights::default();
        let fails = |_| async { panic!("this test wants it") };
        assert_eq!(flights.join("key", || ("key", fails), |_| ()).kept().await, None);
        assert_eq!(flights.join("key", || ("key", |_| async { Ok(2) }), |_| ()).kept().await, Some(Ok(2)));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_result_is_kept_for_those_who_wait_and_no_longer() {
        let flights: Flights<&str, Arc<()>, ()> = Flights::default();
        let gate = Arc::new(Semaphore::new(0));
        let made = Arc::new(());
        let ask = || {
            let (gate, made) = (Arc::clone(&gate), Arc::clone(&made));
            let work = move |_| {
                let (gate, made) = (Arc::clone(&gate), Arc::clone(&made));
                async move {
                    let _ = gate.acquire().await;
                    Ok(made)
                }
            };
            flights.join("key", || ("key", work), |_| ())
        };
        for waiting in [1, 2, 0] {
            let mut promises: Vec<_> = (0..3).map(|_| ask()).collect();
            promises.truncate(waiting);
            gate.add_permits(1);
            for promise in promises {
                let result = promise.kept().await.unwrap().unwrap();
                drop(result);
            }
            // The task lets go of what it worked with at its end, not of what it made.
            while Arc::strong_count(&gate) > 1 {
                tokio::task::yield_now().await;
            }
            assert_eq!(Arc::strong_count(&made), 1);
        }
    }
}
