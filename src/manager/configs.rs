//! Tier 1 of the configuration: tenants' rows in memory, keys sealed, for some minutes.
//!
//! A sharded map: readers of different tenants do not meet. A row grows old by [`Ticks`](crate::clock::Ticks), counted
//! from when it was read from the application database, also if it came by way of the state store. The number of rows
//! is bounded; at the bound the longest unused sixteenth goes at once, so that the search for it is paid for by many.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dashmap::DashMap;
use foldhash::fast::RandomState;
use jiff::Timestamp;

use crate::tenant::{Tenant, TenantId};

/// The most rows in memory, about a kilobyte each.
pub(super) const LIMIT: usize = 10_000;

/// A row in memory.
#[derive(Debug)]
pub(super) struct Config {
    pub(super) tenant: Tenant,
    /// In ticks.
    pub(super) expires: u64,
    /// The same moment for people.
    pub(super) expires_at: Timestamp,
    /// Whether it was read from the application database for this, and not from the state store.
    pub(super) first_hand: bool,
    used: AtomicU64,
}

impl Config {
    pub(super) fn new(tenant: Tenant, expires: u64, expires_at: Timestamp, first_hand: bool) -> Self {
        Self { tenant, expires, expires_at, first_hand, used: AtomicU64::new(0) }
    }
}

/// The rows in memory.
#[derive(Debug)]
pub(super) struct Configs {
    rows: DashMap<TenantId, Arc<Config>, RandomState>,
    limit: usize,
}

impl Configs {
    pub(super) fn new(limit: usize) -> Self {
        Self { rows: DashMap::with_hasher(RandomState::default()), limit }
    }

    /// The row of a tenant, if it is alive.
    pub(super) fn get(&self, tenant: &str, now: u64) -> Option<Arc<Config>> {
        let row = self.rows.get(tenant)?;
        if row.expires <= now {
            return None;
        }
        row.used.store(now, Ordering::Relaxed);
        Some(Arc::clone(&row))
    }

    pub(super) fn insert(&self, config: Arc<Config>, now: u64) {
        config.used.store(now, Ordering::Relaxed);
        if self.rows.len() >= self.limit && !self.rows.contains_key(&config.tenant.id) {
            self.make_room(now);
        }
        self.rows.insert(config.tenant.id.clone(), config);
    }

    fn make_room(&self, now: u64) {
        self.sweep(now);
        let excess = (self.rows.len() + 1).saturating_sub(self.limit);
        if excess == 0 {
            return;
        }
        let mut ages: Vec<(u64, TenantId)> =
            self.rows.iter().map(|row| (row.used.load(Ordering::Relaxed), row.tenant.id.clone())).collect();
        let goes = excess.max(self.limit / 16).min(ages.len());
        if goes > 0 {
            ages.select_nth_unstable(goes - 1);
        }
        for (_, tenant) in &ages[..goes] {
            self.rows.remove(tenant);
        }
    }

    pub(super) fn remove(&self, tenant: &TenantId) {
        self.rows.remove(tenant);
    }

    pub(super) fn clear(&self) {
        self.rows.clear();
        self.rows.shrink_to_fit();
    }

    /// Drops what has expired.
    pub(super) fn sweep(&self, now: u64) {
        self.rows.retain(|_, row| row.expires > now);
    }

    /// How many are alive.
    pub(super) fn len(&self, now: u64) -> usize {
        self.rows.iter().filter(|row| row.expires > now).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(id: &str, expires: u64) -> Arc<Config> {
        let tenant = Tenant {
            id: TenantId::new(id.to_owned()),
            name: String::new(),
            subdomain: String::new(),
            status: String::new(),
            source: None,
        };
        Arc::new(Config::new(tenant, expires, Timestamp::UNIX_EPOCH, true))
    }

    #[test]
    fn a_row_lives_until_its_tick_and_has_no_size_afterwards() {
        let configs = Configs::new(10);
        configs.insert(config("a", 100), 0);
        assert!(configs.get("a", 99).is_some());
        assert!(configs.get("a", 100).is_none());
        assert_eq!((configs.len(99), configs.len(100)), (1, 0));
        assert!(configs.get("b", 0).is_none());
    }

    #[test]
    fn at_the_bound_the_longest_unused_goes_and_what_has_expired_goes_first() {
        let configs = Configs::new(32);
        for at in 0..32 {
            configs.insert(config(&format!("t{at}"), if at == 31 { 40 } else { 1000 }), at);
        }
        configs.insert(config("new", 1000), 50);
        assert!(configs.get("t0", 50).is_some(), "the expired row made room enough");
        configs.insert(config("newer", 1000), 51);
        assert!(configs.get("t1", 51).is_none() && configs.get("t2", 51).is_none());
        assert!(["t0", "t3", "new", "newer"].iter().all(|id| configs.get(id, 51).is_some()));
        assert_eq!(configs.len(51), 31);
    }
}
