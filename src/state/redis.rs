//! The state store in Redis, for fleets on many machines.
//!
//! All keys of a namespace begin with the prefix and the namespace in braces, so that a cluster keeps them together:
//! `…:rows` (a hash), `…:log` (a stream), `…:totals` and `…:instances` (hashes), beside one `format` for all namespaces.
//! Each operation is one script and one round trip. Any of the keys may be evicted at any time; what then holds stands
//! in [`scripts`].

use std::sync::atomic::{AtomicU64, Ordering};

use base64_simd::STANDARD;
use jiff::Timestamp;

use self::follower::Follower;
use self::line::Line;
use super::error::StateError;
use super::row::{self, Stored};
use super::{
    CachedRow, Change, Changes, Cleared, Found, Identity, Lookup, Position, Report, Scope, Totals, tally,
};
use crate::tenant::TenantId;
use crate::url::RedisAddress;

mod follower;
mod line;
mod scripts;
mod vitals;

/// Tenants in one script: more would hold up the server's other clients.
const AT_ONCE: usize = 500;
/// After so many writes some rows are looked at for having expired.
const SWEEP_EVERY: u64 = 32;

/// A store in Redis, in one namespace.
#[derive(Debug)]
pub struct RedisStore {
    identity: Identity,
    line: Line,
    follower: Follower,
    database: u32,
    /// What the keys of the namespace begin with.
    keys: String,
    writes: AtomicU64,
    /// Where the next look for expired rows begins.
    cursor: AtomicU64,
}

/// What stands behind a position.
struct Log {
    list: Vec<Change>,
    position: Position,
    gap: bool,
}

impl RedisStore {
    pub(super) async fn open(address: &RedisAddress, identity: Identity) -> Result<Self, StateError> {
        let store = Self {
            line: Line::new(address, format!("{}format", address.prefix))?,
            keys: format!("{}{{{}}}:", address.prefix, identity.namespace),
            identity,
            database: address.database,
            follower: Follower::default(),
            writes: AtomicU64::new(0),
            cursor: AtomicU64::new(0),
        };
        store.line.connect().await?;
        Ok(store)
    }

    pub(super) fn address(&self) -> &str {
        self.line.address()
    }

    pub(super) async fn read(&self, tenant: &TenantId) -> Result<Lookup, StateError> {
        let (generation, number) = fresh();
        let mut script = scripts::READ.key(self.key("rows"));
        script.key(self.key("log")).arg(tenant.as_str()).arg(generation).arg(number);
        let (generation, number, value): (u64, u64, Option<Vec<u8>>) = self.line.ask(&script).await?;
        let found = self.decode(tenant, value.as_deref());
        Ok(Lookup { found, position: Position(generation, number) })
    }

    /// The channel on which followers are woken. Publishing knows no database numbers, so the number is in its name.
    fn channel(&self) -> String {
        self.key(&format!("changes:{}", self.database))
    }

    pub(super) async fn read_many(&self, tenants: &[TenantId]) -> Result<Vec<Found>, StateError> {
        let mut found = Vec::with_capacity(tenants.len());
        for chunk in tenants.chunks(AT_ONCE) {
            let mut script = scripts::READ_MANY.key(self.key("rows"));
            for tenant in chunk {
                script.arg(tenant.as_str());
            }
            let values: Vec<Option<Vec<u8>>> = self.line.ask(&script).await?;
            found.extend(
                chunk.iter().zip(&values).map(|(tenant, value)| self.decode(tenant, value.as_deref())),
            );
        }
        Ok(found)
    }

    fn decode(&self, tenant: &TenantId, value: Option<&[u8]>) -> Found {
        let (Some(value), Some(authenticator)) = (value, &self.identity.authenticator) else {
            return Found::Nothing;
        };
        let Some((expires, code, content)) = unpack(value) else {
            return Found::Refused("it has no authentication code: it was altered or planted");
        };
        let stored = Stored { expires, code: &code[..], content };
        row::decode(&stored, tenant, &self.identity.namespace, authenticator, self.identity.clock.now())
    }

