//! The counts of all processes in the state store: exact, whoever ends how, and zero after a reset.

use std::io::{BufRead as _, Write as _};
use std::process::Stdio;

use boothds::cipher::KeyRing;
use boothds::clock::Clock;
use boothds::health::Counters;
use boothds::manager::{DataSourceManager, StoreStatus, Surroundings};
use boothds::settings::Settings;
use boothds::state::{StateStore, Totals};
use boothds::tenant::Role;
use futures_util::future::join_all;

use super::house::{House, until, until_told};
use crate::state_store::{Place, open};
use crate::support::process::{self, Child, Signal, User};
use crate::support::redis::RedisServer;

/// Over a store with a namespace that the test knows.
fn house(url: &str) -> House {
    let mut house = House::counting();
    house.set("BOOTHDS_STATE_URL", url);
    house.set("BOOTHDS_NAMESPACE", "fleet");
    house
}

async fn store(url: &str) -> StateStore {
    open(url, "fleet", Clock::System).await
}

/// One miss and `count - 1` hits, or hits alone.
async fn requests(manager: &DataSourceManager, id: &str, count: usize) {
    for _ in 0..count {
        manager.client(id, Role::Service).await.unwrap();
    }
}

/// What is counted, without sizes.
fn counts(counters: Counters) -> [u64; 6] {
    let Counters { cache_hits, cache_misses, shared_hits, shared_misses, .. } = counters;
    [
        cache_hits,
        cache_misses,
        shared_hits,
        shared_misses,
        counters.total_clients_created,
        counters.pool_exhausted_count,
    ]
}

async fn until_total(store: &StateStore, of: &[Counters]) -> Totals {
    let expected = counts(of.iter().copied().fold(Counters::default(), std::ops::Add::add));
    let mut last = None;
    until(&format!("the totals are {expected:?}"), async || {
        let Ok(totals) = store.totals().await else { return false };
        let reached = counts(totals.counts) == expected;
        last = Some(totals);
        reached
    })
    .await;
    last.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn totals_are_the_sums_of_all_also_of_those_that_ended() {
    join_all(Place::all().iter().map(async |place| {
        let house = house(&place.url());
        let ids = house.add_files(2);
        let store = store(&place.url()).await;
        let (one, two, three) = (house.manager(), house.manager(), house.manager());
        requests(&one, &ids[0], 10).await;
        requests(&two, &ids[0], 20).await;
        requests(&three, &ids[1], 30).await;
        let of = [one.counters(), two.counters(), three.counters()];
        assert_eq!(of[0].cache_hits + of[1].cache_hits + of[2].cache_hits, 57);
        let totals = until_total(&store, &of).await;
        assert_eq!(totals.instances.len(), 3);
        let sizes: u64 = totals.instances.iter().map(|instance| instance.counters.max_clients).sum();
        assert_eq!(sizes, 150);
        // In good order, with the counts of the last moment.
        requests(&one, &ids[0], 5).await;
        let last = one.counters();
        one.shutdown().await;
        let totals = until_total(&store, &[last, of[1], of[2]]).await;
        assert_eq!(totals.instances.len(), 2);
        // Just dropped.
        requests(&two, &ids[0], 7).await;
        let dropped = two.counters();
        drop(two);
        let totals = until_total(&store, &[last, dropped, of[2]]).await;
        assert!(totals.instances.len() <= 2);
        until("it has left", async || store.totals().await.unwrap().instances.len() == 1).await;
        // Nothing is counted twice by whoever ends afterwards.
        three.shutdown().await;
        let totals = until_total(&store, &[last, dropped, of[2]]).await;
        assert_eq!(totals.instances, []);
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_ends_while_a_report_is_under_way_is_counted_once_and_leaves() {
    for place in Place::all() {
        let house = house(&place.url());
        let ids = house.add_files(1);
        let mut of = Vec::new();
        // A few at a time, so that on a busy machine each still ends within the limit of a shutdown.
        for _ in 0..8 {
            // The first report is made as soon as there is a store, and so crosses the end.
            let some = join_all((0..5).map(async |_| {
                let manager = house.manager();
                requests(&manager, &ids[0], 2).await;
                manager.shutdown().await;
                manager.counters()
            }));
            of.extend(some.await);
        }
        let totals = until_total(&store(&place.url()).await, &of).await;
        assert_eq!((totals.counts.requests(), totals.instances.len()), (80, 0));
    }
}

/// A service in a process of its own, to be killed; told by its standard input which tenant to ask for how often, and
/// its variables.
#[test]
#[ignore = "a part of another test"]
fn a_service_that_is_killed() {
    let mut lines = std::io::stdin().lock().lines().map_while(Result::ok);
    let (Some(id), Some(count)) = (lines.next(), lines.next()) else { return };
    let variables = lines
        .by_ref()
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned())));
    let settings = Settings::from_vars(variables.collect::<Vec<_>>()).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let ring = KeyRing::from_settings(&settings).unwrap();
        let manager = DataSourceManager::with(&settings, ring, Surroundings::default()).unwrap();
        requests(&manager, &id, count.parse().unwrap()).await;
        // Until it is killed, or whoever tests it is gone.
        let _ = tokio::task::spawn_blocking(lines_end).await;
    });
}

