//! Settings from files: `boothds.toml` and `.env`, read into layers.
//!
//! Errors name file, line and key, never a value or a line: either may be a secret.

use std::path::{Path, PathBuf};

use super::error::CliError;
use crate::secret::Secret;
use crate::settings::{Knob, Layer, Origin, RawValue};

/// A parsed `boothds.toml`.
#[derive(Debug)]
pub(super) struct ConfigFile {
    pub(super) path: PathBuf,
    /// The values at the top level.
    pub(super) top: Layer,
    /// The values of each `[profile.NAME]`.
    pub(super) profiles: Vec<(String, Layer)>,
    /// What could not be read of it.
    errors: Vec<CliError>,
}

impl ConfigFile {
    /// Reads a file that must exist; what cannot be read of it goes to `complaints`.
    pub(super) fn read(path: &Path, complaints: &mut Complaints) -> Result<Option<Self>, CliError> {
        let read = read_text(path).and_then(|text| Self::parse(path, text.expose()));
        let Some(mut file) = complaints.unless_error(read)? else { return Ok(None) };
        for error in std::mem::take(&mut file.errors) {
            complaints.unless_error::<()>(Err(error))?;
        }
        Ok(Some(file))
    }

    /// Reads a file if it exists.
    pub(super) fn find(path: &Path, complaints: &mut Complaints) -> Result<Option<Self>, CliError> {
        if is_there(path) { Self::read(path, complaints) } else { Ok(None) }
    }

    fn parse(path: &Path, text: &str) -> Result<Self, CliError> {
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
            // The error's own text quotes the line.
            let line = error.span().map(|span| text[..span.start.min(text.len())].matches('\n').count() + 1);
            let place = line.map(|line| format!(", line {line}")).unwrap_or_default();
            CliError::settings(format!("{} is no TOML{place}", path.display()))
                .hint("check the quotes and brackets there")
        })?;
        let mut file =
            Self { path: path.to_owned(), top: Layer::default(), profiles: Vec::new(), errors: Vec::new() };
        for (key, value) in &table {
            match (key.as_str(), value) {
                ("profile", toml::Value::Table(profiles)) => {
                    for (name, section) in profiles {
                        let toml::Value::Table(section) = section else {
                            file.errors.push(file.wrong(&format!("profile.{name}"), "a table"));
                            continue;
                        };
                        let mut values = Vec::new();
                        for (key, value) in section {
                            match file.value(key, value, Some(name)) {
                                Ok(value) => values.push(value),
                                Err(error) => file.errors.push(error),
                            }
                        }
                        file.profiles.push((name.clone(), Layer(values)));
                    }
                }
                _ => match file.value(key, value, None) {
                    Ok(value) => file.top.0.push(value),
                    Err(error) => file.errors.push(error),
                },
            }
        }
        Ok(file)
    }

    fn value(&self, key: &str, value: &toml::Value, profile: Option<&str>) -> Result<RawValue, CliError> {
        let Some(knob) = Knob::of_key(key) else {
            let error = CliError::settings(format!("unknown key `{key}` in {}", self.path.display()));
            return Err(if key.contains("encryption_key") || key.contains("previous_key") {
                error.hint(
                    "an encryption key never stands in this file; name its file with encryption_key_file",
                )
            } else {
                let known: Vec<_> = Knob::ALL.iter().filter_map(|knob| knob.describe().key).collect();
                error.hint(format!("the keys are {}, and the tables profile.NAME", known.join(", ")))
            });
        };
        let text = match value {
            toml::Value::String(text) => text.clone(),
            toml::Value::Integer(number) => number.to_string(),
            toml::Value::Boolean(value) => value.to_string(),
            toml::Value::Array(items) => {
                // A reason may have commas; what parts the others may not.
                let (parting, takes) = match knob {
                    Knob::Ignore => ("\n", "a list of texts of one line each"),
                    _ => (",", "a list of texts without commas"),
                };
                let texts: Option<Vec<&str>> =
                    items.iter().map(|item| item.as_str().filter(|item| !item.contains(parting))).collect();
                texts.ok_or_else(|| self.wrong(key, takes))?.join(parting)
            }
            _ => return Err(self.wrong(key, knob.describe().takes)),
        };
        Ok(RawValue {
            knob,
            text: Secret::new(text),
            origin: Origin::ConfigFile {
                key: key.to_owned(),
                file: self.path.clone(),
                profile: profile.map(str::to_owned),
            },
            base: Some(folder_of(&self.path)),
        })
    }

    fn wrong(&self, key: &str, takes: &str) -> CliError {
        CliError::settings(format!("{key} in {} is not usable: it takes {takes}", self.path.display()))
    }
}

/// What is done with an error of reading settings: it ends the run, or it is kept while everything else is read.
#[derive(Debug)]
pub(super) enum Complaints {
    /// The first error ends the reading.
    Fatal,
    /// Errors are kept.
    Kept(Vec<CliError>),
}

