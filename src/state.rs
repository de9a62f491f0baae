//! The shared state store: the second cache tier, counters and invalidations, which outlive a process and are seen by
//! all processes that use one application database.
//!
//! Two back ends: a SQLite file, for the processes of one machine, and Redis, for fleets on many. Everything is kept
//! under a namespace, the name of the application database: two databases over one store share nothing.
//!
//! **Rows** stand there as they stand in the application database, keys sealed, each with its expiry and a code over
//! namespace and content under a key that the store never sees ([`Authenticator`]). What does not check out is
//! refused: whoever can write to the store cannot lead a service to a database of theirs. A row that holds something
//! readable (a plaintext key, a URL with a password) is not stored at all.
//!
//! **Invalidations** are a log with positions. A row is stored only if nothing invalidated it since the position at
//! which its reading began; a process that follows the log from its last position misses nothing, and learns of a gap
//! when it was away for longer than the log reaches back.
//!
//! **Counters** are sums of what instances report. A report has a number and is taken once, so one whose answer was
//! lost can be sent again; one from before a reset is not taken.

use std::sync::Arc;
use std::time::Duration;

use crate::cipher::Authenticator;
use crate::clock::Clock;
use crate::tenant::TenantId;

mod error;
mod location;
mod record;
#[cfg(feature = "redis")]
mod redis;
mod row;
mod sqlite;
mod tally;
mod vitals;

pub use error::{StateError, StateFailure};
pub use location::Location;
pub use record::{
    CachedRow, Change, Changes, Cleared, Found, Instance, Lookup, Position, Report, Scope, Totals,
};
#[cfg(feature = "redis")]
use redis::RedisStore;
use sqlite::SqliteStore;
pub use vitals::{CachePlace, CachedPage, Eviction, ServerVitals, Vitals};

/// How often an instance reports, at the least; see [`StateStore::report`].
pub const HEARTBEAT: Duration = Duration::from_secs(5);
/// After this time without a report an instance counts as gone.
pub const LIFE_SIGN: Duration = Duration::from_secs(15);
/// How long an invalidation waits for processes to take note, before it counts who has.
pub const TELL_LIMIT: Duration = Duration::from_secs(1);
/// The purpose of the subkeys that authenticate rows.
pub const ROW_PURPOSE: &str = "boothds state row v1";

/// A state store that is open, in one namespace. Cheap to share behind an [`Arc`]; every method may be called at any
/// time, from several tasks.
#[derive(Debug)]
pub enum StateStore {
    /// A SQLite file.
    Sqlite(Box<SqliteStore>),
    /// A Redis server.
    #[cfg(feature = "redis")]
    Redis(Box<RedisStore>),
}

/// What a store needs to know besides its place.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The namespace: the setting, or the name of the application database, which the catalogue knows.
    pub namespace: String,
    /// Authenticates rows, for [`ROW_PURPOSE`]. Without one no row is believed or written.
    pub authenticator: Option<Arc<Authenticator>>,
    /// The time of day.
    pub clock: Clock,
}

impl StateStore {
    /// Opens a store, making it where it does not exist.
    ///
    /// # Errors
    /// A [`StateError`]; a store that is corrupt or of a newer format is left as it is.
    pub async fn open(location: &Location, identity: Identity) -> Result<Self, StateError> {
        match location {
            Location::Sqlite(path) => {
                SqliteStore::open(path, identity).await.map(|store| Self::Sqlite(Box::new(store)))
            }
            #[cfg(feature = "redis")]
            Location::Redis(address) => {
                RedisStore::open(address, identity).await.map(|store| Self::Redis(Box::new(store)))
            }
            #[cfg(not(feature = "redis"))]
            Location::Redis(_) => Err(StateError::new(
                &location.address(),
                StateFailure::Url,
                Some("this program was built without the feature `redis`"),
            )),
        }
    }

    /// Opens a store if it exists; a SQLite file is not made. For commands that only look.
    ///
    /// # Errors
    /// As [`StateStore::open`].
    pub async fn open_existing(location: &Location, identity: Identity) -> Result<Option<Self>, StateError> {
        match location {
            Location::Sqlite(path) if is_absent(path) => Ok(None),
            _ => Self::open(location, identity).await.map(Some),
        }
    }

    /// Where it is, safe to show.
    #[must_use]
    pub fn address(&self) -> &str {
        match self {
            Self::Sqlite(store) => store.address(),
            #[cfg(feature = "redis")]
            Self::Redis(store) => store.address(),
        }
    }

    /// The row of a tenant, and the end of the log. One round trip.
    ///
    /// # Errors
    /// A [`StateError`].
    pub async fn read(&self, tenant: &TenantId) -> Result<Lookup, StateError> {
        match self {
            Self::Sqlite(store) => store.read(tenant).await,
            #[cfg(feature = "redis")]
            Self::Redis(store) => store.read(tenant).await,
        }
    }

    /// What the store has of each of these tenants.
    ///
    /// # Errors
    /// A [`StateError`].
    pub async fn read_many(&self, tenants: &[TenantId]) -> Result<Vec<Found>, StateError> {
        match self {
            Self::Sqlite(store) => store.read_many(tenants).await,
            #[cfg(feature = "redis")]
            Self::Redis(store) => store.read_many(tenants).await,
        }
    }

