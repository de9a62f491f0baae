//! The table `tenants` of PostgreSQL: where the search path leads to, what the catalogue says of it, and numbers of rows.
//!
//! A file of its own because of the order: whoever holds a lock on the table hides the numbers of its rows and the texts of
//! its expressions, which come last, and nothing else that the catalogue says.

use super::super::{Column, Relation, Table, TableCheck, Trigger};
use super::Asker;
use crate::catalogue::CatalogueError;
use crate::catalogue::postgres::Target;
use crate::secret::Secret;
use crate::sql::postgres_literal;

/// The table that the search path leads to, and the path, by which those are found that a trigger means.
const WHERE: &str = "SELECT pg_catalog.to_regclass('tenants')::pg_catalog.oid::pg_catalog.text, \
     pg_catalog.current_schemas(true)::pg_catalog.text";

/// One row. A `NOT NULL` that is `NOT VALID` (since PostgreSQL 18) does not count.
const TABLE: &str = "SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname), c.relkind::text, \
     row_security_active(c.oid)::text, \
     EXISTS (SELECT FROM pg_index i JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'id' \
       AND NOT a.attisdropped AND a.attnotnull AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = c.oid \
         AND k.contype = 'n' AND NOT k.convalidated AND k.conkey = ARRAY[a.attnum]) \
       WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL \
       AND i.indnkeyatts = 1 AND i.indkey[0] = a.attnum)::text, \
     EXISTS (SELECT FROM pg_index i LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0] \
       WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indnkeyatts = 1 \
       AND a.attname = 'subdomain')::text \
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = OID";

/// A unique index on the subdomain in lower case counts too.
const EXPRESSIONS: &str = "SELECT count(*)::text FROM pg_index i WHERE i.indrelid = OID AND i.indisunique AND i.indisvalid \
     AND i.indpred IS NULL AND i.indnkeyatts = 1 AND i.indkey[0] = 0 AND pg_get_indexdef(i.indexrelid, 1, true) \
     ~* '^(lower|upper)\\(\\(?subdomain\\)?(::[a-z_. ]+)?\\)$'";

const CHECKS: &str = "SELECT k.conname::text, pg_get_constraintdef(k.oid), k.convalidated::text FROM pg_constraint k \
     WHERE k.conrelid = OID AND k.contype = 'c' ORDER BY k.conname <> 'check_data_source_complete', k.conname";

const COLUMNS: &str = "SELECT attname::text, format_type(atttypid, atttypmod), \
     has_column_privilege(attrelid, attnum, 'SELECT')::text, has_column_privilege(attrelid, attnum, 'UPDATE')::text \
     FROM pg_attribute WHERE attrelid = OID AND attnum > 0 AND NOT attisdropped ORDER BY attnum";

/// `tgtype` 16 is UPDATE; without columns of its own, or with one of the keys.
const TRIGGERS: &str = "SELECT t.tgname::text, quote_ident(n.nspname) || '.' || quote_ident(p.proname), l.lanname::text, \
     p.prosrc, pg_get_functiondef(p.oid) FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid \
     JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang \
     WHERE t.tgrelid = OID AND NOT t.tgisinternal AND t.tgenabled IN ('O', 'A') \
     AND (t.tgtype & 16) <> 0 AND (t.tgattr::text = '' OR EXISTS (SELECT FROM pg_attribute a \
       WHERE a.attrelid = t.tgrelid AND a.attnum = ANY(t.tgattr) \
       AND a.attname IN ('data_source_anon_key', 'data_source_service_key'))) ORDER BY t.tgname";

/// `ev_type` 2 is UPDATE.
const RULES: &str = "SELECT rulename::text, is_instead::text FROM pg_rewrite WHERE ev_class = OID AND ev_type = '2' \
     AND ev_enabled IN ('O', 'A') ORDER BY rulename";

/// The columns and checks of the tables that such a trigger's function may mean, a row each.
const RELATIONS: &str = "SELECT c.relname::text, n.nspname::text, quote_ident(n.nspname) || '.' || quote_ident(c.relname), \
     (c.oid = (SELECT o.oid FROM pg_class o JOIN pg_namespace m ON m.oid = o.relnamespace \
       JOIN unnest(PATH::name[]) WITH ORDINALITY AS s(name, place) ON s.name = m.nspname \
       WHERE o.relname = c.relname ORDER BY s.place LIMIT 1))::text, x.what, x.name, x.text \
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
     CROSS JOIN LATERAL (SELECT 'column' AS what, a.attname::text AS name, format_type(a.atttypid, a.atttypmod) AS text, \
         a.attnum AS place FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
       UNION ALL SELECT 'check', k.conname::text, pg_get_constraintdef(k.oid), 0 FROM pg_constraint k \
         WHERE k.conrelid = c.oid AND k.contype = 'c') AS x \
     WHERE c.relkind IN ('r', 'p') AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%' \
     AND EXISTS (SELECT FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid \
       WHERE t.tgrelid = OID AND NOT t.tgisinternal \
       AND position(lower(c.relname) IN lower(p.prosrc)) > 0) ORDER BY c.oid, x.what, x.place, x.name";

const KEYS: [&str; 3] = ["data_source_url", "data_source_anon_key", "data_source_service_key"];

pub(in crate::catalogue::facts) async fn table(url: &Secret) -> Result<Table, CatalogueError> {
    let target = Target::of(url)?;
    let mut asker = Asker { target: &target, connection: None };
    let table = read(&mut asker).await;
    asker.close().await;
    table
}

