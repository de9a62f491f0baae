//! From flags, environment and files to layers of values, in the order of the contract:
//!
//! 1. flags;
//! 2. what a flag names: `--env-file`, then `--profile` (or `BOOTHDS_PROFILE`), then `--config`; with `--env-file`
//!    no other `.env` file is read, with `--config` no other `boothds.toml`;
//! 3. the environment; 4. `.env.local`, 5. `.env` in the working directory;
//! 6. `boothds.toml` in the working directory, 7. in the user's configuration folder;
//! 8. the default.
//!
//! Whoever named a file meant it: it outranks the environment, and a different value there is reported.
//!
//! A file of its own because one command goes on where every other ends: `doctor` keeps what cannot be read, and reports
//! it beside all the rest.

use std::path::{Path, PathBuf};

use super::ambient::{Ambient, is_supabase_url, is_unknown};
use super::args::GlobalArgs;
use super::config::{Complaints, ConfigFile, EnvFile};
use super::error::CliError;
use super::resolve::flag;
use crate::secret::Secret;
use crate::settings::{Knob, Layer, Origin, RawValue};
use crate::url::{Kind, SourceUrl, carries_secret};

/// Everything that was given, before it is checked.
#[derive(Debug)]
pub(super) struct Gathered {
    /// The values, those of the highest rank first.
    pub(super) layers: Vec<Layer>,
    /// How many of the layers are files and profiles that were named, behind the flags.
    named: usize,
    /// How many behind those are the environment and the files that stand for it.
    environment: usize,
    /// The user's state folder.
    pub(super) state_folder: Option<PathBuf>,
    /// Whether the address of a Supabase project is known, by which no database can be reached.
    pub(super) has_supabase_url: bool,
    /// Variables that look like settings and are none, and where they stand.
    pub(super) unknown: Vec<String>,
    /// What is passed over.
    pub(super) warnings: Vec<String>,
    /// `DATABASE_URL` as the process and its files have it, whatever else names a database.
    pub(super) plain_database_url: Option<Secret>,
    /// The files that were read and hold secrets.
    pub(super) secret_files: Vec<PathBuf>,
}

impl Gathered {
    /// Reads the environment and the files. An error goes to `complaints`, but for those of the arguments.
    pub(super) fn new(
        global: &GlobalArgs,
        extra: Vec<RawValue>,
        complaints: &mut Complaints,
    ) -> Result<Self, CliError> {
        let mut flags = flags(global)?;
        flags.0.extend(extra);
        let ambient = Ambient::read(complaints)?;
        let mut has_supabase_url = ambient.has_supabase_url;
        let plain = ambient.variables.iter().find(|(name, _)| name == "DATABASE_URL");
        let mut plain_database_url = plain.map(|(_, text)| Secret::new(text.clone()));
        let odd = ambient.unknown.iter().map(|name| format!("{name} in the environment is no setting"));
        let mut unknown: Vec<String> = odd.collect();
        let mut secret_files = Vec::new();
        let mut warnings = Vec::new();

        let mut named = Vec::new();
        let mut environment =
            vec![Layer::from_vars(ambient.variables, None, |name| Origin::Environment(name.to_owned()))];
        let env_files = match &global.env_file {
            Some(path) => vec![(complaints.unless_error(EnvFile::read(path))?, true)],
            None => [".env.local", ".env"]
                .iter()
                .map(|name| Ok((complaints.unless_error(EnvFile::find(Path::new(name)))?.flatten(), false)))
                .collect::<Result<_, CliError>>()?,
        };
        for (file, by_flag) in env_files {
            let Some(file) = file else { continue };
            let odd = file.names.iter().filter(|name| is_unknown(name));
            unknown.extend(odd.map(|name| format!("{name} in {} is no setting", file.path.display())));
            has_supabase_url |= file.names.iter().any(|name| is_supabase_url(name));
            plain_database_url = plain_database_url.or(file.database_url);
            secret_files.push(file.path);
            if by_flag { named.push(file.layer) } else { environment.push(file.layer) }
        }

        let mut configs = configs(global, ambient.config_folder.as_deref(), &mut warnings, complaints)?;
        for config in &configs {
            let layers = std::iter::once(&config.top).chain(config.profiles.iter().map(|(_, layer)| layer));
            if layers.flat_map(|layer| &layer.0).any(holds_a_secret) {
                secret_files.push(config.path.clone());
            }
        }
        let profile = global.profile.as_ref().or(ambient.profile.as_ref());
        if let Some(name) = profile {
            let found = profile_layers(&mut configs, name);
            named.extend(complaints.unless_error(found)?.unwrap_or_default());
        }
        let mut rest: Vec<Layer> = configs.into_iter().map(|config| config.top).collect();
        if global.config.is_some() {
            named.append(&mut rest);
        }
        let counts = (named.len(), environment.len());
        let layers = [flags].into_iter().chain(named).chain(environment).chain(rest).collect();
        Ok(Self {
            layers,
            named: counts.0,
            environment: counts.1,
            state_folder: ambient.state_folder,
            has_supabase_url,
            unknown,
            warnings,
            plain_database_url,
            secret_files,
        })
    }

