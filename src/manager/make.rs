//! How a client comes into being: row, room, key, client; once for all who ask.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Inner;
use super::background;
use super::client::{Client, TenantClient};
use super::config::{Way, canonical, source_of};
use super::configs::Config;
use super::error::ManagerError;
use super::flight::{Attempt, Promise};
use super::metrics::{Count, Metrics};
use crate::cipher::OpenError;
use crate::credential::Credential;
use crate::secret::Secret;
use crate::source::{Live, Login};
use crate::tenant::{Role, TenantId};
use crate::url::Address;

/// How long the closing of a client that makes room is waited for, before another opens in its place.
const CLOSE_LIMIT: Duration = Duration::from_millis(500);
/// For how long a client goes on unverified when the application database cannot be asked, ms.
const GRACE: u64 = 5_000;

/// A client, and whether it was there before.
#[derive(Clone, Debug)]
pub(super) struct Made {
    pub(super) client: TenantClient,
    pub(super) reused: bool,
}

/// Counts one request that memory did not serve at once: as a miss, also when its caller goes away, unless the client
/// turns out to be the one that was there.
pub(super) struct Tally<'a>(&'a Metrics, Count);

impl<'a> Tally<'a> {
    pub(super) fn new(metrics: &'a Metrics) -> Self {
        Self(metrics, Count::Miss)
    }

    pub(super) fn end(mut self, reused: bool) {
        self.1 = if reused { Count::Hit } else { Count::Miss };
    }
}

impl Drop for Tally<'_> {
    fn drop(&mut self) {
        self.0.count(self.1);
    }
}

impl Inner {
    /// A client of a tenant that memory cannot serve as it is. Whoever is not the first to ask
    /// allocates nothing of its own, so that a thousand who wait cost little beside the load.
    pub(super) async fn make(self: &Arc<Self>, tenant: &str, role: Role) -> Result<Made, ManagerError> {
        background::begin(self);
        let promise = self.join(&canonical(tenant), role);
        let made = promise
            .kept()
            .await
            .unwrap_or_else(|| Err(ManagerError::CutOff(TenantId::new(canonical(tenant)))));
        if let Err(ManagerError::Exhausted { .. }) = made {
            // Once for each request that was refused.
            self.shared.metrics.count(Count::Exhausted);
        }
        made
    }

    fn join(self: &Arc<Self>, tenant: &str, role: Role) -> Promise<Made, ManagerError> {
        let work = || {
            let (inner, tenant) = (Arc::clone(self), TenantId::new(tenant));
            let id = tenant.clone();
            let work = move |attempt| {
                let (inner, id) = (Arc::clone(&inner), id.clone());
                async move { inner.make_alone(&id, role, attempt).await }
            };
            (tenant, work)
        };
        self.client_flights[usize::from(role == Role::Service)].join(tenant, work, |_| ())
    }

    async fn make_alone(
        self: &Arc<Self>,
        tenant: &TenantId,
        role: Role,
        attempt: Attempt,
    ) -> Result<Made, ManagerError> {
        let mut before = self.pool.get(tenant.as_str(), role, self.ticks.now());
        if attempt == Attempt::Again
            && let Some(client) = before.take()
        {
            // The attempt before has made it of what was invalidated meanwhile: nobody else may get it, nor this one
            // fall back on it.
            self.pool.retire(&client);
        }
        if let Some(client) = &before
            && client.client().is_verified(self.ticks.now())
        {
            return Ok(Made { client: client.clone(), reused: true });
        }
        let config = match (self.config(tenant, Way::Any).await, before) {
            (Ok(config), None) => config,
            (Ok(config), Some(client)) => {
                if client.client().config.tenant.says_the_same_as(&config.tenant) {
                    client.client().verified.store(config.expires, Ordering::Release);
                    return Ok(Made { client, reused: true });
                }
                self.pool.retire(&client);
                config
            }
            (Err(error @ ManagerError::Load { .. }), Some(client)) => {
                tracing::warn!(%tenant, error = %error, "the client goes on without its row having been read anew");
                let grace = self.ticks.now().saturating_add(GRACE);
                client.client().verified.store(grace, Ordering::Release);
                return Ok(Made { client, reused: true });
            }
            (Err(error), before) => {
                // The tenant, or its data source, is no more.
                if let Some(client) = before {
                    self.pool.retire(&client);
                }
                return Err(error);
            }
        };
        self.open(config, role).await
    }

    async fn open(self: &Arc<Self>, mut config: Arc<Config>, role: Role) -> Result<Made, ManagerError> {
        let login = match self.log_in(&config, role) {
            // Sealed with a key that is not known here: perhaps the row was re-sealed since it was cached.
            Err(ManagerError::Key { source: OpenError::Authentication, .. }) if !config.first_hand => {
                config = self.config(&config.tenant.id, Way::Database).await?;
                self.log_in(&config, role)?
            }
            other => other?,
        };
        let bounds = Live::bounds(source_of(&config.tenant)?.pool_config.as_deref());
        let live = Live::new(&self.connector, &login, bounds);
        let live =
            live.map_err(|source| ManagerError::Source { tenant: config.tenant.id.clone(), source })?;
        // The place as soon as there is something to put into it: a tenant whose key does not open must not cost another
        // its client. And before anything is awaited: until it is filled nobody else can take it.
        let (reservation, evicted) = self
            .pool
            .reserve(self.ticks.now())
            .map_err(|exhausted| ManagerError::Exhausted { active: exhausted.0, max: self.pool.max() })?;
        if let Some(evicted) = evicted {
            let _ = tokio::time::timeout(CLOSE_LIMIT, evicted.close()).await;
        }
        let now = self.ticks.now();
        let expires = now.saturating_add(self.client_ttl);
        let client = Arc::new(Client::new(role, config, live, expires, now));
        let handle = client.lend();
        reservation.fill(client);
        self.shared.metrics.count(Count::Created);
        handle.client().live.keep_minimum();
        Ok(Made { client: handle, reused: false })
    }

    /// Opens the key and puts the login together, offline.
    fn log_in(&self, config: &Config, role: Role) -> Result<Login, ManagerError> {
        let address = self.address_of(config)?;
        // A file has no users: its keys are ignored.
        let (key, credential) = match &address {
            Address::Sqlite(_) => (Secret::new(String::new()), Credential::Text),
            _ => {
                let key = self.open_key(config, role)?;
                let credential = Credential::of(&key);
                (key, credential)
            }
        };
        Login::new(&address, &key, &credential)
            .map_err(|source| ManagerError::Source { tenant: config.tenant.id.clone(), source })
    }
}
