//! From the text of a setting to its value. Strict: `50abc`, `NaN` and `1e3` are errors, not 50, nothing and 1.

use std::fmt;

use crate::finding::Ignored;
use crate::secret::Secret;

/// What is wrong with a value. Never holds the value: it may be a password in the wrong place.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// There is no text.
    #[error("it is empty")]
    Empty,
    /// Something that must be a whole number in digits is not.
    #[error("it is not a whole number")]
    Number,
    /// A number beyond what the setting takes.
    #[error("it is out of range")]
    Range,
    /// Neither true nor false.
    #[error("it is neither true nor false")]
    Boolean,
    /// A URL of another scheme, or none.
    #[error("it is no URL with one of these schemes")]
    Scheme,
    /// A finding that there is not.
    #[error("it names a code that is not in docs/findings.md or docs/checks.md, or leaves a part empty")]
    Finding,
    /// A character that a name cannot have, or too many of them.
    #[error("it is too long, or contains a character that does not belong in a name")]
    Name,
}

/// A name in a database: 1 to 63 bytes (PostgreSQL's limit), without control characters. Always quoted, so the
/// letters count as they stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identifier(String);

impl Identifier {
    /// Checks a name.
    ///
    /// # Errors
    /// [`ValueError::Empty`] or [`ValueError::Name`].
    pub fn parse(text: &str) -> Result<Self, ValueError> {
        if text.is_empty() {
            return Err(ValueError::Empty);
        }
        if text.len() > 63 || text.chars().any(char::is_control) {
            return Err(ValueError::Name);
        }
        Ok(Self(text.to_owned()))
    }

    /// The name as it is.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name in SQL's double quotes.
    #[must_use]
    pub fn quoted(&self) -> String {
        format!("\"{}\"", self.0.replace('"', "\"\""))
    }
}

/// The table that a test asks, with its schema if one is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeTable {
    /// The schema; `None`: `public` over REST, the search path in PostgreSQL.
    pub schema: Option<Identifier>,
    /// The table.
    pub name: Identifier,
}

impl ProbeTable {
    /// Reads `TABLE` or `SCHEMA.TABLE`.
    ///
    /// # Errors
    /// As [`Identifier::parse`].
    pub fn parse(text: &str) -> Result<Self, ValueError> {
        match text.split_once('.') {
            Some((schema, name)) => {
                Ok(Self { schema: Some(Identifier::parse(schema)?), name: Identifier::parse(name)? })
            }
            None => Ok(Self { schema: None, name: Identifier::parse(text)? }),
        }
    }

    /// The table in SQL.
    #[must_use]
    pub fn quoted(&self) -> String {
        match &self.schema {
            Some(schema) => format!("{}.{}", schema.quoted(), self.name.quoted()),
            None => self.name.quoted(),
        }
    }
}

impl fmt::Display for ProbeTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(schema) = &self.schema {
            write!(f, "{}.", schema.as_str())?;
        }
        f.write_str(self.name.as_str())
    }
}

fn with_scheme(text: &str, schemes: &[&str]) -> Result<Secret, ValueError> {
    if text.is_empty() {
        return Err(ValueError::Empty);
    }
    let scheme = text.split_once(':').map(|(scheme, _)| scheme).unwrap_or_default();
    if !schemes.iter().any(|known| known.eq_ignore_ascii_case(scheme)) {
        return Err(ValueError::Scheme);
    }
    Ok(Secret::new(text.to_owned()))
}

pub(super) fn database_url(text: &str) -> Result<Secret, ValueError> {
    with_scheme(text, &["postgres", "postgresql", "sqlite"])
}

pub(super) fn state_url(text: &str) -> Result<Secret, ValueError> {
    with_scheme(text, &["sqlite", "redis", "rediss"])
}

pub(super) fn namespace(text: &str) -> Result<String, ValueError> {
    if text.is_empty() {
        return Err(ValueError::Empty);
    }
    let fits = text.len() <= 64 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
    if fits { Ok(text.to_owned()) } else { Err(ValueError::Name) }
}

fn number(text: &str, least: u64, most: u64) -> Result<u64, ValueError> {
    if text.is_empty() {
        return Err(ValueError::Empty);
    }
    // Rust's parser takes `+5`; a setting takes digits.
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(ValueError::Number);
    }
    text.parse().ok().filter(|n| (least..=most).contains(n)).ok_or(ValueError::Range)
}

pub(super) fn max_clients(text: &str) -> Result<u32, ValueError> {
    number(text, 1, 10_000).and_then(|n| u32::try_from(n).map_err(|_| ValueError::Range))
}

pub(super) fn milliseconds(text: &str) -> Result<u64, ValueError> {
    number(text, 1, 604_800_000)
}

pub(super) fn boolean(text: &str) -> Result<bool, ValueError> {
    match text {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        "" => Err(ValueError::Empty),
        _ => Err(ValueError::Boolean),
    }
}

pub(super) fn list(text: &str) -> Result<Vec<String>, ValueError> {
    let items: Vec<String> = text.split(',').map(|item| item.trim().to_owned()).collect();
    if items.iter().any(String::is_empty) { Err(ValueError::Empty) } else { Ok(items) }
}

/// One finding a line: its reason may have commas.
pub(super) fn ignored(text: &str) -> Result<Vec<Ignored>, ValueError> {
    text.lines().map(|line| Ignored::parse(line).ok_or(ValueError::Finding)).collect()
}

pub(super) fn claims(text: &str) -> Result<Vec<String>, ValueError> {
    let paths = list(text)?;
    let fits = |path: &String| path.split('.').all(|part| Identifier::parse(part).is_ok());
    if paths.iter().all(fits) { Ok(paths) } else { Err(ValueError::Name) }
}
