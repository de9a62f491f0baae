//! Why a state store does not serve.

use crate::sanitize::printable;

/// What is wrong with a store, for the hint and for whether it is worth trying again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateFailure {
    /// Its URL, or the settings that should name it, cannot be used.
    Url,
    /// It cannot be reached, or the connection broke.
    Unreachable,
    /// It does not answer in time, or is locked by another process for too long.
    Timeout,
    /// The password or user is wrong, or one is wanted.
    Login,
    /// It does not permit what is needed.
    Denied,
    /// It can be read and not written.
    ReadOnly,
    /// Its disk or memory is used up.
    Full,
    /// What is there is not what a store should hold.
    Corrupt,
    /// It was made by a newer version.
    Newer,
    /// It is some other kind of thing: a folder, another program's file.
    Foreign,
    /// It answered with an error that has no class of its own.
    Other,
}

/// An error of a state store. Safe to show.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the state store {address} {}{}", failure.sentence(), detail.as_ref().map(|d| format!(": {d}")).unwrap_or_default())]
pub struct StateError {
    /// Where the store is, without user and password.
    pub address: String,
    /// What is wrong.
    pub failure: StateFailure,
    /// The particulars, printable and without secrets.
    pub detail: Option<String>,
}

impl StateFailure {
    /// What is wrong, behind the name of the store.
    #[must_use]
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Url => "cannot be used",
            Self::Unreachable => "cannot be reached",
            Self::Timeout => "does not answer in time",
            Self::Login => "does not accept the user or password",
            Self::Denied => "does not permit what is needed",
            Self::ReadOnly => "cannot be written",
            Self::Full => "is full",
            Self::Corrupt => "is corrupt",
            Self::Newer => "was made by a newer version of boothds",
            Self::Foreign => "is not a state store of boothds",
            Self::Other => "answered with an error",
        }
    }
}

impl StateError {
    /// Whether the store is away, and not just unable or unwilling to do one thing.
    #[must_use]
    pub fn is_loss(&self) -> bool {
        matches!(self.failure, StateFailure::Unreachable | StateFailure::Timeout | StateFailure::Login)
    }

    /// An error with particulars, which are made printable here; they must hold no secret.
    #[must_use]
    pub fn new(address: &str, failure: StateFailure, detail: Option<&str>) -> Self {
        Self { address: address.to_owned(), failure, detail: detail.map(|text| printable(text).into_owned()) }
    }
}
