//! Tenants compared with each other: two that see the same rows, one key under two URLs.
//!
//! A file of its own because a survey compares those that it tests, and `doctor` those that it only reads, a hundred
//! thousand of them. So nothing is kept of a tenant but 16 bytes of a digest for each value and its name, 100 bytes and
//! some altogether: 100,000 tenants take some 12 MB.

use crate::finding::{Finding, FindingCode};
use crate::probe::Fingerprint;
use crate::sanitize::printable;

/// The beginning of a SHA-256.
type Digest = [u8; 16];

/// The longest name that is kept, bytes.
const NAME_LIMIT: usize = 100;

/// What the tenants have, for comparing them.
#[derive(Debug, Default)]
pub struct Fleet {
    /// All names, one behind the other, printable.
    names: String,
    /// Where each ends.
    ends: Vec<usize>,
    /// Of the data source and the id in it.
    rows: Vec<(Digest, u32)>,
    /// Of each Supabase key, and of its data source.
    keys: Vec<(Digest, Digest, u32)>,
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

impl Fleet {
    /// Adds a tenant, and answers its number.
    pub fn name(&mut self, name: &str) -> u32 {
        let name = printable(name);
        let cut = (0..=name.len().min(NAME_LIMIT)).rev().find(|at| name.is_char_boundary(*at)).unwrap_or(0);
        self.names.push_str(&name[..cut]);
        self.ends.push(self.names.len());
        u32::try_from(self.ends.len() - 1).unwrap_or(u32::MAX)
    }

    /// Adds what a tenant has.
    pub fn add(&mut self, number: u32, fingerprint: &Fingerprint) {
        self.rows.push((short(&fingerprint.rows), number));
        let source = short(&fingerprint.source);
        self.keys.extend(fingerprint.keys.iter().map(|key| (short(key), source, number)));
    }

    /// The name of a tenant.
    #[must_use]
    pub fn name_of(&self, number: u32) -> &str {
        let number = usize::try_from(number).unwrap_or(usize::MAX);
        let start = number.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        self.ends.get(number).and_then(|end| self.names.get(start..*end)).unwrap_or_default()
    }

    /// Who has something in common with whom, in the order of names, not of answers.
    #[must_use]
    pub fn pairs(&mut self) -> Vec<Pair> {
        let rank = self.ranks();
        let rank = |number: u32| usize::try_from(number).ok().and_then(|at| rank.get(at)).copied();
        let mut found: Vec<Pair> = Vec::new();
        self.rows.sort_unstable_by_key(|(digest, number)| (*digest, rank(*number)));
        for same in self.rows.chunk_by(|a, b| a.0 == b.0) {
            let pair = |other: &(Digest, u32)| Pair {
                code: FindingCode::SourceShared,
                first: same[0].1,
                other: other.1,
            };
            found.extend(same[1..].iter().map(pair));
        }
        self.keys.sort_unstable_by_key(|(digest, _, number)| (*digest, rank(*number)));
        for same in self.keys.chunk_by(|a, b| a.0 == b.0) {
            let (_, source, first) = same[0];
            let elsewhere = same[1..].iter().filter(|(_, other, _)| *other != source);
            found.extend(elsewhere.map(|(_, _, other)| Pair {
                code: FindingCode::KeyReused,
                first,
                other: *other,
            }));
        }
        found.sort_by_key(|pair| (rank(pair.other), pair.code == FindingCode::KeyReused));
        // Once for both keys of a tenant.
        found.dedup_by_key(|pair| (pair.code, pair.other));
        found
    }

    /// The same as findings.
    #[must_use]
    pub fn findings(&mut self) -> Vec<Finding> {
        let pairs = self.pairs();
        let names = |pair: &Pair| format!("{} and {}", self.name_of(pair.first), self.name_of(pair.other));
        pairs.iter().map(|pair| Finding::about(pair.code, &names(pair))).collect()
    }

    /// The place of each tenant in the order of names.
    fn ranks(&self) -> Vec<u32> {
        let count = u32::try_from(self.ends.len()).unwrap_or(u32::MAX);
        let mut order: Vec<u32> = (0..count).collect();
        order.sort_by(|a, b| self.name_of(*a).cmp(self.name_of(*b)));
        let mut rank = vec![0; order.len()];
        for (place, number) in (0..count).zip(order) {
            if let Some(slot) = usize::try_from(number).ok().and_then(|at| rank.get_mut(at)) {
                *slot = place;
            }
        }
        rank
    }
}

fn short(digest: &[u8; 32]) -> Digest {
    let mut short = Digest::default();
    short.copy_from_slice(&digest[..16]);
    short
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
