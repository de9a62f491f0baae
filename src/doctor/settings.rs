//! The settings: each in effect with its origin, what is wrong among them, who else can read the files.
//!
//! What was found while they were gathered comes from whoever gathered them ([`Provenance`]): nothing here reads the
//! environment.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use super::{Installation, Sink};
use crate::finding::CheckCode;
use crate::private_file::is_open_to_others;
use crate::sanitize::printable;
use crate::settings::{KeySource, Knob, Origin, Settings, Sourced};
use crate::url::masked;

/// Something that is wrong, and what to do.
#[derive(Clone, Debug)]
pub struct Problem {
    /// What is wrong, safe to show.
    pub message: String,
    /// What to do; the check's own where there is nothing more to say.
    pub hint: Option<String>,
}

/// A file that holds a secret.
#[derive(Clone, Debug)]
pub struct SecretFile {
    /// The file.
    pub path: PathBuf,
    /// What it holds, as in "the encryption key".
    pub holds: &'static str,
}

/// Where settings came from, and what was wrong with them.
#[derive(Clone, Debug, Default)]
pub struct Provenance {
    /// Files and variables that could not be read.
    pub unreadable: Vec<Problem>,
    /// Values that a setting cannot take.
    pub unusable: Vec<Problem>,
    /// Values that are not in effect because another has a higher rank.
    pub overruled: Vec<String>,
    /// Variables that look like settings and are none, and where they stand.
    pub unknown: Vec<String>,
    /// What DATABASE_URL names, masked, where another database is in effect.
    pub other_database: Option<String>,
    /// What to do when no URL of an application database is set.
    pub database_hint: Option<String>,
    /// The files that were read and hold secrets.
    pub files: Vec<SecretFile>,
}

pub(super) async fn check(installation: &Installation, sink: &Sink) {
    let Provenance { unreadable, unusable, overruled, other_database, .. } = &installation.provenance;
    problems(CheckCode::SettingsRead, unreadable, "every file of settings could be read", sink);
    for problem in unusable {
        report(CheckCode::SettingsValue, problem, sink);
    }
    for (title, value, origin) in values(&installation.settings) {
        sink.ok(CheckCode::SettingsValue, format!("{title}: {value} ({origin})"));
    }
    for text in overruled {
        sink.wrong(CheckCode::SettingsOverruled, text.clone());
    }
    for text in &installation.provenance.unknown {
        sink.wrong(CheckCode::SettingsUnknown, text.clone());
    }
    if installation.provenance.unknown.is_empty() {
        sink.ok(CheckCode::SettingsUnknown, "every variable that looks like a setting is one");
    }
    if overruled.is_empty() {
        sink.ok(CheckCode::SettingsOverruled, "no setting is given twice with different values");
    }
    match (other_database, &installation.settings.database_url) {
        (Some(other), _) => sink.wrong(
            CheckCode::SettingsDatabaseUrl,
            format!("DATABASE_URL names {other}, and {} is in effect", in_effect(&installation.settings)),
        ),
        (None, Some(_)) => sink.ok(CheckCode::SettingsDatabaseUrl, "no variable names another database"),
        (None, None) => {
            sink.skipped(CheckCode::SettingsDatabaseUrl, "there is no application database URL");
        }
    }
    files(installation, sink).await;
}

fn in_effect(settings: &Settings) -> String {
    settings
        .database_url
        .as_ref()
        .map_or_else(|| "none".to_owned(), |url| format!("{} ({})", masked(url.value.expose()), url.origin))
}

fn problems(code: CheckCode, problems: &[Problem], otherwise: &str, sink: &Sink) {
    for problem in problems {
        report(code, problem, sink);
    }
    if problems.is_empty() {
        sink.ok(code, otherwise);
    }
}

pub(super) fn report(code: CheckCode, problem: &Problem, sink: &Sink) {
    let hint = problem.hint.clone().unwrap_or_else(|| code.hint().to_owned());
    sink.wrong_so(code, problem.message.clone(), hint);
}

