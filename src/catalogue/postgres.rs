//! The application database on PostgreSQL, over sqlx.

use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgRow};
use sqlx::{ConnectOptions, Connection, Executor, PgConnection, Row, ValueRef, raw_sql};
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::query::{Dialect, tenant};
use super::{CONNECT_LIMIT, CatalogueError, QUERY_LIMIT, Schema, machine};
use crate::diagnosis;
use crate::driver::{Apart, apart};
use crate::failure::{Failure, FailureClass};
use crate::sanitize::printable;
use crate::secret::Secret;
use crate::tenant::Tenant;
use crate::url::{is_this_machine, passwords};

/// The columns of the table that the search path leads to. An empty answer means that there is none.
pub(super) const COLUMNS: &str = "SELECT attname::text, pg_catalog.format_type(atttypid, atttypmod) FROM pg_catalog.pg_attribute \
                       WHERE attrelid = pg_catalog.to_regclass('tenants') AND attnum > 0 AND NOT attisdropped";

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
        let Target { options, passwords, address } = Target::of(url)?;
        let connection = connect(&options, &passwords, &address).await?;
        let (connection, columns) = ask(connection, COLUMNS, &passwords, &address, |row: &PgRow| {
            Ok((row.try_get(0)?, row.try_get(1)?))
        })
        .await?;
        let schema = Schema::check(Dialect::Postgres, &columns, &address)?;
        Ok(Self { options, passwords, address, schema, connection: Mutex::new(Some(connection)) })
    }

    /// See [`super::Catalogue::identity`].
    pub(super) fn identity(url: &Secret) -> Result<String, CatalogueError> {
        let Target { options, .. } = Target::of(url)?;
        let host = options.get_host().to_ascii_lowercase();
        let local = options.get_socket().is_some() || host.starts_with('/') || is_this_machine(&host);
        let machine = if local { format!("{}:", machine()) } else { String::new() };
        Ok(format!("{machine}{}", address_of(&options.host(&host))))
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    pub(super) fn schema(&self) -> &Schema {
        &self.schema
    }

    pub(super) async fn texts(&self, sql: &str) -> Result<Vec<String>, CatalogueError> {
        self.rows(sql, |row| row.try_get(0)).await
    }

    pub(super) async fn tenants(&self, sql: &str) -> Result<Vec<Tenant>, CatalogueError> {
        self.rows(sql, |row| tenant(|at| text(row, at))).await
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
        if let Some(connection) = kept.take() {
            match ask(connection, sql, &self.passwords, &self.address, &read).await {
                Ok((connection, rows)) => {
                    *kept = Some(connection);
                    return Ok(rows);
                }
                // Unused for the minutes that a page of tenants takes, it may have been ended by a pooler or a
                // firewall. Every question only reads, so it can be asked again, once.
                Err(CatalogueError::Query { source, .. }) if source.class.is_transient() => {}
                Err(error) => return Err(error),
            }
        }
        let connection = connect(&self.options, &self.passwords, &self.address).await?;
        let (connection, rows) = ask(connection, sql, &self.passwords, &self.address, &read).await?;
        *kept = Some(connection);
        Ok(rows)
    }
}

/// How a server is connected to, and how it is named.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) options: PgConnectOptions,
    /// For hiding them where the server repeats them.
    pub(super) passwords: Vec<Secret>,
    pub(super) address: String,
}

impl Target {
    /// What the operator's URL means.
    pub(super) fn of(url: &Secret) -> Result<Self, CatalogueError> {
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
        Ok(Self { options, passwords: passwords(url.expose()), address })
    }
}

impl std::fmt::Debug for PostgresCatalogue {
    // `PgConnectOptions` prints its password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PostgresCatalogue({})", self.address)
    }
}

pub(super) async fn connect(
    options: &PgConnectOptions,
    passwords: &[Secret],
    address: &str,
) -> Result<PgConnection, CatalogueError> {
    let options = options.clone();
    let connected = apart(CONNECT_LIMIT, async move { PgConnection::connect_with(&options).await }).await;
    connected
        .map_err(|why| late(why, CONNECT_LIMIT))
        .and_then(|connected| connected.map_err(|error| diagnosis::postgres(&error, passwords)))
        .map_err(|source| CatalogueError::Connect { address: address.to_owned(), source })
}

/// The connection comes back with the rows; after an error it is dropped.
pub(super) async fn ask<T>(
    mut connection: PgConnection,
    sql: &str,
    passwords: &[Secret],
    address: &str,
    read: impl Fn(&PgRow) -> Result<T, sqlx::Error>,
) -> Result<(PgConnection, Vec<T>), CatalogueError> {
    let sql = sql.to_owned();
    let asked = apart(QUERY_LIMIT, async move {
        let rows = connection.fetch_all(raw_sql(&sql)).await;
        rows.map(|rows| (connection, rows))
    });
    asked
        .await
        .map_err(|why| late(why, QUERY_LIMIT))
        .and_then(|asked| {
            let (connection, rows) = asked.map_err(|error| diagnosis::postgres(&error, passwords))?;
            let rows = rows.iter().map(read).collect::<Result<_, _>>();
            Ok((connection, rows.map_err(|error| diagnosis::postgres(&error, passwords))?))
        })
        .map_err(|source| CatalogueError::Query { address: address.to_owned(), source })
}

/// The text of a column, whatever its bytes: a database in `SQL_ASCII` holds any, and one such row must not hide the
/// others. What is no UTF-8 is replaced, and then fails as the URL or key it is not.
pub(super) fn text(row: &PgRow, at: usize) -> Result<Option<String>, sqlx::Error> {
    let value = row.try_get_raw(at)?;
    if value.is_null() {
        return Ok(None);
    }
    let bytes = value.as_bytes().map_err(sqlx::Error::Decode)?;
    Ok(Some(String::from_utf8_lossy(bytes).into_owned()))
}

pub(super) fn late(why: Apart, limit: Duration) -> Failure {
    let mut failure = diagnosis::apart(why);
    if failure.class == FailureClass::Timeout {
        failure.detail = Some(format!("{} s", limit.as_secs()));
    }
    failure
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
