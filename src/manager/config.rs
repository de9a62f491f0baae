//! How a tenant's row is had, and what of it callers get to see.
//!
//! Memory, then the state store, then the application database. What was read from the database goes into both caches,
//! unless an invalidation came since: in memory the flight hears of it, in the store its log decides.

use std::borrow::Cow;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use super::Inner;
use super::background;
use super::configs::Config;
use super::error::ManagerError;
use super::metrics::Count;
use super::pool::Pool;
use crate::cipher::OpenError;
use crate::clock::{after_milliseconds, milliseconds_between};
use crate::secret::Secret;
use crate::settings::Settings;
use crate::source::Live;
use crate::state::{CachedRow, Found, Position, StateStore};
use crate::tenant::{PoolConfig, Role, SealedSource, Tenant, TenantId};
use crate::url::{Address, Kind};

/// Where a row may come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Way {
    /// Whatever has it first.
    Any,
    /// The application database alone.
    Database,
}

/// A tenant's data source, opened. `Debug` shows no secret.
#[derive(Clone, Debug)]
pub struct ConnectionConfig {
    /// The tenant.
    pub tenant_id: TenantId,
    /// Where its data is; a PostgreSQL address may hold a password.
    pub address: Address,
    /// The anon key, opened.
    pub anon_key: Option<Secret>,
    /// The service role key, opened.
    pub service_key: Option<Secret>,
    /// Free text such as `eu-central-1`.
    pub region: Option<String>,
    /// How many connections a client holds.
    pub pool: PoolConfig,
    /// The id by which the rows of the data source know the tenant.
    pub tenant_id_in_data_source: String,
}

/// What can be shown of a tenant's data source.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionInfo {
    /// The tenant.
    pub tenant_id: TenantId,
    /// `active`, `suspended`, `cancelled`, or whatever else the row says.
    pub status: String,
    /// The URL, a password in it as `***`.
    pub url: String,
    /// The kind of the data source; `None` for a scheme that none has.
    pub kind: Option<Kind>,
    /// Free text such as `eu-central-1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The id by which the rows of the data source know the tenant.
    pub tenant_id_in_data_source: String,
    /// Until when the row is cached here.
    pub cache_expiry: Timestamp,
    /// The roles for which there is a live client.
    pub clients: Vec<&'static str>,
}

/// The settings of caches and pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PoolSettings {
    /// Clients at the most.
    pub max_clients: usize,
    /// How long a row is cached, ms.
    pub config_cache_ttl_ms: u64,
    /// How long a client is kept, ms.
    pub client_cache_ttl_ms: u64,
    /// How often expired entries are removed, ms.
    pub cache_cleanup_interval_ms: u64,
    /// Whether rows are kept in the state store too.
    pub use_shared_cache: bool,
    /// Whether requests are counted.
    pub enable_metrics: bool,
}

impl PoolSettings {
    /// Those of a process with these settings.
    #[must_use]
    pub fn from_settings(settings: &Settings) -> Self {
        Self {
            max_clients: usize::try_from(settings.max_clients.value).unwrap_or(usize::MAX),
            config_cache_ttl_ms: settings.config_cache_ttl_ms.value,
            client_cache_ttl_ms: settings.client_cache_ttl_ms.value,
            cache_cleanup_interval_ms: settings.cache_cleanup_interval_ms.value,
            use_shared_cache: settings.use_shared_cache.value,
            enable_metrics: settings.enable_metrics.value,
        }
    }
}

impl ConnectionInfo {
    pub(super) fn new(config: &Config, pool: &Pool, now: u64) -> Self {
        let tenant = &config.tenant;
        let source = tenant.source.as_ref();
        let live = |role: &Role| pool.get(tenant.id.as_str(), *role, now).is_some();
        Self {
            tenant_id: tenant.id.clone(),
            status: tenant.status.clone(),
            url: source.map(|source| source.url.masked()).unwrap_or_default(),
            kind: source.and_then(|source| source.url.kind()),
            region: source.and_then(|source| source.region.clone()),
            tenant_id_in_data_source: tenant.id_in_data_source().to_owned(),
            cache_expiry: config.expires_at,
            clients: [Role::Service, Role::Anon].into_iter().filter(live).map(Role::as_str).collect(),
        }
    }
}

/// The id that a caller means: a UUID in capitals is the same, and stands in the database in small letters.
pub(super) fn canonical(tenant: &str) -> Cow<'_, str> {
    if tenant.bytes().any(|byte| byte.is_ascii_uppercase()) && TenantId::is_uuid(tenant) {
        return Cow::Owned(tenant.to_ascii_lowercase());
    }
    Cow::Borrowed(tenant)
}

/// The data source of a row that has one, as every kept row does.
pub(super) fn source_of(tenant: &Tenant) -> Result<&SealedSource, ManagerError> {
    tenant.source.as_ref().ok_or_else(|| ManagerError::NoDataSource(tenant.id.clone()))
}

impl Inner {
    /// The row of a tenant, by any way.
    pub(super) async fn config_of(self: &Arc<Self>, tenant: &str) -> Result<Arc<Config>, ManagerError> {
        background::begin(self);
        self.config(&TenantId::new(canonical(tenant)), Way::Any).await
    }

