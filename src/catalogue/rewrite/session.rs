//! One connection to PostgreSQL with a transaction on it, and the words for what goes wrong there.
//!
//! A file of its own because a rotation in batches has two of them: one that writes, and one whose only purpose is to
//! hold the lock against a second rotation for longer than a batch.

use std::time::Duration;

use futures_util::TryStreamExt;
use sqlx::postgres::{PgDatabaseError, PgRow, PgSeverity};
use sqlx::{Connection, Either, Executor, PgConnection, Row, ValueRef, raw_sql};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::statement::{LOCK_KEYS, Transaction};
use super::trigger;
use super::{Holder, RewriteError};
use crate::catalogue::postgres::{Target, late};
use crate::catalogue::{CONNECT_LIMIT, CatalogueError, QUERY_LIMIT};
use crate::diagnosis;
use crate::driver::{Apart, reside};
use crate::failure::{Failure, FailureClass};
use crate::sanitize::printable;
use crate::secret::Secret;

/// The rows of each statement of a message, in their order.
#[derive(Default)]
pub(super) struct Results {
    rows: Vec<Vec<PgRow>>,
    /// How many rows the last statement was about, as the server says.
    pub(super) affected: u64,
}

impl std::ops::Deref for Results {
    type Target = [Vec<PgRow>];

    fn deref(&self) -> &Self::Target {
        &self.rows
    }
}

/// A message, and where its answer goes.
type Job = (Secret, oneshot::Sender<Result<Results, sqlx::Error>>);

/// A connection, if there is one. It lives on a thread of its own, which ends with this handle: a page of rows comes in
/// a hundred pieces, and handing each from one thread to another took as long as the server needs for it.
pub(super) struct Session {
    pub(super) target: Target,
    lock_timeout: Duration,
    connection: Option<mpsc::Sender<Job>>,
}

/// Why a message has no answer.
pub(super) enum Trouble {
    Driver(sqlx::Error),
    Apart(Apart),
}

impl Session {
    pub(super) fn new(target: Target, lock_timeout: Duration) -> Self {
        Self { target, lock_timeout, connection: None }
    }

    /// Sends statements as one message without parameters, so that poolers need no prepared statements and everything
    /// takes one round trip. An error of the server leaves the connection, any other loses it.
    pub(super) async fn send(&mut self, sql: Secret) -> Result<Results, Trouble> {
        let limit = QUERY_LIMIT + self.lock_timeout;
        // Out of its place for as long as it is at work: whoever stops waiting has lost it.
        let Some(connection) = self.connection.take() else {
            return Err(Trouble::Driver(sqlx::Error::WorkerCrashed));
        };
        let (answer, answered) = oneshot::channel();
        let sent = connection.send((sql, answer)).await;
        let results = match timeout(limit, answered).await {
            _ if sent.is_err() => return Err(Trouble::Driver(sqlx::Error::WorkerCrashed)),
            Err(_) => return Err(Trouble::Apart(Apart::Late)),
            Ok(Err(_)) => return Err(Trouble::Apart(Apart::Panicked)),
            Ok(Ok(results)) => results,
        };
        let lost = matches!(&results, Err(error) if !spoken(error));
        if !lost {
            self.connection = Some(connection);
        }
        results.map_err(Trouble::Driver)
    }

    /// The same, with the words for an error. `operation` is what was to be done, as in "cannot …".
    pub(super) async fn ask(
        &mut self,
        operation: &'static str,
        sql: impl Into<String>,
    ) -> Result<Results, RewriteError> {
        match self.send(Secret::new(sql.into())).await {
            Ok(results) => Ok(results),
            Err(trouble) => Err(self.explain(operation, trouble).await),
        }
    }

    /// Begins a transaction, on a new connection if the old one is gone. The last answer is the number of one that
    /// writes.
    pub(super) async fn begin(&mut self, transaction: &Transaction<'_>) -> Result<Results, RewriteError> {
        let sql = transaction.begin();
        if self.connection.is_some() {
            match self.send(Secret::new(sql.clone())).await {
                Ok(answer) => return Ok(answer),
                // Ended while nobody used it, by a pooler or a firewall; nothing was begun on it.
                Err(Trouble::Driver(error)) if !spoken(&error) => {}
                Err(trouble) => return Err(self.explain("begin a transaction", trouble).await),
            }
        }
        self.connect().await?;
        self.ask("begin a transaction", sql).await
    }

