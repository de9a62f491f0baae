//! Where the keys of a rotation come from, and the new one made durable before anything else.

use std::path::Path;

use crate::cipher::{EncryptionKey, KeyError, KeyRing, load_keys};
use crate::cli::ambient;
use crate::cli::args::{KeyArg, RotateKeyArgs};
use crate::cli::error::CliError;
use crate::cli::exit_code::ExitCode;
use crate::cli::resolve::Resolved;
use crate::cli::secret_input::{self, Prompt};
use crate::private_file::{self, FileError};
use crate::secret::Secret;
use crate::settings::{KeySource, Origin, Sourced};

/// The keys, and in words where they came from.
pub(super) struct Keys {
    pub(super) target: EncryptionKey,
    pub(super) from: Vec<EncryptionKey>,
    /// The ring of the settings: what services that share them can open.
    pub(super) known: Option<KeyRing>,
    pub(super) target_origin: String,
    pub(super) from_origin: String,
}

const TARGET: Prompt = Prompt { question: "Target key", again: Some("The same key again") };
const EARLIER: Prompt = Prompt { question: "Key to rotate from", again: None };

impl Keys {
    /// Reads all keys; a key that is to be made is in its file when this returns. `before` has the last word before it is.
    pub(super) fn new(
        args: &RotateKeyArgs,
        resolved: &Resolved,
        before: impl FnOnce() -> Result<(), CliError>,
    ) -> Result<Self, CliError> {
        let (known, mut from, from_origin);
        if args.from.is_empty() {
            let ring = resolved.key_ring()?;
            from = [&[ring.current().clone()], ring.earlier()].concat();
            from_origin = resolved.key_origin();
            known = Some(ring);
        } else {
            known = resolved.key_ring_if_set()?;
            from = Vec::new();
            for key in &args.from {
                from.extend(read(key, "--from", &EARLIER)?);
            }
            let names: Vec<String> = args.from.iter().map(ToString::to_string).collect();
            from_origin = format!("--from {}", names.join(" "));
        }
        let (target, target_origin) = match (&args.to, &args.generate) {
            (Some(key), _) => (target(key)?, format!("--to {key}")),
            (None, Some(file)) => {
                let made = if args.dry_run { "would be written to" } else { "written to" };
                (generate(file, args.dry_run, before)?, format!("new, {made} {}", file.display()))
            }
            (None, None) => return Err(CliError::usage("no target key was named").hint("name one with --to")),
        };
        from.retain(|key| key.id() != target.id());
        Ok(Self { target, from, known, target_origin, from_origin })
    }

    /// Whether services with these settings can open what is sealed with the target.
    pub(super) fn target_is_known(&self) -> bool {
        let id = self.target.id();
        let knows = |ring: &KeyRing| {
            ring.current().id() == id || ring.earlier().iter().any(|earlier| earlier.id() == id)
        };
        self.known.as_ref().is_some_and(knows)
    }
}

/// Refuses what is no KEY before anything else is looked at: it may be a key in the wrong place.
pub(super) fn refuse_bare(args: &RotateKeyArgs) -> Result<(), CliError> {
    let mut given =
        args.to.iter().map(|key| ("--to", key)).chain(args.from.iter().map(|key| ("--from", key)));
    given.find(|(_, key)| matches!(key, KeyArg::Other)).map_or(Ok(()), |(flag, _)| Err(never_a_key(flag)))
}

fn never_a_key(flag: &str) -> CliError {
    CliError::usage(format!("{flag} takes env:NAME, file:PATH or prompt, and never a key"))
        .hint("an argument is seen by everybody on the machine; a key that stood here is leaked")
}

/// The one key that is the target.
pub(super) fn target(key: &KeyArg) -> Result<EncryptionKey, CliError> {
    let mut keys = read(key, "--to", &TARGET)?.into_iter();
    match (keys.next(), keys.next()) {
        (Some(key), None) => Ok(key),
        _ => Err(CliError::new(ExitCode::Key, format!("--to {key} holds more than one key"))
            .hint("a target is a single key of 64 hex digits")),
    }
}

fn read(key: &KeyArg, flag: &'static str, prompt: &Prompt) -> Result<Vec<EncryptionKey>, CliError> {
    let source = match key {
        KeyArg::Env(name) => {
            let text = ambient::variable(name).filter(|text| !text.is_empty());
            let value = text.ok_or_else(|| {
                CliError::new(
                    ExitCode::Key,
                    format!("{name}, named by {flag}, is not set in the environment"),
                )
                .hint("export it, or name a file with file:PATH")
            })?;
            Sourced { value: KeySource::Text(value), origin: Origin::Environment(name.clone()) }
        }
        KeyArg::File(path) => {
            Sourced { value: KeySource::Files(vec![path.clone()]), origin: Origin::Flag(flag) }
        }
        KeyArg::Prompt => {
            let text = secret_input::prompt(prompt)?;
            Sourced { value: KeySource::Text(text), origin: Origin::Flag(flag) }
        }
        KeyArg::Other => return Err(never_a_key(flag)),
    };
    load_keys(&source).map_err(|error| {
        let error = CliError::from(error);
        match key {
            KeyArg::Env(name) => error.hint(format!("{name} must hold 64 hex digits")),
            _ => error,
        }
    })
}

/// Makes a key, and proves that it can be read from its file: whoever loses it after the commit loses every tenant.
fn generate(
    file: &Path,
    dry_run: bool,
    before: impl FnOnce() -> Result<(), CliError>,
) -> Result<EncryptionKey, CliError> {
    let exists = || {
        let resume = ambient::arguments_resumed(Some(file), None);
        CliError::from(FileError::Exists(file.to_owned())).hint(format!(
            "if it holds the target key of a rotation that did not finish, go on with it: {resume}"
        ))
    };
    if file.symlink_metadata().is_ok() {
        return Err(exists());
    }
    let key = EncryptionKey::generate();
    if dry_run {
        return Ok(key);
    }
    before()?;
    let line = Secret::new(format!("{}\n", key.digits().expose()));
    private_file::write_and_read_back(file, &line).map_err(|error| match error {
        FileError::Exists(_) => exists(),
        error => CliError::from(error).hint("nothing was changed; name a file that can be written"),
    })?;
    // Not only the same bytes, but the same key.
    let read = read(&KeyArg::File(file.to_owned()), "--generate", &TARGET)?;
    match read.as_slice() {
        [only] if only.id() == key.id() => Ok(key),
        _ => Err(CliError::from(KeyError::NotSet)),
    }
}
