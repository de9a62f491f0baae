//! The parsing of a tenant's PostgreSQL URL: every part from the URL, none from the operator's environment, and
//! of all parameters only `sslmode` and `application_name`.

use super::{UrlError, decode, is_this_machine, parse_strictly, single_host};
use crate::sanitize::printable;
use crate::secret::Secret;

/// The port of PostgreSQL when a URL names none.
const DEFAULT_PORT: u16 = 5432;

/// A server, a database and a user. The password is a [`Secret`].
#[derive(Clone, Debug)]
pub struct PostgresAddress {
    /// Host name or address, without brackets.
    pub host: String,
    /// TCP port; 5432 when the URL names none.
    pub port: u16,
    /// The user to log in as.
    pub user: String,
    /// The password in the URL, if there is one.
    pub password: Option<Secret>,
    /// The database; PostgreSQL's default, the name of the user, when the URL names none.
    pub database: String,
    /// How much encryption is asked for.
    pub tls: TlsMode,
    /// The name the connection is listed under; `boothds` when the URL names none.
    pub application_name: Option<String>,
}

/// libpq's `sslmode`. `allow` is not among them: it would send the password readable first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsMode {
    /// Never encrypted.
    Disable,
    /// Encrypted if the server offers it. The default towards this machine.
    Prefer,
    /// Encrypted or not at all; the certificate is not checked. The default towards other hosts.
    Require,
    /// Encrypted, with a certificate of a known authority.
    VerifyCa,
    /// Encrypted, with a certificate of a known authority for this very host.
    VerifyFull,
}

impl PostgresAddress {
    pub(super) fn parse(text: &str) -> Result<Self, UrlError> {
        let url = parse_strictly(text).ok_or(UrlError::Grammar)?;
        if url.fragment().is_some() {
            return Err(UrlError::Parameter("#".to_owned()));
        }
        let host = single_host(&url)?;
        let user = decode(url.username())?;
        if user.is_empty() {
            return Err(UrlError::User);
        }
        let database = decode(url.path().trim_start_matches('/'))?;
        let mut address = Self {
            host: host.to_ascii_lowercase(),
            port: url.port().unwrap_or(DEFAULT_PORT),
            password: url.password().map(decode).transpose()?.map(Secret::new),
            database: if database.is_empty() { user.clone() } else { database },
            user,
            // sqlx and libpq default to `prefer`, which falls back to clear text when somebody in between says so.
            tls: if is_this_machine(host) { TlsMode::Prefer } else { TlsMode::Require },
            application_name: None,
        };
        for (name, value) in url.query_pairs() {
            match &*name {
                "sslmode" => {
                    address.tls = TlsMode::parse(&value).ok_or(UrlError::ParameterValue("sslmode"))?
                }
                "application_name" if !value.contains('\0') => {
                    address.application_name = Some(value.into_owned())
                }
                _ => return Err(UrlError::Parameter(printable(&name).chars().take(20).collect())),
            }
        }
        Ok(address)
    }

    /// `postgres://host:port/database`, the port left out when it is 5432.
    #[must_use]
    pub fn endpoint(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        let port = if self.port == DEFAULT_PORT { String::new() } else { format!(":{}", self.port) };
        format!("postgres://{host}{port}/{}", printable(&self.database))
    }
}

impl TlsMode {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "disable" => Self::Disable,
            "prefer" => Self::Prefer,
            "require" => Self::Require,
            "verify-ca" => Self::VerifyCa,
            "verify-full" => Self::VerifyFull,
            _ => return None,
        })
    }
}
