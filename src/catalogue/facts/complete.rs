//! Whether a check of the table keeps data sources complete: URL and both keys, or nothing of it.
//!
//! Pure, and no more than a reading: nothing of the expression is run, because its functions are somebody else's. Each of
//! the six ways to have half a data source is put into it; what is not understood may be anything. A check that is false
//! for certain in all six keeps data sources complete, however it is written.

mod value;

use value::{Value, among, called, either, is_null, not, same};

/// The columns that belong together.
const COLUMNS: [&str; 3] = ["data_source_url", "data_source_anon_key", "data_source_service_key"];
/// The longest expression that is read, bytes, and how deep.
const LONGEST: usize = 20_000;
const DEEPEST: usize = 50;

#[derive(Clone, Debug, PartialEq)]
enum Token {
    /// A keyword or a name, in lower case where it is not quoted.
    Word(String),
    Number(i64),
    Text,
    /// An operator or a mark.
    Mark(&'static str),
    /// Another one.
    Odd,
}

/// Whether these checks together let no half data source in.
pub(super) fn keeps_complete<'t>(checks: impl IntoIterator<Item = &'t str>) -> bool {
    let read: Vec<Vec<Token>> = checks.into_iter().filter_map(tokens).collect();
    (1..7u8).all(|half| {
        read.iter().any(|tokens| {
            let mut reader = Reader { tokens, at: 0, depth: 0, half };
            let value = reader.expression();
            value == Some(Value::Bool(false)) && reader.at == tokens.len()
        })
    })
}

/// Whether a check speaks of all three columns.
pub(super) fn speaks_of_all(check: &str) -> bool {
    COLUMNS.iter().all(|column| check.contains(column))
}

/// The conditions of the checks in the statement that makes a table.
pub(super) fn checks_of(statement: &str) -> Vec<&str> {
    let mut checks = Vec::new();
    let places = scan(statement);
    for (number, (token, _, _)) in places.iter().enumerate() {
        if *token != Token::Word("check".to_owned()) {
            continue;
        }
        let mut depth = 0usize;
        for (inner, from, to) in &places[number + 1..] {
            match inner {
                Token::Mark("(") => depth += 1,
                Token::Mark(")") => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth == 0 {
                let start = places.get(number + 1).map_or(*from, |(_, from, _)| *from);
                checks.extend(statement.get(start..*to));
                break;
            }
        }
    }
    checks
}

fn tokens(text: &str) -> Option<Vec<Token>> {
    (text.len() <= LONGEST).then(|| scan(text).into_iter().map(|(token, _, _)| token).collect())
}

/// The tokens, and where each stands.
fn scan(text: &str) -> Vec<(Token, usize, usize)> {
    const MARKS: [&str; 15] =
        ["::", "<>", "!=", "<=", ">=", "==", "||", "(", ")", "[", "]", ",", "=", "+", "."];
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(c) = text.get(at..).and_then(|rest| rest.chars().next()) {
        let rest = &text[at..];
        let until = |end: char| rest[1..].find(end).map_or(rest.len(), |place| place + 2);
        let while_in = |is: fn(char) -> bool| rest.find(|c| !is(c)).unwrap_or(rest.len());
        let (token, length) = match c {
            _ if c.is_whitespace() => (None, c.len_utf8()),
            _ if rest.starts_with("--") => (None, until('\n')),
            _ if rest.starts_with("/*") => (None, rest.find("*/").map_or(rest.len(), |end| end + 2)),
            // A doubled quote is read as two texts, which nothing here takes for one value.
            '\'' => (Some(Token::Text), until('\'')),
            '"' | '`' => {
                let length = until(c);
                (Some(Token::Word(rest[1..length].trim_end_matches(c).to_owned())), length)
            }
            _ if c.is_ascii_digit() => {
                let length = while_in(|c| c.is_ascii_alphanumeric());
                (Some(rest[..length].parse().map_or(Token::Odd, Token::Number)), length)
            }
            _ if c.is_alphabetic() || c == '_' => {
                let length = while_in(|c| c.is_alphanumeric() || c == '_' || c == '$');
                (Some(Token::Word(rest[..length].to_ascii_lowercase())), length)
            }
            _ => match MARKS.into_iter().find(|mark| rest.starts_with(mark)) {
                Some(mark) => (Some(Token::Mark(mark)), mark.len()),
                None => (Some(Token::Odd), c.len_utf8()),
            },
        };
        found.extend(token.map(|token| (token, at, at + length)));
        at += length;
    }
    found
}

struct Reader<'t> {
    tokens: &'t [Token],
    at: usize,
    depth: usize,
    /// Which of the columns have a value, a bit each.
    half: u8,
}

