//! The connection for questions, shared by all who ask, and what the errors of server and network mean.
//!
//! A connection is made within 2 seconds and answers within 2 seconds, or it is given up. A question that finds its
//! connection broken (the server was restarted, something in between lost patience) is asked once more on a new one:
//! every script may run twice. A server that is slow is not asked again.

use std::time::Duration;

use ::redis::aio::{MultiplexedConnection, PubSub};
use ::redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, ErrorKind, FromRedisValue,
    IntoConnectionInfo, RedisConnectionInfo, RedisError, ScriptInvocation,
};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use super::scripts;
use crate::sanitize::message;
use crate::secret::Secret;
use crate::state::error::{StateError, StateFailure};
use crate::url::RedisAddress;

/// How long a connection may take, name lookup and TLS included.
const CONNECT_LIMIT: Duration = Duration::from_secs(2);
/// How long an answer may take.
pub(super) const ANSWER_LIMIT: Duration = Duration::from_secs(2);
/// The version of what the keys hold.
const FORMAT: u64 = 1;

/// The way to a server.
pub(super) struct Line {
    client: Client,
    address: String,
    format_key: String,
    password: Vec<Secret>,
    slot: Mutex<Slot>,
}

/// The connection, how many there were before it, and the last attempt that failed.
#[derive(Default)]
struct Slot {
    connection: Option<MultiplexedConnection>,
    number: u64,
    failed: Option<(Instant, StateError)>,
}

impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.address)
    }
}

impl Line {
    /// A way that nobody has gone yet.
    pub(super) fn new(to: &RedisAddress, format_key: String) -> Result<Self, StateError> {
        let (host, port) = (to.host.clone(), to.port);
        let address = if to.tls {
            // All clients have one provider; one that a service installed before stays.
            let _ = rustls::crypto::ring::default_provider().install_default();
            ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None }
        } else {
            ConnectionAddr::Tcp(host, port)
        };
        let mut login = RedisConnectionInfo::default().set_db(to.database.into()).set_skip_set_lib_name();
        if let Some(user) = &to.user {
            login = login.set_username(user);
        }
        if let Some(password) = &to.password {
            login = login.set_password(password.expose());
        }
        let info: Result<ConnectionInfo, _> = address.into_connection_info();
        let client = info.and_then(|info| Client::open(info.set_redis_settings(login)));
        Ok(Self {
            client: client
                .map_err(|error| StateError::new(&to.endpoint(), StateFailure::Url, error.detail()))?,
            address: to.endpoint(),
            format_key,
            password: to.password.iter().cloned().collect(),
            slot: Mutex::default(),
        })
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// Makes the connection, if there is none.
    pub(super) async fn connect(&self) -> Result<(), StateError> {
        self.connection().await.map(|_| ())
    }

