//! The facts of PostgreSQL. Each question is one statement without parameters, as everywhere towards this database; what
//! the second depends on the first has told.

use std::time::Instant;

use jiff::Timestamp;
use sqlx::postgres::{PgRow, PgSslMode};
use sqlx::{Connection, PgConnection};

use super::{Column, Encryption, Facts, Relation, Server, Table, Trigger, middle};
use crate::catalogue::CatalogueError;
use crate::catalogue::postgres::{Target, ask, connect, text};
use crate::clock::Clock;
use crate::sanitize::printable;
use crate::secret::Secret;
use crate::url::is_this_machine;

const SERVER: &str = "SELECT current_setting('server_version'), current_setting('server_version_num'), \
     pg_is_in_recovery()::text, current_setting('transaction_read_only'), current_user::text, \
     (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)::text, \
     (SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid())::text, inet_server_port()::text";

const CLOCK: &str = "SELECT (extract(epoch FROM pg_catalog.clock_timestamp()) * 1000)::bigint::text";

/// One row, or none without the table. A constraint under another name counts, and so does a unique index on the
/// subdomain in lower case; one that is `NOT ENFORCED` (since PostgreSQL 18) does not, and neither does a `NOT NULL` that
/// is `NOT VALID`.
const TABLE: &str = "SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname), c.relkind::text, \
     row_security_active(c.oid)::text, \
     EXISTS (SELECT FROM pg_index i JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'id' \
       AND NOT a.attisdropped AND a.attnotnull AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = c.oid \
         AND k.contype = 'n' AND NOT k.convalidated AND k.conkey = ARRAY[a.attnum]) \
       WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL AND i.indnkeyatts = 1 AND i.indkey[0] = a.attnum)::text, \
     EXISTS (SELECT FROM pg_index i LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0] \
       WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indnkeyatts = 1 \
       AND (a.attname = 'subdomain' \
         OR i.indkey[0] = 0 AND pg_get_indexdef(i.indexrelid, 1, true) ~* '^lower\\(\\(?subdomain'))::text, \
     (SELECT concat_ws('|', k.convalidated::text, k.conname) FROM pg_constraint k WHERE k.conrelid = c.oid \
       AND k.contype = 'c' AND pg_get_constraintdef(k.oid) NOT LIKE '%NOT ENFORCED' \
       AND pg_get_constraintdef(k.oid) LIKE '%data_source_url%' \
       AND pg_get_constraintdef(k.oid) LIKE '%data_source_anon_key%' \
       AND pg_get_constraintdef(k.oid) LIKE '%data_source_service_key%' \
       ORDER BY k.conname = 'check_data_source_complete' DESC LIMIT 1) \
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass('tenants')";

const COLUMNS: &str = "SELECT attname::text, format_type(atttypid, atttypmod), \
     has_column_privilege(attrelid, attnum, 'SELECT')::text, has_column_privilege(attrelid, attnum, 'UPDATE')::text \
     FROM pg_attribute WHERE attrelid = to_regclass('tenants') AND attnum > 0 AND NOT attisdropped ORDER BY attnum";

/// `tgtype` 16 is UPDATE; without columns of its own, or with one of the keys.
const TRIGGERS: &str = "SELECT t.tgname::text, quote_ident(n.nspname) || '.' || quote_ident(p.proname), l.lanname::text, \
     p.prosrc, pg_get_functiondef(p.oid) FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid \
     JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang \
     WHERE t.tgrelid = to_regclass('tenants') AND NOT t.tgisinternal AND t.tgenabled IN ('O', 'A') \
     AND (t.tgtype & 16) <> 0 AND (t.tgattr::text = '' OR EXISTS (SELECT FROM pg_attribute a \
       WHERE a.attrelid = t.tgrelid AND a.attnum = ANY(t.tgattr) \
       AND a.attname IN ('data_source_anon_key', 'data_source_service_key'))) ORDER BY t.tgname";

