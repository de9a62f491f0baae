//! The words of an expression.

/// A word, in the sense of SQL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// A keyword or name, in small letters, as PostgreSQL takes it.
    Word(String),
    /// A name in quotes.
    Quoted(String),
    /// A text.
    Text(String),
    /// Digits, with a point at most.
    Number(String),
    /// A bracket, comma, point, `::`, or an operator.
    Symbol(String),
}

/// The characters of operators.
const OPERATORS: &str = "+-*/<>=~!@#%^&|`?";

/// Splits a text; `None` when there is something in it that is not understood, such as a comment.
pub(super) fn split(text: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '\'' => text_of(rest, 1, &mut tokens)?,
            'E' | 'e' if rest[1..].starts_with('\'') => text_of(rest, 2, &mut tokens)?,
            '"' => {
                let (name, length) = quoted(&rest[1..], '"')?;
                tokens.push(Token::Quoted(name));
                length + 1
            }
            'a'..='z' | 'A'..='Z' | '_' => {
                let length = rest
                    .find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '$')
                    .unwrap_or(rest.len());
                // A letter of another alphabet would go on with the name; `B'…'`, `N'…'`, `U&'…'` are no names.
                let after = rest[length..].chars().next();
                if after.is_some_and(|c| !c.is_ascii() || c == '\'' || c == '&') {
                    return None;
                }
                tokens.push(Token::Word(rest[..length].to_ascii_lowercase()));
                length
            }
            '0'..='9' => {
                let length = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
                if rest[length..].starts_with(|c: char| c.is_alphanumeric() || c == '_') {
                    return None;
                }
                tokens.push(Token::Number(rest[..length].to_owned()));
                length
            }
            ':' if rest.starts_with("::") => {
                tokens.push(Token::Symbol("::".to_owned()));
                2
            }
            '(' | ')' | '[' | ']' | ',' | '.' => {
                tokens.push(Token::Symbol(first.to_string()));
                1
            }
            c if OPERATORS.contains(c) => {
                let length = rest.find(|c| !OPERATORS.contains(c)).unwrap_or(rest.len());
                let operator = &rest[..length];
                if operator.contains("--") || operator.contains("/*") {
                    return None;
                }
                tokens.push(Token::Symbol(operator.to_owned()));
                length
            }
            _ => return None,
        };
        rest = rest[length..].trim_start();
    }
    Some(tokens)
}

fn text_of(rest: &str, start: usize, tokens: &mut Vec<Token>) -> Option<usize> {
    let (text, length) = quoted(&rest[start..], '\'')?;
    // What a backslash means is not worked out; without the `E` it is up to standard_conforming_strings.
    if text.contains('\\') {
        return None;
    }
    tokens.push(Token::Text(text));
    Some(start + length)
}

/// What stands before the closing quote, a doubled one being one; and the length with the closing quote.
fn quoted(rest: &str, quote: char) -> Option<(String, usize)> {
    let mut text = String::new();
    let mut characters = rest.char_indices().peekable();
    while let Some((at, c)) = characters.next() {
        if c != quote {
            text.push(c);
        } else if characters.peek().is_some_and(|(_, next)| *next == quote) {
            text.push(quote);
            characters.next();
        } else {
            return Some((text, at + 1));
        }
    }
    None
}
