//! The state store in a SQLite file, for the processes of one machine.
//!
//! WAL mode: readers and the one writer do not wait for each other, writers wait up to 5 seconds for each other. A
//! commit is one write to the log without an fsync (`synchronous = NORMAL`): a power failure may undo the last ones,
//! never tear one apart. Every transaction that writes begins with the lock, so that what it read still holds when it
//! writes.
//!
//! Followers look every 250 ms, on a connection of their own, whether any other connection has committed
//! (`PRAGMA data_version`: some microseconds, no transaction), and read the log only then.

use std::future::Future;
use std::path::Path;
use std::time::Duration;

use sqlx::Executor;
use tokio::time::{sleep, timeout};

use self::failure::Trouble;
use self::line::Line;
use self::log::Log;
use super::error::StateError;
use super::location::Location;
use super::{CachedRow, Changes, Cleared, Found, Identity, Lookup, Position, Report, Scope, Totals};
use crate::tenant::TenantId;

mod failure;
mod file;
mod ledger;
mod line;
mod log;
mod rows;
mod vitals;

/// How often a follower looks for changes.
const POLL: Duration = Duration::from_millis(250);
/// How long an operation may take: the wait for other writers (5 seconds) and as long again.
const LIMIT: Duration = Duration::from_secs(10);

/// A store in a SQLite file, in one namespace.
#[derive(Debug)]
pub struct SqliteStore {
    address: String,
    identity: Identity,
    reader: Line,
    /// Of its own, so that nobody who reads waits for another process that writes.
    writer: Line,
    /// Of its own, because SQLite tells a connection of the others' commits only.
    follower: Line,
}

/// See [`super::StateStore::could_be_made`].
pub(super) async fn could_be_made(path: &Path, location: &Location) -> Result<(), StateError> {
    file::could_be_made(path).await.map_err(|trouble| trouble.at(&location.address()))
}

