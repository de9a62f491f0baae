//! Tenants on PostgreSQL, direct and through PgBouncer: what passes, and every way to fail.

use std::time::{Duration, Instant};

use sqlx::Connection;

use crate::fixture::{World, codes, outcome, result, seal};
use crate::support::fleet::TenantRow;
use crate::support::network::{black_hole, closing_server, garbage_server, refused_port, silent_server};
use crate::support::pgbouncer::PgBouncer;
use crate::support::postgres::{PrivateCluster, cluster};

const ACCOUNTS: &str = "create table accounts (id bigint primary key, tenant_id uuid not null, name text);
    grant select on accounts to public;";

/// A tenant's database with the table that is asked.
fn source() -> String {
    let name = cluster().create_database("source");
    cluster().psql(&name, ACCOUNTS);
    name
}

/// A role of the shared server, made once.
fn role(name: &str, options: &str) {
    let make = format!(
        "do $$ begin create role {name} login {options}; exception when duplicate_object then end $$;"
    );
    cluster().psql("postgres", &make);
}

#[test]
fn a_tenant_passes_with_a_sealed_url_and_with_a_bare_password() {
    let world = World::postgres();
    let database = source();
    role("tenant_pass", "password 'p@ss:w/rd' in role scram_users");
    let url = format!("postgres://tenant_pass@127.0.0.1:{}/{database}", cluster().port());
    let full = format!("postgres://tenant_pass:p%40ss%3Aw%2Frd@127.0.0.1:{}/{database}", cluster().port());
    world.add("bare", &url, &full, "p@ss:w/rd");
    world.add("full", &url, "p@ss:w/rd", &full);
    let document = world.test_all(&["--fail-on", "never", "--rls", "off"]);
    for tenant in ["bare", "full"] {
        let result = result(&document, tenant);
        assert_eq!((outcome(result, "service"), outcome(result, "anon")), ("ok", "ok"), "{result}");
        assert_eq!(result["diagnostics"]["canQuery"], true);
        assert_eq!(codes(result), ["key.same-user"]);
        assert_eq!(
            result["dataSource"]["endpoint"],
            format!("postgres://127.0.0.1:{}/{database}", cluster().port())
        );
        assert_eq!(result["rls"]["state"], "untested");
        assert_eq!(result["diagnostics"]["rlsEnabled"], false);
    }
}

