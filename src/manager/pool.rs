//! The bounded pool of clients.
//!
//! The way of a hit takes no lock of its own: a sharded map, and the counters of the client. Whoever wants room for a
//! new client takes the lock of the books, under which clients come and go; so the books are exact, and between the
//! question whether there is room and the taking of it nobody else can take it. No `await` happens under it. Making
//! room looks at every client once: 10,000 of them, the highest limit, are about a tenth of a millisecond, beside a
//! load that takes several.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dashmap::DashMap;
use foldhash::fast::RandomState;

use super::client::{Client, TenantClient};
use crate::tenant::{Role, TenantId};

type Map = DashMap<TenantId, Arc<Client>, RandomState>;

/// The clients of all tenants, by role.
#[derive(Debug)]
pub(super) struct Pool {
    service: Map,
    anon: Map,
    max: usize,
    /// Places taken by clients that are being made.
    reserved: Mutex<usize>,
}

/// A place in the pool for a client that is being made. Given back when dropped.
pub(super) struct Reservation<'a>(&'a Pool);

/// The pool has no room: so many clients are in use or being made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Exhausted(pub(super) usize);

impl Pool {
    pub(super) fn new(max: usize) -> Self {
        let map = || DashMap::with_hasher(RandomState::default());
        Self { service: map(), anon: map(), max, reserved: Mutex::new(0) }
    }

    pub(super) fn max(&self) -> usize {
        self.max
    }

    fn of(&self, role: Role) -> &Map {
        match role {
            Role::Service => &self.service,
            Role::Anon => &self.anon,
        }
    }

    fn books(&self) -> MutexGuard<'_, usize> {
        self.reserved.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A handle to a live client.
    pub(super) fn get(&self, tenant: &str, role: Role, now: u64) -> Option<TenantClient> {
        let client = self.of(role).get(tenant)?;
        if client.expires <= now {
            return None;
        }
        let handle = client.lend()?;
        client.used.store(now, Ordering::Relaxed);
        Some(handle)
    }

    /// Takes a place for a new client. At the limit expired clients leave first, then the least recently used idle one,
    /// which is the caller's to close before it opens another.
    pub(super) fn reserve(&self, now: u64) -> Result<(Reservation<'_>, Option<Arc<Client>>), Exhausted> {
        let mut reserved = self.books();
        let mut evicted = None;
        if self.held() + *reserved >= self.max {
            evicted = self.make_room(now, *reserved)?;
        }
        *reserved += 1;
        Ok((Reservation(self), evicted))
    }

    /// With the books held. `None`: expired clients were all that had to leave.
    fn make_room(&self, now: u64, reserved: usize) -> Result<Option<Arc<Client>>, Exhausted> {
        loop {
            let mut oldest: Option<(u64, Arc<Client>)> = None;
            let mut expired = Vec::new();
            for client in self.service.iter().chain(self.anon.iter()) {
                let used = client.used.load(Ordering::Relaxed);
                if client.expires <= now {
                    expired.push(Arc::clone(&client));
                } else if client.is_idle() && oldest.as_ref().is_none_or(|(least, _)| used < *least) {
                    oldest = Some((used, Arc::clone(&client)));
                }
            }
            for client in &expired {
                self.remove(client);
                client.leave();
            }
            let active = self.held() + reserved;
            if active < self.max {
                return Ok(None);
            }
            let Some((_, client)) = oldest else { return Err(Exhausted(active)) };
            // Somebody may have taken it in the meantime; then there is another, or none.
            if client.leave_if_idle() {
                self.remove(&client);
                return Ok(Some(client));
            }
        }
    }

    fn held(&self) -> usize {
        self.service.len() + self.anon.len()
    }

    /// Removes this very client, not another of the same tenant.
    fn remove(&self, client: &Arc<Client>) {
        self.of(client.role).remove_if(client.tenant(), |_, held| Arc::ptr_eq(held, client));
    }

    /// Takes a client out of the pool; it is closed once nobody uses it.
    pub(super) fn retire(&self, client: &Arc<Client>) {
        let _books = self.books();
        self.remove(client);
        client.leave();
    }

    /// Takes the clients of a tenant out of the pool.
    pub(super) fn retire_tenant(&self, tenant: &TenantId) {
        let _books = self.books();
        for map in [&self.service, &self.anon] {
            if let Some((_, client)) = map.remove(tenant) {
                client.leave();
            }
        }
    }

    /// Takes out the clients for which `goes` is true.
    pub(super) fn retire_where(&self, goes: impl Fn(&Client) -> bool) {
        let _books = self.books();
        for map in [&self.service, &self.anon] {
            map.retain(|_, client| {
                let goes = goes(client);
                if goes {
                    client.leave();
                }
                !goes
            });
        }
    }

    /// Every client at the moment.
    pub(super) fn all(&self) -> Vec<Arc<Client>> {
        self.service.iter().chain(self.anon.iter()).map(|client| Arc::clone(&client)).collect()
    }

    /// How many clients are alive: held, and not expired.
    pub(super) fn len(&self, now: u64) -> usize {
        // While one client makes room for another, a count without the books could see both.
        let _books = self.books();
        self.service.iter().chain(self.anon.iter()).filter(|client| client.expires > now).count()
    }
}

impl Reservation<'_> {
    /// Puts the client into its place.
    pub(super) fn fill(self, client: Arc<Client>) {
        let mut reserved = self.0.books();
        if let Some(before) = self.0.of(client.role).insert(client.tenant().clone(), client) {
            before.leave();
        }
        // In the same step, or the pool would seem fuller than it is.
        *reserved -= 1;
        drop(reserved);
        std::mem::forget(self);
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        *self.0.books() -= 1;
    }
}
