//! `boothds test-connection`: ask the data sources of named tenants, or of all.

use std::io::IsTerminal;
use std::sync::Arc;

use serde::Serialize;

use crate::catalogue::Catalogue;
use crate::cipher::KeyRing;
use crate::cli::args::{FailOn, Format, GlobalArgs, RlsArg, TestConnectionArgs};
use crate::cli::block_on;
use crate::cli::error::CliError;
use crate::cli::exit_code::ExitCode;
use crate::cli::interrupt::Interrupt;
use crate::cli::output::Output;
use crate::cli::output::progress::Progress;
use crate::cli::output::reports::Reports;
use crate::cli::output::results;
use crate::cli::resolve::{Resolved, flag};
use crate::cli::stores::Place;
use crate::clock::Clock;
use crate::finding::Finding;
use crate::manager::{DataSourceManager, StoreStatus, Surroundings};
use crate::probe::{ProbeOptions, Prober, Report};
use crate::settings::{Knob, RawValue};
use crate::survey::{Refresh, Selection, Summary, Survey, Tester, survey};

/// The answer in JSON.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    application_database: &'a str,
    complete: bool,
    summary: Summary,
    findings: &'a [Finding],
    #[serde(skip_serializing_if = "Option::is_none")]
    results: Option<&'a [Report]>,
}

pub(in crate::cli) fn run(
    args: &TestConnectionArgs,
    global: &GlobalArgs,
    output: &mut Output,
) -> Result<ExitCode, CliError> {
    refuse_filter_with_names(args)?;
    if args.require_rls && args.rls == RlsArg::Off {
        return Err(
            CliError::usage("--require-rls needs what --rls off leaves out").hint("leave one of them out")
        );
    }
    let resolved = Resolved::new(global, overrides(args), output)?;
    resolved.database_url()?;
    let ring = Arc::new(resolved.key_ring()?);
    // Opened before the work, so that a path that cannot be written is known before it.
    let reports = Reports::open(&args.report)?;
    raise_file_limit();
    block_on(async |interrupt| test(args, &resolved, ring, reports, output, interrupt).await)
}

/// A thousand connections at a time need more files than the thousand that a shell allows by default; up to the hard
/// limit a process may allow itself.
fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}

async fn test(
    args: &TestConnectionArgs,
    resolved: &Resolved,
    ring: Arc<KeyRing>,
    reports: Reports,
    output: &mut Output,
    interrupt: &mut Interrupt,
) -> Result<ExitCode, CliError> {
    let failed = |error| resolved.unavailable(&error);
    let catalogue = Arc::new(resolved.catalogue().await?);
    let refresh = if args.cached { None } else { refresh(resolved, &ring, output).await };
    if let Some(refresh) = &refresh {
        refresh.mark().await;
    }
    let address = catalogue.address().to_owned();
    let selection = select(args, &catalogue).await.map_err(|error| match error {
        Refusal::Catalogue(error) => failed(error),
        Refusal::Names(error) => error,
    })?;
    let progress = progress(args, &catalogue, &selection, output).await.map_err(failed)?;
    let named = matches!(selection, Selection::Named(_));
    drop(catalogue);

    let mut options = ProbeOptions {
        roles: args.role.roles(),
        limit: args.timeout,
        retries: args.retries,
        expiring_within: args.expiring_within,
        rls: args.rls.scope(),
        require_rls: args.require_rls,
        named,
        ..ProbeOptions::from_settings(&resolved.settings)
    };
    options.ignored.extend(args.ignore.iter().cloned());
    let ignored = options.ignored.clone();
    let prober = Prober::new(Arc::clone(&ring), options, Clock::System);
    let tester = if args.cached { cached(resolved, &ring, prober)? } else { Tester::Fresh(prober) };
    let stream = output.format() == Format::Jsonl;
    let mut worst = Verdict::new(args.fail_on);
    let mut failures = 0;
    let mut signal = None;
    let mut outcome = survey(
        &tester,
        selection,
        refresh.clone(),
        args.concurrency.into(),
        async { signal = Some(interrupt.received().await) },
        |report| {
            failures += usize::from(!report.success && !report.skipped);
            worst.see(report);
            progress.advance(failures);
            if stream {
                output.json_line(report);
            }
            !stream || reports.want_results()
        },
    )
    .await;
    progress.finish();
    outcome.ignore(&ignored);
    end_of_store(&tester, refresh, output).await;
    worst.see_fleet(&outcome.findings);

    if outcome.complete && outcome.summary.total == 0 && !args.filter.allow_empty {
        return Err(super::tenants::nobody(args.filter.filter().is_empty()));
    }
    print(&outcome, &address, output);
    reports.write(&outcome)?;
    if let Some(code) = signal {
        return Ok(code);
    }
    if let Some(error) = outcome.error {
        return Err(failed(error));
    }
    if !outcome.complete {
        // Neither a signal nor the application database: the reader of its pages died. Never "all is well".
        return Err(CliError::new(ExitCode::Bug, "not every tenant was tested, for a reason that is a bug"));
    }
    Ok(worst.exit_code())
}

/// The second cache tier, to be refreshed with what is read. Without it the test goes on, with a warning.
async fn refresh(resolved: &Resolved, ring: &KeyRing, output: &mut Output) -> Option<Arc<Refresh>> {
    if !resolved.settings.use_shared_cache.value {
        return None;
    }
    let opened = match Place::new(resolved) {
        Ok(place) => place.open(Some(ring)).await.map_err(|error| error.to_string()),
        Err(error) => Err(error.message),
    };
    match opened {
        Ok(store) => {
            let ttl = resolved.settings.config_cache_ttl_ms.value;
            Some(Arc::new(Refresh::new(store, ttl, Clock::System)))
        }
        Err(error) => {
            output.warning(&format!("the cache is not refreshed: {error}"));
            None
        }
    }
}

