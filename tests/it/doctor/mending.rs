//! `--print-sql`: statements that a database takes, twice, and that leave nothing to mend.

use super::patient::{Patient, wrong};
use crate::support::cli::Ran;
use crate::support::postgres::{Cluster, PrivateCluster, Release, cluster};

fn print_sql(patient: &Patient) -> Ran {
    patient.command("doctor").arg("--print-sql").run().expect_code(0)
}

#[test]
fn a_schema_that_is_well_has_nothing_to_mend() {
    for patient in [Patient::postgres(), Patient::sqlite()] {
        let ran = print_sql(&patient);
        assert!(ran.stdout.ends_with("-- There is nothing to mend.\n"), "{}", ran.stdout);
        assert_eq!(ran.stdout.lines().filter(|line| !line.starts_with("--")).count(), 0);
        patient.database.execute(&ran.stdout);
    }
}

/// What breaks the schema, for PostgreSQL.
const BREAKS: [&str; 7] = [
    "alter table tenants drop constraint check_data_source_complete",
    "alter table tenants drop constraint tenants_subdomain_key",
    "alter table tenants drop constraint tenants_pkey; alter table tenants alter id drop not null",
    "alter table tenants drop column tenant_id_in_data_source, drop column connection_pool_config, drop column data_source_region",
    "alter table audit_log drop column ip_address, drop column old_values, drop column user_agent",
    "alter table audit_log add constraint \"the check\" check (action in ('created', 'it''s'))",
    "create or replace function audit_data_source_changes() returns trigger language plpgsql as $$
     begin
       -- a comment with 'quotes' and $1
       insert into audit_log (tenant_id, user_id, action, ip_address) values (
         new.id, coalesce(current_setting('app.current_user_id'), '')::uuid, 'data_source_updated',
         current_setting('app.client_ip', true));
       return new;
     end $$",
];

/// What newer ones can do besides: constraints that are there and hold nothing.
const BREAKS_SINCE_18: [&str; 2] = [
    "alter table tenants drop constraint if exists check_data_source_complete;
     alter table tenants add constraint \"all or nothing\" check (
       num_nulls(data_source_url, data_source_anon_key, data_source_service_key) in (0, 3)) not enforced",
    "alter table tenants drop constraint if exists tenants_pkey; alter table tenants alter id drop not null;
     alter table tenants add constraint there not null id not valid; create unique index on tenants (id)",
];

#[test]
fn what_is_printed_mends_each_fault_and_all_of_them_and_can_be_run_again() {
    is_mended(cluster(), &BREAKS);
}

#[test]
fn the_newest_postgresql_is_mended_too() {
    let newest = PrivateCluster::of(Release::Eighteen).started();
    is_mended(&newest, &[BREAKS.as_slice(), &BREAKS_SINCE_18].concat());
}

fn is_mended(cluster: &Cluster, breaks: &[&str]) {
    let all = breaks.join(";\n");
    for breaks in breaks.iter().copied().chain([all.as_str()]) {
        let patient = Patient::postgres_in(cluster);
        patient.database.execute(breaks);
        let before = patient.doctor(&["--rehearse", "--fail-on", "warning"]).run().expect_code(1);
        let sql = print_sql(&patient).stdout;
        // It changes nothing by itself.
        let again = patient.doctor(&["--rehearse", "--fail-on", "warning"]).run().expect_code(1);
        assert_eq!(before.json()["summary"]["errors"], again.json()["summary"]["errors"]);
        assert!(sql.contains("BEGIN;\n") && sql.ends_with("\nCOMMIT;\n"), "{sql}");
        patient.database.execute(&sql);
        patient.database.execute(&sql);
        // The functions that it makes anew, and the columns that it adds, are the superuser's who ran it or the owner's.
        let found = patient.checks(&["--rehearse"], 0);
        let left: Vec<String> =
            wrong(&found).into_iter().filter(|code| !code.ends_with("cache.stale")).collect();
        assert_eq!(left, [""; 0], "{breaks}\n{sql}");
        assert!(
            print_sql(&patient).stdout.contains("There is nothing to mend"),
            "{}",
            print_sql(&patient).stdout
        );
    }
}

#[test]
fn rows_that_are_in_the_way_are_left_to_a_person() {
    let patient = Patient::postgres();
    patient.database.execute(
        "alter table tenants drop constraint check_data_source_complete;
         alter table tenants drop constraint tenants_subdomain_key;
         insert into tenants (name, subdomain, data_source_anon_key) values ('a', 'same', 'x'), ('b', 'same', null)",
    );
    let sql = print_sql(&patient).stdout;
    assert!(
        sql.contains("subdomain cannot be unique: 1 of them are had by several tenants; correct them"),
        "{sql}"
    );
    assert!(sql.contains("NOT VALID;"), "{sql}");
    patient.database.execute(&sql);
    let left = wrong(&patient.checks(&[], 1));
    assert_eq!(
        left,
        [
            "warning tenants.constraint",
            "warning tenants.subdomain",
            "error stored.unreadable",
            "warning stored.stray"
        ]
    );
}

