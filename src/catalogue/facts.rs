//! The application database as its operator would look at it: the server, the role, what the table is like.
//!
//! Apart from [`super::Catalogue`], which cannot be opened where columns are missing; nothing here depends on any of
//! them. Everything is read from the database's own catalogue, on connections of its own, and nothing is changed. Server and
//! table are read apart, so that whoever has the table locked hides nothing of the server.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

use super::query::{COLUMNS, default_of};
use super::{CatalogueError, is_sqlite};
use crate::clock::Clock;
use crate::secret::Secret;

mod complete;
mod postgres;
mod sqlite;

use complete::{keeps_complete, speaks_of_all};

/// What was found of the database.
#[derive(Debug)]
pub struct Facts {
    /// Where the database is, without user and password.
    pub address: String,
    /// Whether it is PostgreSQL; otherwise SQLite.
    pub is_postgres: bool,
    /// How long a small question took.
    pub lag: Duration,
    /// The server, or the library that reads the file.
    pub server: Server,
}

/// What the server says of itself and of us.
#[derive(Debug)]
pub struct Server {
    /// The version as a text, printable.
    pub version: String,
    /// The version as a number: 150018 for PostgreSQL 15.18, 3046001 for SQLite 3.46.1.
    pub version_number: u32,
    /// Whether the connection is encrypted.
    pub encryption: Encryption,
    /// Whether two connections of ours were served by one of the server's: a pooler in transaction mode.
    pub pooled: bool,
    /// Why it takes no changes, if it says so.
    pub read_only: Option<&'static str>,
    /// The role, printable, and whether it is a superuser; none for a file.
    pub role: Option<(String, bool)>,
    /// The server's clock, and that of this machine in the middle of the round trip; none for a file.
    pub clock: Option<(Timestamp, Timestamp)>,
}

/// Whether a connection is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encryption {
    /// It does not leave this machine.
    Local,
    /// It is.
    Encrypted,
    /// It is not.
    Clear,
    /// Behind a pooler nobody can say, and the URL does not demand it.
    Perhaps,
}

/// The table.
#[derive(Debug, Default)]
pub struct Table {
    /// Where the database is, without user and password.
    pub address: String,
    /// Whether it is PostgreSQL's; otherwise SQLite's.
    pub is_postgres: bool,
    /// Its full name, quoted.
    pub name: String,
    /// Whether it is a plain table.
    pub is_plain: bool,
    /// Its columns.
    pub columns: Vec<Column>,
    /// Whether policies hide rows from the role.
    pub hides_rows: bool,
    /// Whether `id` tells rows apart.
    pub has_primary_key: bool,
    /// Whether there are rows that forbid it: without an id, or with one that others have.
    pub unfit_ids: u64,
    /// Whether no two tenants can have one subdomain.
    pub subdomain_is_unique: bool,
    /// Subdomains that more than one tenant has.
    pub shared_subdomains: u64,
    /// What keeps data sources complete: its name, and whether old rows were checked.
    pub constraint: Option<(String, bool)>,
    /// Without one, a check that could be taken for it, and what is the matter with it.
    pub mere: Option<(String, &'static str)>,
    /// Rows with half a data source.
    pub half_sources: u64,
    /// Why the rows could not be counted, or checks not be read, if they could not: what is above is then not known.
    pub uncounted: Option<CatalogueError>,
    /// The rules that stand in the way of changes: their names, and whether they replace the change.
    pub rules: Vec<(String, bool)>,
    /// The triggers that fire when a key is changed.
    pub triggers: Vec<Trigger>,
    /// The tables that their functions name.
    pub relations: Vec<Relation>,
}

/// A column.
#[derive(Clone, Debug)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: String,
    /// Whether the role may read it.
    pub may_read: bool,
    /// Whether the role may change it.
    pub may_change: bool,
}

/// A trigger that fires when a key is changed.
#[derive(Clone, Debug)]
pub struct Trigger {
    /// Its name.
    pub name: String,
    /// The name of its function, with the schema, quoted.
    pub function: String,
    /// The language of it.
    pub language: String,
    /// Its body.
    pub body: String,
    /// The statement that makes it.
    pub definition: String,
}

