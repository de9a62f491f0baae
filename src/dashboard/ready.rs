//! Whether the dashboard can do its work: the application database and the state store answer.
//!
//! The answer is kept for a moment, so that whoever asks all the time, which needs no token, costs them nothing.

use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use super::Inner;
use super::database::sentence;
use super::document::Outcome;
use crate::catalogue::CatalogueError;

/// How long an answer is kept.
const FRESH: Duration = Duration::from_secs(5);

/// What answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ready {
    pub(super) application_database: bool,
    pub(super) state_store: bool,
}

/// The last answer.
#[derive(Debug, Default)]
pub(super) struct Readiness(Mutex<Option<(Instant, Ready)>>);

impl Readiness {
    /// What answers at the moment, or did a few seconds ago.
    pub(super) async fn get(&self, inner: &Inner) -> Ready {
        let mut last = self.0.lock().await;
        if let Some((at, ready)) = *last
            && at.elapsed() < FRESH
        {
            return ready;
        }
        let setup = inner.setup();
        let (database, document) =
            tokio::join!(inner.database.check(&setup), inner.documents.get(&setup, inner.clock));
        let ready = Ready { application_database: database.is_ok(), state_store: document.is_ok() };
        // Once, and not for as long as somebody asks.
        if last.map(|(_, before)| before) != Some(ready) {
            report(&database, &document, ready);
        }
        *last = Some((Instant::now(), ready));
        ready
    }

    pub(super) async fn forget(&self) {
        *self.0.lock().await = None;
    }
}

fn report(database: &Result<(), CatalogueError>, document: &Outcome, ready: Ready) {
    if let Err(error) = database {
        tracing::warn!("not ready: {}", sentence(error));
    }
    if let Err(error) = document {
        tracing::warn!("not ready: {error}");
    }
    if ready.application_database && ready.state_store {
        tracing::info!("ready: the application database and the state store answer");
    }
}
