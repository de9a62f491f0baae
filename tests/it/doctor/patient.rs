//! An installation that is well, to be broken in one place.

use serde_json::Value;
use tempfile::TempDir;

use crate::fixture::{KEY, seal};
use crate::support::cli::Cli;
use crate::support::fleet::{ApplicationDatabase, TenantRow, sqlite_source};
use crate::support::postgres::{Cluster, cluster};
use crate::support::scratch;

/// An application database with two tenants, the files of their data, and a state store.
pub struct Patient {
    pub database: ApplicationDatabase,
    /// The URL for a role that owns the table and is no superuser; of a file its own.
    pub url: String,
    /// That role.
    pub role: String,
    pub folder: TempDir,
}

impl Patient {
    /// On the shared PostgreSQL server.
    pub fn postgres() -> Self {
        Self::postgres_in(cluster())
    }

    /// On this one.
    pub fn postgres_in(cluster: &Cluster) -> Self {
        let database = ApplicationDatabase::postgres_in(cluster);
        let role = format!("doctor_{}", rand::random::<u32>());
        database.execute(&format!(
            "create role {role} login; grant usage, create on schema public to {role};
             alter table tenants owner to {role}; alter table audit_log owner to {role};
             alter function audit_data_source_changes() owner to {role}"
        ));
        let url = cluster.url_as(&role, database.database());
        Self::with(database, url, role, scratch::folder("patient"))
    }

    /// In a SQLite file.
    pub fn sqlite() -> Self {
        let folder = scratch::folder("patient");
        let database = ApplicationDatabase::sqlite(&folder.path().join("application.db"));
        let url = database.url();
        Self::with(database, url, String::new(), folder)
    }

    fn with(database: ApplicationDatabase, url: String, role: String, folder: TempDir) -> Self {
        for name in ["acme", "birch"] {
            let row = TenantRow::new(name);
            let source = sqlite_source(&folder.path().join(format!("{name}.db")), &[&row.id]);
            database.insert(row.data_source(&source, &seal(name), &seal(name)));
        }
        let patient = Self { database, url, role, folder };
        patient.command("test-connection").arg("--all").run().expect_code(0);
        patient
    }

    /// The URL of its state store.
    pub fn state_url(&self) -> String {
        format!("sqlite:{}/state.db", self.folder.path().display())
    }

    /// A command with its settings.
    pub fn command(&self, name: &str) -> Cli {
        Cli::new([name])
            .env("DATABASE_URL", &self.url)
            .env("ENCRYPTION_KEY", KEY)
            .env("BOOTHDS_STATE_URL", self.state_url())
    }

    /// `doctor --offline --json` with further arguments.
    pub fn doctor(&self, args: &[&str]) -> Cli {
        let cli = self.command("doctor").arg("--offline").arg("--json");
        args.iter().fold(cli, |cli, arg| cli.arg(*arg))
    }

    /// The checks of `doctor --offline --json`, which must end with this code.
    #[track_caller]
    pub fn checks(&self, args: &[&str], code: i32) -> Vec<Value> {
        checks(&self.doctor(args), code)
    }

    /// A text without what differs from run to run.
    pub fn plain(&self, text: &str) -> String {
        let at = format!("127.0.0.1:{}", cluster().port());
        let mut text = text.replace(&self.folder.path().display().to_string(), "FOLDER").replace(&at, "HOST");
        if !self.role.is_empty() {
            text = text.replace(&self.role, "ROLE").replace(self.database.database(), "DB");
        }
        text
    }
}

/// The checks of a run, which must end with this code and count what it shows.
#[track_caller]
pub fn checks(cli: &Cli, code: i32) -> Vec<Value> {
    let ran = cli.run().expect_code(code);
    let document = ran.json();
    let checks = document["checks"].as_array().unwrap().clone();
    let count = |status: &str| checks.iter().filter(|check| check["status"] == status).count();
    for (name, status) in [
        ("ok", "ok"),
        ("warnings", "warning"),
        ("errors", "error"),
        ("skipped", "skipped"),
        ("ignored", "ignored"),
    ] {
        assert_eq!(document["summary"][name], count(status), "{name} in {document:#}");
    }
    for check in &checks {
        let needs_hint = check["status"] == "warning" || check["status"] == "error";
        assert!(!needs_hint || check["hint"].is_string(), "{check}");
    }
    checks
}

/// The checks with a code.
pub fn of<'c>(checks: &'c [Value], code: &str) -> Vec<&'c Value> {
    checks.iter().filter(|check| check["code"] == code).collect()
}

/// Codes and statuses of all checks that are worth mending or wrong.
pub fn wrong(checks: &[Value]) -> Vec<String> {
    let bad = checks.iter().filter(|check| check["status"] == "warning" || check["status"] == "error");
    bad.map(|check| format!("{} {}", check["status"].as_str().unwrap(), check["code"].as_str().unwrap()))
        .collect()
}

/// The messages of the checks with a code and a status.
pub fn messages(checks: &[Value], code: &str, status: &str) -> Vec<String> {
    let own = of(checks, code).into_iter().filter(|check| check["status"] == status);
    own.map(|check| check["message"].as_str().unwrap().to_owned()).collect()
}