    /// Runs a script and reads its answer.
    pub(super) async fn ask<T: FromRedisValue>(
        &self,
        script: &ScriptInvocation<'_>,
    ) -> Result<T, StateError> {
        let mut again = true;
        loop {
            let (mut connection, number, is_new) = self.connection().await?;
            let asked = timeout(ANSWER_LIMIT, script.invoke_async(&mut connection)).await;
            let error = match asked {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(error)) => error,
                Err(_) => {
                    self.give_up(number).await;
                    return Err(StateError::new(&self.address, StateFailure::Timeout, None));
                }
            };
            let is_broken = is_broken(&error);
            if is_broken || error.is_timeout() {
                self.give_up(number).await;
            }
            if !(is_broken && again && !is_new) {
                return Err(self.error(&error));
            }
            again = false;
        }
    }

    /// A connection of its own that listens to a channel.
    pub(super) async fn listen(&self, channel: &str) -> Result<PubSub, StateError> {
        let connecting = async {
            let mut listener = self.client.get_async_pubsub().await?;
            listener.subscribe(channel).await?;
            Ok::<_, RedisError>(listener)
        };
        match timeout(CONNECT_LIMIT, connecting).await {
            Ok(listener) => listener.map_err(|error| self.error(&error)),
            Err(_) => Err(StateError::new(&self.address, StateFailure::Timeout, None)),
        }
    }

    /// The connection, its number, and whether it was made for this.
    async fn connection(&self) -> Result<(MultiplexedConnection, u64, bool), StateError> {
        let asked = Instant::now();
        let mut slot = self.slot.lock().await;
        if let Some(connection) = &slot.connection {
            return Ok((connection.clone(), slot.number, false));
        }
        // Those who waited for an attempt share its failure: one after the other they would wait for ever.
        if let Some((_, error)) = slot.failed.as_ref().filter(|(at, _)| *at >= asked) {
            return Err(error.clone());
        }
        match self.open().await {
            Ok(connection) => {
                slot.number += 1;
                slot.connection = Some(connection.clone());
                slot.failed = None;
                Ok((connection, slot.number, true))
            }
            Err(error) => {
                slot.failed = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }

    /// Makes a connection to a server whose format is known.
    async fn open(&self) -> Result<MultiplexedConnection, StateError> {
        // The limits here are the outer ones.
        let config = AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
        let connecting = async {
            let mut connection = self.client.get_multiplexed_async_connection_with_config(&config).await?;
            let opening = scripts::OPEN.key(&self.format_key).arg(FORMAT).invoke_async(&mut connection).await;
            opening.map(|format: Vec<u8>| (connection, format))
        };
        let (connection, format) = match timeout(CONNECT_LIMIT, connecting).await {
            Ok(connected) => connected.map_err(|error| self.error(&error))?,
            Err(_) => return Err(StateError::new(&self.address, StateFailure::Timeout, None)),
        };
        let format = std::str::from_utf8(&format).ok().and_then(|text| text.parse::<u64>().ok());
        let refused = |failure, why: &str| Err(StateError::new(&self.address, failure, Some(why)));
        match format {
            Some(FORMAT) => Ok(connection),
            Some(format) if format > FORMAT => {
                let why =
                    format!("the format of {} is {format}, and this version knows {FORMAT}", self.format_key);
                refused(StateFailure::Newer, &why)
            }
            _ => refused(StateFailure::Corrupt, &format!("{} is no format", self.format_key)),
        }
    }

    /// Forgets a connection, unless somebody has made a new one meanwhile.
    async fn give_up(&self, number: u64) {
        let mut slot = self.slot.lock().await;
        if slot.number == number {
            slot.connection = None;
        }
    }

    pub(super) fn error(&self, error: &RedisError) -> StateError {
        let text = error.to_string();
        let failure = class(error, &text);
        let detail = (failure != StateFailure::Timeout).then(|| message(&text, &self.password));
        StateError::new(&self.address, failure, detail.as_deref())
    }
}

fn is_broken(error: &RedisError) -> bool {
    (error.is_connection_dropped() || error.is_io_error()) && !error.is_timeout()
}

/// By the word that the server's errors begin with. Those that a script met may have it in their middle.
fn class(error: &RedisError, text: &str) -> StateFailure {
    let says = |word: &str| error.code() == Some(word) || text.contains(word);
    if error.is_timeout() {
        StateFailure::Timeout
    } else if error.kind() == ErrorKind::AuthenticationFailed
        || ["NOAUTH", "WRONGPASS", "invalid password"].iter().any(|word| says(word))
        || text.contains("without any password configured")
    {
        StateFailure::Login
    } else if says("NOPERM") || text.contains("can't run this command") || text.contains("can't access") {
        StateFailure::Denied
    } else if says("OOM") {
        StateFailure::Full
    } else if says("READONLY") || says("MISCONF") {
        StateFailure::ReadOnly
    } else if says("LOADING") || says("MASTERDOWN") || says("CLUSTERDOWN") || is_broken(error) {
        StateFailure::Unreachable
    } else if says("WRONGTYPE") || error.kind() == ErrorKind::UnexpectedReturnType {
        StateFailure::Corrupt
    } else if error.kind() == ErrorKind::Parse {
        // It answers, but not as Redis does.
        StateFailure::Foreign
    } else {
        StateFailure::Other
    }
}