    pub(super) async fn position(&self) -> Result<Position, StateError> {
        let (generation, number) = fresh();
        let mut script = scripts::POSITION.key(self.key("log"));
        script.arg(generation).arg(number);
        let (generation, number) = self.line.ask(&script).await?;
        Ok(Position(generation, number))
    }

    pub(super) async fn write(&self, rows: &[CachedRow], since: Position) -> Result<usize, StateError> {
        let Some(authenticator) = &self.identity.authenticator else { return Ok(0) };
        let mut stored = 0;
        for chunk in rows.chunks(AT_ONCE) {
            let forms = chunk.iter().filter_map(|row| {
                let form = row::encode(row, &self.identity.namespace, authenticator)?;
                Some((row.tenant.id.as_str(), form))
            });
            let forms: Vec<_> = forms.collect();
            let Some(latest) = forms.iter().map(|(_, form)| form.expires).max() else { continue };
            let left = latest.saturating_sub(self.now()).max(1);
            let mut script = scripts::WRITE.key(self.key("rows"));
            script.key(self.key("log")).arg(since.0).arg(since.1).arg(left);
            for (tenant, form) in &forms {
                script.arg(*tenant).arg(pack(form));
            }
            stored += self.line.ask::<usize>(&script).await?;
        }
        if self.writes.fetch_add(1, Ordering::Relaxed) % SWEEP_EVERY == SWEEP_EVERY - 1 {
            let (next, _) = self.sweep(self.cursor.load(Ordering::Relaxed), true).await?;
            self.cursor.store(next, Ordering::Relaxed);
        }
        Ok(stored)
    }

    pub(super) async fn invalidate(&self, scope: &Scope, own: Option<&str>) -> Result<Cleared, StateError> {
        let mut cleared = Cleared { tenants: Vec::new(), told: 0, living: 0, logged: true };
        let chunks: Vec<&[TenantId]> = match scope {
            Scope::All => vec![&[]],
            Scope::Tenants(tenants) => tenants.chunks(AT_ONCE).collect(),
        };
        for chunk in chunks {
            let (generation, step) = fresh();
            let mut script = scripts::INVALIDATE.key(self.key("rows"));
            script.key(self.key("log")).arg(self.channel()).arg(generation).arg(step);
            script.arg(if *scope == Scope::All { "all" } else { "tenant" });
            for tenant in chunk {
                script.arg(tenant.as_str());
            }
            let (listeners, logged, gone): (u64, bool, Vec<Vec<u8>>) = self.line.ask(&script).await?;
            cleared
                .tenants
                .extend(gone.iter().map(|id| TenantId::new(String::from_utf8_lossy(id).into_owned())));
            cleared.told = self.others(listeners, own);
            cleared.logged &= logged;
        }
        // The rows are gone and the message is out; who else is alive is a courtesy.
        let living = self.totals().await.map(|totals| totals.instances);
        let others = living.iter().flatten().filter(|instance| Some(instance.id.as_str()) != own).count();
        cleared.living = u64::try_from(others).unwrap_or(u64::MAX).max(cleared.told);
        Ok(cleared)
    }

    pub(super) async fn follow(&self, after: Position) -> Result<Changes, StateError> {
        self.follower.follow(self, after).await
    }

    pub(super) async fn report(&self, report: &Report) -> Result<u64, StateError> {
        let (epoch, _) = fresh();
        let mut script = scripts::REPORT.key(self.key("totals"));
        script.key(self.key("instances")).arg(&report.instance.id).arg(report.number).arg(report.epoch);
        script.arg(epoch).arg(self.now());
        script
            .arg(tally::encode(&report.instance))
            .arg(tally::encode(&tally::without_counts(&report.instance)));
        for (name, added) in tally::NAMES.iter().zip(tally::counts(&report.added)) {
            script.arg(*name).arg(added);
        }
        self.line.ask(&script).await
    }

    pub(super) async fn leave(&self, instance: &str) -> Result<(), StateError> {
        let mut script = scripts::LEAVE.key(self.key("totals"));
        script.key(self.key("instances")).arg(instance);
        self.line.ask::<u64>(&script).await.map(|_| ())
    }