/// Tests with what a running service would use.
fn cached(resolved: &Resolved, ring: &Arc<KeyRing>, prober: Prober) -> Result<Tester, CliError> {
    // Of no interest to `stats`: it serves nobody.
    let surroundings = Surroundings { visible: false, ..Surroundings::default() };
    let manager = DataSourceManager::with(&resolved.settings, KeyRing::clone(ring), surroundings)?;
    Ok(Tester::Cached(manager, prober))
}

/// Says what was wrong with the state store, and closes it.
async fn end_of_store(tester: &Tester, refresh: Option<Arc<Refresh>>, output: &mut Output) {
    if let Some(error) = refresh.as_ref().and_then(|refresh| refresh.trouble()) {
        output.warning(&format!("the cache was not refreshed, or in part: {error}"));
    }
    for doubt in refresh.iter().flat_map(|refresh| refresh.doubts()) {
        output.warning(&doubt);
    }
    if let Tester::Cached(manager, _) = tester {
        match manager.store_status() {
            StoreStatus::Down(error) => {
                output.warning(&format!("tested without the second cache tier: {error}"));
            }
            _ if manager.was_without_store() => {
                output.warning("tested in part without the second cache tier, which did not answer in time");
            }
            _ => {
                if let Some(error) = manager.store_trouble() {
                    output.warning(&format!("tested in part without the second cache tier: {error}"));
                }
            }
        }
        manager.shutdown().await;
    }
    // The last reference, unless the survey was interrupted; then the file is closed with the process.
    if let Some(refresh) = refresh.and_then(Arc::into_inner) {
        refresh.close().await;
    }
}

/// Why there is no selection.
enum Refusal {
    Catalogue(crate::catalogue::CatalogueError),
    Names(CliError),
}

/// The tenants that are meant: those that were named, each once, or all that fit.
async fn select(args: &TestConnectionArgs, catalogue: &Arc<Catalogue>) -> Result<Selection, Refusal> {
    if args.all {
        return Ok(Selection::All(Arc::clone(catalogue), args.filter.filter()));
    }
    let found = catalogue.find(&args.tenants).await.map_err(Refusal::Catalogue)?;
    let missing: Vec<&String> = args
        .tenants
        .iter()
        .zip(&found)
        .filter(|(_, tenant)| tenant.is_none())
        .map(|(name, _)| name)
        .collect();
    if !missing.is_empty() {
        return Err(Refusal::Names(super::info::unknown(&missing, catalogue.address())));
    }
    let mut tenants: Vec<_> = found.into_iter().flatten().collect();
    tenants.sort_by(|a, b| a.id.cmp(&b.id));
    tenants.dedup_by(|a, b| a.id == b.id);
    Ok(Selection::Named(tenants))
}

/// A progress bar where somebody sees it; only then the tenants are counted beforehand.
async fn progress(
    args: &TestConnectionArgs,
    catalogue: &Catalogue,
    selection: &Selection,
    output: &Output,
) -> Result<Progress, crate::catalogue::CatalogueError> {
    // Where the results stream to the same terminal, they are the progress.
    let streams = output.format() == Format::Jsonl && std::io::stdout().is_terminal();
    if streams || !Progress::is_visible() {
        return Ok(Progress::hidden());
    }
    let total = match selection {
        Selection::Named(tenants) => tenants.len() as u64,
        Selection::All(..) => catalogue.count(&args.filter.filter()).await?,
    };
    Ok(Progress::new(total))
}

fn refuse_filter_with_names(args: &TestConnectionArgs) -> Result<(), CliError> {
    if !args.all && !args.filter.filter().is_empty() {
        return Err(CliError::usage(
            "--status, --region and --kind select among --all, not among named tenants",
        )
        .hint("leave the names out and say --all"));
    }
    Ok(())
}

/// The settings that this command has flags for.
fn overrides(args: &TestConnectionArgs) -> Vec<RawValue> {
    let table = args.probe_table.clone().map(|text| flag(Knob::ProbeTable, "--probe-table", text));
    let column = args
        .probe_tenant_column
        .clone()
        .map(|text| flag(Knob::ProbeTenantColumn, "--probe-tenant-column", text));
    table.into_iter().chain(column).collect()
}

fn print(outcome: &Survey, address: &str, output: &mut Output) {
    let results = (output.format() == Format::Json).then_some(outcome.results.as_slice());
    let document = Document {
        application_database: address,
        complete: outcome.complete,
        summary: outcome.summary,
        findings: &outcome.findings,
        results,
    };
    match output.format() {
        Format::Table => output.print(&results::table(outcome)),
        Format::Json | Format::Jsonl => output.json(&document),
    }
}

/// What the reports add up to, against `--fail-on`.
struct Verdict {
    fail_on: FailOn,
    unhealthy: bool,
}

impl Verdict {
    fn new(fail_on: FailOn) -> Self {
        Self { fail_on, unhealthy: false }
    }

    fn see(&mut self, report: &Report) {
        self.unhealthy |= !report.success && !report.skipped;
        self.see_fleet(&report.findings);
    }

    fn see_fleet(&mut self, findings: &[Finding]) {
        if let Some(threshold) = self.fail_on.threshold() {
            self.unhealthy |=
                findings.iter().any(|finding| finding.ignored.is_none() && finding.severity >= threshold);
        }
    }

    fn exit_code(&self) -> ExitCode {
        if self.unhealthy && self.fail_on != FailOn::Never { ExitCode::Unhealthy } else { ExitCode::Ok }
    }
}
