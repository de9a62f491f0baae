//! The facts of a SQLite file, read without a trace.

use std::path::PathBuf;
use std::time::Instant;

use sqlx::{Connection, Executor, Row, SqliteConnection, raw_sql};
use tokio::time::timeout;

use super::complete::checks_of;
use super::{Column, Encryption, Facts, Server, Table, TableCheck, Trigger};
use crate::catalogue::sqlite::path_of;
use crate::catalogue::{CONNECT_LIMIT, CatalogueError, QUERY_LIMIT};
use crate::diagnosis;
use crate::failure::{Failure, FailureClass};
use crate::secret::Secret;
use crate::sqlite_file::{self, Presence};
use crate::url::Address;

/// The constraint that data sources are complete, or what the triggers that stand in for it begin with.
const COMPLETE: &str = "check_data_source_complete";
/// Kind and text of the table.
const TABLE: &str =
    "SELECT type, coalesce(sql, '') FROM sqlite_master WHERE name = 'tenants' AND type IN ('table', 'view')";
const COLUMNS: &str = "SELECT name, lower(type) FROM pragma_table_info('tenants')";
/// Which single columns are unique: the primary key, and unique indexes over all rows.
const UNIQUE: &str = "SELECT name FROM pragma_table_info('tenants') WHERE pk = 1 \
     AND (SELECT max(pk) FROM pragma_table_info('tenants')) = 1 \
     UNION ALL SELECT (SELECT name FROM pragma_index_info(l.name)) FROM pragma_index_list('tenants') AS l \
     WHERE l.\"unique\" = 1 AND l.partial = 0 AND (SELECT count(*) FROM pragma_index_info(l.name)) = 1";
const TRIGGERS: &str = "SELECT name, coalesce(sql, '') FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'tenants' \
     ORDER BY name";

pub(super) async fn read(url: &Secret) -> Result<Facts, CatalogueError> {
    let (mut connection, _presence, path, address) = open(url).await?;
    let read = facts(&mut connection, &address, &path).await;
    let _ = connection.close().await;
    read.map_err(|source| CatalogueError::Query { address, source })
}

pub(super) async fn table(url: &Secret) -> Result<Table, CatalogueError> {
    let (mut connection, _presence, _, address) = open(url).await?;
    let read = look(&mut connection).await;
    let _ = connection.close().await;
    match read {
        Ok(Some(table)) => Ok(Table { address, ..table }),
        Ok(None) => Err(CatalogueError::NoTable { address }),
        Err(source) => Err(CatalogueError::Query { address, source }),
    }
}

async fn open(url: &Secret) -> Result<(SqliteConnection, Presence, PathBuf, String), CatalogueError> {
    let path = path_of(url)?;
    let address = Address::Sqlite(path.clone()).endpoint();
    let opened = timeout(CONNECT_LIMIT, sqlite_file::open(&path)).await;
    match opened.unwrap_or_else(|_| Err(Failure::new(FailureClass::Timeout))) {
        Ok((connection, presence)) => Ok((connection, presence, path, address)),
        Err(source) => Err(CatalogueError::Connect { address, source }),
    }
}

async fn facts(
    connection: &mut SqliteConnection,
    address: &str,
    path: &std::path::Path,
) -> Result<Facts, Failure> {
    let start = Instant::now();
    let version = ask(connection, "SELECT sqlite_version()").await?.concat().concat();
    let lag = start.elapsed();
    let number = version.split('.').filter_map(|part| part.parse::<u32>().ok());
    let version_number = number.take(3).fold(0u32, |sum, part| sum.saturating_mul(1000).saturating_add(part));
    let read_only = path.metadata().is_ok_and(|about| about.permissions().readonly());
    let server = Server {
        version: format!("SQLite {version}"),
        version_number,
        encryption: Encryption::Local,
        pooled: false,
        read_only: read_only.then_some("the file may not be written"),
        role: None,
        clock: None,
    };
    Ok(Facts { address: address.to_owned(), is_postgres: false, lag, server })
}