    /// Which variables do not count because a file or profile that was named has another value.
    pub(super) fn overruled(&self) -> Vec<String> {
        let (named, environment) = self.layers[1..1 + self.named + self.environment].split_at(self.named);
        let mut notes = Vec::new();
        for ambient in environment.iter().flat_map(|layer| &layer.0) {
            notes.extend(overruling(ambient, named));
        }
        notes
    }

    /// Which variables do not count because anything else has another value: a flag, a file, another variable.
    pub(super) fn all_overruled(&self) -> Vec<String> {
        let first = 1 + self.named;
        let mut notes = Vec::new();
        for place in first..first + self.environment {
            let (higher, own) = self.layers.split_at(place);
            for ambient in own.iter().take(1).flat_map(|layer| &layer.0) {
                notes.extend(overruling(ambient, higher));
            }
        }
        notes
    }
}

/// That a value is overruled by another one in these layers, if it is.
fn overruling(ambient: &RawValue, higher: &[Layer]) -> Option<String> {
    let counts = higher.iter().flat_map(|layer| &layer.0);
    let counts = counts.into_iter().find(|value| value.knob.group() == ambient.knob.group())?;
    let differs = counts.knob != ambient.knob || counts.text.expose() != ambient.text.expose();
    differs.then(|| format!("{} is overruled by {}", ambient.origin, counts.origin))
}

/// Whether somebody who reads a file learns a secret by this value of it.
fn holds_a_secret(value: &RawValue) -> bool {
    match value.knob {
        Knob::DatabaseUrl | Knob::StateUrl => {
            let is_file = SourceUrl::new(value.text.expose().to_owned()).kind() == Some(Kind::Sqlite);
            !is_file && carries_secret(value.text.expose())
        }
        Knob::EncryptionKeyCommand => true,
        _ => false,
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
    warnings: &mut Vec<String>,
    complaints: &mut Complaints,
) -> Result<Vec<ConfigFile>, CliError> {
    if let Some(path) = &global.config {
        return Ok(ConfigFile::read(path, complaints)?.into_iter().collect());
    }
    let mut found = Vec::new();
    if let Some(mut local) = ConfigFile::find(Path::new("boothds.toml"), complaints)? {
        // A file that merely lies in the working directory must not run a command.
        let is_command = |value: &RawValue| value.knob == Knob::EncryptionKeyCommand;
        let layers = std::iter::once(&mut local.top).chain(local.profiles.iter_mut().map(|(_, layer)| layer));
        for layer in layers {
            if layer.0.iter().any(is_command) {
                warnings.push(
                    "encryption_key_command in ./boothds.toml is not run: name the file with --config, or move the \
                     command to your own configuration folder"
                        .to_owned(),
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
                warnings.push(format!("{} is passed over: {error}", path.display()));
            }
            _ => found.extend(ConfigFile::find(&path, complaints)?),
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
