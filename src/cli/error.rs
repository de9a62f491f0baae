//! Errors as the user sees them: what failed, for what, its causes, and what to do. The hint is added here, where
//! the flags are known; the floors below only say what happened.

use std::error::Error as StdError;

use serde::Serialize;

use super::exit_code::ExitCode;
use crate::catalogue::CatalogueError;
use crate::cipher::{KeyError, OpenError};
use crate::demo::DemoError;
use crate::failure::{Failure, FailureClass};
use crate::manager::SetupError;
use crate::private_file::FileError;
use crate::report::FetchError;
use crate::sanitize::hide_credentials;
use crate::settings::{Origin, SettingsError};
use crate::state::{StateError, StateFailure};

/// An error at the end of its way: an exit code and texts that are safe to show.
#[derive(Debug)]
pub(super) struct CliError {
    pub(super) code: ExitCode,
    pub(super) message: String,
    pub(super) causes: Vec<String>,
    pub(super) hint: Option<String>,
}

/// The object that `--json` prints on standard error.
#[derive(Serialize)]
pub(super) struct ErrorDocument<'a> {
    error: ErrorObject<'a>,
}

#[derive(Serialize)]
struct ErrorObject<'a> {
    code: &'static str,
    message: &'a str,
    causes: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
}

impl CliError {
    pub(super) fn new(code: ExitCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), causes: Vec::new(), hint: None }
    }

    pub(super) fn usage(message: impl Into<String>) -> Self {
        Self::new(ExitCode::Usage, message)
    }

    pub(super) fn settings(message: impl Into<String>) -> Self {
        Self::new(ExitCode::Settings, message)
    }

    pub(super) fn io(message: impl Into<String>, source: &std::io::Error) -> Self {
        Self { causes: vec![source.to_string()], ..Self::new(ExitCode::Io, message) }
    }

    pub(super) fn interrupted(code: ExitCode) -> Self {
        Self::new(code, code.word())
    }

    /// An error of a floor below, with its causes.
    pub(super) fn of(code: ExitCode, error: &dyn StdError) -> Self {
        let mut causes = Vec::new();
        let mut cause = error.source();
        while let Some(error) = cause {
            causes.push(error.to_string());
            cause = error.source();
        }
        Self { code, message: error.to_string(), causes, hint: None }
    }

    /// Puts what failed before the error, which becomes its first cause.
    #[cfg(feature = "dashboard")]
    pub(super) fn about(mut self, what: &str) -> Self {
        let cause = std::mem::replace(&mut self.message, what.to_owned());
        self.causes.insert(0, cause);
        self
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(super) fn document(&self) -> ErrorDocument<'_> {
        ErrorDocument {
            error: ErrorObject {
                code: self.code.word(),
                message: &self.message,
                causes: &self.causes,
                hint: self.hint.as_deref(),
            },
        }
    }

    /// An error of the state store, whose URL came from `origin`.
    pub(super) fn state(error: &StateError, origin: &Origin) -> Self {
        let start_anew = if error.address.starts_with("redis") {
            "to start anew, stop the services and delete the keys of boothds from it (`redis-cli --scan --pattern 'boothds:*'`)"
        } else {
            "to start anew, stop the services and move the file away; a new one is made"
        };
        let hint = match error.failure {
            StateFailure::Url => format!("correct {}", named(origin)),
            StateFailure::Unreachable | StateFailure::Timeout => {
                format!("is it running and reachable from here? its place is {}", named(origin))
            }
            StateFailure::Login => format!("check user and password in {}", named(origin)),
            StateFailure::Denied => {
                "grant the user the commands and keys of boothds; docs/state.md lists them".to_owned()
            }
            StateFailure::ReadOnly => "check the permissions of the file and its folder".to_owned(),
            StateFailure::Full => "make room: on the disk, or in the server's maxmemory".to_owned(),
            StateFailure::Corrupt => start_anew.to_owned(),
            StateFailure::Newer => format!("use that version of boothds; or {start_anew}"),
            StateFailure::Foreign => {
                format!("name another place with BOOTHDS_STATE_URL; its place is {}", named(origin))
            }
            StateFailure::Other => "look into the log of the store".to_owned(),
        };
        let code =
            if error.failure == StateFailure::Url { ExitCode::Settings } else { ExitCode::Unavailable };
        Self::of(code, error).hint(hint)
    }

    /// An error about the application database, whose URL came from `origin`.
    pub(super) fn catalogue(error: &CatalogueError, origin: &Origin) -> Self {
        let hint = match error {
            CatalogueError::Url { .. } => {
                format!("correct {origin}: postgres://user@host:port/database or sqlite:PATH")
            }
            CatalogueError::Connect { source, .. } | CatalogueError::Query { source, .. } => {
                format!("{} (the URL is {origin})", database_hint(source).trim_end_matches('?'))
            }
            CatalogueError::NoTable { .. } => {
                format!("is this the application database, and not a tenant's? (the URL is {origin})")
            }
            CatalogueError::NoColumns { sql, .. } => format!("add what is missing: {sql}"),
        };
        let code = match error {
            CatalogueError::Url { .. } => ExitCode::Settings,
            _ => ExitCode::Unavailable,
        };
        Self::of(code, error).hint(hint)
    }
}

