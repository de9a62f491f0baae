//! The application database in a SQLite file, over sqlx: the embedded fleet of `demo`, small installations.

use std::path::PathBuf;

use sqlx::sqlite::{SqliteConnectOptions, SqliteRow};
use sqlx::{ConnectOptions, Connection, Executor, Row, SqliteConnection, raw_sql};
use tokio::sync::Mutex;

use super::query::{Dialect, tenant};
use super::{CatalogueError, Schema};
use crate::diagnosis;
use crate::failure::{Failure, FailureClass};
use crate::secret::Secret;
use crate::tenant::Tenant;
use crate::url::{Address, SourceUrl};

const COLUMNS: &str = "SELECT name, lower(type) FROM pragma_table_info('tenants')";

/// A SQLite file with a `tenants` table.
#[derive(Debug)]
pub struct SqliteCatalogue {
    address: String,
    schema: Schema,
    connection: Mutex<SqliteConnection>,
}

impl SqliteCatalogue {
    pub(super) async fn open(url: &Secret) -> Result<Self, CatalogueError> {
        let parsed = SourceUrl::new(url.expose().to_owned()).parse();
        let Ok(Address::Sqlite(path)) = parsed else {
            return Err(CatalogueError::Url { reason: "it is no sqlite:PATH that can be read" });
        };
        // An absolute path is no name that SQLite would take for something else, such as `:memory:` or `file:…`.
        let path: PathBuf = std::path::absolute(&path).unwrap_or(path);
        let address = Address::Sqlite(path.clone()).endpoint();
        let failed = |source| CatalogueError::Connect { address: address.clone(), source };
        if !path.exists() {
            return Err(failed(Failure::new(FailureClass::FileMissing)));
        }
        // Nothing is written here, and a missing file must not be made.
        let options = SqliteConnectOptions::new().filename(&path).read_only(true).disable_statement_logging();
        let mut connection = SqliteConnection::connect_with(&options)
            .await
            .map_err(|error| failed(diagnosis::sqlite(&error)))?;
        let columns = connection
            .fetch_all(raw_sql(COLUMNS))
            .await
            .and_then(|rows| {
                rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect::<Result<Vec<_>, _>>()
            })
            .map_err(|error| failed(diagnosis::sqlite(&error)))?;
        let schema = Schema::check(Dialect::Sqlite, &columns, &address)?;
        Ok(Self { address, schema, connection: Mutex::new(connection) })
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
        self.rows(sql, |row| tenant(|at| text(row, at))).await
    }

    pub(super) async fn close(self) {
        let _ = self.connection.into_inner().close().await;
    }

    async fn rows<T>(
        &self,
        sql: &str,
        read: impl Fn(&SqliteRow) -> Result<T, sqlx::Error>,
    ) -> Result<Vec<T>, CatalogueError> {
        let mut connection = self.connection.lock().await;
        connection.fetch_all(raw_sql(sql)).await.and_then(|rows| rows.iter().map(read).collect()).map_err(
            |error| CatalogueError::Query {
                address: self.address.clone(),
                source: diagnosis::sqlite(&error),
            },
        )
    }
}

/// The text of a column, whatever its bytes: SQLite checks none, and one such row must not hide the others. What is no
/// UTF-8 is replaced, and then fails as the URL or key it is not.
fn text(row: &SqliteRow, at: usize) -> Result<Option<String>, sqlx::Error> {
    let bytes: Option<Vec<u8>> = row.try_get_unchecked(at)?;
    Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}
