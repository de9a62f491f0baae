//! The application database in a SQLite file, over sqlx: the embedded fleet of `demo`, small installations.

use std::path::PathBuf;

use sqlx::sqlite::SqliteRow;
use sqlx::{Connection, Executor, Row, SqliteConnection, raw_sql};
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::query::{Dialect, tenant};
use super::{CONNECT_LIMIT, CatalogueError, QUERY_LIMIT, Schema, machine};
use crate::diagnosis;
use crate::failure::{Failure, FailureClass};
use crate::secret::Secret;
use crate::sqlite_file::{self, Presence};
use crate::tenant::Tenant;
use crate::url::{Address, SourceUrl};

pub(super) const COLUMNS: &str = "SELECT name, lower(type) FROM pragma_table_info('tenants')";

/// A SQLite file with a `tenants` table.
#[derive(Debug)]
pub struct SqliteCatalogue {
    address: String,
    schema: Schema,
    connection: Mutex<SqliteConnection>,
    _presence: Presence,
}

impl SqliteCatalogue {
    pub(super) async fn open(url: &Secret) -> Result<Self, CatalogueError> {
        let path = path_of(url)?;
        let address = Address::Sqlite(path.clone()).endpoint();
        let failed = |source| CatalogueError::Connect { address: address.clone(), source };
        let opened = timeout(CONNECT_LIMIT, sqlite_file::open(&path)).await;
        let (mut connection, presence) =
            opened.unwrap_or_else(|_| Err(Failure::new(FailureClass::Timeout))).map_err(failed)?;
        let columns = ask(&mut connection, COLUMNS, |row| Ok((row.try_get(0)?, row.try_get(1)?))).await;
        let schema = Schema::check(Dialect::Sqlite, &columns.map_err(failed)?, &address)?;
        Ok(Self { address, schema, connection: Mutex::new(connection), _presence: presence })
    }

    /// See [`super::Catalogue::identity`]. A file has one name, whatever links lead to it.
    pub(super) fn identity(url: &Secret) -> Result<String, CatalogueError> {
        let path = path_of(url)?;
        let path = path.canonicalize().unwrap_or(path);
        Ok(format!("{}:{}", machine(), Address::Sqlite(path).endpoint()))
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
        let _ = self.connection.into_inner().close().await;
    }

    pub(super) async fn rows<T>(
        &self,
        sql: &str,
        read: impl Fn(&SqliteRow) -> Result<T, sqlx::Error>,
    ) -> Result<Vec<T>, CatalogueError> {
        let asked = ask(&mut *self.connection.lock().await, sql, read).await;
        asked.map_err(|source| CatalogueError::Query { address: self.address.clone(), source })
    }
}

async fn ask<T>(
    connection: &mut SqliteConnection,
    sql: &str,
    read: impl Fn(&SqliteRow) -> Result<T, sqlx::Error>,
) -> Result<Vec<T>, Failure> {
    let rows = timeout(QUERY_LIMIT, connection.fetch_all(raw_sql(sql))).await;
    let rows = rows.map_err(|_| Failure::new(FailureClass::Timeout))?;
    rows.and_then(|rows| rows.iter().map(read).collect()).map_err(|error| diagnosis::sqlite(&error))
}

/// The text of a column, whatever its bytes: SQLite checks none, and one such row must not hide the others. What is no
/// UTF-8 is replaced, and then fails as the URL or key it is not.
fn text(row: &SqliteRow, at: usize) -> Result<Option<String>, sqlx::Error> {
    let bytes: Option<Vec<u8>> = row.try_get_unchecked(at)?;
    Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}

/// The absolute path in a `sqlite:` URL.
pub(super) fn path_of(url: &Secret) -> Result<PathBuf, CatalogueError> {
    match SourceUrl::new(url.expose().to_owned()).parse() {
        Ok(Address::Sqlite(path)) => Ok(std::path::absolute(&path).unwrap_or(path)),
        _ => Err(CatalogueError::Url { reason: "it is no sqlite:PATH that can be read" }),
    }
}
