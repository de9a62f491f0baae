//! A data source on PostgreSQL, over sqlx.
//!
//! One test is: connect, log in, one round trip for the plain question, at most two for row-level security, and a
//! `Terminate` that waits for nothing. Across a network the round trips are the time.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{ConnectOptions, Connection, PgConnection};

use super::evidence::{Evidence, Facts};
use super::{Answer, Question, RlsScope};
use crate::diagnosis;
use crate::driver::alone;
use crate::failure::{Failure, FailureClass};
use crate::secret::Secret;
use crate::sql::postgres_literal;
use crate::tenant::Role;
use crate::url::{PostgresAddress, TlsMode};

mod catalogue;
mod exchange;
mod looks;
mod rls;

pub use exchange::Exchange;

/// How long saying goodbye may take before the connection is just dropped.
const CLOSE_LIMIT: Duration = Duration::from_millis(250);

/// Asks apart from the other tenants: no server is trusted with the runtime's own threads.
pub(super) async fn ask(
    address: &PostgresAddress,
    role: Role,
    question: &Question,
    exchange: Option<&Exchange>,
    limit: Duration,
) -> Answer {
    let (address, question, exchange) = (address.clone(), question.clone(), exchange.cloned());
    let asked = Arc::new(Asked { address, role, question, exchange, limit });
    let progress = Arc::new(Progress::default());
    match alone(limit, log_in_and_ask(asked, Arc::clone(&progress))).await {
        Ok(answer) => answer,
        Err(why) => {
            let failure = diagnosis::apart(why);
            match progress.plain.get() {
                // The time ran out over row-level security: what was learnt before stands.
                Some(outcome) => {
                    let evidence = match progress.facts.get() {
                        Some(facts) => Ok(Evidence::Postgres(Box::new(Facts {
                            sights: Some(Err(failure)),
                            ..facts.clone()
                        }))),
                        None => Err(failure),
                    };
                    Answer { evidence: Some(evidence), ..Answer::connected(Result::clone(outcome)) }
                }
                None if progress.connected.load(Ordering::Relaxed) => Answer::connected(Err(failure)),
                None => Answer::failed(failure),
            }
        }
    }
}

/// What is asked of whom, as whom and within which time.
struct Asked {
    address: PostgresAddress,
    role: Role,
    question: Question,
    exchange: Option<Exchange>,
    limit: Duration,
}

/// How far it got, also for a caller that gives up waiting.
#[derive(Default)]
struct Progress {
    /// The server has let us in.
    connected: AtomicBool,
    /// What came of the plain question.
    plain: OnceLock<Result<(), Failure>>,
    /// What the catalogue says.
    facts: OnceLock<Facts>,
}

async fn log_in_and_ask(asked: Arc<Asked>, progress: Arc<Progress>) -> Answer {
    let start = Instant::now();
    let Asked { address, role, question, limit, .. } = &*asked;
    let options = match options(address) {
        Ok(options) => options,
        Err(failure) => return Answer::failed(failure),
    };
    let secrets = address.password.as_slice();
    let mut connection = match PgConnection::connect_with(&options).await {
        Ok(connection) => connection,
        Err(error) => return Answer::failed(diagnosis::postgres(&error, secrets)),
    };
    progress.connected.store(true, Ordering::Relaxed);
    let beside = rls::beside(&asked);
    let text = text(*role, question, *limit, beside.as_deref());
    let (mut statements, mut has_rows) = (0, false);
    let heard = rls::hear(&mut connection, &text, |rows| {
        statements += 1;
        // With the third statement the plain question is answered, whatever becomes of those behind it.
        if statements == PLAIN {
            has_rows = rows > 0;
            let _ = progress.plain.set(Ok(()));
        }
    })
    .await;
    let outcome = progress.plain.get_or_init(|| match &heard.error {
        Some(error) => Err(diagnosis::postgres(error, secrets)),
        None => Err(Failure::with(FailureClass::ServerError, "the answer cannot be read")),
    });
    let mut answer = Answer::connected(outcome.clone());
    if question.scope != RlsScope::Off && rls::is_asked(&answer.outcome) {
        let (connection, documents) = (&mut connection, heard.documents);
        let inquiry =
            rls::Inquiry { connection, asked: &asked, progress: &progress, start, documents, has_rows };
        answer.evidence = Some(inquiry.ask().await);
    }
    let _ = tokio::time::timeout(CLOSE_LIMIT, connection.close()).await;
    answer
}

