//! The application database, each time broken in one way.

use std::time::Duration;

use boothds::clock::Clock;
use boothds::doctor::{Check, Installation, Options, Problem, Provenance, Scope, Sink, examine};
use boothds::settings::Settings;
use boothds::state::Location;
use jiff::Timestamp;

use super::patient::{Patient, checks, messages, of, wrong};
use crate::support::postgres::{PrivateCluster, cluster};
use crate::support::redis::RedisServer;

/// What breaks it; then code, status and message; the other codes that are wrong; the exit code.
type Case = (&'static str, &'static str, &'static str, &'static str, &'static [&'static str], i32);

const AUDIT: &str = "the trigger audit_data_source_changes (public.audit_data_source_changes)";

#[test]
fn what_is_broken_is_said_in_its_words_and_nothing_else_is() {
    let cases: &[Case] = &[
        (
            "alter table tenants drop column data_source_region",
            "tenants.columns",
            "error",
            "the table public.tenants lacks data_source_region",
            &[],
            1,
        ),
        (
            "alter table tenants drop column plan, drop column data_source_notes",
            "tenants.columns",
            "ok",
            "public.tenants has every column that is needed; it is without plan, data_source_notes, which nothing here needs",
            &[],
            0,
        ),
        (
            "drop table tenants",
            "tenants.columns",
            "error",
            "the application database postgres://HOST/DB has no table `tenants`",
            &[],
            1,
        ),
        (
            "alter table tenants alter connection_pool_config drop default, alter connection_pool_config type text",
            "tenants.types",
            "warning",
            "the column connection_pool_config is of type text, not jsonb",
            &[],
            0,
        ),
        (
            "alter table tenants drop constraint check_data_source_complete",
            "tenants.constraint",
            "warning",
            "no constraint keeps data sources complete",
            &[],
            0,
        ),
        (
            "alter table tenants drop constraint check_data_source_complete;
             insert into tenants (name, subdomain, data_source_anon_key) values ('h', 'half', 'x')",
            "tenants.constraint",
            "warning",
            "no constraint keeps data sources complete; incomplete: 1 row",
            &["error stored.unreadable", "warning stored.stray"],
            1,
        ),
        (
            "alter table tenants drop constraint tenants_subdomain_key",
            "tenants.subdomain",
            "warning",
            "there is no unique index over the subdomain alone",
            &[],
            0,
        ),
        (
            "alter table tenants drop constraint tenants_subdomain_key;
             insert into tenants (name, subdomain) values ('a', 'same'), ('b', 'same')",
            "tenants.subdomain",
            "warning",
            "there is no unique index over the subdomain; had by several tenants: 1 subdomain",
            &[],
            0,
        ),
        (
            "alter table tenants drop constraint tenants_pkey",
            "tenants.primary-key",
            "error",
            "the column `id` is no primary key, nor unique and never null",
            &[],
            1,
        ),
        ("alter role ROLE superuser", "database.role", "warning", "the role ROLE is a superuser", &[], 0),
        (
            "revoke select on tenants from ROLE; grant select (id) on tenants to ROLE",
            "database.select",
            "error",
            "ROLE may not read name, subdomain, status, data_source_url, data_source_anon_key, data_source_service_key, \
             data_source_region, connection_pool_config, tenant_id_in_data_source of tenants",
            &["error stored.sealed"],
            1,
        ),
        (
            "revoke update on tenants from ROLE",
            "database.update",
            "warning",
            "ROLE may not change data_source_anon_key, data_source_service_key of tenants",
            &[],
            0,
        ),
        (
            "alter table tenants enable row level security, force row level security",
            "database.rows",
            "error",
            "policies of tenants apply to ROLE, and may hide rows from it",
            &["warning cache.gone"],
            1,
        ),
        (
            "alter role ROLE set default_transaction_read_only = on",
            "database.read-only",
            "warning",
            "postgres://HOST/DB takes no changes: default_transaction_read_only is on",
            &[],
            0,
        ),
        (
            "alter table audit_log drop column ip_address",
            "tenants.trigger",
            "error",
            "AUDIT: it inserts into public.audit_log.ip_address, which does not exist",
            &[],
            1,
        ),
        (
            "alter table audit_log add constraint c check (action in ('created', 'deleted'))",
            "tenants.trigger",
            "error",
            "AUDIT: it inserts 'data_source_updated' into public.audit_log.action, which the check c does not allow",
            &[],
            1,
        ),
    ];
    for (breaks, code, status, message, others, exit) in cases {
        let patient = Patient::postgres();
        patient.database.execute(&breaks.replace("ROLE", &patient.role));
        let found = patient.checks(&[], *exit);
        let said: Vec<String> =
            messages(&found, code, status).iter().map(|text| patient.plain(text)).collect();
        assert_eq!(said, [message.replace("AUDIT", AUDIT)], "{breaks}: {:#?}", of(&found, code));
        let mut expected: Vec<String> = others.iter().map(|other| (*other).to_owned()).collect();
        if *status != "ok" {
            expected.push(format!("{status} {code}"));
        }
        let mut wrong = wrong(&found);
        wrong.sort();
        expected.sort();
        assert_eq!(wrong, expected, "{breaks}");
    }
}

