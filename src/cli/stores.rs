//! From settings to an open state store, and what to do when there is none.

use std::sync::Arc;

use super::error::CliError;
use super::resolve::Resolved;
use crate::catalogue::Catalogue;
use crate::cipher::{Authenticator, KeyRing};
use crate::clock::Clock;
use crate::sanitize::printable;
use crate::settings::Origin;
use crate::state::{Identity, Location, ROW_PURPOSE, StateError, StateStore};

/// The store that the settings name, and the namespace in it.
#[derive(Debug)]
pub(super) struct Place {
    location: Location,
    namespace: String,
    origin: Origin,
}

impl Place {
    /// Finds out without asking anybody.
    pub(super) fn new(resolved: &Resolved) -> Result<Self, CliError> {
        let settings = &resolved.settings;
        let namespace = match &settings.namespace {
            Some(namespace) => namespace.value.clone(),
            None => {
                let url = resolved.database_url()?;
                Catalogue::identity(&url.value).map_err(|error| resolved.unavailable(&error))?
            }
        };
        let origin = settings.state_url.as_ref().map_or(Origin::Default, |url| url.origin.clone());
        let location = Location::from_settings(settings).map_err(|error| CliError::state(&error, &origin))?;
        Ok(Self { location, namespace, origin })
    }

    pub(super) fn address(&self) -> String {
        self.location.address()
    }

    /// For a command that writes: where to, and who said so.
    pub(super) fn describe(&self) -> String {
        format!("state store {} ({}), namespace {}", self.address(), self.origin, printable(&self.namespace))
    }

    pub(super) fn failed(&self, error: &StateError) -> CliError {
        CliError::state(error, &self.origin)
    }

    /// Opens the store, which is made if it is not there.
    pub(super) async fn open(&self, ring: Option<&KeyRing>) -> Result<StateStore, StateError> {
        StateStore::open(&self.location, self.identity(ring)).await
    }

    /// Opens the store if it is there.
    pub(super) async fn open_existing(
        &self,
        ring: Option<&KeyRing>,
    ) -> Result<Option<StateStore>, StateError> {
        StateStore::open_existing(&self.location, self.identity(ring)).await
    }

    /// The place without what errors need.
    pub(super) fn location(&self) -> &Location {
        &self.location
    }

    #[cfg(feature = "dashboard")]
    pub(super) fn namespace(&self) -> &str {
        &self.namespace
    }

    pub(super) fn identity(&self, ring: Option<&KeyRing>) -> Identity {
        Identity {
            namespace: self.namespace.clone(),
            authenticator: ring.map(|ring| Arc::new(Authenticator::new(ring, ROW_PURPOSE))),
            clock: Clock::System,
        }
    }
}