/// How many statements the plain question is.
const PLAIN: u32 = 3;

/// The question in one message. Several statements in one message are one transaction, which ends with the
/// message, also when one of them fails; so nothing is left open behind a pooler. The time limit is told to the
/// server too, or a query that we have given up would go on there.
fn text(role: Role, question: &Question, limit: Duration, beside: Option<&str>) -> String {
    let query = match role {
        Role::Service => format!(
            "SELECT id FROM {} WHERE {} = {} LIMIT 1",
            question.table.quoted(),
            question.tenant_column.quoted(),
            postgres_literal(&question.tenant_id),
        ),
        Role::Anon => "SELECT 1".to_owned(),
    };
    let limit = limit.as_millis().max(1);
    let beside = beside.unwrap_or_default();
    format!("SET TRANSACTION READ ONLY; SET LOCAL statement_timeout = {limit}; {query}; {beside}")
}

/// Connection options of which every part comes from the row.
pub(super) fn options(address: &PostgresAddress) -> Result<PgConnectOptions, Failure> {
    let password = address.password.as_ref().map(Secret::expose).unwrap_or_default();
    Ok(without_environment()?
        .host(&address.host)
        .port(address.port)
        .username(&address.user)
        .password(password)
        .database(&address.database)
        .ssl_mode(match address.tls {
            TlsMode::Disable => PgSslMode::Disable,
            TlsMode::Prefer => PgSslMode::Prefer,
            TlsMode::Require => PgSslMode::Require,
            TlsMode::VerifyCa => PgSslMode::VerifyCa,
            TlsMode::VerifyFull => PgSslMode::VerifyFull,
        })
        .application_name(address.application_name.as_deref().unwrap_or("boothds")))
}

/// Options to start from, with nothing of the environment that would reach a tenant's server once the row's parts
/// are set over them.
///
/// sqlx has no options without the environment. `PGHOST`, `PGUSER`, `PGPASSWORD` and the like are the operator's,
/// and every one of them is overwritten by [`options`]. `PGOPTIONS`, `PGSSLCERT` and `PGSSLKEY` cannot be taken
/// back through its interface; were they sent, a tenant's server would see the operator's options and client
/// certificate. So a test fails while one of them is set. (`PGSSLROOTCERT` is not sent; it adds an authority.)
fn without_environment() -> Result<PgConnectOptions, Failure> {
    static BASE: OnceLock<Result<PgConnectOptions, &'static str>> = OnceLock::new();
    let base = BASE.get_or_init(|| {
        let ambient = PgConnectOptions::new_without_pgpass();
        if ambient.get_options().is_some() {
            return Err("PGOPTIONS");
        }
        // The certificate has no getter; it shows in the URL form, which needs a user and host it can write.
        let url = ambient.clone().username("u").host("h").to_url_lossy();
        for (name, _) in url.query_pairs() {
            match &*name {
                "sslcert" => return Err("PGSSLCERT"),
                "sslkey" => return Err("PGSSLKEY"),
                _ => {}
            }
        }
        Ok(ambient
            // A parameter of start-up that PgBouncer refuses unless it is told to ignore it.
            .extra_float_digits(None)
            .statement_cache_capacity(0)
            .disable_statement_logging())
    });
    base.clone().map_err(|variable| Failure::with(FailureClass::Environment, variable))
}
