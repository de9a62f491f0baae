//! A state store looked at as a server or file: how quickly it answers, whether it takes changes, what its clock says;
//! and all the rows in it, page by page. For whoever examines an installation; services need none of it.

use std::time::Duration;

use jiff::Timestamp;

use super::{Found, Location, StateError, StateStore};
use crate::tenant::TenantId;

/// How a store does.
#[derive(Clone, Debug)]
pub struct Vitals {
    /// How long a small question took.
    pub lag: Duration,
    /// Whether it would take a change.
    pub writable: Result<(), StateError>,
    /// What a server says of itself; none for a file.
    pub server: Option<ServerVitals>,
}

/// What a server says of itself.
#[derive(Clone, Debug)]
pub struct ServerVitals {
    /// Its clock, and that of this machine in the middle of the round trip.
    pub clock: (Timestamp, Timestamp),
    /// What it does when its memory is used up; none when it does not say.
    pub eviction: Option<Eviction>,
}

/// What a server does when its memory is used up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Eviction {
    /// The policy, in the server's word, printable.
    pub policy: String,
    /// How much it may use, bytes; 0 for all there is.
    pub limit: u64,
}

impl Eviction {
    /// Whether keys may go before they expire.
    #[must_use]
    pub fn may_happen(&self) -> bool {
        self.limit > 0 && self.policy != "noeviction"
    }
}

/// A place among the cached rows.
#[derive(Clone, Debug)]
pub enum CachePlace {
    /// Behind this tenant.
    After(String),
    /// What the server calls a cursor.
    Cursor(u64),
}

/// Cached rows, and where the next ones begin; none behind the last.
pub type CachedPage = (Vec<(TenantId, Found)>, Option<CachePlace>);

impl StateStore {
    /// Whether a store that is not there yet could be made, leaving nothing.
    ///
    /// # Errors
    /// A [`StateError`].
    pub async fn could_be_made(location: &Location) -> Result<(), StateError> {
        match location {
            Location::Sqlite(path) => super::sqlite::could_be_made(path, location).await,
            Location::Redis(_) => Ok(()),
        }
    }

    /// How the store does. Leaves nothing in it.
    ///
    /// # Errors
    /// A [`StateError`].
    pub async fn vitals(&self) -> Result<Vitals, StateError> {
        match self {
            Self::Sqlite(store) => store.vitals().await,
            #[cfg(feature = "redis")]
            Self::Redis(store) => store.vitals().await,
        }
    }

    /// The rows of the namespace, some 500 at a time, from a place on; one may come twice. Expired rows are
    /// [`Found::Nothing`].
    ///
    /// # Errors
    /// A [`StateError`].
    pub async fn cached(&self, from: Option<&CachePlace>) -> Result<CachedPage, StateError> {
        match self {
            Self::Sqlite(store) => store.cached(from).await,
            #[cfg(feature = "redis")]
            Self::Redis(store) => store.cached(from).await,
        }
    }
}
