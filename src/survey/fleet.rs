//! Tenants compared with each other: two that see the same rows, one key under two URLs.
//!
//! A file of its own because a survey compares those that it tests, and `doctor` those that it only reads, a hundred
//! thousand of them. So nothing is kept of a tenant but 8 bytes for each value and its name, 50 bytes and some
//! altogether.

use super::alike::{Alike, Digests};
use crate::finding::{Finding, FindingCode};
use crate::probe::Fingerprint;
use crate::sanitize::printable;

/// The longest name that is kept, bytes.
const NAME_LIMIT: usize = 100;

/// What the tenants have, for comparing them.
#[derive(Debug)]
pub struct Fleet {
    digests: Digests,
    /// All names, one behind the other, printable.
    names: String,
    /// Where each ends.
    ends: Vec<u32>,
    /// The data source and the id in it.
    rows: Alike,
    /// The data source.
    sources: Alike,
    /// The Supabase keys.
    keys: Alike,
}

/// Two tenants that have something in common, by their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    /// What they have in common.
    pub code: FindingCode,
    /// The first that has it, in the order of names.
    pub first: u32,
    /// Another.
    pub other: u32,
}

impl Default for Fleet {
    fn default() -> Self {
        let (digests, names, ends) = (Digests::default(), String::new(), Vec::new());
        Self { digests, names, ends, rows: Alike::of(1), sources: Alike::of(1), keys: Alike::of(2) }
    }
}

impl Fleet {
    /// Makes room for so many tenants; a wish.
    pub fn reserve(&mut self, tenants: usize) {
        let _ = self.ends.try_reserve_exact(tenants);
        for values in [&mut self.rows, &mut self.sources, &mut self.keys] {
            values.reserve(tenants);
        }
    }

    /// Adds a tenant, and answers its number.
    pub fn name(&mut self, name: &str) -> u32 {
        let name = printable(name);
        let cut = (0..=name.len().min(NAME_LIMIT)).rev().find(|at| name.is_char_boundary(*at)).unwrap_or(0);
        self.names.push_str(&name[..cut]);
        self.ends.push(u32::try_from(self.names.len()).unwrap_or(u32::MAX));
        u32::try_from(self.ends.len() - 1).unwrap_or(u32::MAX)
    }

    /// Adds what a tenant has.
    pub fn add(&mut self, number: u32, fingerprint: &Fingerprint) {
        self.rows.add(number, [self.digests.of(&[&fingerprint.rows])]);
        self.sources.add(number, [self.digests.of(&[&fingerprint.source])]);
        self.keys.add(number, fingerprint.keys.iter().map(|key| self.digests.of(&[key])));
    }

    /// The name of a tenant.
    #[must_use]
    pub fn name_of(&self, number: u32) -> &str {
        let place = |end: &u32| usize::try_from(*end).ok();
        let number = usize::try_from(number).unwrap_or(usize::MAX);
        let start =
            number.checked_sub(1).and_then(|before| self.ends.get(before)).and_then(place).unwrap_or(0);
        let end = self.ends.get(number).and_then(place);
        end.and_then(|end| self.names.get(start..end)).unwrap_or_default()
    }

    /// Who has something in common with whom, in the order of names, not of answers. What they have is then forgotten.
    #[must_use]
    pub fn pairs(&mut self) -> Vec<Pair> {
        let mut found: Vec<Pair> = Vec::new();
        for same in self.groups(|fleet| std::mem::replace(&mut fleet.rows, Alike::of(1))) {
            let (code, first) = (FindingCode::SourceShared, same[0]);
            found.extend(same[1..].iter().map(|other| Pair { code, first, other: *other }));
        }
        for same in self.groups(|fleet| std::mem::replace(&mut fleet.keys, Alike::of(2))) {
            let (code, first) = (FindingCode::KeyReused, same[0]);
            let source = self.sources.first(first);
            let elsewhere = same[1..].iter().filter(|other| self.sources.first(**other) != source);
            found.extend(elsewhere.map(|other| Pair { code, first, other: *other }));
        }
        let key = |pair: &Pair| (self.name_of(pair.other), pair.other, pair.code == FindingCode::KeyReused);
        found.sort_by(|a, b| key(a).cmp(&key(b)));
        // Once for both keys of a tenant.
        found.dedup_by_key(|pair| (pair.code, pair.other));
        found
    }

    /// The groups of one kind of value, each in the order of names.
    fn groups(&mut self, taken: impl FnOnce(&mut Self) -> Alike) -> Vec<Vec<u32>> {
        let mut groups = taken(self).groups();
        for same in &mut groups {
            same.sort_by(|a, b| (self.name_of(*a), a).cmp(&(self.name_of(*b), b)));
        }
        groups
    }

    /// The same as findings.
    #[must_use]
    pub fn findings(&mut self) -> Vec<Finding> {
        let pairs = self.pairs();
        let names = |pair: &Pair| format!("{} and {}", self.name_of(pair.first), self.name_of(pair.other));
        pairs.iter().map(|pair| Finding::about(pair.code, &names(pair))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn print(rows: u8, source: u8, keys: &[u8]) -> Fingerprint {
        Fingerprint { rows: [rows; 32], source: [source; 32], keys: keys.iter().map(|k| [*k; 32]).collect() }
    }

    #[test]
    fn pairs_are_found_in_the_order_of_names_whatever_the_order_of_answers() {
        let tenants = [
            ("c", print(1, 1, &[7, 8])),
            ("a", print(1, 1, &[7])),
            ("b", print(2, 2, &[8, 7])),
            ("d", print(3, 1, &[9])),
        ];
        for turn in 0..tenants.len() {
            let mut fleet = Fleet::default();
            for (name, fingerprint) in tenants[turn..].iter().chain(&tenants[..turn]) {
                let number = fleet.name(name);
                fleet.add(number, fingerprint);
            }
            let said: Vec<String> = fleet
                .findings()
                .iter()
                .map(|finding| {
                    let names = finding.message.split(':').next().unwrap();
                    format!("{} {names}", finding.code.code())
                })
                .collect();
            assert_eq!(said, ["key.reused a and b", "source.shared a and c", "key.reused b and c"]);
        }
    }

    #[test]
    fn a_name_is_kept_as_far_as_it_is_reasonable() {
        let mut fleet = Fleet::default();
        let long = "ä".repeat(80);
        let numbers = [fleet.name(&long), fleet.name(""), fleet.name("x")];
        assert_eq!(numbers.map(|number| fleet.name_of(number).len()), [100, 0, 1]);
    }
}
