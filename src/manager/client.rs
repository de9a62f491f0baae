//! A client of one tenant's data source, and the handles by which it is lent.
//!
//! A handle is a reference to the client, and connections that are out hold one too; so whether a client is idle is the
//! count of its references, and the way of a request has no second counter to keep. The pool holds one reference:
//! who finds that one alone, under the lock by which others would get at it, has a client that nobody uses and nobody
//! will ([`Index`](super::index::Index)). A client that has left the pool is closed when its last reference goes.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use sqlx::pool::PoolConnection;
use sqlx::{PgConnection, Postgres, Sqlite, SqliteConnection, Transaction};

use super::configs::Config;
use super::error::ManagerError;
use crate::failure::Failure;
use crate::source::{FilePool, Live, PostgresPool, RestClient, Turn};
use crate::tenant::{Role, TenantId};
use crate::url::Kind;

/// The longest id that a [`Name`] holds itself; a UUID has 36 letters.
const SHORT: usize = 39;

/// A client in the pool, or one that has left it and is still in use.
// What a hit touches comes first, beside the counts of its `Arc`.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Client {
    /// When it was last lent, in ticks.
    pub(super) used: AtomicU64,
    /// In ticks.
    pub(super) expires: u64,
    /// Until when, in ticks, its configuration is known to hold.
    pub(super) verified: AtomicU64,
    name: Name,
    pub(super) role: Role,
    closed: AtomicBool,
    pub(super) config: Arc<Config>,
    pub(super) live: Live,
}

/// The letters of a tenant's id, in place.
#[derive(Debug)]
struct Name {
    /// `None`: it is longer, and stands in the configuration only.
    length: Option<u8>,
    letters: [u8; SHORT],
}

impl Name {
    fn new(id: &str) -> Self {
        let mut letters = [0; SHORT];
        let length = letters.get_mut(..id.len()).and_then(|place| {
            place.copy_from_slice(id.as_bytes());
            u8::try_from(id.len()).ok()
        });
        Self { length, letters }
    }
}

impl Client {
    pub(super) fn new(role: Role, config: Arc<Config>, live: Live, expires: u64, now: u64) -> Self {
        Self {
            used: AtomicU64::new(now),
            expires,
            verified: AtomicU64::new(config.expires),
            name: Name::new(config.tenant.id.as_str()),
            role,
            closed: AtomicBool::new(false),
            config,
            live,
        }
    }

    pub(super) fn tenant(&self) -> &TenantId {
        &self.config.tenant.id
    }

    /// Whether it is the client of the tenant with this id.
    pub(super) fn is_of(&self, tenant: &str) -> bool {
        match self.name.length {
            Some(length) => self.name.letters.get(..usize::from(length)) == Some(tenant.as_bytes()),
            None => self.tenant().as_str() == tenant,
        }
    }

    /// Whether its configuration is known to hold.
    pub(super) fn is_verified(&self, now: u64) -> bool {
        now < self.verified.load(Ordering::Acquire)
    }

    pub(super) fn lend(self: &Arc<Self>) -> TenantClient {
        TenantClient(Arc::clone(self))
    }

    /// Whether the pool's is the only reference. It stays so only where the pool's table is locked.
    pub(super) fn is_idle(self: &Arc<Self>) -> bool {
        Arc::strong_count(self) == 1
    }

    /// Closes its connections; then its end has nothing left to do.
    pub(super) async fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.live.close().await;
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // Without a runtime the sockets are just dropped, with the client.
        if !*self.closed.get_mut()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(self.live.close());
        }
    }
}

/// A handle to one tenant's data source, as one role. As long as it or a connection of it is out, the client counts as
/// in use and is not closed to make room. Cheap to clone.
#[derive(Clone, Debug)]
pub struct TenantClient(Arc<Client>);

impl TenantClient {
    pub(super) fn client(&self) -> &Arc<Client> {
        &self.0
    }

    /// The tenant's id in the application database.
    #[must_use]
    pub fn tenant_id(&self) -> &TenantId {
        self.0.tenant()
    }

    /// The id by which the rows of the data source know the tenant. Every query has to filter by it where tenants share a
    /// database.
    #[must_use]
    pub fn tenant_id_in_data_source(&self) -> &str {
        self.0.config.tenant.id_in_data_source()
    }

    /// As whom queries run.
    #[must_use]
    pub fn role(&self) -> Role {
        self.0.role
    }

    /// What the tenant's status was when its row was read: `active`, `suspended`, `cancelled`. The manager serves them
    /// all; what a suspended tenant may do is the service's to decide.
    #[must_use]
    pub fn status(&self) -> &str {
        &self.0.config.tenant.status
    }

    /// The kind of the data source, which decides which of the three ways below leads to it.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match &self.0.live {
            Live::Supabase(_) => Kind::Supabase,
            Live::Postgres(_) => Kind::Postgres,
            Live::Sqlite(_) => Kind::Sqlite,
        }
    }

    /// Requests to a Supabase project.
    ///
    /// # Errors
    /// [`ManagerError::Kind`] for a data source of another kind.
    pub fn supabase(&self) -> Result<&RestClient, ManagerError> {
        match &self.0.live {
            Live::Supabase(rest) => Ok(rest),
            _ => Err(self.other_than(Kind::Supabase)),
        }
    }

    /// Connections to PostgreSQL.
    ///
    /// # Errors
    /// [`ManagerError::Kind`] for a data source of another kind.
    pub fn postgres(&self) -> Result<PostgresClient<'_>, ManagerError> {
        match &self.0.live {
            Live::Postgres(pool) => Ok(PostgresClient { handle: self, pool }),
            _ => Err(self.other_than(Kind::Postgres)),
        }
    }

    /// Connections to a SQLite file.
    ///
    /// # Errors
    /// [`ManagerError::Kind`] for a data source of another kind.
    pub fn sqlite(&self) -> Result<SqliteClient<'_>, ManagerError> {
        match &self.0.live {
            Live::Sqlite(pool) => Ok(SqliteClient { handle: self, pool }),
            _ => Err(self.other_than(Kind::Sqlite)),
        }
    }

    fn other_than(&self, expected: Kind) -> ManagerError {
        ManagerError::Kind { tenant: self.tenant_id().clone(), expected, actual: self.kind() }
    }

    fn failed(&self, source: Failure) -> ManagerError {
        ManagerError::Source { tenant: self.tenant_id().clone(), source }
    }
}

