//! The rows of tenants in a SQLite file.

use sqlx::{Executor, QueryBuilder, Row, Sqlite, SqliteConnection};

use super::failure::Trouble;
use super::log::{number, position};
use crate::state::row::Stored;
use crate::state::{Position, Scope};
use crate::tenant::TenantId;

/// Rows in one statement; SQLite takes 32,766 parameters.
const AT_ONCE: usize = 1_000;

/// The row of a tenant as it stands there, and the end of the log: one statement, as of one moment.
pub(super) async fn read(
    connection: &mut SqliteConnection,
    namespace: &str,
    tenant: &TenantId,
) -> Result<(Option<Stored<Vec<u8>>>, Position), Trouble> {
    let sql = "SELECT generation, head, expires, code, content FROM store
               LEFT JOIN space ON space.namespace = ?1
               LEFT JOIN cached ON cached.namespace = ?1 AND tenant = ?2";
    let row = sqlx::query(sql).bind(namespace).bind(tenant.as_str()).fetch_one(connection).await?;
    let stored = match row.try_get::<Option<i64>, _>(2)? {
        Some(expires) => Some(Stored { expires, code: row.try_get(3)?, content: row.try_get(4)? }),
        None => None,
    };
    Ok((stored, position(&row)?))
}

/// Stores rows, within a transaction, and removes what has expired.
pub(super) async fn write(
    connection: &mut SqliteConnection,
    namespace: &str,
    rows: &[(&str, Stored<Vec<u8>>)],
    now: i64,
) -> Result<(), Trouble> {
    if rows.is_empty() {
        return Ok(());
    }
    // By the index on the expiry: nothing that is alive is looked at.
    connection.execute(sqlx::query("DELETE FROM cached WHERE expires <= ?").bind(now)).await?;
    for chunk in rows.chunks(AT_ONCE) {
        let mut sql =
            QueryBuilder::<Sqlite>::new("INSERT INTO cached (namespace, tenant, expires, code, content) ");
        sql.push_values(chunk, |mut values, (tenant, row)| {
            values.push_bind(namespace).push_bind(*tenant).push_bind(row.expires);
            values.push_bind(&row.code[..]).push_bind(&row.content[..]);
        });
        // SQLite would take `ON` for the beginning of a join without `WHERE`; after VALUES it does not.
        sql.push(
            " ON CONFLICT DO UPDATE SET expires = excluded.expires, code = excluded.code, content = excluded.content",
        );
        connection.execute(sql.build().persistent(chunk.len() == 1)).await?;
    }
    Ok(())
}

/// Removes rows, within a transaction, and answers whose.
pub(super) async fn remove(
    connection: &mut SqliteConnection,
    namespace: &str,
    scope: &Scope,
) -> Result<Vec<TenantId>, Trouble> {
    let mut gone: Vec<String> = Vec::new();
    match scope {
        Scope::All => {
            let sql = "DELETE FROM cached WHERE namespace = ? RETURNING tenant";
            gone = sqlx::query_scalar(sql).bind(namespace).fetch_all(connection).await?;
        }
        Scope::Tenants(tenants) => {
            for chunk in tenants.chunks(AT_ONCE) {
                let mut sql = QueryBuilder::<Sqlite>::new("DELETE FROM cached WHERE namespace = ");
                sql.push_bind(namespace).push(" AND tenant IN (");
                let mut list = sql.separated(", ");
                for tenant in chunk {
                    list.push_bind(tenant.as_str());
                }
                sql.push(") RETURNING tenant");
                gone.extend(
                    sql.build_query_scalar().persistent(chunk.len() == 1).fetch_all(&mut *connection).await?,
                );
            }
        }
    }
    Ok(gone.into_iter().map(TenantId::new).collect())
}

/// How many rows are alive.
pub(super) async fn count(
    connection: &mut SqliteConnection,
    namespace: &str,
    now: i64,
) -> Result<u64, Trouble> {
    let sql = "SELECT count(*) FROM cached WHERE expires > ? AND namespace = ?";
    Ok(number(sqlx::query_scalar(sql).bind(now).bind(namespace).fetch_one(connection).await?))
}
