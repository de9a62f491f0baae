//! The question about row-level security to a PostgreSQL server: messages of transactions that only read, and facts to
//! be judged elsewhere.
//!
//! A test with it takes at most two round trips more than the plain one, for either login. The usual way: the catalogue
//! comes with the plain answer of the service credential, which asks about the anon login too; then both look, in one
//! round trip. A table with partitions, or with views above it, takes one more for what belongs to it; so does an anon
//! login that has to ask by itself, and one where a look fails. What was learnt before a time-out is kept.

use std::time::{Duration, Instant};

use futures_util::TryStreamExt;
use sqlx::{Column, Either, Executor, PgConnection, Row, raw_sql};

use super::catalogue::{self, Breadth, Documents};
use super::exchange::{Exchange, Told};
use super::looks::{self, Look, Seen};
use super::{Asked, Progress};
use crate::diagnosis;
use crate::failure::{Failure, FailureClass};
use crate::source::RlsScope;
use crate::source::evidence::{Evidence, Facts, Function, Sight};
use crate::tenant::Role;

/// What a message brought home.
#[derive(Default)]
pub(super) struct Heard {
    pub(super) documents: Documents,
    looks: Vec<Seen>,
    pub(super) error: Option<sqlx::Error>,
}

/// Sends a message and listens to its end. `done` is told how many rows each statement brought.
pub(super) async fn hear(connection: &mut PgConnection, text: &str, mut done: impl FnMut(u64)) -> Heard {
    let mut heard = Heard::default();
    let mut rows = connection.fetch_many(raw_sql(text));
    loop {
        let row = match rows.try_next().await {
            Ok(Some(Either::Right(row))) => row,
            Ok(Some(Either::Left(result))) => {
                done(result.rows_affected());
                continue;
            }
            Ok(None) => return heard,
            Err(error) => return Heard { error: Some(error), ..heard },
        };
        let text = |at: usize| row.try_get::<Option<String>, _>(at).ok().flatten().unwrap_or_default();
        match row.columns().first().map(Column::name) {
            Some("document") => drop(heard.documents.insert(text(0), text(1))),
            Some("look") => heard.looks.push(Seen { seen: serde_json::from_str(&text(0)).ok(), code: None }),
            _ => {}
        }
    }
}

/// What goes with the plain question, in the same message.
pub(super) fn beside(asked: &Asked) -> Option<String> {
    let Asked { role, question, exchange, limit, .. } = asked;
    let breadth = match (role, question.scope, exchange) {
        (_, RlsScope::Off, _) => return None,
        (Role::Anon, _, Some(_)) => Breadth::Identity,
        (_, RlsScope::Table, _) => Breadth::Table,
        (_, RlsScope::All, _) => return None,
    };
    let text = catalogue::text(breadth, *role, question, login(asked));
    Some(format!("SET LOCAL statement_timeout = {}; {text}", half(*limit)))
}

/// The anon login, if the service asks about it as well.
fn login(asked: &Asked) -> Option<&str> {
    asked.exchange.as_ref().filter(|_| asked.role == Role::Service).map(Exchange::login)
}

/// Half of the time that is left, in milliseconds, so that there is some to bring home what was learnt.
fn half(left: Duration) -> u128 {
    (left / 2).as_millis().max(1)
}

/// One login's question.
pub(super) struct Inquiry<'a> {
    pub(super) connection: &'a mut PgConnection,
    pub(super) asked: &'a Asked,
    pub(super) progress: &'a Progress,
    pub(super) start: Instant,
    /// What came with the plain answer.
    pub(super) documents: Documents,
    /// Whether the plain question found a row of the tenant.
    pub(super) has_rows: bool,
}