/// Lends connections to a tenant's PostgreSQL database. Statements are not kept prepared, so that they pass through a
/// pooler; one in transaction mode still wants statements with parameters inside [`PostgresClient::begin`].
#[derive(Clone, Copy, Debug)]
pub struct PostgresClient<'a> {
    handle: &'a TenantClient,
    pool: &'a PostgresPool,
}

/// Lends connections to a tenant's SQLite file.
#[derive(Clone, Copy, Debug)]
pub struct SqliteClient<'a> {
    handle: &'a TenantClient,
    pool: &'a FilePool,
}

/// A lent connection, or a transaction on one; goes back when dropped, a transaction rolled back. Keeps its client in use.
#[derive(Debug)]
pub struct Lent<C> {
    // In this order: the connection goes back before its turn, and both while the client is still in use.
    inner: C,
    _turn: Option<Turn>,
    _handle: TenantClient,
}

/// A lent connection to PostgreSQL; `&mut *connection` is an executor of sqlx.
pub type PostgresConnection = Lent<PoolConnection<Postgres>>;
/// A transaction on PostgreSQL; `&mut *transaction` is an executor of sqlx.
pub type PostgresTransaction = Lent<Transaction<'static, Postgres>>;
/// A lent connection to a SQLite file.
pub type FileConnection = Lent<PoolConnection<Sqlite>>;
/// A transaction on a SQLite file.
pub type FileTransaction = Lent<Transaction<'static, Sqlite>>;

impl PostgresClient<'_> {
    /// Lends a connection.
    ///
    /// # Errors
    /// [`ManagerError::Source`]: the server does not let us in, or all connections of the client are lent for longer than
    /// 10 s.
    pub async fn acquire(&self) -> Result<PostgresConnection, ManagerError> {
        let (inner, turn) = self.pool.acquire().await.map_err(|failure| self.handle.failed(failure))?;
        Ok(Lent { inner, _turn: Some(turn), _handle: self.handle.clone() })
    }

    /// Begins a transaction on a lent connection.
    ///
    /// # Errors
    /// As [`PostgresClient::acquire`].
    pub async fn begin(&self) -> Result<PostgresTransaction, ManagerError> {
        let (connection, turn) = self.pool.acquire().await.map_err(|failure| self.handle.failed(failure))?;
        let begun = Transaction::begin(connection, None).await;
        let inner = begun.map_err(|error| self.handle.failed(self.pool.failure(&error)))?;
        Ok(Lent { inner, _turn: Some(turn), _handle: self.handle.clone() })
    }
}

impl SqliteClient<'_> {
    /// Lends a connection.
    ///
    /// # Errors
    /// [`ManagerError::Source`]: the file does not open, or all connections of the client are lent for longer than 10 s.
    pub async fn acquire(&self) -> Result<FileConnection, ManagerError> {
        let inner = self.pool.acquire().await.map_err(|failure| self.handle.failed(failure))?;
        Ok(Lent { inner, _turn: None, _handle: self.handle.clone() })
    }

    /// Begins a transaction on a lent connection.
    ///
    /// # Errors
    /// As [`SqliteClient::acquire`].
    pub async fn begin(&self) -> Result<FileTransaction, ManagerError> {
        let connection = self.pool.acquire().await.map_err(|failure| self.handle.failed(failure))?;
        let begun = Transaction::begin(connection, None).await;
        let inner = begun.map_err(|error| self.handle.failed(crate::diagnosis::sqlite(&error)))?;
        Ok(Lent { inner, _turn: None, _handle: self.handle.clone() })
    }
}

macro_rules! derefs {
    ($($lent:ty => $target:ty),*) => {
        $(
            impl Deref for $lent {
                type Target = $target;

                fn deref(&self) -> &$target {
                    &self.inner
                }
            }

            impl DerefMut for $lent {
                fn deref_mut(&mut self) -> &mut $target {
                    &mut self.inner
                }
            }
        )*
    };
}

derefs! {
    PostgresConnection => PgConnection, PostgresTransaction => PgConnection,
    FileConnection => SqliteConnection, FileTransaction => SqliteConnection
}

impl PostgresTransaction {
    /// Makes what was done last.
    ///
    /// # Errors
    /// The driver's error; a connection that breaks here leaves it unknown whether the server did.
    pub async fn commit(self) -> Result<(), sqlx::Error> {
        self.inner.commit().await
    }

    /// Takes back what was done, as dropping does.
    ///
    /// # Errors
    /// The driver's error.
    pub async fn rollback(self) -> Result<(), sqlx::Error> {
        self.inner.rollback().await
    }
}

impl FileTransaction {
    /// Makes what was done last.
    ///
    /// # Errors
    /// The driver's error.
    pub async fn commit(self) -> Result<(), sqlx::Error> {
        self.inner.commit().await
    }

    /// Takes back what was done, as dropping does.
    ///
    /// # Errors
    /// The driver's error.
    pub async fn rollback(self) -> Result<(), sqlx::Error> {
        self.inner.rollback().await
    }
}
