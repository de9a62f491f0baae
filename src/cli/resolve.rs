//! From flags, environment and files to [`Settings`], in the order of the contract:
//!
//! 1. flags;
//! 2. what a flag names: `--env-file`, then `--profile` (or `BOOTHDS_PROFILE`), then `--config`; with `--env-file`
//!    no other `.env` file is read, with `--config` no other `boothds.toml`;
//! 3. the environment; 4. `.env.local`, 5. `.env` in the working directory;
//! 6. `boothds.toml` in the working directory, 7. in the user's configuration folder;
//! 8. the default.
//!
//! Whoever named a file meant it: it outranks the environment, and a different value there is reported.

use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};

use super::ambient::{Ambient, is_supabase_url};
use super::args::GlobalArgs;
use super::config::{ConfigFile, EnvFile};
use super::error::CliError;
use super::output::Output;
use crate::catalogue::{Catalogue, CatalogueError};
use crate::cipher::{KeyError, KeyRing};
use crate::private_file::READ_LIMIT;
use crate::secret::Secret;
use crate::settings::{KeySource, Knob, Layer, Origin, RawValue, Settings, Sourced};
use crate::url::{Kind, SourceUrl, carries_secret, masked};

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
        let ambient = Ambient::read()?;
        let mut has_supabase_url = ambient.has_supabase_url;
        let mut flags = flags(global)?;
        flags.0.extend(extra);

        let mut named = Vec::new();
        let mut environment =
            vec![Layer::from_vars(ambient.variables, None, |name| Origin::Environment(name.to_owned()))];
        let env_files = match &global.env_file {
            Some(path) => vec![(EnvFile::read(path)?, true)],
            None => [".env.local", ".env"]
                .iter()
                .filter_map(|name| EnvFile::find(Path::new(name)).transpose())
                .map(|file| file.map(|file| (file, false)))
                .collect::<Result<_, _>>()?,
        };
        for (file, by_flag) in env_files {
            has_supabase_url |= file.names.iter().any(|name| is_supabase_url(name));
            if by_flag { named.push(file.layer) } else { environment.push(file.layer) }
        }

        let mut configs = configs(global, ambient.config_folder.as_deref(), output)?;
        let profile = global.profile.as_ref().or(ambient.profile.as_ref());
        if let Some(name) = profile {
            named.extend(profile_layers(&mut configs, name)?);
        }
        let mut rest: Vec<Layer> = configs.into_iter().map(|config| config.top).collect();
        if global.config.is_some() {
            named.append(&mut rest);
        }
        report_overruled(&named, &environment, output);

        let layers: Vec<Layer> = [flags].into_iter().chain(named).chain(environment).chain(rest).collect();
        let settings = Settings { state_folder: ambient.state_folder, ..Settings::resolve(&layers)? };
        if global.verbose {
            explain(&settings, output);
        }
        Ok(Self { settings, has_supabase_url })
    }

    /// The URL of the application database and its origin.
    pub(super) fn database_url(&self) -> Result<&Sourced<Secret>, CliError> {
        self.settings.require_database_url().map_err(|error| {
            let hint = if self.has_supabase_url {
                "NEXT_PUBLIC_SUPABASE_URL is set, but it is the address of the REST interface: the database URL is in \
                 the Supabase dashboard under Connect; set DATABASE_URL to it"
            } else {
                "set DATABASE_URL, or try `boothds demo`, which needs no database"
            };
            CliError::from(error).hint(hint)
        })
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

fn flags(global: &GlobalArgs) -> Result<Layer, CliError> {
    let mut flags = Vec::new();
    if let Some(url) = &global.database_url {
        refuse_password("--database-url", url)?;
        flags.push(flag(Knob::DatabaseUrl, "--database-url", url.clone()));
    }
    if let Some(file) = &global.encryption_key_file {
        flags.push(flag(
            Knob::EncryptionKeyFile,
            "--encryption-key-file",
            path_text("--encryption-key-file", file)?,
        ));
    }
    if !global.previous_key_file.is_empty() {
        let files = global.previous_key_file.iter().map(|file| path_text("--previous-key-file", file));
        let files: Vec<String> = files.collect::<Result<_, _>>()?;
        flags.push(flag(Knob::PreviousKeyFiles, "--previous-key-file", files.join(",")));
    }
    Ok(Layer(flags))
}

/// A value given by a flag.
pub(super) fn flag(knob: Knob, name: &'static str, text: String) -> RawValue {
    RawValue { knob, text: Secret::new(text), origin: Origin::Flag(name), base: None }
}

/// The paths of a list are separated by commas.
fn path_text(flag: &str, path: &Path) -> Result<String, CliError> {
    let text = path.to_str().filter(|text| !text.contains(','));
    text.map(str::to_owned)
        .ok_or_else(|| CliError::usage(format!("{flag} takes a path in UTF-8 without commas")))
}

/// An argument is seen by everybody on the machine, and kept in the history of the shell.
fn refuse_password(flag: &str, url: &str) -> Result<(), CliError> {
    // Of another scheme it is refused as no application database, without being repeated.
    let is_postgres = SourceUrl::new(url.to_owned()).kind() == Some(Kind::Postgres);
    if is_postgres && carries_secret(url) {
        return Err(CliError::usage(format!(
            "{flag} is refused: it carries a password, or cannot be told not to"
        ))
        .hint(
            "put the URL into DATABASE_URL, a .env file or boothds.toml; or leave the password to ~/.pgpass",
        ));
    }
    Ok(())
}

/// The configuration files to look into, the first first.
fn configs(
    global: &GlobalArgs,
    user_folder: Option<&Path>,
    output: &mut Output,
) -> Result<Vec<ConfigFile>, CliError> {
    if let Some(path) = &global.config {
        return Ok(vec![ConfigFile::read(path)?]);
    }
    let mut found = Vec::new();
    if let Some(mut local) = ConfigFile::find(Path::new("boothds.toml"))? {
        // A file that merely lies in the working directory must not run a command.
        let is_command = |value: &RawValue| value.knob == Knob::EncryptionKeyCommand;
        let layers = std::iter::once(&mut local.top).chain(local.profiles.iter_mut().map(|(_, layer)| layer));
        for layer in layers {
            if layer.0.iter().any(is_command) {
                output.warning(
                    "encryption_key_command in ./boothds.toml is not run: name the file with --config, or move the \
                     command to your own configuration folder",
                );
                layer.0.retain(|value| !is_command(value));
            }
        }
        found.push(local);
    }
    if let Some(folder) = user_folder {
        let path = folder.join("boothds").join("boothds.toml");
        match path.metadata() {
            // The home of another user, as `sudo` may leave it.
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                output.warning(&format!("{} is passed over: {error}", path.display()));
            }
            _ => found.extend(ConfigFile::find(&path)?),
        }
    }
    Ok(found)
}

