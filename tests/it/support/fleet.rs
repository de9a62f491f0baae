//! The application database of the field, with the `tenants` table as the contract describes it, on PostgreSQL and
//! on SQLite; and SQLite data sources of tenants.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use super::postgres::{self, Cluster};
use super::process::{self, Signal, User};

/// An application database, at first with an empty `tenants` table.
pub struct ApplicationDatabase {
    url: String,
    place: Place,
}

enum Place {
    Postgres { port: u16, socket_dir: PathBuf, database: String },
    Sqlite(PathBuf),
}

impl ApplicationDatabase {
    /// A new one in the cluster that the tests share.
    pub fn postgres() -> Self {
        Self::postgres_in(postgres::cluster())
    }

    /// A new one in this cluster, which may be a private one.
    pub fn postgres_in(cluster: &Cluster) -> Self {
        let database = cluster.create_database("app");
        cluster.psql(&database, include_str!("fleet_postgres.sql"));
        let url = cluster.url(&database);
        Self {
            url,
            place: Place::Postgres { port: cluster.port(), socket_dir: cluster.socket_dir(), database },
        }
    }

    /// A new one in this file, which must not exist.
    pub fn sqlite(file: &Path) -> Self {
        assert!(!file.exists(), "{} is there already", file.display());
        sqlite3(file, include_str!("fleet_sqlite.sql"));
        Self { url: sqlite_url(file), place: Place::Sqlite(file.to_owned()) }
    }

    /// The URL, for a superuser.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// The name of the database in its cluster.
    ///
    /// # Panics
    /// On SQLite.
    pub fn database(&self) -> &str {
        match &self.place {
            Place::Postgres { database, .. } => database,
            Place::Sqlite(file) => panic!("{} is a file", file.display()),
        }
    }

    /// Adds a tenant.
    pub fn insert(&self, row: TenantRow) {
        self.insert_all(&[row]);
    }

    /// Adds tenants, in one transaction.
    pub fn insert_all(&self, rows: &[TenantRow]) {
        let statements = rows.iter().map(TenantRow::statement).collect::<String>();
        self.execute(&format!("begin;\n{statements}commit;\n"));
    }

    /// Runs SQL and returns its rows, a line each, columns parted by `|`.
    ///
    /// # Panics
    /// With the database's message when a statement fails.
    pub fn execute(&self, sql: &str) -> String {
        match &self.place {
            Place::Postgres { port, socket_dir, database } => {
                let outcome = postgres::psql(socket_dir, *port, database, sql);
                outcome.unwrap_or_else(|error| panic!("psql: {error}\nin: {sql}"))
            }
            Place::Sqlite(file) => sqlite3(file, sql),
        }
    }

    /// Replaces the audit trigger by the one that raises when the session settings are not set.
    pub fn break_audit_trigger(&self) {
        self.execute(include_str!("fleet_broken_trigger.sql"));
    }
}

/// A row of `tenants`: active, plan `pro`, without a data source until it is given one.
#[derive(Clone, Debug)]
pub struct TenantRow {
    /// A UUID, always the same for a subdomain.
    pub id: String,
    /// The name, at first the subdomain with a capital.
    pub name: String,
    /// The subdomain.
    pub subdomain: String,
    /// The status, at first `active`.
    pub status: String,
    /// The plan, at first `pro`.
    pub plan: String,
    /// `data_source_url`
    pub url: Option<String>,
    /// `data_source_anon_key`
    pub anon_key: Option<String>,
    /// `data_source_service_key`
    pub service_key: Option<String>,
    /// `data_source_region`
    pub region: Option<String>,
    /// `connection_pool_config`, JSON; nothing means the column's default.
    pub pool_config: Option<String>,
    /// `tenant_id_in_data_source`
    pub tenant_id_in_data_source: Option<String>,
}

