//! This process's part in the state store: whether there is one at the moment, and what it is told of us.
//!
//! Requests never wait for a store that is known to be away: whoever finds it gone says so here, and a task of its own
//! tries to reach it again ([`super::background`]). Only the first request of a process waits for the first try, for a
//! moment: the store is what makes a fresh process quick. Nor do requests wait for a store that others have locked:
//! what they want to keep there is written beside them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::sync::{Notify, watch};

use super::metrics::Metrics;
use crate::clock::Clock;
use crate::health::Counters;
use crate::memory;
use crate::state::{
    CachedRow, Identity, Instance, Location, Position, Report, StateError, StateFailure, StateStore,
};
use crate::tenant::TenantId;

/// How long the first request waits for the first try to open the store.
const FIRST_LIMIT: Duration = Duration::from_secs(3);

/// How long a request waits for its row to be stored, which then goes on without it.
const KEEP_LIMIT: Duration = Duration::from_millis(250);

/// Whether the store serves.
#[derive(Clone, Debug)]
pub enum StoreStatus {
    /// The first try is under way.
    Opening,
    /// It serves, and is here.
    Up(String),
    /// It does not, for this reason. Tier 1 and the application database serve on; the store is tried again.
    Down(StateError),
}

#[derive(Clone, Debug)]
enum Status {
    Opening,
    Up(Arc<StateStore>),
    Down(StateError),
}

/// The store as this process sees it, and this process as the store sees it.
#[derive(Debug)]
pub(super) struct Shared {
    location: Result<Location, StateError>,
    identity: Identity,
    status: watch::Sender<Status>,
    ended: watch::Sender<bool>,
    /// Whether a request went on before the log of the store was heard for the first time.
    early: AtomicBool,
    /// Whether a request ever went on without the store.
    without: AtomicBool,
    /// How far this process has followed the log.
    position: Mutex<Position>,
    /// Whether the last row that was to be stored took too long: a store can be read while somebody has it locked.
    lags: AtomicBool,
    /// Wakes the task that follows the store, when a request has found it gone.
    pub(super) gone: Notify,
    pub(super) metrics: Metrics,
    /// Id, machine, process and beginning; the rest is filled in for each report.
    me: Instance,
    /// Whether others get to see this process.
    visible: bool,
    reporting: tokio::sync::Mutex<()>,
    /// The last error that left the store in service, so that it is said once and not a thousand times.
    last: Mutex<Option<StateError>>,
}

impl Shared {
    pub(super) fn new(
        location: Result<Location, StateError>,
        identity: Identity,
        metrics: Metrics,
        visible: bool,
    ) -> Self {
        let now = identity.clock.now();
        let me = Instance {
            id: format!("{:016x}", rand::random::<u64>()),
            host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            pid: std::process::id(),
            started_at: now,
            last_seen: now,
            counters: Counters::default(),
            resident: None,
            memory_limit: None,
        };
        Self {
            location,
            identity,
            status: watch::Sender::new(Status::Opening),
            ended: watch::Sender::new(false),
            early: AtomicBool::new(false),
            without: AtomicBool::new(false),
            position: Mutex::default(),
            lags: AtomicBool::new(false),
            gone: Notify::new(),
            metrics,
            me,
            visible,
            reporting: tokio::sync::Mutex::default(),
            last: Mutex::default(),
        }
    }

    pub(super) fn id(&self) -> &str {
        &self.me.id
    }

    /// Where the store is, or should be; empty where no setting says it.
    pub(super) fn address(&self) -> String {
        self.location.as_ref().map(Location::address).unwrap_or_default()
    }

    /// The manager ends.
    pub(super) fn end(&self) {
        self.ended.send_replace(true);
    }

    /// Whether the manager has ended.
    pub(super) fn has_ended(&self) -> bool {
        *self.ended.borrow()
    }

    /// Closes the store, for this process: whoever listened to it listens no longer, though the manager may still be held.
    pub(super) fn let_go(&self) {
        let error =
            StateError::new(&self.address(), StateFailure::Unreachable, Some("the manager has ended"));
        self.status.send_replace(Status::Down(error));
    }

    /// Waits for the end of the manager.
    pub(super) async fn ended(&self) {
        // The sender is in `self`, and so is there as long as anybody waits.
        let _ = self.ended.subscribe().wait_for(|ended| *ended).await;
    }

    pub(super) fn clock(&self) -> Clock {
        self.identity.clock
    }

    /// Opens the store.
    pub(super) async fn open(&self) -> Result<Arc<StateStore>, StateError> {
        let location = self.location.as_ref().map_err(Clone::clone)?;
        StateStore::open(location, self.identity.clone()).await.map(Arc::new)
    }

    /// The store, if it serves.
    pub(super) async fn store(&self) -> Option<Arc<StateStore>> {
        let mut status = self.status.subscribe();
        let decided = status.wait_for(|status| !matches!(status, Status::Opening));
        if let Ok(Ok(status)) = tokio::time::timeout(FIRST_LIMIT, decided).await
            && let Status::Up(store) = &*status
        {
            return Some(Arc::clone(store));
        }
        self.early.store(true, Ordering::Release);
        self.without.store(true, Ordering::Relaxed);
        None
    }

    /// Whether anybody ever had to do without the store.
    pub(super) fn was_without(&self) -> bool {
        self.without.load(Ordering::Relaxed)
    }

    /// A row of the store is not believed.
    pub(super) fn doubt(&self, tenant: &TenantId, why: &'static str) {
        let address = self.address();
        tracing::warn!(%tenant, store = address, "a row of the state store is not believed: {why}");
        let detail = format!("the row of tenant {tenant} is not believed: {why}");
        let error = StateError::new(&address, StateFailure::Corrupt, Some(&detail));
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }

