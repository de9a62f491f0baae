//! From what was gathered to [`Settings`], and to what commands need of them: the database, the keys.

use std::io::Read;
use std::process::{Command, Stdio};

use super::args::GlobalArgs;
use super::config::Complaints;
use super::error::CliError;
use super::gather::Gathered;
use super::output::Output;
use crate::catalogue::{Catalogue, CatalogueError};
use crate::cipher::{KeyError, KeyRing};
use crate::private_file::READ_LIMIT;
use crate::secret::Secret;
use crate::settings::{KeySource, Knob, Origin, RawValue, Settings, Sourced};
use crate::url::masked;

/// The settings of a run, and what its errors and notes need to know.
#[derive(Debug)]
pub(super) struct Resolved {
    pub(super) settings: Settings,
    has_supabase_url: bool,
}

impl Resolved {
    /// Resolves the settings and reports on standard error what was overruled.
    pub(super) fn new(
        global: &GlobalArgs,
        extra: Vec<RawValue>,
        output: &mut Output,
    ) -> Result<Self, CliError> {
        let gathered = Gathered::new(global, extra, &mut Complaints::Fatal)?;
        for warning in &gathered.warnings {
            output.warning(warning);
        }
        for note in gathered.overruled() {
            output.note(&note);
        }
        let Gathered { layers, state_folder, has_supabase_url, .. } = gathered;
        let settings = Settings { state_folder, ..Settings::resolve(&layers)? };
        if global.verbose {
            explain(&settings, output);
        }
        Ok(Self { settings, has_supabase_url })
    }

    /// The URL of the application database and its origin.
    pub(super) fn database_url(&self) -> Result<&Sourced<Secret>, CliError> {
        self.settings
            .require_database_url()
            .map_err(|error| CliError::from(error).hint(database_hint(self.has_supabase_url)))
    }

    /// Opens the application database.
    pub(super) async fn catalogue(&self) -> Result<Catalogue, CliError> {
        let url = self.database_url()?;
        Catalogue::open(&url.value).await.map_err(|error| self.unavailable(&error))
    }

    /// An error of the application database, with the origin of its URL.
    pub(super) fn unavailable(&self, error: &CatalogueError) -> CliError {
        let origin = self.settings.database_url.as_ref().map_or(&Origin::Default, |url| &url.origin);
        CliError::catalogue(error, origin)
    }

    /// The key ring; an error when there is no key. Runs the command that prints the key, if one is set.
    pub(super) fn key_ring(&self) -> Result<KeyRing, CliError> {
        let mut settings = self.settings.clone();
        run_key_command(&mut settings)?;
        Ok(KeyRing::from_settings(&settings)?)
    }

    /// The key ring, or none when nothing names a key. A key that is named and cannot be had is an error all the same:
    /// without it every sealed key would look well.
    pub(super) fn key_ring_if_set(&self) -> Result<Option<KeyRing>, CliError> {
        self.settings.encryption_key.as_ref().map(|_| self.key_ring()).transpose()
    }

    /// The token of a running service, if one is set.
    pub(super) fn serve_token(&self) -> Result<Option<Secret>, CliError> {
        let Some(token) = &self.settings.serve_token else { return Ok(None) };
        let text = match &token.value {
            KeySource::Files(files) => match files.as_slice() {
                [file] => crate::private_file::read(file)?,
                _ => return Err(CliError::settings(format!("{} names several files", token.origin))),
            },
            KeySource::Text(text) | KeySource::Command(text) => text.clone(),
        };
        let token_text = text.expose().trim();
        if token_text.is_empty() {
            return Err(CliError::settings(format!("the token named by {} is empty", token.origin)));
        }
        Ok(Some(Secret::new(token_text.to_owned())))
    }

    /// In words, where the current key came from.
    pub(super) fn key_origin(&self) -> String {
        self.settings.encryption_key.as_ref().map(|key| key.origin.to_string()).unwrap_or_default()
    }
}

/// A value given by a flag.
pub(super) fn flag(knob: Knob, name: &'static str, text: String) -> RawValue {
    RawValue { knob, text: Secret::new(text), origin: Origin::Flag(name), base: None }
}

/// What to do when no URL of an application database is set.
pub(super) fn database_hint(has_supabase_url: bool) -> &'static str {
    if has_supabase_url {
        "NEXT_PUBLIC_SUPABASE_URL is set, but it is the address of the REST interface: the database URL is in the \
         Supabase dashboard under Connect; set DATABASE_URL to it"
    } else {
        "set DATABASE_URL, or try `boothds demo`, which needs no database"
    }
}

/// Runs the command that prints the encryption key, and puts the key in its place.
pub(super) fn run_key_command(settings: &mut Settings) -> Result<(), CliError> {
    let Some(Sourced { value: value @ KeySource::Command(_), origin }) = &mut settings.encryption_key else {
        return Ok(());
    };
    let KeySource::Command(command) = value else { return Ok(()) };
    let failed = |source| CliError::from(KeyError::Command { origin: origin.clone(), source });
    let printed = output_of(command).map_err(failed)?;
    *value = KeySource::Text(printed);
    Ok(())
}

/// What a shell command prints, if that is a short text and it ends well.
fn output_of(command: &Secret) -> std::io::Result<Secret> {
    let mut shell = Command::new("/bin/sh");
    shell.arg("-c").arg(command.expose()).stdin(Stdio::inherit()).stderr(Stdio::inherit());
    let mut child = shell.stdout(Stdio::piped()).spawn()?;
    let mut printed = String::new();
    let read = child.stdout.take().map(|stdout| stdout.take(READ_LIMIT).read_to_string(&mut printed));
    let printed = Secret::new(printed);
    if matches!(read, Some(Ok(length)) if length as u64 == READ_LIMIT) {
        child.kill()?;
        child.wait()?;
        return Err(std::io::Error::other("it printed too much"));
    }
    let status = child.wait()?;
    if !status.success() {
        return Err(std::io::Error::other(status.to_string()));
    }
    read.transpose()?;
    Ok(printed)
}

/// For `--verbose`: each setting that is not at its default, and its origin; secrets by their place alone.
fn explain(settings: &Settings, output: &mut Output) {
    let mut say = |what: &str, value: &str, origin: &Origin| {
        if *origin != Origin::Default {
            output.note(&format!("{what}: {value} ({origin})"));
        }
    };
    if let Some(url) = &settings.database_url {
        say("application database", &masked(url.value.expose()), &url.origin);
    }
    for (what, key) in
        [("encryption key", &settings.encryption_key), ("earlier keys", &settings.previous_keys)]
    {
        if let Some(key) = key {
            let value = match &key.value {
                KeySource::Files(files) => {
                    files.iter().map(|f| f.display().to_string()).collect::<Vec<_>>().join(", ")
                }
                KeySource::Text(_) | KeySource::Command(_) => "set".to_owned(),
            };
            say(what, &value, &key.origin);
        }
    }
    say("probed table", &settings.probe_table.value.to_string(), &settings.probe_table.origin);
    let column = &settings.probe_tenant_column;
    say("tenant column", column.value.as_str(), &column.origin);
}
