//! An HTTPS server with a certificate of choice, good or bad; it answers an empty list to everything. Node's, so
//! that the tests need no TLS server of their own.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

pub use super::certificates::Certificate;
use super::certificates::files;
use super::process::{self, Child, Signal, User};

/// Writes its port, then a line for each request before it answers it.
const SCRIPT: &str = "
const fs = require('fs');
const [cert, key] = process.argv.slice(1).map(file => fs.readFileSync(file));
const server = require('https').createServer({ cert, key }, (request, response) => {
  process.stdout.write('request\\n', () => {
    response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Range': '*/*' });
    response.end('[]');
  });
});
server.listen(0, '127.0.0.1', () => process.stdout.write(server.address().port + '\\n'));";

/// A running server, gone with its handle.
pub struct TlsServer {
    port: u16,
    requests: Arc<AtomicUsize>,
    _server: Child,
}

impl TlsServer {
    /// Starts a server that shows this certificate.
    pub fn start(certificate: Certificate) -> Self {
        let (certificate, key) = files(certificate);
        let mut command = process::command(process::find("node"), Signal::KILL, User::Own);
        command.args(["-e", SCRIPT, "--"]).arg(certificate).arg(key);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut server = process::spawn(command);
        let (_, stdout, _) = server.pipes();
        let mut lines = BufReader::new(stdout.expect("a piped stdout")).lines().map_while(Result::ok);
        let port = lines.next().and_then(|line| line.parse().ok()).expect("node says its port");
        let requests = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&requests);
        thread::spawn(move || {
            for _ in lines {
                counter.fetch_add(1, Ordering::SeqCst);
            }
        });
        Self { port, requests, _server: server }
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// How many requests came through the handshake so far.
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}
