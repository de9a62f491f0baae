//! Counts and instances in a SQLite file.

use jiff::Timestamp;
use sqlx::{Executor, Row, SqliteConnection};

use super::failure::Trouble;
use super::log::number;
use crate::state::{LIFE_SIGN, Position, Report, Totals, tally};

/// An instance that gave no sign of life for so long is forgotten, in milliseconds. What it counted stays.
const FORGOTTEN_AFTER: i64 = 86_400_000;

/// Makes the entry of a namespace, within a transaction. An epoch begins anywhere, so that one of an earlier file is
/// none of this.
pub(super) async fn ensure_space(connection: &mut SqliteConnection, namespace: &str) -> Result<(), Trouble> {
    let epoch = i64::try_from(rand::random::<u64>() >> 12).unwrap_or(0).max(1);
    let sql = "INSERT INTO space VALUES (?, 0, 0, ?, NULL, '[0,0,0,0,0,0]') ON CONFLICT DO NOTHING";
    connection.execute(sqlx::query(sql).bind(namespace).bind(epoch)).await?;
    Ok(())
}

/// Takes a report, within a transaction, and answers the epoch.
pub(super) async fn report(
    connection: &mut SqliteConnection,
    namespace: &str,
    report: &Report,
    now: i64,
) -> Result<u64, Trouble> {
    ensure_space(connection, namespace).await?;
    let sql = "SELECT generation, epoch, counts, number FROM store
               JOIN space ON space.namespace = ?1
               LEFT JOIN instance ON instance.namespace = ?1 AND id = ?2";
    let known =
        sqlx::query(sql).bind(namespace).bind(&report.instance.id).fetch_one(&mut *connection).await?;
    let (generation, epoch): (i64, i64) = (known.try_get(0)?, known.try_get(1)?);
    let last = known.try_get::<Option<i64>, _>(3)?.map_or(0, number);
    // Epoch 0 is that of an instance which has had no answer yet: it counts from its own beginning.
    let is_current = report.epoch == 0 || report.epoch == number(epoch);
    let is_new = report.number > last;
    if is_current && is_new {
        let mut sums = read_counts(known.try_get(2)?);
        for (sum, added) in sums.iter_mut().zip(tally::counts(&report.added)) {
            *sum = sum.saturating_add(added);
        }
        let sql = "UPDATE space SET counts = ?, since = coalesce(since, ?) WHERE namespace = ?";
        let counts = serde_json::to_string(&sums).unwrap_or_default();
        connection.execute(sqlx::query(sql).bind(counts).bind(now).bind(namespace)).await?;
    }
    let content = if is_current {
        tally::encode(&report.instance)
    } else {
        tally::encode(&tally::without_counts(&report.instance))
    };
    let number = if is_current { report.number.max(last) } else { last };
    let sql =
        "INSERT INTO instance VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET number = excluded.number,
               seen = excluded.seen, position = max(position, excluded.position), content = excluded.content";
    let query = sqlx::query(sql).bind(namespace).bind(&report.instance.id).bind(signed(number)).bind(now);
    let place =
        if report.position.0 == super::log::number(generation) { signed(report.position.1) } else { 0 };
    connection.execute(query.bind(place).bind(content)).await?;
    let sql = "DELETE FROM instance WHERE namespace = ? AND seen < ?";
    connection.execute(sqlx::query(sql).bind(namespace).bind(now.saturating_sub(FORGOTTEN_AFTER))).await?;
    Ok(super::log::number(epoch))
}

/// Writes down how far an instance has followed the log.
pub(super) async fn note(
    connection: &mut SqliteConnection,
    namespace: &str,
    instance: &str,
    position: Position,
) -> Result<(), Trouble> {
    let sql = "UPDATE instance SET position = ?1 WHERE namespace = ?2 AND id = ?3 AND position < ?1
               AND (SELECT generation FROM store) = ?4";
    let query = sqlx::query(sql).bind(signed(position.1)).bind(namespace).bind(instance);
    connection.execute(query.bind(signed(position.0))).await?;
    Ok(())
}

pub(super) async fn leave(
    connection: &mut SqliteConnection,
    namespace: &str,
    instance: &str,
) -> Result<(), Trouble> {
    let sql = "DELETE FROM instance WHERE namespace = ? AND id = ?";
    connection.execute(sqlx::query(sql).bind(namespace).bind(instance)).await?;
    Ok(())
}

/// How many living instances but `own` have followed the log to `position`, and how many there are.
pub(super) async fn told(
    connection: &mut SqliteConnection,
    namespace: &str,
    position: Position,
    own: Option<&str>,
    now: i64,
) -> Result<(u64, u64), Trouble> {
    let sql = "SELECT count(*) FILTER (WHERE position >= ?), count(*) FROM instance
               WHERE namespace = ? AND id IS NOT ? AND seen BETWEEN ? AND ?";
    let [from, to] = alive(now);
    let query = sqlx::query(sql).bind(signed(position.1)).bind(namespace).bind(own).bind(from).bind(to);
    let row = query.fetch_one(connection).await?;
    Ok((number(row.try_get(0)?), number(row.try_get(1)?)))
}

pub(super) async fn totals(
    connection: &mut SqliteConnection,
    namespace: &str,
    now: i64,
) -> Result<Totals, Trouble> {
    let sql = "SELECT since, counts, id, content FROM space
               LEFT JOIN instance ON instance.namespace = space.namespace AND seen BETWEEN ?2 AND ?3
               WHERE space.namespace = ?1";
    let [from, to] = alive(now);
    let rows = sqlx::query(sql).bind(namespace).bind(from).bind(to).fetch_all(connection).await?;
    let mut totals = Totals { counts: tally::counters([0; 6]), since: None, instances: Vec::new() };
    for row in &rows {
        totals.since = row.try_get::<Option<i64>, _>(0)?.and_then(|ms| Timestamp::from_millisecond(ms).ok());
        totals.counts = tally::counters(read_counts(row.try_get(1)?));
        if let (Some(id), Some(content)) =
            (row.try_get::<Option<&str>, _>(2)?, row.try_get::<Option<&str>, _>(3)?)
        {
            totals.instances.extend(tally::decode(id, content));
        }
    }
    tally::sort(&mut totals.instances);
    Ok(totals)
}

/// Sets everything that was counted to zero, within a transaction.
pub(super) async fn reset(
    connection: &mut SqliteConnection,
    namespace: &str,
    now: i64,
) -> Result<(), Trouble> {
    let sql = "UPDATE space SET epoch = epoch + 1, since = ?, counts = '[0,0,0,0,0,0]' WHERE namespace = ?";
    connection.execute(sqlx::query(sql).bind(now).bind(namespace)).await?;
    let sql = "UPDATE instance SET content = json_set(content, '$.counts', json('[0,0,0,0,0,0]')) WHERE namespace = ?";
    connection.execute(sqlx::query(sql).bind(namespace)).await?;
    Ok(())
}

/// The moments at which a sign of life counts. One from the future was given by a clock that has gone back since.
fn alive(now: i64) -> [i64; 2] {
    let span = i64::try_from(LIFE_SIGN.as_millis()).unwrap_or(i64::MAX);
    [now.saturating_sub(span), now.saturating_add(span)]
}

fn read_counts(json: &str) -> [u64; 6] {
    serde_json::from_str(json).unwrap_or_default()
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
