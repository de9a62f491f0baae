//! The story of a rotation, the same over both back ends and every way to reach them.

use serde_json::json;

use super::fleet::{Fleet, NEW, Under, plaintext, rows};
use crate::fixture::{KEY, seal_with};
use crate::support::cli::Cli;
use crate::support::fleet::TenantRow;
use crate::support::node;
use crate::support::pgbouncer::PgBouncer;
use crate::support::postgres::cluster;

#[test]
fn every_value_is_under_the_new_key_and_opens_to_what_it_was_and_node_reads_it() {
    for fleet in Fleet::both(1203) {
        fleet.database.insert(TenantRow::new("without"));
        let before = fleet.values();
        let ran = fleet.rotate(&["--json"]).run().expect_code(0);
        let document = ran.json();
        assert_eq!(document["tenants"], json!({"total": 1204, "withDataSource": 1203}));
        let keys = json!({"rotated": 2406, "alreadyCurrent": 0, "sealed": 0, "unreadable": 0});
        assert_eq!(document["keys"], keys);
        assert_eq!((&document["verified"], &document["dryRun"]), (&true.into(), &false.into()));
        assert_eq!((&document["processesTold"], &document["unreadable"]), (&0.into(), &json!([])));
        assert_eq!(document["fromKeyIds"].as_array().unwrap().len(), 1);
        assert!(document["durationMs"].is_number() && document["applicationDatabase"].is_string());
        fleet.assert_all(Under::New);
        let after = fleet.values();
        let sealed: Vec<String> = after.values().filter(|value| !value.is_empty()).cloned().collect();
        let opened = node::open(NEW, &sealed);
        let names = after.iter().filter(|(_, value)| !value.is_empty()).map(|(name, _)| name);
        for ((name, column), opened) in names.zip(opened) {
            assert_eq!(opened, Ok(plaintext(name, column)));
        }
        assert!(before.iter().all(|(name, old)| old.is_empty() || after[name] != *old));
        // A fresh IV for each.
        let ivs: std::collections::BTreeSet<&str> = sealed.iter().map(|value| &value[..24]).collect();
        assert_eq!(ivs.len(), sealed.len());
        assert!(ran.stderr.contains("next 1") && ran.stderr.contains("ENCRYPTION_KEY"), "{}", ran.stderr);
        // Once more: nothing is left to do, and it says so.
        let versions = fleet.values();
        let again = fleet.rotate(&["--json"]).run().expect_code(0).json();
        assert_eq!((&again["keys"]["rotated"], &again["keys"]["alreadyCurrent"]), (&0.into(), &2406.into()));
        assert_eq!(fleet.values(), versions);
    }
}

#[test]
fn a_dry_run_says_what_would_be_and_changes_nothing() {
    for fleet in Fleet::both(703) {
        let before = fleet.values();
        let ran = fleet.cli(&["--generate", "made.key", "--dry-run", "--json"]).run().expect_code(0);
        let document = ran.json();
        assert_eq!((&document["dryRun"], &document["keys"]["rotated"]), (&true.into(), &1406.into()));
        assert_eq!(document["verified"], true);
        assert_eq!(fleet.values(), before);
        assert!(!fleet.file("made.key").exists());
        fleet.cli(&["--verify"]).run().expect_code(0);
    }
}

#[test]
fn verify_proves_it_at_any_later_time_and_says_what_is_in_the_way() {
    for fleet in Fleet::both(12) {
        let ran = fleet.cli(&["--verify", "--json"]).run().expect_code(0);
        assert_eq!(ran.json()["keys"]["alreadyCurrent"], 24);
        let ran = fleet.cli(&["--verify", "--to", "file:new.key", "--json"]).run().expect_code(1);
        assert_eq!(ran.json()["unreadable"][0]["reason"], "earlier-key");
        fleet.rotate(&[]).run().expect_code(0);
        fleet.cli(&["--verify"]).run().expect_code(1);
        let after = || {
            Cli::new(["rotate-key", "--verify", "--json"])
                .env("DATABASE_URL", fleet.database.url())
                .env("ENCRYPTION_KEY", NEW)
        };
        let proof = after().run().expect_code(0).json();
        assert_eq!((&proof["verified"], &proof["toKeyId"]), (&true.into(), &ran.json()["toKeyId"]));
        let other = seal_with(&"3".repeat(64), "x");
        fleet.database.execute(&format!(
            "update tenants set data_source_anon_key = '{other}' where subdomain = 't00003'"
        ));
        let proof = after().run().expect_code(1).json();
        assert_eq!(proof["verified"], false);
        let unreadable = proof["unreadable"].as_array().unwrap();
        assert_eq!(unreadable.len(), 1);
        assert_eq!(unreadable[0]["column"], "data_source_anon_key");
        assert_eq!(unreadable[0]["reason"], "wrong-key");
        assert_eq!(unreadable[0]["tenant"], TenantRow::new("t00003").id);
    }
}

const LOCKS: &str = "select count(*) from pg_locks where locktype = 'advisory' and database = \
                     (select oid from pg_database where datname = current_database())";

#[test]
fn it_goes_through_a_pooler_in_transaction_mode_also_in_batches() {
    for args in [&["--json"][..], &["--json", "--batch-size", "40"]] {
        let fleet = Fleet::postgres(300);
        let name = fleet.database.database().to_owned();
        let bouncer = PgBouncer::start(cluster(), &name);
        let all = [&["--to", "file:new.key", "--yes"], args].concat();
        let ran = fleet.cli_at(&bouncer.url(&name), &all).run().expect_code(0);
        assert_eq!(ran.json()["keys"]["rotated"], 600);
        fleet.assert_all(Under::New);
        // No lock and no setting sticks to the pooler's connections.
        assert_eq!(fleet.database.execute(LOCKS), "0");
    }
}

