//! The test of many tenants: bounded concurrency, each with its own time limit, the results as they come.
//!
//! Each tenant is a task of its own, so that a dead one delays nobody and a bug in one ends one. The pages of the
//! application database are read ahead by a task with room for one page: memory holds what is being tested and the
//! reports, not the table.

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::sync::Arc;
use std::time::Instant;

use serde::Serialize;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::catalogue::{Catalogue, CatalogueError, Cursor};
use crate::failure::{Failure, FailureClass};
use crate::finding::{Finding, FindingCode, Ignored, ignored};
use crate::manager::{DataSourceManager, ManagerError};
use crate::probe::{Prober, Report, milliseconds};
use crate::tenant::{Tenant, TenantFilter, TenantId};

mod alike;
mod fleet;
mod refresh;

pub use alike::{Alike, Digests};
pub use fleet::{Fleet, Pair};
pub use refresh::Refresh;

/// How many tenants one page of the application database holds. A page is sorted anew by the server where no index
/// fits, so pages are large; a thousand rows are about a megabyte.
const PAGE: usize = 1000;

/// How tenants are tested.
#[derive(Clone, Debug)]
pub enum Tester {
    /// With the row that was read from the application database.
    Fresh(Prober),
    /// With the row that a running service would use: the manager's, cached or not.
    Cached(DataSourceManager, Prober),
}

impl Tester {
    fn prober(&self) -> &Prober {
        match self {
            Self::Fresh(prober) | Self::Cached(_, prober) => prober,
        }
    }

    async fn test(&self, tenant: &Tenant) -> Report {
        match self {
            Self::Fresh(prober) => prober.probe(tenant).await,
            Self::Cached(manager, prober) => {
                let start = Instant::now();
                let row = timeout(prober.limit(), manager.tenant(tenant.id.as_str())).await;
                // The row is part of the test, and its time of the tenant's.
                let rest = prober.within(prober.limit().saturating_sub(start.elapsed()));
                match row {
                    Ok(Ok(cached)) => rest.probe(&cached).await,
                    // Judged as any tenant without one.
                    Ok(Err(ManagerError::NoDataSource(_))) => rest.probe(tenant).await,
                    Ok(Err(error)) => Report::failed(tenant, prober.roles(), &error.failure()),
                    Err(_) => {
                        let late = Failure::with(FailureClass::Timeout, "while its row was read");
                        Report::failed(tenant, prober.roles(), &late)
                    }
                }
            }
        }
    }
}

/// Whom to test.
#[derive(Debug)]
pub enum Selection {
    /// These tenants.
    Named(Vec<Tenant>),
    /// All that fit the filter, read from the application database page by page.
    All(Arc<Catalogue>, TenantFilter),
}

/// The counts of a survey.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Tenants in the report.
    pub total: usize,
    /// Tested, and every tested role passed.
    pub passed: usize,
    /// Tested, and a role failed.
    pub failed: usize,
    /// Not tested, having no data source.
    pub skipped: usize,
    /// Findings that do not count because somebody said so.
    #[serde(skip_serializing_if = "is_zero")]
    pub ignored: usize,
    /// The time of the whole survey, ms.
    pub duration_ms: f64,
}

/// The outcome of a survey.
#[derive(Debug)]
pub struct Survey {
    /// Whether every selected tenant is in it.
    pub complete: bool,
    /// The counts.
    pub summary: Summary,
    /// What is wrong between tenants.
    pub findings: Vec<Finding>,
    /// The reports that were kept, in byte order of the subdomain.
    pub results: Vec<Report>,
    /// Why the application database could not be read to its end.
    pub error: Option<CatalogueError>,
}

