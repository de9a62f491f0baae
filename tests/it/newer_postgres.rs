//! Everything that is asked of PostgreSQL, once on each newer release than Debian's: the application database, tenants
//! that pass and that fail, `doctor` with all it can do. What row-level security, `--print-sql` and a rotation come to
//! there stands with those.

use serde_json::Value;

use crate::fixture::{KEY, codes, outcome, result, seal};
use crate::support::cli::Cli;
use crate::support::fleet::{ApplicationDatabase, TenantRow};
use crate::support::postgres::{PrivateCluster, Release};
use crate::support::scratch;

const HOUSE: &str = "
    create role keeper login password 'p@ss:w/rd' bypassrls in role scram_users; create role guest login in role tls_only;
    create role poor login; create role small login; alter role small set transaction_timeout = '200ms';
    create role passing login; create role app login;
    create table accounts (id bigint primary key, tenant_id uuid not null, name text);
    grant select on accounts to keeper, guest, passing; alter table accounts enable row level security;
    create policy tenant on accounts using (tenant_id = (nullif(current_setting('request.jwt.claims', true), '')::json ->> 'tenant_id')::uuid);
    create table slow_accounts (id bigint, tenant_id uuid); grant select on slow_accounts to small;
    create function slow() returns boolean language plpgsql as $$ begin perform pg_sleep(30); return true; end $$;
    alter table slow_accounts enable row level security; create policy slow on slow_accounts using (slow());
    insert into slow_accounts values (1, 'bbbbbbbb-0000-4000-8000-000000000002');";

/// What is shown of each tenant: service, anon, row-level security.
fn shown(document: &Value, tenant: &str) -> [String; 3] {
    let result = result(document, tenant);
    let text = |text: &str| text.to_owned();
    [
        text(outcome(result, "service")),
        text(outcome(result, "anon")),
        text(result["rls"]["state"].as_str().unwrap()),
    ]
}

#[test]
fn newer_releases_are_asked_and_answer_as_debians_does() {
    for (release, version) in [(Release::Sixteen, "PostgreSQL 16."), (Release::Eighteen, "PostgreSQL 18.")] {
        let cluster = PrivateCluster::of(release).started();
        let house = cluster.create_database("house");
        // It came with 17.
        let roles = if release == Release::Sixteen {
            HOUSE.replace("set transaction_timeout", "set statement_timeout")
        } else {
            HOUSE.to_owned()
        };
        cluster.psql(&house, &roles);
        let application = ApplicationDatabase::postgres_in(&cluster);
        application.execute(
            "alter table tenants owner to app; alter table audit_log owner to app;
             alter function audit_data_source_changes() owner to app; grant usage, create on schema public to app",
        );
        let at = |user: &str, database: &str, tail: &str| {
            format!("postgres://{user}@127.0.0.1:{}/{database}{tail}", cluster.port())
        };
        let add = |name: &str, anon: &str, service: &str| {
            let row = TenantRow::new(name);
            cluster.psql(
                &house,
                &format!("insert into accounts select 1 + count(*), '{}' from accounts", row.id),
            );
            application.insert(row.data_source(&at("keeper", &house, ""), &seal(anon), &seal(service)));
        };
        let full = at("keeper:p%40ss%3Aw%2Frd", &house, "?sslmode=require");
        add("passes", &at("guest", &house, "?sslmode=require"), &full);
        add("bare", &at("passing", &house, ""), "p@ss:w/rd");
        let folder = scratch::folder("newer");
        let state = format!("sqlite:{}/state.db", folder.path().display());
        let url = cluster.url_as("app", application.database());
        let cli = |args: &[&str]| {
            let cli = Cli::new(args.iter().copied()).env("DATABASE_URL", &url).env("ENCRYPTION_KEY", KEY);
            cli.env("BOOTHDS_STATE_URL", &state)
        };

        // All is well: also the cache, once it was filled, a change that is tried, and nothing is there to be mended.
        cli(&["test-connection", "--all"]).run().expect_code(0);
        let doctor = cli(&["doctor", "--all-tenants", "--rehearse", "--json"]);
        let document = doctor.run().expect_code(0).json();
        let checks = document["checks"].as_array().unwrap();
        let is_well = |check: &Value| check["status"] == "ok" || check["code"] == "rls.claims-settable";
        assert!(checks.iter().all(is_well), "{document:#}");
        let of = |code: &str| checks.iter().find(|check| check["code"] == code).unwrap();
        assert!(of("database.reachable")["message"].as_str().unwrap().contains(version), "{document:#}");
        assert_eq!(of("source.rls")["message"], "row-level security is enforced in 2 data sources");
        let said = cli(&["doctor", "--print-sql"]).run().expect_code(0).stdout;
        assert!(said.ends_with("-- There is nothing to mend.\n"), "{said}");
        let known = cli(&["tenants", "--json"]).run().expect_code(0).json();
        assert_eq!(known["tenants"].as_array().unwrap().len(), 2, "{known}");

        add("wrong", &at("passing", &house, ""), "wrong");
        add("role", &at("no_such_role", &house, ""), &full);
        add("database", &at("passing", "no_such_database", ""), &full.replace(&house, "no_such_database"));
        add("clear", &at("guest", &house, "?sslmode=disable"), &full);
        add("poor", &at("passing", &house, ""), &at("poor", &house, ""));
        let document =
            cli(&["test-connection", "--all", "--json", "--fail-on", "never"]).run().expect_code(0).json();
        for (tenant, expected) in [
            ("passes", ["ok", "ok", "enforced"]),
            ("bare", ["ok", "ok", "enforced"]),
            ("wrong", ["password", "ok", "unknown"]),
            ("role", ["ok", "role", "unknown"]),
            ("database", ["no-database", "no-database", "unknown"]),
            ("clear", ["ok", "login-refused", "unknown"]),
            ("poor", ["grant", "ok", "enforced"]),
        ] {
            assert_eq!(
                shown(&document, tenant),
                expected,
                "{release:?} {tenant}: {}",
                result(&document, tenant)
            );
        }
        assert_eq!(codes(result(&document, "passes")), ["rls.claims-settable"]);

        // The server ends what takes the login too long, and with 18 its connection too: nothing is then known by sight.
        cluster.psql(&house, "drop table accounts; alter table slow_accounts rename to accounts; grant select on accounts to keeper");
        application.execute("delete from tenants where subdomain <> 'bare'");
        application.execute(&format!(
            "update tenants set data_source_anon_key = '{}'",
            seal(&at("small", &house, ""))
        ));
        let document =
            cli(&["test-connection", "--all", "--json", "--timeout", "4s"]).run().expect_code(0).json();
        assert_eq!(shown(&document, "bare"), ["ok", "ok", "unknown"], "{}", result(&document, "bare"));
    }
}
