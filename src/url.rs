//! Addresses of data sources: parsed with an allow-list, and shown with nothing secret in them.
//!
//! A file of its own because a URL is the place where a password is shown by accident. The text of a row is
//! held as a [`SourceUrl`], whose every way of printing fails closed: what does not parse is not printed.
//! `sqlx` parses URLs too, but starts from the operator's environment (`PGPASSWORD`, `.pgpass`) and takes
//! parameters such as `host=` and `sslkey=`; a tenant's row must decide neither.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

use crate::sanitize::{acts_on_a_terminal, hide_tokens, printable};
use crate::secret::Secret;

mod postgres;
mod redis;
mod same;
mod shown;

pub use postgres::{PostgresAddress, TlsMode};
pub use redis::RedisAddress;
pub use same::plain_id;
use shown::endpoint;
pub use shown::{UNPARSEABLE, carries_secret, masked, passwords};

/// The longest URL that is read, in bytes.
const LENGTH_LIMIT: usize = 2048;

/// What kind of database a data source is; follows from the scheme of its URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A Supabase project, or anything that speaks its REST interface: `https:`, `http:` to this machine.
    Supabase,
    /// PostgreSQL: `postgres:`, `postgresql:`.
    Postgres,
    /// A SQLite file: `sqlite:`.
    Sqlite,
}

impl Kind {
    /// The schemes of this kind, in lower case.
    #[must_use]
    pub fn schemes(self) -> &'static [&'static str] {
        match self {
            Self::Supabase => &["https", "http"],
            Self::Postgres => &["postgres", "postgresql"],
            Self::Sqlite => &["sqlite"],
        }
    }

    /// The word for it in tables and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Supabase => "supabase",
            Self::Postgres => "postgres",
            Self::Sqlite => "sqlite",
        }
    }

    fn of_scheme(scheme: &str) -> Option<Self> {
        [Self::Supabase, Self::Postgres, Self::Sqlite]
            .into_iter()
            .find(|kind| kind.schemes().iter().any(|known| known.eq_ignore_ascii_case(scheme)))
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The text of a `data_source_url`, as it stands in a row. `Debug` shows it [`masked`](Self::masked).
#[derive(Clone)]
pub struct SourceUrl(Secret);

/// A parsed address: where to connect, and as whom.
#[derive(Clone, Debug)]
pub enum Address {
    /// The base URL of a Supabase project.
    Supabase(RestAddress),
    /// A PostgreSQL server, database and user.
    Postgres(PostgresAddress),
    /// The path of a SQLite file, as written.
    Sqlite(PathBuf),
}

/// The base of a Supabase project: scheme, host, port and the path before `/rest/v1`.
#[derive(Clone, Debug)]
pub struct RestAddress(url::Url);

/// Why a URL is not used. The sentences hold nothing of the URL but the name of a scheme or parameter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// There is no text.
    #[error("it is empty")]
    Empty,
    /// Longer than 2,048 bytes.
    #[error("it is longer than {LENGTH_LIMIT} bytes")]
    TooLong,
    /// A blank or a control character, which URL parsers drop without a word.
    #[error("it contains a blank or a control character at position {0}")]
    Blank(usize),
    /// It has no scheme, or does not follow the grammar of URLs.
    #[error("it is no URL of the form scheme://host")]
    Grammar,
    /// The scheme is none that a data source can have.
    #[error("its scheme `{0}` is none of https, postgres, postgresql, sqlite")]
    Scheme(String),
    /// `http:` to a host that is not this machine: the key would cross the network readable.
    #[error("it is http to a host that is not this machine, and would send the key unencrypted")]
    ClearText,
    /// A user or password in a Supabase URL.
    #[error("it carries a user name or password")]
    Credentials,
    /// A query in a Supabase URL, a fragment, or a parameter that is not allowed.
    #[error("its parameter `{0}` is not allowed")]
    Parameter(String),
    /// A parameter with a value it cannot have.
    #[error("its parameter `{0}` has a value that it cannot take")]
    ParameterValue(&'static str),
    /// No host, or one with characters no host name has (a list of hosts, the path of a socket).
    #[error("it names no single host")]
    Host,
    /// A PostgreSQL URL without a user.
    #[error("it names no user")]
    User,
    /// A percent escape that is broken or no UTF-8, or one that stands for a NUL.
    #[error("it has a broken percent escape")]
    Escape,
    /// A SQLite URL without the path of a file.
    #[error("it names no file")]
    Path,
    /// A Redis URL with a user and no password.
    #[error("it names a user without a password; a password alone is written `:password@`")]
    NoPassword,
    /// A Redis URL whose path is more than the number of a database.
    #[error("its path is not the number of a database")]
    DatabaseNumber,
}

impl SourceUrl {
    /// Takes the text of a row; nothing is checked yet.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Secret::new(text))
    }

    /// The text as it stands in the row. It may hold a password.
    #[must_use]
    pub fn text(&self) -> &Secret {
        &self.0
    }

    /// The kind, by the scheme alone; `None` for a scheme that no data source has.
    #[must_use]
    pub fn kind(&self) -> Option<Kind> {
        self.0.expose().split_once(':').and_then(|(scheme, _)| Kind::of_scheme(scheme))
    }

    /// The URL with its password as `***` and without the values of unknown parameters; `«unparseable URL»` when
    /// it cannot be taken apart for certain.
    #[must_use]
    pub fn masked(&self) -> String {
        masked(self.0.expose())
    }

    /// The place without the user: `https://host`, `postgres://host:port/database`, `sqlite:/path`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        match self.parse() {
            Ok(address) => address.endpoint(),
            Err(_) => endpoint(self.0.expose()),
        }
    }

    /// Takes the URL apart, by the rules for its kind.
    ///
    /// # Errors
    /// A [`UrlError`], which can be shown.
    pub fn parse(&self) -> Result<Address, UrlError> {
        let text = self.0.expose();
        check_text(text)?;
        let (scheme, rest) = text.split_once(':').ok_or(UrlError::Grammar)?;
        match Kind::of_scheme(scheme) {
            Some(Kind::Supabase) => RestAddress::parse(text).map(Address::Supabase),
            Some(Kind::Postgres) => PostgresAddress::parse(text).map(Address::Postgres),
            Some(Kind::Sqlite) => sqlite_path(rest).map(Address::Sqlite),
            None => {
                let name: String = scheme.chars().take(20).collect();
                let is_a_name = name.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
                // Text before a colon is not always a scheme: `user:password@host` has its user there.
                Err(if is_a_name && rest.starts_with("//") {
                    UrlError::Scheme(name)
                } else {
                    UrlError::Grammar
                })
            }
        }
    }
}

