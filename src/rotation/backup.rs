//! The backup of a rotation: a line of JSON for every value that is changed, on disk before the change is committed.
//!
//! ```json
//! {"tenant":"8c0e…","column":"data_source_anon_key","old":"iv:tag:text","new":"iv:tag:text"}
//! ```
//!
//! It holds lines of transactions that were rolled back as well: of them the new value stands nowhere, so that restoring
//! passes them over. A run that was killed may leave half of a last line, whose change was never committed.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::judge::ROLES;
use crate::catalogue::rewrite::{Change, StoredKey};
use crate::private_file::{FileError, PrivateLog};
use crate::secret::Secret;
use crate::tenant::Role;

/// The longest line that is read, bytes. A sealed key has some hundreds.
const LINE_LIMIT: u64 = 4 * 1024 * 1024;

/// A backup that is being written.
#[derive(Debug)]
pub struct Backup(PrivateLog);

/// One changed value.
#[derive(Debug)]
pub struct Line {
    /// The tenant's id.
    pub tenant: String,
    /// Which of its keys.
    pub role: Role,
    /// What stood there before. A [`Secret`], because it may have been plaintext.
    pub old: Secret,
    /// What was written.
    pub new: Secret,
}

/// A line as it stands in the file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written<'a> {
    tenant: std::borrow::Cow<'a, str>,
    column: std::borrow::Cow<'a, str>,
    old: std::borrow::Cow<'a, str>,
    new: std::borrow::Cow<'a, str>,
}

/// A line that cannot be read. Never what it holds.
#[derive(Debug, thiserror::Error)]
#[error("line {number} is no line of a backup: {what}")]
pub struct LineError {
    /// Its number, from 1.
    pub number: u64,
    /// What is wrong with it.
    pub what: String,
}

impl Backup {
    /// Makes the file, readable by its owner alone and never over another.
    ///
    /// # Errors
    /// [`FileError::Exists`]; otherwise what the system refused.
    pub fn create(path: &Path) -> Result<Self, FileError> {
        PrivateLog::create(path).map(Self)
    }

    pub(super) fn add(&mut self, lines: impl IntoIterator<Item = Line>) -> Result<(), FileError> {
        lines.into_iter().try_for_each(|line| self.0.append(&line.format()))
    }

    pub(super) fn sync(&mut self) -> Result<(), FileError> {
        self.0.sync()
    }

    /// Removes the file, of a rotation that has changed nothing.
    ///
    /// # Errors
    /// What the system refused.
    pub fn discard(self) -> Result<(), FileError> {
        self.0.remove()
    }
}

impl Line {
    /// The lines of a change, one for each value.
    pub(super) fn of_change(change: &Change) -> impl Iterator<Item = Self> {
        ROLES.into_iter().filter_map(|role| {
            let (Some(StoredKey::Text(old)), Some(new)) = (change.row.key(role), change.new_key(role)) else {
                return None;
            };
            let tenant = change.row.id.as_str().to_owned();
            Some(Self { tenant, role, old: old.clone(), new: new.clone() })
        })
    }

    /// The line as it is written, with its end.
    #[must_use]
    pub fn format(&self) -> Secret {
        let written = Written {
            tenant: self.tenant.as_str().into(),
            column: self.role.column().into(),
            old: self.old.expose().into(),
            new: self.new.expose().into(),
        };
        let mut text = serde_json::to_string(&written).unwrap_or_default();
        text.push('\n');
        Secret::new(text)
    }

    /// Reads a line without its end.
    ///
    /// # Errors
    /// What is wrong with it, without repeating it.
    pub fn parse(text: &Secret) -> Result<Self, String> {
        let written: Written<'_> = serde_json::from_str(text.expose()).map_err(|error| {
            // Its own words may quote what is there.
            match error.classify() {
                serde_json::error::Category::Data => {
                    "it lacks one of tenant, column, old and new, or has more"
                }
                _ => "it is no JSON",
            }
            .to_owned()
        })?;
        let role = ROLES.into_iter().find(|role| role.column() == written.column);
        Ok(Self {
            tenant: written.tenant.into_owned(),
            role: role.ok_or("its column is none of the two that hold keys")?,
            old: Secret::new(written.old.into_owned()),
            new: Secret::new(written.new.into_owned()),
        })
    }
}

/// The lines of a backup, read one by one.
#[derive(Debug)]
pub struct Lines {
    file: BufReader<File>,
    number: u64,
    /// Whether the last line has no end, and was passed over.
    pub torn: bool,
}

impl Lines {
    /// Opens a backup.
    ///
    /// # Errors
    /// What the system refused.
    pub fn open(path: &Path) -> std::io::Result<Self> {
        Ok(Self { file: BufReader::new(File::open(path)?), number: 0, torn: false })
    }
}

impl Iterator for Lines {
    type Item = Result<Line, LineError>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut text = String::new();
        let read = (&mut self.file).take(LINE_LIMIT).read_line(&mut text);
        let text = Secret::new(text);
        self.number += 1;
        let number = self.number;
        let wrong = |what: String| Some(Err(LineError { number, what }));
        match read {
            Err(error) => return wrong(error.to_string()),
            Ok(0) => return None,
            Ok(_) => {}
        }
        let Some(line) = text.expose().strip_suffix('\n') else {
            // The run was killed while it wrote this line, before it committed.
            self.torn = true;
            return None;
        };
        match Line::parse(&Secret::new(line.to_owned())) {
            Ok(line) => Some(Ok(line)),
            Err(what) => wrong(what),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read_back(tenant in any::<String>(), old in any::<String>(), new in any::<String>()) {
            let secret = |text: &str| Secret::new(text.to_owned());
            let line = Line { tenant: tenant.clone(), role: Role::Anon, old: secret(&old), new: secret(&new) };
            let text = line.format();
            let text = text.expose().strip_suffix('\n').unwrap();
            prop_assert!(!text.contains('\n'));
            let line = Line::parse(&secret(text)).unwrap();
            prop_assert_eq!((line.tenant, line.role), (tenant, Role::Anon));
            prop_assert_eq!((line.old.expose(), line.new.expose()), (&*old, &*new));
        }

        #[test]
        fn any_text_is_read_or_refused_without_repeating_it(text in "[a-z{}\":,]{9,60}") {
            if let Err(what) = Line::parse(&Secret::new(text.clone())) {
                prop_assert!(!what.contains(&text));
            }
        }
    }
}
