//! The data source manager: hits on one thread and on two, against the shape of the cache that Node's manager has; a
//! thousand requests for one cold tenant, against one; a fresh process; what clearing one of many tenants costs.
//! Arguments name parts: hits misses fresh clear.
#![expect(clippy::print_stdout, reason = "a benchmark prints its result")]

mod measure;
#[path = "../tests/it/support/mod.rs"]
mod support;

use std::hint::black_box;
use std::process::Command;
use std::sync::{Arc, Barrier};
use std::time::Instant;

use boothds::cipher::{Authenticator, KeyRing};
use boothds::clock::{Clock, after_milliseconds};
use boothds::manager::DataSourceManager;
use boothds::secret::Secret;
use boothds::settings::Settings;
use boothds::state::{CachedRow, Identity, Location, ROW_PURPOSE, Scope, StateStore};
use boothds::tenant::{Role, SealedSource, Tenant, TenantId};
use boothds::url::SourceUrl;
use futures_util::future::join_all;
use measure::{Target, best, note, verdict};
use support::fleet::{ApplicationDatabase, TenantRow, sqlite_source};
use support::scratch;

const KEY: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0";
/// Cached clients.
const CLIENTS: usize = 10_000;
/// Requests of one turn: so short that on a busy machine some turn is not interrupted.
const REQUESTS: u32 = 100_000;
const ROUNDS: u32 = 50;

/// Node's side: a Map of entries with a time of expiry and counters, behind an async method, as the application has it.
const NODE: &str = r"
const [, n, requests, rounds] = process.argv.map(Number);
const ids = Array.from({ length: n }, (_, i) => require('crypto').randomUUID());
class Manager {
  constructor() { this.clients = new Map(); this.hits = 0; this.misses = 0; }
  async client(id, role = 'service') {
    const key = `${id}:${role}`;
    const held = this.clients.get(key);
    if (held && Date.now() < held.expires) { this.hits++; held.used = Date.now(); return held.client; }
    this.misses++;
    const client = {};
    this.clients.set(key, { client, expires: Date.now() + 3600000, used: 0 });
    return client;
  }
}
(async () => {
  const manager = new Manager();
  for (const id of ids) await manager.client(id);
  let best = Infinity;
  for (let round = 0; round < rounds; round++) {
    const start = process.hrtime.bigint();
    for (let i = 0; i < requests; i++) await manager.client(ids[(i * 7919) % n]);
    best = Math.min(best, Number(process.hrtime.bigint() - start) / requests);
  }
  console.log(best);
})();
";

/// The first argument of the process that reads one row and ends; the second is the tenant's id.
const CHILD: &str = "--read-one";
const SPAWNS: usize = 100;
/// Rows in the store of which one is cleared.
const ROWS: usize = 100_000;

fn main() {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() == Some(CHILD) {
        return read_one(&arguments.next().expect("an id"));
    }
    let wanted: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let wants = |part: &str| wanted.is_empty() || wanted.iter().any(|word| word == part);
    let folder = scratch::folder("manager");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    if wants("hits") {
        let (manager, ids) = full(&folder, &runtime);
        hits(&manager, &ids);
        runtime.block_on(manager.shutdown());
    }
    if wants("misses") {
        runtime.block_on(misses(&folder));
    }
    if wants("fresh") {
        fresh(&folder, &runtime);
    }
    if wants("clear") {
        runtime.block_on(clear(&folder));
    }
}

/// What a fresh process does that wants one row, which the second tier has.
fn read_one(id: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let manager = DataSourceManager::global().expect("a manager");
    let mapped = runtime.block_on(manager.tenant_id_in_data_source(id)).expect("a row");
    assert_eq!(mapped, id);
    assert_eq!(manager.counters().shared_hits, 1, "the second tier had it");
}

/// A process that reads one row from the SQLite tier, against `boothds --version`.
fn fresh(folder: &tempfile::TempDir, runtime: &tokio::runtime::Runtime) {
    let database = ApplicationDatabase::sqlite(&folder.path().join("one.db"));
    let row = tenants(folder, 1).remove(0);
    let id = row.id.clone();
    database.insert(row);
    let manager = manager(&database, folder, 10);
    runtime.block_on(async {
        manager.client(&id, Role::Service).await.expect("a client, and so a cached row");
        manager.shutdown().await;
    });
    let spawn = |program: &std::path::Path, arguments: &[&str]| {
        let mut command = Command::new(program);
        command.args(arguments).env_clear().stdout(std::process::Stdio::null());
        command.env("DATABASE_URL", database.url()).env("ENCRYPTION_KEY", KEY).env("HOME", folder.path());
        let start = Instant::now();
        let status = command.status().expect("start a process");
        let took = start.elapsed().as_secs_f64() * 1e3;
        assert!(status.success(), "{program:?}");
        took
    };
    let own = std::env::current_exe().expect("the path of this benchmark");
    let version = std::path::PathBuf::from(env!("CARGO_BIN_EXE_boothds"));
    let (mut reads, mut versions) = (Vec::new(), Vec::new());
    for _ in 0..SPAWNS {
        reads.push(spawn(&own, &[CHILD, &id]));
        versions.push(spawn(&version, &["--version"]));
    }
    let more = best(reads) - best(versions);
    verdict(
        "a fresh process that reads one row from the SQLite tier, to --version",
        more,
        " ms",
        Target::AtMost(4.0),
    );
}

