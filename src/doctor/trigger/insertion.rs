//! The INSERT statements of a function's body: into which table, which columns, which values.

use super::token::{Kind, Token};

/// An INSERT with a list of columns.
#[derive(Debug)]
pub(super) struct Insertion<'t> {
    pub(super) schema: Option<String>,
    pub(super) table: String,
    pub(super) columns: Vec<String>,
    /// The expressions of the first row of VALUES, or of SELECT; fewer where they were not understood.
    pub(super) values: Vec<&'t [Token]>,
}

/// Every INSERT that lists its columns.
pub(super) fn insertions(tokens: &[Token]) -> Vec<Insertion<'_>> {
    let starts = tokens.windows(2).enumerate();
    let starts = starts.filter(|(_, pair)| pair[0].is_word("insert") && pair[1].is_word("into"));
    starts.filter_map(|(at, _)| insertion(&tokens[at + 2..])).collect()
}

fn insertion(tokens: &[Token]) -> Option<Insertion<'_>> {
    let name = |at: usize| match &tokens.get(at)?.kind {
        Kind::Word(word) => Some(word.clone()),
        _ => None,
    };
    let first = name(0)?;
    let (schema, table, mut at) = match tokens.get(1)?.kind {
        Kind::Dot => (Some(first), name(2)?, 3),
        _ => (None, first, 1),
    };
    if tokens.get(at)?.is_word("as") {
        at += 2;
    }
    let (columns, end) = list(tokens, at)?;
    let columns = columns.iter().filter_map(|part| match part {
        [Token { kind: Kind::Word(word), .. }] => Some(word.clone()),
        _ => None,
    });
    let columns = columns.collect();
    let values = match tokens.get(end + 1) {
        Some(next) if next.is_word("values") => list(tokens, end + 2).map(|(values, _)| values),
        Some(next) if next.is_word("select") => Some(selected(&tokens[end + 2..])),
        _ => None,
    };
    Some(Insertion { schema, table, columns, values: values.unwrap_or_default() })
}

/// The parts of a list in parentheses that opens at `at`, and where it closes.
fn list(tokens: &[Token], at: usize) -> Option<(Vec<&[Token]>, usize)> {
    if tokens.get(at)?.kind != Kind::Open {
        return None;
    }
    let (mut depth, mut start, mut parts) = (0, at + 1, Vec::new());
    for (place, token) in tokens.iter().enumerate().skip(at) {
        match token.kind {
            Kind::Open => depth += 1,
            Kind::Close if depth == 1 => {
                parts.push(&tokens[start..place]);
                return Some((parts, place));
            }
            Kind::Close => depth -= 1,
            Kind::Comma if depth == 1 => {
                parts.push(&tokens[start..place]);
                start = place + 1;
            }
            _ => {}
        }
    }
    None
}

/// The expressions of a SELECT, up to its FROM or end.
fn selected(tokens: &[Token]) -> Vec<&[Token]> {
    let (mut depth, mut start, mut parts) = (0_u32, 0, Vec::new());
    for (place, token) in tokens.iter().enumerate() {
        let ends = depth == 0
            && (token.kind == Kind::End
                || ["from", "where", "on", "returning"].iter().any(|w| token.is_word(w)));
        if ends {
            parts.push(&tokens[start..place]);
            break;
        }
        match token.kind {
            Kind::Open => depth += 1,
            Kind::Close => depth = depth.saturating_sub(1),
            Kind::Comma if depth == 0 => {
                parts.push(&tokens[start..place]);
                start = place + 1;
            }
            _ => {}
        }
    }
    parts
}
