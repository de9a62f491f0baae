//! The application database: its `tenants` table, read page by page and never as a whole.
//!
//! Every question is one round trip in one statement without parameters, so that it also passes through a pooler
//! in transaction mode, where each message may meet another server connection. One connection is kept; it is
//! taken out while a question is asked and put back after the answer, so that an error or a cancelled question
//! drops it and the next question opens a new one.

use std::time::Duration;

use crate::failure::Failure;
use crate::secret::Secret;
use crate::tenant::{Tenant, TenantFilter, TenantId};

pub mod facts;
mod hint;
mod postgres;
mod query;
pub mod rewrite;
mod sqlite;

pub use postgres::PostgresCatalogue;
pub use query::Cursor;
use query::Schema;
pub use sqlite::SqliteCatalogue;

/// How long a connection to the application database may take.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// How long one page of tenants may take.
const QUERY_LIMIT: Duration = Duration::from_secs(60);

/// The application database behind one of its back ends.
#[derive(Debug)]
pub enum Catalogue {
    /// PostgreSQL, direct or through a pooler.
    Postgres(Box<PostgresCatalogue>),
    /// A SQLite file.
    Sqlite(SqliteCatalogue),
}

/// Why the application database does not serve. Nothing of the URL is shown but host, port and name.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CatalogueError {
    /// Its URL cannot be used.
    #[error("the application database URL cannot be used: {reason}")]
    Url {
        /// Why, without any of its text.
        reason: &'static str,
    },
    /// It cannot be reached or does not let us in.
    #[error("cannot connect to the application database {address}")]
    Connect {
        /// Where it is.
        address: String,
        /// Why.
        source: Failure,
    },
    /// It does not answer a question.
    #[error("cannot read tenants from the application database {address}")]
    Query {
        /// Where it is.
        address: String,
        /// Why.
        source: Failure,
    },
    /// It has no `tenants` table.
    #[error("the application database {address} has no table `tenants`")]
    NoTable {
        /// Where it is.
        address: String,
    },
    /// The table lacks columns that are needed.
    #[error("the table `tenants` of {address} lacks {}", columns.join(", "))]
    NoColumns {
        /// Where it is.
        address: String,
        /// Which.
        columns: Vec<&'static str>,
        /// The statement that adds them.
        sql: String,
    },
}

/// A page of tenants.
#[derive(Debug)]
pub struct Page {
    /// The tenants.
    pub tenants: Vec<Tenant>,
    /// Where the next page begins; `None` behind the last.
    pub next: Option<Cursor>,
}

fn is_sqlite(url: &Secret) -> bool {
    url.expose().split(':').next().is_some_and(|scheme| scheme.eq_ignore_ascii_case("sqlite"))
}

/// The name of this machine: what is local to it is another database elsewhere.
fn machine() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

impl Catalogue {
    /// Opens the application database and reads which columns its `tenants` table has.
    ///
    /// # Errors
    /// A [`CatalogueError`].
    pub async fn open(url: &Secret) -> Result<Self, CatalogueError> {
        if is_sqlite(url) {
            SqliteCatalogue::open(url).await.map(Self::Sqlite)
        } else {
            PostgresCatalogue::open(url).await.map(|catalogue| Self::Postgres(Box::new(catalogue)))
        }
    }

    /// A name for the application database that its URL leads to, found without asking it: host, port and name, of one on
    /// this machine the machine's name too. Two databases never have one name, though one may have several.
    ///
    /// # Errors
    /// [`CatalogueError::Url`].
    pub fn identity(url: &Secret) -> Result<String, CatalogueError> {
        if is_sqlite(url) { SqliteCatalogue::identity(url) } else { PostgresCatalogue::identity(url) }
    }

    /// Where it is: `postgres://host:port/name` or `sqlite:/path`, without user and password.
    #[must_use]
    pub fn address(&self) -> &str {
        match self {
            Self::Postgres(catalogue) => catalogue.address(),
            Self::Sqlite(catalogue) => catalogue.address(),
        }
    }

    /// How many tenants fit the filter.
    ///
    /// # Errors
    /// [`CatalogueError::Connect`], [`CatalogueError::Query`].
    pub async fn count(&self, filter: &TenantFilter) -> Result<u64, CatalogueError> {
        let sql = self.schema().count(filter);
        let rows = match self {
            Self::Postgres(catalogue) => catalogue.texts(&sql).await?,
            Self::Sqlite(catalogue) => catalogue.texts(&sql).await?,
        };
        Ok(rows.first().and_then(|count| count.parse().ok()).unwrap_or(0))
    }

