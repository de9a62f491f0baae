//! What only seems to hold: constraints, indexes and functions that are not what they look like, and keys where nobody
//! looks for them.

use super::patient::{Patient, checks, messages, of, wrong};
use crate::fixture::seal;
use crate::support::fleet::TenantRow;
use crate::support::postgres::{PrivateCluster, Release, cluster};

const PLAIN: &str = "sb_secret_plainPlainPlain_99887766";

/// Makes `acme` a tenant without a URL whose anon key is plaintext.
fn lose_the_url(patient: &Patient) {
    patient.database.execute(&if patient.role.is_empty() {
        format!(
            "pragma ignore_check_constraints = on;
             update tenants set data_source_url = null, data_source_anon_key = '{PLAIN}' where subdomain = 'acme'"
        )
    } else {
        format!(
            "alter table tenants drop constraint check_data_source_complete;
             update tenants set data_source_url = null, data_source_anon_key = '{PLAIN}' where subdomain = 'acme'"
        )
    });
}

#[test]
fn keys_of_a_tenant_without_a_url_are_looked_at_all_the_same() {
    for patient in [Patient::postgres(), Patient::sqlite()] {
        lose_the_url(&patient);
        let found = patient.checks(&[], 1);
        assert_eq!(
            messages(&found, "stored.stray", "warning"),
            ["keys are stored for tenants without a data_source_url: acme (anon), acme (service) (2 keys)"]
        );
        assert_eq!(
            messages(&found, "stored.plaintext", "error"),
            ["keys are stored as plaintext, which the application cannot open: acme (anon) (1 key)"]
        );
        assert_eq!(
            messages(&found, "stored.sealed", "ok"),
            ["4 stored keys of 2 tenants: 3 keys under key 4540361a"]
        );
        assert!(messages(&found, "tenants.constraint", "warning")[0].ends_with("incomplete: 1 row"));

        let listed = patient.command("tenants").arg("--json").run().expect_code(0).json();
        let acme =
            listed["tenants"].as_array().unwrap().iter().find(|one| one["subdomain"] == "acme").unwrap();
        assert_eq!(acme["keys"], serde_json::json!({"anon": "plaintext", "service": "sealed"}), "{acme}");
        assert_eq!(acme["dataSource"], serde_json::Value::Null);
        let known = patient.command("info").arg("acme").arg("--json").run().expect_code(0).json();
        let states =
            ["anon", "service"].map(|role| known["keys"][role]["state"].as_str().unwrap().to_owned());
        assert_eq!(states, ["plaintext", "sealed"], "{known}");
    }
}

#[test]
fn a_check_that_merely_names_the_columns_keeps_nothing_complete() {
    for check in [
        "length(data_source_url) < 2000 and length(data_source_anon_key) < 5000 and length(data_source_service_key) < 5000",
        "coalesce(data_source_url, data_source_anon_key, data_source_service_key, 'x') is not null",
    ] {
        let patient = Patient::postgres();
        patient.database.execute(&format!(
            "alter table tenants drop constraint check_data_source_complete;
             alter table tenants add constraint len check ({check});
             update tenants set data_source_service_key = null where subdomain = 'acme'"
        ));
        let found = patient.checks(&[], 1);
        assert_eq!(
            messages(&found, "tenants.constraint", "warning"),
            ["no constraint keeps data sources complete; len lets half of one in; incomplete: 1 row"]
        );
        let sql = patient.command("doctor").arg("--print-sql").run().expect_code(0).stdout;
        assert!(sql.contains("ADD CONSTRAINT check_data_source_complete CHECK"), "{sql}");
    }
}

#[test]
fn a_check_under_another_name_and_in_other_words_counts() {
    let patient = Patient::postgres();
    patient.database.execute(
        "alter table tenants drop constraint check_data_source_complete;
         alter table tenants add constraint whole check ((data_source_url is null) = (data_source_anon_key is null)
           and (data_source_anon_key is null) = (data_source_service_key is null))",
    );
    let found = patient.checks(&[], 0);
    assert_eq!(messages(&found, "tenants.constraint", "ok"), ["whole keeps data sources complete"]);
}

