//! The bounded pool of clients.
//!
//! The way of a hit takes no lock of its own: the index, and the reference to the client. Whoever wants room for a
//! new client takes the lock of the books, under which clients come and go; so the books are exact, and between the
//! question whether there is room and the taking of it nobody else can take it. No `await` happens under it. Making
//! room looks at every client once: 10,000 of them, the highest limit, are about a tenth of a millisecond, beside a
//! load that takes several.
//!
//! The pool's own reference is the one that an idle client has; it takes no other, not even to look at all of them, or
//! a client would seem in use that is not.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::client::{Client, TenantClient};
use super::index::Index;
use crate::tenant::{Role, TenantId};

/// The clients of all tenants, by role.
#[derive(Debug)]
pub(super) struct Pool {
    service: Index,
    anon: Index,
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
        Self { service: Index::default(), anon: Index::default(), max, reserved: Mutex::default() }
    }

    pub(super) fn max(&self) -> usize {
        self.max
    }

    fn of(&self, role: Role) -> &Index {
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
        self.of(role).get(tenant, |client| {
            if client.expires <= now {
                return None;
            }
            client.used.store(now, Ordering::Relaxed);
            Some(client.lend())
        })
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
            let (mut expired, mut oldest) = (false, None::<(u64, Role, TenantId)>);
            self.for_each(|client| {
                let used = client.used.load(Ordering::Relaxed);
                if client.expires <= now {
                    expired = true;
                } else if client.is_idle() && oldest.as_ref().is_none_or(|(least, ..)| used < *least) {
                    oldest = Some((used, client.role, client.tenant().clone()));
                }
            });
            if expired {
                self.remove_where(|client| client.expires <= now);
            }
            let active = self.held() + reserved;
            if active < self.max {
                return Ok(None);
            }
            let Some((_, role, tenant)) = oldest else { return Err(Exhausted(active)) };
            // Somebody may have taken it in the meantime; then there is another, or none.
            if let Some(client) = self.of(role).remove_if(tenant.as_str(), |client| client.is_idle()) {
                return Ok(Some(client));
            }
        }
    }

    fn held(&self) -> usize {
        self.service.len() + self.anon.len()
    }

    /// Takes this very client out of the pool, not another of the same tenant. As all that leave it is closed once
    /// nobody uses it.
    pub(super) fn retire(&self, client: &TenantClient) {
        let _books = self.books();
        let client = client.client();
        self.of(client.role).remove_if(client.tenant().as_str(), |held| Arc::ptr_eq(held, client));
    }

    /// Takes the clients of a tenant out of the pool.
    pub(super) fn retire_tenant(&self, tenant: &TenantId) {
        let _books = self.books();
        for role in [Role::Service, Role::Anon] {
            drop(self.of(role).remove_if(tenant.as_str(), |_| true));
        }
    }

    /// Takes out the clients for which `goes` is true.
    pub(super) fn retire_where(&self, goes: impl Fn(&Client) -> bool) {
        let _books = self.books();
        self.remove_where(|client| goes(client));
    }

    fn remove_where(&self, mut goes: impl FnMut(&Arc<Client>) -> bool) {
        self.service.remove_where(&mut goes);
        self.anon.remove_where(&mut goes);
    }

    /// Takes all clients out, and answers those that nobody uses: the caller's to close.
    pub(super) fn take_idle(&self) -> Vec<Arc<Client>> {
        let _books = self.books();
        let mut idle = Vec::new();
        self.remove_where(|client| {
            if client.is_idle() {
                idle.push(Arc::clone(client));
            }
            true
        });
        idle
    }

    /// Shows every client at the moment.
    pub(super) fn for_each(&self, mut see: impl FnMut(&Arc<Client>)) {
        self.service.for_each(&mut see);
        self.anon.for_each(&mut see);
    }

    /// How many clients are alive: held, and not expired.
    pub(super) fn len(&self, now: u64) -> usize {
        // While one client makes room for another, a count without the books could see both.
        let _books = self.books();
        let mut alive = 0;
        self.for_each(|client| alive += usize::from(client.expires > now));
        alive
    }
}

impl Reservation<'_> {
    /// Puts the client into its place.
    pub(super) fn fill(self, client: Arc<Client>) {
        let mut reserved = self.0.books();
        drop(self.0.of(client.role).insert(client));
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