    /// The end of the log.
    ///
    /// # Errors
    /// A [`StateError`].
    pub async fn position(&self) -> Result<Position, StateError> {
        match self {
            Self::Sqlite(store) => store.position().await,
            #[cfg(feature = "redis")]
            Self::Redis(store) => store.position().await,
        }
    }

    /// Stores rows that were read after `since`, in one transaction. Left out are those that were invalidated since, and
    /// those that hold something readable. Answers how many were stored.
    ///
    /// # Errors
    /// A [`StateError`].
    pub async fn write(&self, rows: &[CachedRow], since: Position) -> Result<usize, StateError> {
        match self {
            Self::Sqlite(store) => store.write(rows, since).await,
            #[cfg(feature = "redis")]
            Self::Redis(store) => store.write(rows, since).await,
        }
    }

    /// Removes rows and tells every process that follows the log; waits up to [`TELL_LIMIT`] for them to take note.
    /// `own` is the instance that does it, which does not count as told.
    ///
    /// # Errors
    /// A [`StateError`].
    pub async fn invalidate(&self, scope: &Scope, own: Option<&str>) -> Result<Cleared, StateError> {
        match self {
            Self::Sqlite(store) => store.invalidate(scope, own).await,
            #[cfg(feature = "redis")]
            Self::Redis(store) => store.invalidate(scope, own).await,
        }
    }

    /// Waits for something to happen behind `after`, and answers what did. Returns at once when something has. The
    /// future can be dropped and the method called again without missing anything.
    ///
    /// # Errors
    /// A [`StateError`], after which it can be called again.
    pub async fn follow(&self, after: Position) -> Result<Changes, StateError> {
        match self {
            Self::Sqlite(store) => store.follow(after).await,
            #[cfg(feature = "redis")]
            Self::Redis(store) => store.follow(after).await,
        }
    }

    /// Takes note that an instance has acted on all changes up to a position, so that whoever waits for it in
    /// [`StateStore::invalidate`] learns it at once. To be called after each answer of [`StateStore::follow`] was acted
    /// on; an error can be passed over, since the next report says the same.
    ///
    /// # Errors
    /// A [`StateError`].
    pub async fn note(&self, instance: &str, position: Position) -> Result<(), StateError> {
        match self {
            Self::Sqlite(store) => store.note(instance, position).await,
            // Redis knows who listens.
            #[cfg(feature = "redis")]
            Self::Redis(_) => Ok(()),
        }
    }

    /// Takes the report of an instance, and answers the epoch: if it is not the report's, there was a reset, the counts
    /// were not taken, and the instance begins at zero.
    ///
    /// # Errors
    /// A [`StateError`]; the same report can then be sent again.
    pub async fn report(&self, report: &Report) -> Result<u64, StateError> {
        match self {
            Self::Sqlite(store) => store.report(report).await,
            #[cfg(feature = "redis")]
            Self::Redis(store) => store.report(report).await,
        }
    }

    /// Removes an instance that ends in good order, after its last report.
    ///
    /// # Errors
    /// A [`StateError`].
    pub async fn leave(&self, instance: &str) -> Result<(), StateError> {
        match self {
            Self::Sqlite(store) => store.leave(instance).await,
            #[cfg(feature = "redis")]
            Self::Redis(store) => store.leave(instance).await,
        }
    }

    /// The sums of all reports since the last reset.
    ///
    /// # Errors
    /// A [`StateError`].
    pub async fn totals(&self) -> Result<Totals, StateError> {
        match self {
            Self::Sqlite(store) => store.totals().await,
            #[cfg(feature = "redis")]
            Self::Redis(store) => store.totals().await,
        }
    }

    /// Sets the sums to zero and tells every instance to begin at zero too; answers how many took note, `own` not counted.
    ///
    /// # Errors
    /// A [`StateError`].
    pub async fn reset(&self, own: Option<&str>) -> Result<u64, StateError> {
        match self {
            Self::Sqlite(store) => store.reset(own).await,
            #[cfg(feature = "redis")]
            Self::Redis(store) => store.reset(own).await,
        }
    }

    /// How many rows are alive in the namespace.
    ///
    /// # Errors
    /// A [`StateError`].
    pub async fn rows(&self) -> Result<u64, StateError> {
        match self {
            Self::Sqlite(store) => store.rows().await,
            #[cfg(feature = "redis")]
            Self::Redis(store) => store.rows().await,
        }
    }

    /// Ends the connection in good order.
    pub async fn close(self) {
        match self {
            Self::Sqlite(store) => store.close().await,
            #[cfg(feature = "redis")]
            Self::Redis(store) => drop(store),
        }
    }
}

/// Whether there is nothing at a path, for certain: a folder that may not be looked into, or a link that leads nowhere,
/// is something in the way.
fn is_absent(path: &std::path::Path) -> bool {
    matches!(path.symlink_metadata(), Err(error) if error.kind() == std::io::ErrorKind::NotFound)
}
