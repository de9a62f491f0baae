//! What is loaded how often, from where, and until when it holds.

use boothds::health::Counters;
use boothds::manager::ManagerError;
use boothds::tenant::Role;
use futures_util::future::join_all;

use super::house::House;
use crate::fixture::{seal, seal_with};
use crate::support::fleet::{TenantRow, sqlite_source};

fn hits_and_misses(counters: &Counters) -> (u64, u64) {
    (counters.cache_hits, counters.cache_misses)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_first_requests_make_one_question_and_one_client() {
    let house = House::counting();
    let id = house.add_files(1).remove(0);
    let manager = house.manager();
    let asked = (0..1000).map(|_| {
        let (manager, id) = (manager.clone(), id.clone());
        tokio::spawn(async move { manager.client(id, Role::Service).await.map(|_| ()) })
    });
    for result in join_all(asked).await {
        result.unwrap().unwrap();
    }
    assert_eq!(house.questions(), 1);
    let counters = manager.counters();
    assert_eq!((counters.total_clients_created, counters.client_cache_size), (1, 1));
    assert_eq!(counters.requests(), 1000);
    assert_eq!((counters.shared_hits, counters.shared_misses), (0, 1));
    manager.client(&id, Role::Service).await.unwrap();
    assert_eq!(manager.counters().cache_hits, counters.cache_hits + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_is_shared_by_all_and_remembered_by_none() {
    let house = House::counting();
    let manager = house.manager();
    let id = TenantRow::new("late").id;
    let all = join_all((0..1000).map(|_| manager.client(&id, Role::Service))).await;
    assert!(all.iter().all(|result| matches!(result, Err(ManagerError::UnknownTenant(_)))));
    assert_eq!(house.questions(), 1);
    assert_eq!(hits_and_misses(&manager.counters()), (0, 1000));
    let key = seal("x");
    house.add(TenantRow::new("late").data_source("sqlite:/nowhere.db", &key, &key));
    manager.client(&id, Role::Service).await.unwrap();
    assert_eq!(house.questions(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_of_different_tenants_shares_its_questions() {
    let house = House::counting();
    let ids = house.add_files(50);
    let manager = house.manager();
    for result in join_all(ids.iter().map(|id| manager.client(id, Role::Service))).await {
        result.unwrap();
    }
    assert!(house.questions() <= 5, "{} questions", house.questions());
    assert_eq!(manager.counters().total_clients_created, 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_is_read_anew_when_its_time_is_over_and_the_client_stays_if_it_says_the_same() {
    let mut house = House::counting();
    house.set("DATA_SOURCE_USE_SHARED_CACHE", "false");
    let id = house.add_files(1).remove(0);
    let manager = house.manager();
    manager.client(&id, Role::Service).await.unwrap();
    house.pass(299_999);
    manager.client(&id, Role::Service).await.unwrap();
    assert_eq!(house.questions(), 1);
    house.pass(1);
    assert_eq!(manager.counters().config_cache_size, 0);
    manager.client(&id, Role::Service).await.unwrap();
    assert_eq!(house.questions(), 2);
    assert_eq!(manager.counters().total_clients_created, 1);
    assert_eq!(hits_and_misses(&manager.counters()), (2, 1));
    // Another row: another client.
    house.world.database.execute("update real_tenants set tenant_id_in_data_source = 'theirs'");
    house.pass(300_000);
    let client = manager.client(&id, Role::Service).await.unwrap();
    assert_eq!(client.tenant_id_in_data_source(), "theirs");
    assert_eq!((house.questions(), manager.counters().total_clients_created), (3, 2));
    // And after its own time a client goes, whatever the row says.
    drop(client);
    house.pass(3_600_000);
    assert_eq!(manager.counters().client_cache_size, 0);
    manager.client(&id, Role::Service).await.unwrap();
    assert_eq!(manager.counters().total_clients_created, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_is_gone_loses_its_client_and_a_database_that_is_away_does_not_take_it() {
    let mut house = House::counting();
    house.set("DATA_SOURCE_USE_SHARED_CACHE", "false");
    let ids = house.add_files(2);
    let manager = house.manager();
    for id in &ids {
        manager.client(id, Role::Service).await.unwrap();
    }
    house.pass(300_000);
    house.world.database.execute(&format!("delete from real_tenants where id = '{}'", ids[0]));
    let gone = manager.client(&ids[0], Role::Service).await;
    assert!(matches!(gone, Err(ManagerError::UnknownTenant(_))), "{gone:?}");
    assert_eq!(manager.counters().client_cache_size, 1);
    house.world.database.execute("alter table real_tenants rename to moved; drop view tenants cascade");
    let stays = manager.client(&ids[1], Role::Service).await;
    assert!(stays.is_ok(), "{stays:?}");
    house.pass(3_600_000);
    let ended = manager.client(&ids[1], Role::Service).await;
    assert!(matches!(ended, Err(ManagerError::Load { .. })), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_used_is_named_and_never_shown() {
    let house = House::counting();
    let manager = house.manager();
    let other = "1".repeat(64);
    let none = house.add(TenantRow::new("none"));
    let strange = house.add(TenantRow::new("strange").data_source(
        "postgres://u@127.0.0.1/d",
        &seal_with(&other, "hunter2"),
        &seal_with(&other, "hunter2"),
    ));
    let plain = house.add(TenantRow::new("plain").data_source(
        "postgres://u@127.0.0.1/d",
        "sb_secret_hunter2",
        "sb_secret_hunter2",
    ));
    let ftp = house.add(TenantRow::new("ftp").data_source("ftp://u:hunter2@h/d", &seal("x"), &seal("x")));
    let sentence = |error: &ManagerError| {
        let mut text = error.to_string();
        let mut cause = std::error::Error::source(error);
        while let Some(error) = cause {
            text.push_str(&format!(": {error}"));
            cause = error.source();
        }
        assert!(!format!("{text} {error:?}").contains("hunter2"), "{text}");
        text
    };
    for (id, expected) in [
        (&none, format!("Tenant {none} has no data source configured")),
        (
            &strange,
            format!(
                "the service key of tenant {strange} does not open: Failed to decrypt key: Authentication failed. The \
                 key may have been tampered with or encrypted with a different key."
            ),
        ),
        (
            &ftp,
            format!(
                "the data source URL of tenant {ftp} cannot be used: its scheme `ftp` is none of https, postgres, postgresql, sqlite"
            ),
        ),
    ] {
        let error = manager.client(id, Role::Service).await.unwrap_err();
        assert_eq!(sentence(&error), expected);
    }
    let error = manager.client(&plain, Role::Service).await.unwrap_err();
    assert!(matches!(error, ManagerError::Key { .. }));
    sentence(&error);
    assert!(
        matches!(manager.client("none", Role::Service).await, Err(ManagerError::UnknownTenant(_))),
        "a subdomain is no id"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_in_capitals_is_the_same_tenant() {
    let house = House::counting();
    let id = house.add_files(1).remove(0);
    let manager = house.manager();
    let client = manager.client(id.to_uppercase(), Role::Service).await.unwrap();
    assert_eq!(client.tenant_id().as_str(), id);
    assert_eq!(manager.tenant_id_in_data_source(&id).await.unwrap(), "mine");
    assert_eq!(house.questions(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_of_any_length_find_their_own_client_again() {
    let house = House::sqlite();
    let url = sqlite_source(&house.folder.path().join("source.db"), &["mine"]);
    let key = seal("unused");
    // Each is the beginning of all that follow; 39 letters are the most that a client holds in place.
    let ids: Vec<String> = [1, 35, 36, 37, 38, 39, 40, 41, 250].map(|length| "7".repeat(length)).to_vec();
    for id in &ids {
        let mut row = TenantRow::new(&format!("s{}", id.len())).data_source(&url, &key, &key);
        row.id.clone_from(id);
        house.add(row);
    }
    let manager = house.manager();
    for round in 0..2 {
        for id in &ids {
            let client = manager.client(id, Role::Service).await.unwrap();
            assert_eq!(client.tenant_id().as_str(), id, "round {round}");
        }
    }
    let count = ids.len() as u64;
    assert_eq!(hits_and_misses(&manager.counters()), (count, count));
    manager.clear_tenant_cache(&ids[5]).await.unwrap();
    assert_eq!(manager.counters().client_cache_size, count - 1);
}