#[test]
fn a_file_is_mended_as_far_as_sqlite_can() {
    let patient = Patient::sqlite();
    patient.database.execute(
        "create table other as select * from tenants; drop table tenants; alter table other rename to tenants;
         alter table tenants drop column data_source_region",
    );
    let sql = print_sql(&patient).stdout;
    patient.database.execute(&sql);
    assert_eq!(wrong(&patient.checks(&["--rehearse"], 0)), [""; 0], "{sql}");
    assert!(print_sql(&patient).stdout.contains("There is nothing to mend"));
    let half = "insert into tenants (id, subdomain, data_source_url) values ('h', 'half', 'x');";
    let refused = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| patient.database.execute(half)));
    assert!(refused.is_err(), "half a data source is refused from now on");
}

#[test]
fn where_nothing_is_known_nothing_is_printed() {
    let patient = Patient::sqlite();
    for (url, says) in [
        ("postgres://u@127.0.0.1:1/x", "the connection was refused"),
        ("", "the URL of the application database is not set, or not usable"),
    ] {
        let ran = patient.command("doctor").arg("--print-sql").env("DATABASE_URL", url).run().expect_code(1);
        assert!(ran.stdout.is_empty() && ran.stderr.contains(says), "{ran:#?}");
    }
    patient.database.execute("drop table tenants");
    let ran = patient.command("doctor").arg("--print-sql").run().expect_code(1);
    assert!(ran.stdout.is_empty() && ran.stderr.contains("has no table `tenants`"), "{ran:#?}");
}

#[test]
fn a_key_column_that_is_missing_is_added_before_anything_forbids_to_fill_it() {
    for patient in [Patient::postgres(), Patient::sqlite()] {
        let sql = if patient.role.is_empty() {
            "create table other as select * from tenants; drop table tenants; alter table other rename to tenants;
             create unique index i on tenants (subdomain); create unique index j on tenants (id);
             alter table tenants drop column data_source_anon_key"
        } else {
            "alter table tenants drop column data_source_anon_key"
        };
        patient.database.execute(sql);
        let sql = print_sql(&patient).stdout;
        assert!(sql.contains("2 rows would not: fill the column that is added"), "{sql}");
        patient.database.execute(&sql);
        patient.database.execute("update tenants set name = 'still to be changed'");
        patient.database.execute("update tenants set data_source_anon_key = data_source_service_key");
        patient.database.execute(&print_sql(&patient).stdout);
        assert!(print_sql(&patient).stdout.contains("There is nothing to mend"));
    }
}

#[test]
fn a_status_that_is_added_makes_every_tenant_active_and_says_so() {
    for patient in [Patient::postgres(), Patient::sqlite()] {
        let sql = if patient.role.is_empty() {
            "create table other as select * from tenants; drop table tenants; alter table other rename to tenants;
             alter table tenants drop column status"
        } else {
            "alter table tenants drop column status"
        };
        patient.database.execute(sql);
        let sql = print_sql(&patient).stdout;
        assert!(sql.contains("every tenant is active then: correct those that are not"), "{sql}");
        patient.database.execute(&sql);
        let found = crate::doctor::patient::checks(&patient.command("doctor").arg("--json"), 0);
        let said = crate::doctor::patient::messages(&found, "source.test", "ok");
        assert!(said[0].starts_with("2 data sources answer"), "{said:?}");
    }
}

#[test]
fn what_is_no_plain_table_is_left_to_a_person() {
    for (patient, makes) in [
        (
            Patient::postgres(),
            "alter table tenants rename to base; create view tenants as select * from base",
        ),
        (
            Patient::postgres(),
            "alter table tenants rename to base; create materialized view tenants as select * from base",
        ),
        (Patient::sqlite(), "alter table tenants rename to base; create view tenants as select * from base"),
    ] {
        patient.database.execute(makes);
        let sql = print_sql(&patient).stdout;
        assert!(sql.contains("is no plain table: mend the table behind it"), "{sql}");
        assert!(!sql.contains("ALTER") && !sql.contains("CREATE"), "{sql}");
        patient.database.execute(&sql);
    }
}

#[test]
fn a_constraint_that_was_never_validated_is_validated() {
    let patient = Patient::postgres();
    patient.database.execute(
        "alter table tenants drop constraint check_data_source_complete;
         alter table tenants add constraint \"all or nothing\" check (
           num_nulls(data_source_url, data_source_anon_key, data_source_service_key) in (0, 3)) not valid",
    );
    assert_eq!(wrong(&patient.checks(&[], 0)), ["warning tenants.constraint"]);
    let sql = print_sql(&patient).stdout;
    patient.database.execute(&sql);
    patient.database.execute(&sql);
    assert_eq!(wrong(&patient.checks(&[], 0)), [""; 0], "{sql}");
}
