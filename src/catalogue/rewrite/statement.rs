//! The text of the statements for PostgreSQL, pure.
//!
//! Values stand in the text, quoted by [`crate::sql`]: with parameters each statement would be prepared first, which is
//! a round trip more and which a pooler in transaction mode may send to another server connection.

use std::fmt::Write as _;

use super::rehearse::other_columns;
use super::{Change, Place, RewriteOptions, StoredKey};
use crate::secret::Secret;
use crate::sql::postgres_literal;
use crate::tenant::{Role, TenantId};

/// The two keys of the advisory lock: `boot` in ASCII, and 1. Within one database every rotation asks for the same.
pub(super) const LOCK_KEYS: &str = "1651470196, 1";

/// How long the server lets a transaction of ours be idle before it takes us for dead and frees its locks.
const IDLE_LIMIT: &str = "300s";

/// What a person needs to know of a session to find it.
pub(super) const WHO: &str = "concat_ws(', ', 'pid ' || l.pid, nullif(a.application_name, ''), \
     'user ' || a.usename, coalesce(host(a.client_addr), 'on the server itself'), \
     'since ' || to_char(a.xact_start AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), a.state)";

/// The sessions that have written to or locked rows of the table and not ended their transaction.
pub(super) const ROW_HOLDERS: &str = "SELECT string_agg(who, '; ') FROM (SELECT concat_ws(', ', 'pid ' || l.pid, \
     nullif(a.application_name, ''), 'user ' || a.usename, coalesce(host(a.client_addr), 'on the server itself'), \
     'since ' || to_char(a.xact_start AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), a.state) AS who \
     FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE l.relation = to_regclass('tenants') AND l.granted \
     AND l.mode IN ('RowShareLock', 'RowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock') \
     AND l.pid <> pg_backend_pid() ORDER BY a.xact_start LIMIT 3) AS holders";

/// Which of `pg_locks` are ours.
pub(super) fn lock_condition() -> String {
    let (class, object) = LOCK_KEYS.split_once(", ").unwrap_or_default();
    format!(
        "locktype = 'advisory' AND classid = {class} AND objid = {object} AND objsubid = 2 AND database = \
         (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
}

/// How a transaction begins.
pub(super) struct Transaction<'o> {
    pub(super) options: &'o RewriteOptions,
    pub(super) writes: bool,
    /// Whether it is there to hold a lock while another one works, for as long as that takes.
    pub(super) guards: bool,
}

impl Transaction<'_> {
    pub(super) fn begin(&self) -> String {
        let mut sql = String::from("BEGIN ISOLATION LEVEL READ COMMITTED");
        if !self.writes {
            sql.push_str(" READ ONLY");
        }
        let idle = if self.guards { "0" } else { IDLE_LIMIT };
        // Rows that a policy hides would keep their old key: better an error. What a server, a role or a pooler has
        // set as limits was not meant for this; not every server knows the last one.
        let _ = write!(
            sql,
            "; SET LOCAL lock_timeout = {}; SET LOCAL statement_timeout = {}; \
             SET LOCAL idle_in_transaction_session_timeout = '{idle}'; SET LOCAL row_security = off; \
             SET LOCAL application_name = 'boothds rotate-key'; SELECT set_config('transaction_timeout', '0', true) \
             WHERE current_setting('transaction_timeout', true) IS NOT NULL",
            self.options.lock_timeout.as_millis(),
            self.options.statement_timeout.map_or(0, |limit| limit.as_millis())
        );
        if self.writes {
            // With it off the server may lose a commit that it has confirmed.
            sql.push_str(
                "; SELECT set_config('synchronous_commit', 'on', true) \
                 WHERE current_setting('synchronous_commit') = 'off'",
            );
            let agent = concat!("boothds/", env!("CARGO_PKG_VERSION"), " rotate-key");
            let _ = write!(sql, "; SELECT set_config('app.user_agent', {}, true)", postgres_literal(agent));
            if let Some(user) = &self.options.as_user {
                let user = postgres_literal(user);
                let _ = write!(sql, "; SELECT set_config('app.current_user_id', {user}, true)");
            }
            // By its number the server can be asked what has become of it.
            sql.push_str("; SELECT txid_current()::text");
        }
        sql
    }
}

/// The table, by its full name, and the type of its ids.
#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) name: String,
    pub(super) id_type: String,
}

/// Rows that have a key.
const HAS_KEY: &str = "(data_source_anon_key <> '' OR data_source_service_key <> '')";

impl Table {
    /// One row: name, kind, type of the id, whether ids are unique and never null, whether there are tables below.
    pub(super) const LOOK: &'static str = "SELECT pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname), \
         c.relkind::text, pg_catalog.format_type(a.atttypid, a.atttypmod), \
         (a.attnotnull AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'n' \
         AND NOT k.convalidated AND k.conkey = ARRAY[a.attnum]) AND EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid AND i.indisunique \
         AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL AND i.indnkeyatts = 1 \
         AND i.indkey[0] = a.attnum))::text, EXISTS (SELECT FROM pg_catalog.pg_inherits h WHERE h.inhparent = c.oid)::text \
         FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attname = 'id' AND NOT a.attisdropped \
         WHERE c.oid = pg_catalog.to_regclass('tenants')";

