//! What is known of the fleet: each tenant's last test with a small history, and how the watch stands.
//!
//! Everything is in memory and bounded: at most [`TENANTS`] tenants, of each [`HISTORY`] outcomes and [`FINDINGS`]
//! findings, no text longer than [`TEXT`] characters. That is about 1 kB a tenant, and at the very worst 10. Texts that
//! came from rows or servers are [printable](crate::sanitize::printable); in HTML they must still be escaped.
//!
//! Readers get copies: a [`Snapshot`] of the whole, whose size does not depend on the number of tenants, and [`Rows`], a
//! page of tenants.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use jiff::Timestamp;

use super::rows::{Query, Rows};
use crate::finding::{Finding, Severity};
use crate::probe::Report;
use crate::tenant::TenantId;

mod row;

pub use row::{Outcome, Row, State};
use row::{bounded, cut};

/// The most tenants that are kept. Those beyond are tested and counted, but not shown ([`Totals::not_kept`]).
pub const TENANTS: usize = 50_000;
/// The most outcomes of one tenant that are kept.
pub const HISTORY: usize = 20;
/// The most findings of one tenant, or between tenants, that are kept.
pub const FINDINGS: usize = 10;
/// The most characters of any text that are kept.
pub const TEXT: usize = 300;

/// How the watch stands.
#[derive(Clone, Debug, Default)]
pub struct Round {
    /// Whether one is under way.
    pub running: bool,
    /// When the last began; `None` before the first.
    pub began: Option<Timestamp>,
    /// When the last that came to its end ended.
    pub ended: Option<Timestamp>,
    /// When the next is due; `None` while one is running.
    pub next: Option<Timestamp>,
    /// Tenants that the running one has tested, or the last one had.
    pub done: usize,
    /// Tenants that it has to test, as far as that is known.
    pub expected: Option<u64>,
    /// Rounds that came to their end since the process began.
    pub completed: u64,
}

/// Why there is no new round: the results that are shown are as old as they say.
#[derive(Clone, Debug)]
pub struct Trouble {
    /// What failed, with its causes, printable.
    pub message: String,
    /// Since when, without a round that came to its end in between.
    pub since: Timestamp,
    /// How often it was tried.
    pub attempts: u32,
}

/// Counts over all tenants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Tenants that are watched and kept.
    pub total: usize,
    /// Tenants whose last test failed.
    pub failed: usize,
    /// Tenants that were not tested yet, in the first round.
    pub pending: usize,
    /// Tenants whose last test passed.
    pub passed: usize,
    /// Tenants without a data source.
    pub skipped: usize,
    /// Tenants beyond [`TENANTS`]: tested, not kept.
    pub not_kept: usize,
    /// Findings that are errors, of tenants and between them, without those that are ignored.
    pub errors: usize,
    /// Findings that are warnings, likewise.
    pub warnings: usize,
}

impl Totals {
    /// The tenants in a state.
    #[must_use]
    pub fn of(&self, state: State) -> usize {
        match state {
            State::Failed => self.failed,
            State::Pending => self.pending,
            State::Passed => self.passed,
            State::Skipped => self.skipped,
        }
    }
}

/// The whole in numbers, at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Counts over all tenants.
    pub totals: Totals,
    /// How the watch stands.
    pub round: Round,
    /// What is in its way.
    pub trouble: Option<Trouble>,
    /// What is wrong between tenants, at most [`FINDINGS`].
    pub findings: Vec<Finding>,
    /// Findings between tenants that are not kept.
    pub more_findings: usize,
    /// How many findings between tenants count, by code and severity: of all, also of those that are not kept.
    pub between: BTreeMap<(&'static str, Severity), usize>,
    /// The time between two rounds, without the jitter.
    pub interval: Duration,
}

/// What is known of the fleet. Not shared by itself: its owner puts a lock around it.
#[derive(Debug)]
pub struct Fleet {
    rows: HashMap<TenantId, Row>,
    not_kept: usize,
    round: Round,
    number: u64,
    trouble: Option<Trouble>,
    findings: Vec<Finding>,
    more_findings: usize,
    between: BTreeMap<(&'static str, Severity), usize>,
    interval: Duration,
}

impl Fleet {
    /// Nothing is known yet.
    #[must_use]
    pub fn new(interval: Duration) -> Self {
        Self {
            rows: HashMap::new(),
            not_kept: 0,
            round: Round::default(),
            number: 0,
            trouble: None,
            findings: Vec::new(),
            more_findings: 0,
            between: BTreeMap::new(),
            interval,
        }
    }

