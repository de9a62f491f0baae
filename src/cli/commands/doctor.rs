//! `boothds doctor`: the checks of the whole installation.

use std::sync::Arc;

use serde::Serialize;
use tokio::sync::mpsc::unbounded_channel;

use crate::catalogue::Catalogue;
use crate::cipher::KeyRing;
use crate::cli::args::{DoctorArgs, DoctorFailOn, Format, GlobalArgs};
use crate::cli::block_on;
use crate::cli::config::Complaints;
use crate::cli::error::CliError;
use crate::cli::exit_code::ExitCode;
use crate::cli::gather::Gathered;
use crate::cli::interrupt::Interrupt;
use crate::cli::output::progress::Progress;
use crate::cli::output::{Output, checks};
use crate::cli::resolve::{database_hint, run_key_command};
use crate::clock::Clock;
use crate::doctor::{
    Check, Installation, Options, Problem, Provenance, Scope, SecretFile, Sink, Status, Summary, examine,
    schema_sql,
};
use crate::probe::DEFAULT_EXPIRING_WITHIN;
use crate::secret::Secret;
use crate::settings::{KeySource, Layer, Origin, Settings, SettingsError, Sourced};
use crate::state::Location;
use crate::url::masked;

/// The answer in JSON.
#[derive(Serialize)]
struct Document<'a> {
    summary: Summary,
    /// Left out when it is true.
    #[serde(skip_serializing_if = "Option::is_none")]
    complete: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    checks: Option<&'a [Check]>,
}

pub(in crate::cli) fn run(
    args: &DoctorArgs,
    global: &GlobalArgs,
    output: &mut Output,
) -> Result<ExitCode, CliError> {
    if args.print_sql && output.format() != Format::Table {
        return Err(CliError::usage("--print-sql prints SQL, which has no form in JSON")
            .hint("leave --json and --format out"));
    }
    let installation = installation(global)?;
    if args.print_sql {
        return block_on(async |_| print_sql(&installation, output).await);
    }
    block_on(async |interrupt| look(args, &installation, output, interrupt).await)
}

/// What is to be examined. Only wrong arguments are an error; all else is for the report.
fn installation(global: &GlobalArgs) -> Result<Installation, CliError> {
    let mut complaints = Complaints::Kept(Vec::new());
    let mut gathered = Gathered::new(global, Vec::new(), &mut complaints)?;
    let Complaints::Kept(errors) = complaints else { return Err(CliError::usage("settings were not kept")) };
    let overruled = gathered.all_overruled();
    let mut unusable = Vec::new();
    let mut settings = settle(&mut gathered.layers, &mut unusable);
    settings.state_folder = gathered.state_folder;
    let (other_database, overruled) =
        other_database(&settings, gathered.plain_database_url.as_ref(), overruled);
    let ring = ring(&mut settings);
    let location = Location::from_settings(&settings).map_err(|error| {
        let origin = settings.state_url.as_ref().map_or(Origin::Default, |url| url.origin.clone());
        problem(CliError::state(&error, &origin))
    });
    let derived = settings.database_url.as_ref().and_then(|url| Catalogue::identity(&url.value).ok());
    let namespace = settings.namespace.as_ref().map(|namespace| namespace.value.clone()).or(derived);
    let holds = "settings";
    let files = gathered.secret_files.into_iter().map(|path| SecretFile { path, holds });
    Ok(Installation {
        provenance: Provenance {
            unreadable: errors.into_iter().map(problem).collect(),
            unusable,
            overruled: gathered.warnings.into_iter().chain(overruled).collect(),
            unknown: gathered.unknown,
            other_database,
            database_hint: Some(database_hint(gathered.has_supabase_url).to_owned()),
            files: files.collect(),
        },
        settings,
        ring,
        location,
        namespace,
        clock: Clock::System,
    })
}

/// The settings without the values that cannot be used. What such a value was for is not looked for in a lower place: what
/// depends on it is not known.
fn settle(layers: &mut [Layer], unusable: &mut Vec<Problem>) -> Settings {
    loop {
        let error = match Settings::resolve(layers) {
            Ok(settings) => return settings,
            Err(error) => error,
        };
        let origin = match &error {
            SettingsError::Value { origin, .. } | SettingsError::Conflict { first: origin, .. } => {
                Some(origin)
            }
            SettingsError::Missing { .. } => None,
        };
        let values = layers.iter().flat_map(|layer| &layer.0);
        let wrong = values.into_iter().find(|value| Some(&value.origin) == origin);
        let group = wrong.map(|value| value.knob.group());
        unusable.push(problem(CliError::from(error)));
        for layer in layers.iter_mut() {
            // Where nobody knows whose it was, nothing can be relied on.
            layer.0.retain(|value| group.is_some_and(|group| value.knob.group() != group));
        }
    }
}

/// What DATABASE_URL names where another database is in effect; said apart from the other values that do not count.
fn other_database(
    settings: &Settings,
    plain: Option<&Secret>,
    overruled: Vec<String>,
) -> (Option<String>, Vec<String>) {
    let (Some(plain), Some(url)) = (plain, &settings.database_url) else { return (None, overruled) };
    if plain.expose() == url.value.expose() {
        return (None, overruled);
    }
    let rest = overruled.into_iter().filter(|text| !text.starts_with("DATABASE_URL ")).collect();
    (Some(masked(plain.expose())), rest)
}