impl Complaints {
    /// The value; nothing where there was an error that is kept.
    pub(super) fn unless_error<T>(&mut self, read: Result<T, CliError>) -> Result<Option<T>, CliError> {
        match (read, self) {
            (Ok(value), _) => Ok(Some(value)),
            (Err(error), Self::Fatal) => Err(error),
            (Err(error), Self::Kept(errors)) => {
                errors.push(error);
                Ok(None)
            }
        }
    }
}

/// The variables of a `.env` file: its settings as a layer, and the other names.
#[derive(Debug)]
pub(super) struct EnvFile {
    pub(super) path: PathBuf,
    pub(super) layer: Layer,
    pub(super) names: Vec<String>,
    /// `DATABASE_URL`, also where a preferred name stands beside it.
    pub(super) database_url: Option<Secret>,
}

impl EnvFile {
    /// Reads a file that must exist.
    pub(super) fn read(path: &Path) -> Result<Self, CliError> {
        let text = read_text(path)?;
        // By iterator: `dotenvy::dotenv()` would change the environment of this process and so of its children.
        let mut variables = Vec::new();
        let literal = Secret::new(without_substitution(text.expose()));
        for item in dotenvy::from_read_iter(literal.expose().as_bytes()) {
            // The error's own text quotes the line.
            let (name, value) = item.map_err(|_| {
                let after = variables.last().map(|(name, _): &(String, String)| format!(" after {name}"));
                CliError::settings(format!(
                    "{} has a line{} that is no NAME=value",
                    path.display(),
                    after.unwrap_or_default()
                ))
                .hint("quote a value that contains blanks, quotes or #")
            })?;
            variables.push((name, value));
        }
        let names = variables.iter().map(|(name, _)| name.clone()).collect();
        let url = variables.iter().find(|(name, _)| name == "DATABASE_URL");
        let database_url = url.map(|(_, text)| Secret::new(text.clone()));
        let layer = Layer::from_vars(variables, Some(folder_of(path)), |name| Origin::EnvFile {
            name: name.to_owned(),
            file: path.to_owned(),
        });
        Ok(Self { path: path.to_owned(), layer, names, database_url })
    }

    /// Reads a file if it exists.
    pub(super) fn find(path: &Path) -> Result<Option<Self>, CliError> {
        if is_there(path) { Self::read(path).map(Some) } else { Ok(None) }
    }
}

/// Escapes every `$` that dotenvy would take for the beginning of a variable. A value means what it says, as to Node's
/// own dotenv: a password may have a `$`, and a file in the working directory must not read this process's environment,
/// where other secrets are, into a URL.
fn without_substitution(text: &str) -> String {
    let mut literal = String::with_capacity(text.len());
    let (mut quote, mut escaped, mut comment, mut before) = (None, false, false, '\n');
    for c in text.chars() {
        match c {
            '\n' => comment = false,
            '#' if quote.is_none() && matches!(before, '\n' | ' ' | '\t') => comment = true,
            '\'' | '"' if !comment && !escaped && quote.is_none() => quote = Some(c),
            _ if !escaped && quote == Some(c) => quote = None,
            '$' if !escaped && !comment && quote != Some('\'') => literal.push('\\'),
            _ => {}
        }
        escaped = c == '\\' && !escaped && quote != Some('\'');
        before = c;
        literal.push(c);
    }
    literal
}

/// Whether there is a file; what is in the way of looking is left for reading it to report. A home that is no folder
/// (`HOME=/dev/null`) has none.
fn is_there(path: &Path) -> bool {
    use std::io::ErrorKind::{NotADirectory, NotFound};
    !matches!(path.metadata(), Err(error) if matches!(error.kind(), NotFound | NotADirectory))
}

/// The folder that paths in a file are relative to.
fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// A file of settings may hold secrets, and is read as one.
fn read_text(path: &Path) -> Result<Secret, CliError> {
    crate::private_file::read(path).map_err(|error| {
        let error = CliError::from(error);
        CliError { code: super::ExitCode::Settings, ..error }
            .hint("check the path; settings are read from text files of up to 64 KiB")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dollar_in_an_env_file_is_a_dollar() {
        for (line, value) in [
            ("A=pa$HOME", "pa$HOME"),
            ("A=\"pa${HOME}\"", "pa${HOME}"),
            ("A='pa$HOME'", "pa$HOME"),
            ("# it's a comment\nA=$x # don't\n", "$x"),
            ("A=\"a \\\" $b\"", "a \" $b"),
            ("A=\\$x", "$x"),
            ("A=pa'$x'", "pa$x"),
        ] {
            let text = without_substitution(line);
            let found: Vec<_> = dotenvy::from_read_iter(text.as_bytes()).map(Result::unwrap).collect();
            assert_eq!(found, [("A".to_owned(), value.to_owned())], "{line}");
        }
    }
}