/// The columns and checks of the tables that such a trigger's function may mean, a row each.
const RELATIONS: &str = "SELECT c.relname::text, n.nspname::text, quote_ident(n.nspname) || '.' || quote_ident(c.relname), \
     pg_table_is_visible(c.oid)::text, x.what, x.name, x.text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
     CROSS JOIN LATERAL (SELECT 'column' AS what, a.attname::text AS name, format_type(a.atttypid, a.atttypmod) AS text, \
         a.attnum AS place FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
       UNION ALL SELECT 'check', k.conname::text, pg_get_constraintdef(k.oid), 0 FROM pg_constraint k \
         WHERE k.conrelid = c.oid AND k.contype = 'c') AS x \
     WHERE c.relkind IN ('r', 'p') AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%' \
     AND EXISTS (SELECT FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid \
       WHERE t.tgrelid = to_regclass('tenants') AND NOT t.tgisinternal \
       AND position(lower(c.relname) IN lower(p.prosrc)) > 0) ORDER BY c.oid, x.what, x.place, x.name";

/// How often two connections are asked by turns which of the server's they have.
const ROUNDS: usize = 4;

/// A connection that is handed from question to question.
struct Asker<'t> {
    target: &'t Target,
    connection: Option<PgConnection>,
}

impl Asker<'_> {
    /// The rows of a statement, all columns as text, a null as nothing.
    async fn ask(&mut self, sql: &str) -> Result<Vec<Vec<Option<String>>>, CatalogueError> {
        let Target { options, passwords, address } = self.target;
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => connect(options, passwords, address).await?,
        };
        let read = |row: &PgRow| (0..sqlx::Row::len(row)).map(|at| text(row, at)).collect();
        let (connection, rows) = ask(connection, sql, passwords, address, read).await?;
        self.connection = Some(connection);
        Ok(rows)
    }

    async fn number(&mut self, sql: &str) -> Result<u64, CatalogueError> {
        let rows = self.ask(sql).await?;
        Ok(rows.first().and_then(|row| row.first()?.as_ref()?.parse().ok()).unwrap_or(0))
    }

    async fn close(self) {
        if let Some(connection) = self.connection {
            let _ = connection.close().await;
        }
    }
}

pub(super) async fn read(url: &Secret, clock: Clock) -> Result<Facts, CatalogueError> {
    let target = Target::of(url)?;
    let mut asker = Asker { target: &target, connection: None };
    let rows = asker.ask(SERVER).await?;
    let row = rows.into_iter().next().unwrap_or_default();
    let said = |at: usize| row.get(at).cloned().flatten().unwrap_or_default();

    // Asked on a connection that is open: the round trip and nothing else.
    let (begun, start) = (clock.now(), Instant::now());
    let there = asker.ask(CLOCK).await?;
    let (here, lag) = (middle(begun, start), start.elapsed());
    let there =
        there.first().and_then(|row| Timestamp::from_millisecond(row.first()?.as_ref()?.parse().ok()?).ok());

    let pooled = is_pooled(&mut asker).await?;
    let table = table(&mut asker).await?;
    asker.close().await;
    // Something stands between us and a server that listens elsewhere.
    let is_relayed = said(7).parse() != Ok(target.options.get_port());
    let read_only = match (said(2).as_str(), said(3).as_str()) {
        ("true", _) => Some("it is a standby in recovery"),
        (_, "on") => Some("default_transaction_read_only is on"),
        _ => None,
    };
    let server = Server {
        version: format!("PostgreSQL {}", printable(&said(0))),
        version_number: said(1).parse().unwrap_or(0),
        encryption: encryption(&target, pooled || is_relayed, said(6) == "true"),
        pooled,
        read_only,
        role: Some((printable(&said(4)).into_owned(), said(5) == "true")),
        clock: there.map(|there| (there, here)),
    };
    Ok(Facts { address: target.address.clone(), is_postgres: true, lag, server, table })
}

/// Whether two connections of ours, which are idle by turns, do not have one of the server's each: a pooler in
/// transaction mode hands them around.
async fn is_pooled(asker: &mut Asker<'_>) -> Result<bool, CatalogueError> {
    const WHO: &str = "SELECT pg_backend_pid()::text";
    let mut second = Asker { target: asker.target, connection: None };
    let mut seen: [Vec<Vec<Option<String>>>; 2] = Default::default();
    for _ in 0..ROUNDS {
        seen[0].extend(asker.ask(WHO).await?);
        seen[1].extend(second.ask(WHO).await?);
    }
    second.close().await;
    let [own, other] = seen;
    let changes = |pids: &[Vec<Option<String>>]| pids.windows(2).any(|pair| pair[0] != pair[1]);
    Ok(changes(&own) || changes(&other) || own.iter().any(|pid| other.contains(pid)))
}