    /// Raises where a policy of the table applies to the role, and lets the policies of other tables, which a trigger
    /// writes to, have their say from then on. The table cannot come by a policy before the transaction ends.
    pub(super) fn probe_policies(&self) -> String {
        format!("SELECT FROM {} LIMIT 0; SET LOCAL row_security = on", self.name)
    }

    pub(super) fn counts(&self) -> String {
        format!(
            "SELECT count(*)::text, count(data_source_url)::text, count(*) FILTER (WHERE {HAS_KEY})::text FROM {}",
            self.name
        )
    }

    /// All rows that have a key, in no order.
    pub(super) fn all(&self) -> String {
        format!("{} WHERE {HAS_KEY}", self.select())
    }

    /// The next rows that have a key, locked.
    pub(super) fn page(&self, after: Option<&Place>, limit: u32) -> String {
        let after = after.map(|place| format!(" AND t.id > {}", place.0)).unwrap_or_default();
        format!("{}{after} ORDER BY t.id LIMIT {limit} FOR UPDATE", self.all())
    }

    /// A cursor that locks the rows that have a key in the order of the primary key, as it moves over them. Nothing of
    /// them is sent.
    pub(super) fn locks(&self, cursor: &str) -> String {
        format!(
            "DECLARE {cursor} NO SCROLL CURSOR FOR SELECT FROM {} AS t WHERE {HAS_KEY} ORDER BY t.id FOR UPDATE",
            self.name
        )
    }

    /// A cursor over the rows that have a key, in the order in which they lie: in that of random ids each page would be read
    /// from, and written to, all over the table. Most are locked already; those that were added since are locked too.
    pub(super) fn locked(&self, cursor: &str) -> String {
        format!("DECLARE {cursor} NO SCROLL CURSOR FOR {} FOR UPDATE", self.all())
    }

    /// A cursor over all rows: the version of those that have a key, and whether there is a data source.
    pub(super) fn versions(&self, cursor: &str) -> String {
        format!(
            "DECLARE {cursor} NO SCROLL CURSOR FOR SELECT CASE WHEN {HAS_KEY} THEN t.ctid END::text, \
             CASE WHEN t.data_source_url IS NOT NULL THEN 'true' END FROM {} AS t",
            self.name
        )
    }

    pub(super) fn named(&self, ids: &[&str], locked: bool) -> String {
        let lock = if locked { " FOR UPDATE" } else { "" };
        format!("{} WHERE {} ORDER BY t.id{lock}", self.select(), self.has_id(ids))
    }

    /// One row for each status: the least id in letters, and the status.
    pub(super) fn samples(&self, limit: u32) -> String {
        format!(
            "SELECT min(t.id::text), coalesce(t.status::text, '') FROM {} AS t WHERE {HAS_KEY} AND t.id IS NOT NULL \
             GROUP BY 2 ORDER BY count(*) DESC, 2 LIMIT {limit}",
            self.name
        )
    }

    /// What a row holds besides the keys; a null and a text `NULL` are two things.
    pub(super) fn besides(&self, id: &str) -> String {
        let columns: Vec<String> =
            other_columns().map(|name| format!("quote_nullable(t.{name}::text)")).collect();
        format!("SELECT {} FROM {} AS t WHERE {}", columns.join(", "), self.name, self.has_id(&[id]))
    }

    fn has_id(&self, ids: &[&str]) -> String {
        if self.id_type == "uuid" {
            let fits = ids.iter().filter(|id| TenantId::is_uuid(id));
            let ids: Vec<String> = fits.map(|id| format!("{}::uuid", postgres_literal(id))).collect();
            if ids.is_empty() { "false".to_owned() } else { format!("t.id IN ({})", ids.join(", ")) }
        } else {
            let ids: Vec<String> = ids.iter().map(|id| postgres_literal(id)).collect();
            if ids.is_empty() { "false".to_owned() } else { format!("t.id::text IN ({})", ids.join(", ")) }
        }
    }

    /// Those of the names that are an id or a subdomain.
    pub(super) fn known(&self, names: &[&str]) -> String {
        let names: Vec<String> = names.iter().map(|name| format!("({})", postgres_literal(name))).collect();
        format!(
            "SELECT v.name FROM (VALUES {}) AS v(name) WHERE EXISTS \
             (SELECT FROM {} t WHERE t.id::text = v.name OR t.subdomain::text = v.name)",
            names.join(", "),
            self.name
        )
    }

    fn select(&self) -> String {
        // `ORDER BY id` would be the text of this name, which no index has and which is in another order for numbers.
        format!(
            "SELECT t.ctid::text, t.id::text, t.subdomain::text, t.data_source_anon_key::text, \
             t.data_source_service_key::text FROM {} AS t",
            self.name
        )
    }

