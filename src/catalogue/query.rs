//! The text of the questions, the same for both back ends but for a few spellings, and the reading of rows.

use super::CatalogueError;
use crate::secret::Secret;
use crate::sql::{postgres_literal, sqlite_literal};
use crate::tenant::{SealedSource, Tenant, TenantFilter, TenantId};
use crate::url::SourceUrl;

/// Which SQL is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    Postgres,
    Sqlite,
}

/// The place in the order of tenants that a page ended at.
#[derive(Clone, Debug)]
pub struct Cursor {
    subdomain: String,
    id: String,
}

impl Cursor {
    /// The place of this tenant.
    pub(super) fn at(tenant: &Tenant) -> Self {
        Self { subdomain: tenant.subdomain.clone(), id: tenant.id.as_str().to_owned() }
    }
}

/// The columns that are read, and the type by which a missing one would be added. The others of the field
/// (`plan`, `settings`, notes, timestamps) may be missing, and are not read.
pub(super) const COLUMNS: [(&str, &str); 10] = [
    ("id", "uuid"),
    ("name", "text"),
    ("subdomain", "text"),
    ("status", "text"),
    ("data_source_url", "text"),
    ("data_source_anon_key", "text"),
    ("data_source_service_key", "text"),
    ("data_source_region", "text"),
    ("connection_pool_config", "jsonb"),
    ("tenant_id_in_data_source", "text"),
];

/// What a column that is added begins with, so that its rows say something. Without a status no tenant is active.
pub(super) fn default_of(column: &str) -> &'static str {
    if column == "status" { " NOT NULL DEFAULT 'active'" } else { "" }
}

/// What is known of the table that is read.
#[derive(Debug)]
pub(super) struct Schema {
    dialect: Dialect,
    id_is_uuid: bool,
}

impl Schema {
    /// Checks the columns of the table, given as pairs of name and type.
    pub(super) fn check(
        dialect: Dialect,
        columns: &[(String, String)],
        address: &str,
    ) -> Result<Self, CatalogueError> {
        let address = address.to_owned();
        if columns.is_empty() {
            return Err(CatalogueError::NoTable { address });
        }
        let has = |name: &str| columns.iter().any(|(column, _)| column == name);
        let missing: Vec<_> = COLUMNS.into_iter().filter(|(name, _)| !has(name)).collect();
        if missing.is_empty() {
            let id_is_uuid = columns.iter().any(|(name, kind)| name == "id" && kind == "uuid");
            return Ok(Self { dialect, id_is_uuid: id_is_uuid && dialect == Dialect::Postgres });
        }
        let sql = missing
            .iter()
            .map(|(name, kind)| {
                // SQLite has neither type, and takes one column at a time.
                let kind = if dialect == Dialect::Sqlite { "text" } else { kind };
                format!("ALTER TABLE tenants ADD COLUMN {name} {kind}{};", default_of(name))
            })
            .collect::<Vec<_>>()
            .join(" ");
        Err(CatalogueError::NoColumns {
            address,
            columns: missing.iter().map(|(name, _)| *name).collect(),
            sql,
        })
    }

    pub(super) fn count(&self, filter: &TenantFilter) -> String {
        format!("SELECT {} FROM tenants{}", self.text("count(*)"), where_clause(self.conditions(filter)))
    }

    pub(super) fn page(&self, filter: &TenantFilter, after: Option<&Cursor>, limit: usize) -> String {
        // The byte order of the subdomain, whatever the collation of the column; the id, for rows without one.
        let collation = if self.dialect == Dialect::Postgres { "\"C\"" } else { "binary" };
        let subdomain = format!("coalesce({}, '') COLLATE {collation}", self.text("subdomain"));
        let id = format!("{} COLLATE {collation}", self.text("id"));
        let mut conditions = self.conditions(filter);
        if let Some(cursor) = after {
            let place = format!("({}, {})", self.quote(&cursor.subdomain), self.quote(&cursor.id));
            conditions.push(format!("({subdomain}, {id}) > {place}"));
        }
        format!(
            "{} FROM tenants{} ORDER BY {subdomain}, {id} LIMIT {limit}",
            self.select(),
            where_clause(conditions)
        )
    }

    /// In the order of the primary key, whose index serves it: a large table is then read once, whatever the pages.
    pub(super) fn scan(&self, after: Option<&TenantId>, limit: usize) -> String {
        let after = after.map(|id| format!(" WHERE t.id > {}", self.quote(id.as_str()))).unwrap_or_default();
        // `ORDER BY id` would be the text of this name.
        format!("{} FROM tenants AS t{after} ORDER BY t.id LIMIT {limit}", self.select())
    }

    /// Rows that have a key and no URL, with an empty one in its place, in the order of the primary key.
    pub(super) fn strays(&self, after: Option<&TenantId>, limit: usize) -> String {
        let after = after.map(|id| format!(" AND t.id > {}", self.quote(id.as_str()))).unwrap_or_default();
        let columns = COLUMNS.iter().map(|(name, _)| match *name {
            "data_source_url" => "''".to_owned(),
            name => self.text(name),
        });
        let columns: Vec<String> = columns.collect();
        format!(
            "SELECT {} FROM tenants AS t WHERE t.data_source_url IS NULL AND (t.data_source_anon_key <> '' \
             OR t.data_source_service_key <> ''){after} ORDER BY t.id LIMIT {limit}",
            columns.join(", ")
        )
    }

