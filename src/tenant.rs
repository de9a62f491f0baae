//! Who the tenants are: a row of the `tenants` table, its keys still sealed, and the filter that selects rows.

use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use crate::secret::Secret;
use crate::url::{Kind, SourceUrl};

/// The id of a tenant as its text in the application database; a UUID in the field. Clones share the text: each of a
/// thousand who wait for one tenant is told its name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TenantId(Arc<str>);

impl TenantId {
    /// Takes the text of the `id` column.
    #[must_use]
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// Whether a text has the form of a UUID, in letters of either case. Others name a tenant by its subdomain, or stand
    /// in a database that numbers its tenants in another way.
    #[must_use]
    pub fn is_uuid(text: &str) -> bool {
        text.len() == 36
            && text.bytes().enumerate().all(|(at, byte)| match at {
                8 | 13 | 18 | 23 => byte == b'-',
                _ => byte.is_ascii_hexdigit(),
            })
    }

    /// The text of the id. It comes from a row: make it printable before it is shown.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Serialize for TenantId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl std::borrow::Borrow<str> for TenantId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&crate::sanitize::printable(&self.0))
    }
}

/// Which of a tenant's two credentials is meant, and thereby whether row-level security applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// The service role: bypasses row-level security. The default of every interface.
    Service,
    /// The anonymous role: row-level security applies.
    Anon,
}

impl Role {
    /// The word for it in arguments, tables and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Anon => "anon",
        }
    }

    /// The column that holds its sealed key.
    #[must_use]
    pub fn column(self) -> &'static str {
        match self {
            Self::Service => "data_source_service_key",
            Self::Anon => "data_source_anon_key",
        }
    }
}

/// Bounds of a tenant's connection pool, from `connection_pool_config`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct PoolConfig {
    /// Connections that are kept open.
    pub min: u32,
    /// Connections at the most.
    pub max: u32,
}

impl PoolConfig {
    /// Reads the JSON of the column, `{"min":2,"max":10}`. `None` when it is something else, or `max` is 0 or
    /// less than `min`.
    #[must_use]
    pub fn parse(json: &str) -> Option<Self> {
        let value: serde_json::Value = serde_json::from_str(json).ok()?;
        let number = |name: &str| value.get(name)?.as_u64().and_then(|n| u32::try_from(n).ok());
        let (min, max) = (number("min")?, number("max")?);
        (max > 0 && min <= max).then_some(Self { min, max })
    }
}

/// One row of the `tenants` table.
#[derive(Clone, Debug)]
pub struct Tenant {
    /// Primary key.
    pub id: TenantId,
    /// Display name; empty when the row has none.
    pub name: String,
    /// Unique short name; empty when the row has none.
    pub subdomain: String,
    /// `active`, `suspended`, `cancelled`, or whatever else the row says.
    pub status: String,
    /// Where the tenant's data is; `None` when `data_source_url` is null.
    pub source: Option<SealedSource>,
}

/// The data source columns of a row.
#[derive(Clone, Debug)]
pub struct SealedSource {
    /// Where the database is.
    pub url: SourceUrl,
    /// The sealed anon key. A [`Secret`], because some rows hold plaintext by mistake.
    pub anon_key: Option<Secret>,
    /// The sealed service role key.
    pub service_key: Option<Secret>,
    /// Free text such as `eu-central-1`.
    pub region: Option<String>,
    /// The text of `connection_pool_config`.
    pub pool_config: Option<String>,
    /// The id by which the data source knows the tenant, if it differs from [`Tenant::id`].
    pub mapped_id: Option<String>,
}

impl Tenant {
    /// Whether two rows of a tenant say the same to a service: the same status, and the same data source with the same
    /// stored keys, or none.
    #[must_use]
    pub fn says_the_same_as(&self, other: &Self) -> bool {
        let source = match (&self.source, &other.source) {
            (Some(one), Some(other)) => one.is_same(other),
            (one, other) => one.is_none() && other.is_none(),
        };
        source && self.status == other.status
    }

    /// The id by which the rows of the data source know this tenant: `tenant_id_in_data_source`, or the tenant's
    /// own id.
    #[must_use]
    pub fn id_in_data_source(&self) -> &str {
        self.source.as_ref().and_then(|source| source.mapped_id.as_deref()).unwrap_or(self.id.as_str())
    }
}

impl SealedSource {
    /// Texts compared letter by letter.
    fn is_same(&self, other: &Self) -> bool {
        fn text(secret: &Option<Secret>) -> Option<&str> {
            secret.as_ref().map(Secret::expose)
        }
        self.url.text().expose() == other.url.text().expose()
            && text(&self.anon_key) == text(&other.anon_key)
            && text(&self.service_key) == text(&other.service_key)
            && self.pool_config == other.pool_config
            && self.mapped_id == other.mapped_id
            && self.region == other.region
    }

    /// The stored key of a role. An empty text counts as none.
    #[must_use]
    pub fn key(&self, role: Role) -> Option<&Secret> {
        let key = match role {
            Role::Anon => self.anon_key.as_ref(),
            Role::Service => self.service_key.as_ref(),
        };
        key.filter(|key| !key.is_empty())
    }
}

/// The states a tenant can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// In service.
    Active,
    /// Access is withheld for now.
    Suspended,
    /// The contract has ended.
    Cancelled,
}

impl Status {
    /// The word in the `status` column.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Cancelled => "cancelled",
        }
    }
}

/// Which tenants are meant: those that fit every part. An empty part fits all.
#[derive(Clone, Debug, Default)]
pub struct TenantFilter {
    /// One of these states.
    pub statuses: Vec<Status>,
    /// One of these regions, letter by letter.
    pub regions: Vec<String>,
    /// A data source of one of these kinds.
    pub kinds: Vec<Kind>,
}

impl TenantFilter {
    /// Whether it fits every tenant.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.statuses.is_empty() && self.regions.is_empty() && self.kinds.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_configuration_that_cannot_hold_is_none() {
        assert_eq!(PoolConfig::parse(r#"{"min":2,"max":10}"#), Some(PoolConfig { min: 2, max: 10 }));
        for text in
            ["", "null", "[]", r#"{"min":3,"max":2}"#, r#"{"min":0,"max":0}"#, r#"{"min":-1,"max":2}"#]
        {
            assert_eq!(PoolConfig::parse(text), None, "{text}");
        }
    }
}