#[test]
fn ids_that_are_no_uuids_and_rows_out_of_any_order_are_all_found() {
    let fleet = Fleet::sqlite(3);
    let mut odd = rows(3);
    for (row, id) in odd.iter_mut().zip(["o'hara", "", "\u{1f512}\\'; drop table tenants; --"]) {
        row.subdomain = format!("odd-{}", row.subdomain);
        row.id = id.to_owned();
    }
    fleet.database.insert_all(&odd);
    fleet.database.execute("update tenants set id = null where id = ''");
    let ran = fleet.rotate(&["--json", "--batch-size", "1"]).run().expect_code(0);
    assert_eq!(ran.json()["keys"]["rotated"], 12);

    let fleet = Fleet::postgres(3);
    fleet.database.execute(
        "alter table tenants alter column id drop default; alter table tenants alter column id type text;
         update tenants set id = 'o''hara\\' where subdomain = 't00001'; update tenants set id = '' where subdomain = 't00002';
         alter table audit_log alter column tenant_id type text",
    );
    fleet.rotate(&["--batch-size", "1", "--backup", "b"]).run().expect_code(0);
    fleet.assert_all(Under::New);
    fleet.cli(&["--restore", "b", "--yes"]).run().expect_code(0);
    fleet.assert_all(Under::Old);
}

/// By number 9 comes before 10, as texts after it: the order of the pages must be the column's own.
#[test]
fn ids_that_are_numbers_are_read_in_their_own_order_and_none_is_passed_over() {
    let fleet = Fleet::postgres(1100);
    fleet.database.execute(
        "drop trigger audit_data_source_changes on tenants; alter table tenants drop column id;
         alter table tenants add column id bigint generated always as identity primary key",
    );
    let ran = fleet.rotate(&["--json", "--backup", "b"]).run().expect_code(0);
    assert_eq!(ran.json()["keys"]["rotated"], 2200);
    // Each once, and not in rounds that take what was passed over.
    assert_eq!(std::fs::read_to_string(fleet.file("b")).unwrap().lines().count(), 2201);
    fleet.assert_all(Under::New);
}

#[test]
fn a_key_of_several_earlier_ones_and_a_lenient_spelling_are_rotated() {
    for fleet in Fleet::both(4) {
        let older = "2".repeat(64);
        let sealed = seal_with(&older, &plaintext("t00001", "anon"));
        fleet.database.execute(&format!(
            "update tenants set data_source_anon_key = '{sealed}' where subdomain = 't00001'"
        ));
        let lenient = fleet.values()[&("t00002".to_owned(), "anon")]
            .replace('=', "")
            .replace('+', "-")
            .replace('/', "_");
        fleet.database.execute(&format!(
            "update tenants set data_source_anon_key = ' {lenient}' where subdomain = 't00002'"
        ));
        let ran = fleet.rotate(&["--json"]).env("ENCRYPTION_KEY_PREVIOUS", &older).run().expect_code(0);
        assert_eq!(ran.json()["fromKeyIds"].as_array().unwrap().len(), 2);
        fleet.assert_all(Under::New);
    }
}

#[test]
fn it_says_who_it_is_to_the_audit_trigger() {
    let fleet = Fleet::postgres(2);
    let user = "11111111-2222-4333-8444-555555555555";
    fleet.rotate(&["--as-user", user]).run().expect_code(0);
    let log = fleet.database.execute("select distinct user_id, user_agent from audit_log");
    assert_eq!(log, format!("{user}|boothds/{} rotate-key", env!("CARGO_PKG_VERSION")));
    fleet.rotate(&["--as-user", "root"]).run().expect_code(2);
}

#[test]
fn the_keys_come_from_files_variables_and_flags_and_never_from_an_argument() {
    let fleet = Fleet::sqlite(2);
    let bare = |args: &[&str]| {
        Cli::new(["rotate-key"].iter().chain(args).copied())
            .env("DATABASE_URL", fleet.database.url())
            .env("OLD", KEY)
            .env("NEW", NEW)
            .cwd(fleet.folder.path())
    };
    let ran = bare(&["--to", NEW, "--yes"]).run().expect_code(2);
    assert!(!ran.stderr.contains(&NEW[..12]), "{}", ran.stderr);
    let ran = bare(&["--to", &format!("env:{NEW}"), "--yes"]).run().expect_code(2);
    assert!(!ran.stderr.contains(&NEW[..12]), "{}", ran.stderr);
    bare(&["--to", "env:NEW", "--yes"]).run().expect_code(4);
    bare(&["--to", "env:NEW", "--from", "env:MISSING", "--yes"]).run().expect_code(4);
    bare(&["--to", "file:/no/such/key", "--from", "env:OLD", "--yes"]).run().expect_code(4);
    bare(&["--to", "prompt", "--from", "env:OLD", "--yes"]).run().expect_code(2);
    bare(&["--yes"]).run().expect_code(2);
    fleet.assert_all(Under::Old);
    bare(&["--to", "env:NEW", "--from", "env:OLD", "file:new.key", "--yes"]).run().expect_code(0);
    fleet.assert_all(Under::New);
}
