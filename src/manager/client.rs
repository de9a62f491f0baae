//! A client of one tenant's data source, and the handles by which it is lent.
//!
//! One word counts the handles that are out and says whether the client has left the pool. So whether a client is idle,
//! and that it is handed to nobody once it was chosen to be closed, is one atomic step, without a lock on the way of a
//! request. A client that has left is closed when its last handle comes back; connections hold a handle.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use sqlx::pool::PoolConnection;
use sqlx::{PgConnection, Postgres, Sqlite, SqliteConnection, Transaction};

use super::configs::Config;
use super::error::ManagerError;
use crate::failure::Failure;
use crate::source::{FilePool, Live, PostgresPool, RestClient, Turn};
use crate::tenant::{Role, TenantId};
use crate::url::Kind;

/// In [`Client::leases`]: the client has left the pool. The bits below count handles.
const LEFT: usize = 1 << (usize::BITS - 1);

/// A client in the pool, or one that has left it and is still in use.
// What a hit touches comes first, beside the counts of its `Arc`: with thousands of clients the time of a hit is the
// number of cache lines it fetches.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Client {
    leases: AtomicUsize,
    /// When it was last lent, in ticks.
    pub(super) used: AtomicU64,
    /// In ticks.
    pub(super) expires: u64,
    /// Until when, in ticks, its configuration is known to hold.
    pub(super) verified: AtomicU64,
    pub(super) role: Role,
    closing: AtomicBool,
    pub(super) config: Arc<Config>,
    pub(super) live: Live,
}

impl Client {
    pub(super) fn new(role: Role, config: Arc<Config>, live: Live, expires: u64, now: u64) -> Self {
        Self {
            role,
            verified: AtomicU64::new(config.expires),
            config,
            live,
            expires,
            used: AtomicU64::new(now),
            leases: AtomicUsize::new(0),
            closing: AtomicBool::new(false),
        }
    }

    pub(super) fn tenant(&self) -> &TenantId {
        &self.config.tenant.id
    }

    /// Whether its configuration is known to hold.
    pub(super) fn is_verified(&self, now: u64) -> bool {
        now < self.verified.load(Ordering::Acquire)
    }

    /// A handle; none of a client that has left the pool.
    pub(super) fn lend(self: &Arc<Self>) -> Option<TenantClient> {
        if self.leases.fetch_add(1, Ordering::AcqRel) & LEFT != 0 {
            self.give_back();
            return None;
        }
        Some(TenantClient(Arc::clone(self)))
    }

    fn give_back(self: &Arc<Self>) {
        if self.leases.fetch_sub(1, Ordering::AcqRel) == LEFT | 1 {
            self.close_in_background();
        }
    }

    /// Whether nobody has a handle.
    pub(super) fn is_idle(&self) -> bool {
        self.leases.load(Ordering::Acquire) & !LEFT == 0
    }

    /// Marks it as gone, if nobody has a handle. The caller closes it.
    pub(super) fn leave_if_idle(&self) -> bool {
        let left = self.leases.compare_exchange(0, LEFT, Ordering::AcqRel, Ordering::Acquire).is_ok();
        if left {
            self.closing.store(true, Ordering::Release);
        }
        left
    }

    /// Marks it as gone; it is closed now, or when the last handle comes back.
    pub(super) fn leave(self: &Arc<Self>) {
        if self.leases.fetch_or(LEFT, Ordering::AcqRel) == 0 {
            self.close_in_background();
        }
    }

    fn close_in_background(self: &Arc<Self>) {
        // Without a runtime the sockets are just dropped, with the client.
        if !self.closing.swap(true, Ordering::AcqRel)
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let client = Arc::clone(self);
            runtime.spawn(async move { client.live.close().await });
        }
    }
}

/// A handle to one tenant's data source, as one role. As long as it or a connection of it is out, the client counts as
/// in use and is not closed to make room. Cheap to clone.
#[derive(Debug)]
pub struct TenantClient(Arc<Client>);

impl Clone for TenantClient {
    fn clone(&self) -> Self {
        self.0.leases.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(&self.0))
    }
}

impl Drop for TenantClient {
    fn drop(&mut self) {
        self.0.give_back();
    }
}

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
