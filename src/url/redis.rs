//! The parsing of the URL of a Redis server: every part from the URL, a name for each parameter that is taken, and no
//! way to ask for less safety.

use super::{UrlError, check_text, decode, parse_strictly, single_host};
use crate::sanitize::printable;
use crate::secret::Secret;

/// The port of Redis when a URL names none.
const DEFAULT_PORT: u16 = 6379;
/// What the names of all keys begin with when a URL says nothing else.
const DEFAULT_PREFIX: &str = "boothds:";

/// A server, a user, a database number and a prefix for the names of keys. The password is a [`Secret`].
#[derive(Clone, Debug)]
pub struct RedisAddress {
    /// Host name or address, without brackets.
    pub host: String,
    /// TCP port; 6379 when the URL names none.
    pub port: u16,
    /// Whether the connection is encrypted, with a certificate of a known authority for this very host.
    pub tls: bool,
    /// The user of the access control list; `None` for the server's default user.
    pub user: Option<String>,
    /// The password, if there is one.
    pub password: Option<Secret>,
    /// The number of the database; 0 when the URL names none.
    pub database: u32,
    /// What the names of all keys and channels begin with; `boothds:` when the URL says nothing else.
    pub prefix: String,
}

impl RedisAddress {
    /// Reads `redis://[user[:password]@]host[:port][/number][?prefix=TEXT]`, or the same with `rediss:` for TLS.
    ///
    /// # Errors
    /// A [`UrlError`], which can be shown.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        check_text(text)?;
        let url = parse_strictly(text).ok_or(UrlError::Grammar)?;
        let tls = match url.scheme() {
            "redis" => false,
            "rediss" => true,
            _ => return Err(UrlError::Grammar),
        };
        if url.fragment().is_some() {
            return Err(UrlError::Parameter("#".to_owned()));
        }
        let host = single_host(&url)?;
        let user = decode(url.username())?;
        let mut address = Self {
            host: host.to_ascii_lowercase(),
            port: url.port().unwrap_or(DEFAULT_PORT),
            tls,
            user: (!user.is_empty()).then_some(user),
            password: url.password().map(decode).transpose()?.map(Secret::new),
            database: number(url.path())?,
            prefix: DEFAULT_PREFIX.to_owned(),
        };
        if address.user.is_some() && address.password.is_none() {
            // `redis://secret@host` is how some write a password alone; as a user without one it could not log in.
            return Err(UrlError::NoPassword);
        }
        for (name, value) in url.query_pairs() {
            match &*name {
                "prefix" if is_prefix(&value) => address.prefix = value.into_owned(),
                "prefix" => return Err(UrlError::ParameterValue("prefix")),
                _ => return Err(UrlError::Parameter(printable(&name).chars().take(20).collect())),
            }
        }
        Ok(address)
    }

    /// `redis://host:port/number`, the port left out when it is 6379.
    #[must_use]
    pub fn endpoint(&self) -> String {
        let scheme = if self.tls { "rediss" } else { "redis" };
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        let port = if self.port == DEFAULT_PORT { String::new() } else { format!(":{}", self.port) };
        format!("{scheme}://{host}{port}/{}", self.database)
    }
}

/// The number in the path. More than a million databases is a path that was meant for something else.
fn number(path: &str) -> Result<u32, UrlError> {
    let text = path.strip_prefix('/').unwrap_or(path);
    if text.is_empty() {
        return Ok(0);
    }
    let digits = text.len() <= 6 && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| digits).ok_or(UrlError::DatabaseNumber)
}

/// Without braces, so that the namespace, which stands in them, ends where it seems to.
fn is_prefix(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b":._-/".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_read_and_none_of_the_secret_ones_is_shown() {
        let address = RedisAddress::parse("rediss://me:p%40ss@Cache.Example:7000/3?prefix=a:b-").unwrap();
        assert_eq!((address.host.as_str(), address.port, address.tls), ("cache.example", 7000, true));
        assert_eq!((address.user.as_deref(), address.database), (Some("me"), 3));
        assert_eq!(address.password.as_ref().unwrap().expose(), "p@ss");
        assert_eq!(
            (address.prefix.as_str(), address.endpoint().as_str()),
            ("a:b-", "rediss://cache.example:7000/3")
        );
        assert!(!format!("{address:?}").contains("p@ss"));
        let plain = RedisAddress::parse("redis://:pw@[::1]").unwrap();
        assert_eq!((plain.user, plain.database, plain.port), (None, 0, 6379));
        assert_eq!(RedisAddress::parse("redis://[::1]/").unwrap().endpoint(), "redis://[::1]/0");
    }

    #[test]
    fn what_is_not_understood_is_refused_by_name() {
        let parameter = |name: &str| UrlError::Parameter(name.to_owned());
        for (text, error) in [
            ("redis://h?insecure=1", parameter("insecure")),
            ("rediss://h/0#insecure", parameter("#")),
            ("redis://h?prefix=a{b}", UrlError::ParameterValue("prefix")),
            ("redis://h?prefix=", UrlError::ParameterValue("prefix")),
            ("redis://h/zero", UrlError::DatabaseNumber),
            ("redis://h/1/2", UrlError::DatabaseNumber),
            ("redis://h/-1", UrlError::DatabaseNumber),
            ("redis:///0", UrlError::Host),
            ("redis:/tmp/socket", UrlError::Grammar),
            ("redis://user@h", UrlError::NoPassword),
            ("redis://u:p@ss@h", UrlError::Grammar),
            ("redis://u:a/b@h", UrlError::Grammar),
            ("redis://u:%zz@h", UrlError::Escape),
            ("redis://h one", UrlError::Blank(10)),
            ("", UrlError::Empty),
        ] {
            assert_eq!(RedisAddress::parse(text).map(|a| a.endpoint()), Err(error), "{text}");
        }
    }
}
