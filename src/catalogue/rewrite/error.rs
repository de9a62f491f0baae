//! Why keys cannot be rewritten, and who is in the way.

use super::trigger::BrokenTrigger;
use crate::catalogue::CatalogueError;
use crate::failure::Failure;

/// Who is in the way, in words that are safe to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder(pub(super) String);

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why keys cannot be rewritten.
#[derive(Debug, thiserror::Error)]
pub enum RewriteError {
    /// The application database cannot be reached or does not fit.
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    /// The table is no place where rows can be told apart and locked.
    #[error("the keys in `tenants` of {address} cannot be rewritten: {reason}")]
    Unfit {
        /// Where it is.
        address: String,
        /// What is in the way.
        reason: &'static str,
    },
    /// Another rotation holds the lock.
    #[error("another rotation is under way: {holder}")]
    Locked {
        /// Who.
        holder: Holder,
    },
    /// Somebody else holds rows.
    #[error("a row of `tenants` stayed locked: {holder}")]
    RowsLocked {
        /// Who might be.
        holder: Holder,
    },
    /// The lock against a second rotation was lost.
    #[error("the lock against a second rotation was lost")]
    LockLost {
        /// How.
        source: Failure,
    },
    /// A trigger on the table raises.
    #[error("the trigger `{}` on `tenants` raises", .0.name)]
    Trigger(#[source] Box<BrokenTrigger>),
    /// The database refused a statement.
    #[error("cannot {operation} in the application database {address}")]
    Refused {
        /// `lock the rows of tenants`, …
        operation: &'static str,
        /// Where it is.
        address: String,
        /// What it said.
        source: Failure,
    },
    /// The connection broke, or there was no answer.
    #[error("the connection to the application database {address} was lost")]
    Lost {
        /// Where it is.
        address: String,
        /// How.
        source: Failure,
    },
}

impl RewriteError {
    /// Whether the same transaction may succeed when it is tried again: two transactions stood in each other's way.
    #[must_use]
    pub fn is_collision(&self) -> bool {
        let said = |failure: &Failure| failure.detail.as_deref().unwrap_or_default().to_owned();
        matches!(self, Self::Refused { source, .. }
            if ["(SQLSTATE 40P01)", "(SQLSTATE 40001)"].iter().any(|code| said(source).ends_with(code)))
    }
}
