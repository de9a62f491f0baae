//! A fleet under test: an application database, its encryption key, and the command line pointed at both.

use boothds::cipher::{EncryptionKey, KeyRing};
use boothds::secret::Secret;
use serde_json::Value;

use crate::support::cli::Cli;
use crate::support::fleet::{ApplicationDatabase, TenantRow};
use crate::support::scratch;

/// The encryption key of every fleet here.
pub const KEY: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0";

/// Seals a text under the fleet's key.
pub fn seal(text: &str) -> String {
    seal_with(KEY, text)
}

/// Seals a text under another key.
pub fn seal_with(key: &str, text: &str) -> String {
    let key = EncryptionKey::parse(&Secret::new(key.to_owned()), "test").unwrap();
    KeyRing::new(key, Vec::new()).seal(text)
}

/// An application database with tenants.
pub struct World {
    pub database: ApplicationDatabase,
    _folder: Option<tempfile::TempDir>,
}

impl World {
    /// On the shared PostgreSQL server.
    pub fn postgres() -> Self {
        Self { database: ApplicationDatabase::postgres(), _folder: None }
    }

    /// In a SQLite file.
    pub fn sqlite() -> Self {
        let folder = scratch::folder("world");
        Self {
            database: ApplicationDatabase::sqlite(&folder.path().join("application.db")),
            _folder: Some(folder),
        }
    }

    /// Adds a tenant whose keys are sealed here.
    pub fn add(&self, subdomain: &str, url: &str, anon: &str, service: &str) {
        self.database.insert(TenantRow::new(subdomain).data_source(url, &seal(anon), &seal(service)));
    }

    /// The command line with the settings of this fleet.
    pub fn cli<const N: usize>(&self, args: [&str; N]) -> Cli {
        Cli::new(args).env("DATABASE_URL", self.database.url()).env("ENCRYPTION_KEY", KEY)
    }

    /// The document of `test-connection --all`, with further arguments; whatever the exit code.
    pub fn test_all(&self, args: &[&str]) -> Value {
        let mut cli = self.cli(["test-connection", "--all", "--json"]);
        for arg in args {
            cli = cli.arg(*arg);
        }
        cli.run().json()
    }
}

/// The result of a tenant in a document.
pub fn result<'a>(document: &'a Value, subdomain: &str) -> &'a Value {
    let results = document["results"].as_array().unwrap();
    results
        .iter()
        .find(|result| result["tenant"]["subdomain"] == subdomain)
        .unwrap_or_else(|| panic!("no {subdomain}"))
}

/// The class of a role's failure, or `ok`.
pub fn outcome<'a>(result: &'a Value, role: &str) -> &'a str {
    let role = &result["roles"][role];
    if role["success"] == true { "ok" } else { role["failure"].as_str().unwrap_or("-") }
}

/// The codes of a result's findings.
pub fn codes(result: &Value) -> Vec<&str> {
    result["findings"].as_array().unwrap().iter().map(|finding| finding["code"].as_str().unwrap()).collect()
}
