//! A service under test, and what it answers.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::cli::{Cli, Ran, Running};
use crate::support::http::{self, Answer, Request};
use crate::support::process::Signal;

/// A token that is long enough.
pub const TOKEN: &str = "Xb2-token-of-the-service-9k4m";

/// A service that runs; killed when dropped.
pub struct Served {
    pub running: Running,
    pub port: u16,
}

/// Waits for something that comes about by itself.
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(30), "still not: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

impl Served {
    /// Starts `cli`, which is `serve` with everything but the address, and waits until it listens.
    pub fn start(cli: &Cli) -> Self {
        let running = cli.clone().arg("--listen").arg("127.0.0.1:0").spawn();
        let log = running.wait_for_stderr("watching");
        let port = log.split("127.0.0.1:").nth(1).expect("an address in the log");
        let port = port.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().expect("a port");
        Self { running, port }
    }

    /// Asks with these header fields besides `Host`.
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut all = vec![("Host".to_owned(), format!("127.0.0.1:{}", self.port))];
        all.extend(headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        if !body.is_empty() {
            all.push(("Content-Length".to_owned(), body.len().to_string()));
        }
        let request =
            Request { method: method.to_owned(), path: path.to_owned(), headers: all, body: body.into() };
        http::send(self.port, &request).unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    pub fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], "")
    }

    /// Posts a form.
    pub fn post(&self, path: &str, headers: &[(&str, &str)], form: &str) -> Answer {
        let mut all = vec![("Content-Type", "application/x-www-form-urlencoded")];
        all.extend(headers);
        self.send("POST", path, &all, form)
    }

    /// A connection that has said nothing yet.
    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).expect("connect");
        stream.set_read_timeout(Some(Duration::from_secs(40))).unwrap();
        stream
    }

    /// Sends these bytes and reads until the service closes the connection.
    pub fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect();
        // Whoever is refused early may find the door closed.
        let _ = stream.write_all(bytes);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Sends a signal, and waits for the end.
    pub fn end(mut self, signal: Signal) -> Ran {
        self.running.signal(signal);
        self.running.wait()
    }
}

/// The body as JSON.
pub fn json(answer: &Answer) -> Value {
    serde_json::from_slice(&answer.body).unwrap_or_else(|error| panic!("no JSON ({error}): {}", text(answer)))
}

/// The body as text.
pub fn text(answer: &Answer) -> String {
    String::from_utf8(answer.body.clone()).expect("a body in UTF-8")
}

/// A header field that has to be there.
pub fn field<'a>(answer: &'a Answer, name: &str) -> &'a str {
    http::header(&answer.headers, name).unwrap_or_else(|| panic!("no {name} in {:?}", answer.headers))
}

/// Puts a file in the place of another in one step.
pub fn replace(file: &Path, content: &str) {
    let new = file.with_extension("new");
    std::fs::write(&new, content).unwrap();
    std::fs::rename(&new, file).unwrap();
}
