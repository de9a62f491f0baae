//! What the dashboard needs to know from its caller, and may be told anew while it runs.

use std::sync::Arc;

use crate::cipher::KeyRing;
use crate::clock::Clock;
use crate::manager::PoolSettings;
use crate::probe::{ProbeOptions, Prober};
use crate::secret::Secret;
use crate::state::{Identity, Location};

use super::token::Token;

/// Everything that a reload can change.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The URL of the application database.
    pub database: Secret,
    /// Opens the tenants' keys.
    pub ring: Arc<KeyRing>,
    /// How tenants are tested.
    pub options: ProbeOptions,
    /// Where the state store is.
    pub location: Location,
    /// The namespace in it.
    pub namespace: String,
    /// The settings of caches and pool, for the document.
    pub pool: PoolSettings,
    /// Who holds it may come in; without one, everybody who can reach the address.
    pub token: Option<Token>,
}

impl Setup {
    /// Who asks the state store. It reads no rows, and so needs no key.
    pub(super) fn identity(&self, clock: Clock) -> Identity {
        Identity { namespace: self.namespace.clone(), authenticator: None, clock }
    }

    pub(super) fn prober(&self, clock: Clock) -> Prober {
        Prober::new(Arc::clone(&self.ring), self.options.clone(), clock)
    }
}
