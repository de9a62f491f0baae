//! The stored keys and credentials of all tenants, added up: one check for each thing that is wrong, with the number of
//! those who have it and the names of the first.

use std::collections::BTreeMap;

use super::fleet::{CODES, Judged};
use super::names::Tally;
use super::{Sink, count, skip};
use crate::cipher::{KeyId, KeyState};
use crate::failure::FailureClass;
use crate::finding::{CheckCode, Code, FindingCode};
use crate::survey::{Alike, Fleet};

/// So many pairs of tenants are named.
const NAMED: usize = 5;

/// What is known of all tenants so far.
pub(super) struct Stored {
    has_ring: bool,
    lost: bool,
    tenants: u64,
    with_source: u64,
    /// Keys that open, by the encryption key that opens them.
    under: BTreeMap<KeyId, u64>,
    /// Keys that are there.
    keys: u64,
    wrong: BTreeMap<Code, Tally>,
    /// By the word of the class, for an order that stays.
    failures: BTreeMap<&'static str, (FailureClass, Tally)>,
    fleet: Fleet,
    /// Those who could be compared.
    compared: u64,
    /// The sealed texts.
    sealed: Alike,
}

/// What may be missing from all that.
pub(super) struct Unknown {
    /// Rows that were counted and not seen.
    pub(super) missed: u64,
    /// Whether there is no encryption key.
    pub(super) ring: bool,
}

impl Stored {
    /// For about so many tenants.
    pub(super) fn new(has_ring: bool, tenants: usize) -> Self {
        let (mut fleet, mut sealed) = (Fleet::default(), Alike::of(2));
        fleet.reserve(tenants);
        sealed.reserve(tenants);
        Self {
            has_ring,
            lost: false,
            tenants: 0,
            with_source: 0,
            under: BTreeMap::new(),
            keys: 0,
            wrong: BTreeMap::new(),
            failures: BTreeMap::new(),
            fleet,
            compared: 0,
            sealed,
        }
    }

    /// A page was lost to a bug.
    pub(super) fn lost(&mut self) {
        self.lost = true;
    }

    pub(super) fn add(&mut self, judged: Judged, sink: &Sink) {
        self.tenants += 1;
        let Judged { tenant, offline, sealed, .. } = judged;
        let Some(offline) = offline else { return };
        self.with_source += 1;
        let mut wrong = |code: Code, what: &str| {
            self.wrong.entry(code).or_default().add(code, &tenant, what, sink);
        };
        for (role, looked) in &offline.keys {
            self.keys += u64::from(looked.state != KeyState::Missing);
            if let Some(id) = looked.key_id {
                *self.under.entry(id).or_default() += 1;
            }
            match looked.state {
                KeyState::Sealed => {}
                KeyState::PreviousKey => wrong(FindingCode::KeyPrevious.into(), role.as_str()),
                KeyState::Plaintext => wrong(CheckCode::StoredPlaintext.into(), role.as_str()),
                KeyState::Hex => wrong(CheckCode::StoredHex.into(), role.as_str()),
                KeyState::Unreadable => wrong(CheckCode::StoredUnreadable.into(), role.as_str()),
                KeyState::Missing => wrong(CheckCode::StoredMissing.into(), role.as_str()),
            }
            if !looked.canonical {
                wrong(FindingCode::KeyNotCanonical.into(), role.as_str());
            }
        }
        for finding in &offline.findings {
            // Counted above, key by key.
            if !matches!(finding.code, FindingCode::KeyPrevious | FindingCode::KeyNotCanonical) {
                let role = ["service", "anon"]
                    .into_iter()
                    .find(|role| finding.message.starts_with(&format!("data_source_{role}_key")));
                wrong(finding.code.into(), role.unwrap_or_default());
            }
        }
        for failure in &offline.failures {
            let slot = self.failures.entry(failure.class.slug());
            let (_, tally) = slot.or_insert_with(|| (failure.class, Tally::default()));
            tally.add(CheckCode::SourceUsable.into(), &tenant, "", sink);
        }
        let name = super::names::shown(&tenant);
        let number = self.fleet.name(&name);
        if let Some(fingerprint) = &offline.fingerprint {
            self.fleet.add(number, fingerprint);
            self.compared += 1;
        }
        self.sealed.add(number, sealed);
    }

