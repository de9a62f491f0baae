//! The question about row-level security to a PostgreSQL server: one message, one transaction that only reads and is
//! rolled back, and facts to be judged elsewhere.
//!
//! The statements stand in two files beside this one. The catalogue's answer comes before the looking begins, so that
//! it is known even if a look runs into the statement time-out, which ends the message.

use futures_util::TryStreamExt;
use serde_json::{Map, Value, json};
use sqlx::{Either, Executor, PgConnection, Row, raw_sql};

use crate::diagnosis;
use crate::failure::{Failure, FailureClass};
use crate::secret::Secret;
use crate::source::Question;
use crate::source::evidence::{Evidence, Facts, RlsScope, Sight};
use crate::sql::postgres_literal;
use crate::tenant::Role;

const CATALOGUE: &str = include_str!("catalogue.sql");
const BEHAVIOUR: &str = include_str!("behaviour.sql");

/// Asks. The server is told to stop each statement after `limit` milliseconds.
pub(super) async fn ask(
    connection: &mut PgConnection,
    role: Role,
    question: &Question,
    limit: u128,
    secrets: &[Secret],
) -> Result<Evidence, Failure> {
    let text = text(role, question, limit);
    let mut documents = Vec::new();
    let failure = {
        let mut rows = connection.fetch_many(raw_sql(&text));
        loop {
            match rows.try_next().await {
                Ok(Some(Either::Right(row))) => {
                    documents.push(row.try_get::<Option<String>, _>(0).ok().flatten().unwrap_or_default());
                }
                Ok(Some(Either::Left(_))) => {}
                Ok(None) => break None,
                Err(error) => break Some(diagnosis::postgres(&error, secrets)),
            }
        }
    };
    if failure.is_some() {
        // The transaction is broken, and a pooler would hold its connection for it.
        let _ = connection.execute(raw_sql("ROLLBACK")).await;
    }
    decode(&documents, failure)
}

/// The first document is of the preparation, then come the catalogue and the sights.
fn decode(documents: &[String], failure: Option<Failure>) -> Result<Evidence, Failure> {
    let odd = |what: &str| Failure::with(FailureClass::ServerError, format!("{what} cannot be read"));
    let Some(facts) = documents.get(1) else {
        return Err(failure.unwrap_or_else(|| odd("the catalogue")));
    };
    let mut facts: Facts = serde_json::from_str(facts).map_err(|_| odd("the catalogue"))?;
    facts.sights = Some(match (documents.get(2), failure) {
        (Some(sights), None) => serde_json::from_str::<Vec<Sight>>(sights).map_err(|_| odd("what was seen")),
        (_, failure) => Err(failure.unwrap_or_else(|| odd("what was seen"))),
    });
    Ok(Evidence::Postgres(Box::new(facts)))
}

fn text(role: Role, question: &Question, limit: u128) -> String {
    let table = postgres_literal(&question.table.quoted());
    let claims = postgres_literal(&claims(&question.claims, &question.tenant_id).to_string());
    let truth = |it: bool| if it { "true" } else { "false" };
    let words = [
        if question.scope == RlsScope::All { "all" } else { "table" },
        if role == Role::Anon { "anon" } else { "service" },
    ];
    let fill = |text: &str| {
        // The longer name first; what is put in is a literal and is not looked through again.
        let mut filled = String::with_capacity(text.len() + 256);
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            filled.push_str(&rest[..at]);
            let end = rest[at + 1..]
                .find(|c: char| !c.is_ascii_uppercase() && c != '_')
                .map_or(rest.len(), |n| at + 1 + n);
            match &rest[at + 1..end] {
                "COLUMN" => filled.push_str(&postgres_literal(question.tenant_column.as_str())),
                "ID" => filled.push_str(&postgres_literal(&question.tenant_id)),
                "APPLICATION_ID" => filled.push_str(&postgres_literal(&question.application_id)),
                "CLAIMS" => filled.push_str(&claims),
                "ANON" => filled.push_str(truth(role == Role::Anon)),
                _ => filled.push_str(&rest[at..end]),
            }
            rest = &rest[end..];
        }
        filled.push_str(rest);
        without_comments(&filled)
    };
    format!(
        "BEGIN READ ONLY; SET LOCAL statement_timeout = {limit}; SET LOCAL row_security = on; \
         SELECT pg_catalog.set_config('boothds.table', \
         coalesce(pg_catalog.to_regclass({table})::pg_catalog.oid::pg_catalog.text, '0'), true), \
         pg_catalog.set_config('boothds.path', pg_catalog.current_setting('search_path'), true), \
         pg_catalog.set_config('search_path', 'pg_catalog', true); {}; DO {}; \
         SELECT pg_catalog.current_setting('boothds.seen'); ROLLBACK",
        fill(&fitting(CATALOGUE, &words)),
        postgres_literal(&fill(BEHAVIOUR)),
    )
}

/// The lines that are for those to whom all words of their mark fit.
fn fitting(text: &str, words: &[&str]) -> String {
    let mut fits = true;
    let mut kept = String::with_capacity(text.len());
    for line in text.lines() {
        match line.strip_prefix("--[") {
            Some(marks) => fits = marks.split(' ').all(|mark| words.contains(&mark)),
            None if line == "--]" => fits = true,
            None if fits => kept.extend([line, "\n"]),
            None => {}
        }
    }
    kept
}

/// Whole lines of comment are for the readers of the files, not for the server.
fn without_comments(text: &str) -> String {
    text.lines().filter(|line| !line.trim_start().starts_with("--")).collect::<Vec<_>>().join("\n")
}

/// Claims that name the tenant at each of the paths.
fn claims(paths: &[String], id: &str) -> Value {
    let mut claims = Map::new();
    for path in paths {
        let mut place = &mut claims;
        let mut parts = path.split('.').peekable();
        while let Some(part) = parts.next() {
            if parts.peek().is_none() {
                place.insert(part.to_owned(), json!(id));
                break;
            }
            let inner = place.entry(part).or_insert_with(|| json!({}));
            if !inner.is_object() {
                *inner = json!({});
            }
            match inner.as_object_mut() {
                Some(inner) => place = inner,
                None => break,
            }
        }
    }
    Value::Object(claims)
}

/// Whether it makes sense to ask further after the plain question.
pub(super) fn is_asked(outcome: &Result<(), Failure>) -> bool {
    match outcome {
        Ok(()) => true,
        // The connection is in order, and the catalogue can be read.
        Err(failure) => matches!(failure.class, FailureClass::Grant | FailureClass::Column),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tenant_is_named_at_every_path() {
        let paths = ["tenant_id", "a.b", "a.c", "tenant_id.x"].map(str::to_owned);
        let expected = json!({"tenant_id": {"x": "7"}, "a": {"b": "7", "c": "7"}});
        assert_eq!(claims(&paths, "7"), expected);
    }

    #[test]
    fn no_value_leaves_its_place() {
        let question = Question {
            tenant_id: "$ID';--".to_owned(),
            application_id: "\\' $COLUMN".to_owned(),
            ..Question::of_table("a'b", "t")
        };
        let text = text(Role::Service, &question, 1);
        assert!(text.contains("E''\\'$ID''\\'") || text.contains("$ID''"), "{text}");
        assert!(!text.contains("\n--") && !text.contains("$CLAIMS") && !text.contains("ELSE 3"));
    }
}
