//! From what a driver or server reports to a class of the failure table.
//!
//! A file of its own because the application database and the data sources fail in the same ways, and because
//! the knowledge of codes and messages, gathered from real servers, should stand in one place.

use std::error::Error as StdError;
use std::io;

use crate::driver::Apart;
use crate::failure::{Failure, FailureClass};
use crate::sanitize::message;
use crate::secret::Secret;

/// What Rust's standard library says before the resolver's own words. The error has no kind or number to go by.
const LOOKUP_FAILED: &str = "failed to lookup address information";

/// The class and words of an error of `sqlx` against PostgreSQL. `secrets` are hidden in what the server says.
#[must_use]
pub fn postgres(error: &sqlx::Error, secrets: &[Secret]) -> Failure {
    match error {
        sqlx::Error::Database(database) => {
            let code = database.code().unwrap_or_default();
            let class = sql_state(&code, database.message());
            let mut detail = message(database.message(), secrets);
            if !code.is_empty() {
                detail = format!("{detail} (SQLSTATE {})", message(&code, &[]));
            }
            Failure::with(class, detail)
        }
        // sqlx reads the answer to its request for TLS into a zeroed byte, and takes an end of the stream for it.
        sqlx::Error::Protocol(text) if text.contains("SSLRequest: 0x00") => {
            Failure::new(FailureClass::Closed)
        }
        sqlx::Error::Protocol(text) => {
            // Behind the text stands the place in sqlx's source.
            let text = text.split(" (sqlx").next().unwrap_or_default();
            Failure::with(FailureClass::NotPostgres, message(text, secrets))
        }
        sqlx::Error::Tls(inner) => of_chain(inner.as_ref(), secrets)
            .unwrap_or_else(|| Failure::with(FailureClass::Tls, message(&inner.to_string(), secrets))),
        other => of_chain(other, secrets).unwrap_or_else(|| {
            Failure::with(FailureClass::ServerError, message(&other.to_string(), secrets))
        }),
    }
}

/// The class of work that ran apart and has no result.
#[must_use]
pub fn apart(why: Apart) -> Failure {
    match why {
        Apart::Late => Failure::new(FailureClass::Timeout),
        Apart::NoRoom => Failure::new(FailureClass::LocalLimit),
        Apart::Panicked => Failure::with(FailureClass::NotPostgres, "a message that cannot be read"),
    }
}

/// The class and words of an error of `sqlx` against a SQLite file.
#[must_use]
pub fn sqlite(error: &sqlx::Error) -> Failure {
    let sqlx::Error::Database(database) = error else {
        return Failure::with(FailureClass::FileRefused, message(&error.to_string(), &[]));
    };
    let text = database.message();
    // The primary result code is the low byte of the extended one: https://www.sqlite.org/rescode.html
    let primary = database.code().and_then(|code| code.parse::<u32>().ok()).map(|code| code & 0xff);
    let class = match primary {
        Some(5 | 6) => FailureClass::DatabaseDown,
        Some(1) if text.starts_with("no such table") => FailureClass::Table,
        Some(1) if text.starts_with("no such column") => FailureClass::Column,
        // Errors of a query have the code 1 (SQLITE_ERROR); the others are about the file.
        Some(1) => FailureClass::ServerError,
        _ => FailureClass::FileRefused,
    };
    Failure::with(class, message(text, &[]))
}

/// The class and words of an error of `reqwest`.
#[must_use]
pub fn http(error: &reqwest::Error, secrets: &[Secret]) -> Failure {
    if let Some(found) = of_chain(error, secrets) {
        return found;
    }
    if error.is_timeout() {
        return Failure::new(FailureClass::Timeout);
    }
    // Its own Display names the URL; the innermost cause tells what happened.
    let innermost = chain(error).last().map(ToString::to_string).unwrap_or_default();
    let class = if error.is_connect() { FailureClass::Tls } else { FailureClass::Closed };
    Failure::with(class, message(&innermost, secrets))
}

