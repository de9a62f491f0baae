//! A check, and the place where checks are handed in: the statuses, what is ignored, the counts.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;
use tokio::sync::mpsc::UnboundedSender;

use crate::finding::{CheckCode, Code, Ignored, Severity, ignored};
use crate::sanitize::printable;
use crate::tenant::Tenant;

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It holds.
    Ok,
    /// It could not be made, or was not asked for.
    Skipped,
    /// It does not hold, and somebody has said that this does not count.
    Ignored,
    /// Worth mending.
    Warning,
    /// Wrong now.
    Error,
}

impl Status {
    /// The word in tables and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Skipped => "skipped",
            Self::Ignored => "ignored",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// A check that was made, or why not. Safe to show.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    /// Its code.
    pub code: Code,
    /// How it came out.
    pub status: Status,
    /// What was found, in a sentence.
    pub message: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The subdomain of the tenant that it is about, or the id of one without.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// Why it does not count, if it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ignored: Option<String>,
}

/// The counts of an examination.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Checks that hold.
    pub ok: usize,
    /// Checks worth mending.
    pub warnings: usize,
    /// Checks that are wrong now.
    pub errors: usize,
    /// Checks that were not made.
    pub skipped: usize,
    /// Checks that do not count.
    pub ignored: usize,
}

impl Summary {
    /// Counts a check.
    pub fn add(&mut self, check: &Check) {
        let slot = match check.status {
            Status::Ok => &mut self.ok,
            Status::Skipped => &mut self.skipped,
            Status::Ignored => &mut self.ignored,
            Status::Warning => &mut self.warnings,
            Status::Error => &mut self.errors,
        };
        *slot += 1;
    }
}

/// Where checks are handed in as they are made.
#[derive(Debug)]
pub struct Sink {
    sender: UnboundedSender<Check>,
    ignored: Vec<Ignored>,
    reported: Mutex<HashSet<CheckCode>>,
}

impl Sink {
    /// A sink that hands checks on, those of the list as ignored.
    #[must_use]
    pub fn new(sender: UnboundedSender<Check>, ignored: Vec<Ignored>) -> Self {
        Self { sender, ignored, reported: Mutex::default() }
    }

    pub(super) fn ok(&self, code: CheckCode, message: impl Into<String>) {
        self.send(Check { message: message.into(), ..blank(code.into(), Status::Ok) });
    }

    /// Does not hold, with the hint of the table.
    pub(super) fn wrong(&self, code: impl Into<Code>, message: impl Into<String>) {
        let code = code.into();
        self.wrong_so(code, message, code.hint().to_owned());
    }

    /// Does not hold, with a hint of its own.
    pub(super) fn wrong_so(
        &self,
        code: impl Into<Code>,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        let code = code.into();
        let status = status_of(code.severity());
        let check = Check { message: message.into(), hint: Some(hint.into()), ..blank(code, status) };
        self.send(self.judged(check, &[]));
    }

    /// Does not hold, whatever the table says of how much that matters: nothing is known.
    pub(super) fn error(&self, code: CheckCode, message: impl Into<String>) {
        let hint = Some(code.hint().to_owned());
        let check = Check { message: message.into(), hint, ..blank(code.into(), Status::Error) };
        self.send(self.judged(check, &[]));
    }

    /// May not hold, whatever the table says of how much it matters when it does not.
    pub(super) fn warning(&self, code: CheckCode, message: impl Into<String>, hint: &str) {
        let hint = Some(hint.to_owned());
        let check = Check { message: message.into(), hint, ..blank(code.into(), Status::Warning) };
        self.send(self.judged(check, &[]));
    }

    pub(super) fn skipped(&self, code: CheckCode, why: impl Into<String>) {
        self.send(Check { message: why.into(), ..blank(code.into(), Status::Skipped) });
    }

    /// Skipped, with what to do to have it made.
    pub(super) fn skipped_so(&self, code: CheckCode, why: impl Into<String>, hint: &str) {
        let hint = Some(hint.to_owned());
        self.send(Check { message: why.into(), hint, ..blank(code.into(), Status::Skipped) });
    }

    /// Does not hold for a tenant.
    pub(super) fn wrong_for(&self, code: impl Into<Code>, names: [&str; 2], message: &str, hint: &str) {
        let code = code.into();
        let status = status_of(code.severity());
        let [id, subdomain] = names;
        let tenant = if subdomain.is_empty() { id } else { subdomain };
        let check = Check {
            message: message.to_owned(),
            hint: Some(hint.to_owned()),
            tenant: Some(printable(tenant).into_owned()),
            ..blank(code, status)
        };
        self.send(self.judged(check, &names));
    }

    /// Why something of a tenant does not count, if it does not.
    pub(super) fn reason(&self, code: Code, tenant: &Tenant) -> Option<String> {
        ignored::reason(&self.ignored, code, &[tenant.id.as_str(), &tenant.subdomain])
    }

    /// Does not hold, for tenants of which somebody has said that it does not count.
    pub(super) fn ignored(&self, code: Code, message: String, why: String) {
        self.send(Check { message, ignored: Some(why), ..blank(code, Status::Ignored) });
    }

    /// Whether a code was reported.
    pub(super) fn has(&self, code: CheckCode) -> bool {
        self.reported.lock().unwrap_or_else(PoisonError::into_inner).contains(&code)
    }

    fn judged(&self, check: Check, names: &[&str]) -> Check {
        match ignored::reason(&self.ignored, check.code, names) {
            Some(why) => Check { status: Status::Ignored, hint: None, ignored: Some(why), ..check },
            None => check,
        }
    }

    fn send(&self, check: Check) {
        if let Code::Check(code) = check.code {
            self.reported.lock().unwrap_or_else(PoisonError::into_inner).insert(code);
        }
        // Nobody listens any more: the run was interrupted.
        let _ = self.sender.send(check);
    }
}

fn status_of(severity: Severity) -> Status {
    match severity {
        Severity::Warning => Status::Warning,
        Severity::Error => Status::Error,
    }
}

fn blank(code: Code, status: Status) -> Check {
    Check { code, status, message: String::new(), hint: None, tenant: None, ignored: None }
}