    /// Writes changes where the row is still the version that was locked: its `ctid` names that very version, which is
    /// more than its keys being the same. What a trigger has made of it comes back, with the version that it now is.
    /// `then` is a statement that is sent behind it.
    pub(super) fn update(&self, changes: &[Change], then: &str) -> Secret {
        let mut sql = String::with_capacity(1024 + changes.len() * 1024);
        let _ = write!(
            sql,
            "UPDATE {} AS t SET data_source_anon_key = coalesce(v.anon, t.data_source_anon_key), \
             data_source_service_key = coalesce(v.service, t.data_source_service_key) FROM (",
            self.name
        );
        push_changes(&mut sql, changes);
        sql.push_str(
            ") AS v(number, version, anon, service) WHERE t.ctid = v.version::tid \
             RETURNING v.number::text, t.ctid::text, t.data_source_anon_key::text, t.data_source_service_key::text",
        );
        if !then.is_empty() {
            sql.push(';');
            sql.push_str(then);
        }
        Secret::new(sql)
    }

    /// The literal of an id's place, from its bytes: a database in `SQL_ASCII` holds any.
    pub(super) fn place(&self, id: &[u8]) -> Place {
        let text = match str::from_utf8(id) {
            Ok(text) => postgres_literal(text),
            Err(_) => {
                let hex = id.iter().fold(String::new(), |mut hex, byte| {
                    let _ = write!(hex, "{byte:02x}");
                    hex
                });
                format!("convert_from(decode('{hex}', 'hex'), getdatabaseencoding())")
            }
        };
        Place(format!("{text}::{}", self.id_type))
    }
}

/// Adds the changes as rows of number, version and keys. What is sealed holds neither quotes nor semicolons, so that a
/// page of it is three literals, which the server takes apart in a fraction of the time that it needs to read and plan
/// three thousand.
fn push_changes(sql: &mut String, changes: &[Change]) {
    let bare = |role| changes.iter().filter_map(move |change| change.new_key(role)).all(is_bare);
    if !bare(Role::Anon) || !bare(Role::Service) {
        sql.push_str("VALUES ");
        for (number, change) in changes.iter().enumerate() {
            let separator = if number == 0 { "" } else { "," };
            let _ = write!(sql, "{separator}({number},{}", postgres_literal(&change.row.version));
            for role in [Role::Anon, Role::Service] {
                match change.new_key(role) {
                    Some(new) => {
                        let _ = write!(sql, ",{}::text", postgres_literal(new.expose()));
                    }
                    None => sql.push_str(",NULL::text"),
                }
            }
            sql.push(')');
        }
        return;
    }
    sql.push_str("SELECT u.number - 1, u.version, u.anon, u.service FROM unnest(");
    push_list(sql, changes.iter().map(|change| Some(&*change.row.version)));
    for role in [Role::Anon, Role::Service] {
        sql.push(',');
        push_list(sql, changes.iter().map(|change| change.new_key(role).map(Secret::expose)));
    }
    sql.push_str(") WITH ORDINALITY AS u(version, anon, service, number)");
}

/// Adds an array of bare texts; an empty one is null.
fn push_list<'t>(sql: &mut String, texts: impl Iterator<Item = Option<&'t str>>) {
    sql.push_str("string_to_array('");
    for (number, text) in texts.enumerate() {
        if number > 0 {
            sql.push(';');
        }
        sql.push_str(text.unwrap_or_default());
    }
    sql.push_str("',';','')");
}

/// Whether a text can stand in a list, and in a literal of any form, without an escape. One that is empty would be null.
/// Every byte is looked at, also behind one that cannot: without an end in between they are taken many at a time.
fn is_bare(text: &Secret) -> bool {
    let is_bare = |b: u8| b.is_ascii_alphanumeric() | (b == b'+') | (b == b'/') | (b == b'=') | (b == b':');
    !text.is_empty() && text.expose().bytes().fold(true, |bare, b| bare & is_bare(b))
}

impl Change {
    /// Every text that the row held or is to hold.
    pub(super) fn values(&self) -> impl Iterator<Item = &Secret> {
        [Role::Anon, Role::Service].into_iter().flat_map(|role| {
            let old = match self.row.key(role) {
                Some(StoredKey::Text(old)) => Some(old),
                _ => None,
            };
            old.into_iter().chain(self.new_key(role))
        })
    }

    /// The new key of a role.
    #[must_use]
    pub fn new_key(&self, role: Role) -> Option<&Secret> {
        match role {
            Role::Anon => self.anon.as_ref(),
            Role::Service => self.service.as_ref(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_holds_a_lock_for_others_may_be_idle_for_as_long_as_they_work() {
        let options = RewriteOptions {
            lock_timeout: std::time::Duration::from_secs(1),
            as_user: None,
            statement_timeout: None,
        };
        let begin = |guards| Transaction { options: &options, writes: false, guards }.begin();
        assert!(begin(true).contains("idle_in_transaction_session_timeout = '0'"));
        assert!(begin(false).contains(&format!("idle_in_transaction_session_timeout = '{IDLE_LIMIT}'")));
    }
}