#[test]
fn every_failure_of_a_server_has_its_class_and_harms_no_other_tenant() {
    let world = World::postgres();
    let database = source();
    let port = cluster().port();
    role("tenant_scram", "password 'right' in role scram_users");
    role("tenant_tls_only", "in role tls_only");
    role("tenant_nossl_only", "in role nossl_only");
    role("tenant_ungranted", "");
    let bare = cluster().create_database("bare");
    let odd = cluster().create_database("odd");
    cluster().psql(&odd, "create table accounts (id bigint)");
    let locked = cluster().create_database("locked");
    cluster().psql(
        &locked,
        "create table accounts (id bigint, tenant_id uuid); revoke all on accounts from public",
    );
    let bouncer = PgBouncer::start(cluster(), &database);
    let (hole, silent, closing) = (black_hole(), silent_server(), closing_server());
    let garbage = garbage_server("HTTP/1.1 400 Bad Request\r\n\r\n");
    let at = |port: u16, user: &str, database: &str, tail: &str| {
        format!("postgres://{user}@127.0.0.1:{port}/{database}{tail}")
    };

    let cases = [
        ("passes", at(port, "postgres", &database, ""), "ok", "ok"),
        ("pooler", at(bouncer.port(), "postgres", &database, ""), "ok", "ok"),
        ("wrong-password", at(port, "tenant_scram", &database, ""), "password", "password"),
        ("no-database", at(port, "postgres", "no_such_database", ""), "no-database", "no-database"),
        ("no-role", at(port, "no_such_role", &database, ""), "role", "role"),
        ("no-table", at(port, "postgres", &bare, ""), "table", "ok"),
        ("no-column", at(port, "postgres", &odd, ""), "column", "ok"),
        ("no-grant", at(port, "tenant_ungranted", &locked, ""), "grant", "ok"),
        (
            "tls-demanded",
            at(port, "tenant_tls_only", &database, "?sslmode=disable"),
            "login-refused",
            "login-refused",
        ),
        (
            "tls-forbidden",
            at(port, "tenant_nossl_only", &database, "?sslmode=require"),
            "login-refused",
            "login-refused",
        ),
        ("tls-not-offered", at(bouncer.port(), "postgres", &database, "?sslmode=require"), "tls", "tls"),
        (
            "unknown-authority",
            at(port, "postgres", &database, "?sslmode=verify-full"),
            "certificate",
            "certificate",
        ),
        ("pooler-no-database", at(bouncer.port(), "postgres", "nope", ""), "no-database", "no-database"),
        ("pooler-no-user", at(bouncer.port(), "nobody_at_all", &database, ""), "pooler-user", "pooler-user"),
        ("refused", at(refused_port(), "postgres", &database, ""), "refused", "refused"),
        ("black-hole", at(hole.port(), "postgres", &database, ""), "timeout", "timeout"),
        ("silent", at(silent.port(), "postgres", &database, ""), "timeout", "timeout"),
        ("closing", at(closing.port(), "postgres", &database, ""), "closed", "closed"),
        ("not-postgres", at(garbage.port(), "postgres", &database, ""), "not-postgres", "not-postgres"),
        ("no-name", "postgres://u@no-such-host.invalid/db".to_owned(), "dns", "dns"),
    ];
    for (tenant, url, _, _) in &cases {
        world.add(tenant, url, "hunter2hunter2", "hunter2hunter2");
    }
    let start = Instant::now();
    let document = world.test_all(&["--timeout", "2s", "--retries", "0"]);
    assert!(start.elapsed() < Duration::from_secs(20), "the dead ones delayed the others");
    for (tenant, _, service, anon) in &cases {
        let result = result(&document, tenant);
        let class = match (*tenant, outcome(result, "service")) {
            // Where no name server answers at all, nothing is known of the name.
            ("no-name", "dns-unavailable") => "dns",
            // PgBouncer says it in either way, by whether it has asked the server for the database before.
            ("pooler-no-database", "login-refused") => "no-database",
            (_, class) => class,
        };
        assert_eq!((class, *tenant), (*service, *tenant), "{result}");
        if !["no-name", "pooler-no-database"].contains(tenant) {
            assert_eq!(outcome(result, "anon"), *anon, "{result}");
        }
        assert_eq!(result["success"], *service == "ok" && *anon == "ok");
    }
    assert_eq!(document["summary"]["passed"], 2);
    let connected = |tenant| result(&document, tenant)["diagnostics"]["canConnect"].as_bool().unwrap();
    assert!(
        connected("no-table")
            && connected("no-grant")
            && !connected("wrong-password")
            && !connected("silent")
    );
    assert!(!document.to_string().contains("hunter2"));
}

#[test]
fn a_certificate_of_a_named_authority_is_accepted_for_its_host() {
    let world = World::postgres();
    let database = source();
    let url = |host: &str| {
        format!("postgres://postgres@{host}:{}/{database}?sslmode=verify-full", cluster().port())
    };
    world.add("named", &url("localhost"), "x", "x");
    world.add("by-address", &url("127.0.0.1"), "x", "x");
    let ran = world
        .cli(["test-connection", "--all", "--json", "--fail-on", "never"])
        .env("SSL_CERT_FILE", cluster().ca_file())
        .run();
    assert_eq!(outcome(result(&ran.json(), "named"), "service"), "ok", "{}", ran.stdout);
    assert_eq!(outcome(result(&ran.json(), "by-address"), "service"), "ok", "{}", ran.stdout);
}

#[test]
fn a_wrong_value_for_the_tenant_column_is_told_from_a_wrong_column() {
    let world = World::postgres();
    let url = cluster().url(&source());
    let row = TenantRow::new("odd-id")
        .data_source(&url, &seal("x"), &seal("x"))
        .tenant_id_in_data_source("not-a-uuid'; --");
    world.database.insert(row);
    let document = world.test_all(&[]);
    let result = result(&document, "odd-id");
    assert_eq!((outcome(result, "service"), outcome(result, "anon")), ("tenant-id", "ok"));
}

