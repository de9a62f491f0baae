//! What a stored value is, and what is to be done with it. Pure, and blind to what is inside: a value that opens is
//! rotated, whatever it says.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Rotation;
use crate::catalogue::rewrite::{StoredKey, StoredRow};
use crate::cipher::{KeyId, OpenError};
use crate::secret::Secret;
use crate::tenant::{Role, TenantId};

/// Both columns, in the order in which they are looked at.
pub(super) const ROLES: [Role; 2] = [Role::Anon, Role::Service];

/// Why a value cannot be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// A credential that was never sealed.
    Plaintext,
    /// Three parts in hexadecimal.
    Hex,
    /// Sealed, but no key that was given opens it.
    WrongKey,
    /// Nothing that was ever sealed.
    Format,
    /// It is no text, or opens to what is none.
    NotText,
    /// It opens, but with an earlier key only. Said by a proof alone.
    EarlierKey,
}

impl Reason {
    /// The word in JSON and tables.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plaintext => "plaintext",
            Self::Hex => "hex",
            Self::WrongKey => "wrong-key",
            Self::Format => "format",
            Self::NotText => "not-text",
            Self::EarlierKey => "earlier-key",
        }
    }

    /// It in words.
    #[must_use]
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Plaintext => "a credential that was never sealed",
            Self::Hex => "hexadecimal parts instead of base64",
            Self::WrongKey => "sealed, but with none of the keys that were given, or damaged",
            Self::Format => "no sealed key at all",
            Self::NotText => "no UTF-8 text",
            Self::EarlierKey => "sealed with an earlier key",
        }
    }
}

/// A value that needs a decision, or was left as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unreadable {
    /// The tenant's id.
    pub tenant: TenantId,
    /// Its short name, for people.
    #[serde(skip)]
    pub subdomain: String,
    /// The column.
    pub column: &'static str,
    /// What is the matter with it.
    pub reason: Reason,
}

/// One value that is to be sealed although it never was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The tenant's id or subdomain.
    pub tenant: String,
    /// Which of its keys.
    pub role: Role,
}

/// What to do with values that no key opens. Without a decision they stop the rotation.
#[derive(Clone, Debug, Default)]
pub struct Decisions {
    /// Seal every plaintext credential.
    pub seal_all: bool,
    /// Seal these, also a bare password, which has no form by which it could be told from damage.
    pub seal: Vec<Choice>,
    /// Leave the others as they are.
    pub skip: bool,
}

impl Decisions {
    fn seals(&self, row: &StoredRow, role: Role, reason: Reason, stored: &str) -> bool {
        let named = self.seal.iter().any(|choice| {
            choice.role == role
                && (choice.tenant == row.id.as_str()
                    || !choice.tenant.is_empty() && choice.tenant == row.subdomain)
        });
        match reason {
            Reason::Plaintext => named || self.seal_all,
            // Three parts are more likely a sealed key that was damaged than a password.
            Reason::Format => named && stored.matches(':').count() != 2,
            _ => false,
        }
    }
}

/// The values that were found or changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Opened with an earlier key, by key; rotated, if the rotation went through.
    pub earlier: BTreeMap<KeyId, u64>,
    /// Under the target already.
    pub current: u64,
    /// Plaintext that is to be sealed, or was.
    pub sealed: u64,
    /// What was left as it is, or needs a decision.
    pub unreadable: Vec<Unreadable>,
}

impl Tally {
    /// Values that were opened with an earlier key.
    #[must_use]
    pub fn rotated(&self) -> u64 {
        self.earlier.values().sum()
    }

    /// Values that are changed.
    #[must_use]
    pub fn changed(&self) -> u64 {
        self.rotated() + self.sealed
    }

    /// How many of the values that cannot be opened are so for this reason.
    #[must_use]
    pub fn count(&self, reason: Reason) -> usize {
        self.unreadable.iter().filter(|value| value.reason == reason).count()
    }

    pub(super) fn add(&mut self, other: Self) {
        for (key, count) in other.earlier {
            *self.earlier.entry(key).or_default() += count;
        }
        self.current += other.current;
        self.sealed += other.sealed;
        self.unreadable.extend(other.unreadable);
    }

    /// Counts a value that is looked at.
    pub(super) fn see(&mut self, row: &StoredRow, role: Role, action: &Action) {
        match action {
            Action::Leave => self.current += 1,
            Action::Reseal(_, key) => *self.earlier.entry(*key).or_default() += 1,
            Action::Seal(_) => self.sealed += 1,
            Action::Skip(reason) | Action::Stop(reason) => {
                self.unreadable.push(Unreadable::new(row, role, *reason));
            }
        }
    }
}

impl Unreadable {
    pub(super) fn new(row: &StoredRow, role: Role, reason: Reason) -> Self {
        Self { tenant: row.id.clone(), subdomain: row.subdomain.clone(), column: role.column(), reason }
    }
}

/// What is to be done with a value.
#[derive(Debug)]
pub(super) enum Action {
    /// It is under the target key.
    Leave,
    /// Seal what an earlier key opened.
    Reseal(Secret, KeyId),
    /// Seal what never was.
    Seal(Secret),
    /// Leave it although nobody can read it.
    Skip(Reason),
    /// Nobody has decided.
    Stop(Reason),
}

impl Rotation {
    /// What is to be done with a key of a row.
    pub(super) fn judge(&self, row: &StoredRow, role: Role, stored: &StoredKey) -> Action {
        let reason = match stored {
            StoredKey::Bytes => Reason::NotText,
            StoredKey::Text(text) => match self.ring.open(text.expose()) {
                Ok(opened) if opened.current => return Action::Leave,
                Ok(opened) => return Action::Reseal(opened.plaintext, opened.key_id),
                Err(error) => {
                    let reason = reason(error);
                    if self.decisions.seals(row, role, reason, text.expose()) {
                        return Action::Seal(text.clone());
                    }
                    reason
                }
            },
        };
        if self.decisions.skip { Action::Skip(reason) } else { Action::Stop(reason) }
    }
}

fn reason(error: OpenError) -> Reason {
    match error {
        OpenError::Plaintext => Reason::Plaintext,
        OpenError::Hex => Reason::Hex,
        OpenError::Authentication => Reason::WrongKey,
        OpenError::Format => Reason::Format,
        OpenError::NotText => Reason::NotText,
    }
}
