//! What goes on beside the requests: following the state store, reporting to it, and cleaning up.
//!
//! Two tasks, begun by the first request and ended with the manager. One follows the log of the store and applies what
//! it says; while the store is away it tries to reach it again, after a pause that doubles from a quarter of a second
//! to five and is jittered, and then catches up before it says that the store serves. The other drops what has expired
//! and keeps up the minimum of connections, with a store or without one.

use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::watch;
use tokio::time::{Instant, interval_at, sleep, timeout};

use super::Inner;
use super::shared::Shared;
use crate::state::{Change, Changes, HEARTBEAT, Position, StateError, StateFailure, StateStore};

/// The first pause between two tries to reach the store.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The longest one.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How often the minimum of connections is looked after.
const UPKEEP: Duration = Duration::from_secs(30);
/// How long catching up may take.
const CATCH_UP_LIMIT: Duration = Duration::from_secs(10);
/// How long saying goodbye to the store may take.
const LEAVE_LIMIT: Duration = Duration::from_secs(2);

/// Begins both tasks, unless they run or the manager has ended. `running` goes back to false when the first ends, also
/// with its runtime; the next request then begins them anew on its own.
pub(super) fn begin(inner: &Arc<Inner>) {
    // The look before the change costs no lock for writing.
    if *inner.running.borrow() || inner.shared.has_ended() || inner.running.send_replace(true) {
        return;
    }
    let running = Running(Arc::clone(&inner.running));
    let (weak, shared) = (Arc::downgrade(inner), Arc::clone(&inner.shared));
    tokio::spawn(async move {
        let _running = running;
        follow(weak, shared).await;
    });
    tokio::spawn(clean_up(Arc::downgrade(inner), inner.cleanup_interval, Arc::clone(&inner.shared)));
}

struct Running(Arc<watch::Sender<bool>>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.send_replace(false);
    }
}

async fn clean_up(inner: Weak<Inner>, every: Duration, shared: Arc<Shared>) {
    let mut sweep = interval_at(Instant::now() + every, every);
    let mut upkeep = interval_at(Instant::now() + UPKEEP, UPKEEP);
    loop {
        let is_sweep = tokio::select! {
            () = shared.ended() => return,
            _ = sweep.tick() => true,
            _ = upkeep.tick() => false,
        };
        let Some(inner) = inner.upgrade() else { return };
        if is_sweep { inner.sweep() } else { inner.keep_minimum() }
    }
}

/// Why the following of the store ended.
enum End {
    Manager,
    Store(StateError),
}

async fn follow(inner: Weak<Inner>, shared: Arc<Shared>) {
    let mut position = None;
    let mut pause = FIRST_PAUSE;
    let mut store: Option<Arc<StateStore>> = None;
    loop {
        let first = position.is_none();
        let connected = tokio::select! {
            biased;
            () = shared.ended() => return,
            connected = connect(&inner, &shared, store.take(), &mut position) => connected,
        };
        match connected {
            Ok(open) => {
                let since = Instant::now();
                shared.up(&open);
                if first && shared.was_early() {
                    // What is in memory may have been read before anybody listened.
                    apply(&inner, &[Change::All]);
                }
                match serve(&inner, &shared, &open, &mut position).await {
                    End::Manager => {
                        let _ = timeout(LEAVE_LIMIT, shared.leave()).await;
                        shared.let_go();
                        return;
                    }
                    End::Store(error) => shared.down(error),
                }
                store = Some(open);
                // One that is there and gone again at once is no better than one that is away.
                if since.elapsed() >= LONGEST_PAUSE {
                    pause = FIRST_PAUSE;
                }
            }
            Err(error) => shared.down(error),
        }
        tokio::select! {
            () = shared.ended() => return,
            () = sleep(pause.mul_f64(rand::random_range(0.5..=1.0))) => {}
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Opens the store, or asks the one that was lost whether it is there again, and catches up with its log.
async fn connect(
    inner: &Weak<Inner>,
    shared: &Shared,
    known: Option<Arc<StateStore>>,
    position: &mut Option<Position>,
) -> Result<Arc<StateStore>, StateError> {
    let caught_up = async {
        let store = match known {
            // It finds its way back by itself, also to a file that has taken the place of its own.
            Some(store) => store,
            None => shared.open().await?,
        };
        let end = store.position().await?;
        match *position {
            Some(behind) if behind != end => {
                let changes = store.follow(behind).await?;
                hear(inner, &changes);
                *position = Some(changes.position);
                return Ok(store);
            }
            _ => {}
        }
        *position = Some(end);
        Ok(store)
    };
    let late = |_| {
        let address = shared.address();
        Err(StateError::new(&address, StateFailure::Timeout, None))
    };
    timeout(CATCH_UP_LIMIT, caught_up).await.unwrap_or_else(late)
}

async fn serve(
    inner: &Weak<Inner>,
    shared: &Shared,
    store: &Arc<StateStore>,
    position: &mut Option<Position>,
) -> End {
    // What a request found before the store was there again is no news.
    let _ = shared.gone.notified().now_or_never();
    let mut heartbeat = tokio::time::interval(HEARTBEAT);
    heartbeat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let here = position.unwrap_or_default();
        let done = tokio::select! {
            biased;
            () = shared.ended() => return End::Manager,
            () = shared.gone.notified() => return End::Store(shared.why_down()),
            _ = heartbeat.tick() => {
                let Some(sizes) = inner.upgrade().map(|inner| inner.sizes()) else { return End::Manager };
                match shared.report(store, sizes).await {
                    // What could not be said is said with the next report; the rows and the log can still be read.
                    Err(error) if !error.is_loss() => {
                        shared.failed(error);
                        Ok(())
                    }
                    done => done,
                }
            }
            changes = store.follow(here) => match changes {
                Ok(changes) => {
                    hear(inner, &changes);
                    *position = Some(changes.position);
                    if changes.list.contains(&Change::Reset) {
                        // Its answer is the new epoch, in which the counters begin at zero.
                        heartbeat.reset_immediately();
                    }
                    shared.note(store, changes.position).await
                }
                Err(error) => Err(error),
            },
        };
        if let Err(error) = done {
            match error.failure {
                // The log can still be read; what could not be said is said with the next report.
                StateFailure::Full | StateFailure::ReadOnly | StateFailure::Denied => shared.failed(error),
                _ => return End::Store(error),
            }
        }
    }
}

fn hear(inner: &Weak<Inner>, changes: &Changes) {
    if changes.gap {
        tracing::warn!("the log of invalidations does not reach back to the last one heard: forgetting all");
        return apply(inner, &[Change::All]);
    }
    apply(inner, &changes.list);
}

fn apply(inner: &Weak<Inner>, changes: &[Change]) {
    let Some(inner) = inner.upgrade() else { return };
    for change in changes {
        match change {
            Change::Tenant(tenant) => inner.forget(tenant),
            Change::All => inner.forget_all(),
            // The answer to the next report says so too, and is what the counters go by.
            Change::Reset => {}
        }
    }
}