    /// Whether anything was read before the log was heard for the first time. Answers once.
    pub(super) fn was_early(&self) -> bool {
        self.early.swap(false, Ordering::AcqRel)
    }

    pub(super) fn status(&self) -> StoreStatus {
        match &*self.status.borrow() {
            Status::Opening => StoreStatus::Opening,
            Status::Up(store) => StoreStatus::Up(store.address().to_owned()),
            Status::Down(error) => StoreStatus::Down(error.clone()),
        }
    }

    /// The error by which the store is away, for who wanted something of it.
    pub(super) fn why_down(&self) -> StateError {
        match &*self.status.borrow() {
            Status::Down(error) => error.clone(),
            _ => StateError::new(&self.address(), StateFailure::Timeout, None),
        }
    }

    /// The last error that left the store in service.
    pub(super) fn trouble(&self) -> Option<StateError> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn up(&self, store: &Arc<StateStore>) {
        // Those who found it gone before it was found again have nothing to say about how it is now.
        let _ = self.gone.notified().now_or_never();
        let before = self.status.send_replace(Status::Up(Arc::clone(store)));
        if matches!(before, Status::Down(_)) {
            tracing::info!(store = store.address(), "the state store serves again");
        }
    }

    pub(super) fn down(&self, error: StateError) {
        let before = self.status.send_replace(Status::Down(error.clone()));
        if !matches!(before, Status::Down(known) if known == error) {
            tracing::warn!(
                error = %error,
                "going on without the state store: invalidations of other processes are not heard until it serves"
            );
        }
    }

    /// A request has met this error.
    pub(super) fn failed(&self, error: StateError) {
        match error.failure {
            // What else may be wrong with a store leaves it readable.
            StateFailure::Full
            | StateFailure::ReadOnly
            | StateFailure::Denied
            | StateFailure::Corrupt
            | StateFailure::Other => {
                let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
                if last.as_ref().map(|known| known.failure) != Some(error.failure) {
                    tracing::warn!(error = %error, "the state store did not do what was asked of it");
                }
                *last = Some(error);
            }
            _ => {
                self.down(error);
                self.gone.notify_one();
            }
        }
    }

    /// Stores a row that was read after `since`. Waited for, so that the next process finds it, but not for long, and not
    /// at all while the store is known to lag.
    pub(super) async fn keep(self: &Arc<Self>, store: Arc<StateStore>, row: CachedRow, since: Position) {
        let shared = Arc::clone(self);
        let writing = tokio::spawn(async move {
            match store.write(&[row], since).await {
                Ok(_) => shared.lags.store(false, Ordering::Relaxed),
                Err(error) => shared.failed(error),
            }
        });
        if !self.lags.load(Ordering::Relaxed) && tokio::time::timeout(KEEP_LIMIT, writing).await.is_err() {
            self.lags.store(true, Ordering::Relaxed);
        }
    }

    /// Tells the store how this process is. `sizes` are those of now.
    pub(super) async fn report(&self, store: &StateStore, sizes: Counters) -> Result<(), StateError> {
        if !self.visible {
            return Ok(());
        }
        // One after the other: an answer says of one report that it was taken.
        let _turn = self.reporting.lock().await;
        // Twice where the store is in another epoch than we: its answer tells which, and takes nothing.
        for _ in 0..2 {
            let position = *self.position.lock().unwrap_or_else(PoisonError::into_inner);
            let due = self.metrics.due();
            let memory = memory::of_this_process();
            let instance = Instance {
                last_seen: self.clock().now(),
                counters: self.metrics.since_reset() + sizes,
                resident: memory.resident,
                memory_limit: memory.limit,
                ..self.me.clone()
            };
            let report =
                Report { instance, number: due.number, epoch: due.epoch, added: due.added, position };
            let epoch = store.report(&report).await?;
            if !self.metrics.taken(epoch) {
                break;
            }
        }
        Ok(())
    }

    /// Says how far this process has followed the log.
    pub(super) async fn note(&self, store: &StateStore, position: Position) -> Result<(), StateError> {
        *self.position.lock().unwrap_or_else(PoisonError::into_inner) = position;
        if self.visible { store.note(&self.me.id, position).await } else { Ok(()) }
    }

    /// Reports for the last time, and leaves.
    pub(super) async fn leave(&self) -> Result<(), StateError> {
        let store = match &*self.status.borrow() {
            Status::Up(store) if self.visible => Arc::clone(store),
            _ => return Ok(()),
        };
        self.report(&store, Counters::default()).await?;
        store.leave(&self.me.id).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_found_the_store_gone_before_it_was_found_again_does_not_end_its_service() {
        let folder = tempfile::tempdir().unwrap();
        let location = Location::Sqlite(folder.path().join("state.db"));
        let identity = Identity { namespace: "n".to_owned(), authenticator: None, clock: Clock::System };
        let shared = Shared::new(Ok(location), identity, Metrics::new(true), true);
        let store = shared.open().await.unwrap();
        let error = StateError::new(store.address(), StateFailure::Timeout, None);
        shared.failed(error.clone());
        shared.up(&store);
        assert!(shared.gone.notified().now_or_never().is_none());
        assert!(matches!(shared.status(), StoreStatus::Up(_)));
        shared.failed(error);
        assert!(shared.gone.notified().now_or_never().is_some());
        assert!(matches!(shared.status(), StoreStatus::Down(_)));
    }
}
