//! Rewriting keys in a SQLite file.
//!
//! A transaction that writes begins `IMMEDIATE`: from then on nobody else writes to the file, and the rows are locked all
//! together. Rows are told apart by their `rowid`, because a primary key of text may be null here. What a run that was
//! killed has left half-done SQLite undoes when the file is opened for writing, which is here and not in [`super::super`].

use std::collections::HashMap;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sqlx::sqlite::{SqliteConnectOptions, SqliteRow};
use sqlx::{ConnectOptions, Connection, Executor, Row, SqliteConnection, raw_sql};
use tokio::time::{sleep, timeout};

use super::rehearse::other_columns;
use super::{
    Change, Commit, Holder, Next, Place, Probe, RewriteError, RewriteOptions, RowCounts, Stored, StoredKey,
    StoredRow, Versions, verdict,
};
use crate::catalogue::query::Dialect;
use crate::catalogue::sqlite::COLUMNS;
use crate::catalogue::{CONNECT_LIMIT, CatalogueError, QUERY_LIMIT, Schema};
use crate::diagnosis;
use crate::failure::{Failure, FailureClass};
use crate::secret::Secret;
use crate::sql::sqlite_literal;
use crate::tenant::{Role, TenantId};
use crate::url::{Address, SourceUrl};

/// The pause between two attempts to take the lock.
const TRY_AGAIN: Duration = Duration::from_millis(100);

const HAS_KEY: &str = "(data_source_anon_key <> '' OR data_source_service_key <> '')";

const SELECT: &str = "SELECT CAST(_rowid_ AS text), CAST(id AS blob), CAST(subdomain AS blob), \
                      CAST(data_source_anon_key AS blob), CAST(data_source_service_key AS blob) FROM tenants";

/// A SQLite file whose keys are rewritten.
#[derive(Debug)]
pub struct SqliteRewriter {
    path: PathBuf,
    address: String,
    options: RewriteOptions,
    connection: Option<SqliteConnection>,
    /// The last row that was read without a lock.
    read_to: Option<Place>,
    /// Locked against a second rotation. The folder of the file and not the file itself: closing any handle to it would
    /// drop SQLite's own locks (<https://www.sqlite.org/howtocorrupt.html#_posix_advisory_locks_canceled_by_a_separate_thread_doing_close_>).
    lock: Option<File>,
}

impl SqliteRewriter {
    pub(super) async fn open(url: &Secret, options: RewriteOptions) -> Result<Self, RewriteError> {
        let parsed = SourceUrl::new(url.expose().to_owned()).parse();
        let Ok(Address::Sqlite(path)) = parsed else {
            return Err(CatalogueError::Url { reason: "it is no sqlite:PATH that can be read" }.into());
        };
        let path = std::path::absolute(&path).unwrap_or(path);
        let address = Address::Sqlite(path.clone()).endpoint();
        let mut this = Self { path, address, options, connection: None, read_to: None, lock: None };
        this.connect().await?;
        let columns = this.ask("read the columns of tenants", COLUMNS.to_owned()).await?;
        let columns: Vec<(String, String)> = columns
            .iter()
            .map(|row| (lossy(row, 0).unwrap_or_default(), lossy(row, 1).unwrap_or_default()))
            .collect();
        Schema::check(Dialect::Sqlite, &columns, &this.address)?;
        let kind = "SELECT type FROM sqlite_master WHERE name = 'tenants'".to_owned();
        let kind = this.ask("read what tenants is", kind).await?;
        let rowid = this.ask("read what tenants is", "SELECT _rowid_ FROM tenants LIMIT 0".to_owned()).await;
        let reason = match (kind.first().and_then(|row| lossy(row, 0)).as_deref(), rowid) {
            (Some("table"), Ok(_)) => return Ok(this),
            (Some("table"), Err(_)) => "it has no rowid",
            _ => "it is no plain table",
        };
        Err(RewriteError::Unfit { address: this.address, reason })
    }

