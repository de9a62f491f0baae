//! The data sources asked: a few of them, all, or none. What is wrong with one is a check of its own, with its tenant.

use std::future::pending;
use std::sync::Arc;

use super::names::{Names, shown_name};
use super::{Installation, Options, Sink, chain, count, skip};
use crate::catalogue::{Catalogue, CatalogueError};
use crate::finding::{CheckCode, FindingCode};
use crate::probe::{ProbeOptions, Prober, Report, RlsState};
use crate::survey::{DEFAULT_CONCURRENCY, Selection, Tester, survey};
use crate::tenant::{Status, Tenant, TenantFilter};

const CODES: &[CheckCode] = &[CheckCode::SourceTest, CheckCode::SourceRls];

/// So many tenants are tested where nothing else was said.
pub const SAMPLE: usize = 5;

/// Which data sources are tested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// None.
    Offline,
    /// Those of the first active tenants in the order of the subdomain, [`SAMPLE`] of them.
    Sample,
    /// All.
    All,
}

/// What the survey has shown besides.
#[derive(Default)]
struct Told {
    tested: u64,
    failed: u64,
    /// Data sources that have row-level security and do not show that it is enforced.
    not_enforced: Names,
    /// Data sources of which row-level security was judged.
    judged: u64,
}

pub(super) async fn check(installation: &Installation, options: &Options, sink: &Sink) {
    if options.scope == Scope::Offline {
        for code in CODES {
            sink.skipped_so(*code, "no data source was asked", "leave --offline out, or say --all-tenants");
        }
        return;
    }
    let Some(url) = &installation.settings.database_url else {
        skip(CODES, "there is no application database URL", sink);
        return;
    };
    let Ok(ring) = &installation.ring else {
        skip(CODES, "there is no encryption key to open the stored keys with", sink);
        return;
    };
    let catalogue = match Catalogue::open(&url.value).await {
        Ok(catalogue) => Arc::new(catalogue),
        Err(_) => {
            skip(CODES, "the tenants cannot be read from the application database", sink);
            return;
        }
    };
    let selected = tokio::time::timeout(super::LIMIT, select(&catalogue, options.scope)).await;
    let (selection, whole) = match selected {
        Ok(Ok(selected)) => selected,
        Err(_) => {
            skip(CODES, "the tenants could not be read in time: see stored.sealed", sink);
            return;
        }
        Ok(Err(error)) => {
            sink.wrong(CheckCode::SourceTest, chain(&error));
            sink.skipped(CheckCode::SourceRls, "the tenants could not be read");
            return;
        }
    };
    let settings = ProbeOptions {
        expiring_within: options.expiring_within,
        named: false,
        // Whoever is ignored is so for all checks alike.
        ignored: Vec::new(),
        ..ProbeOptions::from_settings(&installation.settings)
    };
    let tester = Tester::Fresh(Prober::new(Arc::clone(ring), settings, installation.clock));
    let mut told = Told::default();
    let outcome = survey(&tester, selection, None, DEFAULT_CONCURRENCY, pending(), |report| {
        told.hear(report, sink);
        false
    });
    let outcome = outcome.await;
    if !outcome.complete {
        let why = outcome.error.map_or_else(|| "a bug".to_owned(), |error| chain(&error));
        sink.error(CheckCode::SourceTest, format!("not every data source was tested: {why}"));
    }
    told.report(outcome.complete, options.scope, whole, sink);
}

/// Whom to test, and of how many.
async fn select(catalogue: &Arc<Catalogue>, scope: Scope) -> Result<(Selection, u64), CatalogueError> {
    let everybody = TenantFilter::default();
    let whole = catalogue.count(&everybody).await?;
    if scope == Scope::All {
        return Ok((Selection::All(Arc::clone(catalogue), everybody), whole));
    }
    let active = TenantFilter { statuses: vec![Status::Active], ..TenantFilter::default() };
    let mut sample: Vec<Tenant> = Vec::new();
    let mut cursor = None;
    // Few have no data source; a page of ten times as many has enough.
    loop {
        let page = catalogue.page(&active, cursor.as_ref(), 10 * SAMPLE).await?;
        sample.extend(page.tenants.into_iter().filter(|tenant| tenant.source.is_some()));
        cursor = page.next;
        if sample.len() >= SAMPLE || cursor.is_none() {
            sample.truncate(SAMPLE);
            return Ok((Selection::Named(sample), whole));
        }
    }
}

/// Findings that were added up from the rows of all tenants already.
fn is_known_offline(code: FindingCode) -> bool {
    use FindingCode as F;
    matches!(
        code,
        F::KeySwapped
            | F::KeySame
            | F::KeySameUser
            | F::KeyPrevious
            | F::KeyNotCanonical
            | F::JwtMalformed
            | F::JwtExpired
            | F::JwtExpiring
            | F::JwtFromTheFuture
            | F::UrlPassword
            | F::KeyRole
            | F::KeyLegacy
            | F::ConnectionUnencrypted
            | F::SourceShared
            | F::KeyReused
    )
}

impl Told {
    fn hear(&mut self, report: &Report, sink: &Sink) {
        if report.skipped {
            return;
        }
        self.tested += 1;
        let names = [report.tenant.id.as_str(), report.tenant.subdomain.as_str()];
        if let (Some(error), Some(class)) = (&report.error, report.failure) {
            self.failed += 1;
            let message = format!("{error} ({})", class.slug());
            sink.wrong_for(CheckCode::SourceTest, names, &message, class.hint());
        }
        for finding in report.findings.iter().filter(|finding| !is_known_offline(finding.code)) {
            sink.wrong_for(finding.code, names, &finding.message, finding.hint);
        }
        match report.rls.state {
            RlsState::Unsupported => {}
            // A test that failed has said why it knows nothing.
            RlsState::Unknown | RlsState::Untested if !report.success => {}
            RlsState::Enforced => self.judged += 1,
            state => {
                self.judged += 1;
                let [id, subdomain] = names;
                self.not_enforced.add(|| format!("{} ({})", shown_name(id, subdomain), state.as_str()));
            }
        }
    }

    fn report(&self, complete: bool, scope: Scope, whole: u64, sink: &Sink) {
        let of = match scope {
            Scope::All => String::new(),
            _ => format!(" of {}, those first in order; --all-tenants tests all", count(whole, "tenant")),
        };
        let answer = if self.tested - self.failed == 1 { "answers" } else { "answer" };
        if self.tested == 0 && complete {
            sink.skipped(CheckCode::SourceTest, "no active tenant has a data source");
        } else if self.failed < self.tested {
            let passed = count(self.tested - self.failed, "data source");
            sink.ok(CheckCode::SourceTest, format!("{passed} {answer}{of}"));
        }
        if !self.not_enforced.is_empty() {
            let meaning = CheckCode::SourceRls.meaning();
            sink.wrong(CheckCode::SourceRls, format!("{meaning}: {}", self.not_enforced.list()));
        } else if !complete {
            sink.skipped(CheckCode::SourceRls, "not every data source was tested");
        } else if self.judged > 0 {
            let judged = count(self.judged, "data source");
            sink.ok(CheckCode::SourceRls, format!("row-level security is enforced in {judged}"));
        } else {
            sink.skipped(
                CheckCode::SourceRls,
                "no data source that was tested has row-level security to judge",
            );
        }
    }
}
