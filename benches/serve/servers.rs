//! The two servers, each on the core of the servers.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::support::cli::Cli;
use crate::support::process::{self, Child, Signal, User};
use crate::support::scratch;

/// The core that a server has to itself.
const SERVER_CORE: &str = "0";
/// That of the load generator.
pub const CLIENT_CORE: &str = "1";
const START: Duration = Duration::from_secs(20);

/// `boothds serve` over the embedded fleet.
pub struct Dashboard {
    port: u16,
    child: Child,
    _folder: TempDir,
}

impl Dashboard {
    /// Starts one that asks for this token, if any.
    pub fn start(token: Option<&str>) -> Self {
        let folder = scratch::folder("serve");
        let fleet = folder.path().join("fleet");
        // Two of its tenants are broken on purpose, which the demo is content with.
        Cli::new(["demo", "--dir"]).arg(&fleet).run().expect_code(0);
        let port = process::free_port();
        let mut command = pinned(env!("CARGO_BIN_EXE_boothds"), Signal::TERM);
        command.env("HOME", folder.path()).arg("--config").arg(fleet.join("boothds.toml"));
        command.args(["serve", "--listen", &format!("127.0.0.1:{port}")]);
        if let Some(token) = token {
            command.env("BOOTHDS_SERVE_TOKEN", token);
        }
        Self { port, child: listening(command, port), _folder: folder }
    }

    /// The most memory that it has had so far, MB.
    pub fn peak(&self) -> f64 {
        let status =
            fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("read its status");
        let mark = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
        mark.and_then(|kilobytes| kilobytes.parse::<f64>().ok()).expect("a number of kB") / 1e3
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }
}

/// nginx with one worker, over a folder with one file.
pub struct Nginx {
    port: u16,
    _child: Child,
    _folder: TempDir,
}

impl Nginx {
    /// Starts one that has these bytes at the path of the endpoint.
    pub fn start(document: &[u8]) -> Self {
        let folder = scratch::folder("nginx");
        let file = folder.path().join("root").join(crate::PATH.trim_start_matches('/'));
        fs::create_dir_all(file.parent().expect("a folder")).expect("make nginx's folder");
        fs::write(&file, document).expect("write nginx's file");
        let port = process::free_port();
        let settings = folder.path().join("nginx.conf");
        fs::write(&settings, configuration(folder.path(), port)).expect("write nginx's configuration");
        // At SIGKILL its worker would go on without it.
        let mut command = pinned("nginx", Signal::QUIT);
        command.args(["-e", "stderr", "-c"]).arg(settings);
        let child = listening(command, port).ending_with(Signal::QUIT);
        Self { port, _child: child, _folder: folder }
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }
}

fn configuration(folder: &Path, port: u16) -> String {
    let folder = folder.display();
    // Read by root only, who would hand the worker to somebody who may not read the file.
    let user = "root";
    format!(
        "daemon off; user {user}; worker_processes 1; pid {folder}/pid; error_log stderr;
         events {{ worker_connections 4096; }}
         http {{
             sendfile on; tcp_nopush on; access_log off; default_type application/json;
             keepalive_timeout 65; keepalive_requests 1000000000;
             client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
             uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
             server {{ listen 127.0.0.1:{port}; root {folder}/root; }}
         }}"
    )
}

fn pinned(program: &str, end: Signal) -> Command {
    let mut command = process::command("taskset", end, User::Own);
    command.args(["-c", SERVER_CORE]).arg(process::find(program));
    command
}

fn listening(mut command: Command, port: u16) -> Child {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let child = process::spawn(command);
    process::wait_for_port(port, START);
    child
}
