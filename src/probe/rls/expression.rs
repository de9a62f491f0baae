//! The grammar of a policy's expression, as `pg_get_expr` writes it, and of the one-line SQL functions it calls.
//!
//! Only as much of SQL as policies are usually made of. Whatever is not understood becomes [`Expression::Opaque`], for
//! the smallest pair of parentheses that holds it, and an opaque part may mean anything: so nothing is ever concluded
//! from what was not read. What the parts mean is said in [`super::meaning`].

mod token;

use token::Token;

/// A part of an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expression {
    /// Something that is not understood.
    Opaque,
    /// `true`, `false`.
    Bool(bool),
    /// `NULL`.
    Null,
    /// `'text'`.
    Text(String),
    /// A number without sign or exponent.
    Number(String),
    /// A column, or whatever else a bare name is, in parts.
    Name(Vec<String>),
    /// `name(arguments)`.
    Call(Vec<String>, Vec<Expression>),
    /// `inner::type`.
    Cast(Box<Expression>, String),
    /// `left operator right`, of operators that are in `pg_catalog`.
    Binary(String, Box<Expression>, Box<Expression>),
    /// `left = ANY (ARRAY[…])`.
    AnyOf(Box<Expression>, Vec<Expression>),
    /// `inner IS NULL`.
    IsNull(Box<Expression>),
    /// `inner IS TRUE`.
    IsTrue(Box<Expression>),
    /// `left IS DISTINCT FROM right`.
    Distinct(Box<Expression>, Box<Expression>),
    /// `NOT inner`.
    Not(Box<Expression>),
    /// `a AND b AND …`.
    And(Vec<Expression>),
    /// `a OR b OR …`.
    Or(Vec<Expression>),
}

/// How deep parentheses are followed; what is deeper is opaque.
const DEPTH: u8 = 60;

/// Reads an expression; opaque when it cannot be read.
pub(super) fn parse(text: &str) -> Expression {
    let Some(tokens) = token::split(text) else { return Expression::Opaque };
    let mut parser = Parser { tokens: &tokens, at: 0, depth: 0 };
    match parser.either() {
        Some(expression) if parser.at == tokens.len() => expression,
        _ => Expression::Opaque,
    }
}

/// Reads the body of an SQL function: `SELECT expression`.
pub(super) fn parse_body(text: &str) -> Expression {
    let Some(tokens) = token::split(text.trim().trim_end_matches(';')) else { return Expression::Opaque };
    let mut parser = Parser { tokens: &tokens, at: 0, depth: 0 };
    if !parser.word("select") {
        return Expression::Opaque;
    }
    match parser.either() {
        Some(expression) if parser.label() && parser.at == tokens.len() => expression,
        _ => Expression::Opaque,
    }
}

struct Parser<'a> {
    tokens: &'a [Token],
    at: usize,
    depth: u8,
}

