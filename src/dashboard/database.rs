//! The application database as the dashboard uses it: opened when it is first needed, kept for the next question, and
//! opened anew for each round, so that columns that were added since are seen.
//!
//! The catalogue keeps one connection and opens another where two ask at a time; it survives its server's restart.

use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::timeout;

use super::setup::Setup;
use crate::catalogue::{Catalogue, CatalogueError};
use crate::failure::{Failure, FailureClass};
use crate::tenant::{Tenant, TenantFilter};
use crate::url::masked;

/// How long a visitor waits for the application database.
const LIMIT: Duration = Duration::from_secs(5);
/// How long saying goodbye to it may take.
const GOODBYE: Duration = Duration::from_secs(1);

/// The application database.
#[derive(Debug, Default)]
pub(super) struct Database(Mutex<Option<Arc<Catalogue>>>);

impl Database {
    /// Opens it anew.
    pub(super) async fn reopen(&self, setup: &Setup) -> Result<Arc<Catalogue>, CatalogueError> {
        // The lock is not held meanwhile: a visitor is better served by the old one.
        let opened = Catalogue::open(&setup.database).await.map(Arc::new)?;
        let before = self.0.lock().await.replace(Arc::clone(&opened));
        close(before).await;
        Ok(opened)
    }

    /// Forgets it: the settings may name another.
    pub(super) async fn forget(&self) {
        let before = self.0.lock().await.take();
        close(before).await;
    }

    async fn get(&self, setup: &Setup) -> Result<Arc<Catalogue>, CatalogueError> {
        match &*self.0.lock().await {
            // A file that was removed or replaced still answers whoever has it open; opening it costs next to nothing.
            Some(open) if !matches!(**open, Catalogue::Sqlite(_)) => return Ok(Arc::clone(open)),
            _ => {}
        }
        self.reopen(setup).await
    }

    /// Whether it answers.
    pub(super) async fn check(&self, setup: &Setup) -> Result<(), CatalogueError> {
        let ask = async {
            let catalogue = self.get(setup).await?;
            catalogue.page(&TenantFilter::default(), None, 1).await.map(drop)
        };
        timeout(LIMIT, ask).await.unwrap_or_else(|_| Err(late(setup)))
    }

    /// The tenant of an id or a subdomain.
    pub(super) async fn find(&self, setup: &Setup, name: &str) -> Result<Option<Tenant>, CatalogueError> {
        let ask = async {
            let catalogue = self.get(setup).await?;
            let mut found = catalogue.find(&[name.to_owned()]).await?;
            Ok(found.pop().flatten())
        };
        timeout(LIMIT, ask).await.unwrap_or_else(|_| Err(late(setup)))
    }
}

/// Says goodbye, unless somebody still asks or the server does not hear it.
async fn close(catalogue: Option<Arc<Catalogue>>) {
    if let Some(catalogue) = catalogue.and_then(Arc::into_inner) {
        // Dropped, it only stands in the server's log.
        let _ = timeout(GOODBYE, catalogue.close()).await;
    }
}

fn late(setup: &Setup) -> CatalogueError {
    CatalogueError::Query {
        address: masked(setup.database.expose()),
        source: Failure::new(FailureClass::Timeout),
    }
}

/// An error with its causes, in a line.
pub(super) fn sentence(error: &CatalogueError) -> String {
    let mut text = error.to_string();
    let mut cause = StdError::source(error);
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
