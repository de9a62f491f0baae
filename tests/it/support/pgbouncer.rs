//! PgBouncer in transaction mode, the way Supabase's port 6543 works: no session outlives a transaction, named
//! prepared statements break, and start-up parameters it does not know are refused.

use std::fs::{self, File};
use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;

use super::postgres::Cluster;
use super::process::{self, Child, Signal, User};
use super::scratch;

/// A running pooler, gone with its handle.
pub struct PgBouncer {
    port: u16,
    folder: TempDir,
    _server: Child,
}

impl PgBouncer {
    /// Starts a pooler in front of one database. Everybody whom the cluster knows is let in without a password.
    pub fn start(cluster: &Cluster, database: &str) -> Self {
        let folder = scratch::server_folder("bouncer");
        let port = process::free_port();
        let program = process::find("pgbouncer");
        let settings = format!(
            "[databases]\n{database} = host=127.0.0.1 port={} dbname={database}\n[pgbouncer]\n\
             listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\npool_mode = transaction\n\
             auth_type = trust\nauth_user = postgres\n\
             auth_query = select rolname, null::text from pg_roles where rolname = $1\n\
             max_client_conn = 1000\ndefault_pool_size = 20\n{}",
            cluster.port(),
            without_prepared_statements(),
        );
        let file = folder.path().join("pgbouncer.ini");
        fs::write(&file, settings).expect("write the settings of PgBouncer");
        let log = File::create(folder.path().join("log")).expect("make the log of PgBouncer");
        let mut command = process::command(program, Signal::KILL, User::Server);
        command.arg(&file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let bouncer = Self { port, folder, _server: process::spawn(command) };
        process::wait_for_port(port, Duration::from_secs(10));
        bouncer
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The URL of the database through the pooler, for the superuser `postgres`.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

/// The line that turns off what releases from 1.21 on do for named prepared statements; older ones do not know it.
fn without_prepared_statements() -> &'static str {
    let mut command = process::command(process::find("pgbouncer"), Signal::KILL, User::Server);
    command.arg("--version");
    let output = process::run(command, b"", Duration::from_secs(10));
    let text = String::from_utf8_lossy(&output.stdout);
    let version = text.lines().next().and_then(|line| line.strip_prefix("PgBouncer 1."));
    let minor = version.and_then(|rest| rest.split('.').next()).and_then(|minor| minor.parse::<u32>().ok());
    match minor.expect("the version of PgBouncer") {
        21.. => "max_prepared_statements = 0\n",
        _ => "",
    }
}
