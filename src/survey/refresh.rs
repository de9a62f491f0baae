//! The refreshing of the second cache tier by a survey, which reads every row anyway.
//!
//! Before a page is read from the application database the end of the store's log is noted; what was invalidated since
//! then is not overwritten with what the page said. A page is one transaction of the store. A row in the store that
//! says something else is stale: services that go by it use an old address, key or status. It is removed, and the processes are
//! told to forget what they have of it; whoever wants it next reads it anew. (To replace it at once would be to store
//! what was read before an invalidation, which may not have been ours alone.)
//!
//! The survey does not depend on it: the first error ends the refreshing, and is remembered for whoever wants to say it.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use crate::clock::{Clock, after_milliseconds};
use crate::state::{CachedRow, Found, Position, Scope, StateError, StateStore};
use crate::tenant::{Tenant, TenantId};

/// Refreshes the rows of a store.
#[derive(Debug)]
pub struct Refresh {
    store: StateStore,
    /// How long a row may be used, ms.
    ttl: u64,
    clock: Clock,
    since: Mutex<Option<Position>>,
    trouble: Mutex<Option<StateError>>,
    /// What was found in the store and is not believed, and how many such rows there were.
    doubts: Mutex<(Vec<String>, usize)>,
}

/// So many rows that are not believed are named.
const DOUBTS: usize = 5;

impl Refresh {
    /// Refreshes `store` with rows that may be used for `ttl` milliseconds.
    #[must_use]
    pub fn new(store: StateStore, ttl: u64, clock: Clock) -> Self {
        Self {
            store,
            ttl,
            clock,
            since: Mutex::default(),
            trouble: Mutex::default(),
            doubts: Mutex::default(),
        }
    }

    /// Notes the end of the log. To be called before rows are read from the application database.
    pub async fn mark(&self) {
        let position = if self.trouble().is_some() { None } else { self.noted(self.store.position().await) };
        *self.since.lock().unwrap_or_else(PoisonError::into_inner) = position;
    }

    /// Compares and stores rows that were read since [`Refresh::mark`]; answers which tenants' were stale.
    pub async fn take(&self, tenants: &[Tenant]) -> HashSet<TenantId> {
        let since = *self.since.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(since) = since else { return HashSet::new() };
        let refreshed = self.refresh(tenants, since).await;
        self.noted(refreshed).unwrap_or_default()
    }

    async fn refresh(&self, tenants: &[Tenant], since: Position) -> Result<HashSet<TenantId>, StateError> {
        let ids: Vec<TenantId> = tenants.iter().map(|tenant| tenant.id.clone()).collect();
        let known = self.store.read_many(&ids).await?;
        for (tenant, found) in tenants.iter().zip(&known) {
            if let Found::Refused(why) = found {
                let mut doubts = self.doubts.lock().unwrap_or_else(PoisonError::into_inner);
                doubts.1 += 1;
                if doubts.0.len() < DOUBTS {
                    let address = self.store.address();
                    doubts.0.push(format!(
                        "the cached row of tenant {} in {address} is not believed, and was replaced: {why}",
                        tenant.id
                    ));
                }
            }
        }
        let stale: Vec<TenantId> = tenants
            .iter()
            .zip(known)
            .filter(
                |(tenant, found)| matches!(found, Found::Row(row) if !row.tenant.says_the_same_as(tenant)),
            )
            .map(|(tenant, _)| tenant.id.clone())
            .collect();
        if !stale.is_empty() {
            self.store.invalidate(&Scope::Tenants(stale.clone()), None).await?;
        }
        let expires_at = after_milliseconds(self.clock.now(), self.ttl);
        let rows: Vec<CachedRow> = tenants
            .iter()
            .filter(|tenant| tenant.source.is_some())
            .map(|tenant| CachedRow { tenant: tenant.clone(), expires_at })
            .collect();
        self.store.write(&rows, since).await?;
        Ok(stale.into_iter().collect())
    }

    fn noted<T>(&self, result: Result<T, StateError>) -> Option<T> {
        result
            .map_err(|error| {
                self.trouble.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
            })
            .ok()
    }

    /// Rows of the store that were not believed: whoever wrote them has no encryption key of ours.
    #[must_use]
    pub fn doubts(&self) -> Vec<String> {
        let doubts = self.doubts.lock().unwrap_or_else(PoisonError::into_inner);
        let more = doubts.1.saturating_sub(doubts.0.len());
        let rest = (more > 0).then(|| format!("{more} more cached rows are not believed, and were replaced"));
        doubts.0.iter().cloned().chain(rest).collect()
    }

    /// Closes the store.
    pub async fn close(self) {
        self.store.close().await;
    }

    /// The error that ended the refreshing.
    #[must_use]
    pub fn trouble(&self) -> Option<StateError> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
