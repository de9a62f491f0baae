//! The table of exit codes. Runbooks and CI jobs depend on it; the man pages and the error objects show it.

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitCode {
    /// Done, and all is well.
    Ok = 0,
    /// Ran to the end, and something is unhealthy.
    Unhealthy = 1,
    /// Wrong arguments.
    Usage = 2,
    /// A setting is missing or invalid.
    Settings = 3,
    /// The encryption key is missing, malformed, or does not open what it was given.
    Key = 4,
    /// The application database, or a store that the command is about, cannot be used.
    Unavailable = 5,
    /// No such tenant, or an empty selection.
    NotFound = 6,
    /// A rotation was refused or failed, and nothing was changed.
    Unchanged = 7,
    /// A rotation was carried out in part, or its outcome is unknown.
    Partial = 8,
    /// A local file could not be read or written.
    Io = 9,
    /// A bug.
    Bug = 101,
    /// Interrupted (SIGINT).
    Interrupted = 130,
    /// Terminated (SIGTERM).
    Terminated = 143,
}

impl ExitCode {
    /// Every code.
    pub const ALL: [Self; 13] = [
        Self::Ok,
        Self::Unhealthy,
        Self::Usage,
        Self::Settings,
        Self::Key,
        Self::Unavailable,
        Self::NotFound,
        Self::Unchanged,
        Self::Partial,
        Self::Io,
        Self::Bug,
        Self::Interrupted,
        Self::Terminated,
    ];

    /// The number that the process returns.
    #[must_use]
    pub fn number(self) -> u8 {
        self as u8
    }

    /// The word in the error object of `--json`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Unhealthy => "unhealthy",
            Self::Usage => "usage",
            Self::Settings => "settings",
            Self::Key => "key",
            Self::Unavailable => "unavailable",
            Self::NotFound => "not-found",
            Self::Unchanged => "unchanged",
            Self::Partial => "partial",
            Self::Io => "io",
            Self::Bug => "bug",
            Self::Interrupted => "interrupted",
            Self::Terminated => "terminated",
        }
    }

    /// What it means, for the man page.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Ok => "Done, and all is well.",
            Self::Unhealthy => {
                "Ran to the end, and something is unhealthy: a tenant failed, or there is a finding at or above --fail-on."
            }
            Self::Usage => {
                "Wrong arguments, or a question must be answered and there is no terminal to ask on."
            }
            Self::Settings => "A setting is missing or invalid.",
            Self::Key => "The encryption key is missing or malformed, or does not open what it was given.",
            Self::Unavailable => {
                "The application database, or a state store that the command is about, cannot be reached or does not fit."
            }
            Self::NotFound => "No such tenant, or an empty selection.",
            Self::Unchanged => "A rotation was refused or failed, and nothing was changed.",
            Self::Partial => "A rotation was carried out in part, or its outcome is unknown.",
            Self::Io => "A local file could not be read or written.",
            Self::Bug => "A bug in boothds.",
            Self::Interrupted => "Interrupted (SIGINT); what had finished was printed.",
            Self::Terminated => "Terminated (SIGTERM); what had finished was printed.",
        }
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code.number())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_that_of_the_contract() {
        let table: Vec<(u8, &str)> =
            ExitCode::ALL.into_iter().map(|code| (code.number(), code.word())).collect();
        let expected = [
            (0, "ok"),
            (1, "unhealthy"),
            (2, "usage"),
            (3, "settings"),
            (4, "key"),
            (5, "unavailable"),
            (6, "not-found"),
            (7, "unchanged"),
            (8, "partial"),
            (9, "io"),
            (101, "bug"),
            (130, "interrupted"),
            (143, "terminated"),
        ];
        assert_eq!(table, expected);
    }
}
