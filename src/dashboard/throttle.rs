//! Word to whoever sends wrong tokens that it is enough: each address has a small stock of them, which fills up again
//! with time. Beyond it a wrong token is answered 429 with the time to wait.
//!
//! The right token is let in whatever was sent before it: many share an address (behind a proxy, on one machine), and
//! one of them, or a scraper that still has the old token, must not keep the others out. So nothing here limits how fast
//! somebody may guess, who sees the right one pass; what keeps them out is that a [token](super::token) is too long to be
//! guessed. Nor is an answer held back: a guesser would not wait for it, and it would only hold a connection.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Ticks;

/// Wrong tokens in a row that are answered at once.
const STOCK: u64 = 10;
/// In this time, ms, one more may be tried: 14,400 a day from one address.
const REFILL: u64 = 6_000;
/// Addresses that are remembered. Beyond them the one with the fullest stock is forgotten.
const ADDRESSES: usize = 4096;

/// The stocks.
#[derive(Debug)]
pub(super) struct Throttle {
    /// Of each address, when its stock will be full.
    full_at: Mutex<HashMap<IpAddr, u64>>,
    ticks: Ticks,
}

impl Throttle {
    pub(super) fn new(ticks: Ticks) -> Self {
        Self { full_at: Mutex::default(), ticks }
    }

    /// How long an address should wait before it sends another wrong token; zero in general.
    pub(super) fn wait(&self, address: IpAddr) -> Duration {
        let full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        let missing = full_at.get(&network(address)).map_or(0, |full| full.saturating_sub(self.ticks.now()));
        Duration::from_millis(missing.saturating_sub((STOCK - 1) * REFILL))
    }

    /// A token was wrong.
    pub(super) fn wrong(&self, address: IpAddr) {
        let now = self.ticks.now();
        let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        let address = network(address);
        if full_at.len() >= ADDRESSES && !full_at.contains_key(&address) {
            full_at.retain(|_, full| *full > now);
            let fullest = full_at.iter().min_by_key(|(_, full)| **full).map(|(address, _)| *address);
            if let Some(fullest) = fullest.filter(|_| full_at.len() >= ADDRESSES) {
                full_at.remove(&fullest);
            }
        }
        let full = full_at.entry(address).or_insert(now);
        *full = (*full).max(now).saturating_add(REFILL);
    }
}

/// The address, of IPv6 the network of 2⁶⁴ addresses that one host may have to itself.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((u128::from(address) & !u128::from(u64::MAX)).into()),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    fn throttle() -> (Throttle, Arc<AtomicU64>) {
        let passed = Arc::new(AtomicU64::new(1_000_000));
        (Throttle::new(Ticks::Manual(Arc::clone(&passed))), passed)
    }

    #[test]
    fn after_ten_wrong_tokens_an_address_waits_and_others_do_not() {
        let (throttle, passed) = throttle();
        let (one, other) = (IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)), IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2)));
        for _ in 0..10 {
            assert_eq!(throttle.wait(one), Duration::ZERO);
            throttle.wrong(one);
        }
        assert_eq!(throttle.wait(one), Duration::from_secs(6));
        assert_eq!(throttle.wait(other), Duration::ZERO);
        passed.fetch_add(6_000, Ordering::AcqRel);
        assert_eq!(throttle.wait(one), Duration::ZERO);
        throttle.wrong(one);
        assert_eq!(throttle.wait(one), Duration::from_secs(6));
    }

    #[test]
    fn one_wrong_token_every_quarter_of_a_minute_keeps_nobody_waiting() {
        let (throttle, passed) = throttle();
        let proxy = IpAddr::V4(Ipv4Addr::LOCALHOST);
        for _ in 0..100 {
            throttle.wrong(proxy);
            passed.fetch_add(15_000, Ordering::AcqRel);
            assert_eq!(throttle.wait(proxy), Duration::ZERO);
        }
    }

    #[test]
    fn an_ipv6_host_has_one_stock_for_all_its_addresses() {
        let (throttle, _) = throttle();
        for host in 0..10 {
            throttle.wrong(IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, host, 0, 0, 1)));
        }
        assert!(!throttle.wait(IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 99, 0, 0, 1))).is_zero());
        assert!(throttle.wait(IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, 1))).is_zero());
        let mapped: IpAddr = "::ffff:10.0.0.1".parse().unwrap();
        assert_eq!(network(mapped), IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let (throttle, _) = throttle();
        for host in 0..2 * u32::try_from(ADDRESSES).unwrap() {
            throttle.wrong(IpAddr::V4(Ipv4Addr::from(host)));
        }
        assert_eq!(throttle.full_at.lock().unwrap().len(), ADDRESSES);
    }
}