impl fmt::Debug for SourceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

impl Address {
    /// The place without the user, as [`SourceUrl::endpoint`].
    #[must_use]
    pub fn endpoint(&self) -> String {
        match self {
            Self::Supabase(base) => hide_tokens(base.0.as_str().trim_end_matches('/')),
            Self::Postgres(address) => address.endpoint(),
            Self::Sqlite(path) => format!("sqlite:{}", printable(&path.to_string_lossy())),
        }
    }
}

impl RestAddress {
    fn parse(text: &str) -> Result<Self, UrlError> {
        let mut url = parse_strictly(text).ok_or(UrlError::Grammar)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(UrlError::Credentials);
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(UrlError::Parameter("?".to_owned()));
        }
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or(UrlError::Host)?;
        if url.scheme() == "http" && !is_this_machine(host) {
            return Err(UrlError::ClearText);
        }
        // Setup guides paste the URL with `/rest/v1` or a slash behind it; kept, the path would double.
        let path = url.path().trim_end_matches('/');
        let path = path.strip_suffix("/rest/v1").unwrap_or(path).trim_end_matches('/').to_owned();
        url.set_path(&path);
        Ok(Self(url))
    }

    /// The host, in lower case; an IPv6 address in brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// Whether the host is this machine.
    #[must_use]
    pub fn is_this_machine(&self) -> bool {
        is_this_machine(self.host())
    }

    /// The project reference of `<ref>.supabase.co`: 20 lower-case letters or digits. Custom domains and local
    /// stacks have none.
    #[must_use]
    pub fn project_ref(&self) -> Option<&str> {
        let label =
            self.host().strip_suffix(".supabase.co").or_else(|| self.host().strip_suffix(".supabase.in"))?;
        (label.len() == 20 && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()))
            .then_some(label)
    }

    /// The URL of a path below the base, each part one segment.
    #[must_use]
    pub fn join(&self, path: &[&str]) -> url::Url {
        let mut url = self.0.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        url
    }

    /// The URL of one table, with `query` as pairs that are encoded here.
    #[must_use]
    pub fn table(&self, table: &str, query: &[(&str, &str)]) -> url::Url {
        let mut url = self.join(&["rest", "v1", table]);
        url.query_pairs_mut().extend_pairs(query);
        url
    }
}

