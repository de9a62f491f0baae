//! The form in which counts and instances stand in a store.
//!
//! A file of its own because both back ends keep them alike, and because what stands in a store is not to be trusted:
//! a number that somebody planted must not overflow a sum.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Instance;
use crate::health::Counters;

/// The counts in the order of [`counts`], by the names of the fields of `cacheStats`.
#[cfg(feature = "redis")]
pub(super) const NAMES: [&str; 6] =
    ["totalClientsCreated", "poolExhaustedCount", "cacheHits", "cacheMisses", "sharedHits", "sharedMisses"];

/// No number from a store counts for more: sums over thousands of instances stay within 64 bits.
const LARGEST: u64 = 1 << 50;

/// What is counted, without the sizes.
pub(super) fn counts(counters: &Counters) -> [u64; 6] {
    [
        counters.total_clients_created,
        counters.pool_exhausted_count,
        counters.cache_hits,
        counters.cache_misses,
        counters.shared_hits,
        counters.shared_misses,
    ]
    .map(|count| count.min(LARGEST))
}

/// Counters with these counts and without sizes.
pub(super) fn counters(counts: [u64; 6]) -> Counters {
    let [created, exhausted, hits, misses, shared_hits, shared_misses] =
        counts.map(|count| count.min(LARGEST));
    Counters {
        total_clients_created: created,
        pool_exhausted_count: exhausted,
        cache_hits: hits,
        cache_misses: misses,
        shared_hits,
        shared_misses,
        ..Counters::default()
    }
}

/// The counters of an instance whose counts begin at zero.
pub(super) fn without_counts(instance: &Instance) -> Instance {
    let sizes = Counters {
        config_cache_size: instance.counters.config_cache_size,
        client_cache_size: instance.counters.client_cache_size,
        max_clients: instance.counters.max_clients,
        ..Counters::default()
    };
    Instance { counters: sizes, ..instance.clone() }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Form {
    host: String,
    pid: u32,
    started_at: Timestamp,
    last_seen: Timestamp,
    sizes: [u64; 3],
    counts: [u64; 6],
    resident: Option<u64>,
    memory_limit: Option<u64>,
}

/// The JSON of an instance, without its id.
pub(super) fn encode(instance: &Instance) -> String {
    let of = &instance.counters;
    let form = Form {
        host: instance.host.clone(),
        pid: instance.pid,
        started_at: instance.started_at,
        last_seen: instance.last_seen,
        sizes: [of.config_cache_size, of.client_cache_size, of.max_clients],
        counts: counts(of),
        resident: instance.resident,
        memory_limit: instance.memory_limit,
    };
    // Numbers and texts: nothing in it can fail to become JSON.
    serde_json::to_string(&form).unwrap_or_default()
}

/// The instance that stands in a store; `None` where it was written by something else.
pub(super) fn decode(id: &str, json: &str) -> Option<Instance> {
    let form: Form = serde_json::from_str(json).ok()?;
    let [config_cache_size, client_cache_size, max_clients] = form.sizes.map(|size| size.min(LARGEST));
    Some(Instance {
        id: id.to_owned(),
        host: form.host,
        pid: form.pid,
        started_at: form.started_at,
        last_seen: form.last_seen,
        counters: Counters { config_cache_size, client_cache_size, max_clients, ..counters(form.counts) },
        resident: form.resident,
        memory_limit: form.memory_limit,
    })
}

/// The oldest first; those that began together by their id.
pub(super) fn sort(instances: &mut [Instance]) {
    instances.sort_by(|a, b| (a.started_at, &a.id).cmp(&(b.started_at, &b.id)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_comes_back_as_it_was_and_a_planted_number_is_held() {
        let instance = Instance {
            id: "a".to_owned(),
            host: "h\"1".to_owned(),
            pid: 7,
            started_at: Timestamp::UNIX_EPOCH,
            last_seen: Timestamp::UNIX_EPOCH,
            counters: Counters { max_clients: 50, client_cache_size: 3, ..counters([1, 2, 3, 4, 5, 6]) },
            resident: Some(9),
            memory_limit: None,
        };
        assert_eq!(decode("a", &encode(&instance)), Some(instance.clone()));
        assert_eq!(without_counts(&instance).counters.cache_hits, 0);
        assert_eq!(without_counts(&instance).counters.max_clients, 50);
        let planted = encode(&instance).replace("[1,2,", &format!("[{},2,", u64::MAX));
        assert_eq!(decode("a", &planted).unwrap().counters.total_clients_created, LARGEST);
        assert_eq!(decode("a", "{}"), None);
    }
}
