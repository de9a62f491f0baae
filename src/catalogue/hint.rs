//! What to do when the application database does not serve. The hints of the failure table speak of a tenant's key and
//! URL; those that would mislead are replaced here.

use super::CatalogueError;
use crate::failure::{Failure, FailureClass};

impl CatalogueError {
    /// What to do about it, without a full stop or question mark, so that where the URL came from can follow.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Url { .. } => "correct it: postgres://user@host:port/database or sqlite:PATH".to_owned(),
            Self::Connect { source, .. } | Self::Query { source, .. } => {
                of(source).trim_end_matches('?').to_owned()
            }
            Self::NoTable { .. } => "is this the application database, and not a tenant's?".to_owned(),
            Self::NoColumns { sql, .. } => format!("add what is missing: {sql}"),
        }
    }
}

fn of(failure: &Failure) -> &'static str {
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