/// Each reads a part of an expression; none where its form is not understood.
impl Reader<'_> {
    fn expression(&mut self) -> Option<Value> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return None;
        }
        let mut value = self.conjunction()?;
        while self.takes("or") {
            value = either(&value, &self.conjunction()?, true);
        }
        self.depth -= 1;
        Some(value)
    }

    fn conjunction(&mut self) -> Option<Value> {
        let mut value = self.negation()?;
        while self.takes("and") {
            value = either(&value, &self.negation()?, false);
        }
        Some(value)
    }

    fn negation(&mut self) -> Option<Value> {
        let mut odd = false;
        while self.takes("not") {
            odd = !odd;
        }
        let value = self.comparison()?;
        Some(if odd { not(value) } else { value })
    }

    fn comparison(&mut self) -> Option<Value> {
        let mut value = self.sum()?;
        loop {
            let before = self.at;
            value = if self.takes("is") {
                self.is(&value)?
            } else if self.takes("isnull") {
                is_null(&value)
            } else if self.takes("notnull") {
                not(is_null(&value))
            } else if self.mark("=") || self.mark("==") {
                self.equal(&value)?
            } else if self.mark("<>") || self.mark("!=") {
                not(self.equal(&value)?)
            } else {
                let negated = self.takes("not");
                if self.takes("in") {
                    let found = among(&value, &self.list(")", "(")?);
                    if negated { not(found) } else { found }
                } else if self.is_operator() {
                    self.at += 1;
                    self.sum()?;
                    Value::Any
                } else {
                    self.at = before;
                    return Some(value);
                }
            };
        }
    }

    /// What comes after `=`: a value, or one of several.
    fn equal(&mut self, value: &Value) -> Option<Value> {
        if self.takes("any") {
            let several = self.list(")", "(")?;
            return Some(match several.as_slice() {
                [Value::List(several)] => among(value, several),
                _ => Value::Any,
            });
        }
        Some(same(value, &self.sum()?))
    }

    fn is(&mut self, value: &Value) -> Option<Value> {
        let negated = self.takes("not");
        let word = match self.next()? {
            Token::Word(word) => word.clone(),
            _ => return None,
        };
        let found = match word.as_str() {
            "null" | "unknown" => is_null(value),
            "true" | "false" => match value {
                Value::Bool(is) => Value::Bool(*is == (word == "true")),
                Value::Null => Value::Bool(false),
                _ => Value::Any,
            },
            "distinct" if self.takes("from") => match (value, self.sum()?) {
                (Value::Null, Value::Null) => Value::Bool(false),
                (Value::Null, Value::Any) | (Value::Any, _) => Value::Any,
                (Value::Null, _) | (_, Value::Null) => Value::Bool(true),
                (value, other) => not(same(value, &other)),
            },
            _ => return None,
        };
        Some(if negated { not(found) } else { found })
    }

    fn sum(&mut self) -> Option<Value> {
        let mut value = self.cast()?;
        while self.mark("+") {
            let number = |value: &Value| match value {
                Value::Int(number) => Some(*number),
                // SQLite counts what is true.
                Value::Bool(is) => Some(i64::from(*is)),
                _ => None,
            };
            let other = self.cast()?;
            let sum = number(&value).zip(number(&other)).and_then(|(a, b)| a.checked_add(b));
            value = sum.map_or(Value::Any, Value::Int);
        }
        Some(value)
    }

    fn cast(&mut self) -> Option<Value> {
        let mut value = self.primary()?;
        while self.mark("::") {
            let Token::Word(kind) = self.next()?.clone() else { return None };
            let _ = self.takes("varying") || self.takes("precision");
            if self.peeks("(") {
                self.list(")", "(")?;
            }
            while self.mark("[") {
                self.mark("]").then_some(())?;
            }
            value = match value {
                Value::Bool(is) if kind.starts_with("int") => Value::Int(i64::from(is)),
                Value::Null | Value::Int(_) | Value::List(_) => value,
                Value::Bool(_) if kind.starts_with("bool") => value,
                Value::Bool(_) | Value::Present => Value::Present,
                Value::Any => Value::Any,
            };
        }
        Some(value)
    }

    fn primary(&mut self) -> Option<Value> {
        match self.next()?.clone() {
            Token::Mark("(") => {
                let value = self.expression()?;
                self.mark(")").then_some(value)
            }
            Token::Number(number) => Some(Value::Int(number)),
            Token::Text => Some(Value::Present),
            Token::Word(word) => self.word(&word),
            Token::Mark(_) | Token::Odd => None,
        }
    }

    fn word(&mut self, word: &str) -> Option<Value> {
        match word {
            "null" => return Some(Value::Null),
            "true" | "false" => return Some(Value::Bool(word == "true")),
            "array" if self.peeks("[") => return Some(Value::List(self.list("]", "[")?)),
            "case" | "select" | "row" | "exists" | "cast" => return None,
            _ => {}
        }
        if self.peeks("(") {
            let arguments = self.list(")", "(")?;
            return Some(called(word, arguments));
        }
        if self.mark(".") {
            let Token::Word(column) = self.next()?.clone() else { return None };
            return self.word(&column);
        }
        Some(match COLUMNS.iter().position(|column| *column == word) {
            Some(place) if self.half >> place & 1 == 1 => Value::Present,
            Some(_) => Value::Null,
            None => Value::Any,
        })
    }

    /// Values between two marks.
    fn list(&mut self, close: &'static str, open: &'static str) -> Option<Vec<Value>> {
        self.mark(open).then_some(())?;
        let mut values = Vec::new();
        while !self.mark(close) {
            if !values.is_empty() {
                self.mark(",").then_some(())?;
            }
            let _ = self.takes("variadic");
            values.push(self.expression()?);
        }
        Some(values)
    }

    fn next(&mut self) -> Option<&Token> {
        let token = self.tokens.get(self.at)?;
        self.at += 1;
        Some(token)
    }

    fn peeks(&self, mark: &'static str) -> bool {
        self.tokens.get(self.at) == Some(&Token::Mark(mark))
    }

    fn mark(&mut self, mark: &'static str) -> bool {
        let found = self.peeks(mark);
        self.at += usize::from(found);
        found
    }

    fn takes(&mut self, word: &str) -> bool {
        let found = matches!(self.tokens.get(self.at), Some(Token::Word(own)) if own == word);
        self.at += usize::from(found);
        found
    }

    /// Whether an operator comes that is not understood.
    fn is_operator(&self) -> bool {
        match self.tokens.get(self.at) {
            Some(Token::Odd | Token::Mark("<=" | ">=" | "||")) => true,
            Some(Token::Word(word)) => ["like", "ilike", "glob", "similar"].contains(&word.as_str()),
            _ => false,
        }
    }
}
#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: [&str; 9] = [
        // As PostgreSQL writes them.
        "CHECK ((((data_source_url IS NULL) AND (data_source_anon_key IS NULL) AND (data_source_service_key IS NULL)) OR \
         ((data_source_url IS NOT NULL) AND (data_source_anon_key IS NOT NULL) AND (data_source_service_key IS NOT NULL))))",
        "CHECK ((num_nulls(data_source_url, data_source_anon_key, data_source_service_key) = ANY (ARRAY[0, 3])))",
        "CHECK ((num_nonnulls(VARIADIC ARRAY[data_source_url, data_source_anon_key, data_source_service_key]) = ANY (ARRAY[0, 3])))",
        "CHECK ((((data_source_url IS NULL) = (data_source_anon_key IS NULL)) AND ((data_source_url IS NULL) = (data_source_service_key IS NULL))))",
        "CHECK ((((((data_source_url IS NULL))::integer + ((data_source_anon_key IS NULL))::integer) + \
         ((data_source_service_key IS NULL))::integer) = ANY (ARRAY[0, 3])))",
        "CHECK (((length(data_source_url) < 2000) AND (num_nulls(data_source_url, data_source_anon_key, data_source_service_key) = ANY (ARRAY[0, 3]))))",
        "CHECK ((NOT (num_nulls(data_source_url, data_source_anon_key, data_source_service_key) = ANY (ARRAY[1, 2]))))",
        // As somebody writes them for SQLite.
        "check ((data_source_url is null) + (\"data_source_anon_key\" is null) + (data_source_service_key isnull) in (0, 3))",
        "((data_source_url IS NULL) IS NOT DISTINCT FROM (data_source_anon_key IS NULL) AND (data_source_anon_key IS NULL) = (data_source_service_key IS NULL))",
    ];

    const HALF: [&str; 13] = [
        "CHECK (((length(data_source_url) < 2000) AND (length(data_source_anon_key) < 5000) AND (length(data_source_service_key) < 5000)))",
        "CHECK ((COALESCE(data_source_url, data_source_anon_key, data_source_service_key, 'x'::text) IS NOT NULL))",
        "CHECK (((data_source_url IS NULL) OR ((data_source_anon_key IS NOT NULL) AND (data_source_service_key IS NOT NULL))))",
        "CHECK ((num_nulls(data_source_url, data_source_anon_key, data_source_service_key) = ANY (ARRAY[0, 1, 3])))",
        "CHECK (((status = 'pending'::text) OR (num_nulls(data_source_url, data_source_anon_key, data_source_service_key) = ANY (ARRAY[0, 3]))))",
        "CHECK ((num_nulls(data_source_url, data_source_anon_key, data_source_service_key) = ANY (ARRAY[0, 3, NULL::integer])))",
        "CHECK ((complete(data_source_url, data_source_anon_key, data_source_service_key) = 0))",
        "CHECK ((num_nulls(data_source_url, data_source_anon_key, data_source_service_key) * 5 = 3))",
        "CHECK (('data_source_url data_source_anon_key data_source_service_key' IS NOT NULL))",
        "CHECK (CASE WHEN data_source_url IS NULL THEN false ELSE data_source_anon_key IS NULL OR data_source_service_key IS NULL END)",
        "CHECK ((data_source_url <> '' AND data_source_anon_key <> '' AND data_source_service_key <> ''))",
        "CHECK",
        "",
    ];

    fn condition(check: &str) -> &str {
        check.trim_start_matches("CHECK").trim_start_matches("check")
    }

    #[test]
    fn what_lets_no_half_data_source_in_is_recognised_however_it_is_written() {
        for check in WHOLE {
            assert!(keeps_complete([condition(check)]), "{check}");
            assert!(speaks_of_all(check));
        }
        assert!(keeps_complete([
            "((data_source_url IS NULL) = (data_source_anon_key IS NULL))",
            "((data_source_url IS NULL) = (data_source_service_key IS NULL))"
        ]));
    }

    #[test]
    fn what_merely_speaks_of_the_columns_is_not() {
        for check in HALF {
            assert!(!keeps_complete([condition(check)]), "{check}");
        }
        assert!(!keeps_complete(HALF.map(condition)) && !keeps_complete([]));
    }

    #[test]
    fn an_expression_without_end_is_not_understood_and_harms_nobody() {
        assert!(!keeps_complete(["(".repeat(19_000).as_str()]));
        assert!(!keeps_complete([format!("{} data_source_url", "not ".repeat(4_000)).as_str()]));
        assert!(!keeps_complete(["'", "\"", "/*", "é ∀ ("]));
    }

    #[test]
    fn the_checks_of_a_table_of_sqlite_are_found_in_its_statement() {
        let statement = "create table tenants (id text check (id <> ')'), -- check (not this one)\n \
                         status text check (status in ('a', 'b')), constraint c CHECK(( \"data_source_url\" is null)))";
        assert_eq!(
            checks_of(statement),
            ["(id <> ')')", "(status in ('a', 'b'))", "(( \"data_source_url\" is null))"]
        );
    }
}
