//! The embedded fleet of `boothds demo`: an application database, five tenants in SQLite files, two of them broken
//! on purpose. Real in every part, so that each command can be tried without a server.

use std::path::{Path, PathBuf};

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, Executor, SqliteConnection, raw_sql};

use crate::cipher::EncryptionKey;
use crate::private_file::{self, Existing, FileError};
use crate::secret::Secret;
use crate::sql::sqlite_literal;
use crate::url::sqlite_url;

/// The first line of the configuration file, by which a folder is known to hold the fleet.
const MARK: &str = "# The embedded fleet of `boothds demo`.";

/// The `tenants` table of the field, in SQLite's types.
const TENANTS: &str = "CREATE TABLE tenants (
    id text PRIMARY KEY, name text NOT NULL, subdomain text NOT NULL UNIQUE, plan text NOT NULL DEFAULT 'pro',
    status text NOT NULL DEFAULT 'active', settings text NOT NULL DEFAULT '{}',
    created_at text NOT NULL DEFAULT CURRENT_TIMESTAMP, updated_at text NOT NULL DEFAULT CURRENT_TIMESTAMP,
    data_source_url text, data_source_anon_key text, data_source_service_key text, data_source_region text,
    connection_pool_config text DEFAULT '{\"min\":2,\"max\":10}', data_source_notes text,
    tenant_id_in_data_source text,
    CONSTRAINT check_data_source_complete CHECK (
        (data_source_url IS NULL AND data_source_anon_key IS NULL AND data_source_service_key IS NULL)
        OR (data_source_url IS NOT NULL AND data_source_anon_key IS NOT NULL AND data_source_service_key IS NOT NULL)
    ));";

/// What is the matter with a tenant of the fleet.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    NoFile,
    NoTable,
}

/// Subdomain, name, region, fault.
const FLEET: [(&str, &str, &str, Fault); 5] = [
    ("acme", "Acme Photo Booths", "eu-central-1", Fault::None),
    ("birch", "Birch & Sons", "eu-central-1", Fault::None),
    ("cedar", "Cedar Events", "us-east-1", Fault::None),
    ("dune", "Dune Rentals", "us-east-1", Fault::NoFile),
    ("elm", "Elm Street Studio", "us-east-1", Fault::NoTable),
];

/// The fleet in its folder.
#[derive(Debug)]
pub struct Demo {
    /// The folder.
    pub folder: PathBuf,
    /// Its configuration file.
    pub config: PathBuf,
    /// Whether it was there already.
    pub existed: bool,
}

/// Why there is no fleet.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The folder holds something else.
    #[error("{} is not empty, and holds no fleet of `boothds demo`", .0.display())]
    Occupied(PathBuf),
    /// The system refused something.
    #[error("cannot make {}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A secret file could not be written.
    #[error("cannot write the encryption key or configuration")]
    File(#[from] FileError),
    /// SQLite refused something.
    #[error("cannot make the database {}", path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// Why.
        source: sqlx::Error,
    },
}

/// Makes the fleet in `folder`, or finds it there. It is made beside the folder and then given its name in one
/// step, so that an interrupted run leaves no half of one under it.
///
/// # Errors
/// A [`DemoError`]; the folder is then as it was.
pub async fn create(folder: &Path) -> Result<Demo, DemoError> {
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| DemoError::Io { path, source }
    };
    let folder = std::path::absolute(folder).map_err(io(folder))?;
    let demo = |existed| Demo { folder: folder.clone(), config: folder.join("boothds.toml"), existed };
    if std::fs::read_to_string(folder.join("boothds.toml")).is_ok_and(|text| text.starts_with(MARK)) {
        return Ok(demo(true));
    }
    if std::fs::read_dir(&folder).is_ok_and(|mut entries| entries.next().is_some()) || folder.is_file() {
        return Err(DemoError::Occupied(folder));
    }
    // A folder that is there, perhaps as somebody's working directory, stays the same folder.
    let exists = folder.is_dir();
    let parent = if exists { &folder } else { folder.parent().unwrap_or(&folder) };
    std::fs::create_dir_all(parent).map_err(io(parent))?;
    let unfinished = Unfinished(parent.join(format!(".boothds-demo-{:016x}", rand::random::<u64>())));
    fill(&unfinished.0, &folder).await?;
    if exists {
        // The configuration last: by it a fleet is known to be whole.
        for name in ["tenants", "application.db", "encryption.key", "boothds.toml"] {
            std::fs::rename(unfinished.0.join(name), folder.join(name)).map_err(io(&folder))?;
        }
    } else {
        std::fs::rename(&unfinished.0, &folder).map_err(io(&folder))?;
    }
    Ok(demo(false))
}

/// A folder that is removed with all in it, unless it was given its name.
struct Unfinished(PathBuf);

impl Drop for Unfinished {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Fills `at` with a fleet whose rows say that it is at `folder`.
async fn fill(at: &Path, folder: &Path) -> Result<(), DemoError> {
    let tenants = at.join("tenants");
    std::fs::create_dir_all(&tenants).map_err(|source| DemoError::Io { path: tenants.clone(), source })?;
    let key = EncryptionKey::generate();
    let digits = Secret::new(format!("{}\n", key.digits().expose()));
    private_file::write(&at.join("encryption.key"), &digits, Existing::Keep)?;
    let config = format!(
        "{MARK}\n# Paths are relative to this file.\ndatabase_url = \"sqlite:application.db\"\n\
         encryption_key_file = \"encryption.key\"\nstate_url = \"sqlite:state.db\"\n"
    );
    private_file::write(&at.join("boothds.toml"), &Secret::new(config), Existing::Keep)?;

    let mut rows = String::from(TENANTS);
    for (number, (subdomain, name, region, fault)) in (1..).zip(FLEET) {
        let id = format!("00000000-0000-4000-8000-{number:012}");
        let file = format!("{subdomain}.db");
        if fault != Fault::NoFile {
            database(&tenants.join(&file), &accounts(&id, fault)).await?;
        }
        let values = [
            id.as_str(),
            name,
            subdomain,
            &sqlite_url(&folder.join("tenants").join(&file)),
            &key.seal(&format!("anon key of {subdomain}")),
            &key.seal(&format!("service key of {subdomain}")),
            region,
        ]
        .map(sqlite_literal)
        .join(", ");
        rows.push_str(&format!(
            "INSERT INTO tenants (id, name, subdomain, data_source_url, data_source_anon_key, \
             data_source_service_key, data_source_region) VALUES ({values});"
        ));
    }
    database(&at.join("application.db"), &rows).await
}

/// The tables of one tenant's data source.
fn accounts(tenant: &str, fault: Fault) -> String {
    if fault == Fault::NoTable {
        return "CREATE TABLE bookings (id integer PRIMARY KEY, tenant_id text NOT NULL);".to_owned();
    }
    let tenant = sqlite_literal(tenant);
    format!(
        "CREATE TABLE accounts (id integer PRIMARY KEY, tenant_id text NOT NULL, name text NOT NULL);
         INSERT INTO accounts (tenant_id, name) VALUES ({tenant}, 'Front desk'), ({tenant}, 'Warehouse');"
    )
}

async fn database(path: &Path, sql: &str) -> Result<(), DemoError> {
    let failed = |source| DemoError::Database { path: path.to_owned(), source };
    let options =
        SqliteConnectOptions::new().filename(path).create_if_missing(true).disable_statement_logging();
    let mut connection = SqliteConnection::connect_with(&options).await.map_err(failed)?;
    connection.execute(raw_sql(sql)).await.map_err(failed)?;
    connection.close().await.map_err(failed)
}
