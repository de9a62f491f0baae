//! The data source manager: hits on one thread and on two, against the shape of the cache that Node's manager has; a
//! thousand requests for one cold tenant, against one; what clearing one of many tenants costs.
#![expect(clippy::print_stdout, reason = "a benchmark prints its result")]

mod measure;
#[path = "../tests/it/support/mod.rs"]
mod support;

use std::hint::black_box;
use std::process::Command;
use std::sync::{Arc, Barrier};
use std::time::Instant;

use boothds::cipher::KeyRing;
use boothds::manager::DataSourceManager;
use boothds::settings::Settings;
use boothds::tenant::Role;
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

fn main() {
    let folder = scratch::folder("manager");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let (manager, ids) = full(&folder, &runtime);
    hits(&manager, &ids);
    runtime.block_on(manager.shutdown());
    runtime.block_on(misses(&folder));
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
    note(&format!("Node's shape of the cache: {node:.0} ns, {:.1} times as long", node / one));
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
            let requests = (0..1000).map(|_| manager.client(pair[1], Role::Service));
            let start = Instant::now();
            let results = join_all(requests).await;
            crowd.push(start.elapsed().as_secs_f64() * 1e3);
            assert!(results.iter().all(|result| result.is_ok() == what.is_empty()), "all got the same");
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
