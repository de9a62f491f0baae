//! The server of a state store examined.

use std::time::Instant;

use jiff::{SignedDuration, Timestamp};

use super::{RedisStore, scripts};
use crate::sanitize::printable;
use crate::state::error::StateFailure;
use crate::state::vitals::{Eviction, ServerVitals};
use crate::state::{CachePlace, CachedPage, StateError, Vitals};
use crate::tenant::TenantId;

impl RedisStore {
    pub(in crate::state) async fn vitals(&self) -> Result<Vitals, StateError> {
        let mut script = scripts::VITALS.key(self.key("doctor"));
        script.arg(rand::random::<u32>());
        let begun = self.identity.clock.now();
        let start = Instant::now();
        let (seconds, micros, memory, refused): (i64, i64, String, String) = self.line.ask(&script).await?;
        let lag = start.elapsed();
        let here = SignedDuration::try_from(lag / 2).ok().and_then(|half| begun.checked_add(half).ok());
        let there =
            seconds.checked_mul(1_000_000).and_then(|all| Timestamp::from_microsecond(all + micros).ok());
        let failure = match refused.as_str() {
            "" => None,
            text if text.contains("OOM") => Some(StateFailure::Full),
            text if text.contains("READONLY") || text.contains("MISCONF") => Some(StateFailure::ReadOnly),
            _ => Some(StateFailure::Denied),
        };
        let server = here
            .zip(there)
            .map(|(here, there)| ServerVitals { clock: (there, here), eviction: eviction(&memory) });
        let refused = failure.map(|failure| {
            let text: String = printable(&refused).chars().take(200).collect();
            StateError::new(self.address(), failure, Some(&text))
        });
        Ok(Vitals { lag, writable: refused.map_or(Ok(()), Err), server })
    }

    pub(in crate::state) async fn cached(&self, from: Option<&CachePlace>) -> Result<CachedPage, StateError> {
        let cursor = match from {
            Some(CachePlace::Cursor(cursor)) => *cursor,
            _ => 0,
        };
        let mut script = scripts::CACHED.key(self.key("rows"));
        script.arg(cursor);
        let (next, flat): (u64, Vec<Vec<u8>>) = self.line.ask(&script).await?;
        let judged = flat.chunks_exact(2).map(|pair| {
            let tenant = TenantId::new(String::from_utf8_lossy(&pair[0]).into_owned());
            let found = self.decode(&tenant, Some(&pair[1]));
            (tenant, found)
        });
        Ok((judged.collect(), (next != 0).then_some(CachePlace::Cursor(next))))
    }
}

/// What the section `memory` of INFO says.
fn eviction(info: &str) -> Option<Eviction> {
    let value =
        |name: &str| info.lines().find_map(|line| line.trim_end().strip_prefix(name)?.strip_prefix(':'));
    let limit = value("maxmemory")?.parse().ok()?;
    Some(Eviction { policy: printable(value("maxmemory_policy")?).into_owned(), limit })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_and_the_limit_are_read_and_nothing_is_guessed() {
        let info =
            "# Memory\r\nmaxmemory:4194304\r\nmaxmemory_human:4.00M\r\nmaxmemory_policy:allkeys-lru\r\n";
        let found = eviction(info).unwrap();
        assert_eq!(
            (found.policy.as_str(), found.limit, found.may_happen()),
            ("allkeys-lru", 4_194_304, true)
        );
        let unlimited = Eviction { limit: 0, ..found.clone() };
        assert!(!unlimited.may_happen());
        assert!(!Eviction { policy: "noeviction".to_owned(), ..found }.may_happen());
        assert_eq!(eviction("maxmemory:0"), None);
        assert_eq!(eviction(""), None);
    }
}