/// Each setting in effect: what it is, its value without secrets, where it came from.
fn values(settings: &Settings) -> Vec<(&'static str, String, Origin)> {
    let mut rows = Vec::new();
    let mut row = |knob: Knob, value: String, origin: &Origin| {
        rows.push((knob.describe().title, value, origin.clone()))
    };
    if let Some(url) = &settings.database_url {
        row(Knob::DatabaseUrl, masked(url.value.expose()), &url.origin);
    }
    if let Some(namespace) = &settings.namespace {
        row(Knob::Namespace, namespace.value.clone(), &namespace.origin);
    }
    for (knob, source) in [
        (Knob::EncryptionKey, &settings.encryption_key),
        (Knob::PreviousKeys, &settings.previous_keys),
        (Knob::ServeToken, &settings.serve_token),
    ] {
        if let Some(Sourced { value, origin }) = source {
            row(knob, place(value), origin);
        }
    }
    if let Some(url) = &settings.state_url {
        row(Knob::StateUrl, masked(url.value.expose()), &url.origin);
    }
    let s = settings;
    row(Knob::MaxClients, s.max_clients.value.to_string(), &s.max_clients.origin);
    row(Knob::EnableMetrics, s.enable_metrics.value.to_string(), &s.enable_metrics.origin);
    row(Knob::UseSharedCache, s.use_shared_cache.value.to_string(), &s.use_shared_cache.origin);
    for (knob, ms) in [
        (Knob::ConfigCacheTtl, &s.config_cache_ttl_ms),
        (Knob::ClientCacheTtl, &s.client_cache_ttl_ms),
        (Knob::CacheCleanupInterval, &s.cache_cleanup_interval_ms),
    ] {
        row(knob, ms.value.to_string(), &ms.origin);
    }
    row(Knob::ProbeTable, printable(&s.probe_table.value.to_string()).into_owned(), &s.probe_table.origin);
    let column = &s.probe_tenant_column;
    row(Knob::ProbeTenantColumn, printable(column.value.as_str()).into_owned(), &column.origin);
    row(Knob::ProbeClaims, printable(&s.probe_claims.value.join(",")).into_owned(), &s.probe_claims.origin);
    if let Some(first) = s.ignore.first() {
        row(Knob::Ignore, format!("{} entries", s.ignore.len()), &first.origin);
    }
    rows
}

/// Where a secret is to be had, without it.
fn place(source: &KeySource) -> String {
    match source {
        KeySource::Text(_) => "set".to_owned(),
        KeySource::Command(_) => "printed by a command".to_owned(),
        KeySource::Files(files) => {
            let names: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
            format!("in {}", printable(&names.join(", ")))
        }
    }
}

/// Who else can read the files that hold secrets.
async fn files(installation: &Installation, sink: &Sink) {
    let mut files = installation.provenance.files.clone();
    for (source, holds) in [
        (&installation.settings.encryption_key, "the encryption key"),
        (&installation.settings.previous_keys, "earlier encryption keys"),
        (&installation.settings.serve_token, "the token of the dashboard"),
    ] {
        if let Some(Sourced { value: KeySource::Files(paths), .. }) = source {
            files.extend(paths.iter().map(|path| SecretFile { path: path.clone(), holds }));
        }
    }
    // A path may be on a network mount that is gone.
    let looked = tokio::task::spawn_blocking(move || {
        files.into_iter().map(|file| (file.path.metadata(), file)).collect::<Vec<_>>()
    });
    let looked = tokio::time::timeout(super::LIMIT, looked).await;
    let Ok(Ok(looked)) = looked else {
        sink.error(CheckCode::SettingsMode, "the files that hold secrets could not be looked at in time");
        return;
    };
    let mut private = 0;
    for (about, file) in &looked {
        let path = printable(&file.path.display().to_string()).into_owned();
        match about {
            Ok(about) if is_open_to_others(about) => {
                let mode = about.permissions().mode() & 0o777;
                let message = format!("{path}, which holds {}, has the mode {mode:04o}", file.holds);
                sink.wrong_so(CheckCode::SettingsMode, message, format!("chmod 600 {path}"));
            }
            Ok(_) => private += 1,
            // Reading it has failed too, and said so.
            Err(error) => {
                sink.skipped(CheckCode::SettingsMode, format!("{path} cannot be looked at: {error}"))
            }
        }
    }
    if private == looked.len() {
        let message = match private {
            0 => "no file holds a secret".to_owned(),
            number => {
                format!("{} with secrets can be read by nobody else", super::count(number as u64, "file"))
            }
        };
        sink.ok(CheckCode::SettingsMode, message);
    }
}