/// Clearing one tenant of very many in the SQLite tier, against clearing the only one.
async fn clear(folder: &tempfile::TempDir) {
    let settings = Settings::from_vars([("ENCRYPTION_KEY", KEY)]).expect("settings");
    let ring = KeyRing::from_settings(&settings).expect("a key");
    let sealed = ring.seal("unused");
    let times = [1, ROWS].map(|count| (count, folder.path().join(format!("state-{count}.db"))));
    let mut medians = Vec::new();
    for (count, path) in times {
        let identity = Identity {
            namespace: "bench".to_owned(),
            authenticator: Some(Arc::new(Authenticator::new(&ring, ROW_PURPOSE))),
            clock: Clock::System,
        };
        let store = StateStore::open(&Location::Sqlite(path), identity).await.expect("a store");
        let expires_at = after_milliseconds(Clock::System.now(), 3_600_000);
        let row = |n: usize| CachedRow { tenant: tenant(&format!("tenant-{n}"), &sealed), expires_at };
        let rows: Vec<CachedRow> = (0..count).map(row).collect();
        let since = store.position().await.expect("a position");
        assert_eq!(store.write(&rows, since).await.expect("rows"), count);
        let mut took = Vec::new();
        for n in 0..50 {
            let one = row(n % count);
            let since = store.position().await.expect("a position");
            store.write(std::slice::from_ref(&one), since).await.expect("a row");
            let start = Instant::now();
            let cleared =
                store.invalidate(&Scope::Tenants(vec![one.tenant.id]), None).await.expect("cleared");
            took.push(start.elapsed().as_secs_f64() * 1e3);
            assert_eq!(cleared.tenants.len(), 1);
        }
        medians.push(median(took));
        store.close().await;
    }
    note(&format!("clearing the only tenant: {:.2} ms; one of {ROWS}: {:.2} ms", medians[0], medians[1]));
    verdict(
        "clearing one of 100,000 cached tenants, to clearing the only one",
        medians[1] / medians[0],
        "",
        Target::AtMost(1.5),
    );
}

fn tenant(id: &str, sealed: &str) -> Tenant {
    Tenant {
        id: TenantId::new(id.to_owned()),
        name: id.to_owned(),
        subdomain: id.to_owned(),
        status: "active".to_owned(),
        source: Some(SealedSource {
            url: SourceUrl::new("https://abcdefghijklmnopqrst.supabase.co".to_owned()),
            anon_key: Some(Secret::new(sealed.to_owned())),
            service_key: Some(Secret::new(sealed.to_owned())),
            region: None,
            pool_config: None,
            mapped_id: None,
        }),
    }
}

fn manager(database: &ApplicationDatabase, folder: &tempfile::TempDir, clients: usize) -> DataSourceManager {
    let settings = Settings::from_vars([
        ("DATABASE_URL", database.url()),
        ("ENCRYPTION_KEY", KEY.to_owned()),
        ("HOME", folder.path().display().to_string()),
        ("DATA_SOURCE_MAX_CLIENTS", clients.to_string()),
    ]);
    DataSourceManager::new(settings.expect("settings")).expect("a manager")
}

fn tenants(folder: &tempfile::TempDir, count: usize) -> Vec<TenantRow> {
    let url = sqlite_source(&folder.path().join(format!("source-{count}.db")), &["mine"]);
    let settings = Settings::from_vars([("ENCRYPTION_KEY", KEY)]).expect("settings");
    let key = KeyRing::from_settings(&settings).expect("a key").seal("unused");
    (0..count).map(|n| TenantRow::new(&format!("t{n}")).data_source(&url, &key, &key)).collect()
}