impl Parser<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn word(&mut self, wanted: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Word(word)) if word == wanted);
        self.at += usize::from(found);
        found
    }

    fn symbol(&mut self, wanted: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Symbol(symbol)) if symbol == wanted);
        self.at += usize::from(found);
        found
    }

    /// `AS name`, if it stands here.
    fn label(&mut self) -> bool {
        if !self.word("as") {
            return true;
        }
        let is_name = matches!(self.peek(), Some(Token::Word(_) | Token::Quoted(_)));
        self.at += usize::from(is_name);
        is_name
    }

    fn either(&mut self) -> Option<Expression> {
        let mut parts = vec![self.both()?];
        while self.word("or") {
            parts.push(self.both()?);
        }
        Some(if parts.len() == 1 { parts.remove(0) } else { Expression::Or(parts) })
    }

    fn both(&mut self) -> Option<Expression> {
        let mut parts = vec![self.negation()?];
        while self.word("and") {
            parts.push(self.negation()?);
        }
        Some(if parts.len() == 1 { parts.remove(0) } else { Expression::And(parts) })
    }

    fn negation(&mut self) -> Option<Expression> {
        if self.depth >= DEPTH {
            return None;
        }
        if self.word("not") {
            self.depth += 1;
            let inner = self.negation();
            self.depth -= 1;
            return Some(Expression::Not(Box::new(inner?)));
        }
        let left = self.chain()?;
        self.predicate(left)
    }

    /// At most one comparison: a second one would need parentheses, and without them is not understood.
    fn predicate(&mut self, left: Expression) -> Option<Expression> {
        if let Some(Token::Symbol(symbol)) = self.peek() {
            let symbol = if symbol == "!=" { "<>".to_owned() } else { symbol.clone() };
            if !matches!(symbol.as_str(), "=" | "<>" | "<" | ">" | "<=" | ">=") {
                return Some(left);
            }
            self.at += 1;
            if symbol == "=" && self.word("any") {
                return self.any(left);
            }
            let right = self.chain()?;
            return Some(Expression::Binary(symbol, Box::new(left), Box::new(right)));
        }
        if !self.word("is") {
            return Some(left);
        }
        let not = self.word("not");
        let left = Box::new(left);
        let found = if self.word("null") {
            Expression::IsNull(left)
        } else if self.word("true") {
            Expression::IsTrue(left)
        } else if self.word("distinct") && self.word("from") {
            Expression::Distinct(left, Box::new(self.chain()?))
        } else {
            return None;
        };
        Some(if not { Expression::Not(Box::new(found)) } else { found })
    }

    fn any(&mut self, left: Expression) -> Option<Expression> {
        let start = self.at;
        let list = self.symbol("(") && self.word("array") && self.symbol("[");
        if list
            && let Some(parts) = self.list("]")
            && self.symbol(")")
        {
            return Some(Expression::AnyOf(Box::new(left), parts));
        }
        self.at = start;
        self.skip("(", ")").then_some(Expression::Opaque)
    }

    fn chain(&mut self) -> Option<Expression> {
        let mut left = self.postfix()?;
        let mut links = 0;
        while let Some(Token::Symbol(symbol)) = self.peek()
            && matches!(
                symbol.as_str(),
                "->" | "->>" | "#>>" | "#>" | "||" | "+" | "-" | "*" | "/" | "@>" | "?"
            )
        {
            let symbol = symbol.clone();
            links += 1;
            if links > DEPTH {
                return None;
            }
            self.at += 1;
            let right = self.postfix()?;
            left = Expression::Binary(symbol, Box::new(left), Box::new(right));
        }
        Some(left)
    }

    fn postfix(&mut self) -> Option<Expression> {
        let mut inner = self.primary()?;
        let mut casts = 0;
        while self.symbol("::") {
            casts += 1;
            if casts > DEPTH {
                return None;
            }
            inner = Expression::Cast(Box::new(inner), self.type_name()?);
        }
        Some(inner)
    }

    /// The words of a type, with its modifiers; an array's brackets too.
    fn type_name(&mut self) -> Option<String> {
        let mut name = String::new();
        while let Some(Token::Word(word)) = self.peek() {
            let continues =
                matches!(word.as_str(), "varying" | "precision" | "with" | "without" | "time" | "zone");
            if !name.is_empty() && !continues {
                break;
            }
            name = if name.is_empty() { word.clone() } else { format!("{name} {word}") };
            self.at += 1;
        }
        if name.is_empty() {
            return None;
        }
        for (open, close) in [("(", ")"), ("[", "]"), (".", "")] {
            if matches!(self.peek(), Some(Token::Symbol(symbol)) if symbol == open) {
                if close.is_empty() || !self.skip(open, close) {
                    return None;
                }
                name.push_str(open);
            }
        }
        Some(name)
    }

    fn primary(&mut self) -> Option<Expression> {
        let token = self.peek()?.clone();
        if token == Token::Symbol("(".to_owned()) {
            return self.group();
        }
        self.at += 1;
        Some(match token {
            Token::Text(text) => Expression::Text(text),
            Token::Number(number) => Expression::Number(number),
            Token::Word(word) => match word.as_str() {
                "true" => Expression::Bool(true),
                "false" => Expression::Bool(false),
                "null" => Expression::Null,
                "case" => {
                    self.skip_case()?;
                    Expression::Opaque
                }
                "array" | "row" | "exists" | "any" | "all" | "some" | "interval" | "select" => {
                    self.at -= 1;
                    return None;
                }
                // No columns, unless in quotes.
                "user" | "session_user" | "system_user" | "localtime" | "localtimestamp" => {
                    Expression::Opaque
                }
                word if word.starts_with("current_") && word != "current_setting" => Expression::Opaque,
                _ => return self.name(word),
            },
            Token::Quoted(name) => return self.name(name),
            Token::Symbol(_) => {
                self.at -= 1;
                return None;
            }
        })
    }

    fn name(&mut self, first: String) -> Option<Expression> {
        let mut parts = vec![first];
        while self.symbol(".") {
            let Some(Token::Word(part) | Token::Quoted(part)) = self.peek().cloned() else { return None };
            self.at += 1;
            parts.push(part);
        }
        let start = self.at;
        if !self.symbol("(") {
            return Some(Expression::Name(parts));
        }
        if let Some(arguments) = self.list(")") {
            return Some(Expression::Call(parts, arguments));
        }
        self.at = start;
        self.skip("(", ")").then_some(Expression::Opaque)
    }

    /// Expressions parted by commas, up to `close`.
    fn list(&mut self, close: &str) -> Option<Vec<Expression>> {
        if self.symbol(close) {
            return Some(Vec::new());
        }
        self.depth += 1;
        let mut parts = Vec::new();
        let closed = loop {
            match self.either() {
                Some(part) => parts.push(part),
                None => break false,
            }
            if self.symbol(close) {
                break true;
            }
            if !self.symbol(",") {
                break false;
            }
        };
        self.depth -= 1;
        closed.then_some(parts)
    }

    /// `(expression)` or `( SELECT expression AS name)`; opaque when it is something else.
    fn group(&mut self) -> Option<Expression> {
        let start = self.at;
        self.at += 1;
        self.depth += 1;
        let inner = if self.word("select") {
            let inner = self.either();
            if self.label() { inner } else { None }
        } else {
            self.either()
        };
        self.depth -= 1;
        if let Some(inner) = inner
            && self.symbol(")")
        {
            return Some(inner);
        }
        self.at = start;
        self.skip("(", ")").then_some(Expression::Opaque)
    }

    /// Goes behind the bracket that closes the one here.
    fn skip(&mut self, open: &str, close: &str) -> bool {
        if !self.symbol(open) {
            return false;
        }
        let mut depth = 1;
        while depth > 0 {
            match self.peek() {
                None => return false,
                Some(Token::Symbol(symbol)) if symbol == open => depth += 1,
                Some(Token::Symbol(symbol)) if symbol == close => depth -= 1,
                _ => {}
            }
            self.at += 1;
        }
        true
    }

    fn skip_case(&mut self) -> Option<()> {
        let mut depth = 1;
        while depth > 0 {
            match self.peek()? {
                Token::Word(word) if word == "case" => depth += 1,
                Token::Word(word) if word == "end" => depth -= 1,
                _ => {}
            }
            self.at += 1;
        }
        Some(())
    }
}

#[cfg(test)]
mod tests;
