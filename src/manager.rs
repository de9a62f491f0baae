//! The data source manager: the one way by which a service reaches every tenant's database.
//!
//! A request for a client is answered from memory where it can be; otherwise the tenant's row is looked for in memory,
//! in the shared state store and in the application database, in this order, its key is opened, and a client is made
//! and kept. However many ask at the same time, that happens once. The pool of clients is bounded; what another
//! process invalidates is forgotten here within a second.
//!
//! ```no_run
//! use boothds::manager::DataSourceManager;
//! use boothds::settings::Settings;
//! use boothds::tenant::Role;
//!
//! # async fn serve() -> Result<(), Box<dyn std::error::Error>> {
//! let manager = DataSourceManager::new(Settings::from_vars(std::env::vars())?)?;
//! let client = manager.client("8d5a9c5e-3c0f-4b39-9f0e-0d6a7b0c7f11", Role::Service).await?;
//! let mut connection = client.postgres()?.acquire().await?;
//! let accounts: Vec<(i64, String)> = sqlx::query_as("SELECT id, name FROM accounts WHERE tenant_id = $1")
//!     .bind(client.tenant_id_in_data_source())
//!     .fetch_all(&mut *connection)
//!     .await?;
//! # let _ = accounts;
//! manager.shutdown().await;
//! # Ok(()) }
//! ```
//!
//! # Caches and their times
//!
//! Tier 1 is this process's memory: rows for the configuration TTL (5 min), clients for the client TTL (1 h), by a clock
//! that is never set. Tier 2 is the state store. When a row's time is over, the next request for a client of it reads
//! the row anew: if it says the same, the client stays; if not, it is replaced; if it cannot be read, the client
//! serves on until its own time is over.

use std::sync::Arc;
use std::time::Duration;

use crate::catalogue::Catalogue;
use crate::cipher::{Authenticator, KeyRing};
use crate::clock::{Clock, Ticks};
use crate::health::{CacheStats, Counters};
use crate::probe::{ProbeOptions, Prober, Report};
use crate::settings::Settings;
use crate::source::Connector;
use crate::state::{Cleared, Identity, Location, ROW_PURPOSE, Scope, StateError};
use crate::tenant::{Role, Tenant, TenantId};

mod background;
mod client;
mod config;
mod configs;
mod error;
mod flight;
mod global;
mod index;
mod inner;
mod loader;
mod make;
mod metrics;
mod pool;
mod shared;

pub use client::{
    FileConnection, FileTransaction, Lent, PostgresClient, PostgresConnection, PostgresTransaction,
    SqliteClient, TenantClient,
};
pub use config::{ConnectionConfig, ConnectionInfo, PoolSettings};
use configs::Configs;
pub use error::{ManagerError, SetupError};
pub use global::{tenant_client, tenant_id_in_data_source};
use inner::Inner;
use loader::Loader;
use make::Tally;
use metrics::{Count, Metrics};
use pool::Pool;
use shared::Shared;
pub use shared::StoreStatus;

/// How long [`DataSourceManager::shutdown`] waits for the state store.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(2);

/// Routes requests to the databases of tenants. Cheap to clone; clones are one manager. Methods that are `async` must run
/// on a Tokio runtime.
#[derive(Clone)]
pub struct DataSourceManager {
    inner: Arc<Inner>,
    /// The last of the clones ends what goes on in the background.
    _end: Arc<EndOfManager>,
}

#[derive(Debug)]
struct EndOfManager(Arc<Shared>);

impl Drop for EndOfManager {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// What surrounds a manager; other than the default in tests and tools.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// The time of day, for what others see.
    pub clock: Clock,
    /// The time by which what is in memory grows old.
    pub ticks: Ticks,
    /// Whether the manager reports to the state store, so that `stats` shows it. Default true.
    pub visible: bool,
}

impl Default for Surroundings {
    fn default() -> Self {
        Self { clock: Clock::System, ticks: Ticks::default(), visible: true }
    }
}

impl std::fmt::Debug for DataSourceManager {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DataSourceManager").field("counters", &self.counters()).finish_non_exhaustive()
    }
}

impl DataSourceManager {
    /// A manager of the application database that the settings name. Nothing connects yet.
    ///
    /// # Errors
    /// A [`SetupError`]. A state store that cannot be used is none: the manager serves without it, and says so
    /// ([`DataSourceManager::store_status`]).
    pub fn new(settings: Settings) -> Result<Self, SetupError> {
        let ring = KeyRing::from_settings(&settings)?;
        Self::with(&settings, ring, Surroundings::default())
    }