    pub(super) async fn connect(&mut self) -> Result<(), RewriteError> {
        let (jobs, inbox) = mpsc::channel(1);
        let (greet, greeted) = oneshot::channel();
        let target = self.target.clone();
        let failed = |source| CatalogueError::Connect { address: self.target.address.clone(), source };
        let resides = reside(async move {
            match PgConnection::connect_with(&target.options).await {
                Ok(connection) => {
                    if greet.send(Ok(())).is_ok() {
                        serve(connection, inbox).await;
                    }
                }
                // Nobody may wait for it any more.
                Err(error) => drop(greet.send(Err(error))),
            }
        });
        resides.map_err(|_| failed(Failure::new(FailureClass::LocalLimit)))?;
        match timeout(CONNECT_LIMIT, greeted).await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(error))) => {
                return Err(failed(diagnosis::postgres(&error, &self.target.passwords)).into());
            }
            Ok(Err(_)) => return Err(failed(diagnosis::apart(Apart::Panicked)).into()),
            Err(_) => return Err(failed(late(Apart::Late, CONNECT_LIMIT)).into()),
        }
        self.connection = Some(jobs);
        Ok(())
    }

    pub(super) async fn roll_back(&mut self) {
        // Without an answer the connection is dropped, and the server rolls back by itself.
        if self.connection.is_some() && self.send(Secret::new("ROLLBACK".to_owned())).await.is_err() {
            self.connection = None;
        }
    }

    pub(super) async fn close(&mut self) {
        // Its thread says goodbye to the server once nobody can send to it; waiting for the end of that is a courtesy.
        if let Some(connection) = self.connection.take() {
            let (answer, answered) = oneshot::channel();
            if connection.send((Secret::new(String::new()), answer)).await.is_ok() {
                drop(connection);
                let _ = timeout(CONNECT_LIMIT, answered).await;
            }
        }
    }

    /// Takes the lock of the transaction if nobody has it; otherwise tells who does.
    pub(super) async fn try_lock(&mut self) -> Result<Option<Holder>, RewriteError> {
        const OPERATION: &str = "take the lock against a second rotation";
        let sql = format!("SELECT pg_try_advisory_xact_lock({LOCK_KEYS})::text");
        let answer = self.ask(OPERATION, sql).await?;
        if text(&answer, 0).as_deref() == Some("true") {
            return Ok(None);
        }
        let answer = self.ask(OPERATION, statement_of_lock_holder()).await?;
        Ok(Some(holder(&answer).unwrap_or_else(|| Holder("somebody who has just ended".to_owned()))))
    }

    pub(super) async fn wait_for_lock(&mut self) -> Result<(), RewriteError> {
        let sql = format!("SELECT pg_advisory_xact_lock({LOCK_KEYS})");
        match self.send(Secret::new(sql)).await {
            Ok(_) => Ok(()),
            Err(Trouble::Driver(error)) if code(&error) == "55P03" => {
                let holder = self.ask_apart(&statement_of_lock_holder()).await;
                let holder = holder.unwrap_or_else(|| Holder("it could not be asked whose".to_owned()));
                Err(RewriteError::Locked { holder })
            }
            Err(trouble) => Err(self.explain("take the lock against a second rotation", trouble).await),
        }
    }

    /// Makes sure that the transaction of this connection still holds the lock.
    pub(super) async fn still_locked(&mut self) -> Result<(), RewriteError> {
        let sql = format!(
            "SELECT count(*)::text FROM pg_locks WHERE {} AND pid = pg_backend_pid() AND granted",
            super::statement::lock_condition()
        );
        let lost = |source| RewriteError::LockLost { source };
        match self.send(Secret::new(sql)).await {
            Ok(answer) if text(&answer, 0).as_deref() == Some("1") => Ok(()),
            Ok(_) => Err(lost(Failure::new(FailureClass::Closed))),
            Err(trouble) => Err(lost(self.failure(&trouble, &[]))),
        }
    }

    /// Asks on a connection of its own: this one's transaction has failed or is not to be disturbed.
    async fn ask_apart(&self, sql: &str) -> Option<Holder> {
        let mut other = Self::new(self.target.clone(), Duration::ZERO);
        other.connect().await.ok()?;
        let answer = other.send(Secret::new(sql.to_owned())).await.ok();
        other.close().await;
        holder(&answer?)
    }

    /// The words for an error.
    pub(super) async fn explain(&mut self, operation: &'static str, trouble: Trouble) -> RewriteError {
        self.explain_without(&[], operation, trouble).await
    }

    /// The same without these texts: a function of a trigger may cast a stored value, and the server then quotes it.
    pub(super) async fn explain_without(
        &mut self,
        values: &[Secret],
        operation: &'static str,
        trouble: Trouble,
    ) -> RewriteError {
        let address = self.target.address.clone();
        let source = self.failure(&trouble, values);
        let Trouble::Driver(error) = &trouble else { return RewriteError::Lost { address, source } };
        let Some(database) = server_error(error) else { return RewriteError::Lost { address, source } };
        if !spoken(error) {
            return RewriteError::Lost { address, source };
        }
        if database.code() == "55P03" {
            let holder = self.ask_apart(super::statement::ROW_HOLDERS).await;
            let holder = holder.unwrap_or_else(|| Holder("whoever held it has ended".to_owned()));
            return RewriteError::RowsLocked { holder };
        }
        if let Some((found, function)) = trigger::recognise(database, &source) {
            let mut other = Self::new(self.target.clone(), Duration::ZERO);
            let names = match other.connect().await {
                Ok(()) => other.send(Secret::new(trigger::of_function(&function))).await.ok(),
                Err(_) => None,
            };
            other.close().await;
            let name = names.and_then(|names| text(&names, 0));
            return RewriteError::Trigger(Box::new(found.named(name)));
        }
        RewriteError::Refused { operation, address, source }
    }

    fn failure(&self, trouble: &Trouble, values: &[Secret]) -> Failure {
        match trouble {
            Trouble::Apart(why) => late(*why, QUERY_LIMIT + self.lock_timeout),
            Trouble::Driver(sqlx::Error::WorkerCrashed) => Failure::new(FailureClass::Closed),
            Trouble::Driver(error) => {
                let secrets = [&self.target.passwords, values].concat();
                let mut failure = diagnosis::postgres(error, &secrets);
                // These classes speak of the table that a test of a tenant asks.
                if matches!(
                    failure.class,
                    FailureClass::Table
                        | FailureClass::Column
                        | FailureClass::TenantIdType
                        | FailureClass::Schema
                        | FailureClass::Timeout
                ) {
                    failure.class = FailureClass::ServerError;
                }
                failure
            }
        }
    }
}

