//! SQL in pieces, as far as the reading of a function's body needs them.

/// A piece of a text, and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) from: usize,
    pub(super) to: usize,
}

/// What a piece is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A name or keyword, in lower case unless it was quoted.
    Word(String),
    /// A text in single quotes or dollars.
    Literal(String),
    /// `(`
    Open,
    /// `)`
    Close,
    /// `,`
    Comma,
    /// `.`
    Dot,
    /// `;`
    End,
    /// `::`
    Cast,
    /// Anything else.
    Other,
}

impl Token {
    pub(super) fn is_word(&self, word: &str) -> bool {
        matches!(&self.kind, Kind::Word(own) if own == word)
    }

    /// The word in lower case, or the text as it stands.
    pub(super) fn text(&self, source: &str) -> String {
        match &self.kind {
            Kind::Word(word) => word.clone(),
            _ => source[self.from..self.to].to_owned(),
        }
    }
}

/// Takes a text apart; comments and blanks are left out.
pub(super) fn tokens(source: &str) -> Vec<Token> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(c) = source[at..].chars().next() {
        let rest = &source[at..];
        let (length, kind) = piece(rest, c);
        let length = length.max(c.len_utf8());
        if let Some(kind) = kind {
            found.push(Token { kind, from: at, to: at + length });
        }
        at += length;
    }
    found
}

/// The length of the first piece, and what it is; nothing for blanks and comments.
fn piece(rest: &str, c: char) -> (usize, Option<Kind>) {
    let until =
        |end: &str, from: usize| rest[from..].find(end).map_or(rest.len(), |at| from + at + end.len());
    if c.is_whitespace() {
        return (c.len_utf8(), None);
    }
    if rest.starts_with("--") {
        return (until("\n", 2), None);
    }
    if rest.starts_with("/*") {
        return (until("*/", 2), None);
    }
    if rest.starts_with("::") {
        return (2, Some(Kind::Cast));
    }
    match c {
        '(' => (1, Some(Kind::Open)),
        ')' => (1, Some(Kind::Close)),
        ',' => (1, Some(Kind::Comma)),
        '.' => (1, Some(Kind::Dot)),
        ';' => (1, Some(Kind::End)),
        '\'' | '"' => {
            let (length, text) = quoted(rest, c);
            (length, Some(if c == '"' { Kind::Word(text) } else { Kind::Literal(text) }))
        }
        '$' => match rest[1..].find('$').map(|end| &rest[..end + 2]) {
            Some(tag) if tag[1..tag.len() - 1].chars().all(|c| c.is_alphanumeric() || c == '_') => {
                let length = until(tag, tag.len());
                let inside = rest.get(tag.len()..length.saturating_sub(tag.len())).unwrap_or_default();
                (length, Some(Kind::Literal(inside.to_owned())))
            }
            _ => (1, Some(Kind::Other)),
        },
        c if c.is_alphabetic() || c == '_' => {
            let length =
                rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$')).unwrap_or(rest.len());
            (length, Some(Kind::Word(rest[..length].to_lowercase())))
        }
        c => (c.len_utf8(), Some(Kind::Other)),
    }
}

/// A text in quotes, of which two stand for one.
fn quoted(rest: &str, quote: char) -> (usize, String) {
    let mut text = String::new();
    let mut letters = rest.char_indices().skip(1).peekable();
    while let Some((at, c)) = letters.next() {
        if c != quote {
            text.push(c);
        } else if letters.peek().is_some_and(|(_, next)| *next == quote) {
            letters.next();
            text.push(c);
        } else {
            return (at + 1, text);
        }
    }
    (rest.len(), text)
}
