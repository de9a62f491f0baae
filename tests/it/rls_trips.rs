//! How often a test of row-level security waits for a PostgreSQL server, and whom the two logins of a tenant speak for:
//! the catalogue is asked once for both, unless the anon login is not what its name says.

use crate::fixture::{World, codes, result, seal};
use crate::rls_postgres::{A, E, HOUSE, X, cluster};
use crate::support::fleet::TenantRow;
use crate::support::network::TripCounter;
use crate::support::pgbouncer::PgBouncer;
use crate::support::postgres::PrivateCluster;

const TENANT: &str = "alter table accounts enable row level security;
    create policy tenant on accounts using (tenant_id = (auth.jwt() ->> 'tenant_id')::uuid);";

/// A database with the house of the truth table, and more.
fn database(cluster: &PrivateCluster, sql: &str) -> String {
    let database = cluster.create_database("trips");
    cluster.psql(&database, &format!("{HOUSE}{TENANT}{sql}"));
    database
}

/// What one tenant's test says, reached through this port.
fn test(port: u16, database: &str, login: &str, id: &str, args: &[&str]) -> serde_json::Value {
    let world = World::postgres();
    let url = |user: &str| format!("postgres://{user}@127.0.0.1:{port}/{database}?sslmode=disable");
    let row = TenantRow::new("tenant").data_source(&url("postgres"), &seal(&url(login)), &seal("x"));
    world.database.insert(row.tenant_id_in_data_source(id));
    result(&world.test_all(args), "tenant").clone()
}

/// The round trips of the connections of such a test.
fn trips(cluster: &PrivateCluster, database: &str, login: &str, id: &str, args: &[&str]) -> Vec<usize> {
    let counter = TripCounter::start(cluster.port());
    let result = test(counter.port(), database, login, id, args);
    assert!(
        result["success"] == true && !result["rls"]["detail"].as_str().unwrap().contains("asked"),
        "{result}"
    );
    counter.trips_of(result["roles"].as_object().unwrap().len())
}

#[test]
fn row_level_security_adds_at_most_two_round_trips_and_mostly_one() {
    let cluster = cluster();
    let usual = database(&cluster, "");
    // The login and the plain question.
    assert_eq!(trips(&cluster, &usual, "visitor", A, &["--rls", "off"]), [2, 2]);
    assert_eq!(trips(&cluster, &usual, "visitor", A, &[]), [3, 3]);
    assert_eq!(trips(&cluster, &usual, "visitor", A, &["--role", "service"]), [3]);
    assert_eq!(trips(&cluster, &usual, "visitor", A, &["--role", "anon"]), [3]);
    // A computed column, and the text of a function with its owner's rights that has no row of the table.
    let functions = "create function label(accounts) returns text language sql stable as 'select $1.name';
        create function now_then() returns text language sql security definer as $$ select 'x' $$;";
    assert_eq!(trips(&cluster, &database(&cluster, functions), "visitor", A, &[]), [3, 3]);
    let at_most_two = |sql: &str, login: &str, id: &str, args: &[&str]| {
        let database = database(&cluster, sql);
        let trips = trips(&cluster, &database, login, id, args);
        assert!(trips.iter().all(|trips| *trips <= 4), "{trips:?} with {sql} {login} {id} {args:?}");
    };
    let raises = "create policy p on accounts using (tenant_id = current_setting('app.tenant')::uuid);";
    let view = "create view v as select * from accounts; grant select on v to anon, visitor;";
    let elsewhere = "create schema elsewhere; create table elsewhere.accounts (like accounts);
        create role astray login; alter role astray set search_path = elsewhere; grant usage on schema elsewhere to astray;
        grant select on elsewhere.accounts to astray";
    at_most_two(raises, "visitor", A, &[]);
    at_most_two(raises, "visitor", A, &["--role", "anon"]);
    at_most_two(&format!("{raises}{view}"), "visitor", A, &[]);
    at_most_two(view, "visitor", A, &[]);
    at_most_two(view, "visitor", A, &["--rls", "all"]);
    at_most_two(elsewhere, "astray", A, &[]);
    at_most_two("", "switcher", "cccccccc-0000-4000-8000-000000000003", &[]);
    at_most_two("", "god", A, &["--rls", "all"]);
    at_most_two("create table base (tenant_id uuid); alter table accounts inherit base;", "visitor", A, &[]);
    at_most_two(
        "create table box (n int); create rule r as on insert to box do instead select * from accounts;
         grant insert on box to anon;",
        "visitor",
        A,
        &[],
    );
    at_most_two(
        "create function every() returns setof accounts language sql stable security definer as 'select * from accounts';",
        "visitor",
        A,
        &[],
    );
    at_most_two(
        "alter table accounts alter tenant_id drop not null; create table child () inherits (accounts);",
        "visitor",
        A,
        &[],
    );
}

#[test]
fn an_anon_login_is_judged_as_what_it_is_and_not_by_its_name() {
    let cluster = cluster();
    cluster.psql(
        "postgres",
        "create role chameleon login noinherit in role hole; alter role chameleon set role = 'hole';
         create role astray login; alter role astray set search_path = elsewhere;
         create role lax login in role leaky; create role pooled login",
    );
    let wide = "create policy wide on accounts to hole using (true);";
    let elsewhere = "create schema elsewhere; create table elsewhere.accounts (id bigint, tenant_id uuid);
        insert into elsewhere.accounts values (1, 'bbbbbbbb-0000-4000-8000-000000000002');
        grant usage on schema elsewhere to astray; grant select on elsewhere.accounts to astray;";
    let cases = [
        ("", "visitor", E, &["rls.claims-settable"][..]),
        // Logged in as one role and at work as another.
        (wide, "chameleon", X, &["rls.always-true", "rls.foreign-visible"]),
        // The same name is another table to it.
        (elsewhere, "astray", X, &["rls.off", "rls.foreign-visible"]),
        (
            "create policy wide on accounts to leaky using (true);",
            "lax",
            X,
            &["rls.always-true", "rls.foreign-visible"],
        ),
    ];
    for (sql, login, state, expected) in cases {
        let database = database(&cluster, sql);
        let result = test(cluster.port(), &database, login, A, &["--fail-on", "never"]);
        let found = codes(&result);
        assert_eq!(result["rls"]["anon"], state, "{login}: {result}");
        assert!(expected.iter().all(|code| found.contains(code)), "{login}: {result}");
    }
    // Behind a pooler in transaction mode each question may come from another connection to the server.
    let database = database(&cluster, "grant select on accounts to pooled");
    let bouncer = PgBouncer::start(&cluster, &database);
    for (port, state) in [(cluster.port(), E), (bouncer.port(), E)] {
        let result = test(port, &database, "pooled", A, &[]);
        assert_eq!(
            (&result["rls"]["anon"], &result["rls"]["state"]),
            (&state.into(), &state.into()),
            "{result}"
        );
    }
}
