//! Clients by tenant: what a hit looks up.
//!
//! A table of its own and not a map from a library because its shape is the speed of a hit, which with thousands of
//! clients is the number of places in memory that are fetched one after the other: a client with its connections takes
//! kilobytes, so that each place is another page, whose address the processor has to look up first. Here the table
//! holds nothing but pointers, and the id that is compared stands in the client itself, beside what a hit touches there
//! anyway. The table is in sixteen parts, each with a lock, so that requests on different threads seldom meet; nothing
//! waits under one.
//!
//! A look-up takes its reference under the lock of a part, which [`Index::remove_if`] holds alone: what that finds to be
//! the only reference to a client stays the only one.

use std::hash::BuildHasher;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::client::Client;

const PARTS: usize = 16;
/// The bits of a hash that choose the part: the table itself goes by the lowest, and by the seven highest.
const PART_BITS: u32 = 48;

/// The clients of one role.
#[derive(Debug, Default)]
pub(super) struct Index {
    hasher: RandomState,
    parts: [Part; PARTS],
}

/// On cache lines of its own; two, since processors fetch them in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Part(RwLock<HashTable<Arc<Client>>>);

impl Part {
    fn read(&self) -> RwLockReadGuard<'_, HashTable<Arc<Client>>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashTable<Arc<Client>>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Index {
    fn find(&self, tenant: &str) -> (u64, &Part) {
        let hash = self.hasher.hash_one(tenant);
        // Sixteen fit into any number.
        let part = usize::try_from(hash >> PART_BITS).unwrap_or(0) % PARTS;
        (hash, &self.parts[part])
    }

    /// What `take` makes of a tenant's client; meanwhile the client is not removed.
    pub(super) fn get<T>(&self, tenant: &str, take: impl FnOnce(&Arc<Client>) -> Option<T>) -> Option<T> {
        let (hash, part) = self.find(tenant);
        take(part.read().find(hash, |client| client.is_of(tenant))?)
    }

    /// Puts a client in the place of its tenant, and answers which was there before.
    pub(super) fn insert(&self, client: Arc<Client>) -> Option<Arc<Client>> {
        let tenant = client.tenant().as_str();
        let (hash, part) = self.find(tenant);
        let mut table = part.write();
        match table.find_mut(hash, |held| held.is_of(tenant)) {
            Some(held) => Some(std::mem::replace(held, client)),
            None => {
                table.insert_unique(hash, client, |held| self.hasher.hash_one(held.tenant().as_str()));
                None
            }
        }
    }

    /// Takes a tenant's client out if `goes` is true of it; nobody can get at it meanwhile.
    pub(super) fn remove_if(
        &self,
        tenant: &str,
        goes: impl FnOnce(&Arc<Client>) -> bool,
    ) -> Option<Arc<Client>> {
        let (hash, part) = self.find(tenant);
        let mut table = part.write();
        let held = table.find_entry(hash, |client| client.is_of(tenant)).ok()?;
        if goes(held.get()) { Some(held.remove().0) } else { None }
    }

    /// Takes out the clients for which `goes` is true.
    pub(super) fn remove_where(&self, mut goes: impl FnMut(&Arc<Client>) -> bool) {
        for part in &self.parts {
            part.write().retain(|client| !goes(client));
        }
    }

    /// Shows every client, without a reference that would make it seem in use.
    pub(super) fn for_each(&self, mut see: impl FnMut(&Arc<Client>)) {
        for part in &self.parts {
            part.read().iter().for_each(&mut see);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.parts.iter().map(|part| part.read().len()).sum()
    }
}
