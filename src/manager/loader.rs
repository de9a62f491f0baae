//! Reads rows of the application database for whoever needs one.
//!
//! There is one connection. Who comes while a question is under way waits for the next, which asks for all of them at
//! once: a burst of different tenants costs a few round trips, not one each. Whoever gets the connection asks for
//! everybody; whoever finds its answer there already is done.

use std::sync::{Mutex, PoisonError};

use tokio::sync::{MutexGuard, oneshot};

use crate::catalogue::{Catalogue, CatalogueError};
use crate::secret::Secret;
use crate::tenant::{Tenant, TenantId};

/// How many rows one question asks for at the most.
const BATCH: usize = 500;

type Answer = Result<Option<Tenant>, CatalogueError>;

/// The application database, opened when the first row is wanted; a SQLite file for each question.
#[derive(Debug)]
pub(super) struct Loader {
    url: Secret,
    catalogue: tokio::sync::Mutex<Option<Catalogue>>,
    waiting: Mutex<Vec<(TenantId, oneshot::Sender<Answer>)>>,
}

impl Loader {
    pub(super) fn new(url: Secret) -> Self {
        Self { url, catalogue: tokio::sync::Mutex::default(), waiting: Mutex::default() }
    }

    /// The row of the tenant with this id.
    pub(super) async fn load(&self, tenant: &TenantId) -> Answer {
        loop {
            let (sender, mut answer) = oneshot::channel();
            self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push((tenant.clone(), sender));
            let catalogue = tokio::select! {
                biased;
                answer = &mut answer => match answer {
                    Ok(answer) => return answer,
                    // Whoever asked for us was cut off.
                    Err(_) => continue,
                },
                catalogue = self.catalogue.lock() => catalogue,
            };
            self.ask(catalogue).await;
            // More may have been waiting than one question takes.
            if let Ok(answer) = answer.try_recv() {
                return answer;
            }
        }
    }

    async fn ask(&self, mut catalogue: MutexGuard<'_, Option<Catalogue>>) {
        let batch: Vec<_> = {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            let size = waiting.len().min(BATCH);
            // Those whose caller has gone away need no answer.
            waiting.drain(..size).filter(|(_, sender)| !sender.is_closed()).collect()
        };
        if batch.is_empty() {
            return;
        }
        let names: Vec<String> = batch.iter().map(|(tenant, _)| tenant.as_str().to_owned()).collect();
        match self.find(&mut catalogue, &names).await {
            Ok(found) => {
                for ((tenant, sender), row) in batch.into_iter().zip(found) {
                    // A name that is another tenant's subdomain is no id.
                    let _ = sender.send(Ok(row.filter(|row| row.id == tenant)));
                }
            }
            Err(error) => {
                for (_, sender) in batch {
                    let _ = sender.send(Err(error.clone()));
                }
            }
        }
    }

    async fn find(
        &self,
        catalogue: &mut Option<Catalogue>,
        names: &[String],
    ) -> Result<Vec<Option<Tenant>>, CatalogueError> {
        if catalogue.is_none() {
            *catalogue = Some(Catalogue::open(&self.url).await?);
        }
        let found = match catalogue {
            Some(catalogue) => catalogue.find(names).await,
            None => Ok(vec![None; names.len()]),
        };
        // A SQLite file that nobody had open is read as one that does not change: true for a question, not for hours.
        if let Some(file) = catalogue.take_if(|catalogue| matches!(catalogue, Catalogue::Sqlite(_))) {
            file.close().await;
        }
        found
    }

    /// Ends the connection in good order.
    pub(super) async fn close(&self) {
        if let Some(catalogue) = self.catalogue.lock().await.take() {
            catalogue.close().await;
        }
    }
}
