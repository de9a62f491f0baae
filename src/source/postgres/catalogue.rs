//! What the catalogue says: the text of the question, and the facts in the answer.
//!
//! The statements stand in `catalogue.sql`. They are asked in one of two breadths: of the probed table alone, together
//! with the plain question; and of all that is beneath and above it as well, where the first answer says that there is
//! something. The login of the anon credential is one of the roles that the service credential asks about, so that
//! only one of the two has to ask.

use std::collections::HashMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::exchange::{Identity, Told};
use crate::source::Question;
use crate::source::evidence::{Actor, Facts, Function, Policy, Relation, RlsScope};
use crate::sql::postgres_literal;
use crate::tenant::Role;

const CATALOGUE: &str = include_str!("catalogue.sql");

/// What of the file is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Breadth {
    /// Who is logged in, and where.
    Identity,
    /// And the functions that the policies of the probed table call.
    Functions,
    /// The probed table too.
    Table,
    /// And whatever else is in the question's scope.
    Wide,
}

/// The documents of an answer, by their words.
pub(super) type Documents = HashMap<String, String>;

/// The statements. `login` is the user name of the anon credential, if it is asked about as well.
pub(super) fn text(breadth: Breadth, role: Role, question: &Question, login: Option<&str>) -> String {
    let words = [
        if matches!(breadth, Breadth::Table | Breadth::Wide) { "catalogue" } else { "" },
        if matches!(breadth, Breadth::Functions | Breadth::Wide) { "functions" } else { "" },
        if breadth == Breadth::Wide { "wide" } else { "table" },
        if question.scope == RlsScope::All { "all" } else { "near" },
        if role == Role::Anon { "anon" } else { "service" },
    ];
    let mut fits = true;
    let mut kept = String::with_capacity(CATALOGUE.len());
    for line in CATALOGUE.lines() {
        match line.strip_prefix("--[") {
            Some(marks) => fits = marks.split(' ').all(|mark| words.contains(&mark)),
            None if line == "--]" => fits = true,
            // Lines of comment are for the readers of the file.
            None if fits && !line.trim_start().starts_with("--") => kept.extend([line, "\n"]),
            None => {}
        }
    }
    // What is put in is a literal, and is not looked through again.
    let mut filled = String::with_capacity(kept.len() + 256);
    let mut rest = kept.as_str();
    while let Some(at) = rest.find('$') {
        filled.push_str(&rest[..at]);
        let end = rest[at + 1..]
            .find(|c: char| !c.is_ascii_uppercase())
            .map_or(rest.len(), |length| at + 1 + length);
        match &rest[at + 1..end] {
            "TABLE" => filled.push_str(&postgres_literal(&question.table.quoted())),
            "COLUMN" => filled.push_str(&postgres_literal(question.tenant_column.as_str())),
            "PATTERN" => filled.push_str(&postgres_literal(&pattern(question.table.name.as_str()))),
            "LOGIN" => filled.push_str(&login.map_or_else(|| "NULL".to_owned(), postgres_literal)),
            other => filled.extend(["$", other]),
        }
        rest = &rest[end..];
    }
    filled.push_str(rest);
    filled
}

