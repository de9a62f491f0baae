//! The application database: how it is reached, and how it refuses.

use crate::fixture::{KEY, World, result};
use crate::support::cli::Cli;
use crate::support::fleet::{ApplicationDatabase, TenantRow};
use crate::support::network::{black_hole, refused_port};
use crate::support::pgbouncer::PgBouncer;
use crate::support::postgres::cluster;

fn tenants(url: &str) -> Cli {
    Cli::new(["tenants", "--json"]).env("DATABASE_URL", url)
}

#[test]
fn it_is_reached_directly_by_socket_with_tls_and_scram_and_through_a_pooler() {
    let database = ApplicationDatabase::postgres();
    database.insert(TenantRow::new("acme"));
    let name = database.database();
    cluster().psql(
        "postgres",
        "do $$ begin create role app_scram login password 'pw' in role scram_users; exception when duplicate_object then end $$;",
    );
    cluster().psql(name, "grant select on tenants to app_scram");
    let port = cluster().port();
    let bouncer = PgBouncer::start(cluster(), name);
    let socket = cluster().socket_dir().display().to_string();
    for url in [
        cluster().url(name),
        format!("postgres://app_scram:pw@localhost:{port}/{name}?sslmode=require"),
        format!(
            "postgres://app_scram:pw@127.0.0.1:{port}/{name}?sslmode=verify-full&sslrootcert={}",
            cluster().ca_file().display()
        ),
        format!("postgres://postgres@localhost:{port}/{name}?host={socket}"),
        bouncer.url(name),
    ] {
        let ran = tenants(&url).run().expect_code(0);
        let document = ran.json();
        assert_eq!(document["tenants"][0]["subdomain"], "acme", "{url}");
        let address = document["applicationDatabase"].as_str().unwrap();
        assert!(address.ends_with(&format!("/{name}")) || address.contains("?host="), "{address}");
        assert!(!ran.stdout.contains("app_scram") && !ran.stdout.contains("pw@"));
    }
    // The operator's own environment counts here.
    tenants(&format!("postgres://app_scram@localhost:{port}/{name}"))
        .env("PGPASSWORD", "pw")
        .run()
        .expect_code(0);
}

#[test]
fn a_fleet_is_tested_through_a_pooler_in_transaction_mode() {
    let world = World::postgres();
    for number in 0..1500 {
        world.database.insert(TenantRow::new(&format!("t{number:04}")));
    }
    let bouncer = PgBouncer::start(cluster(), world.database.database());
    let ran = Cli::new(["test-connection", "--all", "--json"])
        .env("DATABASE_URL", bouncer.url(world.database.database()))
        .env("ENCRYPTION_KEY", KEY)
        .run()
        .expect_code(0);
    assert_eq!(ran.json()["summary"]["skipped"], 1500);
}

#[test]
fn every_refusal_is_exit_5_and_names_the_place_but_no_secret() {
    let hole = black_hole();
    let port = cluster().port();
    cluster().psql(
        "postgres",
        "do $$ begin create role app_refused login password 'pw' in role scram_users; exception when duplicate_object then end $$;",
    );
    let empty = cluster().create_database("empty");
    for (url, says) in [
        (format!("postgres://u:hunter2hunter2@127.0.0.1:{}/app", refused_port()), "refused"),
        (format!("postgres://u:hunter2hunter2@127.0.0.1:{}/app", hole.port()), "time limit"),
        (format!("postgres://app_refused:hunter2hunter2@127.0.0.1:{port}/postgres"), "password is wrong"),
        (
            format!("postgres://postgres:hunter2hunter2@127.0.0.1:{port}/no_such_db"),
            "database does not exist",
        ),
        ("postgres://u:hunter2hunter2@no-such-host.invalid/app".to_owned(), "no-such-host.invalid"),
        (format!("postgres://postgres:hunter2hunter2@127.0.0.1:{port}/{empty}"), "has no table `tenants`"),
        ("sqlite:/no/such/app.db".to_owned(), "does not exist"),
    ] {
        let ran = tenants(&url).run().expect_code(5);
        assert!(ran.stderr.contains(says), "{url}: {}", ran.stderr);
        assert!(!ran.stderr.contains("hunter2") && ran.stdout.is_empty(), "{}", ran.stderr);
        let error: serde_json::Value = serde_json::from_str(&ran.stderr).unwrap();
        assert_eq!(error["error"]["code"], "unavailable");
        assert!(
            error["error"]["hint"].as_str().unwrap().contains("DATABASE_URL") || says.contains("cannot"),
            "{error}"
        );
    }
}

#[test]
fn a_missing_column_comes_with_the_statement_that_adds_it_and_it_works() {
    let database = ApplicationDatabase::postgres();
    database.insert(TenantRow::new("acme"));
    database
        .execute("alter table tenants drop column data_source_region, drop column tenant_id_in_data_source");
    let ran = tenants(&database.url()).run().expect_code(5);
    let error: serde_json::Value = serde_json::from_str(&ran.stderr).unwrap();
    let hint = error["error"]["hint"].as_str().unwrap();
    database.execute(hint.split_once(": ").unwrap().1);
    tenants(&database.url()).run().expect_code(0);
    // What may be missing is not asked for.
    database.execute(
        "alter table tenants drop column plan, drop column settings, drop column data_source_notes, \
         drop column created_at, drop column updated_at",
    );
    tenants(&database.url()).run().expect_code(0);
}

#[test]
fn a_server_that_dies_in_the_middle_leaves_what_was_tested() {
    let private = crate::support::postgres::PrivateCluster::new().started();
    let database = ApplicationDatabase::postgres_in(&private);
    let world_rows: Vec<TenantRow> =
        (0..3000).map(|number| TenantRow::new(&format!("t{number:04}"))).collect();
    database.insert_all(&world_rows);
    let gateway = crate::support::gateway::Gateway::start(None);
    gateway.set(crate::support::gateway::Mode::Slow(std::time::Duration::from_millis(300)));
    for number in 0..40 {
        let key = crate::fixture::seal(crate::support::gateway::SECRET_KEY);
        database.execute(&format!(
            "update tenants set data_source_url = '{}', data_source_anon_key = '{key}', data_source_service_key = '{key}' \
             where subdomain = 't{number:04}'",
            gateway.base_url()
        ));
    }
    let running = Cli::new(["test-connection", "--all", "--json", "--concurrency", "1", "--role", "service"])
        .env("DATABASE_URL", database.url())
        .env("ENCRYPTION_KEY", KEY)
        .spawn();
    while gateway.requests().len() < 2 {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    private.kill9();
    gateway.set(crate::support::gateway::Mode::Forward);
    let ran = running.wait().expect_code(5);
    let document = ran.json();
    assert_eq!(document["complete"], false);
    assert_eq!(document["summary"]["passed"], 40);
    assert!(ran.stderr.contains("unavailable"), "{}", ran.stderr);
    assert_eq!(result(&document, "t0000")["success"], true);
}