/// Whether `host` names this machine: `localhost`, a name below it, or a loopback address.
#[must_use]
pub fn is_this_machine(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    match host.parse::<std::net::IpAddr>() {
        Ok(address) => address.is_loopback(),
        Err(_) => host.eq_ignore_ascii_case("localhost") || host.to_ascii_lowercase().ends_with(".localhost"),
    }
}

/// Parses by the grammar, and refuses what it would split at a place the author did not mean: a password with an
/// unescaped `/`, `?` or `#` leaves an `@` behind the host, and part of the password where the host should be.
fn parse_strictly(text: &str) -> Option<url::Url> {
    let (_, rest) = text.split_once("://")?;
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    let behind = &rest[authority.len()..];
    if behind.contains('@') || authority.matches('@').count() > 1 {
        return None;
    }
    url::Url::parse(text).ok()
}

/// The host without brackets. Neither a list of hosts nor the path of a socket: a row must not reach this machine's own
/// server, where the operator may be trusted by user name.
fn single_host(url: &url::Url) -> Result<&str, UrlError> {
    let host = url.host_str().unwrap_or_default();
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
    if host.is_empty() || !host.chars().all(fits) { Err(UrlError::Host) } else { Ok(host) }
}

fn check_text(text: &str) -> Result<(), UrlError> {
    if text.is_empty() {
        return Err(UrlError::Empty);
    }
    if text.len() > LENGTH_LIMIT {
        return Err(UrlError::TooLong);
    }
    match text.chars().position(|c| c.is_whitespace() || acts_on_a_terminal(c)) {
        Some(at) => Err(UrlError::Blank(at + 1)),
        None => Ok(()),
    }
}

/// `rest` is what follows `sqlite:`; `//` before the path is optional, as in sqlx.
fn sqlite_path(rest: &str) -> Result<PathBuf, UrlError> {
    let path = rest.strip_prefix("//").unwrap_or(rest);
    if let Some((_, parameters)) = path.split_once('?') {
        let name = parameters.split(['=', '&']).next().unwrap_or_default();
        return Err(UrlError::Parameter(name.chars().take(20).collect()));
    }
    let path = decode(path)?;
    // `:memory:` is not a file, and would be an empty database that answers every question with "no such table".
    if path.is_empty() || path == ":memory:" {
        return Err(UrlError::Path);
    }
    Ok(PathBuf::from(path))
}

/// The `sqlite:` URL of a path, with every byte escaped that a URL could not carry.
#[must_use]
pub fn sqlite_url(path: &std::path::Path) -> String {
    use std::os::unix::ffi::OsStrExt as _;
    let mut url = String::from("sqlite:");
    let bytes = path.as_os_str().as_bytes();
    // Two slashes at the beginning would be taken for the ones that may stand before a path, and are one slash anyway.
    let extra = bytes.iter().take_while(|byte| **byte == b'/').count().saturating_sub(1);
    for byte in &bytes[extra..] {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' | b'~' => {
                url.push(char::from(*byte))
            }
            other => url.push_str(&format!("%{other:02X}")),
        }
    }
    url
}

/// Percent-decodes; a broken escape is an error rather than taken as it stands.
fn decode(text: &str) -> Result<String, UrlError> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let mut digit = || bytes.next().and_then(|b| char::from(b).to_digit(16)).ok_or(UrlError::Escape);
        let value = digit()? * 16 + digit()?;
        out.push(u8::try_from(value).map_err(|_| UrlError::Escape)?);
    }
    String::from_utf8(out).ok().filter(|text| !text.contains('\0')).ok_or(UrlError::Escape)
}

#[cfg(test)]
mod tests;