fn lines_end() {
    for _ in std::io::stdin().lock().lines().map_while(Result::ok) {}
}

fn service(house: &House, id: &str, count: usize) -> (Child, std::process::ChildStdin) {
    let mut command = process::command(std::env::current_exe().unwrap(), Signal::KILL, User::Own);
    command.args(["--ignored", "--exact", "manager::metrics::a_service_that_is_killed"]);
    command.stdin(Stdio::piped()).stdout(Stdio::null());
    let mut child = process::spawn(command);
    let mut stdin = child.pipes().0.unwrap();
    writeln!(stdin, "{id}\n{count}").unwrap();
    for (name, value) in house.variables() {
        writeln!(stdin, "{name}={value}").unwrap();
    }
    writeln!(stdin).unwrap();
    (child, stdin)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_process_has_reported_stays() {
    join_all(Place::all().iter().map(async |place| {
        let house = house(&place.url());
        let ids = house.add_files(1);
        let store = store(&place.url()).await;
        let (mut child, _stdin) = service(&house, &ids[0], 40);
        until("it has reported", async || store.totals().await.unwrap().counts.requests() == 40).await;
        let before = store.totals().await.unwrap();
        assert_eq!((before.instances.len(), before.instances[0].pid > 0), (1, true));
        assert_ne!(before.instances[0].pid, std::process::id());
        child.kill();
        let manager = house.manager();
        requests(&manager, &ids[0], 3).await;
        until_total(&store, &[before.counts, manager.counters()]).await;
        manager.shutdown().await;
        until_total(&store, &[before.counts, manager.counters()]).await;
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_reaches_all_and_nothing_from_before_is_counted_after_it() {
    join_all(Place::all().iter().map(async |place| {
        let house = house(&place.url());
        let ids = house.add_files(1);
        let store = store(&place.url()).await;
        let (one, two) = (house.manager(), house.manager());
        requests(&one, &ids[0], 10).await;
        requests(&two, &ids[0], 10).await;
        until_told(&one, 1).await;
        // What has not been reported yet goes as well.
        assert_eq!(one.reset_metrics().await.unwrap(), 1);
        assert_eq!(one.counters().requests(), 0);
        until("the other begins at zero", async || two.counters().requests() == 0).await;
        assert_eq!(two.counters().client_cache_size, 1, "sizes are no counts");
        until_total(&store, &[]).await;
        requests(&one, &ids[0], 1).await;
        requests(&two, &ids[0], 4).await;
        until_total(&store, &[one.counters(), two.counters()]).await;
        assert_eq!(two.counters().cache_hits, 4);
        // By a command, in another process.
        let ran = house.cli(["stats", "--reset", "--json"]).run().expect_code(0);
        assert_eq!(ran.json()["cacheStats"]["cacheHits"], 5);
        until("all begin at zero", async || one.counters().requests() + two.counters().requests() == 0).await;
        requests(&one, &ids[0], 2).await;
        one.shutdown().await;
        two.shutdown().await;
        assert_eq!(store.totals().await.unwrap().counts.cache_hits, 2);
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_between_reports_takes_every_count_once() {
    for settings in [&["--appendonly", "yes", "--appendfsync", "always"][..], &[]] {
        let mut server = RedisServer::start(settings);
        let house = house(&server.url());
        let ids = house.add_files(1);
        let (one, two) = (house.manager(), house.manager());
        requests(&one, &ids[0], 10).await;
        requests(&two, &ids[0], 10).await;
        let before = store(&server.url()).await;
        until_total(&before, &[one.counters(), two.counters()]).await;
        requests(&one, &ids[0], 5).await;
        server.kill9();
        let away = async || matches!(one.store_status(), StoreStatus::Down(_));
        until("it is gone", away).await;
        requests(&one, &ids[0], 7).await;
        requests(&two, &ids[0], 9).await;
        server.restart();
        let after = store(&server.url()).await;
        until_total(&after, &[one.counters(), two.counters()]).await;
        requests(&one, &ids[0], 1).await;
        // Nobody has reset anything: also a server that lost everything is told what its services have counted.
        assert_eq!((one.counters().requests(), two.counters().requests()), (23, 19));
        until_total(&after, &[one.counters(), two.counters()]).await;
        one.shutdown().await;
        two.shutdown().await;
        assert_eq!(after.totals().await.unwrap().counts.requests(), 42);
    }
}