impl Inquiry<'_> {
    /// Asks.
    pub(super) async fn ask(mut self) -> Result<Evidence, Failure> {
        let Asked { role, question, exchange, .. } = self.asked;
        let told = match self.told().await {
            Some(told) => told,
            None => self.ask_widely().await?,
        };
        if let (Role::Service, Some(exchange)) = (role, exchange) {
            exchange.tell(&told);
        }
        let _ = self.progress.facts.set(told.facts.clone());
        let looks = looks::looks(&told.facts, *role, question, self.has_rows);
        let mut facts = told.facts.clone();
        facts.sights = Some(self.look(&looks, &told, &mut facts).await);
        Ok(Evidence::Postgres(Box::new(facts)))
    }

    /// What is known already: from the plain answer, or from the service credential.
    async fn told(&self) -> Option<Told> {
        let Asked { role, question, exchange, .. } = self.asked;
        match (role, question.scope, exchange) {
            (Role::Anon, _, Some(exchange)) => {
                exchange.learn(&catalogue::identity(&self.documents)?, self.left() / 2).await
            }
            (_, RlsScope::Table, _) => catalogue::told(&self.documents, Breadth::Table, *role),
            _ => None,
        }
    }

    async fn ask_widely(&mut self) -> Result<Told, Failure> {
        let Asked { role, question, .. } = self.asked;
        let catalogue = catalogue::text(Breadth::Wide, *role, question, login(self.asked));
        let heard = self.message(&format!("{catalogue}; ROLLBACK"), "").await;
        if let Some(error) = &heard.error {
            self.roll_back().await;
            return Err(self.failure(error));
        }
        catalogue::told(&heard.documents, Breadth::Wide, *role)
            .ok_or_else(|| Failure::with(FailureClass::ServerError, "the catalogue cannot be read"))
    }

    /// Looks; the failure if that ended early, so that nothing is known by sight.
    async fn look(&mut self, looks: &[Look], told: &Told, facts: &mut Facts) -> Result<Vec<Sight>, Failure> {
        let Asked { role, question, .. } = self.asked;
        // A pooler may lead the next transaction elsewhere.
        let breadth = if told.lacks_functions { Breadth::Functions } else { Breadth::Identity };
        let identity = catalogue::text(breadth, *role, question, login(self.asked));
        let identity = format!("SAVEPOINT who; {identity} ROLLBACK TO who; ");
        let mut before = "";
        if looks::are_simple(looks) && !told.is_wide {
            let heard = self.message(&format!("{identity} {} ROLLBACK", looks::plain(looks)), before).await;
            facts.functions.extend(functions(&heard.documents, told));
            match &heard.error {
                None => return seen(looks, heard.looks, &heard.documents, told),
                Some(error) if failed_in_sql(error) => before = "ROLLBACK; ",
                Some(error) => {
                    self.roll_back().await;
                    return Err(self.failure(error));
                }
            }
        }
        let heard = self.message(&format!("{identity} {}; ROLLBACK", looks::block(looks)), before).await;
        if facts.functions.is_empty() {
            facts.functions.extend(functions(&heard.documents, told));
        }
        if let Some(error) = &heard.error {
            self.roll_back().await;
            return Err(self.failure(error));
        }
        let list = heard.documents.get("seen").and_then(|text| serde_json::from_str(text).ok());
        seen(looks, list.unwrap_or_default(), &heard.documents, told)
    }

    /// One transaction that only reads, in one message.
    async fn message(&mut self, text: &str, before: &str) -> Heard {
        let limit = half(self.left());
        let text = format!(
            "{before}BEGIN READ ONLY; SET LOCAL statement_timeout = {limit}; SET LOCAL row_security = on; {text}"
        );
        hear(self.connection, &text, |_| {}).await
    }

    /// After a failure the transaction is broken, and a pooler would hold its connection for it.
    async fn roll_back(&mut self) {
        let _ = self.connection.execute(raw_sql("ROLLBACK")).await;
    }

    fn failure(&self, error: &sqlx::Error) -> Failure {
        diagnosis::postgres(error, self.asked.address.password.as_slice())
    }

    fn left(&self) -> Duration {
        self.asked.limit.saturating_sub(self.start.elapsed())
    }
}

/// What was seen, if everything was looked at, and by whom and where it was said to be.
fn seen(looks: &[Look], seen: Vec<Seen>, documents: &Documents, told: &Told) -> Result<Vec<Sight>, Failure> {
    if catalogue::identity(documents).as_ref() != Some(&told.identity) {
        return Err(Failure::with(
            FailureClass::ServerError,
            "the connection led to another server or role than before",
        ));
    }
    if seen.len() != looks.len() {
        return Err(Failure::with(FailureClass::ServerError, "what was seen cannot be read"));
    }
    Ok(looks::sights(looks, seen))
}

/// The functions that came with a look, if they are of the same place as everything else.
fn functions(documents: &Documents, told: &Told) -> Vec<Function> {
    let is_here = catalogue::identity(documents).as_ref() == Some(&told.identity);
    catalogue::functions(documents).filter(|_| is_here).unwrap_or_default()
}

/// Whether a statement failed by itself: not for lack of time, nor because the connection did.
fn failed_in_sql(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    // Class 57 is the operator's intervention: a time-out, a shutdown.
    code.is_some_and(|code| !code.starts_with("57"))
}

/// Whether it makes sense to ask further after the plain question.
pub(super) fn is_asked(outcome: &Result<(), Failure>) -> bool {
    match outcome {
        Ok(()) => true,
        // The connection is in order, and the catalogue can be read.
        Err(failure) => matches!(failure.class, FailureClass::Grant | FailureClass::Column),
    }
}
