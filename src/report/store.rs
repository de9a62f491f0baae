//! From a state store to what a document is made of, and the reset.
//!
//! The store is opened for each reading: one that is kept open would make itself anew where it was removed.

use jiff::Timestamp;

use super::Measured;
use crate::health::Counters;
use crate::state::{Identity, Location, StateError, StateStore, Totals};

impl Measured {
    /// Reads the sums of a state store; zeros where there is none yet.
    ///
    /// # Errors
    /// A [`StateError`].
    pub async fn read(location: &Location, identity: Identity, now: Timestamp) -> Result<Self, StateError> {
        let totals = match StateStore::open_existing(location, identity).await? {
            Some(store) => {
                let totals = store.totals().await?;
                store.close().await;
                totals
            }
            // Nothing has ever been reported on this machine.
            None => Totals { counts: Counters::default(), since: None, instances: Vec::new() },
        };
        Ok(Self::of(totals, now))
    }
}

/// Lets every process of a state store begin at zero; answers how many took note.
///
/// # Errors
/// A [`StateError`].
pub async fn reset(location: &Location, identity: Identity) -> Result<u64, StateError> {
    let store = StateStore::open(location, identity).await?;
    let told = store.reset(None).await;
    store.close().await;
    told
}
