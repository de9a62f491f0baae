//! Audit triggers read: whether the text of one says that it will raise when a key is changed, and what would mend it.
//!
//! Pure, and no more than a reading: of the four ways in which such triggers are broken in the field (see
//! [`crate::catalogue::rewrite::Mend`]) each shows in the text beside what the catalogue knows of the table that it
//! inserts into. What is not understood is said to be so; only a rehearsal settles it.

use crate::catalogue::facts::{Relation, Trigger};
use crate::sanitize::printable;

mod insertion;
mod token;

use insertion::{Insertion, insertions};
use token::{Kind, Token, tokens};

/// What a reading has found.
#[derive(Debug, Default)]
pub(super) struct Reading {
    /// What is certain to raise, a sentence each.
    pub(super) faults: Vec<String>,
    /// What raises in some sessions.
    pub(super) risks: Vec<String>,
    /// What could not be judged.
    pub(super) doubts: Vec<String>,
    /// The statements that mend it, each with the reason why.
    pub(super) mends: Vec<(String, String)>,
}

/// A piece of the body to be replaced.
struct Edit {
    from: usize,
    to: usize,
    text: String,
}

/// Reads a trigger, beside the tables that its function names.
pub(super) fn read(trigger: &Trigger, relations: &[Relation]) -> Reading {
    let mut reading = Reading::default();
    if !["plpgsql", "sql"].contains(&trigger.language.as_str()) {
        let language = printable(&trigger.language).into_owned();
        reading.doubts.push(format!("its function is written in {language}"));
        return reading;
    }
    let tokens = tokens(&trigger.body);
    let mut edits = Vec::new();
    for insertion in insertions(&tokens) {
        let Some(relation) = resolve(&insertion, relations) else {
            let name = printable(&insertion.table).into_owned();
            reading.doubts.push(format!("it writes to `{name}`, which is no table that could be looked at"));
            continue;
        };
        columns(&insertion, relation, &trigger.body, &mut reading);
        checks(&insertion, relation, &mut reading);
        types(&insertion, relation, &trigger.body, &mut edits, &mut reading);
    }
    settings(&tokens, &trigger.body, &mut edits, &mut reading);
    if tokens.iter().any(|token| token.is_word("execute")) {
        reading.doubts.push("it runs statements that it puts together itself".to_owned());
    }
    if tokens.iter().any(|token| token.is_word("raise")) {
        reading.doubts.push("it raises errors or messages of its own".to_owned());
    }
    if !edits.is_empty() {
        let body = edited(&trigger.body, edits);
        let definition = trigger.definition.replacen(&trigger.body, &body, 1);
        let why = format!(
            "the function of the trigger {}: settings of the session are read leniently",
            trigger.name
        );
        reading.mends.push((why, definition.trim_end().to_owned()));
    }
    reading
}

fn resolve<'r>(insertion: &Insertion<'_>, relations: &'r [Relation]) -> Option<&'r Relation> {
    relations.iter().find(|relation| {
        relation.name == insertion.table
            && match &insertion.schema {
                Some(schema) => relation.schema == *schema,
                None => relation.is_visible,
            }
    })
}

/// Columns that there are not.
fn columns(insertion: &Insertion<'_>, relation: &Relation, body: &str, reading: &mut Reading) {
    for (at, column) in insertion.columns.iter().enumerate() {
        if relation.columns.iter().any(|(name, _)| name == column) {
            continue;
        }
        let shown = printable(column);
        reading.faults.push(format!("it inserts into {}.{shown}, which does not exist", relation.full_name));
        let kind = insertion.values.get(at).map_or("text", |value| type_for(column, value, body));
        reading.mends.push((
            format!("{} lacks a column that a trigger of tenants inserts into", relation.full_name),
            format!("ALTER TABLE {} ADD COLUMN IF NOT EXISTS {} {kind};", relation.full_name, quoted(column)),
        ));
    }
}

/// The type of a column that is inserted into: what the value is cast to, else what it has in the field.
fn type_for(column: &str, value: &[Token], body: &str) -> &'static str {
    let cast = value.windows(2).rev().find(|pair| pair[0].kind == Kind::Cast).map(|pair| pair[1].text(body));
    let is_json = value.first().is_some_and(|token| {
        ["jsonb_build_object", "to_jsonb", "row_to_json", "json_build_object"]
            .iter()
            .any(|name| token.is_word(name))
    });
    let is_setting =
        |token: &Token| ["current_setting", "nullif", "coalesce"].iter().any(|name| token.is_word(name));
    if cast.is_none() && value.first().is_some_and(is_setting) {
        return "text";
    }
    match (cast.as_deref(), column) {
        (Some("inet"), _) | (None, "ip_address" | "client_ip") => "inet",
        (Some("uuid"), _) | (None, "user_id" | "tenant_id") => "uuid",
        (Some("jsonb" | "json"), _) | (None, "old_values" | "new_values" | "metadata") => "jsonb",
        (Some("timestamptz"), _) | (None, "created_at") => "timestamptz",
        _ if is_json => "jsonb",
        _ => "text",
    }
}

/// Checks of the table that do not know a literal that is inserted.
fn checks(insertion: &Insertion<'_>, relation: &Relation, reading: &mut Reading) {
    for (column, value) in insertion.columns.iter().zip(&insertion.values) {
        let [Token { kind: Kind::Literal(literal), .. }] = value else { continue };
        for (name, check) in &relation.checks {
            if !allows_listed_texts_only(check, column) || check.contains(&format!("'{literal}'")) {
                continue;
            }
            let (shown, table) = (printable(literal), &relation.full_name);
            reading.faults.push(format!(
                "it inserts '{shown}' into {table}.{}, which the check {} does not allow",
                printable(column),
                printable(name)
            ));
            let inner = check.strip_prefix("CHECK ").unwrap_or(check);
            let inner = inner.trim_end_matches(" NOT VALID").trim_end_matches(" NO INHERIT");
            let (name, column) = (quoted(name), quoted(column));
            reading.mends.push((
                format!("a check of {table} forbids what a trigger of tenants writes"),
                format!(
                    "ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {name};\nALTER TABLE {table} ADD CONSTRAINT {name} \
                     CHECK ({inner} OR {column} = '{}');",
                    literal.replace('\'', "''")
                ),
            ));
        }
    }
}

