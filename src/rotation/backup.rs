//! The backup of a rotation: a line of JSON for every value that is changed, on disk before the change is committed.
//!
//! ```json
//! {"tenant":"8c0e…","column":"data_source_anon_key","old":"iv:tag:text","new":"iv:tag:text"}
//! ```
//!
//! It holds lines of transactions that were rolled back as well: of them the new value stands nowhere, so that restoring
//! passes them over. A run that was killed may leave half of a last line, whose change was never committed; a copy of the
//! file may have been cut off. So the last line of a run that reached its end tells how many there are before it:
//!
//! ```json
//! {"lines":406}
//! ```

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Cause;
use super::judge::ROLES;
use crate::catalogue::rewrite::{Change, StoredKey};
use crate::private_file::{FileError, PrivateLog};
use crate::sanitize::printable;
use crate::secret::Secret;
use crate::tenant::Role;

/// The longest line with its end that is written or read, bytes. A sealed key has some hundreds.
const LINE_LIMIT: usize = 4 * 1024 * 1024;

/// A backup that is being written.
#[derive(Debug)]
pub struct Backup {
    log: PrivateLog,
    /// How many lines were added.
    lines: u64,
}

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

/// The last line of a run that reached its end.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct End {
    lines: u64,
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
        Ok(Self { log: PrivateLog::create(path)?, lines: 0 })
    }

    /// Adds lines. One that could not be read again is refused as long as nothing is committed.
    pub(super) fn add(&mut self, lines: impl IntoIterator<Item = Line>) -> Result<(), Cause> {
        for line in lines {
            let text = line.format();
            if text.expose().len() > LINE_LIMIT {
                let tenant = printable(&line.tenant).into_owned();
                return Err(Cause::TooLongForBackup { tenant, column: line.role.column() });
            }
            self.log.append(&text)?;
            self.lines += 1;
        }
        Ok(())
    }

    /// Says in the file that it is whole, at the end of a run. A file without a line is removed: there is nothing that
    /// it could put back, and it would be in the way of the next run.
    ///
    /// # Errors
    /// What the system refused.
    pub fn finish(mut self) -> Result<(), FileError> {
        if self.lines == 0 {
            return self.discard();
        }
        let end = serde_json::to_string(&End { lines: self.lines }).unwrap_or_default();
        self.log.append(&Secret::new(format!("{end}\n")))?;
        self.log.sync()
    }

    pub(super) fn sync(&mut self) -> Result<(), FileError> {
        self.log.sync()
    }

    /// Removes the file, of a rotation that has changed nothing.
    ///
    /// # Errors
    /// What the system refused.
    pub fn discard(self) -> Result<(), FileError> {
        self.log.remove()
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
    /// Whether the last line is half a line, and was passed over.
    pub torn: bool,
    /// Whether the file says that it is whole.
    pub ended: bool,
}

impl Lines {
    /// Opens a backup, which is read more than once and therefore no pipe.
    ///
    /// # Errors
    /// [`FileError::NotAFile`]; otherwise what the system refused.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        let io = |source| FileError::Io { operation: "read", path: PathBuf::from(path), source };
        // Before it is opened, which would wait for a writer of a pipe.
        if !path.metadata().map_err(io)?.is_file() {
            return Err(FileError::NotAFile(path.to_owned()));
        }
        let file = BufReader::new(File::open(path).map_err(io)?);
        Ok(Self { file, number: 0, torn: false, ended: false })
    }

    /// The next line of the file, and whether it has an end.
    fn text(&mut self) -> Result<Option<(Secret, bool)>, String> {
        let mut bytes = Vec::new();
        let limit = u64::try_from(LINE_LIMIT).unwrap_or(u64::MAX);
        let read = (&mut self.file).take(limit).read_until(b'\n', &mut bytes);
        if read.map_err(|error| error.to_string())? == 0 {
            return Ok(None);
        }
        let whole = bytes.pop_if(|last| *last == b'\n').is_some();
        if !whole && bytes.len() == LINE_LIMIT {
            return Err(format!("it is longer than {LINE_LIMIT} bytes"));
        }
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Some((Secret::new(text), whole))),
            // Cut off within a letter.
            Err(_) if !whole => Ok(Some((Secret::new(String::new()), false))),
            Err(_) => Err("it is no UTF-8 text".to_owned()),
        }
    }

    /// The next line. One without an end is as good as any other if it is all there.
    fn line(&mut self) -> Result<Option<Line>, String> {
        let Some((text, whole)) = self.text()? else { return Ok(None) };
        if let Ok(End { lines }) = serde_json::from_str(text.expose()) {
            if lines != self.number - 1 {
                return Err(format!("it counts {lines} lines, and {} are there", self.number - 1));
            }
            self.ended = true;
            self.number += 1;
            return match self.text()? {
                None => Ok(None),
                Some(_) => Err("it stands behind the last one".to_owned()),
            };
        }
        match Line::parse(&text) {
            Ok(line) => Ok(Some(line)),
            Err(_) if !whole => {
                self.torn = true;
                Ok(None)
            }
            Err(what) => Err(what),
        }
    }
}

impl Iterator for Lines {
    type Item = Result<Line, LineError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.number += 1;
        self.line().map_err(|what| LineError { number: self.number, what }).transpose()
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
