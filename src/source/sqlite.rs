//! A data source in a SQLite file, over sqlx. It is opened for reading and never created.

use std::path::Path;

use sqlx::{Connection, Executor, raw_sql};

use super::{Answer, Question};
use crate::failure::FailureClass;
use crate::sql::sqlite_literal;
use crate::{diagnosis, sqlite_file};

pub(super) async fn ask(path: &Path, question: &Question) -> Answer {
    let (mut connection, _presence) = match sqlite_file::open(path).await {
        Ok(opened) => opened,
        Err(failure) => return Answer::failed(failure),
    };
    let asked = connection.execute(raw_sql(&text(question))).await;
    let _ = connection.close().await;
    match asked.map_err(|error| diagnosis::sqlite(&error)) {
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
