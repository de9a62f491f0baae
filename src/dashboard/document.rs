//! The performance document, assembled from the state store at most once a second, however many ask for it.
//!
//! Whoever comes while it is assembled waits for it; whoever comes within [`FRESH`] after that gets the same bytes. So
//! polling by many costs the store no more than polling by one. An error is shared in the same way.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use serde_json::Value;
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::setup::Setup;
use crate::clock::Clock;
use crate::report::{Measured, Performance, reset};
use crate::state::{StateError, StateFailure};

/// How long a document is handed out.
const FRESH: Duration = Duration::from_secs(1);
/// How long the state store may take.
const LIMIT: Duration = Duration::from_secs(5);

/// A document that was assembled.
#[derive(Debug)]
pub(super) struct Document {
    /// What it was made of.
    pub(super) measured: Measured,
    /// What it says.
    pub(super) value: Value,
    /// The same in JSON.
    pub(super) json: Bytes,
}

/// The document of the moment, or why there is none.
pub(super) type Outcome = Result<Arc<Document>, StateError>;

/// Hands out documents.
#[derive(Debug, Default)]
pub(super) struct Documents(Mutex<Option<(Instant, Outcome)>>);

impl Documents {
    /// The document, not older than a second.
    pub(super) async fn get(&self, setup: &Setup, clock: Clock) -> Outcome {
        let mut last = self.0.lock().await;
        if let Some((at, outcome)) = &*last
            && at.elapsed() < FRESH
        {
            return outcome.clone();
        }
        let outcome = assemble(setup, clock).await;
        *last = Some((Instant::now(), outcome.clone()));
        outcome
    }

    /// Lets every process count from zero again; answers how many took note.
    pub(super) async fn reset(&self, setup: &Setup, clock: Clock) -> Result<u64, StateError> {
        let told = timeout(LIMIT, reset(&setup.location, setup.identity(clock))).await;
        // Nobody shall see the counts of before.
        self.forget().await;
        told.unwrap_or_else(|_| Err(late(setup)))
    }

    /// The next one who asks gets a new document.
    pub(super) async fn forget(&self) {
        *self.0.lock().await = None;
    }
}

async fn assemble(setup: &Setup, clock: Clock) -> Outcome {
    let read = Measured::read(&setup.location, setup.identity(clock), clock.now());
    let measured = timeout(LIMIT, read).await.unwrap_or_else(|_| Err(late(setup)))?;
    let document = Performance::new(measured.clone(), setup.pool);
    let written = serde_json::to_value(&document).and_then(|value| {
        let json = serde_json::to_vec(&value)?;
        Ok(Document { measured, value, json: json.into() })
    });
    written.map(Arc::new).map_err(|_| {
        StateError::new(&setup.location.address(), StateFailure::Other, Some("its counts cannot be written"))
    })
}

fn late(setup: &Setup) -> StateError {
    StateError::new(&setup.location.address(), StateFailure::Timeout, None)
}