    pub(super) fn report(mut self, unknown: Unknown, sink: &Sink) {
        if self.lost || unknown.missed > 0 {
            let rows = count(unknown.missed.max(1), "row");
            let message = format!("{rows} of tenants were counted and not read: see tenants.primary-key");
            sink.error(CheckCode::StoredSealed, message);
        } else {
            self.sealed_under(sink);
        }
        let whole = !self.lost && unknown.missed == 0;
        self.copied(whole, sink);
        self.duplicates(whole, sink);
        for (code, tally) in std::mem::take(&mut self.wrong) {
            let what = if matches!(code, Code::Check(_)) { "key" } else { "case" };
            tally.report(code, what, sink);
        }
        let mut usable = true;
        for (class, tally) in std::mem::take(&mut self.failures).into_values() {
            usable &= tally.is_empty();
            let meaning = format!("{} ({})", class.sentence(), class.slug());
            tally.report_as(CheckCode::SourceUsable.into(), &meaning, class.hint(), "case", sink);
        }
        let sources = count(self.with_source, "data source");
        if self.has_ring && whole {
            if usable {
                sink.ok(
                    CheckCode::SourceUsable,
                    format!("nothing in the rows of {sources} forbids using them"),
                );
            }
            let opened = self.under.values().sum();
            let judged = format!("what {} hold was judged", count(opened, "opened key"));
            match (opened, self.keys) {
                (0, 1..) => sink.skipped(CheckCode::Credentials, "no stored key could be opened"),
                _ => sink.ok(CheckCode::Credentials, judged),
            }
        }
        for (code, message) in [
            (CheckCode::StoredPlaintext, "no key is stored as plaintext"),
            (CheckCode::StoredHex, "no key is stored as hexadecimal parts"),
            (CheckCode::StoredUnreadable, "no stored key is unreadable"),
            (CheckCode::StoredMissing, "no key is missing"),
        ] {
            if whole && !sink.has(code) && (self.has_ring || code != CheckCode::StoredUnreadable) {
                sink.ok(code, message);
            }
        }
        let rest: Vec<CheckCode> = CODES.iter().copied().filter(|code| !sink.has(*code)).collect();
        if !whole {
            skip(&rest, "not every row was read", sink);
        } else if unknown.ring {
            skip(&rest, "there is no encryption key to open the stored keys with", sink);
        }
    }

    fn sealed_under(&self, sink: &Sink) {
        const CODE: CheckCode = CheckCode::StoredSealed;
        let (keys, tenants) = (count(self.keys, "stored key"), count(self.tenants, "tenant"));
        if !self.has_ring {
            let message = format!("{keys} of {tenants}; without the encryption key none was opened");
            sink.skipped(CODE, message);
            return;
        }
        let under: Vec<String> = self
            .under
            .iter()
            .map(|(id, number)| format!("{} under key {id}", count(*number, "key")))
            .collect();
        let under = if under.is_empty() { String::new() } else { format!(": {}", under.join(", ")) };
        sink.ok(CODE, format!("{keys} of {tenants}{under}"));
    }

    /// One sealed text in two rows: as each sealing is unique, one is a copy of the other.
    fn copied(&mut self, whole: bool, sink: &Sink) {
        let mut pairs = Vec::new();
        for same in std::mem::replace(&mut self.sealed, Alike::of(2)).groups() {
            pairs.extend(same[1..].iter().map(|other| (same[0], *other)));
        }
        if pairs.is_empty() && whole {
            sink.ok(CheckCode::StoredCopied, "no sealed text stands in two rows");
        }
        if pairs.is_empty() {
            return;
        }
        let message = format!("{}: {}", CheckCode::StoredCopied.meaning(), self.named(&pairs));
        sink.wrong(CheckCode::StoredCopied, message);
    }

    fn duplicates(&mut self, whole: bool, sink: &Sink) {
        if !self.has_ring {
            return;
        }
        let pairs = self.fleet.pairs();
        for code in [FindingCode::SourceShared, FindingCode::KeyReused] {
            let own: Vec<(u32, u32)> =
                pairs.iter().filter(|pair| pair.code == code).map(|pair| (pair.first, pair.other)).collect();
            if !own.is_empty() {
                sink.wrong(code, format!("{}: {}", code.meaning(), self.named(&own)));
            }
        }
        if whole {
            let tenants = count(self.compared, "tenant");
            sink.ok(
                CheckCode::Duplicates,
                format!("{tenants} with a data source were compared with each other"),
            );
        }
    }

    /// `a and b; c and d; and 3 more`.
    fn named(&self, pairs: &[(u32, u32)]) -> String {
        let names = pairs.iter().take(NAMED).map(|(a, b)| {
            let mut both = [self.fleet.name_of(*a), self.fleet.name_of(*b)];
            both.sort_unstable();
            both.join(" and ")
        });
        let mut names: Vec<String> = names.collect();
        names.sort();
        // Both keys of a row are copied together.
        names.dedup();
        let more = pairs.len().saturating_sub(NAMED);
        let rest = if more == 0 { String::new() } else { format!("; and {more} more") };
        format!("{}{rest}", names.join("; "))
    }
}