/// The section of a profile, and the top level that it inherits, of the first file that has it.
fn profile_layers(configs: &mut [ConfigFile], name: &str) -> Result<Vec<Layer>, CliError> {
    for config in configs.iter_mut() {
        if let Some((_, layer)) = config.profiles.iter().find(|(known, _)| known == name) {
            let section = layer.clone();
            return Ok(vec![section, std::mem::take(&mut config.top)]);
        }
    }
    let known: Vec<&str> =
        configs.iter().flat_map(|config| config.profiles.iter().map(|(name, _)| name.as_str())).collect();
    let files: Vec<String> = configs.iter().map(|config| config.path.display().to_string()).collect();
    let hint = match (files.is_empty(), known.is_empty()) {
        (true, _) => "there is no boothds.toml; name one with --config".to_owned(),
        (false, true) => format!("{} has no profiles", files.join(" and ")),
        (false, false) => format!("{} has the profiles {}", files.join(" and "), known.join(", ")),
    };
    Err(CliError::settings(format!("there is no profile `{}`", crate::sanitize::printable(name))).hint(hint))
}

/// Says which variables do not count because a file or profile that was named has another value.
fn report_overruled(named: &[Layer], environment: &[Layer], output: &mut Output) {
    for layer in environment {
        for ambient in &layer.0 {
            let counts = named
                .iter()
                .flat_map(|layer| &layer.0)
                .find(|value| value.knob.group() == ambient.knob.group());
            if let Some(value) = counts
                && (value.knob != ambient.knob || value.text.expose() != ambient.text.expose())
            {
                output.note(&format!("{} is overruled by {}", ambient.origin, value.origin));
            }
        }
    }
}

/// Runs the command that prints the encryption key, and puts the key in its place.
fn run_key_command(settings: &mut Settings) -> Result<(), CliError> {
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
