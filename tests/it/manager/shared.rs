//! Several processes over one state store, in SQLite and in Redis: what one reads serves the others, and what one
//! clears all read anew.

use boothds::clock::Clock;
use boothds::manager::{DataSourceManager, ManagerError};
use boothds::tenant::{Role, TenantId};
use jiff::{SignedDuration, Timestamp};

use super::house::{House, until, until_told};
use crate::fixture::seal;
use crate::state_store::Place;
use crate::support::fleet::TenantRow;

fn shared(manager: &DataSourceManager) -> (u64, u64) {
    let counters = manager.counters();
    (counters.shared_hits, counters.shared_misses)
}

/// The mapped id that a client of the tenant goes by.
async fn mapped(manager: &DataSourceManager, id: &str) -> String {
    let client = manager.client(id, Role::Service).await.unwrap();
    client.tenant_id_in_data_source().to_owned()
}

async fn until_mapped(manager: &DataSourceManager, id: &str, to: &str) {
    until(&format!("the tenant is mapped to {to}"), async || mapped(manager, id).await == to).await;
}

fn map(house: &House, to: &str) {
    house.world.database.execute(&format!("update real_tenants set tenant_id_in_data_source = '{to}'"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_process_read_serves_the_others_and_what_one_clears_all_read_anew() {
    for place in Place::all() {
        let house = House::over(&place);
        let ids = house.add_files(2);
        let (one, two) = (house.manager(), house.manager());
        assert_eq!(
            (mapped(&one, &ids[0]).await, mapped(&two, &ids[0]).await),
            ("mine".into(), "mine".into())
        );
        assert_eq!((house.questions(), shared(&one), shared(&two)), (1, (0, 1), (1, 0)));

        until_told(&one, 1).await;
        map(&house, "theirs");
        assert_eq!(mapped(&two, &ids[0]).await, "mine", "nobody has said anything yet");
        let cleared = one.clear_tenant_cache(ids[0].to_uppercase()).await.unwrap();
        assert_eq!((cleared.told, cleared.logged), (1, true));
        assert_eq!(cleared.tenants, [TenantId::new(ids[0].clone())]);
        until_mapped(&two, &ids[0], "theirs").await;
        assert_eq!(mapped(&one, &ids[0]).await, "theirs");
        assert_eq!(house.questions(), 2, "one of them read it anew, for both");
        assert_eq!(one.clear_tenant_cache(&ids[1]).await.unwrap().tenants, []);

        mapped(&one, &ids[1]).await;
        map(&house, "all");
        let cleared = two.clear_all_caches().await.unwrap();
        assert_eq!((cleared.told, cleared.tenants.len()), (1, 2));
        for id in &ids {
            until_mapped(&one, id, "all").await;
            assert_eq!(mapped(&two, id).await, "all");
        }
        assert_eq!(house.questions(), 5);
        two.shutdown().await;
        until_told(&one, 0).await;
        one.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_clears_is_heard_by_a_service_and_learns_so() {
    for place in Place::all() {
        let house = House::over(&place);
        let ids = house.add_files(2);
        let manager = house.manager();
        for id in &ids {
            mapped(&manager, id).await;
        }
        let nobody = TenantRow::new("nobody").id;
        until("the service listens", async || {
            house.cli(["clear-cache", &nobody, "--json"]).run().expect_code(0).json()["processesTold"] == 1
        })
        .await;
        map(&house, "theirs");
        let ran = house.cli(["clear-cache", &ids[0], "--json"]).run().expect_code(0);
        assert_eq!(ran.json(), serde_json::json!({"cleared": [ids[0]], "entries": 1, "processesTold": 1}));
        until_mapped(&manager, &ids[0], "theirs").await;
        assert_eq!(mapped(&manager, &ids[1]).await, "mine");
        let ran = house.cli(["clear-cache", "--all", "--yes", "--json"]).run().expect_code(0).json();
        assert_eq!((&ran["entries"], &ran["processesTold"]), (&2.into(), &1.into()));
        until_mapped(&manager, &ids[1], "theirs").await;
        manager.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_application_databases_with_the_same_tenants_never_see_each_others_rows() {
    for place in Place::all() {
        let (ours, other) = (House::over(&place), House::over(&place));
        let (ids, others) = (ours.add_files(1), other.add_files(1));
        assert_eq!(ids, others);
        map(&other, "theirs");
        let (one, two) = (ours.manager(), other.manager());
        assert_eq!(mapped(&one, &ids[0]).await, "mine");
        assert_eq!((mapped(&two, &ids[0]).await, shared(&two)), ("theirs".into(), (0, 1)));
        assert_eq!((ours.questions(), other.questions()), (1, 1));
        let cleared = one.clear_all_caches().await.unwrap();
        assert_eq!((cleared.tenants.len(), cleared.told), (1, 0));
        let third = other.manager();
        assert_eq!((mapped(&third, &ids[0]).await, shared(&third)), ("theirs".into(), (1, 0)));
        assert_eq!(mapped(&two, &ids[0]).await, "theirs");
        assert_eq!(other.questions(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_changes_while_it_is_cached_is_as_it_was_until_its_time_or_a_clear() {
    for place in Place::all() {
        let mut house = House::over(&place);
        let ids = house.add_files(3);
        let change = |sql: &str| drop(house.world.database.execute(sql));
        let (one, two) = (house.manager(), house.manager());
        for id in &ids {
            one.client(id, Role::Service).await.unwrap();
            two.client(id, Role::Service).await.unwrap();
        }
        until_told(&one, 1).await;
        change(&format!("update real_tenants set status = 'suspended' where id = '{}'", ids[0]));
        change(&format!("delete from real_tenants where id = '{}'", ids[1]));
        change(&format!(
            "update real_tenants set data_source_url = null, data_source_anon_key = null, data_source_service_key = null
             where id = '{}'",
            ids[2]
        ));
        for id in &ids {
            // A process that begins now goes by the store, too.
            for manager in [&two, &house.manager()] {
                assert_eq!(manager.client(id, Role::Service).await.unwrap().status(), "active");
            }
        }
        assert_eq!(one.clear_all_caches().await.unwrap().tenants.len(), 3);
        for manager in [&one, &two] {
            until("it is suspended", async || {
                manager.client(&ids[0], Role::Service).await.unwrap().status() == "suspended"
            })
            .await;
            let gone = manager.client(&ids[1], Role::Service).await;
            assert!(matches!(gone, Err(ManagerError::UnknownTenant(_))), "{gone:?}");
            let none = manager.client(&ids[2], Role::Service).await;
            assert!(matches!(none, Err(ManagerError::NoDataSource(_))), "{none:?}");
        }

        // Without a clear, when the time of the row is over: here after a millisecond.
        house.set("DATA_SOURCE_CONFIG_CACHE_TTL", "1");
        let three = house.manager();
        three.clear_all_caches().await.unwrap();
        three.client(&ids[0], Role::Service).await.unwrap();
        house.world.database.execute("update real_tenants set status = 'cancelled'");
        assert_eq!(three.client(&ids[0], Role::Service).await.unwrap().status(), "suspended");
        house.pass(1);
        assert_eq!(three.client(&ids[0], Role::Service).await.unwrap().status(), "cancelled");
        house.world.database.execute("delete from real_tenants");
        house.pass(1);
        let gone = three.client(&ids[0], Role::Service).await;
        assert!(matches!(gone, Err(ManagerError::UnknownTenant(_))), "{gone:?}");
        assert_eq!(three.counters().client_cache_size, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wall_clock_that_jumped_costs_a_question_and_never_prolongs_a_row() {
    let now: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
    let at = |hours: i64| Clock::Fixed(now + SignedDuration::from_hours(hours));
    for place in Place::all() {
        let house = House::over(&place);
        let id = house.add_files(1).remove(0);
        let present = house.manager_at(at(0));
        assert_eq!((mapped(&present, &id).await, house.questions()), ("mine".into(), 1));
        // For one whose clock is a day ahead the row has expired; the one that it leaves lives no longer for others.
        let ahead = house.manager_at(at(24));
        assert_eq!((mapped(&ahead, &id).await, shared(&ahead)), ("mine".into(), (0, 1)));
        let next = house.manager_at(at(0));
        assert_eq!((mapped(&next, &id).await, shared(&next), house.questions()), ("mine".into(), (1, 0), 2));
        let expiry = next.connection_info(&id).await.unwrap().cache_expiry;
        assert!(expiry <= now + SignedDuration::from_mins(5), "{expiry}");
        // One of a clock that is more than a week ahead is not believed.
        present.clear_all_caches().await.unwrap();
        mapped(&house.manager_at(at(24 * 8)), &id).await;
        let suspicious = house.manager_at(at(0));
        assert_eq!((mapped(&suspicious, &id).await, shared(&suspicious)), ("mine".into(), (0, 1)));
        assert_eq!(house.questions(), 4);
        // Whatever the clock of who clears, everybody hears it.
        map(&house, "theirs");
        ahead.clear_tenant_cache(&id).await.unwrap();
        for manager in [&present, &next, &suspicious] {
            until_mapped(manager, &id, "theirs").await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_address_replaces_the_client_and_who_has_the_old_one_keeps_it() {
    for place in Place::all() {
        let house = House::over(&place);
        let id = house.add(TenantRow::new("moves").data_source("sqlite:/old.db", &seal("x"), &seal("x")));
        let (one, two) = (house.manager(), house.manager());
        let held = one.client(&id, Role::Service).await.unwrap();
        until_told(&two, 1).await;
        house.world.database.execute("update real_tenants set data_source_url = 'sqlite:/new.db'");
        two.clear_tenant_cache(&id).await.unwrap();
        until("the new address is known", async || {
            one.client(&id, Role::Service).await.unwrap();
            one.connection_info(&id).await.unwrap().url.contains("new.db")
        })
        .await;
        assert_eq!(one.counters().client_cache_size, 1);
        assert_eq!(one.counters().total_clients_created, 2);
        assert_eq!(held.tenant_id().as_str(), id);
    }
}