/// A table that a trigger's function names.
#[derive(Clone, Debug, Default)]
pub struct Relation {
    /// Its name alone.
    pub name: String,
    /// Its schema.
    pub schema: String,
    /// Its full name, quoted.
    pub full_name: String,
    /// Whether its name alone leads to it.
    pub is_visible: bool,
    /// Names and types of its columns.
    pub columns: Vec<(String, String)>,
    /// Names and conditions of its checks, as `CHECK (…)`.
    pub checks: Vec<(String, String)>,
}

impl Facts {
    /// Looks at the application database, but for its table.
    ///
    /// # Errors
    /// A [`CatalogueError`].
    pub async fn read(url: &Secret, clock: Clock) -> Result<Self, CatalogueError> {
        if is_sqlite(url) { sqlite::read(url).await } else { postgres::read(url, clock).await }
    }
}

/// A check of the table.
#[derive(Debug)]
struct TableCheck {
    name: String,
    /// Its condition.
    condition: String,
    /// Whether new rows must satisfy it.
    enforced: bool,
    /// Whether old rows did.
    validated: bool,
}

impl Table {
    /// Looks at the table.
    ///
    /// # Errors
    /// A [`CatalogueError`]; a missing column is none.
    pub async fn read(url: &Secret) -> Result<Self, CatalogueError> {
        if is_sqlite(url) { sqlite::table(url).await } else { postgres::table(url).await }
    }

    /// Judges the checks of the table: one that keeps data sources complete by itself, or all of them together.
    fn judge(&mut self, checks: &[TableCheck]) {
        let whole = |one: &&TableCheck| keeps_complete([one.condition.as_str()]);
        let valid = |one: &&TableCheck| one.validated;
        let enforced = || checks.iter().filter(|one| one.enforced);
        let together = || keeps_complete(enforced().filter(valid).map(|one| one.condition.as_str()));
        self.constraint = if let Some(one) = enforced().filter(valid).find(whole) {
            Some((one.name.clone(), true))
        } else if together() {
            Some(("several checks together".to_owned(), true))
        } else {
            enforced().find(whole).map(|one| (one.name.clone(), false))
        };
        let mut mere = checks.iter().filter(|one| speaks_of_all(&one.condition));
        self.mere = mere.next().filter(|_| self.constraint.is_none()).map(|one| {
            let why = if one.enforced { "lets half of one in" } else { "is not enforced" };
            (one.name.clone(), why)
        });
    }

    /// The columns that are needed and not there, and the type that each would have.
    #[must_use]
    pub fn missing(&self) -> Vec<(&'static str, &'static str)> {
        COLUMNS.into_iter().filter(|(name, _)| self.column(name).is_none()).collect()
    }

    /// What a column that is added begins with.
    #[must_use]
    pub fn default_of(column: &str) -> &'static str {
        default_of(column)
    }

    /// The columns that are there in another type: name, type, and the type that it should be.
    #[must_use]
    pub fn mistyped(&self) -> Vec<(&'static str, String, &'static str)> {
        COLUMNS
            .into_iter()
            .filter_map(|(name, wanted)| {
                let column = self.column(name)?;
                let text = |kind: &str| {
                    let plain = kind.rsplit('.').next().unwrap_or(kind);
                    plain == "text" || plain == "citext" || plain.starts_with("character")
                };
                let fits = match wanted {
                    "text" => text(&column.kind),
                    "jsonb" => column.kind == "json" || column.kind == "jsonb",
                    // Numbers and texts tell tenants apart as well.
                    _ => text(&column.kind) || ["uuid", "bigint", "integer"].contains(&column.kind.as_str()),
                };
                // An enumeration of states is as good as a text.
                (!fits && name != "status").then(|| (name, column.kind.clone(), wanted))
            })
            .collect()
    }

    /// A column by its name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// Those of the columns that are needed, and there, which the role may not read.
    #[must_use]
    pub fn unreadable(&self) -> Vec<&'static str> {
        let hidden = |name: &str| self.column(name).is_some_and(|column| !column.may_read);
        COLUMNS.into_iter().map(|(name, _)| name).filter(|name| hidden(name)).collect()
    }
}

/// The clock of this machine in the middle of what has just taken so long.
fn middle(begun: Timestamp, start: Instant) -> Timestamp {
    let half = SignedDuration::try_from(start.elapsed() / 2).unwrap_or_default();
    begun.checked_add(half).unwrap_or(begun)
}
