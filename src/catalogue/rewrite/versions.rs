//! A set of versions of rows, small enough to hold every row of a fleet.
//!
//! PostgreSQL never changes a version of a row once it is written, and gives its place to no other as long as a
//! transaction lives that could see it: where a version stands that this transaction has read or written before, the row
//! holds what was read or written. A version is known by its place (`ctid`): a block and a number within it. Versions of
//! one block lie together, so that a set takes some two bytes for each row, and a million of them a few megabytes.

use std::collections::BTreeMap;

use super::{Stored, StoredRow};

/// How many bits of a place are the number within the block. A block of 32 KB, the largest, has room for 1,163 rows.
const OFFSET_BITS: u32 = 16;

/// How many bits of a place are told apart in one word of the set.
const WORD_BITS: u32 = u64::BITS.trailing_zeros();

/// Versions of rows that were seen, with what they hold.
#[derive(Debug, Default)]
pub struct Versions {
    words: BTreeMap<u64, u64>,
    /// How many there are.
    count: u64,
    /// Versions that are in no form that could be kept.
    strange: bool,
}

impl Versions {
    /// Adds the version of a row that was read under a lock and is left as it is.
    pub fn add_row(&mut self, row: &StoredRow) {
        self.add(&row.version);
    }

    /// Adds the version that a write has made of a row.
    pub fn add_stored(&mut self, stored: &Stored) {
        self.add(&stored.version);
    }

    /// How many there are; nothing if there were some that cannot be told apart.
    pub(super) fn count(&self) -> Option<u64> {
        (!self.strange).then_some(self.count)
    }

    pub(super) fn contains(&self, version: &str) -> bool {
        let word = |(word, bit)| self.words.get(&word).is_some_and(|bits| bits & bit != 0);
        place(version).is_some_and(word)
    }

    fn add(&mut self, version: &str) {
        let Some((word, bit)) = place(version) else {
            self.strange = true;
            return;
        };
        let bits = self.words.entry(word).or_default();
        self.count += u64::from(*bits & bit == 0);
        *bits |= bit;
    }
}

/// The word and the bit of `(block,offset)`.
fn place(version: &str) -> Option<(u64, u64)> {
    let (block, offset) = version.strip_prefix('(')?.strip_suffix(')')?.split_once(',')?;
    let place = u64::from(block.parse::<u32>().ok()?) << OFFSET_BITS | u64::from(offset.parse::<u16>().ok()?);
    Some((place >> WORD_BITS, 1 << (place & u64::from(u64::BITS - 1))))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_holds_what_was_added_and_nothing_else(
            added in proptest::collection::vec((0u32..4, 0u16..200), 0..60),
            asked in proptest::collection::vec((0u32..4, 0u16..200), 0..60),
        ) {
            let mut versions = Versions::default();
            let text = |(block, offset): &(u32, u16)| format!("({block},{offset})");
            added.iter().for_each(|place| versions.add(&text(place)));
            let expected: BTreeSet<_> = added.iter().collect();
            prop_assert_eq!(versions.count(), Some(expected.len() as u64));
            for place in added.iter().chain(&asked) {
                prop_assert_eq!(versions.contains(&text(place)), expected.contains(place));
            }
        }
    }

    #[test]
    fn the_last_place_of_the_largest_table_is_no_other() {
        let mut versions = Versions::default();
        versions.add("(4294967294,65535)");
        assert!(versions.contains("(4294967294,65535)") && !versions.contains("(4294967295,65535)"));
        assert!(!versions.contains("(4294967294,65534)"));
    }

    #[test]
    fn what_is_no_place_is_never_taken_for_one() {
        let mut versions = Versions::default();
        versions.add("7");
        assert_eq!(versions.count(), None);
        assert!(!versions.contains("7") && !versions.contains("(1,70000)"));
    }
}