/// What the server says of TLS is true of its own connection, which behind a pooler is not ours.
fn encryption(target: &Target, relayed: bool, says_encrypted: bool) -> Encryption {
    let options = &target.options;
    let host = options.get_host();
    if options.get_socket().is_some() || host.starts_with('/') || is_this_machine(host) {
        return Encryption::Local;
    }
    match options.get_ssl_mode() {
        PgSslMode::Require | PgSslMode::VerifyCa | PgSslMode::VerifyFull => Encryption::Encrypted,
        PgSslMode::Disable => Encryption::Clear,
        PgSslMode::Allow | PgSslMode::Prefer if relayed => Encryption::Perhaps,
        PgSslMode::Allow | PgSslMode::Prefer => {
            if says_encrypted {
                Encryption::Encrypted
            } else {
                Encryption::Clear
            }
        }
    }
}

async fn table(asker: &mut Asker<'_>) -> Result<Option<Table>, CatalogueError> {
    let Some(row) = asker.ask(TABLE).await?.into_iter().next() else { return Ok(None) };
    let said = |at: usize| row.get(at).cloned().flatten().unwrap_or_default();
    let columns = asker.ask(COLUMNS).await?.into_iter().map(|row| {
        let mut row = row.into_iter().map(Option::unwrap_or_default);
        let mut next = || row.next().unwrap_or_default();
        Column { name: next(), kind: next(), may_read: next() == "true", may_change: next() == "true" }
    });
    let constraint = said(5);
    let mut table = Table {
        name: said(0),
        is_plain: said(1) == "r",
        columns: columns.collect(),
        hides_rows: said(2) == "true",
        has_primary_key: said(3) == "true",
        subdomain_is_unique: said(4) == "true",
        constraint: constraint.split_once('|').map(|(valid, name)| (name.to_owned(), valid == "true")),
        ..Table::default()
    };
    let has =
        |names: &[&str]| names.iter().all(|name| table.column(name).is_some_and(|column| column.may_read));
    let keys = ["data_source_url", "data_source_anon_key", "data_source_service_key"];
    // What is enforced needs no count.
    let half = has(&keys) && !matches!(&table.constraint, Some((_, true)));
    let subdomains = has(&["subdomain"]) && !table.subdomain_is_unique;
    let ids = has(&["id"]) && !table.has_primary_key;
    if half {
        let nulls = keys.join(", ");
        let sql = format!("SELECT count(*)::text FROM tenants WHERE num_nulls({nulls}) NOT IN (0, 3)");
        table.half_sources = asker.number(&sql).await?;
    }
    if subdomains {
        let sql = "SELECT count(*)::text FROM (SELECT FROM tenants WHERE subdomain IS NOT NULL \
                   GROUP BY subdomain HAVING count(*) > 1) AS shared";
        table.shared_subdomains = asker.number(sql).await?;
    }
    if ids {
        let sql = "SELECT (count(*) - count(DISTINCT id))::text FROM tenants";
        table.unfit_ids = asker.number(sql).await?;
    }
    table.triggers = triggers(asker).await?;
    if !table.triggers.is_empty() {
        table.relations = relations(asker).await?;
    }
    Ok(Some(table))
}

async fn triggers(asker: &mut Asker<'_>) -> Result<Vec<Trigger>, CatalogueError> {
    let rows = asker.ask(TRIGGERS).await?.into_iter().map(|row| {
        let mut row = row.into_iter().map(Option::unwrap_or_default);
        let mut next = || row.next().unwrap_or_default();
        Trigger { name: next(), function: next(), language: next(), body: next(), definition: next() }
    });
    Ok(rows.collect())
}

async fn relations(asker: &mut Asker<'_>) -> Result<Vec<Relation>, CatalogueError> {
    let mut found: Vec<Relation> = Vec::new();
    for row in asker.ask(RELATIONS).await? {
        let mut row = row.into_iter().map(Option::unwrap_or_default);
        let mut next = || row.next().unwrap_or_default();
        let (name, schema, full_name) = (next(), next(), next());
        let (is_visible, what, part, text) = (next() == "true", next(), next(), next());
        if found.last().is_none_or(|last| last.full_name != full_name) {
            found.push(Relation { name, schema, full_name, is_visible, ..Relation::default() });
        }
        let Some(relation) = found.last_mut() else { continue };
        let list = if what == "check" { &mut relation.checks } else { &mut relation.columns };
        list.push((part, text));
    }
    Ok(found)
}
