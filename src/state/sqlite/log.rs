//! The log of a namespace in a SQLite file.
//!
//! A position is the generation of the file, which no other file has, and the number of the entry within its
//! namespace, which is never given again. Entries are removed when they are older than an hour and not among the last
//! 10,000; how far the log was cut stands beside it, so that a gap is noticed.

use sqlx::sqlite::SqliteRow;
use sqlx::{Executor, QueryBuilder, Row, Sqlite, SqliteConnection};

use super::failure::Trouble;
use crate::state::{Change, Position, Scope};
use crate::tenant::TenantId;

/// Entries that stay whatever their age.
const KEPT: i64 = 10_000;
/// Entries that are younger stay whatever their number, in milliseconds.
const KEPT_FOR: i64 = 3_600_000;
/// After so many entries the log is cut.
const CUT_EVERY: i64 = 512;
/// Entries in one statement; SQLite takes 32,766 parameters.
const AT_ONCE: usize = 1_000;

const TENANT: i64 = 1;
const ALL: i64 = 2;
const RESET: i64 = 3;

/// What stands behind a position.
#[derive(Debug)]
pub(super) struct Log {
    pub(super) list: Vec<Entry>,
    pub(super) position: Position,
    pub(super) gap: bool,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) change: Change,
}

impl Entry {
    /// Whether the row of a tenant no longer holds.
    pub(super) fn concerns(&self, tenant: &str) -> bool {
        match &self.change {
            Change::Tenant(changed) => changed.as_str() == tenant,
            Change::All => true,
            Change::Reset => false,
        }
    }
}

/// What is appended.
#[derive(Clone, Copy)]
pub(super) enum Entries<'a> {
    Tenants(&'a [TenantId]),
    All,
    Reset,
}

impl<'a> From<&'a Scope> for Entries<'a> {
    fn from(scope: &'a Scope) -> Self {
        match scope {
            Scope::Tenants(tenants) => Self::Tenants(tenants),
            Scope::All => Self::All,
        }
    }
}

/// A number that grows with every commit of another connection.
pub(super) async fn data_version(connection: &mut SqliteConnection) -> Result<i64, Trouble> {
    Ok(sqlx::query_scalar("PRAGMA data_version").fetch_one(connection).await?)
}

/// The end of the log.
pub(super) async fn end(connection: &mut SqliteConnection, namespace: &str) -> Result<Position, Trouble> {
    let sql = "SELECT generation, head FROM store LEFT JOIN space ON namespace = ?";
    let row = sqlx::query(sql).bind(namespace).fetch_one(connection).await?;
    position(&row)
}

/// The position in the first two columns, the second of which is null in a namespace that nothing was written to.
pub(super) fn position(row: &SqliteRow) -> Result<Position, Trouble> {
    let head: Option<i64> = row.try_get(1)?;
    Ok(Position(number(row.try_get(0)?), number(head.unwrap_or(0))))
}

/// What stands behind `after`, in one statement and thus as of one moment.
pub(super) async fn behind(
    connection: &mut SqliteConnection,
    namespace: &str,
    after: Position,
) -> Result<Log, Trouble> {
    let sql = "SELECT generation, head, pruned, position, kind, tenant FROM store
               LEFT JOIN space ON space.namespace = ?1
               LEFT JOIN log ON log.namespace = ?1 AND position > ?2 ORDER BY position";
    let from = i64::try_from(after.1).unwrap_or(i64::MAX);
    let rows = sqlx::query(sql).bind(namespace).bind(from).fetch_all(connection).await?;
    let first = rows.first().ok_or(sqlx::Error::RowNotFound)?;
    let end = position(first)?;
    let pruned: Option<i64> = first.try_get(2)?;
    if after.0 != end.0 || after > end || from < pruned.unwrap_or(0) {
        return Ok(Log { list: Vec::new(), position: end, gap: true });
    }
    let mut list = Vec::new();
    for row in &rows {
        let Some(kind) = row.try_get::<Option<i64>, _>(4)? else { continue };
        let change = match (kind, row.try_get::<Option<String>, _>(5)?) {
            (TENANT, Some(tenant)) => Change::Tenant(TenantId::new(tenant)),
            (RESET, None) => Change::Reset,
            // Whatever else it should be: that nothing holds any more is true after it too.
            _ => Change::All,
        };
        list.push(Entry { change });
    }
    Ok(Log { list, position: end, gap: false })
}

/// Appends to the log, within a transaction, and answers its end.
pub(super) async fn append(
    connection: &mut SqliteConnection,
    namespace: &str,
    entries: Entries<'_>,
    now: i64,
) -> Result<Position, Trouble> {
    super::ledger::ensure_space(connection, namespace).await?;
    let before = end(connection, namespace).await?;
    let mut next = i64::try_from(before.1).unwrap_or(i64::MAX);
    let list: Vec<(i64, Option<&str>)> = match entries {
        Entries::Tenants(tenants) => tenants.iter().map(|tenant| (TENANT, Some(tenant.as_str()))).collect(),
        Entries::All => vec![(ALL, None)],
        Entries::Reset => vec![(RESET, None)],
    };
    for chunk in list.chunks(AT_ONCE) {
        let mut sql = QueryBuilder::<Sqlite>::new("INSERT INTO log (namespace, position, kind, tenant, at) ");
        sql.push_values(chunk, |mut values, (kind, tenant)| {
            next += 1;
            values.push_bind(namespace).push_bind(next).push_bind(*kind).push_bind(*tenant).push_bind(now);
        });
        connection.execute(sql.build().persistent(false)).await?;
    }
    let sql = "UPDATE space SET head = ? WHERE namespace = ?";
    connection.execute(sqlx::query(sql).bind(next).bind(namespace)).await?;
    let first = i64::try_from(before.1).unwrap_or(i64::MAX);
    if first / CUT_EVERY != next / CUT_EVERY {
        cut(connection, namespace, next, now).await?;
    }
    Ok(Position(before.0, number(next)))
}

/// Removes what is old and not among the last entries. A clock that went back leaves more, never less.
async fn cut(connection: &mut SqliteConnection, namespace: &str, head: i64, now: i64) -> Result<(), Trouble> {
    let sql = "SELECT coalesce(max(position), 0) FROM log WHERE namespace = ? AND position <= ? AND at < ?";
    let until = sqlx::query_scalar::<_, i64>(sql);
    let until = until.bind(namespace).bind(head - KEPT).bind(now.saturating_sub(KEPT_FOR));
    let until = until.fetch_one(&mut *connection).await?;
    let sql = "DELETE FROM log WHERE namespace = ? AND position <= ?";
    connection.execute(sqlx::query(sql).bind(namespace).bind(until)).await?;
    let sql = "UPDATE space SET pruned = max(pruned, ?) WHERE namespace = ?";
    connection.execute(sqlx::query(sql).bind(until).bind(namespace)).await?;
    Ok(())
}

/// A number of the store, which is never negative.
pub(super) fn number(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