#[test]
fn an_index_over_more_than_the_subdomain_lets_two_tenants_have_it() {
    let patient = Patient::postgres();
    patient.database.execute(
        "alter table tenants drop constraint tenants_subdomain_key;
         create unique index on tenants (lower(subdomain || status));
         insert into tenants (name, subdomain, status) values ('d', 'acme', 'suspended')",
    );
    let found = patient.checks(&[], 0);
    assert_eq!(
        messages(&found, "tenants.subdomain", "warning"),
        ["there is no unique index over the subdomain; had by several tenants: 1 subdomain"]
    );
    patient
        .database
        .execute("delete from tenants where name = 'd'; create unique index on tenants (lower(subdomain))");
    assert_eq!(messages(&patient.checks(&[], 0), "tenants.subdomain", "ok").len(), 1);
}

#[test]
fn functions_that_only_have_the_name_of_postgresqls_own_are_not_asked() {
    let patient = Patient::postgres();
    patient.database.execute(&format!(
        "create function public.row_security_active(oid) returns boolean language sql as 'select false';
         create function public.pg_get_constraintdef(oid) returns text language sql as
           $$ select 'CHECK ((num_nulls(data_source_url, data_source_anon_key, data_source_service_key) = ANY (ARRAY[0, 3])))' $$;
         create function public.to_regclass(text) returns regclass language sql as $$ select 'audit_log'::regclass $$;
         create function public.format_type(oid, integer) returns text language sql as $$ select 'box' $$;
         alter table tenants drop constraint check_data_source_complete;
         alter table tenants add constraint len check (length(data_source_url) < 2000);
         alter table tenants enable row level security, force row level security;
         alter role {} set search_path = public, pg_catalog",
        patient.role
    ));
    let found = patient.checks(&[], 1);
    assert_eq!(
        wrong(&found),
        ["error database.rows", "warning tenants.constraint", "warning cache.gone"],
        "{found:#?}"
    );
}

