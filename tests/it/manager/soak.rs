//! Ten thousand tenants through a pool of fifty, with failures, cancellations and invalidations: eight seconds, or as
//! many as `BOOTHDS_TEST_SOAK` says.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use boothds::manager::{DataSourceManager, ManagerError, TenantClient};
use boothds::tenant::Role;
use futures_util::FutureExt as _;
use futures_util::future::join_all;
use rand::RngExt as _;
use sqlx::Connection as _;
use tokio::time::timeout;

use super::house::{House, until};
use crate::fixture::{World, seal, seal_with};
use crate::support::network::refused_port;
use crate::support::postgres::cluster;

/// Clients at the most.
const CAP: u64 = 50;
/// Connections of a client at the most.
const POOL_MAX: u64 = 2;
/// Requests at a time: fewer than clients, so that there is always one to make room.
const WORKERS: u64 = 24;
/// Connections that were given up and that the server has not yet let go.
const CLOSING: u64 = 60;

/// What is wrong with a tenant, by its number.
#[derive(Clone, Copy, PartialEq)]
enum Fault {
    None,
    Refused,
    Key,
}

fn fault(number: usize) -> Fault {
    match number % 50 {
        7 => Fault::Refused,
        13 => Fault::Key,
        _ => Fault::None,
    }
}

/// Adds the tenants; returns their ids by number.
fn settle(house: &House, database: &str) -> Vec<String> {
    let url = |port: u16| format!("postgres://postgres@127.0.0.1:{port}/{database}");
    let (good, bad) = (seal("unused"), seal_with(&"5".repeat(64), "unused"));
    house.world.database.execute(&format!(
        "insert into tenants (id, name, subdomain, status, data_source_url, data_source_anon_key, data_source_service_key,
                              connection_pool_config, tenant_id_in_data_source)
         select md5(n::text)::uuid, 'Tenant ' || n, 't' || n, 'active',
                case n % 50 when 7 then '{refused}' else '{open}' end, key, key,
                '{{\"min\":0,\"max\":{POOL_MAX}}}', 'mapped-' || n
         from generate_series(0, 9999) n, lateral (select case n % 50 when 13 then '{bad}' else '{good}' end as key) k",
        refused = url(refused_port()),
        open = url(cluster().port()),
    ));
    let ids =
        house.world.database.execute("select md5(n::text)::uuid from generate_series(0, 9999) n order by n");
    ids.lines().map(str::to_owned).collect()
}

#[derive(Default)]
struct Tally {
    asked: AtomicU64,
    served: AtomicU64,
    queries: AtomicU64,
    /// Clients that may have been made twice: of each role, when an invalidation came while they were made; it comes
    /// once before the store is told and once after it.
    repeated: AtomicU64,
    over: AtomicBool,
}

/// Asks the data source, at times not waiting for the answer.
async fn query(client: &TenantClient, number: usize, gives_up: bool, tally: &Tally) {
    let question = async {
        let mut connection = client.postgres().unwrap().acquire().await?;
        let one: (i32,) = sqlx::query_as("select 1").fetch_one(&mut *connection).await.unwrap();
        assert_eq!(one.0, 1);
        Ok::<_, ManagerError>(())
    };
    if gives_up {
        let pause = Duration::from_micros(rand::rng().random_range(0..3000));
        let _ = timeout(pause, question).await;
        return;
    }
    match (question.await, fault(number)) {
        (Ok(()), Fault::None) => drop(tally.queries.fetch_add(1, Ordering::Relaxed)),
        (Err(ManagerError::Source { .. }), Fault::Refused) => {}
        (outcome, _) => panic!("tenant {number}: {outcome:?}"),
    }
}