/// The origin of the state store's place, as something to correct.
fn named(origin: &Origin) -> String {
    match origin {
        Origin::Default => "the default, which BOOTHDS_STATE_URL replaces".to_owned(),
        origin => origin.to_string(),
    }
}

/// The hints of the failure table speak of a tenant's key and URL; those that would mislead are replaced.
fn database_hint(failure: &Failure) -> &'static str {
    match failure.class {
        FailureClass::Password | FailureClass::Role | FailureClass::PoolerUser => {
            "check its user and password"
        }
        FailureClass::NoDatabase => "check the name of the database",
        FailureClass::NotPostgres => "check host and port: something else listens there",
        FailureClass::FileMissing => "check the path, or make an embedded fleet with `boothds demo`",
        FailureClass::FileRefused => "check the file's permissions, and that it is a SQLite database",
        FailureClass::Grant => "grant the user SELECT on the table tenants",
        FailureClass::Timeout => "is a firewall dropping the packets, or the server overloaded?",
        FailureClass::TooManyConnections => {
            "wait, use the pooler's address, or raise the server's max_connections"
        }
        FailureClass::Dns => "check the host name",
        class => class.hint(),
    }
}

impl From<clap::Error> for CliError {
    fn from(error: clap::Error) -> Self {
        let text = hide_credentials(&error.render().to_string());
        let mut lines = text.lines();
        let first = lines.next().unwrap_or_default();
        let message = first.strip_prefix("error: ").unwrap_or(first);
        // What may be given instead, and which arguments are missing.
        let more = lines
            .map(str::trim)
            .take_while(|line| !line.starts_with("Usage:"))
            .filter(|line| !line.is_empty());
        let causes = more.map(str::to_owned).collect();
        Self { causes, ..Self::usage(message) }.hint("see `boothds --help`")
    }
}

impl From<SettingsError> for CliError {
    fn from(error: SettingsError) -> Self {
        let hint = match &error {
            SettingsError::Missing { .. } => None,
            SettingsError::Value { origin, .. } => Some(format!("correct or remove {origin}")),
            SettingsError::Conflict { second, .. } => {
                Some(format!("remove one of them, for example {second}"))
            }
        };
        Self { hint, ..Self::of(ExitCode::Settings, &error) }
    }
}

impl From<KeyError> for CliError {
    fn from(error: KeyError) -> Self {
        let hint = match &error {
            KeyError::NotSet => {
                "set ENCRYPTION_KEY or ENCRYPTION_KEY_FILE, or make a key with `boothds keygen --output FILE`"
            }
            KeyError::Malformed { .. } => "`boothds keygen` makes a key of the right form",
            KeyError::File { .. } => "check the path and the permissions of the file",
            KeyError::Command { .. } => {
                "run the command by hand: it must print 64 hex digits and end with status 0"
            }
        };
        Self::of(ExitCode::Key, &error).hint(hint)
    }
}

impl From<OpenError> for CliError {
    fn from(error: OpenError) -> Self {
        let hint = match error {
            OpenError::Authentication => "name the key it was sealed with in ENCRYPTION_KEY_PREVIOUS",
            OpenError::Plaintext => "treat it as leaked; seal a new one with `boothds encrypt`",
            OpenError::Hex | OpenError::Format | OpenError::NotText => "seal it again with `boothds encrypt`",
        };
        Self::of(ExitCode::Key, &error).hint(hint)
    }
}

impl From<SetupError> for CliError {
    fn from(error: SetupError) -> Self {
        match error {
            SetupError::Settings(error) => error.into(),
            SetupError::Key(error) => error.into(),
            SetupError::Database(error) => Self::of(ExitCode::Settings, &error),
        }
    }
}

impl From<FetchError> for CliError {
    fn from(error: FetchError) -> Self {
        let (code, hint) = match &error {
            FetchError::Address(_) => (ExitCode::Usage, "--endpoint takes the URL of a running service"),
            FetchError::ClearText(_) => (ExitCode::Usage, "use https, or a tunnel that ends on this machine"),
            FetchError::Refused { .. } => {
                (ExitCode::Unavailable, "set BOOTHDS_SERVE_TOKEN to the token of the service")
            }
            FetchError::Service { .. } => {
                (ExitCode::Unavailable, "check that the service runs, and the path of the document")
            }
        };
        Self::of(code, &error).hint(hint)
    }
}

impl From<FileError> for CliError {
    fn from(error: FileError) -> Self {
        let hint = matches!(error, FileError::Exists(_))
            .then(|| "choose another path, or --force to replace it".to_owned());
        Self { hint, ..Self::of(ExitCode::Io, &error) }
    }
}

impl From<DemoError> for CliError {
    fn from(error: DemoError) -> Self {
        let hint =
            matches!(error, DemoError::Occupied(_)).then(|| "name another folder with --dir".to_owned());
        Self { hint, ..Self::of(ExitCode::Io, &error) }
    }
}