/// Whether a check is nothing but a list of texts for this column.
fn allows_listed_texts_only(check: &str, column: &str) -> bool {
    let tokens = tokens(check);
    let known = |token: &Token| match &token.kind {
        Kind::Word(word) => {
            word == column
                || ["check", "any", "array", "text", "or", "character", "varying", "not", "valid", "in"]
                    .contains(&word.as_str())
        }
        _ => true,
    };
    let words = |word: &str| tokens.iter().any(|token| token.is_word(word));
    let has_texts = tokens.iter().any(|token| matches!(token.kind, Kind::Literal(_)));
    words(column) && has_texts && tokens.iter().all(known)
}

/// A setting, which is a text, where another type is wanted.
fn types(
    insertion: &Insertion<'_>,
    relation: &Relation,
    body: &str,
    edits: &mut Vec<Edit>,
    reading: &mut Reading,
) {
    for (column, value) in insertion.columns.iter().zip(&insertion.values) {
        let Some((_, kind)) = relation.columns.iter().find(|(name, _)| name == column) else { continue };
        let plain = kind.rsplit('.').next().unwrap_or(kind);
        let is_text = plain == "text" || plain == "citext" || plain.starts_with("character");
        let (Some(first), Some(last)) = (value.first(), value.last()) else { continue };
        let is_setting = ["current_setting", "nullif", "coalesce"].iter().any(|name| first.is_word(name));
        let whole = call_end(value, 0).is_some_and(|end| end + 1 == value.len());
        if is_text || !is_setting || !whole || !value.iter().any(|token| token.is_word("current_setting")) {
            continue;
        }
        reading.faults.push(format!(
            "it inserts a text into {}.{}, which is of type {kind}",
            relation.full_name,
            printable(column)
        ));
        let inner = &body[first.from..last.to];
        let text = if first.is_word("current_setting") { nullif(&lenient(inner)) } else { inner.to_owned() };
        edits.push(Edit { from: first.from, to: last.to, text: format!("{text}::{kind}") });
    }
}

/// Settings of the session that are read as if they were always there, or cast although they may be empty.
fn settings(tokens: &[Token], body: &str, edits: &mut Vec<Edit>, reading: &mut Reading) {
    for (at, token) in tokens.iter().enumerate() {
        if !token.is_word("current_setting") {
            continue;
        }
        let Some(end) = call_end(tokens, at) else { continue };
        let Some(Token { kind: Kind::Literal(setting), .. }) = tokens.get(at + 2) else { continue };
        if !setting.contains('.') || edits.iter().any(|edit| edit.from <= token.from && token.from < edit.to)
        {
            continue;
        }
        let strict = end == at + 3;
        // `coalesce(current_setting(…), '')` is as empty.
        let outer = at.checked_sub(2).filter(|outer| tokens[*outer].is_word("coalesce"));
        let (start, stop) = match outer.and_then(|outer| Some((outer, call_end(tokens, outer)?))) {
            Some((outer, stop)) => (outer, stop),
            None => (at, end),
        };
        let cast = tokens.get(stop + 1).is_some_and(|next| next.kind == Kind::Cast)
            && !tokens.get(stop + 2).is_some_and(|kind| kind.is_word("text"));
        let shown = printable(setting);
        if strict {
            reading
                .faults
                .push(format!("it reads {shown}, which is not set in every session, without `true`"));
        } else if cast {
            let said = format!("it casts {shown}, which may be empty, without NULLIF");
            // What is not set is null, which can be cast; `coalesce` makes an empty text of it.
            if stop == end { reading.risks.push(said) } else { reading.faults.push(said) }
        } else {
            continue;
        }
        let call = lenient(&body[token.from..tokens[end].to]);
        let (from, to) =
            if cast { (tokens[start].from, tokens[stop].to) } else { (token.from, tokens[end].to) };
        edits.push(Edit { from, to, text: if cast { nullif(&call) } else { call } });
    }
}

/// `current_setting('x')` with the second argument that makes a missing setting a null.
fn lenient(call: &str) -> String {
    match call.strip_suffix(')') {
        Some(inside) if !call.contains(',') => format!("{inside}, true)"),
        _ => call.to_owned(),
    }
}

fn nullif(text: &str) -> String {
    format!("NULLIF({text}, '')")
}

/// Where the parenthesis closes that the call at `at` opens.
fn call_end(tokens: &[Token], at: usize) -> Option<usize> {
    if tokens.get(at + 1)?.kind != Kind::Open {
        return None;
    }
    let mut depth = 0;
    for (place, token) in tokens.iter().enumerate().skip(at + 1) {
        match token.kind {
            Kind::Open => depth += 1,
            Kind::Close if depth == 1 => return Some(place),
            Kind::Close => depth -= 1,
            _ => {}
        }
    }
    None
}

fn edited(body: &str, mut edits: Vec<Edit>) -> String {
    edits.sort_by_key(|edit| std::cmp::Reverse(edit.from));
    let mut text = body.to_owned();
    for edit in edits {
        text.replace_range(edit.from..edit.to, &edit.text);
    }
    text
}

/// An identifier in double quotes where it needs them.
fn quoted(name: &str) -> String {
    let plain = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    if plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

#[cfg(test)]
mod tests;