#[test]
fn nothing_of_the_operators_environment_reaches_a_tenants_server() {
    let world = World::postgres();
    let database = source();
    role("tenant_env", "password 'operators-secret' in role scram_users");
    // Without a password in key or URL that would fit; PGPASSWORD and .pgpass have the right one.
    world.add(
        "tenant",
        &format!("postgres://tenant_env@127.0.0.1:{}/{database}", cluster().port()),
        "wrong",
        "wrong",
    );
    let cli = world
        .cli(["test-connection", "tenant", "--json"])
        .env("DATABASE_URL", format!("{}?sslmode=disable", world.database.url()))
        .env("PGPASSWORD", "operators-secret")
        .env("PGUSER", "postgres")
        .env("PGHOST", "127.0.0.1")
        .env("PGSSLMODE", "disable")
        .env("PGAPPNAME", "operators-app");
    std::fs::write(cli.home().join(".pgpass"), "*:*:*:*:operators-secret\n").unwrap();
    let document = cli.run().expect_code(1).json();
    assert_eq!(outcome(result(&document, "tenant"), "service"), "password");

    // What sqlx would send and cannot be told not to, stops the test instead.
    for (variable, value) in [("PGOPTIONS", "-c geqo=off"), ("PGSSLCERT", "/c.pem"), ("PGSSLKEY", "/k.pem")] {
        let document = cli.clone().env(variable, value).run().json();
        let result = result(&document, "tenant");
        assert_eq!(outcome(result, "service"), "environment");
        assert!(result["error"].as_str().unwrap().contains(variable), "{result}");
    }
}

#[test]
fn a_key_for_another_host_is_never_sent() {
    let world = World::postgres();
    let stranger = silent_server();
    let url = format!("postgres://postgres@localhost:{}/x", stranger.port());
    world.add("moved", &url, "x", &format!("postgres://postgres:hunter2@127.0.0.1:{}/x", stranger.port()));
    let document = world.test_all(&["--role", "service"]);
    assert_eq!(outcome(result(&document, "moved"), "service"), "key-other-host");
    assert_eq!(stranger.connections(), 0);
}

#[test]
fn a_full_server_is_asked_again_and_a_dead_one_is_named() {
    let full = PrivateCluster::new().with_setting("max_connections", "5").started();
    let database = full.create_database("full");
    full.psql(&database, ACCOUNTS);
    full.psql(&database, "create role guest login");
    let url = format!("postgres://guest@127.0.0.1:{}/{database}?sslmode=disable", full.port());
    let world = World::postgres();
    world.add("full", &url, "x", "x");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let held: Vec<_> = (0..5).map(|_| runtime.block_on(sqlx::PgConnection::connect(&url)).unwrap()).collect();

    let document = world.test_all(&["--retries", "0", "--role", "service"]);
    assert_eq!(outcome(result(&document, "full"), "service"), "too-many-connections", "{document}");
    // Asked again within the time limit, it passes as soon as there is room.
    let refusals = || full.log().matches("too many clients").count();
    let before = refusals();
    let running = world
        .cli(["test-connection", "full", "--json", "--retries", "10", "--timeout", "30s", "--rls", "off"])
        .spawn();
    while refusals() == before {
        std::thread::sleep(Duration::from_millis(10));
    }
    drop(held);
    let document = running.wait().expect_code(0).json();
    assert_eq!(outcome(result(&document, "full"), "service"), "ok", "{document}");
    full.kill9();
    let document = world.test_all(&["--retries", "0", "--role", "service"]);
    assert_eq!(outcome(result(&document, "full"), "service"), "refused", "{document}");
}

#[test]
fn one_test_is_one_connection_and_at_most_two_messages_more_for_row_level_security() {
    let private = PrivateCluster::new()
        .with_setting("log_statement", "all")
        .with_setting("log_connections", "on")
        .with_setting("log_disconnections", "on")
        .started();
    let database = private.create_database("one");
    private.psql(&database, ACCOUNTS);
    let world = World::postgres();
    world.add("one", &private.url(&database), "x", "x");
    for (scope, messages) in [("off", 1), ("table", 2), ("all", 3)] {
        let before = private.log().len();
        world.test_all(&["--role", "service", "--rls", scope]);
        let log = private.log()[before..].to_owned();
        assert_eq!(log.matches("connection authorized").count(), 1, "{log}");
        assert_eq!(log.matches("application_name=boothds").count(), 1, "{log}");
        assert_eq!(log.matches("statement:").count(), messages, "{log}");
        assert_eq!(log.matches("READ ONLY").count(), messages, "{log}");
        let ends = log.lines().filter(|line| line.ends_with("ROLLBACK")).count();
        assert_eq!(ends, messages - 1, "{log}");
        assert!(!log.contains("unexpected EOF") && !log.contains("WARNING"), "{log}");
    }
}
