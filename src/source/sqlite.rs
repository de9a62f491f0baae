//! A data source in a SQLite file, over sqlx. It is opened for reading and never created.

use std::path::Path;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, Executor, SqliteConnection, raw_sql};

use super::{Answer, Question};
use crate::diagnosis;
use crate::failure::{Failure, FailureClass};
use crate::sql::sqlite_literal;

pub(super) async fn ask(path: &Path, question: &Question) -> Answer {
    // An absolute path is no name that SQLite would take for something else, such as `:memory:` or `file:…`.
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    if !path.exists() {
        return Answer::failed(Failure::new(FailureClass::FileMissing));
    }
    let options = SqliteConnectOptions::new().filename(&path).read_only(true).disable_statement_logging();
    let mut connection = match SqliteConnection::connect_with(&options).await {
        Ok(connection) => connection,
        Err(error) => return Answer::failed(diagnosis::sqlite(&error)),
    };
    let asked = connection.execute(raw_sql(&text(question))).await;
    let _ = connection.close().await;
    match asked.map_err(|error| diagnosis::sqlite(&error)) {
        // SQLite reads the file with the first question; until then anything passes for a database.
        Err(failure) if failure.class == FailureClass::FileRefused => Answer::failed(failure),
        outcome => Answer::connected(outcome.map(|_| ())),
    }
}

/// The columns are named with their table: SQLite takes a lone quoted name that it does not know for a text, and a
/// missing column would go unnoticed.
fn text(question: &Question) -> String {
    let table = question.table.quoted();
    let column = question.tenant_column.quoted();
    format!(
        "SELECT {table}.\"id\" FROM {table} WHERE {table}.{column} = {} LIMIT 1",
        sqlite_literal(&question.tenant_id)
    )
}