    pub(super) fn named(&self, names: &[String]) -> String {
        let all: Vec<String> = names.iter().map(|name| self.quote(name)).collect();
        let mut conditions = vec![format!("{} IN ({})", self.text("subdomain"), all.join(", "))];
        if self.id_is_uuid {
            // Compared as uuid, so that the primary key's index serves; what is no uuid is no id.
            let ids: Vec<String> = names
                .iter()
                .filter(|name| TenantId::is_uuid(name))
                .map(|name| format!("{}::uuid", self.quote(name)))
                .collect();
            if !ids.is_empty() {
                conditions.push(format!("id IN ({})", ids.join(", ")));
            }
        } else {
            conditions.push(format!("{} IN ({})", self.text("id"), all.join(", ")));
        }
        format!("{} FROM tenants WHERE {}", self.select(), conditions.join(" OR "))
    }

    fn select(&self) -> String {
        let columns: Vec<String> = COLUMNS.iter().map(|(name, _)| self.text(name)).collect();
        format!("SELECT {}", columns.join(", "))
    }

    fn conditions(&self, filter: &TenantFilter) -> Vec<String> {
        let list = |items: Vec<String>| items.join(", ");
        let mut conditions = Vec::new();
        if !filter.statuses.is_empty() {
            let statuses = list(filter.statuses.iter().map(|status| self.quote(status.as_str())).collect());
            conditions.push(format!("{} IN ({statuses})", self.text("status")));
        }
        if !filter.regions.is_empty() {
            let regions = list(filter.regions.iter().map(|region| self.quote(region)).collect());
            conditions.push(format!("data_source_region IN ({regions})"));
        }
        if !filter.kinds.is_empty() {
            let schemes = filter.kinds.iter().flat_map(|kind| kind.schemes());
            let schemes = list(schemes.map(|scheme| self.quote(scheme)).collect());
            let scheme = match self.dialect {
                Dialect::Postgres => "split_part(data_source_url, ':', 1)",
                Dialect::Sqlite => "substr(data_source_url, 1, instr(data_source_url, ':') - 1)",
            };
            conditions.push(format!("lower({scheme}) IN ({schemes})"));
        }
        conditions
    }

    fn text(&self, expression: &str) -> String {
        match self.dialect {
            Dialect::Postgres => format!("{expression}::text"),
            Dialect::Sqlite => format!("CAST({expression} AS text)"),
        }
    }

    fn quote(&self, text: &str) -> String {
        match self.dialect {
            Dialect::Postgres => postgres_literal(text),
            Dialect::Sqlite => sqlite_literal(text),
        }
    }
}

fn where_clause(conditions: Vec<String>) -> String {
    if conditions.is_empty() { String::new() } else { format!(" WHERE {}", conditions.join(" AND ")) }
}

/// Reads a row of [`Schema::page`] or [`Schema::named`]; `text` is the text of a column by its place.
pub(super) fn tenant(
    text: impl Fn(usize) -> Result<Option<String>, sqlx::Error>,
) -> Result<Tenant, sqlx::Error> {
    let source = match text(4)? {
        Some(url) => Some(SealedSource {
            url: SourceUrl::new(url),
            anon_key: text(5)?.map(Secret::new),
            service_key: text(6)?.map(Secret::new),
            region: text(7)?,
            pool_config: text(8)?,
            mapped_id: text(9)?.filter(|id| !id.is_empty()),
        }),
        None => None,
    };
    Ok(Tenant {
        id: TenantId::new(text(0)?.unwrap_or_default()),
        name: text(1)?.unwrap_or_default(),
        subdomain: text(2)?.unwrap_or_default(),
        status: text(3)?.unwrap_or_default(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_column_comes_with_the_statement_that_adds_it() {
        let columns: Vec<_> = COLUMNS
            .iter()
            .skip(1)
            .filter(|c| c.0 != "data_source_region")
            .map(|(n, k)| ((*n).to_owned(), (*k).to_owned()))
            .collect();
        let error = Schema::check(Dialect::Postgres, &columns, "postgres://h/db").unwrap_err();
        assert_eq!(error.to_string(), "the table `tenants` of postgres://h/db lacks id, data_source_region");
        let CatalogueError::NoColumns { sql, .. } = error else { panic!() };
        assert_eq!(
            sql,
            "ALTER TABLE tenants ADD COLUMN id uuid; ALTER TABLE tenants ADD COLUMN data_source_region text;"
        );
        assert!(matches!(Schema::check(Dialect::Sqlite, &[], "x"), Err(CatalogueError::NoTable { .. })));
    }

    #[test]
    fn only_the_standard_spelling_is_a_uuid() {
        assert!(
            TenantId::is_uuid("00000000-0000-4000-8000-00000000000A")
                && !TenantId::is_uuid("00000000-0000-4000-8000-00000000000G")
        );
    }
}