/// The class of an error of the operating system.
fn io(error: &io::Error) -> FailureClass {
    use io::ErrorKind;
    // EMFILE and ENFILE, which have no kind: a shortage here, not there.
    if matches!(error.raw_os_error(), Some(23 | 24)) {
        return FailureClass::LocalLimit;
    }
    match error.kind() {
        ErrorKind::ConnectionRefused => FailureClass::Refused,
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable | ErrorKind::AddrNotAvailable => {
            FailureClass::Unreachable
        }
        ErrorKind::TimedOut => FailureClass::Timeout,
        ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::BrokenPipe
        | ErrorKind::UnexpectedEof
        | ErrorKind::NotConnected => FailureClass::Closed,
        _ => {
            let text = error.to_string();
            // glibc's words for EAI_AGAIN: the name server could not be asked, so nothing is known of the name.
            if text.contains(LOOKUP_FAILED) && text.contains("Temporary failure") {
                FailureClass::DnsUnavailable
            } else if text.contains(LOOKUP_FAILED) {
                FailureClass::Dns
            } else {
                FailureClass::Closed
            }
        }
    }
}

/// Every error beneath `error`, itself first. An `io::Error` hides what it wraps from `source()`, hence the
/// second way down.
fn chain<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn StdError + 'static)| {
        let error: &'a (dyn StdError + 'static) = *error;
        match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner as &(dyn StdError + 'static)),
            None => error.source(),
        }
    })
}