    async fn connect(&mut self) -> Result<(), RewriteError> {
        let failed = |source| CatalogueError::Connect { address: self.address.clone(), source };
        let path = self.path.clone();
        // Looking at a file on a dead network mount blocks; not on the runtime's own threads.
        let exists = tokio::task::spawn_blocking(move || path.exists()).await.unwrap_or(false);
        if !exists {
            return Err(failed(Failure::new(FailureClass::FileMissing)).into());
        }
        let options = SqliteConnectOptions::new()
            .filename(&self.path)
            .busy_timeout(self.options.lock_timeout)
            // A commit is on disk when it is done, and in a rollback journal's case so is the journal's removal.
            .pragma("synchronous", "EXTRA")
            .disable_statement_logging();
        let connected = timeout(CONNECT_LIMIT, SqliteConnection::connect_with(&options)).await;
        let connected = connected.map_err(|_| failed(Failure::new(FailureClass::Timeout)))?;
        self.connection = Some(connected.map_err(|error| failed(diagnosis::sqlite(&error)))?);
        Ok(())
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    pub(super) async fn begin(&mut self, writes: bool) -> Result<(), RewriteError> {
        if self.connection.is_none() {
            self.connect().await?;
        }
        let sql = if writes { "BEGIN IMMEDIATE" } else { "BEGIN" };
        self.ask("begin a transaction", sql.to_owned()).await.map(drop)
    }

    pub(super) async fn try_lock(&mut self, _apart: bool) -> Result<Option<Holder>, RewriteError> {
        let folder = self.path.parent().unwrap_or(Path::new("/"));
        let io = |error: std::io::Error| RewriteError::Refused {
            operation: "take the lock against a second rotation",
            address: self.address.clone(),
            source: Failure::with(FailureClass::FileRefused, error.to_string()),
        };
        let lock = match self.lock.take() {
            Some(lock) => lock,
            None => File::open(folder).map_err(io)?,
        };
        let locked = lock.try_lock();
        self.lock = Some(lock);
        match locked {
            Ok(()) => Ok(None),
            Err(TryLockError::WouldBlock) => {
                Ok(Some(Holder("another process of this machine has the folder locked".to_owned())))
            }
            Err(TryLockError::Error(error)) => Err(io(error)),
        }
    }

    pub(super) async fn wait_for_lock(&mut self) -> Result<(), RewriteError> {
        let start = Instant::now();
        while let Some(holder) = self.try_lock(true).await? {
            if start.elapsed() >= self.options.lock_timeout {
                return Err(RewriteError::Locked { holder });
            }
            sleep(TRY_AGAIN).await;
        }
        Ok(())
    }

    pub(super) async fn still_locked(&mut self) -> Result<(), RewriteError> {
        // The kernel takes it away from nobody.
        Ok(())
    }

    pub(super) async fn counts(&mut self) -> Result<RowCounts, RewriteError> {
        let sql = format!(
            "SELECT CAST(count(*) AS text), CAST(count(data_source_url) AS text), \
             CAST(count(*) FILTER (WHERE {HAS_KEY}) AS text) FROM tenants"
        );
        let answer = self.ask("count the rows of tenants", sql).await?;
        let number = |at| answer.first().and_then(|row| lossy(row, at)?.parse().ok()).unwrap_or(0);
        Ok(RowCounts { total: number(0), with_data_source: number(1), with_key: number(2) })
    }

    pub(super) async fn read(&mut self, limit: u32) -> Result<Vec<StoredRow>, RewriteError> {
        self.read_to = None;
        self.read_on(limit).await
    }

    pub(super) async fn read_on(&mut self, limit: u32) -> Result<Vec<StoredRow>, RewriteError> {
        let after = self.read_to.clone();
        let rows = self.lock(after.as_ref(), limit).await?;
        self.read_to = rows.last().and_then(|row| row.place.clone()).or(after);
        Ok(rows)
    }

    pub(super) async fn lock_all(&mut self) -> Result<u64, RewriteError> {
        self.read_to = None;
        Ok(self.counts().await?.with_key)
    }

    pub(super) async fn next(&mut self, next: Next<'_>) -> Result<Vec<StoredRow>, RewriteError> {
        match next {
            Next::Nothing => Ok(Vec::new()),
            Next::Behind(after, limit) => self.lock(Some(after), limit).await,
            Next::OfAll(limit) => self.read_on(limit).await,
        }
    }

    /// A row is written in its place here, so that its place says nothing of what it holds.
    pub(super) async fn stand(&mut self, _versions: &Versions) -> Result<Option<RowCounts>, RewriteError> {
        Ok(None)
    }

    /// Within a transaction that writes all rows are locked together; within one that reads nobody changes what it sees.
    pub(super) async fn lock(
        &mut self,
        after: Option<&Place>,
        limit: u32,
    ) -> Result<Vec<StoredRow>, RewriteError> {
        let after = after.map(|place| format!(" AND _rowid_ > {}", place.0)).unwrap_or_default();
        let sql = format!("{SELECT} WHERE {HAS_KEY}{after} ORDER BY _rowid_ LIMIT {limit}");
        let rows = self.ask("read the rows of tenants", sql).await?;
        Ok(rows.iter().filter_map(stored_row).collect())
    }

    pub(super) async fn named(
        &mut self,
        ids: &[&str],
        _locked: bool,
    ) -> Result<Vec<StoredRow>, RewriteError> {
        let ids: Vec<String> = ids.iter().map(|id| sqlite_literal(id)).collect();
        let sql = format!("{SELECT} WHERE CAST(id AS text) IN ({})", ids.join(", "));
        let rows = self.ask("read the rows of tenants", sql).await?;
        Ok(rows.iter().filter_map(stored_row).collect())
    }

    pub(super) async fn known(&mut self, names: &[&str]) -> Result<Vec<String>, RewriteError> {
        let names: Vec<String> = names.iter().map(|name| format!("({})", sqlite_literal(name))).collect();
        let sql = format!(
            "WITH v(name) AS (VALUES {}) SELECT v.name FROM v WHERE EXISTS (SELECT 1 FROM tenants \
             WHERE CAST(id AS text) = v.name OR CAST(subdomain AS text) = v.name)",
            names.join(", ")
        );
        let rows = self.ask("look for tenants", sql).await?;
        Ok(rows.iter().filter_map(|row| lossy(row, 0)).collect())
    }

    pub(super) async fn write(
        &mut self,
        changes: &[Change],
        next: Next<'_>,
    ) -> Result<(Vec<Stored>, Vec<StoredRow>), RewriteError> {
        let literal = |change: &Change, role: Role| {
            change.new_key(role).map_or_else(|| "NULL".to_owned(), |new| sqlite_literal(new.expose()))
        };
        let values: Vec<String> = changes
            .iter()
            .map(|change| {
                let (anon, service) = (literal(change, Role::Anon), literal(change, Role::Service));
                format!("({},{anon},{service})", change.row.version)
            })
            .collect();
        let sql = format!(
            "WITH v(version, anon, service) AS (VALUES {}) UPDATE tenants SET \
             data_source_anon_key = coalesce(v.anon, data_source_anon_key), \
             data_source_service_key = coalesce(v.service, data_source_service_key) \
             FROM v WHERE tenants._rowid_ = v.version RETURNING CAST(_rowid_ AS text), \
             CAST(data_source_anon_key AS blob), CAST(data_source_service_key AS blob)",
            values.join(",")
        );
        let written = self.ask("write the keys of tenants", sql).await?;
        // RETURNING may name no column of `v`.
        let numbers: HashMap<&str, usize> =
            changes.iter().enumerate().map(|(number, change)| (&*change.row.version, number)).collect();
        let stored = |row: &SqliteRow| {
            let version = lossy(row, 0)?;
            let change = *numbers.get(&*version)?;
            Some(Stored { change, anon: key(row, 1), service: key(row, 2), version })
        };
        let stored = written.iter().filter_map(stored).collect();
        Ok((stored, self.next(next).await?))
    }

    pub(super) async fn settle_constraints(&mut self) -> Result<(), RewriteError> {
        // Its deferred constraints are foreign keys, of which a change of two texts touches none.
        Ok(())
    }

    pub(super) async fn roll_back(&mut self) {
        // After some errors SQLite has done so itself.
        if self.ask("roll back", "ROLLBACK".to_owned()).await.is_err() {
            self.connection = None;
        }
    }

    pub(super) async fn commit(&mut self, probes: &[Probe]) -> Commit {
        let Err(error) = self.ask("commit the keys of tenants", "COMMIT".to_owned()).await else {
            return Commit::Done;
        };
        self.roll_back().await;
        if let Some(connection) = self.connection.take() {
            let _ = connection.close().await;
        }
        let start = Instant::now();
        loop {
            match self.look(probes).await.map(|rows| verdict(&rows, probes)) {
                Ok(Some(true)) => return Commit::Done,
                Ok(Some(false)) => return Commit::NotDone(error),
                Ok(None) => return Commit::Unknown(error),
                Err(_) if start.elapsed() < self.options.lock_timeout => sleep(TRY_AGAIN).await,
                Err(failed) => return Commit::Unknown(failed),
            }
        }
    }

    /// Nobody else can have left a transaction of ours open, so that reading is enough.
    async fn look(&mut self, probes: &[Probe]) -> Result<Vec<StoredRow>, RewriteError> {
        self.begin(false).await?;
        let ids: Vec<&str> = probes.iter().map(|probe| probe.id.as_str()).collect();
        let rows = self.named(&ids, false).await;
        self.roll_back().await;
        rows
    }

    pub(super) async fn close(mut self) {
        if let Some(connection) = self.connection.take() {
            let _ = connection.close().await;
        }
    }

    /// All columns of the rows of a statement, a null as an empty text.
    pub(super) async fn texts(
        &mut self,
        operation: &'static str,
        sql: String,
    ) -> Result<Vec<Vec<String>>, RewriteError> {
        let rows = self.ask(operation, sql).await?;
        let text = |row: &SqliteRow| (0..row.len()).map(|at| lossy(row, at).unwrap_or_default()).collect();
        Ok(rows.iter().map(text).collect())
    }

    async fn ask(&mut self, operation: &'static str, sql: String) -> Result<Vec<SqliteRow>, RewriteError> {
        let address = self.address.clone();
        let Some(connection) = &mut self.connection else {
            return Err(RewriteError::Lost { address, source: Failure::new(FailureClass::Closed) });
        };
        // The text may hold keys.
        let sql = Secret::new(sql);
        let limit = QUERY_LIMIT + self.options.lock_timeout;
        match timeout(limit, connection.fetch_all(raw_sql(sql.expose()))).await {
            Ok(Ok(rows)) => Ok(rows),
            Ok(Err(error)) => Err(RewriteError::Refused { operation, address, source: failure(&error) }),
            Err(_) => {
                self.connection = None;
                Err(RewriteError::Lost { address, source: Failure::new(FailureClass::Timeout) })
            }
        }
    }
}

/// One row for each status: the least id in letters, and the status.
pub(super) fn samples(limit: u32) -> String {
    format!(
        "SELECT min(CAST(id AS text)), coalesce(CAST(status AS text), '') FROM tenants WHERE {HAS_KEY} AND id IS NOT NULL \
         GROUP BY 2 ORDER BY count(*) DESC, 2 LIMIT {limit}"
    )
}

/// What a row holds besides the keys; a null and a text `NULL` are two things.
pub(super) fn besides(id: &str) -> String {
    let columns: Vec<String> = other_columns().map(|name| format!("quote({name})")).collect();
    format!("SELECT {} FROM tenants WHERE CAST(id AS text) = {}", columns.join(", "), sqlite_literal(id))
}

/// The words for an error of a statement that writes: a full disk is no file that cannot be opened.
fn failure(error: &sqlx::Error) -> Failure {
    let mut failure = diagnosis::sqlite(error);
    let code = error.as_database_error().and_then(|error| error.code()?.parse::<u32>().ok());
    // https://www.sqlite.org/rescode.html: READONLY, IOERR, FULL; CONSTRAINT.
    match code.map(|code| code & 0xff) {
        Some(8) => failure.class = FailureClass::Grant,
        Some(10 | 13) => failure.class = FailureClass::DatabaseDown,
        Some(1 | 19) => failure.class = FailureClass::ServerError,
        _ => {}
    }
    failure
}

fn stored_row(row: &SqliteRow) -> Option<StoredRow> {
    let version = lossy(row, 0)?;
    Some(StoredRow {
        id: TenantId::new(lossy(row, 1).unwrap_or_default()),
        subdomain: lossy(row, 2).unwrap_or_default(),
        anon: key(row, 3),
        service: key(row, 4),
        place: Some(Place(version.clone())),
        version,
    })
}

fn key(row: &SqliteRow, at: usize) -> Option<StoredKey> {
    StoredKey::of(&bytes(row, at)?)
}

fn bytes(row: &SqliteRow, at: usize) -> Option<Vec<u8>> {
    row.try_get_unchecked::<Option<Vec<u8>>, _>(at).ok().flatten()
}

fn lossy(row: &SqliteRow, at: usize) -> Option<String> {
    Some(String::from_utf8_lossy(&bytes(row, at)?).into_owned())
}
