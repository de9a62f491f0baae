//! A tenant's data source: how to log in there, and the small questions that are asked of it.
//!
//! A [`Login`] is made offline from a row and an opened key, and refuses what can be known to be wrong before
//! anything is sent. A [`Connector`] asks; it holds what all tenants share, the HTTP clients.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::credential::{Credential, CredentialKind};
use crate::failure::{Failure, FailureClass};
use crate::secret::Secret;
use crate::settings::{Identifier, ProbeTable};
use crate::tenant::Role;
use crate::url::{Address, PostgresAddress, RestAddress};

pub mod evidence;
mod live;
mod postgres;
mod rest;
mod sqlite;
mod supabase;

pub use evidence::{Evidence, RlsScope};
pub use live::{DEFAULT_BOUNDS, FilePool, Live, MAX_CONNECTIONS, MAX_MINIMUM, PostgresPool, Turn};
pub use postgres::Exchange;
pub use rest::RestClient;

/// What is asked of a data source.
#[derive(Clone, Debug)]
pub struct Question {
    /// The table.
    pub table: ProbeTable,
    /// Its column with the tenant's id.
    pub tenant_column: Identifier,
    /// The id by which the data source knows the tenant.
    pub tenant_id: String,
    /// Its id in the application database, by which the rows may be stored by mistake.
    pub application_id: String,
    /// Dotted paths within the claims that name the tenant.
    pub claims: Vec<String>,
    /// How far the question about row-level security goes.
    pub scope: RlsScope,
}

/// What came of asking.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Whether the data source let us in: logged in to PostgreSQL, opened the file, or had its key accepted.
    pub connected: bool,
    /// Whether the question was answered.
    pub outcome: Result<(), Failure>,
    /// What was learnt of row-level security, or why nothing; `None` when it was not asked.
    pub evidence: Option<Result<Evidence, Failure>>,
    /// How many rows came, where they are counted: over REST.
    rows: Option<usize>,
}

/// Where to log in, as whom, with what. Made offline.
#[derive(Clone, Debug)]
pub enum Login {
    /// A Supabase project and the key to show.
    Supabase {
        /// The project.
        base: RestAddress,
        /// The key.
        key: Secret,
        /// Which generation of key: the new ones are no JWT and must not be sent as one.
        kind: CredentialKind,
    },
    /// A PostgreSQL server; the address holds the password.
    Postgres(PostgresAddress),
    /// A SQLite file; whoever can read it is let in.
    Sqlite(PathBuf),
}

impl Login {
    /// Puts a parsed `data_source_url` and an opened key together.
    ///
    /// # Errors
    /// [`FailureClass::KeyOtherProject`], [`FailureClass::KeyOtherHost`], [`FailureClass::KeyNotFitting`]: known
    /// without asking anybody, and so before a key is sent to where it does not belong.
    pub fn new(address: &Address, key: &Secret, credential: &Credential) -> Result<Self, Failure> {
        match address {
            Address::Supabase(base) => {
                let kind = credential.kind();
                if let (Some(own), Some(of_key)) =
                    (base.project_ref(), credential.claims().and_then(|claims| claims.project_ref.as_deref()))
                    && own != of_key
                {
                    return Err(Failure::new(FailureClass::KeyOtherProject));
                }
                match kind {
                    CredentialKind::SupabaseJwt
                    | CredentialKind::SupabasePublishable
                    | CredentialKind::SupabaseSecret => {
                        Ok(Self::Supabase { base: base.clone(), key: key.clone(), kind })
                    }
                    CredentialKind::PostgresUrl | CredentialKind::Text => {
                        Err(Failure::new(FailureClass::KeyNotFitting))
                    }
                }
            }
            Address::Postgres(address) => match credential {
                Credential::PostgresUrl(Ok(own)) if own.host.eq_ignore_ascii_case(&address.host) => {
                    Ok(Self::Postgres(own.clone()))
                }
                Credential::PostgresUrl(Ok(_)) => Err(Failure::new(FailureClass::KeyOtherHost)),
                Credential::PostgresUrl(Err(error)) => {
                    Err(Failure::with(FailureClass::KeyNotFitting, format!("the sealed URL: {error}")))
                }
                Credential::Text => {
                    Ok(Self::Postgres(PostgresAddress { password: Some(key.clone()), ..address.clone() }))
                }
                Credential::SupabaseJwt(_) | Credential::SupabasePublishable | Credential::SupabaseSecret => {
                    Err(Failure::new(FailureClass::KeyNotFitting))
                }
            },
            Address::Sqlite(path) => Ok(Self::Sqlite(path.clone())),
        }
    }

