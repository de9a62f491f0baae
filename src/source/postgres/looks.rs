//! Looking: as each role, first without claims and then with this tenant's, is any row to be seen, an own one, a
//! foreign one?
//!
//! A few looks are plain statements in one message, each between a savepoint and the way back to it, by which role and
//! claims are undone. A look that fails ends its message; then all are taken again in a block of PL/pgSQL
//! (`behaviour.sql`), which goes on after a failure. It would do for all; but loading the language costs the server a
//! millisecond for each connection. What is looked at is decided here, and the text of a look is the same either way.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::source::Question;
use crate::source::evidence::{Facts, Sight};
use crate::sql::postgres_literal;
use crate::tenant::Role;

const BEHAVIOUR: &str = include_str!("behaviour.sql");

/// More looks than this are left to the block, whose text does not grow with them as fast.
const FEW: usize = 12;

/// A look at one relation with the eyes of one actor.
pub(super) struct Look {
    relation: usize,
    actor: usize,
    claims: bool,
    /// Whether the rows with the application's id are asked for instead.
    application: bool,
    settings: Map<String, Value>,
    query: String,
}

/// What to look at. `has_rows` says whether the service credential saw a row of the tenant.
pub(super) fn looks(facts: &Facts, role: Role, question: &Question, has_rows: bool) -> Vec<Look> {
    let is_anon = role == Role::Anon;
    let mut looks = Vec::new();
    for (number, relation) in facts.relations.iter().enumerate().filter(|(_, one)| one.kind != "f") {
        let name = format!("{}.{}", quoted(&relation.schema), quoted(&relation.name));
        for access in relation.access.iter().filter(|it| it.read && (relation.rank < 2 || it.column)) {
            let Some(actor) = facts.actors.get(access.actor).filter(|actor| actor.settable) else { continue };
            let is_judged =
                is_anon || actor.is_self || matches!(actor.name.as_str(), "anon" | "authenticated");
            if !is_judged {
                continue;
            }
            for claims in [false, true] {
                // As the service itself only how things are.
                if is_anon || !actor.is_self || !claims && access.column {
                    looks.push(Look {
                        relation: number,
                        actor: access.actor,
                        claims,
                        application: false,
                        settings: settings(question, claims, (!actor.is_self).then_some(&actor.name)),
                        query: query(&name, access.column, question),
                    });
                }
            }
        }
    }
    // Fails where that id is none of the column's type.
    let is_own = |look: &&Look| !is_anon && look.relation == 0 && facts.actors[look.actor].is_self;
    if !has_rows && question.application_id != question.tenant_id && looks.iter().any(|look| is_own(&look)) {
        let table = &facts.relations[0];
        let query = format!(
            "SELECT pg_catalog.json_build_array(EXISTS (SELECT FROM {}.{} WHERE {} = {}))::pg_catalog.text AS look",
            quoted(&table.schema),
            quoted(&table.name),
            question.tenant_column.quoted(),
            postgres_literal(&question.application_id)
        );
        let own =
            Look { relation: 0, actor: 0, claims: false, application: true, settings: Map::new(), query };
        looks.push(own);
    }
    looks
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A second look only where the first saw something: each reads the whole table if there is nothing to be seen.
fn query(name: &str, column_can_be_read: bool, question: &Question) -> String {
    let (column, id) = (question.tenant_column.quoted(), postgres_literal(&question.tenant_id));
    if !column_can_be_read {
        return format!(
            "SELECT pg_catalog.json_build_array(EXISTS (SELECT FROM {name}))::pg_catalog.text AS look"
        );
    }
    format!(
        "SELECT pg_catalog.json_build_array(saw, saw AND EXISTS (SELECT FROM {name} WHERE {column} = {id}), \
         saw AND EXISTS (SELECT FROM {name} WHERE {column} <> {id}))::pg_catalog.text AS look \
         FROM (SELECT EXISTS (SELECT FROM {name} WHERE {column} IS NOT NULL) AS saw OFFSET 0) s"
    )
}

/// The settings of a look: the claims, in the form of now and in that of PostgREST before its version 9, and the role.
fn settings(question: &Question, with_claims: bool, role: Option<&String>) -> Map<String, Value> {
    let mut settings = Map::new();
    if !with_claims && role.is_none() {
        return settings;
    }
    let mut claims = if with_claims { claims(&question.claims, &question.tenant_id) } else { Map::new() };
    if let Some(role) = role {
        claims.insert("role".to_owned(), json!(role));
    }
    for (key, value) in &claims {
        let is_word = key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            && key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        if is_word {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            settings.insert(format!("request.jwt.claim.{key}"), json!(text));
        }
    }
    settings.insert("request.jwt.claims".to_owned(), json!(Value::Object(claims).to_string()));
    if let Some(role) = role {
        settings.insert("role".to_owned(), json!(role));
    }
    settings
}

/// Claims that name the tenant at each of the paths.
fn claims(paths: &[String], id: &str) -> Map<String, Value> {
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
    claims
}

/// Whether plain statements will do: for a few that are not expected to fail.
pub(super) fn are_simple(looks: &[Look]) -> bool {
    looks.len() <= FEW && looks.iter().all(|look| !look.application)
}

/// As plain statements: each look answers with a row, and the first that fails is the last.
pub(super) fn plain(looks: &[Look]) -> String {
    let mut text = String::new();
    for look in looks {
        text.push_str("SAVEPOINT look; ");
        let set = look.settings.iter().filter_map(|(name, value)| {
            let (name, value) = (postgres_literal(name), postgres_literal(value.as_str()?));
            Some(format!("pg_catalog.set_config({name}, {value}, true)"))
        });
        let set: Vec<String> = set.collect();
        if !set.is_empty() {
            text.extend(["SELECT ", &set.join(", "), "; "]);
        }
        text.extend([look.query.as_str(), "; ROLLBACK TO look; "]);
    }
    text
}

/// As a block that answers for all of them in one row.
pub(super) fn block(looks: &[Look]) -> String {
    let list: Vec<Value> =
        looks.iter().map(|look| json!({"settings": look.settings, "query": look.query})).collect();
    let body: Vec<&str> = BEHAVIOUR.lines().filter(|line| !line.trim_start().starts_with("--")).collect();
    let body = body.join("\n").replace("$LOOKS", &postgres_literal(&Value::Array(list).to_string()));
    format!(
        "DO {}; SELECT 'seen' AS document, pg_catalog.current_setting('boothds.seen')",
        postgres_literal(&body)
    )
}

/// What came of a look: what was seen, or the SQLSTATE.
#[derive(Deserialize)]
pub(super) struct Seen {
    pub(super) seen: Option<Vec<Option<bool>>>,
    pub(super) code: Option<String>,
}

/// What was seen, look by look; the application's rows are told with the service's own look.
pub(super) fn sights(looks: &[Look], seen: Vec<Seen>) -> Vec<Sight> {
    let mut sights: Vec<Sight> = Vec::new();
    for (look, Seen { seen, code }) in looks.iter().zip(seen) {
        let told = |at: usize| seen.as_ref().and_then(|seen| seen.get(at).copied().flatten());
        if look.application {
            let own = sights.iter_mut().find(|one| one.relation == 0 && one.actor == look.actor);
            if let Some(own) = own {
                own.application = told(0);
            }
            continue;
        }
        sights.push(Sight {
            relation: look.relation,
            actor: look.actor,
            claims: look.claims,
            any: told(0),
            own: told(1),
            foreign: told(2),
            application: None,
            code,
        });
    }
    sights
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tenant_is_named_at_every_path() {
        let paths = ["tenant_id", "a.b", "a.c", "tenant_id.x"].map(str::to_owned);
        let expected = json!({"tenant_id": {"x": "7"}, "a": {"b": "7", "c": "7"}});
        assert_eq!(Value::Object(claims(&paths, "7")), expected);
    }
}