impl std::fmt::Debug for Session {
    // `PgConnectOptions` prints its password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Session({})", self.target.address)
    }
}

/// Answers messages until there is nobody left to send one. An empty one is answered behind the goodbye.
async fn serve(mut connection: PgConnection, mut inbox: mpsc::Receiver<Job>) {
    while let Some((sql, answer)) = inbox.recv().await {
        if sql.is_empty() {
            let _ = connection.close().await;
            drop(answer);
            return;
        }
        let results = collect(&mut connection, sql.expose()).await;
        if answer.send(results).is_err() {
            // Whoever asked has gone, and the transaction with them: the server rolls back when the socket closes.
            return;
        }
    }
    let _ = connection.close().await;
}

async fn collect(connection: &mut PgConnection, sql: &str) -> Result<Results, sqlx::Error> {
    let mut stream = connection.fetch_many(raw_sql(sql));
    let mut results = Results::default();
    let mut rows = Vec::new();
    while let Some(item) = stream.try_next().await? {
        match item {
            Either::Left(done) => {
                results.affected = done.rows_affected();
                results.rows.push(std::mem::take(&mut rows));
            }
            Either::Right(row) => rows.push(row),
        }
    }
    Ok(results)
}

fn server_error(error: &sqlx::Error) -> Option<&PgDatabaseError> {
    match error {
        sqlx::Error::Database(database) => database.try_downcast_ref::<PgDatabaseError>(),
        _ => None,
    }
}

/// Whether the server refused a statement and goes on, and thereby the transaction has certainly failed. A FATAL error
/// ends the session, and may come after a commit was written.
pub(super) fn spoken(error: &sqlx::Error) -> bool {
    server_error(error).is_some_and(|database| database.severity() == PgSeverity::Error)
}

fn code(error: &sqlx::Error) -> &str {
    server_error(error).map_or("", PgDatabaseError::code)
}

/// The first column of the first row of the last statement, as text.
pub(super) fn text(results: &Results, at: usize) -> Option<String> {
    let value = results.last()?.first()?.try_get_raw(at).ok()?;
    if value.is_null() {
        return None;
    }
    Some(String::from_utf8_lossy(value.as_bytes().ok()?).into_owned())
}

/// All columns of the rows of the last statement, a null as an empty text.
pub(super) fn texts(results: &Results) -> Vec<Vec<String>> {
    let text = |row: &PgRow, at| {
        let value = row.try_get_raw(at).ok().filter(|value| !value.is_null())?;
        Some(String::from_utf8_lossy(value.as_bytes().ok()?).into_owned())
    };
    let texts = |row: &PgRow| (0..row.len()).map(|at| text(row, at).unwrap_or_default()).collect();
    results.last().into_iter().flatten().map(texts).collect()
}

fn statement_of_lock_holder() -> String {
    format!(
        "SELECT {} FROM pg_locks l LEFT JOIN pg_stat_activity a USING (pid) WHERE {} AND l.granted LIMIT 1",
        super::statement::WHO,
        super::statement::lock_condition()
    )
}

fn holder(answer: &Results) -> Option<Holder> {
    text(answer, 0).map(|who| Holder(printable(&who).into_owned()))
}
