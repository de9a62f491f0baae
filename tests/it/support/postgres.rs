//! PostgreSQL clusters: one shared by all tests of the process, and private ones that a test may configure, kill and
//! start again. `initdb` runs once; every cluster is a copy of its folder, with Supabase's roles in it.
//!
//! Tests share the cluster's roles and settings: what a test changes there belongs in a [`PrivateCluster`].

mod release;
mod template;

use std::fs::{self, File};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::certificates;
use super::process::{self, Child, Signal, User};
use super::scratch;

pub use release::Release;

/// The cluster of this process, started on first use.
pub fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        let cluster = Cluster::new(Release::Debian);
        cluster.start();
        cluster
    })
}

/// A PostgreSQL server of our own.
pub struct Cluster {
    release: Release,
    folder: TempDir,
    port: u16,
    settings: Vec<(String, String)>,
    server: Mutex<Option<Child>>,
}

impl Cluster {
    fn new(release: Release) -> Self {
        let folder = scratch::server_folder("pg");
        template::copy_to(&folder.path().join("data"), release);
        Self { release, folder, port: process::free_port(), settings: Vec::new(), server: Mutex::new(None) }
    }

    /// The TCP port on 127.0.0.1, the same after a restart.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The folder of the unix socket, where everybody is trusted.
    pub fn socket_dir(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    /// The certificate of the authority that signed the server's.
    pub fn ca_file(&self) -> PathBuf {
        certificates::ca_file()
    }

    /// The URL of a database for the superuser `postgres`.
    pub fn url(&self, database: &str) -> String {
        self.url_as("postgres", database)
    }

    /// The URL of a database for somebody: a user name, or `user:password`, percent-encoded where it must be.
    pub fn url_as(&self, user: &str, database: &str) -> String {
        format!("postgres://{user}@127.0.0.1:{}/{database}", self.port)
    }

    /// Makes an empty database with a name of its own that begins with `prefix`.
    pub fn create_database(&self, prefix: &str) -> String {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("{prefix}_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        self.psql("postgres", &format!("create database \"{name}\""));
        name
    }

    /// Runs SQL as the superuser and returns its rows, a line each, columns parted by `|`.
    ///
    /// # Panics
    /// With the server's message when a statement fails.
    pub fn psql(&self, database: &str, sql: &str) -> String {
        self.try_psql(database, sql).unwrap_or_else(|error| panic!("psql: {error}\nin: {sql}"))
    }

    /// The same, with the server's message as an error.
    pub fn try_psql(&self, database: &str, sql: &str) -> Result<String, String> {
        psql(self.folder.path(), self.port, database, sql)
    }

    /// What the server has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn server(&self) -> std::sync::MutexGuard<'_, Option<Child>> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start(&self) {
        let mut server = self.server();
        assert!(server.is_none(), "the cluster is running");
        let data = self.folder.path().join("data");
        let log = File::options().create(true).append(true).open(self.folder.path().join("log"));
        let log = log.expect("open the log of a cluster");
        // SIGQUIT ends all of its processes at once and without a checkpoint.
        let mut command = process::command(self.release.program("postgres"), Signal::QUIT, User::Server);
        command.arg("-D").arg(&data).args(["-p", &self.port.to_string(), "-k"]).arg(self.folder.path());
        for (name, value) in &self.settings {
            command.arg(format!("--{name}={value}"));
        }
        command.current_dir(&data).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let child = server.insert(process::spawn(command).ending_with(Signal::QUIT));
        let start = Instant::now();
        // The file of the process that ran before may stand there with `ready`: the first line is its id.
        let ready = |id: u32| {
            let file = fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
            file.lines().next() == Some(&id.to_string()) && file.trim_end().ends_with("ready")
        };
        while !ready(child.id()) {
            let failed = child.try_wait().is_some() || start.elapsed() > Duration::from_secs(60);
            assert!(!failed, "PostgreSQL does not start:\n{}", self.log());
            thread::sleep(Duration::from_millis(5));
        }
    }
}

/// A cluster of one test, gone with its handle. It does all that a [`Cluster`] does.
pub struct PrivateCluster(Cluster);

impl PrivateCluster {
    /// A cluster that is not running yet.
    pub fn new() -> Self {
        Self::of(Release::Debian)
    }

    /// The same, of another release.
    pub fn of(release: Release) -> Self {
        Self(Cluster::new(release))
    }

    /// Adds a setting, for the next start.
    pub fn with_setting(mut self, name: &str, value: &str) -> Self {
        self.0.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts it, for the first time or again on the same port with the same data, and waits until it is ready.
    pub fn start(&self) {
        self.0.start();
    }

    /// Starts it and hands it back, for the end of a chain.
    pub fn started(self) -> Self {
        self.0.start();
        self
    }

    /// An orderly end: every connection is told, everything is written.
    pub fn stop(&self) {
        if let Some(server) = self.0.server().take() {
            drop(server.ending_with(Signal::INT));
        }
    }

    /// SIGKILL to the server and to all of its processes: connections break in the middle of whatever they do.
    pub fn kill9(&self) {
        if let Some(mut server) = self.0.server().take() {
            let children = process::children_of(server.id());
            server.signal(Signal::STOP); // it would report a child that dies first, and restart
            for child in children {
                process::signal(child, Signal::KILL);
            }
            server.kill();
        }
    }
}

impl Deref for PrivateCluster {
    type Target = Cluster;

    fn deref(&self) -> &Cluster {
        &self.0
    }
}

/// Runs SQL as `postgres` on the server behind a unix socket: for whoever cannot hold the [`Cluster`].
pub fn psql(socket_dir: &Path, port: u16, database: &str, sql: &str) -> Result<String, String> {
    let mut command = process::command(process::find("psql"), Signal::KILL, User::Own);
    command.args(["-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-d", database]);
    command.args(["-p", &port.to_string(), "-f", "-", "-h"]).arg(socket_dir);
    let output = process::run(command, sql.as_bytes(), Duration::from_secs(120));
    let text = |bytes| String::from_utf8(bytes).expect("psql writes UTF-8").trim_end().to_owned();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}
