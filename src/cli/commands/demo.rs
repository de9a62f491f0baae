//! `boothds demo`: make the embedded fleet, test it, and say what to try next.

use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use crate::catalogue::Catalogue;
use crate::cipher::KeyRing;
use crate::cli::ambient::{self, program_path};
use crate::cli::args::{DemoArgs, Format};
use crate::cli::block_on;
use crate::cli::config::{Complaints, ConfigFile};
use crate::cli::error::CliError;
use crate::cli::exit_code::ExitCode;
use crate::cli::output::{Output, results};
use crate::clock::Clock;
use crate::demo;
use crate::probe::{ProbeOptions, Prober, Report};
use crate::settings::{Layer, Settings};
use crate::survey::{DEFAULT_CONCURRENCY, Selection, Summary, Tester, survey};
use crate::tenant::TenantFilter;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    folder: String,
    created: bool,
    summary: Summary,
    results: &'a [Report],
    next: Vec<String>,
}

pub(in crate::cli) fn run(args: &DemoArgs, output: &mut Output) -> Result<ExitCode, CliError> {
    block_on(async |_| make(args, output).await)
}

async fn make(args: &DemoArgs, output: &mut Output) -> Result<ExitCode, CliError> {
    let fleet = demo::create(&args.dir).await?;
    // Its own configuration alone: neither the environment nor another file may lead to a real fleet.
    let config = ConfigFile::read(&fleet.config, &mut Complaints::Fatal)?;
    let layers: Vec<Layer> = config.into_iter().map(|config| config.top).collect();
    let settings = Settings::resolve(&layers)?;
    let ring = Arc::new(KeyRing::from_settings(&settings)?);
    let url = settings.require_database_url()?;
    let failed = |error| CliError::catalogue(&error, &url.origin);
    let catalogue = Arc::new(Catalogue::open(&url.value).await.map_err(failed)?);
    let options = ProbeOptions { named: false, ..ProbeOptions::from_settings(&settings) };
    let prober = Prober::new(ring, options, Clock::System);
    let selection = Selection::All(catalogue, TenantFilter::default());
    let outcome =
        survey(&Tester::Fresh(prober), selection, None, DEFAULT_CONCURRENCY, std::future::pending(), |_| {
            true
        })
        .await;
    if let Some(error) = outcome.error {
        return Err(failed(error));
    }

    let config = args.dir.join("boothds.toml");
    let next: Vec<String> = ["tenants", "info acme", "test-connection --all", "test-connection acme --json"]
        .iter()
        .map(|command| format!("{} --config {} {command}", quoted(&program_path()), quoted(&config)))
        .collect();
    if output.format() != Format::Table {
        output.json(&Document {
            folder: fleet.folder.display().to_string(),
            created: !fleet.existed,
            summary: outcome.summary,
            results: &outcome.results,
            next,
        });
        return Ok(ExitCode::Ok);
    }
    let found = if fleet.existed { "Found the fleet" } else { "Made a fleet" };
    output.line(&format!("{found} in {}; its test:\n", fleet.folder.display()));
    output.print(&results::table(&outcome));
    output
        .line("\ndune and elm are broken on purpose: the one has no file, the other no table. Next, try:\n");
    for command in next {
        output.line(&format!("  {command}"));
    }
    Ok(ExitCode::Ok)
}

/// A path as a word for the shell.
fn quoted(path: &Path) -> String {
    ambient::quoted(&path.display().to_string())
}