#[test]
fn a_trigger_that_cannot_be_read_is_skipped_and_never_ok() {
    let patient = Patient::postgres();
    patient.database.execute(
        "create or replace function audit_data_source_changes() returns trigger language plpgsql as $$
         begin execute 'select ' || 1; return new; end $$",
    );
    let found = patient.checks(&[], 0);
    assert_eq!(
        messages(&found, "tenants.trigger", "skipped"),
        [
            "the trigger audit_data_source_changes can only be tried: it runs statements that it puts together itself"
        ]
    );
    assert!(of(&found, "tenants.trigger")[0]["hint"].as_str().unwrap().contains("--rehearse"));
}

#[test]
fn an_unencrypted_connection_to_a_name_of_another_machine_is_told() {
    let patient = Patient::postgres();
    // A loopback address in a spelling that says nothing of it.
    let url = patient.url.replace("127.0.0.1", "127.1");
    let found = checks(&patient.doctor(&[]).env("DATABASE_URL", format!("{url}?sslmode=disable")), 0);
    assert_eq!(messages(&found, "database.tls", "warning").len(), 1);
}

#[test]
fn a_dead_or_silent_database_leaves_the_other_checks_alone() {
    let patient = Patient::sqlite();
    let closed = crate::support::process::free_port();
    let found =
        checks(&patient.doctor(&[]).env("DATABASE_URL", format!("postgres://u@127.0.0.1:{closed}/d")), 1);
    assert_eq!(wrong(&found), ["error database.reachable"]);
    let said = messages(&found, "database.reachable", "error");
    assert!(said[0].contains("the connection was refused"), "{said:?}");
    assert_eq!(
        messages(&found, "stored.sealed", "skipped"),
        ["the tenants cannot be read: see database.reachable"]
    );
    assert_eq!(messages(&found, "state.writable", "ok").len(), 1);

    let killed = PrivateCluster::new().started();
    let url = killed.url("postgres");
    let found = checks(&patient.doctor(&[]).env("DATABASE_URL", &url), 1);
    assert_eq!(wrong(&found), ["warning database.role", "error tenants.columns"]);
    killed.kill9();
    let found = checks(&patient.doctor(&[]).env("DATABASE_URL", &url), 1);
    assert_eq!(wrong(&found), ["error database.reachable"]);
}