/// A manager with all its clients made.
fn full(folder: &tempfile::TempDir, runtime: &tokio::runtime::Runtime) -> (DataSourceManager, Vec<String>) {
    let database = ApplicationDatabase::sqlite(&folder.path().join("application.db"));
    let rows = tenants(folder, CLIENTS);
    database.insert_all(&rows);
    let manager = manager(&database, folder, CLIENTS);
    let ids: Vec<String> = rows.into_iter().map(|row| row.id).collect();
    let made =
        runtime.block_on(async { join_all(ids.iter().map(|id| manager.client(id, Role::Service))).await });
    assert!(made.iter().all(Result::is_ok), "every client is made");
    (manager, ids)
}

fn hits(manager: &DataSourceManager, ids: &[String]) {
    let before = manager.counters();
    let one = best((0..ROUNDS).map(|_| turn(manager, ids, 1)));
    let two = best((0..ROUNDS).map(|_| turn(manager, ids, 2)));
    let counted = manager.counters() - before;
    assert_eq!(
        counted.cache_hits,
        3 * u64::from(ROUNDS) * u64::from(REQUESTS),
        "every request was a hit, and counted"
    );
    let node = node();
    note(&format!("Node's shape of the cache: {node:.0} ns"));
    verdict(
        "a hit with 10,000 clients, times as quick as Node's shape",
        node / one,
        "",
        Target::AtLeast(6.0),
    );
    verdict("a hit with 10,000 clients, one thread", one, " ns", Target::AtMost(100.0));
    verdict("a hit with 10,000 clients, each of two threads", two, " ns", Target::AtMost(200.0));
}

/// Nanoseconds of a request, on so many threads at once.
fn turn(manager: &DataSourceManager, ids: &[String], threads: usize) -> f64 {
    let barrier = Arc::new(Barrier::new(threads));
    std::thread::scope(|scope| {
        let turns: Vec<_> = (0..threads)
            .map(|thread| {
                let barrier = Arc::clone(&barrier);
                scope.spawn(move || {
                    let runtime = tokio::runtime::Builder::new_current_thread()
                        .enable_all()
                        .build()
                        .expect("a runtime");
                    runtime.block_on(async {
                        barrier.wait();
                        let start = Instant::now();
                        let mut at = thread * 5003;
                        for _ in 0..REQUESTS {
                            at = (at + 7919) % ids.len();
                            let id = &ids[at];
                            black_box(manager.client(id, Role::Service).await.expect("a hit"));
                        }
                        start.elapsed().as_secs_f64() * 1e9 / f64::from(REQUESTS)
                    })
                })
            })
            .collect();
        turns.into_iter().map(|turn| turn.join().expect("a turn")).fold(0.0, f64::max)
    })
}

fn node() -> f64 {
    let [clients, requests, rounds] = [CLIENTS.to_string(), REQUESTS.to_string(), ROUNDS.to_string()];
    let output =
        Command::new("node").args(["-e", NODE, &clients, &requests, &rounds]).output().expect("node");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().parse().expect("a number")
}

/// A thousand requests for one cold tenant, against one request for another, both also when the load fails.
async fn misses(folder: &tempfile::TempDir) {
    let database = ApplicationDatabase::postgres();
    let rows = tenants(folder, 201);
    database.insert_all(&rows[..101]);
    let manager = manager(&database, folder, 500);
    let ids: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
    manager.client(ids[0], Role::Service).await.expect("the first client");
    for (what, ids) in [("", &ids[1..101]), (" that fails", &ids[101..])] {
        let (mut alone, mut crowd) = (Vec::new(), Vec::new());
        for pair in ids.chunks_exact(2) {
            let start = Instant::now();
            let _ = black_box(manager.client(pair[0], Role::Service).await);
            alone.push(start.elapsed().as_secs_f64() * 1e3);
            // A request begins when it is first polled. By tens, since `join_all` keeps a queue and a heap of more than
            // thirty, which takes longer than what is measured here.
            let ten = || join_all((0..10).map(|_| manager.client(pair[1], Role::Service)));
            let hundred = || join_all((0..10).map(|_| ten()));
            let requests = join_all((0..10).map(|_| hundred()));
            let start = Instant::now();
            let results = requests.await;
            crowd.push(start.elapsed().as_secs_f64() * 1e3);
            let mut results = results.iter().flatten().flatten();
            assert!(results.all(|result| result.is_ok() == what.is_empty()), "all got the same");
        }
        let [alone, crowd] = [alone, crowd].map(median);
        note(&format!("one load{what}: {alone:.2} ms; for a thousand at once: {crowd:.2} ms"));
        verdict(
            &format!("1,000 misses on one tenant{what}, to one load"),
            crowd / alone,
            "",
            Target::AtMost(1.5),
        );
    }
    manager.shutdown().await;
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