/// The innermost error of a type that tells what happened.
fn of_chain(error: &(dyn StdError + 'static), secrets: &[Secret]) -> Option<Failure> {
    let mut found = None;
    for error in chain(error) {
        if let Some(tls) = error.downcast_ref::<rustls::Error>() {
            let class = match tls {
                rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented => {
                    FailureClass::Certificate
                }
                _ => FailureClass::Tls,
            };
            found = Some(Failure::with(class, message(&tls.to_string(), secrets)));
        } else if let Some(error) = error.downcast_ref::<io::Error>() {
            found = Some(Failure::with(io(error), message(&error.to_string(), secrets)));
        } else if let Some(http) = error.downcast_ref::<hyper::Error>() {
            let class = if http.is_parse() { FailureClass::NotSupabase } else { FailureClass::Closed };
            found = Some(Failure::with(class, message(&http.to_string(), secrets)));
        }
    }
    found
}

/// The class of a SQLSTATE, as PostgreSQL, PgBouncer and Supavisor send it and PostgREST passes it on. The text
/// decides only where the poolers give one code to everything.
#[must_use]
pub fn sql_state(code: &str, text: &str) -> FailureClass {
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    match code {
        "28P01" => FailureClass::Password,
        "28000" if says(&["does not exist"]) => FailureClass::Role,
        "28000" => FailureClass::LoginRefused,
        "3D000" => FailureClass::NoDatabase,
        "53300" => FailureClass::TooManyConnections,
        "42P01" => FailureClass::Table,
        "42703" => FailureClass::Column,
        "42501" => FailureClass::Grant,
        "3F000" => FailureClass::Schema,
        // Not a uuid; not a number; out of its range; no operator between the column and a text.
        "22P02" | "22003" | "22007" | "42883" => FailureClass::TenantIdType,
        "22023" if says(&["role"]) => FailureClass::Role,
        // A statement; a whole transaction (PostgreSQL 17 and newer).
        "57014" | "25P04" => FailureClass::Timeout,
        // Shutting down, crashed, starting up; out of resources; a broken connection behind PostgREST.
        "57P01" | "57P02" | "57P03" => FailureClass::DatabaseDown,
        _ if code.starts_with("53") || code.starts_with("08") && code != "08P01" => {
            FailureClass::DatabaseDown
        }
        // PgBouncer up to 1.18 reports everything of its own as 08P01, Supavisor as XX000.
        _ if says(&["Tenant or user not found", "tenant/user"]) => FailureClass::PoolerUser,
        _ if says(&["password authentication failed", "Wrong password"]) => FailureClass::Password,
        _ if says(&["no such database"]) => FailureClass::NoDatabase,
        _ if says(&["no such user"]) => FailureClass::PoolerUser,
        _ if says(&["no more connections allowed", "query_wait_timeout", "ax client", "MaxClients"]) => {
            FailureClass::TooManyConnections
        }
        _ if says(&["SSL required", "authentication failed"]) => FailureClass::LoginRefused,
        _ if code == "08P01" => FailureClass::DatabaseDown,
        _ => FailureClass::ServerError,
    }
}

/// The class of an answer of PostgREST or of the gateway before it, by status, `code` and message of the body.
/// Measured on PostgREST 11 and 12; the codes of 13 and later are from its source.
#[must_use]
pub fn rest(status: u16, code: Option<&str>, text: &str) -> FailureClass {
    let text = text.to_ascii_lowercase();
    match code {
        // 401 means several things and 403 comes with good keys too: the code judges, where there is one.
        Some("PGRST301" | "PGRST303") if text.contains("expired") => FailureClass::JwtExpired,
        Some("PGRST301" | "PGRST303") => FailureClass::JwtInvalid,
        Some("PGRST302") => FailureClass::KeyRejected,
        Some("PGRST106") => FailureClass::Schema,
        Some("PGRST205") => FailureClass::Table,
        Some("PGRST204") => FailureClass::Column,
        Some("PGRST125") => FailureClass::NotSupabase,
        Some("PGRST000" | "PGRST001" | "PGRST002") => FailureClass::DatabaseDown,
        Some("PGRST003") => FailureClass::TooManyConnections,
        Some(code) if code.starts_with("PGRST") => FailureClass::ServerError,
        Some(code) if code.len() == 5 => sql_state(code, &text),
        _ if text.contains("legacy api keys are disabled") => FailureClass::LegacyKeysDisabled,
        _ => match status {
            300..=399 => FailureClass::Redirect,
            401 | 403 => FailureClass::KeyRejected,
            402 => FailureClass::Quota,
            429 => FailureClass::Rate,
            540 => FailureClass::ProjectPaused,
            502 | 503 | 504 | 520..=527 | 530 | 544 => FailureClass::OriginDown,
            500..=599 => FailureClass::ServerError,
            // An error object of some kind of API; without one it is a website.
            _ if !text.is_empty() => FailureClass::ServerError,
            _ => FailureClass::NotSupabase,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_measured_answers_of_postgrest_have_their_class() {
        for (status, code, text, class) in [
            (401, Some("PGRST301"), "JWSError JWSInvalidSignature", FailureClass::JwtInvalid),
            (401, Some("PGRST301"), "JWT expired", FailureClass::JwtExpired),
            (401, Some("PGRST303"), "JWT expired", FailureClass::JwtExpired),
            (400, Some("22023"), "role \"x\" does not exist", FailureClass::Role),
            (401, Some("42501"), "permission denied for table accounts", FailureClass::Grant),
            (403, Some("42501"), "permission denied for table accounts", FailureClass::Grant),
            (404, Some("42P01"), "relation does not exist", FailureClass::Table),
            (404, Some("PGRST205"), "Could not find the table", FailureClass::Table),
            (400, Some("42703"), "column does not exist", FailureClass::Column),
            (400, Some("22P02"), "invalid input syntax for type uuid", FailureClass::TenantIdType),
            (406, Some("PGRST106"), "The schema must be one of", FailureClass::Schema),
            (404, None, "", FailureClass::NotSupabase),
            (503, Some("PGRST002"), "Could not query the database", FailureClass::DatabaseDown),
            (504, Some("PGRST003"), "Timed out acquiring connection", FailureClass::TooManyConnections),
            (401, None, "Invalid API key", FailureClass::KeyRejected),
            (401, None, "Legacy API keys are disabled", FailureClass::LegacyKeysDisabled),
            (540, None, "", FailureClass::ProjectPaused),
            (402, None, "", FailureClass::Quota),
            (429, None, "", FailureClass::Rate),
            (522, None, "", FailureClass::OriginDown),
        ] {
            assert_eq!(rest(status, code, text), class, "{status} {code:?} {text}");
        }
    }

    #[test]
    fn the_poolers_are_understood_by_their_words() {
        for (code, text, class) in [
            ("XX000", "Tenant or user not found", FailureClass::PoolerUser),
            ("08P01", "no such database: nope", FailureClass::NoDatabase),
            ("08P01", "pgbouncer cannot connect to server", FailureClass::DatabaseDown),
            ("08P01", "no more connections allowed (max_client_conn)", FailureClass::TooManyConnections),
            ("08P01", "password authentication failed", FailureClass::Password),
            ("XX000", "something else", FailureClass::ServerError),
        ] {
            assert_eq!(sql_state(code, text), class, "{code} {text}");
        }
    }
}