#[test]
fn a_rehearsal_finds_what_raises_and_leaves_no_trace() {
    let audit = |columns: &str, values: &str| {
        format!(
            "create or replace function audit_data_source_changes() returns trigger language plpgsql as $$
             begin insert into audit_log (tenant_id, action{columns}) values (new.id, 'data_source_updated'{values});
             return new; end $$;"
        )
    };
    let missing = format!("{} alter table audit_log drop column ip_address", audit(", ip_address", ", null"));
    let typed = audit(", ip_address", ", current_setting('app.client_ip', true)");
    let checked = "alter table audit_log add constraint c check (action = 'created')".to_owned();
    let setting = include_str!("../support/fleet_broken_trigger.sql").to_owned();
    let raising =
        "create or replace function audit_data_source_changes() returns trigger language plpgsql as $$
                   begin raise exception 'frozen'; end $$"
            .to_owned();
    for (breaks, says, hint) in [
        (missing, "SQLSTATE 42703", "add the missing column (audit_log.ip_address)"),
        (typed, "SQLSTATE 42804", "cast the value for ip_address"),
        (checked, "SQLSTATE 23514", "ALTER TABLE audit_log DROP CONSTRAINT c"),
        (setting, "SQLSTATE 42704", "NULLIF(current_setting('app.current_user_id', true), '')::uuid"),
        (raising, "frozen", "mend audit_data_source_changes()"),
    ] {
        let patient = Patient::postgres();
        patient.database.execute(&breaks);
        let before = patient.database.execute("select xmin, * from tenants order by id");
        let found = patient.checks(&["--rehearse"], 1);
        let [check] = of(&found, "tenants.rehearsal")[..] else { panic!("{found:#?}") };
        assert_eq!(check["status"], "error", "{breaks}");
        assert!(check["message"].as_str().unwrap().contains(says), "{check}");
        assert!(check["hint"].as_str().unwrap().contains(hint), "{check}");
        // Its text says so too, but for the one that raises by itself.
        let read = of(&found, "tenants.trigger");
        let expected = if says == "frozen" { "skipped" } else { "error" };
        assert!(read.iter().all(|check| check["status"] == expected), "{read:#?}");
        assert_eq!(patient.database.execute("select xmin, * from tenants order by id"), before);
        assert_eq!(patient.database.execute("select count(*) from audit_log"), "0");
    }
}

#[test]
fn a_rehearsal_waits_a_second_for_a_lock_and_is_then_skipped() {
    let patient = Patient::postgres();
    let (socket, port) = (cluster().socket_dir(), cluster().port());
    let database = patient.database.database().to_owned();
    let locked = std::thread::spawn(move || {
        let sql = "begin; select id from tenants for update; select pg_sleep(5); rollback;";
        crate::support::postgres::psql(&socket, port, &database, sql).unwrap();
    });
    while patient.database.execute(
        "select count(*) from pg_locks where relation = 'tenants'::regclass and mode = 'RowShareLock'",
    ) == "0"
    {
        std::thread::sleep(Duration::from_millis(10));
    }
    let found = patient.checks(&["--rehearse"], 0);
    let said = messages(&found, "tenants.rehearsal", "skipped");
    assert_eq!(said.len(), 1, "{found:#?}");
    assert!(
        said[0]
            .starts_with("no change could be tried within a second: a row of `tenants` stayed locked: pid"),
        "{said:?}"
    );
    locked.join().unwrap();
    let found = patient.checks(&["--rehearse"], 0);
    assert_eq!(
        messages(&found, "tenants.rehearsal", "ok").iter().map(|text| text.len() > 40).collect::<Vec<_>>(),
        [true]
    );
}

/// The checks of an installation whose clock says that it is 2001.
fn in_2001(database_url: &str, state_url: &str) -> Vec<Check> {
    let settings =
        Settings::from_vars([("DATABASE_URL", database_url), ("BOOTHDS_STATE_URL", state_url)]).unwrap();
    let installation = Installation {
        location: Location::from_settings(&settings)
            .map_err(|error| Problem { message: error.to_string(), hint: None }),
        settings,
        provenance: Provenance::default(),
        ring: Err(Problem { message: "none".to_owned(), hint: None }),
        namespace: Some("n".to_owned()),
        clock: Clock::Fixed(Timestamp::from_second(1_000_000_000).unwrap()),
    };
    let options = Options { scope: Scope::Offline, rehearse: false, expiring_within: Duration::ZERO };
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    let sink = Sink::new(sender, Vec::new());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(examine(&installation, &options, &sink));
    drop(sink);
    std::iter::from_fn(|| receiver.try_recv().ok()).collect()
}

#[test]
fn clocks_that_differ_are_told_with_the_direction() {
    let patient = Patient::postgres();
    let redis = RedisServer::start(&[]);
    let found = in_2001(&patient.url, &redis.url());
    for code in ["database.clock", "state.clock"] {
        let check = found.iter().find(|check| check.code.code() == code).unwrap();
        assert!(check.message.ends_with("seconds ahead of this machine's"), "{check:?}");
        assert_eq!(check.status, boothds::doctor::Status::Warning);
    }
}