    /// The next tenants that fit the filter, in byte order of the subdomain, behind the cursor: `limit` of them, or more
    /// where the next page could not begin.
    ///
    /// # Errors
    /// [`CatalogueError::Connect`], [`CatalogueError::Query`].
    pub async fn page(
        &self,
        filter: &TenantFilter,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page, CatalogueError> {
        let mut wanted = limit;
        loop {
            let tenants = self.tenants(&self.schema().page(filter, after, wanted)).await?;
            // A text that was no UTF-8 is not the text that the table has, and names no place in its order.
            let odd = |tenant: &Tenant| {
                tenant.subdomain.contains('\u{fffd}') || tenant.id.as_str().contains('\u{fffd}')
            };
            if tenants.len() < wanted {
                return Ok(Page { tenants, next: None });
            }
            if let Some(last) = tenants.last().filter(|last| !odd(last)) {
                let next = Some(Cursor::at(last));
                return Ok(Page { tenants, next });
            }
            wanted = wanted.saturating_mul(2);
        }
    }

    /// The next tenants in the order of their ids, behind `after`: `limit` of them, or more where the next page could not
    /// begin. With them the id to go on behind; none behind the last. Where `id` is no primary key rows with one id may
    /// be passed over.
    ///
    /// # Errors
    /// [`CatalogueError::Connect`], [`CatalogueError::Query`].
    pub async fn scan(
        &self,
        after: Option<&TenantId>,
        limit: usize,
    ) -> Result<(Vec<Tenant>, Option<TenantId>), CatalogueError> {
        self.onward(limit, |limit| self.schema().scan(after, limit)).await
    }

    async fn onward(
        &self,
        limit: usize,
        sql: impl Fn(usize) -> String,
    ) -> Result<(Vec<Tenant>, Option<TenantId>), CatalogueError> {
        let mut wanted = limit;
        loop {
            let tenants = self.tenants(&sql(wanted)).await?;
            // Neither a null nor a text that was no UTF-8 is a place in the order.
            let names_a_place = |id: &TenantId| !id.as_str().is_empty() && !id.as_str().contains('\u{fffd}');
            let next = match tenants.last().map(|last| last.id.clone()) {
                _ if tenants.len() < wanted => None,
                Some(id) if names_a_place(&id) => Some(id),
                _ => {
                    wanted = wanted.saturating_mul(2);
                    continue;
                }
            };
            return Ok((tenants, next));
        }
    }

    /// The next tenants that have a key and no `data_source_url`, behind `after`; in place of none their data source has an
    /// empty URL. With them the id to go on behind, as [`Catalogue::scan`] has it. No service uses these keys, but they are
    /// there, and a rotation carries them on.
    ///
    /// # Errors
    /// [`CatalogueError::Connect`], [`CatalogueError::Query`].
    pub async fn strays(
        &self,
        after: Option<&TenantId>,
        limit: usize,
    ) -> Result<(Vec<Tenant>, Option<TenantId>), CatalogueError> {
        self.onward(limit, |limit| self.schema().strays(after, limit)).await
    }

    /// The tenant of each name, which is an id or a subdomain; an id comes first when both exist.
    ///
    /// # Errors
    /// [`CatalogueError::Connect`], [`CatalogueError::Query`].
    pub async fn find(&self, names: &[String]) -> Result<Vec<Option<Tenant>>, CatalogueError> {
        let rows = self.tenants(&self.schema().named(names)).await?;
        let find = |name: &String| {
            let same = |id: &str| id == name || TenantId::is_uuid(name) && id.eq_ignore_ascii_case(name);
            let by_id = rows.iter().find(|row| same(row.id.as_str()));
            by_id.or_else(|| rows.iter().find(|row| !name.is_empty() && row.subdomain == *name)).cloned()
        };
        Ok(names.iter().map(find).collect())
    }

    fn schema(&self) -> &Schema {
        match self {
            Self::Postgres(catalogue) => catalogue.schema(),
            Self::Sqlite(catalogue) => catalogue.schema(),
        }
    }

    async fn tenants(&self, sql: &str) -> Result<Vec<Tenant>, CatalogueError> {
        match self {
            Self::Postgres(catalogue) => catalogue.tenants(sql).await,
            Self::Sqlite(catalogue) => catalogue.tenants(sql).await,
        }
    }

    /// Ends the connection in good order. Dropping it is harmless too, but stands in the server's log.
    pub async fn close(self) {
        match self {
            Self::Postgres(catalogue) => catalogue.close().await,
            Self::Sqlite(catalogue) => catalogue.close().await,
        }
    }
}
