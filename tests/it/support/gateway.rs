//! Supabase's gateway, as much of it as a client can tell: it wants an `apikey`, knows the new kind of keys, serves
//! PostgREST under `/rest/v1` and has errors of its own without a `code`. A [`Mode`] makes it misbehave.

mod answers;

use std::io::{BufReader, Write as _};
use std::net::TcpStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::json;

use super::http::{self, Answer, Request, header};
use super::listener::Listener;
use super::postgrest::{anon_key, service_key};

/// The secret key that a gateway knows: PostgREST gets the service token for it.
pub const SECRET_KEY: &str = "sb_secret_ThisIsTheKnownOneOfTheTests_0a1b2c3d";
/// The publishable key that a gateway knows: PostgREST gets the anon token for it.
pub const PUBLISHABLE_KEY: &str = "sb_publishable_TheKnownOneOfTheTests_4e5f6a7b";

/// What a gateway does with the requests it reads.
#[derive(Clone, Debug)]
pub enum Mode {
    /// Asks PostgREST; without one, answers an empty list.
    Forward,
    /// Waits, then forwards.
    Slow(Duration),
    /// Reads the request and closes the connection.
    CloseEarly,
    /// Closes the connection in the middle of a body.
    CloseMidBody,
    /// Reads the request and never answers.
    Silent,
    /// Answers a page of HTML with this status.
    Html(u16),
    /// Answers this.
    Answer {
        /// The status.
        status: u16,
        /// The body.
        body: String,
        /// The header fields beside the length.
        headers: Vec<(String, String)>,
    },
    /// Answers 307 to this address.
    Redirect(String),
    /// Refuses keys that are tokens, forwards the others.
    LegacyKeysDisabled,
    /// A body that never ends, as fast as it is read.
    EndlessBody,
    /// An error whose body repeats the key it was sent.
    EchoKey,
}

impl Mode {
    /// An answer of JSON.
    pub fn json(status: u16, body: &serde_json::Value) -> Self {
        let headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
        Self::Answer { status, body: body.to_string(), headers }
    }
}

/// A request that a gateway has read, whatever it then did with it.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The method, in capitals.
    pub method: String,
    /// The path with its query, as it was sent.
    pub path: String,
    /// The header fields in order.
    pub headers: Vec<(String, String)>,
}

impl Recorded {
    /// The first header field of that name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }
}

/// A gateway on plain HTTP, gone with its handle.
pub struct Gateway {
    listener: Listener,
    state: Arc<State>,
}

struct State {
    upstream: Option<u16>,
    mode: Mutex<Mode>,
    requests: Mutex<Vec<Recorded>>,
}

impl Gateway {
    /// Starts one in front of a PostgREST port, or of nothing: then what it would forward is answered with `[]`.
    pub fn start(upstream: Option<u16>) -> Self {
        let state = Arc::new(State { upstream, mode: Mutex::new(Mode::Forward), requests: Mutex::default() });
        let served = Arc::clone(&state);
        Self { listener: Listener::start(move |stream| served.serve(stream)), state }
    }

    /// `http://127.0.0.1:PORT`: the data source URL of a tenant.
    pub fn base_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port())
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.listener.port()
    }

    /// Changes what it does, from the next request on, also of connections that are open.
    pub fn set(&self, mode: Mode) {
        *lock(&self.state.mode) = mode;
    }

    /// The requests read so far.
    pub fn requests(&self) -> Vec<Recorded> {
        lock(&self.state.requests).clone()
    }

    /// How many connections were accepted so far.
    pub fn connections(&self) -> usize {
        self.listener.connections()
    }

    /// Cuts the connections that are open, as a proxy does with idle ones.
    pub fn cut(&self) {
        self.listener.cut();
    }
}

impl State {
    fn serve(&self, stream: TcpStream) {
        let mut reader = BufReader::new(stream.try_clone().expect("share a connection"));
        let mut stream = stream;
        while let Some(request) = http::read_request(&mut reader) {
            let Request { method, path, headers, .. } = request.clone();
            lock(&self.requests).push(Recorded { method, path, headers });
            let last =
                header(&request.headers, "connection").is_some_and(|it| it.eq_ignore_ascii_case("close"));
            let mode = lock(&self.mode).clone();
            let method = request.method.clone();
            // A client that has gone meanwhile ends the connection like one that closes it.
            let Some(answer) = self.answer(mode, request, &mut stream) else { return };
            if http::write_answer(&mut stream, &answer, &method).is_err() || last {
                return;
            }
        }
    }

    /// The answer, or nothing when the connection is to be closed.
    fn answer(&self, mode: Mode, request: Request, stream: &mut TcpStream) -> Option<Answer> {
        let key = header(&request.headers, "apikey").unwrap_or_default();
        Some(match mode {
            Mode::Slow(pause) => {
                thread::sleep(pause);
                self.forward(request)
            }
            Mode::LegacyKeysDisabled if key.starts_with("eyJ") => answers::legacy_keys_disabled(),
            Mode::Forward | Mode::LegacyKeysDisabled => self.forward(request),
            Mode::CloseEarly => return None,
            Mode::CloseMidBody => {
                let head = http::head_of(&answers::empty_list(), Some(1000));
                // Here and below: a client that has gone already is no failure of the test.
                let _ = stream.write_all((head + "[{\"id\":").as_bytes());
                return None;
            }
            Mode::Silent => {
                // Until the client gives up, whatever it still sends.
                let _ = std::io::copy(stream, &mut std::io::sink());
                return None;
            }
            Mode::EndlessBody => {
                endless(stream);
                return None;
            }
            Mode::Html(status) => answers::html(status),
            Mode::Answer { status, body, headers } => Answer { status, headers, body: body.into_bytes() },
            Mode::Redirect(to) => answers::answer(307, &[("Location", &to)], String::new()),
            Mode::EchoKey => answers::json(400, &json!({"message": format!("malformed apikey: {key}")})),
        })
    }

    fn forward(&self, mut request: Request) -> Answer {
        let Some(key) = header(&request.headers, "apikey").map(str::to_owned) else {
            return answers::no_key();
        };
        if key.starts_with("sb_") {
            let token = match key.as_str() {
                SECRET_KEY if is_browser(&request) => return answers::in_browser(),
                SECRET_KEY => service_key(),
                PUBLISHABLE_KEY => anon_key(),
                _ => return answers::invalid_key(),
            };
            // A user's own token stays; the key itself is no token.
            if header(&request.headers, "authorization").is_none_or(|value| value.contains("sb_")) {
                request.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("authorization"));
                request.headers.push(("Authorization".to_owned(), format!("Bearer {token}")));
            }
        }
        let path = match request.path.strip_prefix("/rest/v1") {
            Some(path) if path.starts_with('/') => path.to_owned(),
            Some(path) if path.is_empty() || path.starts_with('?') => format!("/{path}"),
            _ => return answers::no_route(),
        };
        request.path = path;
        request.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("connection"));
        let Some(port) = self.upstream else { return answers::empty_list() };
        http::send(port, &request).unwrap_or_else(|_| answers::bad_upstream())
    }
}

fn is_browser(request: &Request) -> bool {
    header(&request.headers, "user-agent").is_some_and(|agent| agent.contains("Mozilla/"))
}

fn endless(stream: &mut TcpStream) {
    let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut sent = stream.write_all(head.as_bytes());
    while sent.is_ok() {
        sent = stream.write_all(chunk.as_bytes());
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