impl SqliteStore {
    pub(super) async fn open(path: &Path, identity: Identity) -> Result<Self, StateError> {
        // An absolute path is no name that SQLite would take for something else, such as `:memory:` or `file:…`.
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let store = Self {
            address: Location::Sqlite(path.clone()).address(),
            reader: Line::new(&path, identity.clock),
            writer: Line::new(&path, identity.clock),
            follower: Line::new(&path, identity.clock),
            identity,
        };
        let opened = async {
            store.reader.take().await?.keep();
            Ok(())
        };
        store.limited(opened).await?;
        Ok(store)
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    pub(super) async fn read(&self, tenant: &TenantId) -> Result<Lookup, StateError> {
        self.limited(async {
            let mut held = self.reader.take().await?;
            let (stored, position) = rows::read(held.connection(), &self.identity.namespace, tenant).await?;
            held.keep();
            let found = match (&stored, &self.identity.authenticator) {
                (Some(stored), Some(authenticator)) => {
                    let now = self.identity.clock.now();
                    super::row::decode(&stored.view(), tenant, &self.identity.namespace, authenticator, now)
                }
                _ => Found::Nothing,
            };
            Ok(Lookup { found, position })
        })
        .await
    }

    pub(super) async fn read_many(&self, tenants: &[TenantId]) -> Result<Vec<Found>, StateError> {
        let mut found = Vec::with_capacity(tenants.len());
        for tenant in tenants {
            found.push(self.read(tenant).await?.found);
        }
        Ok(found)
    }

    pub(super) async fn position(&self) -> Result<Position, StateError> {
        self.limited(async {
            let mut held = self.reader.take().await?;
            let position = log::end(held.connection(), &self.identity.namespace).await?;
            held.keep();
            Ok(position)
        })
        .await
    }

    pub(super) async fn write(&self, rows: &[CachedRow], since: Position) -> Result<usize, StateError> {
        let Some(authenticator) = &self.identity.authenticator else { return Ok(0) };
        let namespace = &self.identity.namespace;
        let forms = rows.iter().filter_map(|row| {
            super::row::encode(row, namespace, authenticator).map(|form| (row.tenant.id.as_str(), form))
        });
        let forms: Vec<_> = forms.collect();
        if forms.is_empty() {
            return Ok(0);
        }
        self.limited(async {
            let mut held = self.writer.take().await?;
            held.connection().execute("BEGIN IMMEDIATE").await?;
            let log = log::behind(held.connection(), namespace, since).await?;
            let stored = match log {
                Log { gap: true, .. } => 0,
                Log { list, .. } => {
                    let fits = |tenant: &str| !list.iter().any(|change| change.concerns(tenant));
                    let forms: Vec<_> = forms.into_iter().filter(|(tenant, _)| fits(tenant)).collect();
                    rows::write(held.connection(), namespace, &forms, self.now()).await?;
                    forms.len()
                }
            };
            held.connection().execute("COMMIT").await?;
            held.keep();
            Ok(stored)
        })
        .await
    }

    pub(super) async fn invalidate(&self, scope: &Scope, own: Option<&str>) -> Result<Cleared, StateError> {
        if matches!(scope, Scope::Tenants(tenants) if tenants.is_empty()) {
            return Ok(Cleared { tenants: Vec::new(), told: 0, living: 0, logged: true });
        }
        let namespace = &self.identity.namespace;
        let (tenants, position) = self
            .limited(async {
                let mut held = self.writer.take().await?;
                held.connection().execute("BEGIN IMMEDIATE").await?;
                let gone = rows::remove(held.connection(), namespace, scope).await?;
                let position = log::append(held.connection(), namespace, scope.into(), self.now()).await?;
                held.connection().execute("COMMIT").await?;
                held.keep();
                Ok((gone, position))
            })
            .await?;
        let (told, living) = self.told(position, own).await;
        Ok(Cleared { tenants, told, living, logged: true })
    }

    pub(super) async fn follow(&self, after: Position) -> Result<Changes, StateError> {
        let mut seen = None;
        loop {
            let looked = self.limited(async {
                let mut held = self.follower.take().await?;
                let version = log::data_version(held.connection()).await?;
                // The number means something on its connection only.
                let is_news = held.is_new || seen.replace(version) != Some(version);
                let log = match is_news {
                    true => Some(log::behind(held.connection(), &self.identity.namespace, after).await?),
                    false => None,
                };
                held.keep();
                Ok(log)
            });
            if let Some(log) = looked.await?
                && (log.gap || !log.list.is_empty())
            {
                let list = log.list.into_iter().map(|entry| entry.change).collect();
                return Ok(Changes { list, position: log.position, gap: log.gap });
            }
            sleep(POLL).await;
        }
    }

    pub(super) async fn note(&self, instance: &str, position: Position) -> Result<(), StateError> {
        self.limited(async {
            let mut held = self.writer.take().await?;
            ledger::note(held.connection(), &self.identity.namespace, instance, position).await?;
            held.keep();
            Ok(())
        })
        .await
    }

    pub(super) async fn report(&self, report: &Report) -> Result<u64, StateError> {
        self.limited(async {
            let mut held = self.writer.take().await?;
            held.connection().execute("BEGIN IMMEDIATE").await?;
            let namespace = &self.identity.namespace;
            let epoch = ledger::report(held.connection(), namespace, report, self.now()).await?;
            held.connection().execute("COMMIT").await?;
            held.keep();
            Ok(epoch)
        })
        .await
    }

    pub(super) async fn leave(&self, instance: &str) -> Result<(), StateError> {
        self.limited(async {
            let mut held = self.writer.take().await?;
            ledger::leave(held.connection(), &self.identity.namespace, instance).await?;
            held.keep();
            Ok(())
        })
        .await
    }

    pub(super) async fn totals(&self) -> Result<Totals, StateError> {
        self.limited(async {
            let mut held = self.reader.take().await?;
            let totals = ledger::totals(held.connection(), &self.identity.namespace, self.now()).await?;
            held.keep();
            Ok(totals)
        })
        .await
    }

    pub(super) async fn reset(&self, own: Option<&str>) -> Result<u64, StateError> {
        let position = self
            .limited(async {
                let mut held = self.writer.take().await?;
                held.connection().execute("BEGIN IMMEDIATE").await?;
                let namespace = &self.identity.namespace;
                let position =
                    log::append(held.connection(), namespace, log::Entries::Reset, self.now()).await?;
                ledger::reset(held.connection(), namespace, self.now()).await?;
                held.connection().execute("COMMIT").await?;
                held.keep();
                Ok(position)
            })
            .await?;
        Ok(self.told(position, own).await.0)
    }

    pub(super) async fn rows(&self) -> Result<u64, StateError> {
        self.limited(async {
            let mut held = self.reader.take().await?;
            let count = rows::count(held.connection(), &self.identity.namespace, self.now()).await?;
            held.keep();
            Ok(count)
        })
        .await
    }

    pub(super) async fn close(self) {
        self.follower.close().await;
        self.writer.close().await;
        self.reader.close().await;
    }

    /// How many living instances have followed the log to `position`; waits for them up to the limit. What was to be
    /// done is done: an error here means that nobody is known to have taken note.
    async fn told(&self, position: Position, own: Option<&str>) -> (u64, u64) {
        let mut told = (0, 0);
        let waiting = async {
            loop {
                let asked = self.limited(async {
                    let mut held = self.reader.take().await?;
                    let namespace = &self.identity.namespace;
                    let told = ledger::told(held.connection(), namespace, position, own, self.now()).await?;
                    held.keep();
                    Ok(told)
                });
                let Ok(counted) = asked.await else { return };
                told = counted;
                if told.0 >= told.1 {
                    return;
                }
                sleep(Duration::from_millis(20)).await;
            }
        };
        let _ = timeout(super::TELL_LIMIT, waiting).await;
        told
    }

    /// Milliseconds since 1970.
    fn now(&self) -> i64 {
        self.identity.clock.now().as_millisecond()
    }

    async fn limited<T>(&self, work: impl Future<Output = Result<T, Trouble>>) -> Result<T, StateError> {
        let done = timeout(LIMIT, work).await.unwrap_or_else(|_| Err(Trouble::late()));
        done.map_err(|trouble| trouble.at(&self.address))
    }
}