    /// A round begins.
    pub fn begin(&mut self, now: Timestamp) {
        self.number += 1;
        self.not_kept = 0;
        self.round.running = true;
        self.round.began = Some(now);
        self.round.next = None;
        self.round.done = 0;
        self.round.expected = None;
    }

    /// How many tenants the round has to test.
    pub fn expect(&mut self, tenants: u64) {
        self.round.expected = Some(tenants);
    }

    /// A tenant was tested.
    pub fn add(&mut self, report: &Report, now: Timestamp) {
        self.round.done += 1;
        let kept = self.rows.len() < TENANTS || self.rows.contains_key(&report.tenant.id);
        // An id of such a length is nobody's; what is kept of a row is bounded.
        if !kept || report.tenant.id.as_str().len() > TEXT || report.tenant.subdomain.len() > 4 * TEXT {
            self.not_kept += 1;
            return;
        }
        let history = self.rows.remove(&report.tenant.id).map(|row| row.history).unwrap_or_default();
        let row = Row::of(report, now, self.number, history);
        self.rows.insert(row.id.clone(), row);
    }

    /// A round came to its end: every tenant that is there was tested, and the others are gone.
    pub fn end(&mut self, findings: Vec<Finding>, now: Timestamp) {
        self.rows.retain(|_, row| row.round == self.number);
        self.between.clear();
        for finding in findings.iter().filter(|finding| finding.ignored.is_none()) {
            *self.between.entry((finding.code.code(), finding.severity)).or_default() += 1;
        }
        (self.findings, self.more_findings) = bounded(findings);
        self.trouble = None;
        self.round.running = false;
        self.round.ended = Some(now);
        self.round.completed += 1;
    }

    /// The next round begins then.
    pub fn due(&mut self, next: Timestamp) {
        self.round.next = Some(next);
    }

    /// A round was given up because the settings changed; another takes its place.
    pub fn give_up(&mut self, next: Timestamp) {
        self.round.running = false;
        self.round.next = Some(next);
    }

    /// A round could not be brought to its end. What is known stays as it is, with its age.
    pub fn fail(&mut self, message: &str, now: Timestamp, next: Timestamp) {
        let (since, attempts) =
            self.trouble.as_ref().map_or((now, 0), |trouble| (trouble.since, trouble.attempts));
        self.trouble = Some(Trouble { message: cut(message), since, attempts: attempts.saturating_add(1) });
        self.round.running = false;
        self.round.next = Some(next);
    }

    /// The whole in numbers.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let mut totals = Totals { total: self.rows.len(), not_kept: self.not_kept, ..Totals::default() };
        for row in self.rows.values() {
            match row.state {
                State::Failed => totals.failed += 1,
                State::Pending => totals.pending += 1,
                State::Passed => totals.passed += 1,
                State::Skipped => totals.skipped += 1,
            }
            totals.errors += row.counting(Severity::Error);
            totals.warnings += row.counting(Severity::Warning);
        }
        for ((_, severity), count) in &self.between {
            match severity {
                Severity::Error => totals.errors += count,
                Severity::Warning => totals.warnings += count,
            }
        }
        if self.round.completed == 0 {
            let known = u64::try_from(self.round.done).unwrap_or(u64::MAX);
            let left = self.round.expected.unwrap_or(0).saturating_sub(known);
            totals.pending += usize::try_from(left).unwrap_or(usize::MAX);
        }
        Snapshot {
            totals,
            round: self.round.clone(),
            trouble: self.trouble.clone(),
            findings: self.findings.clone(),
            more_findings: self.more_findings,
            between: self.between.clone(),
            interval: self.interval,
        }
    }

    /// A page of the tenants that fit, those first that need somebody.
    #[must_use]
    pub fn page(&self, query: &Query) -> Rows {
        Rows::of(self.rows.values(), query)
    }

    /// The tenant of an id or a subdomain; an id comes first when both exist.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Row> {
        let by_id = || self.rows.get(name);
        // A UUID is the same in letters of either case.
        let lower = || TenantId::is_uuid(name).then(|| self.rows.get(name.to_ascii_lowercase().as_str()))?;
        let by_subdomain = || self.rows.values().find(|row| !name.is_empty() && row.exact_subdomain == name);
        by_id().or_else(lower).or_else(by_subdomain)
    }

    /// Every tenant that is kept, in no order.
    pub fn rows(&self) -> impl Iterator<Item = &Row> {
        self.rows.values()
    }
}

#[cfg(test)]
mod tests;
