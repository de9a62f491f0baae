//! The bound of the pool, under any interleaving.

use std::collections::HashSet;

use boothds::manager::ManagerError;
use boothds::tenant::Role;
use futures_util::future::join_all;
use rand::RngExt;

use super::house::House;

#[tokio::test(flavor = "multi_thread")]
async fn the_least_recently_used_idle_client_makes_room_and_one_in_use_never() {
    let mut house = House::sqlite();
    house.set("DATA_SOURCE_MAX_CLIENTS", "3");
    let ids = house.add_files(5);
    let manager = house.manager();
    let held = manager.client(&ids[0], Role::Service).await.unwrap();
    for id in &ids[1..3] {
        house.pass(1);
        manager.client(id, Role::Service).await.unwrap();
    }
    house.pass(1);
    manager.client(&ids[1], Role::Service).await.unwrap();
    house.pass(1);
    manager.client(&ids[3], Role::Service).await.unwrap();
    let clients: HashSet<&String> = {
        let mut alive = HashSet::new();
        for id in &ids[..4] {
            if !manager.connection_info(id).await.unwrap().clients.is_empty() {
                alive.insert(id);
            }
        }
        alive
    };
    assert_eq!(clients, HashSet::from([&ids[0], &ids[1], &ids[3]]));
    assert_eq!(manager.counters().client_cache_size, 3);
    drop(held);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_when_all_are_in_use_it_fails_with_the_known_sentence_and_counts() {
    let mut house = House::sqlite();
    house.set("DATA_SOURCE_MAX_CLIENTS", "2");
    let ids = house.add_files(3);
    let manager = house.manager();
    let first = manager.client(&ids[0], Role::Service).await.unwrap();
    let second = manager.client(&ids[1], Role::Service).await.unwrap();
    // A lent connection alone keeps its client in use.
    let connection = second.sqlite().unwrap().acquire().await.unwrap();
    drop(second);
    let error = manager.client(&ids[2], Role::Service).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "Connection pool exhausted: 2/2 clients active. Consider increasing maxClients or reducing tenant load."
    );
    assert_eq!(manager.counters().pool_exhausted_count, 1);
    drop(connection);
    manager.client(&ids[2], Role::Service).await.unwrap();
    drop(first);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_client_takes_no_place_even_while_it_is_in_use() {
    let mut house = House::sqlite();
    house.set("DATA_SOURCE_MAX_CLIENTS", "1");
    let ids = house.add_files(2);
    let manager = house.manager();
    let old = manager.client(&ids[0], Role::Service).await.unwrap();
    house.pass(3_600_000);
    manager.client(&ids[1], Role::Service).await.unwrap();
    let row: (i64,) = sqlx::query_as("select count(*) from accounts")
        .fetch_one(&mut *old.sqlite().unwrap().acquire().await.unwrap())
        .await
        .unwrap();
    assert_eq!(row.0, 1, "who has it may go on");
    assert_eq!(manager.counters().client_cache_size, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whatever_is_asked_dropped_and_cancelled_the_bound_holds_and_the_counters_add_up() {
    let mut house = House::sqlite();
    house.set("DATA_SOURCE_MAX_CLIENTS", "8");
    house.set("DATA_SOURCE_USE_SHARED_CACHE", "false");
    let mut ids = house.add_files(60);
    ids.push("not-a-tenant".to_owned());
    let manager = house.manager();
    let tasks = (0..40).map(|_| {
        let (manager, ids) = (manager.clone(), ids.clone());
        tokio::spawn(async move {
            let (mut asked, mut exhausted) = (0u64, 0u64);
            let mut held = Vec::new();
            for _ in 0..150 {
                let (id, role, what) = {
                    let mut rng = rand::rng();
                    let role = if rng.random_bool(0.5) { Role::Service } else { Role::Anon };
                    (ids[rng.random_range(0..ids.len())].clone(), role, rng.random_range(0..10))
                };
                asked += 1;
                if what == 0 {
                    // Cancelled at its first wait.
                    let mut request = Box::pin(manager.client(&id, role));
                    let _ = futures_util::FutureExt::now_or_never(&mut request);
                    continue;
                }
                match manager.client(&id, role).await {
                    Ok(client) if what < 3 => held.push(client),
                    Err(ManagerError::Exhausted { active, max }) => {
                        assert!(active >= max);
                        exhausted += 1;
                        held.clear();
                    }
                    Ok(_) | Err(ManagerError::UnknownTenant(_)) => {}
                    Err(error) => panic!("{error:?}"),
                }
                if what == 9 {
                    held.clear();
                    manager.clear_tenant_cache(&id).await.ok();
                }
                assert!(manager.counters().client_cache_size <= 8);
            }
            (asked, exhausted)
        })
    });
    let mut sums = (0, 0);
    for task in join_all(tasks).await {
        let (asked, exhausted) = task.unwrap();
        sums = (sums.0 + asked, sums.1 + exhausted);
    }
    let counters = manager.counters();
    assert_eq!(counters.requests(), sums.0);
    assert!(counters.pool_exhausted_count >= sums.1 && sums.1 > 0, "{counters:?} {sums:?}");
    assert!(counters.total_clients_created > 60, "{counters:?}");
    // Nothing is left behind: with all handles gone there is room for eight new ones at a time.
    house.pass(1);
    let held = join_all(ids[..8].iter().map(|id| manager.client(id, Role::Service))).await;
    assert!(held.iter().all(Result::is_ok), "{held:?}");
}