    /// The row of a tenant.
    pub(super) async fn config(
        self: &Arc<Self>,
        tenant: &TenantId,
        way: Way,
    ) -> Result<Arc<Config>, ManagerError> {
        if way == Way::Any
            && let Some(config) = self.configs.get(tenant.as_str(), self.ticks.now())
        {
            return Ok(config);
        }
        let work = || {
            let (inner, id) = (Arc::clone(self), tenant.clone());
            let work = move |_| {
                let (inner, id) = (Arc::clone(&inner), id.clone());
                async move { inner.fetch(&id, way).await }
            };
            (tenant.clone(), work)
        };
        let keeper = Arc::clone(self);
        let keep = move |config: &Arc<Config>| {
            keeper.configs.insert(Arc::clone(config), keeper.ticks.now());
        };
        let flights = &self.config_flights[usize::from(way == Way::Any)];
        let joined = flights.join(tenant, work, keep).kept().await;
        joined.unwrap_or_else(|| Err(ManagerError::CutOff(tenant.clone())))
    }

    async fn fetch(&self, tenant: &TenantId, way: Way) -> Result<Arc<Config>, ManagerError> {
        // Also where its rows are not wanted: from here on its log is heard.
        let store = self.shared.store().await.filter(|_| self.use_shared_cache);
        let mut since = None;
        if let Some(store) = &store {
            match self.look_up(store, tenant, way).await {
                Ok(config) => return Ok(Arc::new(config)),
                Err(position) => since = position,
            }
        }
        let now = self.shared.clock().now();
        let loaded = self.loader.load(tenant).await;
        let failed = |source| ManagerError::Load { tenant: tenant.clone(), source: Arc::new(source) };
        let row = loaded.map_err(failed)?;
        let row = row.ok_or_else(|| ManagerError::UnknownTenant(tenant.clone()))?;
        // Not kept: whoever adds a data source need not wait for a cache to forget that there was none.
        source_of(&row)?;
        let expires_at = after_milliseconds(now, self.config_ttl);
        if let (Some(store), Some(since)) = (store, since) {
            self.shared.keep(store, CachedRow { tenant: row.clone(), expires_at }, since).await;
        }
        let expires = self.ticks.now().saturating_add(self.config_ttl);
        Ok(Arc::new(Config::new(row, expires, expires_at, true)))
    }

    /// The row in the store; or, to go on without it, the position in the log from before anything is read.
    async fn look_up(
        &self,
        store: &StateStore,
        tenant: &TenantId,
        way: Way,
    ) -> Result<Config, Option<Position>> {
        let lookup = store.read(tenant).await.map_err(|error| {
            self.shared.failed(error);
            None
        })?;
        if way == Way::Database {
            return Err(Some(lookup.position));
        }
        match lookup.found {
            Found::Row(row) => {
                self.shared.metrics.count(Count::SharedHit);
                let now = self.shared.clock().now();
                let left = milliseconds_between(now, row.expires_at).min(self.config_ttl);
                let expires = self.ticks.now().saturating_add(left);
                Ok(Config::new(row.tenant, expires, after_milliseconds(now, left), false))
            }
            Found::Nothing => {
                self.shared.metrics.count(Count::SharedMiss);
                Err(Some(lookup.position))
            }
            Found::Refused(why) => {
                self.shared.metrics.count(Count::SharedMiss);
                self.shared.doubt(tenant, why);
                Err(Some(lookup.position))
            }
        }
    }

    pub(super) async fn connection_config(
        self: &Arc<Self>,
        tenant: &str,
    ) -> Result<ConnectionConfig, ManagerError> {
        let mut config = self.config_of(tenant).await?;
        let mut keys = self.open_both(&config);
        if matches!(&keys, Err(ManagerError::Key { source: OpenError::Authentication, .. }))
            && !config.first_hand
        {
            config = self.config(&config.tenant.id, Way::Database).await?;
            keys = self.open_both(&config);
        }
        let (anon_key, service_key) = keys?;
        let source = source_of(&config.tenant)?;
        Ok(ConnectionConfig {
            tenant_id: config.tenant.id.clone(),
            address: self.address_of(&config)?,
            anon_key,
            service_key,
            region: source.region.clone(),
            pool: Live::bounds(source.pool_config.as_deref()),
            tenant_id_in_data_source: config.tenant.id_in_data_source().to_owned(),
        })
    }

    fn open_both(&self, config: &Config) -> Result<(Option<Secret>, Option<Secret>), ManagerError> {
        let open = |role| match self.open_key(config, role) {
            Ok(key) => Ok(Some(key)),
            Err(ManagerError::KeyMissing { .. }) => Ok(None),
            Err(error) => Err(error),
        };
        Ok((open(Role::Anon)?, open(Role::Service)?))
    }

    pub(super) fn address_of(&self, config: &Config) -> Result<Address, ManagerError> {
        let parsed = source_of(&config.tenant)?.url.parse();
        parsed.map_err(|source| ManagerError::Url { tenant: config.tenant.id.clone(), source })
    }

    /// Opens the key of a role.
    pub(super) fn open_key(&self, config: &Config, role: Role) -> Result<Secret, ManagerError> {
        let tenant = || config.tenant.id.clone();
        let stored = source_of(&config.tenant)?.key(role);
        let stored = stored.ok_or_else(|| ManagerError::KeyMissing { tenant: tenant(), role })?;
        let opened = self.ring.open(stored.expose());
        opened.map(|opened| opened.plaintext).map_err(|source| ManagerError::Key {
            tenant: tenant(),
            role,
            source,
        })
    }
}