/// Builder methods that set a field of that name.
macro_rules! setters {
    ($($field:ident: $wrap:expr),* $(,)?) => {
        $(
            #[doc = concat!("Sets `", stringify!($field), "`.")]
            pub fn $field(mut self, value: impl Into<String>) -> Self {
                self.$field = $wrap(value.into());
                self
            }
        )*
    };
}

impl TenantRow {
    /// A tenant with this subdomain and all else as it comes.
    pub fn new(subdomain: &str) -> Self {
        let mut name = subdomain.to_owned();
        if let Some(first) = name.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        Self {
            id: uuid_of(subdomain),
            name,
            subdomain: subdomain.to_owned(),
            status: "active".to_owned(),
            plan: "pro".to_owned(),
            url: None,
            anon_key: None,
            service_key: None,
            region: None,
            pool_config: None,
            tenant_id_in_data_source: None,
        }
    }

    setters! {
        id: String::from, name: String::from, status: String::from, plan: String::from, url: Some, anon_key: Some,
        service_key: Some, region: Some, pool_config: Some, tenant_id_in_data_source: Some,
    }

    /// Sets the URL and both keys.
    pub fn data_source(self, url: &str, anon_key: &str, service_key: &str) -> Self {
        self.url(url).anon_key(anon_key).service_key(service_key)
    }

    fn statement(&self) -> String {
        let columns = [
            ("id", Some(&self.id)),
            ("name", Some(&self.name)),
            ("subdomain", Some(&self.subdomain)),
            ("status", Some(&self.status)),
            ("plan", Some(&self.plan)),
            ("data_source_url", self.url.as_ref()),
            ("data_source_anon_key", self.anon_key.as_ref()),
            ("data_source_service_key", self.service_key.as_ref()),
            ("data_source_region", self.region.as_ref()),
            ("connection_pool_config", self.pool_config.as_ref()),
            ("tenant_id_in_data_source", self.tenant_id_in_data_source.as_ref()),
        ];
        let set = columns.into_iter().filter_map(|(name, value)| Some((name, quoted(value?))));
        let (names, values): (Vec<_>, Vec<_>) = set.unzip();
        format!("insert into tenants ({}) values ({});\n", names.join(", "), values.join(", "))
    }
}

/// Makes a tenants' data source in a SQLite file: `accounts (id, tenant_id, name)` with a row for each tenant id
/// given, so that one given twice has two. Returns its URL.
pub fn sqlite_source(file: &Path, tenant_ids: &[&str]) -> String {
    let row = |(n, id): (usize, &&str)| {
        format!("insert into accounts values ({n}, {}, 'account {n}');\n", quoted(id), n = n + 1)
    };
    let rows = tenant_ids.iter().enumerate().map(row).collect::<String>();
    let table = "create table accounts (id integer primary key, tenant_id text not null, name text);\n";
    sqlite3(file, &format!("begin;\n{table}{rows}commit;\n"));
    sqlite_url(file)
}

/// Runs SQL on a SQLite file and returns its rows, a line each, columns parted by `|`.
///
/// # Panics
/// With SQLite's message when a statement fails.
pub fn sqlite3(file: &Path, sql: &str) -> String {
    let mut command = process::command(process::find("sqlite3"), Signal::KILL, User::Own);
    command.args(["-batch", "-bail", "-cmd", ".timeout 10000"]).arg(file);
    let output = process::run(command, sql.as_bytes(), Duration::from_secs(60));
    let [out, err] =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).trim_end().to_owned());
    assert!(output.status.success() && err.is_empty(), "sqlite3: {err}\nin: {sql}");
    out
}

/// The URL of a SQLite file.
pub fn sqlite_url(file: &Path) -> String {
    format!("sqlite://{}", file.display())
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A UUID from the SHA-256 of the text, in the shape of version 8.
fn uuid_of(text: &str) -> String {
    let mut hex = Sha256::digest(text).iter().take(16).map(|byte| format!("{byte:02x}")).collect::<String>();
    hex.replace_range(12..13, "8");
    hex.replace_range(16..17, "8");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}
