//! Whether one tenant's credentials can read another tenant's rows: the judgement, from what the data source told.
//!
//! Pure: facts in, states, reasons and findings out. What contradicts is reported as the worse; what is not established
//! is `unknown`, and its reason says what would settle it.

use super::report::{RlsReport, RlsState};
use crate::failure::Failure;
use crate::finding::{Finding, FindingCode};
use crate::source::evidence::{Evidence, Facts};
use crate::source::{Question, RlsScope};
use crate::url::Kind;

mod catalogue;
mod expression;
mod meaning;
mod outside;
mod policies;
mod postgres;
mod reach;
mod rest;
mod truth;

/// The judgement on one audience.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Verdict {
    state: RlsState,
    reason: String,
}

impl Verdict {
    fn new(state: RlsState, reason: impl Into<String>) -> Self {
        Self { state, reason: reason.into() }
    }

    fn untested(reason: impl Into<String>) -> Self {
        Self::new(RlsState::Untested, reason)
    }

    fn unknown(reason: impl Into<String>) -> Self {
        Self::new(RlsState::Unknown, reason)
    }

    /// The worse of two; the first of equals.
    fn worse(self, other: Self) -> Self {
        if other.state > self.state { other } else { self }
    }
}

/// What one login came back with: `None` when it did not ask.
pub(super) type Learnt<'a> = Option<&'a Result<Evidence, Failure>>;

/// Judges a tenant. `service` and `anon` are what the two logins learnt.
pub(super) fn judge(
    kind: Kind,
    question: &Question,
    service: Learnt<'_>,
    anon: Learnt<'_>,
) -> (RlsReport, Vec<Finding>) {
    let mut findings = Vec::new();
    if question.scope == RlsScope::Off {
        let off = RlsReport::untested("row-level security was not tested (--rls off)");
        return (RlsReport { state: RlsState::Untested, ..off }, findings);
    }
    let (anon, authenticated) = match kind {
        Kind::Sqlite => {
            let none = || Verdict::new(RlsState::Unsupported, "SQLite has no row-level security");
            (none(), none())
        }
        Kind::Postgres => postgres::judge(question, service, anon, &mut findings),
        Kind::Supabase => rest::judge(service, anon, &mut findings),
    };
    let judged: Vec<RlsState> =
        [anon.state, authenticated.state].into_iter().filter(|state| *state > RlsState::Untested).collect();
    let state = match judged.iter().max() {
        Some(state) => *state,
        None if kind == Kind::Sqlite => RlsState::Unsupported,
        None => RlsState::Unknown,
    };
    let detail = if anon == authenticated {
        anon.reason.clone()
    } else {
        format!("anon: {}; authenticated: {}", anon.reason, authenticated.reason)
    };
    let report = RlsReport { state, anon: anon.state, authenticated: authenticated.state, detail };
    (report, distinct(findings))
}

/// Each finding once: two audiences, or two logins, often come to the same.
fn distinct(findings: Vec<Finding>) -> Vec<Finding> {
    let mut kept: Vec<Finding> = Vec::new();
    for finding in findings {
        if !kept.contains(&finding) {
            kept.push(finding);
        }
    }
    kept.sort_by(|a, b| (b.severity, a.code, &a.message).cmp(&(a.severity, b.code, &b.message)));
    kept
}

fn facts<'a>(learnt: Learnt<'a>) -> Option<Result<&'a Facts, &'a Failure>> {
    match learnt? {
        Ok(Evidence::Postgres(facts)) => Some(Ok(facts)),
        Ok(Evidence::Rest(_)) => None,
        Err(failure) => Some(Err(failure)),
    }
}

fn found(findings: &mut Vec<Finding>, code: FindingCode, message: String) {
    findings.push(Finding::with_message(code, message));
}

#[cfg(test)]
mod tests;
