//! Everything that the dashboard needs to know, from flags, environment and files: at the start, and again at each
//! reload. Nobody is asked but the command that prints a key.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::files::Sources;
use crate::cli::args::{GlobalArgs, ServeArgs};
use crate::cli::error::CliError;
use crate::cli::exit_code::ExitCode;
use crate::cli::output::Output;
use crate::cli::resolve::Resolved;
use crate::cli::stores::Place;
use crate::clock::Clock;
use crate::dashboard::{Certificate, Setup, TlsError, Token};
use crate::manager::PoolSettings;
use crate::private_file::is_open_to_others;
use crate::probe::ProbeOptions;
use crate::settings::{KeySource, Settings, Sourced};
use crate::url::masked;

/// What was read, and where it stands.
pub(super) struct Loaded {
    pub(super) setup: Setup,
    pub(super) certificate: Option<Certificate>,
    /// The application database, for people.
    pub(super) database: String,
    pub(super) sources: Sources,
}

/// Reads it all. What is wrong with it is said as at the start of any command.
pub(super) fn load(args: &ServeArgs, global: &GlobalArgs, output: &mut Output) -> Result<Loaded, CliError> {
    // Looked at before they are read: what changes meanwhile is seen as a change.
    let mut sources = Sources::of_settings(global);
    let resolved = Resolved::new(global, Vec::new(), output)?;
    let settings = &resolved.settings;
    let files = key_files(settings);
    sources.add(files.iter().map(|(path, _)| path.clone()));
    let database = resolved.database_url()?.value.clone();
    let place = Place::new(&resolved)?;
    let token = token(&resolved)?;
    // `::ffff:127.0.0.1` is 127.0.0.1.
    if token.is_none() && !args.listen.ip().to_canonical().is_loopback() {
        let what = format!("{} can be reached from other machines, and no token is set", args.listen);
        return Err(CliError::settings(what).hint(
            "set BOOTHDS_SERVE_TOKEN or BOOTHDS_SERVE_TOKEN_FILE, for example to what `openssl rand -hex 32` prints; \
             or listen on 127.0.0.1",
        ));
    }
    if token.is_none() && !args.allowed_host.is_empty() {
        output.warning(
            "--allowed-host without a token: whoever reaches the proxy before this service may read and reset everything, \
             unless the proxy itself asks who they are",
        );
    }
    let ring = Arc::new(resolved.key_ring()?);
    let options = ProbeOptions { named: false, ..ProbeOptions::from_settings(settings) };
    let certificate = match (&args.tls_cert, &args.tls_key) {
        (Some(certificate), Some(key)) => {
            sources.add_tls([certificate.clone(), key.clone()]);
            Some(certificate_of(certificate, key, output)?)
        }
        _ => None,
    };
    let setup = Setup {
        database,
        ring,
        options,
        location: place.location().clone(),
        namespace: place.namespace().to_owned(),
        pool: PoolSettings::from_settings(settings),
        token,
    };
    // What cannot be read is tried again and again, and warned of nothing meanwhile.
    for (path, holds) in &files {
        warn_if_open(path, holds, output);
    }
    let database = settings.database_url.as_ref().map(|url| masked(url.value.expose())).unwrap_or_default();
    Ok(Loaded { setup, certificate, database, sources })
}

/// The files of keys and token that the settings name, with what they hold.
fn key_files(settings: &Settings) -> Vec<(PathBuf, &'static str)> {
    let named = [
        (&settings.encryption_key, "the encryption key"),
        (&settings.previous_keys, "earlier encryption keys"),
        (&settings.serve_token, "the token"),
    ];
    let mut files = Vec::new();
    for (source, holds) in named {
        if let Some(Sourced { value: KeySource::Files(paths), .. }) = source {
            files.extend(paths.iter().map(|path| (path.clone(), holds)));
        }
    }
    files
}

fn token(resolved: &Resolved) -> Result<Option<Token>, CliError> {
    let Some(text) = resolved.serve_token()? else { return Ok(None) };
    let origin = resolved.settings.serve_token.as_ref().map(|token| token.origin.to_string());
    let refused = |error| {
        CliError::of(ExitCode::Settings, &error)
            .about(&format!("the token named by {} cannot be used", origin.unwrap_or_default()))
            .hint("make one with `openssl rand -hex 32`")
    };
    Token::new(&text).map(Some).map_err(refused)
}

/// Reads a certificate and its key; warns of one that is not valid, or not for long, and of a key that others can read.
pub(super) fn certificate_of(
    certificate: &Path,
    key: &Path,
    output: &mut Output,
) -> Result<Certificate, CliError> {
    let loaded = Certificate::load(certificate, key).map_err(|error| {
        let (code, hint) = match &error {
            TlsError::File { .. } => (ExitCode::Io, "check the path and the permissions of the file"),
            TlsError::Content { .. } => (ExitCode::Settings, "both files are PEM: -----BEGIN …-----"),
            TlsError::Unfit { .. } => {
                (ExitCode::Settings, "the key has to be that of the first certificate in the file")
            }
        };
        CliError::of(code, &error).hint(hint)
    })?;
    let complaint = match loaded.validity() {
        Some(validity) => validity.complaint(Clock::System.now()),
        None => Some("does not say in a readable way how long it is valid".to_owned()),
    };
    if let Some(complaint) = complaint {
        output.warning(&format!("the certificate in {} {complaint}", certificate.display()));
    }
    warn_if_open(key, "the key of the certificate", output);
    Ok(loaded)
}

/// Warns of a file that others can read, in the words of `doctor`.
fn warn_if_open(path: &Path, holds: &str, output: &mut Output) {
    if let Ok(about) = path.metadata()
        && is_open_to_others(&about)
    {
        let (path, mode) = (path.display(), about.permissions().mode() & 0o777);
        output.warning(&format!("{path}, which holds {holds}, has the mode {mode:04o}: chmod 600 {path}"));
    }
}
