//! Literals of SQL text.
//!
//! Statements without parameters are one message and one round trip, which also passes through a pooler in
//! transaction mode; so values stand in the text, and this file is what keeps them from leaving their place.

/// A literal of PostgreSQL. The `E` form means the same whatever `standard_conforming_strings` says, so that a
/// backslash cannot end it.
///
/// ```
/// assert_eq!(boothds::sql::postgres_literal(r"a'b\c"), r"E'a''b\\c'");
/// ```
#[must_use]
pub fn postgres_literal(text: &str) -> String {
    format!("E'{}'", without_nul(text).replace('\\', "\\\\").replace('\'', "''"))
}

/// A literal of SQLite, where a backslash is a letter like any other.
///
/// ```
/// assert_eq!(boothds::sql::sqlite_literal(r"a'b\c"), r"'a''b\c'");
/// ```
#[must_use]
pub fn sqlite_literal(text: &str) -> String {
    format!("'{}'", without_nul(text).replace('\'', "''"))
}

/// Neither database holds a NUL in a text, so a text with one equals nothing; in a statement it would be its end.
fn without_nul(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_cannot_be_left() {
        assert_eq!(postgres_literal("a'b\\'c\0"), "E'a''b\\\\''c\u{fffd}'");
        assert_eq!(sqlite_literal("a'b\\'c\0"), "'a''b\\''c\u{fffd}'");
    }
}
