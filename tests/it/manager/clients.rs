//! What a handle gives access to, on the real thing.

use boothds::manager::ManagerError;
use boothds::tenant::Role;
use reqwest::Method;

use super::house::{House, until};
use crate::fixture::{World, seal};
use crate::support::fleet::TenantRow;
use crate::support::gateway::Gateway;
use crate::support::postgres::cluster;
use crate::support::postgrest::{PostgRest, TENANT_A, anon_key, service_key, supabase_database};

const ACCOUNTS: &str = "create table accounts (id bigint primary key, tenant_id text not null);
    insert into accounts values (1, 'mine'), (2, 'theirs');";

/// A tenant's database and how many connections it has.
fn source() -> (String, impl Fn() -> usize) {
    let name = cluster().create_database("managed");
    cluster().psql(&name, ACCOUNTS);
    let counted = name.clone();
    let connections = move || {
        let sql = format!("select count(*) from pg_stat_activity where datname = '{counted}'");
        cluster().psql("postgres", &sql).parse().unwrap()
    };
    (name, connections)
}

fn postgres_tenant(house: &House, name: &str, database: &str, pool: &str) -> String {
    let url = format!("postgres://postgres@127.0.0.1:{}/{database}", cluster().port());
    house.add(
        TenantRow::new(name)
            .data_source(&url, &seal("unused"), &seal("unused"))
            .tenant_id_in_data_source("mine")
            .pool_config(pool),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_connections_are_lent_within_the_bounds_of_the_row_and_closed_with_the_client() {
    let house = House::of(World::postgres());
    let (database, connections) = source();
    let id = postgres_tenant(&house, "pg", &database, r#"{"min":2,"max":3}"#);
    let manager = house.manager();
    let client = manager.client(&id, Role::Service).await.unwrap();
    until("the minimum is open", async || connections() == 2).await;
    let pg = client.postgres().unwrap();
    let mut transaction = pg.begin().await.unwrap();
    let mine: Vec<(i64,)> = sqlx::query_as("select id from accounts where tenant_id = $1")
        .bind(client.tenant_id_in_data_source())
        .fetch_all(&mut *transaction)
        .await
        .unwrap();
    assert_eq!(mine, [(1,)]);
    sqlx::query("insert into accounts values (3, 'mine')").execute(&mut *transaction).await.unwrap();
    drop(transaction);
    let mut transaction = pg.begin().await.unwrap();
    sqlx::query("insert into accounts values (4, 'mine')").execute(&mut *transaction).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(
        cluster().psql(&database, "select string_agg(id::text, ',' order by id) from accounts"),
        "1,2,4"
    );
    let lent = [pg.acquire().await.unwrap(), pg.acquire().await.unwrap(), pg.acquire().await.unwrap()];
    assert_eq!(connections(), 3);
    assert!(matches!(client.supabase(), Err(ManagerError::Kind { .. })));
    drop(client);
    manager.clear_tenant_cache(&id).await.ok();
    assert_eq!(connections(), 3, "who has a connection keeps it");
    drop(lent);
    until("all are closed", async || connections() == 0).await;
    manager.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_died_is_not_lent() {
    let house = House::of(World::postgres());
    let (database, connections) = source();
    let id = postgres_tenant(&house, "pg", &database, r#"{"min":0,"max":2}"#);
    let manager = house.manager();
    let client = manager.client(&id, Role::Service).await.unwrap();
    drop(client.postgres().unwrap().acquire().await.unwrap());
    let kill = format!("select pg_terminate_backend(pid) from pg_stat_activity where datname = '{database}'");
    until("it is idle", async || connections() == 1).await;
    cluster().psql("postgres", &kill);
    let mut connection = client.postgres().unwrap().acquire().await.unwrap();
    let one: (i32,) = sqlx::query_as("select 1").fetch_one(&mut *connection).await.unwrap();
    assert_eq!(one.0, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn making_room_closes_connections_before_others_are_opened() {
    let mut house = House::of(World::postgres());
    house.set("DATA_SOURCE_MAX_CLIENTS", "1");
    let (database, connections) = source();
    let ids: Vec<String> = (0..6)
        .map(|n| postgres_tenant(&house, &format!("pg{n}"), &database, r#"{"min":0,"max":1}"#))
        .collect();
    let manager = house.manager();
    for id in &ids {
        let client = manager.client(id, Role::Service).await.unwrap();
        drop(client.postgres().unwrap().acquire().await.unwrap());
        drop(client);
        assert!(connections() <= 2, "one that serves, and at most one that the server has not yet let go");
    }
    manager.shutdown().await;
    until("all are closed", async || connections() == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_to_supabase_show_the_key_of_the_role() {
    let house = House::of(World::postgres());
    let database = supabase_database(cluster(), "managed_rest");
    let rest = PostgRest::start(cluster(), &database);
    let gateway = Gateway::start(Some(rest.port()));
    let id = house.add(
        TenantRow::new("rest")
            .data_source(&gateway.base_url(), &seal(&anon_key()), &seal(&service_key()))
            .tenant_id_in_data_source(TENANT_A),
    );
    let manager = house.manager();
    for (role, key) in [(Role::Service, service_key()), (Role::Anon, anon_key())] {
        let client = manager.client(&id, role).await.unwrap();
        let filter = format!("eq.{}", client.tenant_id_in_data_source());
        let request = client.supabase().unwrap().table(Method::GET, "accounts");
        let response = request.query(&[("select", "id"), ("tenant_id", &filter)]).send().await.unwrap();
        assert_eq!(response.status(), 200);
        let seen = gateway.requests();
        assert_eq!(seen.last().unwrap().header("apikey"), Some(key.as_str()));
        let shown = format!("{client:?} {:?}", client.supabase().unwrap().table(Method::GET, "accounts"));
        assert!(!shown.contains(&key), "{shown}");
    }
    let report = manager.test_connection(&id).await.unwrap();
    assert!(report.success, "{report:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_that_need_the_keys_get_them_and_nobody_sees_them() {
    let house = House::of(World::postgres());
    let (database, _) = source();
    let id = postgres_tenant(&house, "pg", &database, r#"{"min":2,"max":4000}"#);
    let manager = house.manager();
    let config = manager.connection_config(&id).await.unwrap();
    assert_eq!(config.service_key.as_ref().unwrap().expose(), "unused");
    assert_eq!((config.pool.min, config.pool.max), (2, 100));
    assert!(!format!("{config:?} {manager:?}").contains("unused"));
    let info = serde_json::to_value(manager.connection_info(&id).await.unwrap()).unwrap();
    assert_eq!((&info["kind"], &info["tenantIdInDataSource"]), (&"postgres".into(), &"mine".into()));
    let sealed = manager.encrypt_key("a new key");
    assert_ne!(sealed, manager.encrypt_key("a new key"));
}
