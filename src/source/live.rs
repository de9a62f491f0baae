//! A data source in service: connections that are kept and lent, or an HTTP client with the headers set.
//!
//! A file of its own beside the questions of a test: a test opens a connection, asks and closes it; here connections
//! outlive the request that opened them. Nothing connects when a [`Live`] is made: the first who needs a connection
//! opens it, and [`Live::keep_minimum`] opens in the background what the row wants kept open.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::PgPoolOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{ConnectOptions, Connection, PgPool, Postgres, Sqlite, SqlitePool};
use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::rest::RestClient;
use super::{Connector, Login, postgres};
use crate::diagnosis;
use crate::driver::{Apart, apart};
use crate::failure::{Failure, FailureClass};
use crate::secret::Secret;
use crate::sqlite_file::Presence;
use crate::tenant::PoolConfig;

/// The most connections that one client may hold, whatever its row says.
pub const MAX_CONNECTIONS: u32 = 100;
/// The most connections that one client keeps open unused, whatever its row says.
pub const MAX_MINIMUM: u32 = 10;
/// The bounds of a client whose row has none, or some that cannot be read: the default of the column, but for a
/// minimum that nobody asked for.
pub const DEFAULT_BOUNDS: PoolConfig = PoolConfig { min: 0, max: 10 };

/// How long a request waits for a connection: for another request to give one back, or for the server.
const ACQUIRE_LIMIT: Duration = Duration::from_secs(10);
/// How long an idle connection may take to show that it is alive.
const PING_LIMIT: Duration = Duration::from_secs(2);
/// An unused connection above the minimum is closed after this time.
const IDLE_LIMIT: Duration = Duration::from_secs(10 * 60);
/// Every connection is closed after this time: servers and poolers forget, and fail over.
const AGE_LIMIT: Duration = Duration::from_secs(30 * 60);

/// A data source in service.
#[derive(Debug)]
pub enum Live {
    /// A Supabase project, over HTTP.
    Supabase(RestClient),
    /// A PostgreSQL server.
    Postgres(PostgresPool),
    /// A SQLite file.
    Sqlite(FilePool),
}

/// Connections to a PostgreSQL server, as one user.
pub struct PostgresPool {
    pool: PgPool,
    /// Hidden in what the server says.
    secrets: Vec<Secret>,
    minimum: u32,
    filling: Arc<AtomicBool>,
    /// As many as connections may be lent.
    turns: Arc<Semaphore>,
}