/// A regular expression for the name of a table in the text of a function.
fn pattern(name: &str) -> String {
    let mut pattern = String::from(r"(^|\W)");
    for c in name.chars() {
        // Which other characters are letters is up to the server, and a letter behind a backslash is something else.
        if c.is_ascii_punctuation() && c != '_' {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern + r"(\W|$)"
}

/// A row of the answer about tables.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    #[serde(flatten)]
    relation: Relation,
    oid: String,
    options: Option<Vec<String>>,
    has_children: bool,
    #[serde(default)]
    collated: Option<bool>,
}

/// A row of the answer about policies.
#[derive(Deserialize)]
struct PolicyRow {
    #[serde(flatten)]
    policy: Policy,
    relation: String,
}

/// What an answer in this breadth says, if it is whole: none of the documents is missing, and of the table alone only
/// where there is nothing else.
pub(super) fn told(documents: &Documents, breadth: Breadth, role: Role) -> Option<Told> {
    let identity = identity(documents)?;
    let actors: Vec<Actor> = document(documents, "actors")?;
    let rows: Vec<Row> = document(documents, "relations")?;
    let policies: Vec<PolicyRow> = document(documents, "policies")?;
    let functions = if breadth == Breadth::Wide { functions(documents)? } else { Vec::new() };
    // Those with arguments are not followed.
    let calls = |text: &Option<String>| text.as_ref().is_some_and(|text| text.contains("()"));
    let calls = policies.iter().any(|one| calls(&one.policy.using) || calls(&one.policy.check));
    let definers = if breadth == Breadth::Wide { document(documents, "definers")? } else { Vec::new() };
    let is_whole = match breadth {
        Breadth::Identity | Breadth::Functions => false,
        // A table may say that it has children when it had some once, never the other way round.
        Breadth::Table => {
            !document::<bool>(documents, "above")?
                && rows.first().is_some_and(|row| {
                    !row.has_children && row.relation.kind != "p" && row.collated != Some(true)
                })
        }
        Breadth::Wide => true,
    };
    if !is_whole {
        return None;
    }
    let mut relations = Vec::new();
    for row in rows {
        let own = policies.iter().filter(|one| one.relation == row.oid);
        relations.push(Relation {
            policies: own.map(|one| one.policy.clone()).collect(),
            invoker: row.options.iter().flatten().any(|option| is_invoker(option)),
            ..row.relation
        });
    }
    let database = identity.database.clone();
    let mut facts = Facts { database, actors, relations, functions, definers, ..Facts::default() };
    // A superuser can become anybody, and is judged as itself.
    if role == Role::Anon && facts.actors.first()?.is_super {
        facts = facts.of_actors(&[0]);
    }
    let is_wide = breadth == Breadth::Wide;
    Some(Told { identity, facts, is_wide, lacks_functions: calls && !is_wide })
}

/// The functions that policies call.
pub(super) fn functions(documents: &Documents) -> Option<Vec<Function>> {
    document(documents, "functions")
}

/// Who is logged in, and where.
pub(super) fn identity(documents: &Documents) -> Option<Identity> {
    let (place, user, session_user): (serde_json::Value, _, _) = document(documents, "who")?;
    let database = place.get(3)?.as_str()?.to_owned();
    Some(Identity { place: place.to_string(), database, user, session_user })
}

fn document<T: DeserializeOwned>(documents: &Documents, word: &str) -> Option<T> {
    serde_json::from_str(documents.get(word)?).ok()
}

fn is_invoker(option: &str) -> bool {
    let option = option.to_ascii_lowercase();
    let Some(value) = option.strip_prefix("security_invoker=") else { return false };
    // As PostgreSQL reads a boolean: the start of a word will do.
    value == "on"
        || value == "1"
        || !value.is_empty() && ["true", "yes"].iter().any(|yes| yes.starts_with(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_leaves_its_place() {
        let question = Question { tenant_id: "$LOGIN';--".to_owned(), ..Question::of_table("a'b", "t") };
        let text = text(Breadth::Table, Role::Service, &question, Some("$COLUMN';\\"));
        assert!(text.contains("E'$COLUMN'';\\\\'") && text.contains("E'\"a''b\"'"), "{text}");
        assert!(!text.contains("--") && !text.contains("RECURSIVE") && !text.contains("definers"), "{text}");
    }

    #[test]
    fn a_table_with_something_beneath_or_above_is_not_told_by_itself() {
        let documents = |kind: &str, children: &str, above: &str| {
            let relation = format!(
                r#"[{{"oid": "1", "schema": "s", "name": "t", "rank": 0, "kind": "{kind}", "rls": true, "force": false,
                "options": ["fillfactor=90"], "hasChildren": {children}, "hasColumn": true, "access": []}}]"#
            );
            [
                ("who", r#"[[1, null, null, "house"], "a", "b"]"#.to_owned()),
                (
                    "actors",
                    r#"[{"name": "a", "isSelf": true, "super": false, "bypass": false, "powers": false,
                    "settable": true}]"#
                        .to_owned(),
                ),
                ("relations", relation),
                ("policies", "[]".to_owned()),
                ("functions", "[]".to_owned()),
                ("definers", "[]".to_owned()),
                ("above", above.to_owned()),
            ]
            .map(|(word, text)| (word.to_owned(), text))
            .into()
        };
        let told = |documents: &Documents, breadth| told(documents, breadth, Role::Service).is_some();
        let is_told = |kind, children, above| told(&documents(kind, children, above), Breadth::Table);
        assert!(is_told("r", "false", "false"));
        assert!(
            !is_told("r", "true", "false")
                && !is_told("r", "false", "true")
                && !is_told("p", "false", "false")
        );
        for word in ["relations", "policies", "who", "above"] {
            let mut cut: Documents = documents("r", "false", "false");
            cut.remove(word);
            assert!(!told(&cut, Breadth::Table), "{word}");
        }
        let mut wide: Documents = documents("p", "true", "true");
        assert!(told(&wide, Breadth::Wide));
        for word in ["functions", "definers"] {
            let mut cut = wide.clone();
            cut.remove(word);
            assert!(!told(&cut, Breadth::Wide), "{word}");
        }
        wide.insert("who".to_owned(), r#"[[1], "a", "b"]"#.to_owned());
        assert!(!told(&wide, Breadth::Wide));
        assert!(!told(&documents("r", "false", "false"), Breadth::Identity));
    }

    #[test]
    fn a_table_is_found_by_its_name_whatever_is_in_it() {
        assert_eq!(pattern("accounts_2"), r"(^|\W)accounts_2(\W|$)");
        assert_eq!(pattern("a.b*é"), r"(^|\W)a\.b\*é(\W|$)");
    }

    #[test]
    fn views_of_the_invoker_are_told_from_others() {
        for yes in ["ON", "true", "t", "TRU", "yes", "y", "1"] {
            assert!(is_invoker(&format!("security_invoker={yes}")), "{yes}");
        }
        for no in ["off", "of", "o", "false", "f", "n", "0", "", "onion", "truest", "10"] {
            assert!(!is_invoker(&format!("security_invoker={no}")), "{no}");
        }
        assert!(!is_invoker("security_barrier=true"));
    }
}
