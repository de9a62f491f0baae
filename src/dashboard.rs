//! The dashboard: a small web server for a team's own network, with the page, the performance document and Prometheus'
//! metrics, and the watch that tests every tenant at an interval.
//!
//! It only looks: nothing changes by `GET`, and the one thing that `POST` changes is the counts, which begin at zero.
//! It reads what the services have reported to the state store, as `boothds stats` does, and is no instance among them:
//! it serves no client and has no pool. Its own memory and uptime stand beside the document, in [`page::Process`] and in
//! the metrics.
//!
//! Its caller binds the address, says what it needs to know ([`Setup`]), and says it anew when files changed
//! ([`Dashboard::apply`]); nothing here reads a setting.

use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch::Sender;

use crate::clock::{Clock, Ticks};

mod access;
mod answer;
pub mod assets;
mod chatter;
mod database;
mod document;
pub mod fleet;
mod guard;
mod login;
mod metrics;
pub mod page;
mod pages;
mod ready;
mod reloads;
mod routes;
pub mod rows;
mod server;
mod sessions;
mod setup;
mod throttle;
mod tls;
mod token;
mod traffic;
mod validity;
mod watch;

use chatter::Chatter;
use database::Database;
use document::Documents;
use fleet::Fleet;
use ready::Readiness;
use reloads::Reloads;
pub use reloads::Unread;
pub use server::{CONNECTIONS, End};
use sessions::Sessions;
pub use setup::Setup;
use throttle::Throttle;
pub use tls::{Certificate, TlsError};
pub use token::{FEWEST, LONGEST, SHORTEST, Token, TokenError};
use traffic::Traffic;
pub use validity::{Standing, Validity};

/// What holds for the life of a dashboard.
#[derive(Clone, Debug)]
pub struct Options {
    /// Names, `HOST` or `HOST:PORT`, under which it is reached besides its address and `localhost`.
    pub allowed_hosts: Vec<String>,
    /// The time between two rounds of tests, jittered by a tenth.
    pub interval: Duration,
    /// Connections at a time; at most [`CONNECTIONS`] make sense.
    pub connections: usize,
}

/// A dashboard. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Dashboard(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    options: Options,
    clock: Clock,
    started: Timestamp,
    setup: RwLock<Arc<Setup>>,
    /// Counts the changes of what the watch goes by.
    changed: Sender<u64>,
    /// `None` without TLS.
    certificate: RwLock<Option<Certificate>>,
    fleet: RwLock<Fleet>,
    database: Database,
    documents: Documents,
    readiness: Readiness,
    reloads: Reloads,
    sessions: Sessions,
    throttle: Throttle,
    /// Of the log, lines of requests that were refused.
    refused: Chatter,
    /// Lines of requests that something we depend on, or a bug, kept from being served.
    unserved: Chatter,
    traffic: Traffic,
}

impl Dashboard {
    /// A dashboard that has not begun yet. With a certificate it speaks TLS, and without one never.
    #[must_use]
    pub fn new(options: Options, setup: Setup, certificate: Option<Certificate>, clock: Clock) -> Self {
        let ticks = Ticks::default();
        Self(Arc::new(Inner {
            clock,
            started: clock.now(),
            setup: RwLock::new(Arc::new(setup)),
            changed: Sender::new(0),
            certificate: RwLock::new(certificate),
            fleet: RwLock::new(Fleet::new(options.interval)),
            database: Database::default(),
            documents: Documents::default(),
            readiness: Readiness::default(),
            reloads: Reloads::default(),
            sessions: Sessions::new(ticks.clone()),
            throttle: Throttle::new(ticks.clone()),
            refused: Chatter::new(ticks.clone()),
            unserved: Chatter::new(ticks),
            traffic: Traffic::default(),
            options,
        }))
    }

    /// Goes by other settings from now on. Every session ends if the token is another one; the watch begins a new round.
    pub async fn apply(&self, setup: Setup) {
        let inner = &self.0;
        let same_token = match (&inner.setup().token, &setup.token) {
            (Some(old), Some(new)) => old.is_same(new),
            (None, None) => true,
            _ => false,
        };
        *inner.setup.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(setup);
        if !same_token {
            inner.sessions.clear();
        }
        inner.database.forget().await;
        inner.documents.forget().await;
        inner.readiness.forget().await;
        inner.changed.send_modify(|changes| *changes += 1);
    }

    /// Whether visitors need a token.
    #[must_use]
    pub fn has_token(&self) -> bool {
        self.0.setup().token.is_some()
    }

    /// Takes note that the settings were read anew.
    pub fn reloaded(&self) {
        self.0.reloads.good(self.0.clock.now());
    }

    /// Takes note that they could not be: why, and what to do about it. Said on the page until they can.
    pub fn not_reloaded(&self, message: &str, hint: &str) {
        self.0.reloads.bad(message, hint, self.0.clock.now());
    }

    /// Shows another certificate to whoever connects from now on.
    pub fn renew(&self, certificate: Certificate) {
        *self.0.certificate.write().unwrap_or_else(PoisonError::into_inner) = Some(certificate);
    }
}

impl Inner {
    fn setup(&self) -> Arc<Setup> {
        Arc::clone(&self.setup.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn certificate(&self) -> Option<Certificate> {
        self.certificate.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Of the certificate that is shown to whoever connects from now on.
    fn validity(&self) -> Option<Validity> {
        self.certificate()?.validity()
    }

    fn speaks_tls(&self) -> bool {
        self.certificate.read().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    fn fleet_mut(&self) -> RwLockWriteGuard<'_, Fleet> {
        self.fleet.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads of the fleet.
    fn fleet<T>(&self, read: impl FnOnce(&Fleet) -> T) -> T {
        read(&self.fleet.read().unwrap_or_else(PoisonError::into_inner))
    }
}