    pub(super) async fn totals(&self) -> Result<Totals, StateError> {
        let mut script = scripts::TOTALS.key(self.key("totals"));
        script.key(self.key("instances")).arg(super::LIFE_SIGN.as_secs()).arg(&tally::NAMES);
        let (since, counts, alive): (String, Vec<u64>, Vec<String>) = self.line.ask(&script).await?;
        let counts: [u64; 6] = counts.try_into().unwrap_or_default();
        let since = since.parse().ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
        let pairs = alive.chunks_exact(2);
        let mut instances: Vec<_> = pairs.filter_map(|pair| tally::decode(&pair[0], &pair[1])).collect();
        tally::sort(&mut instances);
        Ok(Totals { counts: tally::counters(counts), since, instances })
    }

    pub(super) async fn reset(&self, own: Option<&str>) -> Result<u64, StateError> {
        let ((generation, step), (epoch, _)) = (fresh(), fresh());
        let mut script = scripts::RESET.key(self.key("totals"));
        script.key(self.key("instances")).key(self.key("log"));
        script.arg(self.channel()).arg(generation).arg(step).arg(epoch).arg(self.now()).arg(&tally::NAMES);
        Ok(self.others(self.line.ask(&script).await?, own))
    }

    pub(super) async fn rows(&self) -> Result<u64, StateError> {
        let (mut cursor, mut count) = (0, 0);
        loop {
            let (next, alive) = self.sweep(cursor, false).await?;
            count += alive;
            if next == 0 {
                return Ok(count);
            }
            cursor = next;
        }
    }

    async fn behind(&self, after: Position) -> Result<Log, StateError> {
        let (generation, number) = fresh();
        let mut script = scripts::BEHIND.key(self.key("log"));
        script.key(self.key("rows")).arg(after.0).arg(after.1).arg(generation).arg(number);
        let (generation, number, gap, flat): (u64, u64, bool, Vec<Vec<u8>>) = self.line.ask(&script).await?;
        let changes =
            flat.chunks_exact(2).map(|pair| match (&pair[0][..], String::from_utf8(pair[1].clone())) {
                (b"tenant", Ok(tenant)) => Change::Tenant(TenantId::new(tenant)),
                (b"reset", _) => Change::Reset,
                // Whatever else it should be: that nothing holds any more is true after it too.
                _ => Change::All,
            });
        Ok(Log { list: changes.collect(), position: Position(generation, number), gap })
    }

    async fn sweep(&self, cursor: u64, remove: bool) -> Result<(u64, u64), StateError> {
        let mut script = scripts::SWEEP.key(self.key("rows"));
        self.line.ask(script.arg(cursor).arg(self.now()).arg(u8::from(remove))).await
    }

    /// Those who listen without this store, if it is one of them.
    fn others(&self, listeners: u64, own: Option<&str>) -> u64 {
        listeners.saturating_sub(u64::from(own.is_some() && self.follower.is_listening()))
    }

    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.keys)
    }

    /// Milliseconds since 1970.
    fn now(&self) -> i64 {
        self.identity.clock.now().as_millisecond()
    }
}

/// A generation (or epoch) that no other is, and a step. Both together stay within what Lua's numbers hold exactly: of
/// 2⁵³, each entry of the log takes at most 2²⁰.
fn fresh() -> (u64, u64) {
    ((rand::random::<u64>() >> 14).max(1), (rand::random::<u64>() >> 44).max(1))
}

/// `expiry code content`, the code in base64.
fn pack(form: &Stored<Vec<u8>>) -> Vec<u8> {
    let mut packed = format!("{} {} ", form.expires, STANDARD.encode_to_string(&form.code)).into_bytes();
    packed.extend_from_slice(&form.content);
    packed
}

fn unpack(packed: &[u8]) -> Option<(i64, Vec<u8>, &[u8])> {
    let mut parts = packed.splitn(3, |byte| *byte == b' ');
    let expires = std::str::from_utf8(parts.next()?).ok()?.parse().ok()?;
    let code = STANDARD.decode_to_vec(parts.next()?).ok()?;
    Some((expires, code, parts.next()?))
}
