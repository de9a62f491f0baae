//! The data sources asked, and a run that is interrupted.

use std::time::Duration;

use super::patient::{Patient, checks, messages, of, wrong};
use crate::fixture::seal;
use crate::support::fleet::TenantRow;
use crate::support::gateway::{Gateway, PUBLISHABLE_KEY, SECRET_KEY};
use crate::support::network::{refused_port, silent_server};
use crate::support::postgres::cluster;
use crate::support::process::Signal;

#[test]
fn a_tenant_that_fails_is_a_check_of_its_own_and_the_sample_has_five() {
    let patient = Patient::sqlite();
    for number in 0..6 {
        let row = TenantRow::new(&format!("m{number}"));
        let url = format!("sqlite:/no/such/{number}.db");
        patient.database.insert(row.data_source(&url, &seal("a"), &seal("b")));
    }
    let found = checks(&patient.command("doctor").arg("--json"), 1);
    let failed = of(&found, "source.test").into_iter().filter(|check| check["status"] == "error");
    let failed: Vec<&str> = failed.map(|check| check["tenant"].as_str().unwrap()).collect();
    assert_eq!(failed.len(), 3, "acme, birch, m0, m1, m2");
    assert!(
        messages(&found, "source.test", "ok")[0].starts_with("2 data sources answer of 8 tenants"),
        "{found:#?}"
    );
    let cli = patient.command("doctor").arg("--json").arg("--all-tenants");
    let found = checks(&cli.arg("--ignore").arg("source.test@m3"), 1);
    let status =
        |status: &str| of(&found, "source.test").iter().filter(|check| check["status"] == status).count();
    assert_eq!((status("error"), status("ignored"), status("ok")), (5, 1, 1));
    assert_eq!(messages(&found, "source.test", "error")[0], "the SQLite file does not exist (file-missing)");
}

#[test]
fn row_level_security_that_is_not_shown_to_hold_is_never_ok() {
    let patient = Patient::postgres();
    let gateway = Gateway::start(None);
    let row =
        TenantRow::new("rest").data_source(&gateway.base_url(), &seal(PUBLISHABLE_KEY), &seal(SECRET_KEY));
    patient.database.insert(row);
    let found = checks(&patient.command("doctor").arg("--json").arg("--all-tenants"), 0);
    assert_eq!(wrong(&found), ["warning source.rls"]);
    assert_eq!(
        messages(&found, "source.rls", "warning"),
        ["row-level security is not shown to be enforced: rest (unknown)"]
    );
}

#[test]
fn tenants_on_postgresql_are_each_told_what_is_wrong_with_them_and_the_good_one_is_counted() {
    let patient = Patient::postgres();
    let name = patient.role.replace("doctor", "source");
    cluster().psql(
        "postgres",
        &format!(
            "create role {name}_service login bypassrls password 'right' in role scram_users;
             create role {name}_anon login password 'also right' in role scram_users"
        ),
    );
    let source = |policy: &str| {
        let database = cluster().create_database("source");
        let claims = "nullif(current_setting('request.jwt.claims', true), '')::json";
        cluster().psql(
            &database,
            &format!(
                "create table accounts (id bigint generated always as identity, tenant_id uuid not null);
                 grant select on accounts to {name}_service, {name}_anon; alter table accounts enable row level security;
                 create policy the_policy on accounts using ({});",
                policy.replace("CLAIM", &format!("({claims} ->> 'tenant_id')::uuid"))
            ),
        );
        database
    };
    let url = |side: &str, password: &str, port: u16, database: &str| {
        format!("postgres://{name}_{side}:{password}@127.0.0.1:{port}/{database}")
    };
    let add = |subdomain: &str, database: &str, password: &str, port: u16| {
        let row = TenantRow::new(subdomain);
        cluster().psql(
            database,
            &format!("insert into accounts (tenant_id) values ('{}'), (gen_random_uuid())", row.id),
        );
        patient.database.insert(row.data_source(
            &format!("postgres://{name}_service@127.0.0.1:{port}/{database}"),
            &seal(&url("anon", "also%20right", port, database)),
            &seal(&url("service", password, port, database)),
        ));
    };
    let live = cluster().port();
    let by_claim = "tenant_id = CLAIM";
    add("dead", &source(by_claim), "right", refused_port());
    add("exposed", &source("true"), "right", live);
    add("good", &source(by_claim), "right", live);
    add("locked-out", &source(by_claim), "wrong", live);
    let found = checks(&patient.command("doctor").arg("--json").arg("--all-tenants"), 1);
    let told: Vec<String> = found
        .iter()
        .filter(|check| check["status"] == "error" || check["status"] == "warning")
        .map(|check| {
            let message = check["message"].as_str().unwrap().replace(&name, "NAME");
            let tenant = check["tenant"].as_str().unwrap_or("-");
            format!("{tenant}: {} {message}", check["code"].as_str().unwrap())
        })
        .collect();
    assert_eq!(
        told,
        [
            "dead: source.test the connection was refused: Connection refused (os error 111) (refused)",
            "locked-out: source.test the password is wrong: password authentication failed for user \"NAME_service\" \
             (SQLSTATE 28P01) (password)",
            "-: source.rls row-level security is not shown to be enforced: exposed (exposed)",
            "exposed: rls.foreign-visible public.accounts, as `NAME_anon`: a row of another tenant is visible without any claim",
            "exposed: rls.always-true public.accounts, as `NAME_anon`: the policy `the_policy` lets everybody through",
            "good: rls.claims-settable the login `NAME_anon` can set the claims that the policies go by",
            "locked-out: rls.claims-settable the login `NAME_anon` can set the claims that the policies go by",
        ]
    );
    assert_eq!(messages(&found, "source.test", "ok"), ["4 data sources answer"]);
}

#[test]
fn a_signal_prints_what_was_looked_at_and_ends_with_its_code() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let patient = Patient::sqlite();
        let silent = silent_server();
        let url = format!("postgres://u@127.0.0.1:{}/x", silent.port());
        let mut running = patient.doctor(&[]).env("DATABASE_URL", url).spawn();
        while silent.connections() == 0 {
            std::thread::sleep(Duration::from_millis(5));
        }
        std::thread::sleep(Duration::from_millis(300));
        running.signal(signal);
        let document = running.wait().expect_code(code).json();
        assert_eq!(document["complete"], false, "{document}");
        let found = document["checks"].as_array().unwrap();
        assert_eq!(of(found, "encryption-key.set").len(), 1);
        assert_eq!(of(found, "database.reachable").len(), 0);
    }
}
