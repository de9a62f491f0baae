//! The manager of the process, for services that want one and pass it to nobody.

use std::sync::{Arc, OnceLock};

use super::DataSourceManager;
use super::client::TenantClient;
use super::error::{ManagerError, SetupError};
use crate::settings::Settings;
use crate::tenant::Role;

impl DataSourceManager {
    /// The manager of this process, made of its environment when it is first asked for. What was wrong with the
    /// environment then stays wrong until the process begins anew.
    ///
    /// # Errors
    /// [`ManagerError::Setup`].
    #[expect(clippy::disallowed_methods, reason = "its documentation says that it reads the environment")]
    pub fn global() -> Result<&'static Self, ManagerError> {
        static MANAGER: OnceLock<Result<DataSourceManager, Arc<SetupError>>> = OnceLock::new();
        let manager = MANAGER.get_or_init(|| {
            let text = std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
            let settings = Settings::from_vars(text).map_err(SetupError::from);
            settings.and_then(Self::new).map_err(Arc::new)
        });
        manager.as_ref().map_err(|error| ManagerError::Setup(Arc::clone(error)))
    }
}

/// [`DataSourceManager::client`] of the manager of this process.
///
/// # Errors
/// As there, and [`ManagerError::Setup`].
pub async fn tenant_client(tenant: impl AsRef<str>, role: Role) -> Result<TenantClient, ManagerError> {
    DataSourceManager::global()?.client(tenant, role).await
}

/// [`DataSourceManager::tenant_id_in_data_source`] of the manager of this process.
///
/// # Errors
/// As there, and [`ManagerError::Setup`].
pub async fn tenant_id_in_data_source(tenant: impl AsRef<str>) -> Result<String, ManagerError> {
    DataSourceManager::global()?.tenant_id_in_data_source(tenant).await
}
