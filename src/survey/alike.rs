//! Values that two tenants may have in common: keys, data sources, sealed texts.
//!
//! A file of its own because of the memory: nothing is kept of a value but 8 bytes, in the place of its tenant. They are
//! SipHash under a key that each process draws, so that nobody can make two values meet; of 200,000 that differ, two
//! meet by chance once in a billion runs.

use std::hash::{BuildHasher as _, RandomState};

/// What digests are made with.
#[derive(Clone, Debug, Default)]
pub struct Digests(RandomState);

impl Digests {
    /// The digest of a value in parts, which are told apart; never zero.
    #[must_use]
    pub fn of(&self, parts: &[&[u8]]) -> u64 {
        // Each with its length.
        self.0.hash_one(parts).max(1)
    }
}

/// Some values of each tenant, as digests, by the tenant's number.
#[derive(Debug)]
pub struct Alike {
    /// How many a tenant may have.
    places: usize,
    /// Zero where there is none.
    digests: Vec<u64>,
}

impl Alike {
    /// For so many values of each tenant at most.
    #[must_use]
    pub fn of(places: usize) -> Self {
        Self { places, digests: Vec::new() }
    }

    /// Makes room for so many tenants, which spares moving what is there; a wish.
    pub fn reserve(&mut self, tenants: usize) {
        let _ = self.digests.try_reserve_exact(tenants.saturating_mul(self.places));
    }

    /// Adds values of a tenant; those beyond its places are left out.
    pub fn add(&mut self, number: u32, values: impl IntoIterator<Item = u64>) {
        let Ok(number) = usize::try_from(number) else { return };
        let start = number.saturating_mul(self.places);
        for (digest, at) in values.into_iter().zip(start..start.saturating_add(self.places)) {
            if self.digests.len() <= at {
                self.digests.resize(at + 1, 0);
            }
            if let Some(place) = self.digests.get_mut(at) {
                *place = digest;
            }
        }
    }

    /// The first value of a tenant, if there is one.
    #[must_use]
    pub fn first(&self, number: u32) -> Option<u64> {
        let at = usize::try_from(number).ok()?.checked_mul(self.places)?;
        self.digests.get(at).copied().filter(|digest| *digest != 0)
    }

    /// The numbers of those who have a value in common, for each such value; each number once, in order. Nothing is
    /// kept.
    #[must_use]
    pub fn groups(self) -> Vec<Vec<u32>> {
        let digest = |at: u32| usize::try_from(at).ok().and_then(|at| self.digests.get(at)).copied();
        let places = u32::try_from(self.places.max(1)).unwrap_or(u32::MAX);
        let end = u32::try_from(self.digests.len()).unwrap_or(u32::MAX);
        let mut order = Vec::with_capacity(self.digests.len());
        order.extend((0..end).filter(|at| digest(*at) != Some(0)));
        order.sort_unstable_by_key(|at| (digest(*at), *at));
        let same = order.chunk_by(|a, b| digest(*a) == digest(*b)).filter(|same| same.len() > 1);
        let numbers = same.map(|same| {
            let mut numbers: Vec<u32> = same.iter().map(|at| at / places).collect();
            numbers.dedup();
            numbers
        });
        let mut groups: Vec<Vec<u32>> = numbers.filter(|numbers| numbers.len() > 1).collect();
        groups.sort();
        groups
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_a_value_in_common_is_found_and_nobody_else() {
        let digests = Digests::default();
        let of = |text: &str| digests.of(&[text.as_bytes()]);
        let mut alike = Alike::of(2);
        alike.add(4, [of("x"), of("x")]);
        alike.add(0, [of("a"), of("b")]);
        alike.add(3, [of("b"), of("a"), of("beyond")]);
        alike.add(1, [of("c")]);
        alike.add(7, [of("beyond"), of("b")]);
        assert_eq!((alike.first(1), alike.first(2), alike.first(9)), (Some(of("c")), None, None));
        assert_eq!(alike.groups(), [vec![0, 3], vec![0, 3, 7]]);
    }

    #[test]
    fn parts_are_told_apart() {
        let digests = Digests::default();
        let all: [&[&[u8]]; 5] = [&[], &[b""], &[b"ab"], &[b"a", b"b"], &[b"", b"ab"]];
        for (a, one) in all.iter().enumerate() {
            for (b, other) in all.iter().enumerate() {
                assert_eq!(digests.of(one) == digests.of(other), a == b, "{a} {b}");
            }
        }
    }
}
