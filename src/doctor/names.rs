//! Tenants counted and, the first of them, named: one check for all that have the same wrong with them.

use super::{Sink, count};
use crate::finding::Code;
use crate::sanitize::printable;
use crate::tenant::Tenant;

/// So many are named.
const NAMED: usize = 5;
/// The longest name that is shown, characters.
const NAME_LIMIT: usize = 40;

/// Those who have something wrong with them.
#[derive(Debug, Default)]
pub(super) struct Names {
    shown: Vec<String>,
    all: u64,
}

/// The same for one code, and apart from them those of whom somebody has said that it does not count.
#[derive(Debug, Default)]
pub(super) struct Tally {
    counted: Names,
    ignored: Names,
    why: Option<String>,
}

impl Names {
    pub(super) fn add(&mut self, name: impl FnOnce() -> String) {
        self.all += 1;
        if self.shown.len() < NAMED {
            self.shown.push(name());
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all == 0
    }

    pub(super) fn number(&self) -> u64 {
        self.all
    }

    /// `acme, birch and 3 more`.
    pub(super) fn list(&self) -> String {
        let more = self.all - u64::try_from(self.shown.len()).unwrap_or(0);
        let mut names = self.shown.clone();
        names.sort();
        let names = names.join(", ");
        if more == 0 { names } else { format!("{names} and {more} more") }
    }
}

impl Tally {
    /// Adds something of a tenant, by its name and a word.
    pub(super) fn add(&mut self, code: Code, tenant: &Tenant, what: &str, sink: &Sink) {
        let name = || if what.is_empty() { shown(tenant) } else { format!("{} ({what})", shown(tenant)) };
        match sink.reason(code, tenant) {
            Some(why) => {
                self.ignored.add(name);
                self.why.get_or_insert(why);
            }
            None => self.counted.add(name),
        }
    }

    /// Reports both in the words of the table; `what` is counted.
    pub(super) fn report(self, code: impl Into<Code>, what: &str, sink: &Sink) {
        let code = code.into();
        self.report_as(code, code.meaning(), code.hint(), what, sink);
    }

    /// Reports both in other words.
    pub(super) fn report_as(self, code: Code, meaning: &str, hint: &str, what: &str, sink: &Sink) {
        let message =
            |names: &Names| format!("{meaning}: {} ({})", names.list(), count(names.number(), what));
        if !self.counted.is_empty() {
            sink.wrong_so(code, message(&self.counted), hint);
        }
        if let (false, Some(why)) = (self.ignored.is_empty(), self.why) {
            sink.ignored(code, message(&self.ignored), why);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.counted.is_empty() && self.ignored.is_empty()
    }
}

/// How a tenant is named: by its subdomain, or by its id where it has none.
pub(super) fn shown(tenant: &Tenant) -> String {
    shown_name(tenant.id.as_str(), &tenant.subdomain)
}

pub(super) fn shown_name(id: &str, subdomain: &str) -> String {
    shown_text(if subdomain.is_empty() { id } else { subdomain })
}

/// A text of a row, as far as it is reasonable.
pub(super) fn shown_text(text: &str) -> String {
    let name = printable(text);
    match name.char_indices().nth(NAME_LIMIT) {
        Some((cut, _)) => format!("{}…", &name[..cut]),
        None => name.into_owned(),
    }
}
