//! What a service can be told when there is no client. Clonable, because everyone who waited for one load gets its
//! error.

use std::sync::Arc;

use crate::catalogue::CatalogueError;
use crate::cipher::{KeyError, OpenError};
use crate::failure::{Failure, FailureClass};
use crate::settings::SettingsError;
use crate::state::StateError;
use crate::tenant::{Role, TenantId};
use crate::url::{Kind, UrlError};

/// Why there is no manager.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// A setting is missing or cannot be used.
    #[error("the settings of the data source manager cannot be used")]
    Settings(#[from] SettingsError),
    /// There is no usable encryption key.
    #[error("the data source manager has no encryption key to work with")]
    Key(#[from] KeyError),
    /// The URL of the application database cannot be used.
    #[error("the data source manager has no application database")]
    Database(#[from] CatalogueError),
}

/// Why a request to the manager failed. Safe to show.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ManagerError {
    /// The process-wide manager could not be set up.
    #[error("there is no data source manager")]
    Setup(#[source] Arc<SetupError>),
    /// The application database cannot be read.
    #[error("cannot load tenant {tenant}")]
    Load {
        /// Who was asked for.
        tenant: TenantId,
        /// Why; shared by all who waited.
        source: Arc<CatalogueError>,
    },
    /// The application database has no such tenant.
    #[error("there is no tenant {0}")]
    UnknownTenant(TenantId),
    /// The tenant's row names no data source.
    #[error("Tenant {0} has no data source configured")]
    NoDataSource(TenantId),
    /// The tenant's URL cannot be used.
    #[error("the data source URL of tenant {tenant} cannot be used")]
    Url {
        /// Whose.
        tenant: TenantId,
        /// Why.
        source: UrlError,
    },
    /// The tenant's row has no key for the role.
    #[error("tenant {tenant} has no {} key", role.as_str())]
    KeyMissing {
        /// Whose.
        tenant: TenantId,
        /// Which.
        role: Role,
    },
    /// The tenant's key does not open.
    #[error("the {} key of tenant {tenant} does not open", role.as_str())]
    Key {
        /// Whose.
        tenant: TenantId,
        /// Which.
        role: Role,
        /// Why.
        source: OpenError,
    },
    /// There can be no client, or no connection, for this tenant.
    #[error("the data source of tenant {tenant} does not serve")]
    Source {
        /// Whose.
        tenant: TenantId,
        /// Why.
        source: Failure,
    },
    /// The data source is of another kind than the caller takes it for.
    #[error("the data source of tenant {tenant} is {}, not {}", actual.as_str(), expected.as_str())]
    Kind {
        /// Whose.
        tenant: TenantId,
        /// What the caller wants.
        expected: Kind,
        /// What it is.
        actual: Kind,
    },
    /// Every client that the pool may hold is in use.
    #[error(
        "Connection pool exhausted: {active}/{max} clients active. Consider increasing maxClients or reducing tenant load."
    )]
    Exhausted {
        /// Clients in use or being made.
        active: usize,
        /// The limit.
        max: usize,
    },
    /// The state store cannot do what was asked of it; what concerns this process alone was done.
    #[error("the other processes were not reached")]
    State(#[source] StateError),
    /// The load ended without a result: a bug, or a runtime that was shut down under it.
    #[error("the load of tenant {0} was cut off")]
    CutOff(TenantId),
}

impl ManagerError {
    /// The same as the failure of a test.
    #[must_use]
    pub fn failure(&self) -> Failure {
        match self {
            Self::Source { source, .. } => source.clone(),
            Self::Url { source, .. } => Failure::with(FailureClass::UrlRefused, source.to_string()),
            Self::NoDataSource(_) => Failure::with(FailureClass::NoDataSource, self.to_string()),
            Self::KeyMissing { role, .. } => Failure::with(FailureClass::KeyMissing, role.column()),
            Self::Key { role, source, .. } => {
                Failure::with(FailureClass::KeyUnreadable, format!("{}: {source}", role.column()))
            }
            Self::Load { source, .. } => match &**source {
                CatalogueError::Connect { source, .. } | CatalogueError::Query { source, .. } => {
                    Failure { detail: Some(self.to_string()), ..source.clone() }
                }
                _ => Failure::with(FailureClass::ServerError, self.to_string()),
            },
            _ => Failure::with(FailureClass::ServerError, self.to_string()),
        }
    }
}