async fn read(asker: &mut Asker<'_>) -> Result<Table, CatalogueError> {
    let address = asker.target.address.clone();
    let place = asker.ask_plainly(WHERE).await?.into_iter().next().unwrap_or_default();
    let [Some(oid), Some(path)] = place.as_slice() else {
        return Err(CatalogueError::NoTable { address });
    };
    // A number, as the server says; whatever else it may be, it is a text here.
    let (oid, path) = (format!("{}::oid", postgres_literal(oid)), postgres_literal(path));
    let of = |sql: &str| sql.replace("OID", &oid).replace("PATH", &path);
    let Some(row) = asker.ask(&of(TABLE)).await?.into_iter().next() else {
        return Err(CatalogueError::NoTable { address });
    };
    let said = |at: usize| row.get(at).cloned().flatten().unwrap_or_default();
    let mut table = Table {
        address,
        is_postgres: true,
        name: said(0),
        is_plain: said(1) == "r",
        hides_rows: said(2) == "true",
        has_primary_key: said(3) == "true",
        subdomain_is_unique: said(4) == "true",
        ..Table::default()
    };
    let column = |[name, kind, may_read, may_change]: [String; 4]| Column {
        name,
        kind,
        may_read: may_read == "true",
        may_change: may_change == "true",
    };
    table.columns = rows(asker, &of(COLUMNS)).await?.into_iter().map(column).collect();
    let rule = |[name, instead]: [String; 2]| (name, instead == "true");
    table.rules = rows(asker, &of(RULES)).await?.into_iter().map(rule).collect();
    let trigger = |[name, function, language, body, definition]: [String; 5]| Trigger {
        name,
        function,
        language,
        body,
        definition,
    };
    table.triggers = rows(asker, &of(TRIGGERS)).await?.into_iter().map(trigger).collect();
    table.uncounted = match behind_locks(asker, &mut table, of).await {
        Ok(()) => counted(asker, &mut table).await.err(),
        Err(error) => Some(error),
    };
    Ok(table)
}

/// What the server tells only to whom it can give a lock on the table: the text of expressions.
async fn behind_locks(
    asker: &mut Asker<'_>,
    table: &mut Table,
    of: impl Fn(&str) -> String,
) -> Result<(), CatalogueError> {
    let check = |[name, definition, validated]: [String; 3]| TableCheck {
        name,
        enforced: !definition.ends_with(" NOT ENFORCED"),
        condition: condition(&definition).to_owned(),
        validated: validated == "true",
    };
    let checks: Vec<TableCheck> = rows(asker, &of(CHECKS)).await?.into_iter().map(check).collect();
    table.judge(&checks);
    if !table.subdomain_is_unique {
        table.subdomain_is_unique = asker.number(&of(EXPRESSIONS)).await? > 0;
    }
    if !table.triggers.is_empty() {
        table.relations = relations(asker, &of(RELATIONS)).await?;
    }
    Ok(())
}

/// The condition of a check as the server writes it.
fn condition(definition: &str) -> &str {
    let mut text = definition.strip_prefix("CHECK ").unwrap_or(definition);
    for word in [" NOT ENFORCED", " NOT VALID", " NO INHERIT"] {
        text = text.strip_suffix(word).unwrap_or(text);
    }
    text
}

/// Counts the rows that are in the way of something.
async fn counted(asker: &mut Asker<'_>, table: &mut Table) -> Result<(), CatalogueError> {
    let has =
        |names: &[&str]| names.iter().all(|name| table.column(name).is_some_and(|column| column.may_read));
    let name = table.name.clone();
    // What is not there is null in every row; what may not be read hides the number.
    let there: Vec<&str> = KEYS.into_iter().filter(|key| table.column(key).is_some()).collect();
    let half = has(&there);
    let nulls = KEYS.map(|key| if there.contains(&key) { key } else { "NULL" }).join(", ");
    let subdomains = has(&["subdomain"]) && !table.subdomain_is_unique;
    let ids = has(&["id"]) && !table.has_primary_key;
    if half {
        let sql = format!("SELECT count(*)::text FROM {name} WHERE num_nulls({nulls}) NOT IN (0, 3)");
        table.half_sources = asker.number(&sql).await?;
    }
    if subdomains {
        let sql = format!(
            "SELECT count(*)::text FROM (SELECT FROM {name} WHERE subdomain IS NOT NULL \
             GROUP BY subdomain HAVING count(*) > 1) AS shared"
        );
        table.shared_subdomains = asker.number(&sql).await?;
    }
    if ids {
        let sql = format!("SELECT (count(*) - count(DISTINCT id))::text FROM {name}");
        table.unfit_ids = asker.number(&sql).await?;
    }
    Ok(())
}

/// The rows of a question of so many columns, a null as an empty text.
async fn rows<const N: usize>(asker: &mut Asker<'_>, sql: &str) -> Result<Vec<[String; N]>, CatalogueError> {
    let row = |row: Vec<Option<String>>| {
        let mut row = row.into_iter().map(Option::unwrap_or_default);
        std::array::from_fn(|_| row.next().unwrap_or_default())
    };
    Ok(asker.ask(sql).await?.into_iter().map(row).collect())
}

async fn relations(asker: &mut Asker<'_>, sql: &str) -> Result<Vec<Relation>, CatalogueError> {
    let mut found: Vec<Relation> = Vec::new();
    for [name, schema, full_name, is_visible, what, part, text] in rows::<7>(asker, sql).await? {
        if found.last().is_none_or(|last| last.full_name != full_name) {
            let is_visible = is_visible == "true";
            found.push(Relation { name, schema, full_name, is_visible, ..Relation::default() });
        }
        let Some(relation) = found.last_mut() else { continue };
        let list = if what == "check" { &mut relation.checks } else { &mut relation.columns };
        list.push((part, text));
    }
    Ok(found)
}