    /// Whether two logins are one and the same user of one database.
    #[must_use]
    pub fn is_same_user(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Postgres(a), Self::Postgres(b)) => {
                a.user == b.user && a.host.eq_ignore_ascii_case(&b.host) && a.port == b.port
            }
            _ => false,
        }
    }
}

/// Asks data sources. Cheap to clone; clones share the HTTP clients and so their kept-alive connections.
#[derive(Clone, Debug, Default)]
pub struct Connector {
    http: supabase::Clients,
}

impl Connector {
    /// A connector. The HTTP clients are made when the first Supabase project is asked.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A connector for a service, whose HTTP connections are kept open for a minute and a half after use instead of the
    /// moment that suffices for a test.
    #[must_use]
    pub fn for_service() -> Self {
        Self { http: supabase::Clients::new(Duration::from_secs(90)) }
    }

    /// Asks once, within `limit`. As [`Role::Service`] the rows of the tenant are asked for; as [`Role::Anon`] only
    /// whether the credential is accepted. Nothing is written, and nothing is tried again. Two logins of one tenant that
    /// have an `exchange` ask a PostgreSQL server's catalogue once; the service's side closes it when it is done.
    pub async fn ask(
        &self,
        login: &Login,
        role: Role,
        question: &Question,
        exchange: Option<&Exchange>,
        limit: Duration,
    ) -> Answer {
        let late = || Answer::failed(Failure::new(FailureClass::Timeout));
        match login {
            Login::Supabase { base, key, kind } => {
                let project = supabase::Project { clients: &self.http, base, key, kind: *kind };
                let start = Instant::now();
                let asked = tokio::time::timeout(limit, project.ask(role, question)).await;
                let mut answer = asked.unwrap_or_else(|_| late());
                if answer.connected && question.scope != RlsScope::Off {
                    let left = limit.saturating_sub(start.elapsed());
                    let seen = tokio::time::timeout(left, project.look(role, question, &answer)).await;
                    let late = |_| Failure::new(FailureClass::Timeout);
                    answer.evidence = Some(seen.map(Evidence::Rest).map_err(late));
                }
                answer
            }
            // Keeps the time itself, to tell on which side of the login it ran out.
            Login::Postgres(address) => postgres::ask(address, role, question, exchange, limit).await,
            Login::Sqlite(path) => {
                tokio::time::timeout(limit, sqlite::ask(path, question)).await.unwrap_or_else(|_| late())
            }
        }
    }
}

impl Answer {
    /// Nobody let us in, or nobody was asked.
    #[must_use]
    pub fn failed(failure: Failure) -> Self {
        Self { connected: false, outcome: Err(failure), evidence: None, rows: None }
    }

    /// Let in, whatever came of the question.
    #[must_use]
    pub fn connected(outcome: Result<(), Failure>) -> Self {
        Self { connected: true, outcome, evidence: None, rows: None }
    }
}

#[cfg(test)]
impl Question {
    /// A question of a test.
    pub(crate) fn of_table(table: &str, column: &str) -> Self {
        Self {
            table: ProbeTable::parse(table).unwrap(),
            tenant_column: Identifier::parse(column).unwrap(),
            tenant_id: "1".to_owned(),
            application_id: "1".to_owned(),
            claims: vec!["tenant_id".to_owned()],
            scope: RlsScope::Table,
        }
    }
}
