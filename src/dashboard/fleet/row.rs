//! A tenant as the fleet keeps it: its last test, with a small history.
//!
//! A file of its own because here is decided what is kept of a report, and how much.

use std::collections::VecDeque;

use jiff::Timestamp;

use super::{FINDINGS, HISTORY, TEXT};
use crate::failure::FailureClass;
use crate::finding::{Finding, Severity};
use crate::probe::{DataSource, Report, RlsState};
use crate::sanitize::printable;
use crate::tenant::{Status, Tenant, TenantId};
use crate::url::Kind;

/// What came of a tenant's last test. In the order in which tenants need somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// A role failed.
    Failed,
    /// Not tested yet.
    Pending,
    /// Every role passed.
    Passed,
    /// There is nothing to test: no data source.
    Skipped,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Failed, Self::Pending, Self::Passed, Self::Skipped];

    /// The word on the page and in labels.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Pending => "pending",
            Self::Passed => "passed",
            Self::Skipped => "skipped",
        }
    }
}

/// One test of one tenant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome {
    /// When it ended.
    pub at: Timestamp,
    /// Whether every role passed.
    pub passed: bool,
    /// From the first question to the last answer, ms.
    pub response_time_ms: f64,
}

/// A tenant and its last test.
#[derive(Clone, Debug)]
pub struct Row {
    /// The id as it stands in its row, for links ([`Row::path`]) and comparison.
    pub id: TenantId,
    /// The display name, printable; may be empty.
    pub name: String,
    /// The short name, printable; may be empty.
    pub subdomain: String,
    /// The kind of data source; `None` without one, or when its URL has a scheme that none has.
    pub kind: Option<Kind>,
    /// Where the data source is, without user and password, printable.
    pub endpoint: Option<String>,
    /// What came of the last test.
    pub state: State,
    /// When that was.
    pub tested_at: Option<Timestamp>,
    /// How long it took, ms. `None` when nothing was asked.
    pub response_time_ms: Option<f64>,
    /// The last outcomes, the oldest first.
    pub history: VecDeque<Outcome>,
    /// The class of the failure.
    pub failure: Option<FailureClass>,
    /// The failure in a sentence, printable.
    pub error: Option<String>,
    /// What to do about it.
    pub hint: Option<&'static str>,
    /// What is known of row-level security; `None` when nothing was tested.
    pub rls: Option<RlsState>,
    /// Why, printable.
    pub rls_detail: String,
    /// What is wrong although it answers: the worst first, at most [`FINDINGS`]. An ignored one has its reason in
    /// [`Finding::ignored`].
    pub findings: Vec<Finding>,
    /// Findings that are not kept.
    pub more_findings: usize,
    /// The round of the last test, for forgetting who is no longer there.
    pub(super) round: u64,
    /// The short name as it stands in the row, by which the tenant may be asked for.
    pub(super) exact_subdomain: String,
}

impl Row {
    pub(super) fn of(report: &Report, now: Timestamp, round: u64, mut history: VecDeque<Outcome>) -> Self {
        let state = match (report.skipped, report.success) {
            (true, _) => State::Skipped,
            (false, true) => State::Passed,
            (false, false) => State::Failed,
        };
        let asked = !report.skipped;
        if asked {
            let took = report.response_time_ms;
            history.push_back(Outcome { at: now, passed: report.success, response_time_ms: took });
            while history.len() > HISTORY {
                history.pop_front();
            }
        }
        let (findings, more_findings) = bounded(report.findings.clone());
        Self {
            id: report.tenant.id.clone(),
            name: cut(&report.tenant.name),
            subdomain: cut(&report.tenant.subdomain),
            kind: report.data_source.as_ref().and_then(|source| source.kind),
            endpoint: report.data_source.as_ref().map(|source| cut(&source.endpoint)),
            state,
            tested_at: Some(now),
            response_time_ms: asked.then_some(report.response_time_ms),
            history,
            failure: report.failure,
            error: report.error.as_deref().map(cut),
            hint: report.hint,
            rls: asked.then_some(report.rls.state),
            rls_detail: cut(&report.rls.detail),
            findings,
            more_findings,
            round,
            exact_subdomain: report.tenant.subdomain.clone(),
        }
    }

    /// A tenant without a test: not reached yet, or not watched because of its status.
    pub(in super::super) fn untested(tenant: &Tenant) -> Self {
        let source = tenant.source.as_ref().map(DataSource::of);
        let is_watched = tenant.status == Status::Active.as_str();
        Self {
            id: tenant.id.clone(),
            name: cut(&tenant.name),
            subdomain: cut(&tenant.subdomain),
            kind: source.as_ref().and_then(|source| source.kind),
            endpoint: source.as_ref().map(|source| cut(&source.endpoint)),
            state: if is_watched { State::Pending } else { State::Skipped },
            tested_at: None,
            response_time_ms: None,
            history: VecDeque::new(),
            failure: None,
            error: (!is_watched).then(|| "tenants that are not active are not tested".to_owned()),
            hint: None,
            rls: None,
            rls_detail: String::new(),
            findings: Vec::new(),
            more_findings: 0,
            round: 0,
            exact_subdomain: tenant.subdomain.clone(),
        }
    }

    /// The path of the tenant's page.
    #[must_use]
    pub fn path(&self) -> String {
        let mut path = String::from("/");
        for byte in self.id.as_str().bytes() {
            if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'~') {
                path.push(char::from(byte));
            } else {
                path.push_str(&format!("%{byte:02X}"));
            }
        }
        path + "/debug/performance"
    }

    /// Findings of this severity that count.
    #[must_use]
    pub fn counting(&self, severity: Severity) -> usize {
        let counts = |finding: &&Finding| finding.severity == severity && finding.ignored.is_none();
        self.findings.iter().filter(counts).count()
    }

    /// Whether one of its names contains the text, which is in lower case.
    pub(in super::super) fn fits(&self, text: &str) -> bool {
        let has = |name: &str| name.to_lowercase().contains(text);
        text.is_empty()
            || has(&self.subdomain)
            || has(&self.name)
            || has(self.id.as_str())
            || self.endpoint.as_deref().is_some_and(has)
    }
}

/// The worst findings, and how many more there are.
pub(super) fn bounded(mut findings: Vec<Finding>) -> (Vec<Finding>, usize) {
    findings.sort_by_key(|finding| (finding.ignored.is_some(), std::cmp::Reverse(finding.severity)));
    let more = findings.len().saturating_sub(FINDINGS);
    findings.truncate(FINDINGS);
    for finding in &mut findings {
        finding.message = cut(&finding.message);
        finding.ignored = finding.ignored.as_deref().map(cut);
    }
    (findings, more)
}

/// A text made printable, and not longer than is kept.
pub(super) fn cut(text: &str) -> String {
    let shown = printable(text);
    match shown.char_indices().nth(TEXT) {
        Some((end, _)) => format!("{}…", &shown[..end]),
        None => shown.into_owned(),
    }
}