    /// The same, with keys that were read already and in other surroundings.
    ///
    /// # Errors
    /// A [`SetupError`].
    pub fn with(settings: &Settings, ring: KeyRing, surroundings: Surroundings) -> Result<Self, SetupError> {
        let url = settings.require_database_url()?.value.clone();
        let namespace = match &settings.namespace {
            Some(namespace) => namespace.value.clone(),
            None => Catalogue::identity(&url)?,
        };
        let Surroundings { clock, ticks, visible } = surroundings;
        let ring = Arc::new(ring);
        let identity = Identity {
            namespace,
            authenticator: Some(Arc::new(Authenticator::new(&ring, ROW_PURPOSE))),
            clock,
        };
        let metrics = Metrics::new(settings.enable_metrics.value);
        let shared = Arc::new(Shared::new(Location::from_settings(settings), identity, metrics, visible));
        let prober = Prober::new(Arc::clone(&ring), ProbeOptions::from_settings(settings), clock);
        let inner = Inner {
            ring,
            ticks,
            config_ttl: settings.config_cache_ttl_ms.value,
            client_ttl: settings.client_cache_ttl_ms.value,
            cleanup_interval: Duration::from_millis(settings.cache_cleanup_interval_ms.value),
            use_shared_cache: settings.use_shared_cache.value,
            configs: Configs::new(configs::LIMIT),
            config_flights: Default::default(),
            pool: Pool::new(usize::try_from(settings.max_clients.value).unwrap_or(usize::MAX)),
            client_flights: Default::default(),
            loader: Loader::new(url),
            connector: Connector::for_service(),
            prober,
            shared: Arc::clone(&shared),
            running: Arc::default(),
        };
        Ok(Self { inner: Arc::new(inner), _end: Arc::new(EndOfManager(shared)) })
    }

    /// A handle to a tenant's data source. `tenant` is the tenant's id in the application database; most callers want
    /// [`Role::Service`].
    ///
    /// # Errors
    /// A [`ManagerError`]. A failure is not remembered: the next request tries again.
    pub async fn client(&self, tenant: impl AsRef<str>, role: Role) -> Result<TenantClient, ManagerError> {
        let (inner, tenant) = (&self.inner, tenant.as_ref());
        let now = inner.ticks.now();
        if let Some(handle) = inner.pool.get(tenant, role, now)
            && handle.client().is_verified(now)
        {
            inner.shared.metrics.count(Count::Hit);
            return Ok(handle);
        }
        let tally = Tally::new(&inner.shared.metrics);
        let made = inner.make(tenant, role).await?;
        tally.end(made.reused);
        Ok(made.client)
    }

    /// The id by which the rows of a tenant's data source know it: `tenant_id_in_data_source`, or the tenant's own.
    ///
    /// # Errors
    /// A [`ManagerError`].
    pub async fn tenant_id_in_data_source(&self, tenant: impl AsRef<str>) -> Result<String, ManagerError> {
        let config = self.inner.config_of(tenant.as_ref()).await?;
        Ok(config.tenant.id_in_data_source().to_owned())
    }

    /// The row of a tenant, its keys sealed, as it is cached or, if it is not, read for this.
    ///
    /// # Errors
    /// A [`ManagerError`].
    pub async fn tenant(&self, tenant: impl AsRef<str>) -> Result<Tenant, ManagerError> {
        Ok(self.inner.config_of(tenant.as_ref()).await?.tenant.clone())
    }

    /// The address and both keys of a tenant's data source, opened, for callers that need them themselves. Keys that
    /// are missing are `None`.
    ///
    /// # Errors
    /// A [`ManagerError`]; [`ManagerError::Key`] where a key is there and does not open.
    pub async fn connection_config(&self, tenant: impl AsRef<str>) -> Result<ConnectionConfig, ManagerError> {
        self.inner.connection_config(tenant.as_ref()).await
    }

    /// What can be shown of a tenant's data source, and whether it is cached here. No key is opened.
    ///
    /// # Errors
    /// A [`ManagerError`].
    pub async fn connection_info(&self, tenant: impl AsRef<str>) -> Result<ConnectionInfo, ManagerError> {
        let config = self.inner.config_of(tenant.as_ref()).await?;
        Ok(ConnectionInfo::new(&config, &self.inner.pool, self.inner.ticks.now()))
    }

    /// Tests a tenant as the service reaches it: with the row that is cached, if one is. Connects anew, and does not go
    /// through the pool.
    ///
    /// # Errors
    /// A [`ManagerError`] where there is no row to test with; what is wrong with the data source is in the report.
    pub async fn test_connection(&self, tenant: impl AsRef<str>) -> Result<Report, ManagerError> {
        let config = self.inner.config_of(tenant.as_ref()).await?;
        Ok(self.inner.prober.probe(&config.tenant).await)
    }

