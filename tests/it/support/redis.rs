//! A Redis server of a test's own, on a port that stays the same when it is killed and started again.

use std::fs::File;
use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;

use super::certificates::{self, Certificate};
use super::process::{self, Child, Signal, User};
use super::scratch;

/// A server, running or not, gone with its handle.
pub struct RedisServer {
    port: u16,
    settings: Vec<String>,
    folder: TempDir,
    password: Option<String>,
    server: Option<Child>,
}

impl RedisServer {
    /// Starts a server with these settings, such as `["--maxmemory", "4mb"]`. It saves nothing unless they say so.
    pub fn start(settings: &[&str]) -> Self {
        let folder = scratch::folder("redis");
        let port = process::free_port();
        let password =
            settings.windows(2).find(|pair| pair[0] == "--requirepass").map(|pair| pair[1].to_owned());
        let settings = settings.iter().map(|&text| text.to_owned()).collect();
        let mut server = Self { port, settings, folder, password, server: None };
        server.restart();
        server
    }

    /// Starts a server that speaks TLS only, with this certificate.
    pub fn start_tls(certificate: Certificate) -> Self {
        let (file, key) = certificates::files(certificate);
        let [file, key, ca] = [file, key, certificates::ca_file()].map(|path| path.display().to_string());
        Self::start(&[
            "--tls-cert-file",
            &file,
            "--tls-key-file",
            &key,
            "--tls-ca-cert-file",
            &ca,
            "--tls-auth-clients",
            "no",
        ])
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The URL of database 0, without user and password.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// Starts it (again), with the data that it saved.
    pub fn restart(&mut self) {
        self.kill9();
        let mut command = process::command(process::find("redis-server"), Signal::KILL, User::Own);
        let tls = self.settings.iter().any(|text| text == "--tls-cert-file");
        let (plain, encrypted) = if tls { (0, self.port) } else { (self.port, 0) };
        command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--daemonize", "no"]);
        command.arg("--port").arg(plain.to_string()).arg("--tls-port").arg(encrypted.to_string());
        command.arg("--dir").arg(self.folder.path()).args(&self.settings);
        let log = File::create(self.folder.path().join("log")).expect("make the log of Redis");
        command.stdin(Stdio::null()).stdout(log).stderr(Stdio::null());
        self.server = Some(process::spawn(command));
        process::wait_for_port(self.port, Duration::from_secs(10));
        if !tls {
            // It listens before it has loaded what it saved.
            while self.cli(&["PING"]) != "PONG" {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }

    /// Ends it as a power failure would.
    pub fn kill9(&mut self) {
        if let Some(mut server) = self.server.take() {
            server.kill();
        }
    }

    /// Stops it in its tracks: the kernel still accepts connections, and nobody answers.
    pub fn freeze(&mut self) {
        self.server.as_mut().expect("a running server").signal(Signal::STOP);
    }

    /// Lets it go on.
    pub fn thaw(&mut self) {
        self.server.as_mut().expect("a running server").signal(Signal::CONT);
    }

    /// What `redis-cli` prints for a command, as the default user.
    pub fn cli(&self, command: &[&str]) -> String {
        let mut redis = process::command(process::find("redis-cli"), Signal::KILL, User::Own);
        redis.args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "--raw"]);
        if let Some(password) = &self.password {
            redis.args(["--no-auth-warning", "-a", password]);
        }
        redis.args(command);
        let output = process::run(redis, b"", Duration::from_secs(20));
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }
}