/// The keys. An earlier key that cannot be used does not hide the current one; its check says so.
fn ring(settings: &mut Settings) -> Result<Arc<KeyRing>, Problem> {
    let is_command = |key: &Sourced<KeySource>| matches!(key.value, KeySource::Command(_));
    let printed = settings.encryption_key.as_ref().is_some_and(is_command);
    run_key_command(settings).map_err(problem)?;
    if let (true, Some(Sourced { value: KeySource::Text(text), .. })) =
        (printed, &mut settings.encryption_key)
    {
        // A newline at the end is how programs print.
        *text = Secret::new(text.expose().trim_end_matches('\n').to_owned());
    }
    let whole = KeyRing::from_settings(settings);
    let ring = whole.or_else(|error| {
        let alone = Settings { previous_keys: None, ..settings.clone() };
        KeyRing::from_settings(&alone).map_err(|_| error)
    });
    let quoted = matches!(&settings.encryption_key, Some(key)
        if matches!(&key.value, KeySource::Text(text) if text.expose().trim().starts_with(['"', '\''])));
    ring.map(Arc::new).map_err(|error| {
        let problem = problem(CliError::from(error));
        let hint = "remove the quotes: only the shell and .env files take them away";
        if quoted { Problem { hint: Some(hint.to_owned()), ..problem } } else { problem }
    })
}

fn problem(error: CliError) -> Problem {
    let causes: String = error.causes.iter().map(|cause| format!(": {cause}")).collect();
    Problem { message: format!("{}{causes}", error.message), hint: error.hint }
}

async fn print_sql(installation: &Installation, output: &mut Output) -> Result<ExitCode, CliError> {
    let failed = match &installation.settings.database_url {
        None => {
            let hint = installation.provenance.database_hint.clone().unwrap_or_default();
            CliError::settings("the URL of the application database is not set, or not usable").hint(hint)
        }
        Some(url) => match schema_sql(&url.value, installation.clock).await {
            Ok(sql) => {
                output.print(&sql);
                return Ok(ExitCode::Ok);
            }
            Err(crate::doctor::NothingKnown::Database(error)) => CliError::catalogue(&error, &url.origin),
        },
    };
    output.error(&failed);
    Ok(ExitCode::Unhealthy)
}

async fn look(
    args: &DoctorArgs,
    installation: &Installation,
    output: &mut Output,
    interrupt: &mut Interrupt,
) -> Result<ExitCode, CliError> {
    let scope = match (args.offline, args.all_tenants) {
        (true, _) => Scope::Offline,
        (false, true) => Scope::All,
        (false, false) => Scope::Sample,
    };
    let options = Options { scope, rehearse: args.rehearse, expiring_within: DEFAULT_EXPIRING_WITHIN };
    let in_settings = installation.settings.ignore.iter().map(|one| one.value.clone());
    let ignored = args.ignore.iter().cloned().chain(in_settings).collect();
    let (sender, mut receiver) = unbounded_channel();
    let sink = Sink::new(sender, ignored);
    let stream = output.format() == Format::Jsonl;
    let progress =
        if stream { Progress::hidden() } else { Progress::waiting_if_visible("looking at the installation") };
    let mut made: Vec<Check> = Vec::new();
    let mut summary = Summary::default();
    let mut signal = None;
    let mut take = |check: Check, output: &mut Output| {
        summary.add(&check);
        if stream {
            output.json_line(&check);
        }
        made.push(check);
    };
    {
        let examination = examine(installation, &options, &sink);
        tokio::pin!(examination);
        loop {
            tokio::select! {
                biased;
                code = interrupt.received() => {
                    signal = Some(code);
                    break;
                }
                Some(check) = receiver.recv() => take(check, output),
                () = &mut examination => break,
            }
        }
    }
    while let Ok(check) = receiver.try_recv() {
        take(check, output);
    }
    progress.finish();
    // In the order of the table, of one code the worst first, and tenants not in the order in which they answered.
    let place = |check: &Check| (check.code, std::cmp::Reverse(check.status));
    made.sort_by(|a, b| place(a).cmp(&place(b)).then_with(|| a.tenant.cmp(&b.tenant)));
    let complete = signal.is_none();
    match output.format() {
        Format::Table => output.print(&checks::table(&made, summary, complete)),
        Format::Json | Format::Jsonl => {
            let checks = (!stream).then_some(made.as_slice());
            output.json(&Document { summary, complete: (!complete).then_some(false), checks });
        }
    }
    if let Some(code) = signal {
        return Ok(code);
    }
    let threshold = match args.fail_on {
        DoctorFailOn::Error => Status::Error,
        DoctorFailOn::Warning => Status::Warning,
    };
    let unhealthy = made.iter().any(|check| check.status >= threshold);
    Ok(if unhealthy { ExitCode::Unhealthy } else { ExitCode::Ok })
}
