//! The application database on PostgreSQL, over sqlx.

use std::str::FromStr;

use sqlx::postgres::{PgConnectOptions, PgRow};
use sqlx::{ConnectOptions, Connection, Executor, PgConnection, Row, raw_sql};
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::query::{Dialect, tenant};
use super::{CONNECT_LIMIT, CatalogueError, QUERY_LIMIT, Schema};
use crate::diagnosis;
use crate::failure::{Failure, FailureClass};
use crate::sanitize::printable;
use crate::secret::Secret;
use crate::tenant::Tenant;
use crate::url::passwords;

/// The columns of the table that the search path leads to. An empty answer means that there is none.
const COLUMNS: &str = "SELECT attname::text, format_type(atttypid, atttypmod) FROM pg_attribute \
                       WHERE attrelid = to_regclass('tenants') AND attnum > 0 AND NOT attisdropped";

/// A PostgreSQL server with a `tenants` table.
pub struct PostgresCatalogue {
    options: PgConnectOptions,
    /// For hiding them where the server repeats them.
    passwords: Vec<Secret>,
    address: String,
    schema: Schema,
    connection: Mutex<Option<PgConnection>>,
}

impl PostgresCatalogue {
    pub(super) async fn open(url: &Secret) -> Result<Self, CatalogueError> {
        // The operator's own database: environment and `.pgpass` count, as with libpq. The parser's errors repeat
        // what it could not read, so they are not passed on.
        let options = PgConnectOptions::from_str(url.expose())
            .map_err(|_| CatalogueError::Url { reason: "it is no postgres:// URL that can be read" })?;
        let name = options.get_application_name().unwrap_or("boothds").to_owned();
        let options = options
            .application_name(&name)
            // A parameter of start-up that PgBouncer refuses unless it is told to ignore it.
            .extra_float_digits(None)
            .disable_statement_logging();
        let address = address_of(&options);
        let passwords = passwords(url.expose());
        let mut connection = connect(&options, &passwords, &address).await?;
        let columns = ask(&mut connection, COLUMNS, &passwords, &address, |row: &PgRow| {
            Ok((row.try_get(0)?, row.try_get(1)?))
        })
        .await?;
        let schema = Schema::check(Dialect::Postgres, &columns, &address)?;
        Ok(Self { options, passwords, address, schema, connection: Mutex::new(Some(connection)) })
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    pub(super) fn schema(&self) -> &Schema {
        &self.schema
    }

    pub(super) async fn number(&self, sql: &str) -> Result<u64, CatalogueError> {
        let rows = self.rows(sql, |row| row.try_get::<String, _>(0)).await?;
        Ok(rows.first().and_then(|count| count.parse().ok()).unwrap_or(0))
    }

    pub(super) async fn tenants(&self, sql: &str) -> Result<Vec<Tenant>, CatalogueError> {
        self.rows(sql, |row| tenant(|at| row.try_get(at))).await
    }

    pub(super) async fn close(self) {
        if let Some(connection) = self.connection.into_inner() {
            let _ = timeout(CONNECT_LIMIT, connection.close()).await;
        }
    }

    async fn rows<T>(
        &self,
        sql: &str,
        read: impl Fn(&PgRow) -> Result<T, sqlx::Error>,
    ) -> Result<Vec<T>, CatalogueError> {
        let mut kept = self.connection.lock().await;
        let mut connection = match kept.take() {
            Some(connection) => connection,
            None => connect(&self.options, &self.passwords, &self.address).await?,
        };
        let rows = ask(&mut connection, sql, &self.passwords, &self.address, read).await?;
        *kept = Some(connection);
        Ok(rows)
    }
}

impl std::fmt::Debug for PostgresCatalogue {
    // `PgConnectOptions` prints its password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PostgresCatalogue({})", self.address)
    }
}

async fn connect(
    options: &PgConnectOptions,
    passwords: &[Secret],
    address: &str,
) -> Result<PgConnection, CatalogueError> {
    let failed = |source| CatalogueError::Connect { address: address.to_owned(), source };
    match timeout(CONNECT_LIMIT, PgConnection::connect_with(options)).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(error)) => Err(failed(diagnosis::postgres(&error, passwords))),
        Err(_) => Err(failed(late(CONNECT_LIMIT))),
    }
}

async fn ask<T>(
    connection: &mut PgConnection,
    sql: &str,
    passwords: &[Secret],
    address: &str,
    read: impl Fn(&PgRow) -> Result<T, sqlx::Error>,
) -> Result<Vec<T>, CatalogueError> {
    let failed = |source| CatalogueError::Query { address: address.to_owned(), source };
    match timeout(QUERY_LIMIT, connection.fetch_all(raw_sql(sql))).await {
        Ok(rows) => rows
            .and_then(|rows| rows.iter().map(read).collect())
            .map_err(|error| failed(diagnosis::postgres(&error, passwords))),
        Err(_) => Err(failed(late(QUERY_LIMIT))),
    }
}

fn late(limit: std::time::Duration) -> Failure {
    Failure::with(FailureClass::Timeout, format!("{} s", limit.as_secs()))
}

fn address_of(options: &PgConnectOptions) -> String {
    let database = printable(options.get_database().unwrap_or(options.get_username())).into_owned();
    let socket = options.get_socket().map(|path| path.to_string_lossy().into_owned());
    let host = socket.unwrap_or_else(|| options.get_host().to_owned());
    let host = printable(&host);
    if host.starts_with('/') {
        return format!("postgres:///{database}?host={host}");
    }
    let host =
        if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host.into_owned() };
    let port = if options.get_port() == 5432 { String::new() } else { format!(":{}", options.get_port()) };
    format!("postgres://{host}{port}/{database}")
}