#[test]
fn whoever_has_the_table_locked_hides_nothing_of_the_server() {
    let patient = Patient::postgres();
    let (socket, port) = (cluster().socket_dir(), cluster().port());
    let database = patient.database.database().to_owned();
    let locked = std::thread::spawn(move || {
        let sql = "begin; lock table tenants in access exclusive mode; select pg_sleep(6); rollback;";
        crate::support::postgres::psql(&socket, port, &database, sql).unwrap();
    });
    let mode = "select count(*) from pg_locks where relation = 'tenants'::regclass and mode = 'AccessExclusiveLock' \
                and granted";
    while patient.database.execute(mode) == "0" {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let found = patient.checks(&[], 0);
    locked.join().unwrap();
    assert_eq!(wrong(&found), [""; 0]);
    for code in
        ["database.reachable", "database.tls", "database.version", "database.clock", "tenants.columns"]
    {
        assert_eq!(messages(&found, code, "ok").len(), 1, "{code}: {:#?}", of(&found, code));
    }
    let said = messages(&found, "tenants.constraint", "skipped");
    assert!(
        said[0]
            .starts_with("rows and checks could not be looked at: another transaction has `tenants` locked"),
        "{said:?}"
    );
}

#[test]
fn a_time_limit_that_a_role_has_for_others_is_not_ours() {
    let patient = Patient::postgres();
    patient.database.execute(&format!("alter role {} set statement_timeout = '300ms'", patient.role));
    let (socket, port) = (cluster().socket_dir(), cluster().port());
    let database = patient.database.database().to_owned();
    // The lock goes when somebody has waited for it for longer than that.
    let locked = std::thread::spawn(move || {
        let sql = "do $$ begin lock table tenants in access exclusive mode;
             while not exists (select from pg_locks where relation = 'tenants'::regclass and not granted) loop
               perform pg_sleep(0.01); end loop;
             perform pg_sleep(0.8); end $$";
        crate::support::postgres::psql(&socket, port, &database, sql).unwrap();
    });
    let mode = "select count(*) from pg_locks where relation = 'tenants'::regclass and mode = 'AccessExclusiveLock' \
                and granted";
    while patient.database.execute(mode) == "0" {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let document = patient.doctor(&[]).run().json();
    locked.join().unwrap();
    let found = document["checks"].as_array().unwrap();
    for code in ["database.reachable", "tenants.constraint", "tenants.primary-key", "tenants.trigger"] {
        assert_eq!(messages(found, code, "ok").len(), 1, "{code}: {:#?}", of(found, code));
    }
}

#[test]
fn rows_that_cannot_be_read_in_the_time_that_the_server_gives_are_an_error() {
    let patient = Patient::postgres();
    patient.database.execute(&format!(
        "insert into tenants (name, subdomain) select 'n', 'n' || n from generate_series(1, 50000) n;
         alter role {} set statement_timeout = '1ms'",
        patient.role
    ));
    let found = checks(&patient.doctor(&[]), 1);
    let said = messages(&found, "stored.sealed", "error");
    assert!(said[0].starts_with("the server took too long: "), "{said:?}");
}

#[test]
fn a_rule_in_the_way_of_changes_is_told_without_a_rehearsal() {
    let patient = Patient::postgres();
    patient.database.execute("create rule odd as on update to tenants do instead nothing");
    let found = patient.checks(&[], 1);
    assert_eq!(
        messages(&found, "tenants.trigger", "error"),
        ["the rule odd does something else when a key is changed"]
    );
    patient
        .database
        .execute("drop rule odd on tenants; create rule more as on update to tenants do also notify changed");
    let found = patient.checks(&[], 0);
    assert_eq!(
        messages(&found, "tenants.trigger", "skipped"),
        ["the rule more, which does something besides, can only be tried"]
    );
}

#[test]
fn a_tenant_of_an_unknown_status_is_told() {
    let patient = Patient::sqlite();
    patient.database.execute(
        "pragma ignore_check_constraints = on; update tenants set status = 'Active' where subdomain = 'acme'",
    );
    patient.database.insert(TenantRow::new("late").status("suspended").data_source(
        "sqlite:/x",
        &seal("a"),
        &seal("b"),
    ));
    let found = patient.checks(&[], 0);
    assert_eq!(
        messages(&found, "tenants.status", "warning"),
        ["tenants with a data source have a status that is not known: acme (Active) (1 tenant)"]
    );
}

#[test]
fn a_trigger_that_raises_on_some_connections_alone_is_a_warning() {
    let patient = Patient::postgres();
    patient.database.execute(
        "create or replace function audit_data_source_changes() returns trigger language plpgsql as $$ begin
         insert into audit_log (tenant_id, user_id, action)
           values (new.id, current_setting('app.who_it_is', true)::uuid, 'data_source_updated');
         return new; end $$",
    );
    let found = patient.checks(&["--rehearse"], 0);
    assert_eq!(wrong(&found), ["warning tenants.trigger"]);
    let hint = of(&found, "tenants.trigger")[0]["hint"].as_str().unwrap();
    assert!(hint.contains("on a connection on which a transaction before has set it"), "{hint}");
    assert_eq!(messages(&found, "tenants.rehearsal", "ok").len(), 1);
}

#[test]
fn triggers_that_only_have_the_name_keep_nothing_complete() {
    let patient = Patient::sqlite();
    patient.database.execute(
        "create table other as select * from tenants; drop table tenants; alter table other rename to tenants;
         create unique index i on tenants (id); create unique index j on tenants (subdomain);
         create trigger check_data_source_complete_insert before insert on tenants begin select 1; end;
         create trigger check_data_source_complete_update before update on tenants begin select 1; end",
    );
    assert_eq!(wrong(&patient.checks(&[], 0)), ["warning tenants.constraint"]);
}

#[test]
fn an_id_that_may_be_null_after_all_tells_no_rows_apart() {
    let newest = PrivateCluster::of(Release::Eighteen).started();
    let patient = Patient::postgres_in(&newest);
    patient.database.execute(
        "alter table tenants drop constraint tenants_pkey; alter table tenants alter id drop not null;
         alter table audit_log alter tenant_id drop not null; update tenants set id = null;
         alter table tenants add constraint there not null id not valid; create unique index on tenants (id)",
    );
    let found = patient.checks(&["--rehearse"], 1);
    assert_eq!(
        messages(&found, "tenants.primary-key", "error"),
        ["the column `id` is no primary key; without an id of its own: 2 rows"]
    );
    assert!(
        messages(&found, "tenants.rehearsal", "skipped")[0].contains("`id` is no primary key"),
        "{:#?}",
        of(&found, "tenants.rehearsal")
    );
}
