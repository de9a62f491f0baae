//! The connections that are open, in the order in which they came, and how far each of them is: who gives way at the
//! limit, and who is waited for at the end.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::AbortHandle;
use tokio::time::sleep;

/// Nothing was asked yet, or not all of it was said.
const ASKING: u8 = 0;
/// A whole request is being answered.
const BUSY: u8 = 1;
/// The last request was answered; its client may still have to take the answer.
const ANSWERED: u8 = 2;

/// How far a connection is.
#[derive(Clone, Debug)]
pub(super) struct Progress {
    phase: Arc<AtomicU8>,
    open: Arc<Open>,
}

impl Progress {
    /// A request has begun, and more of it is to come.
    pub(super) fn asking(&self) {
        self.phase.store(ASKING, Ordering::Release);
    }

    /// All of a request was said.
    pub(super) fn asked(&self) {
        self.phase.store(BUSY, Ordering::Release);
    }

    /// The answer is there.
    pub(super) fn answered(&self) {
        self.phase.store(ANSWERED, Ordering::Release);
    }

    /// The connection ended before its client had all of an answer.
    pub(super) fn cut_off(&self) {
        self.open.cut_off.fetch_add(1, Ordering::AcqRel);
    }
}

/// The connections.
#[derive(Debug, Default)]
pub(super) struct Open {
    connections: Mutex<Connections>,
    /// Answers that were not taken.
    cut_off: AtomicU64,
}

#[derive(Debug, Default)]
struct Connections {
    last: u64,
    open: BTreeMap<u64, Connection>,
}

#[derive(Debug)]
struct Connection {
    phase: Arc<AtomicU8>,
    task: AbortHandle,
}

impl Connection {
    fn is(&self, phase: u8) -> bool {
        self.phase.load(Ordering::Acquire) == phase
    }
}

/// Takes a connection off the list when its task ends, however it does.
struct Listed(Arc<Open>, u64);

impl Drop for Listed {
    fn drop(&mut self) {
        self.0.connections().open.remove(&self.1);
    }
}

impl Open {
    /// Begins the task of a connection.
    pub(super) fn begin<F>(self: &Arc<Self>, task: impl FnOnce(Progress) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let phase = Arc::new(AtomicU8::new(ASKING));
        let work = task(Progress { phase: Arc::clone(&phase), open: Arc::clone(self) });
        // Held until the connection is on the list, so that it cannot be taken off before.
        let mut connections = self.connections();
        connections.last += 1;
        let number = connections.last;
        let listed = Listed(Arc::clone(self), number);
        let task = tokio::spawn(async move {
            let _listed = listed;
            work.await;
        });
        connections.open.insert(number, Connection { phase, task: task.abort_handle() });
    }

    /// Ends the oldest connections that wait for no answer, until there is room for one more; answers how many.
    pub(super) fn make_room(&self, most: usize) -> u64 {
        let mut connections = self.connections();
        let mut ended = 0;
        while connections.open.len() >= most.max(1) {
            let idle = connections.open.iter().find(|(_, one)| !one.is(BUSY)).map(|(number, _)| *number);
            let Some(number) = idle.or_else(|| connections.open.keys().next().copied()) else { break };
            if let Some(connection) = connections.open.remove(&number) {
                connection.task.abort();
                ended += 1;
            }
        }
        ended
    }

    /// Ends the connections that have not said all of what they want.
    pub(super) fn send_away(&self) {
        for connection in self.connections().open.values().filter(|one| one.is(ASKING)) {
            connection.task.abort();
        }
    }

    /// Waits until the tasks of all connections have ended.
    pub(super) async fn all_gone(&self) {
        // At the end of the process, for the time that a task takes to end: nobody needs to be told of it otherwise.
        while !self.connections().open.is_empty() {
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// How many answers were not taken so far.
    pub(super) fn cut_off(&self) -> u64 {
        self.cut_off.load(Ordering::Acquire)
    }

    fn connections(&self) -> MutexGuard<'_, Connections> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