    /// Forgets what is cached of a tenant, here, in the state store and in every process that follows it. Handles that
    /// are out serve on until they are dropped.
    ///
    /// # Errors
    /// [`ManagerError::State`] when the store cannot be reached: this process has forgotten, the others were not told.
    pub async fn clear_tenant_cache(&self, tenant: impl AsRef<str>) -> Result<Cleared, ManagerError> {
        let tenant = TenantId::new(config::canonical(tenant.as_ref()));
        // Before as well: the store may take its time, and whoever asked may go away meanwhile.
        self.inner.forget(&tenant);
        let cleared = self.clear(&Scope::Tenants(vec![tenant.clone()])).await;
        self.inner.forget(&tenant);
        cleared
    }

    /// Forgets what is cached of all tenants, as [`DataSourceManager::clear_tenant_cache`] does of one.
    ///
    /// # Errors
    /// [`ManagerError::State`].
    pub async fn clear_all_caches(&self) -> Result<Cleared, ManagerError> {
        self.inner.forget_all();
        let cleared = self.clear(&Scope::All).await;
        self.inner.forget_all();
        cleared
    }

    async fn clear(&self, scope: &Scope) -> Result<Cleared, ManagerError> {
        background::begin(&self.inner);
        let shared = &self.inner.shared;
        let Some(store) = shared.store().await else { return Err(ManagerError::State(shared.why_down())) };
        store.invalidate(scope, Some(shared.id())).await.map_err(|error| {
            shared.failed(error.clone());
            ManagerError::State(error)
        })
    }

    /// The statistics of this process since the last reset.
    #[must_use]
    pub fn cache_stats(&self) -> CacheStats {
        CacheStats::from(self.counters())
    }

    /// The same as numbers to calculate with.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.inner.shared.metrics.since_reset() + self.inner.sizes()
    }

    /// The settings of caches and pool.
    #[must_use]
    pub fn pool_config(&self) -> PoolSettings {
        PoolSettings {
            max_clients: self.inner.pool.max(),
            config_cache_ttl_ms: self.inner.config_ttl,
            client_cache_ttl_ms: self.inner.client_ttl,
            cache_cleanup_interval_ms: u64::try_from(self.inner.cleanup_interval.as_millis())
                .unwrap_or(u64::MAX),
            use_shared_cache: self.inner.use_shared_cache,
            enable_metrics: self.inner.shared.metrics.is_enabled(),
        }
    }

    /// Sets the counters to zero, in every process; answers how many others took note.
    ///
    /// # Errors
    /// [`ManagerError::State`] when the store cannot be reached: the counters of this process alone begin at zero.
    pub async fn reset_metrics(&self) -> Result<u64, ManagerError> {
        background::begin(&self.inner);
        let shared = &self.inner.shared;
        let done = match shared.store().await {
            None => Err(shared.why_down()),
            Some(store) => match store.reset(Some(shared.id())).await {
                // The report's answer is the new epoch, in which the counters begin at zero.
                Ok(told) => shared.report(&store, self.inner.sizes()).await.map(|()| told),
                Err(error) => Err(error),
            },
        };
        done.map_err(|error| {
            shared.metrics.reset();
            shared.failed(error.clone());
            ManagerError::State(error)
        })
    }

    /// Seals a key under the current encryption key, as it belongs into the application database.
    #[must_use]
    pub fn encrypt_key(&self, plaintext: &str) -> String {
        self.inner.ring.seal(plaintext)
    }

    /// Whether the state store serves.
    #[must_use]
    pub fn store_status(&self) -> StoreStatus {
        self.inner.shared.status()
    }

    /// Whether any request so far had to do without the state store.
    #[must_use]
    pub fn was_without_store(&self) -> bool {
        self.inner.shared.was_without()
    }

    /// The last thing that the state store could not do although it serves: keep a row because it is full, for example.
    #[must_use]
    pub fn store_trouble(&self) -> Option<StateError> {
        self.inner.shared.trouble()
    }

    /// Reports the last counters, closes what is idle, and lets go of the rest. Without it the counts of the last
    /// seconds are lost, and servers see connections break.
    pub async fn shutdown(&self) {
        let shared = &self.inner.shared;
        shared.end();
        // Who follows the store leaves it, behind whatever report is under way. Its runtime may have ended before it.
        let left = async {
            let _ = self.inner.running.subscribe().wait_for(|running| !running).await;
            shared.leave().await
        };
        let _ = tokio::time::timeout(SHUTDOWN_LIMIT, left).await;
        shared.let_go();
        let idle = self.inner.pool.take_idle();
        let closed = futures_util::future::join_all(idle.iter().map(|client| client.close()));
        let _ = tokio::time::timeout(SHUTDOWN_LIMIT, closed).await;
        self.inner.loader.close().await;
    }
}
