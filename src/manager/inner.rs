//! What the clones of a manager share: its parts, and how they forget.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::configs::{Config, Configs};
use super::error::ManagerError;
use super::flight::Flights;
use super::loader::Loader;
use super::make::Made;
use super::pool::Pool;
use super::shared::Shared;
use crate::cipher::KeyRing;
use crate::clock::Ticks;
use crate::health::Counters;
use crate::probe::Prober;
use crate::source::Connector;
use crate::tenant::TenantId;

pub(super) struct Inner {
    pub(super) ring: Arc<KeyRing>,
    pub(super) ticks: Ticks,
    pub(super) config_ttl: u64,
    pub(super) client_ttl: u64,
    pub(super) cleanup_interval: Duration,
    /// Whether rows are read from and kept in the state store.
    pub(super) use_shared_cache: bool,
    pub(super) configs: Configs,
    /// Rows on their way, by any way and from the application database alone.
    pub(super) config_flights: [Flights<TenantId, Arc<Config>, ManagerError>; 2],
    pub(super) pool: Pool,
    /// Clients on their way, by role.
    pub(super) client_flights: [Flights<TenantId, Made, ManagerError>; 2],
    pub(super) loader: Loader,
    pub(super) connector: Connector,
    pub(super) prober: Prober,
    pub(super) shared: Arc<Shared>,
    /// Whether the tasks in the background run.
    pub(super) running: Arc<watch::Sender<bool>>,
}

impl Inner {
    /// The live sizes, and the limit of the pool.
    pub(super) fn sizes(&self) -> Counters {
        let now = self.ticks.now();
        let number = |size: usize| u64::try_from(size).unwrap_or(u64::MAX);
        Counters {
            config_cache_size: number(self.configs.len(now)),
            client_cache_size: number(self.pool.len(now)),
            max_clients: number(self.pool.max()),
            ..Counters::default()
        }
    }

    /// Forgets a tenant, and makes what is being loaded of it begin again.
    pub(super) fn forget(&self, tenant: &TenantId) {
        for flights in &self.config_flights {
            flights.invalidate(tenant, || self.configs.remove(tenant));
        }
        for flights in &self.client_flights {
            flights.invalidate(tenant, || self.pool.retire_tenant(tenant));
        }
    }

    /// Forgets all tenants.
    pub(super) fn forget_all(&self) {
        for flights in &self.config_flights {
            flights.invalidate_all(|| self.configs.clear());
        }
        for flights in &self.client_flights {
            flights.invalidate_all(|| self.pool.retire_where(|_| true));
        }
    }

    /// Drops what has expired.
    pub(super) fn sweep(&self) {
        let now = self.ticks.now();
        self.configs.sweep(now);
        self.pool.retire_where(|client| client.expires <= now);
    }

    /// Looks after the minimum of connections of every client.
    pub(super) fn keep_minimum(&self) {
        self.pool.for_each(|client| client.live.keep_minimum());
    }
}