/// Tests the selected tenants, at most `concurrency` at a time, and refreshes the second cache tier with the rows that
/// are read for it, if it is to. `on_report` sees each report as it comes, and says
/// whether to keep it for [`Survey::results`]. When `stop` completes, what has not finished is given up.
pub async fn survey(
    tester: &Tester,
    selection: Selection,
    refresh: Option<Arc<Refresh>>,
    concurrency: usize,
    stop: impl Future<Output = ()>,
    mut on_report: impl FnMut(&Report) -> bool,
) -> Survey {
    let start = Instant::now();
    let mut outcome = Survey {
        complete: true,
        summary: Summary::default(),
        findings: Vec::new(),
        results: Vec::new(),
        error: None,
    };
    let mut fleet = Fleet::default();
    let mut pages = read_ahead(selection, refresh);
    let mut page = Vec::new().into_iter();
    let mut stale = HashSet::new();
    let mut more = true;
    let mut tasks: JoinSet<Report> = JoinSet::new();
    let mut running: HashMap<tokio::task::Id, Tenant> = HashMap::new();
    tokio::pin!(stop);

    loop {
        while tasks.len() < concurrency.max(1)
            && let Some(tenant) = page.next()
        {
            let (tester, subject) = (tester.clone(), Tenant::clone(&tenant));
            let task = tasks.spawn(async move { tester.test(&subject).await });
            running.insert(task.id(), tenant);
        }
        let wants_page = more && page.len() == 0 && tasks.len() < concurrency.max(1);
        if tasks.is_empty() && !wants_page {
            break;
        }
        tokio::select! {
            biased;
            () = &mut stop => {
                outcome.complete = false;
                break;
            }
            next = pages.recv(), if wants_page => match next {
                // The end is said; a reader that ends without a word has died.
                Some(Ok(next)) if next.tenants.is_empty() => more = false,
                Some(Ok(next)) => {
                    page = next.tenants.into_iter();
                    stale.extend(next.stale);
                }
                Some(Err(error)) => {
                    outcome.complete = false;
                    outcome.error = Some(error);
                    more = false;
                }
                None => {
                    outcome.complete = false;
                    more = false;
                }
            },
            Some(done) = tasks.join_next_with_id(), if !tasks.is_empty() => {
                let mut report = match done {
                    Ok((id, report)) => {
                        running.remove(&id);
                        report
                    }
                    Err(error) => match running.remove(&error.id()) {
                        // The panic itself was printed by the hook; its text may hold anything and goes no further.
                        Some(tenant) => {
                            Report::failed(&tenant, tester.prober().roles(), &Failure::new(FailureClass::Internal))
                        }
                        None => continue,
                    },
                };
                if stale.remove(&report.tenant.id) {
                    let stale = Finding::about(FindingCode::CacheStale, "the state store");
                    tester.prober().add(&mut report, stale);
                }
                outcome.summary.count(&report);
                if let Some(fingerprint) = &report.fingerprint {
                    let number = fleet.name(&report.tenant.subdomain);
                    fleet.add(number, fingerprint);
                }
                if on_report(&report) {
                    outcome.results.push(report);
                }
            }
        }
    }
    outcome.findings = fleet.findings();
    outcome.summary.duration_ms = milliseconds(start.elapsed());
    outcome.results.sort_by(|a, b| {
        (a.tenant.subdomain.as_bytes(), &a.tenant.id).cmp(&(b.tenant.subdomain.as_bytes(), &b.tenant.id))
    });
    outcome
}

/// A field that is left out when there is nothing to say.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

impl Survey {
    /// Marks the findings between tenants that are on the list. Those of a tenant were marked by its test.
    pub fn ignore(&mut self, list: &[Ignored]) {
        for finding in &mut self.findings {
            finding.ignored = ignored::reason(list, finding.code, &[]);
            self.summary.ignored += usize::from(finding.ignored.is_some());
        }
    }
}

impl Summary {
    fn count(&mut self, report: &Report) {
        self.total += 1;
        self.ignored += report.findings.iter().filter(|finding| finding.ignored.is_some()).count();
        if report.skipped {
            self.skipped += 1;
        } else if report.success {
            self.passed += 1;
        } else {
            self.failed += 1;
        }
    }
}

/// Rows as they were read, and whose rows in the state store said something else.
struct Read {
    tenants: Vec<Tenant>,
    stale: HashSet<TenantId>,
}

/// Reads pages while the ones before are tested; ends with an empty page behind the last, an error, or its reader.
fn read_ahead(
    selection: Selection,
    refresh: Option<Arc<Refresh>>,
) -> mpsc::Receiver<Result<Read, CatalogueError>> {
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        let read = async |tenants: Vec<Tenant>| {
            let stale = match &refresh {
                Some(refresh) => refresh.take(&tenants).await,
                None => HashSet::new(),
            };
            Ok(Read { tenants, stale })
        };
        let end = || Ok(Read { tenants: Vec::new(), stale: HashSet::new() });
        let (catalogue, filter) = match selection {
            Selection::Named(tenants) => {
                let _ = sender.send(read(tenants).await).await;
                let _ = sender.send(end()).await;
                return;
            }
            Selection::All(catalogue, filter) => (catalogue, filter),
        };
        let mut cursor: Option<Cursor> = None;
        loop {
            if let Some(refresh) = &refresh {
                refresh.mark().await;
            }
            let page = match catalogue.page(&filter, cursor.as_ref(), PAGE).await {
                Ok(page) => page,
                Err(error) => {
                    let _ = sender.send(Err(error)).await;
                    return;
                }
            };
            if !page.tenants.is_empty() && sender.send(read(page.tenants).await).await.is_err() {
                return;
            }
            cursor = page.next;
            if cursor.is_none() {
                let _ = sender.send(end()).await;
                return;
            }
        }
    });
    receiver
}

/// The default of how many tenants are tested at a time.
pub const DEFAULT_CONCURRENCY: usize = 32;
