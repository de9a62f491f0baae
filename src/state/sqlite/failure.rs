//! What SQLite and the file system say, as classes of [`StateFailure`].

use std::io;

use crate::state::error::{StateError, StateFailure};

/// An error of the store that does not know yet where the store is.
#[derive(Debug)]
pub(super) struct Trouble {
    failure: StateFailure,
    detail: Option<String>,
}

impl Trouble {
    pub(super) fn new(failure: StateFailure, detail: &str) -> Self {
        Self { failure, detail: Some(detail.to_owned()) }
    }

    /// An error of the operating system at `operation`, such as `read the file`.
    pub(super) fn io(operation: &str, error: &io::Error) -> Self {
        let failure = match error.kind() {
            io::ErrorKind::PermissionDenied => StateFailure::Denied,
            io::ErrorKind::ReadOnlyFilesystem => StateFailure::ReadOnly,
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                StateFailure::Full
            }
            io::ErrorKind::NotADirectory | io::ErrorKind::IsADirectory | io::ErrorKind::AlreadyExists => {
                StateFailure::Foreign
            }
            _ => StateFailure::Unreachable,
        };
        Self::new(failure, &format!("cannot {operation}: {error}"))
    }

    /// The time limit was exceeded.
    pub(super) fn late() -> Self {
        Self { failure: StateFailure::Timeout, detail: None }
    }

    pub(super) fn at(self, address: &str) -> StateError {
        StateError::new(address, self.failure, self.detail.as_deref())
    }
}

impl From<sqlx::Error> for Trouble {
    fn from(error: sqlx::Error) -> Self {
        let sqlx::Error::Database(database) = &error else {
            return match &error {
                // A column of another type than the tables give it.
                sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) | sqlx::Error::RowNotFound => {
                    Self::new(StateFailure::Corrupt, "something in it cannot be read")
                }
                _ => Self::new(StateFailure::Other, &error.to_string()),
            };
        };
        let code = database.code().and_then(|code| code.parse::<u32>().ok()).unwrap_or(0);
        Self::new(class(code), &format!("{} (SQLite code {code})", database.message()))
    }
}

/// By the extended result code, whose low byte is the primary one: <https://www.sqlite.org/rescode.html>
fn class(code: u32) -> StateFailure {
    // Writing failed: where the disk has no room SQLite says 13, and 778 where the system limits the size of files.
    const IOERR_WRITE: u32 = 778;
    const IOERR_SHMSIZE: u32 = 4874;
    match (code & 0xff, code) {
        (13, _) | (_, IOERR_WRITE | IOERR_SHMSIZE) => StateFailure::Full,
        (5 | 6, _) => StateFailure::Timeout,
        (8, _) => StateFailure::ReadOnly,
        (3 | 23, _) => StateFailure::Denied,
        (14, _) => StateFailure::Unreachable,
        (11 | 26, _) => StateFailure::Corrupt,
        // A table or column is missing, or a constraint does not hold that the tables were made with.
        (1 | 19 | 20, _) => StateFailure::Corrupt,
        _ => StateFailure::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_that_matter_have_their_class() {
        let classes = [13, 778, 5, 517, 8, 1544, 14, 11, 267, 26, 1, 10].map(class);
        use StateFailure as F;
        assert_eq!(
            classes,
            [
                F::Full,
                F::Full,
                F::Timeout,
                F::Timeout,
                F::ReadOnly,
                F::ReadOnly,
                F::Unreachable,
                F::Corrupt,
                F::Corrupt,
                F::Corrupt,
                F::Corrupt,
                F::Other
            ]
        );
    }
}