/// The right to one of the connections; goes back when dropped, after the connection.
#[derive(Debug)]
pub struct Turn(#[expect(dead_code, reason = "it is held, not read")] OwnedSemaphorePermit);

/// Connections to a SQLite file.
#[derive(Debug)]
pub struct FilePool {
    pool: SqlitePool,
    path: PathBuf,
    presence: OnceCell<Presence>,
}

impl Live {
    /// Makes a client of a login, without connecting. Must be called on a Tokio runtime.
    ///
    /// # Errors
    /// A [`Failure`] of what is known without asking: an environment that would leak, a key that no header can carry.
    pub fn new(connector: &Connector, login: &Login, bounds: PoolConfig) -> Result<Self, Failure> {
        match login {
            Login::Supabase { base, key, kind } => {
                RestClient::new(connector, base, key, *kind).map(Self::Supabase)
            }
            Login::Postgres(address) => {
                let options = PgPoolOptions::new()
                    .max_connections(bounds.max)
                    .min_connections(0)
                    .acquire_timeout(ACQUIRE_LIMIT)
                    .idle_timeout(IDLE_LIMIT)
                    .max_lifetime(AGE_LIMIT)
                    .test_before_acquire(false);
                Ok(Self::Postgres(PostgresPool {
                    pool: options.connect_lazy_with(postgres::options(address)?),
                    secrets: address.password.iter().cloned().collect(),
                    minimum: bounds.min,
                    filling: Arc::default(),
                    turns: Arc::new(Semaphore::new(usize::try_from(bounds.max).unwrap_or(usize::MAX))),
                }))
            }
            Login::Sqlite(path) => Ok(Self::Sqlite(FilePool::new(path, bounds))),
        }
    }

    /// The bounds of a client, from the text of its row's `connection_pool_config`: at most [`MAX_CONNECTIONS`], of which
    /// at most [`MAX_MINIMUM`] are kept open; [`DEFAULT_BOUNDS`] for a text that is no such configuration.
    #[must_use]
    pub fn bounds(pool_config: Option<&str>) -> PoolConfig {
        let wanted = pool_config.and_then(PoolConfig::parse).unwrap_or(DEFAULT_BOUNDS);
        let max = wanted.max.min(MAX_CONNECTIONS);
        PoolConfig { min: wanted.min.min(max).min(MAX_MINIMUM), max }
    }

    /// Opens connections in the background until there are as many as the row wants kept open. Does nothing where
    /// there are, or where that is under way.
    pub fn keep_minimum(&self) {
        if let Self::Postgres(pool) = self {
            pool.keep_minimum();
        }
    }

    /// Closes what is idle at once and the rest when it comes back; nothing is lent any more. What is returned does not
    /// borrow from the client, whose end it may outlive.
    pub fn close(&self) -> impl Future<Output = ()> + Send + use<> {
        let (server, file) = match self {
            Self::Supabase(_) => (None, None),
            Self::Postgres(pool) => (Some(pool.pool.clone()), None),
            Self::Sqlite(pool) => (None, Some(pool.pool.clone())),
        };
        async move {
            if let Some(pool) = server {
                pool.close().await;
            }
            if let Some(pool) = file {
                pool.close().await;
            }
        }
    }
}

impl PostgresPool {
    /// Lends a connection that has just shown to be alive, or a new one.
    ///
    /// # Errors
    /// A [`Failure`]; [`FailureClass::TooManyConnections`] when all are lent for longer than 10 s.
    pub async fn acquire(&self) -> Result<(PoolConnection<Postgres>, Turn), Failure> {
        let turn = timeout(ACQUIRE_LIMIT, Arc::clone(&self.turns).acquire_owned()).await;
        let turn = turn.map_err(|_| {
            let most = self.pool.options().get_max_connections();
            let detail = format!("all {most} connections of this client are lent");
            Failure::with(FailureClass::TooManyConnections, detail)
        })?;
        let turn = Turn(turn.map_err(|_| Failure::new(FailureClass::Closed))?);
        while let Some(mut idle) = self.pool.try_acquire() {
            match timeout(PING_LIMIT, idle.ping()).await {
                Ok(Ok(())) => return Ok((idle, turn)),
                // Dead: it must not go back.
                Ok(Err(_)) => drop(idle.detach()),
                Err(_) => {
                    // Nobody there: the others would take as long to show it.
                    drop(idle.detach());
                    while let Some(other) = self.pool.try_acquire() {
                        drop(other.detach());
                    }
                }
            }
        }
        match connect(self.pool.clone()).await {
            Ok(Ok(connection)) => Ok((connection, turn)),
            Ok(Err(sqlx::Error::PoolTimedOut)) => Err(Failure::new(FailureClass::Timeout)),
            Ok(Err(error)) => Err(diagnosis::postgres(&error, &self.secrets)),
            Err(why) => Err(diagnosis::apart(why)),
        }
    }

    /// The words of an error that a query brought, without a password in it.
    #[must_use]
    pub fn failure(&self, error: &sqlx::Error) -> Failure {
        diagnosis::postgres(error, &self.secrets)
    }

    fn keep_minimum(&self) {
        if self.pool.size() >= self.minimum || self.filling.swap(true, Ordering::AcqRel) {
            return;
        }
        let (pool, minimum, filling) = (self.pool.clone(), self.minimum, Arc::clone(&self.filling));
        let turns = Arc::clone(&self.turns);
        tokio::spawn(async move {
            let mut held = Vec::new();
            while pool.size() < minimum {
                // Where all are lent there are enough of them.
                let Ok(turn) = Arc::clone(&turns).try_acquire_owned() else { break };
                match connect(pool.clone()).await {
                    Ok(Ok(connection)) => held.push((connection, turn)),
                    // Whoever asks for a connection meets the same failure, and is told.
                    _ => break,
                }
            }
            drop(held);
            filling.store(false, Ordering::Release);
        });
    }
}

/// Opens a connection, apart: no server is trusted with the runtime's own threads. Who calls has a turn, and so waits for
/// the server only, not for another's connection, with a thread in hand.
async fn connect(pool: PgPool) -> Result<Result<PoolConnection<Postgres>, sqlx::Error>, Apart> {
    apart(ACQUIRE_LIMIT, async move { pool.acquire().await }).await
}

impl std::fmt::Debug for PostgresPool {
    // The options within the pool print their password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PostgresPool({} of {})", self.pool.size(), self.pool.options().get_max_connections())
    }
}

impl FilePool {
    /// A file that must exist; whoever can write it may.
    fn new(path: &Path, bounds: PoolConfig) -> Self {
        // An absolute path is no name that SQLite would take for something else, such as `:memory:` or `file:…`.
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .create_if_missing(false)
            .busy_timeout(Duration::from_secs(5))
            .disable_statement_logging();
        let pool = SqlitePoolOptions::new()
            .max_connections(bounds.max)
            .min_connections(0)
            .acquire_timeout(ACQUIRE_LIMIT)
            .idle_timeout(IDLE_LIMIT)
            .max_lifetime(AGE_LIMIT)
            .test_before_acquire(false);
        Self { pool: pool.connect_lazy_with(options), path, presence: OnceCell::new() }
    }

    /// Lends a connection.
    ///
    /// # Errors
    /// A [`Failure`].
    pub async fn acquire(&self) -> Result<PoolConnection<Sqlite>, Failure> {
        let present = async || {
            let path = self.path.clone();
            tokio::task::spawn_blocking(move || Presence::new(&path)).await
        };
        self.presence.get_or_try_init(present).await.map_err(|_| Failure::new(FailureClass::Internal))?;
        self.pool.acquire().await.map_err(|error| match error {
            sqlx::Error::PoolTimedOut => {
                let most = self.pool.options().get_max_connections();
                let detail = format!("all {most} connections of this client are lent");
                Failure::with(FailureClass::TooManyConnections, detail)
            }
            error => diagnosis::sqlite(&error),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bounds_of_a_row_hold_within_our_own() {
        let of = |text| {
            let bounds = Live::bounds(text);
            (bounds.min, bounds.max)
        };
        assert_eq!(of(Some(r#"{"min":2,"max":10}"#)), (2, 10));
        assert_eq!(of(Some(r#"{"min":50,"max":4000}"#)), (10, 100));
        for text in [None, Some("null"), Some(r#"{"min":3,"max":1}"#), Some("nonsense")] {
            assert_eq!(of(text), (0, 10), "{text:?}");
        }
    }
}