async fn work(manager: DataSourceManager, ids: Arc<Vec<String>>, tally: Arc<Tally>) {
    while !tally.over.load(Ordering::Relaxed) {
        let (number, role, what, micros) = {
            let mut rng = rand::rng();
            // Half of the requests are for a few, so that there are hits.
            let number =
                if rng.random_bool(0.5) { rng.random_range(0..40) } else { rng.random_range(0..ids.len()) };
            let role = if rng.random_bool(0.8) { Role::Service } else { Role::Anon };
            (number, role, rng.random_range(0..20), rng.random_range(0..3000))
        };
        tally.asked.fetch_add(1, Ordering::Relaxed);
        let request = manager.client(&ids[number], role);
        let outcome = match what {
            0 => request.now_or_never(),
            1 => timeout(Duration::from_micros(micros), request).await.ok(),
            _ => Some(request.await),
        };
        match outcome {
            None => {}
            Some(Ok(client)) => {
                assert_eq!(client.tenant_id_in_data_source(), format!("mapped-{number}"));
                tally.served.fetch_add(1, Ordering::Relaxed);
                query(&client, number, what == 2, &tally).await;
            }
            Some(Err(ManagerError::Key { .. })) if fault(number) == Fault::Key => {}
            Some(Err(error)) => panic!("tenant {number}: {error:?}"),
        }
        if what == 3 {
            tally.repeated.fetch_add(4, Ordering::Relaxed);
            manager.clear_tenant_cache(&ids[number]).await.unwrap();
        }
        assert!(manager.counters().client_cache_size <= CAP);
    }
}

#[expect(clippy::disallowed_methods, reason = "the one setting that a test takes from outside")]
fn duration() -> Duration {
    let seconds = std::env::var("BOOTHDS_TEST_SOAK").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(8))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn ten_thousand_tenants_through_fifty_clients_leave_exact_counts_and_no_connection() {
    let database = cluster().create_database("soak");
    let mut house = House::of(World::postgres());
    house.set("DATA_SOURCE_MAX_CLIENTS", CAP.to_string());
    let ids = Arc::new(settle(&house, &database));
    assert_eq!(ids.len(), 10_000);
    let mut watcher = sqlx::PgConnection::connect(&cluster().url("postgres")).await.unwrap();
    let mut connections = async || -> u64 {
        let sql = "select count(*) from pg_stat_activity where datname = $1";
        let count: i64 = sqlx::query_scalar(sql).bind(&database).fetch_one(&mut watcher).await.unwrap();
        count.try_into().unwrap()
    };

    let manager = house.manager();
    let tally = Arc::new(Tally::default());
    let workers: Vec<_> = (0..WORKERS)
        .map(|_| tokio::spawn(work(manager.clone(), Arc::clone(&ids), Arc::clone(&tally))))
        .collect();
    let (begin, mut most, mut rounds) = (Instant::now(), 0, 0);
    while begin.elapsed() < duration() && workers.iter().all(|worker| !worker.is_finished()) {
        tokio::time::sleep(Duration::from_millis(25)).await;
        house.pass(25);
        rounds += 1;
        most = most.max(connections().await);
        if rounds % 40 == 0 {
            // The time of every row is over.
            house.pass(300_000);
        }
        if rounds % 70 == 0 {
            tally.repeated.fetch_add(2 * WORKERS, Ordering::Relaxed);
            manager.clear_all_caches().await.unwrap();
        }
    }
    tally.over.store(true, Ordering::Relaxed);
    for worker in join_all(workers).await {
        worker.unwrap();
    }

    let [asked, served, queries, repeated] =
        [&tally.asked, &tally.served, &tally.queries, &tally.repeated].map(|n| n.load(Ordering::Relaxed));
    let counters = manager.counters();
    assert_eq!(counters.requests(), asked, "{counters:?}");
    assert!(counters.cache_hits > 0 && counters.total_clients_created > CAP, "{counters:?}");
    assert!(counters.total_clients_created <= counters.cache_misses + repeated, "{counters:?}");
    assert_eq!(counters.pool_exhausted_count, 0);
    assert!(served > 100 && queries > 100, "{served} served, {queries} queries");
    assert!(most > 0 && most <= CAP * POOL_MAX + WORKERS + CLOSING, "{most} connections");
    manager.shutdown().await;
    until("no connection is left", async || connections().await == 0).await;
    assert_eq!(manager.counters().client_cache_size, 0);
}