async fn look(connection: &mut SqliteConnection) -> Result<Option<Table>, Failure> {
    let Some(about) = ask(connection, TABLE).await?.into_iter().next() else { return Ok(None) };
    let said = |at: usize| about.get(at).cloned().unwrap_or_default();
    let columns = ask(connection, COLUMNS).await?.into_iter().map(|row| {
        let mut row = row.into_iter();
        let mut next = || row.next().unwrap_or_default();
        Column { name: next(), kind: next(), may_read: true, may_change: true }
    });
    let columns: Vec<Column> = columns.collect();
    let unique = ask(connection, UNIQUE).await?.concat();
    let is_unique = |name: &str| unique.iter().any(|column| column == name);
    let keys = ["data_source_url", "data_source_anon_key", "data_source_service_key"];
    let statement = said(1);
    let check = |condition: &str| TableCheck {
        name: COMPLETE.to_owned(),
        condition: condition.to_owned(),
        enforced: true,
        validated: true,
    };
    let checks: Vec<TableCheck> = checks_of(&statement).into_iter().map(check).collect();
    let mut table = Table {
        name: "tenants".to_owned(),
        is_plain: said(0) == "table",
        has_primary_key: is_unique("id"),
        subdomain_is_unique: is_unique("subdomain"),
        columns,
        ..Table::default()
    };
    table.judge(&checks);
    let has = |names: &[&str]| names.iter().all(|name| table.column(name).is_some());
    let shared = has(&["subdomain"]) && !table.subdomain_is_unique;
    let ids = has(&["id"]) && !table.has_primary_key;
    // What is not there is null in every row.
    let nulls =
        keys.map(|key| if has(&[key]) { format!("({key} IS NULL)") } else { "1".to_owned() }).join(" + ");
    table.half_sources =
        number(connection, &format!("SELECT count(*) FROM tenants WHERE {nulls} NOT IN (0, 3)")).await?;
    if shared {
        let sql = "SELECT count(*) FROM (SELECT 1 FROM tenants WHERE subdomain IS NOT NULL \
                   GROUP BY subdomain HAVING count(*) > 1)";
        table.shared_subdomains = number(connection, sql).await?;
    }
    if ids {
        table.unfit_ids = number(connection, "SELECT count(*) - count(DISTINCT id) FROM tenants").await?;
    }
    let triggers = ask(connection, TRIGGERS).await?;
    let is_ours = |name: &str| name.starts_with(COMPLETE);
    // What stands in for the constraint where a table is there already.
    let holds = |event: &str| {
        triggers.iter().any(|row| {
            let [name, statement] = row.as_slice() else { return false };
            let statement = statement.to_lowercase();
            let all = ["raise(abort", "not in (0, 3)", &format!("before {event} on")];
            is_ours(name) && all.into_iter().chain(keys).all(|part| statement.contains(part))
        })
    };
    if holds("insert") && holds("update") {
        table.constraint = Some((format!("the triggers {COMPLETE}_…"), true));
        table.mere = None;
    }
    let fires = |row: &Vec<String>| {
        let text = row.get(1).map(|sql| sql.to_lowercase()).unwrap_or_default();
        let event = text.split(" on ").next().unwrap_or_default();
        event.contains("update") && !row.first().is_some_and(|name| is_ours(name))
    };
    table.triggers = triggers
        .into_iter()
        .filter(fires)
        .map(|row| {
            let mut row = row.into_iter();
            let mut next = || row.next().unwrap_or_default();
            let (name, definition) = (next(), next());
            let function = name.clone();
            Trigger { name, function, language: "sqlite".to_owned(), body: String::new(), definition }
        })
        .collect();
    Ok(Some(table))
}

async fn number(connection: &mut SqliteConnection, sql: &str) -> Result<u64, Failure> {
    let sql = format!("SELECT CAST(({sql}) AS text)");
    Ok(ask(connection, &sql).await?.concat().first().and_then(|text| text.parse().ok()).unwrap_or(0))
}

async fn ask(connection: &mut SqliteConnection, sql: &str) -> Result<Vec<Vec<String>>, Failure> {
    let rows = timeout(QUERY_LIMIT, connection.fetch_all(raw_sql(sql))).await;
    let rows =
        rows.map_err(|_| Failure::new(FailureClass::Timeout))?.map_err(|error| diagnosis::sqlite(&error))?;
    let read = |row: &sqlx::sqlite::SqliteRow| {
        (0..row.len())
            .map(|at| {
                let bytes: Option<Vec<u8>> = row.try_get_unchecked(at)?;
                Ok(String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned())
            })
            .collect::<Result<_, sqlx::Error>>()
    };
    rows.iter().map(read).collect::<Result<_, _>>().map_err(|error| diagnosis::sqlite(&error))
}
