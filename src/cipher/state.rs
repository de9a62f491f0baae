//! What state a stored key is in, as lists and inspections show it; works without an encryption key too.

use serde::Serialize;

use super::ring::{KeyRing, Opened};
use super::sealed::{OpenError, Sealed};
use crate::secret::Secret;

/// The state of a stored key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyState {
    /// Sealed; opens with the current key, as far as one is known.
    Sealed,
    /// Sealed; opens with an earlier key.
    PreviousKey,
    /// A credential that was never sealed.
    Plaintext,
    /// Three parts in hexadecimal, which the application cannot read.
    Hex,
    /// No key opens it, or it has no form at all.
    Unreadable,
    /// There is none.
    Missing,
}

impl KeyState {
    /// The word in tables and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sealed => "sealed",
            Self::PreviousKey => "previous-key",
            Self::Plaintext => "plaintext",
            Self::Hex => "hex",
            Self::Unreadable => "unreadable",
            Self::Missing => "missing",
        }
    }
}

/// A stored key looked at: its state, and what it holds if it was opened.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// The state.
    pub state: KeyState,
    /// The opened value, when there was a key that opens it.
    pub opened: Option<Opened>,
}

/// Looks at a stored key. Without a `ring` the form alone is judged, and nothing is opened.
#[must_use]
pub fn inspect(ring: Option<&KeyRing>, stored: Option<&Secret>) -> Inspection {
    let Some(stored) = stored else { return Inspection { state: KeyState::Missing, opened: None } };
    let opened = match ring {
        Some(ring) => ring.open(stored.expose()).map(Some),
        None => Sealed::parse(stored.expose()).map(|_| None),
    };
    let state = match &opened {
        Ok(Some(opened)) if !opened.current => KeyState::PreviousKey,
        Ok(_) => KeyState::Sealed,
        Err(OpenError::Plaintext) => KeyState::Plaintext,
        Err(OpenError::Hex) => KeyState::Hex,
        Err(OpenError::Format | OpenError::Authentication | OpenError::NotText) => KeyState::Unreadable,
    };
    Inspection { state, opened: opened.ok().flatten() }
}
