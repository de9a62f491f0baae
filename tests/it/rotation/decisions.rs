//! Rows that nobody can open, and what is decided about them.

use serde_json::json;

use super::fleet::{Fleet, NEW, Under, open};
use crate::fixture::{KEY, seal_with};
use crate::support::fleet::TenantRow;

const PLAIN: &str = "sb_secret_hunter2hunter2";

/// A fleet with one row of every sort: damaged, plaintext, hexadecimal, a bare password, already new, null.
fn mixed(fleet: &Fleet) {
    let set = |name: &str, column: &str, value: &str| {
        let value = value.replace('\'', "''");
        fleet.database.execute(&format!(
            "update tenants set data_source_{column}_key = '{value}' where subdomain = '{name}'"
        ));
    };
    let damaged = fleet.values()[&("t00001".to_owned(), "anon")].clone();
    let other = if damaged.starts_with('A') { 'B' } else { 'A' };
    set("t00001", "anon", &format!("{other}{}", &damaged[1..]));
    set("t00002", "service", PLAIN);
    set("t00003", "anon", &format!("{}:{}:{}", "0a".repeat(16), "0b".repeat(16), "0c".repeat(8)));
    set("t00004", "service", "it's a password");
    set("t00005", "anon", &seal_with(NEW, "the anon key of t00005"));
    fleet.database.insert(TenantRow::new("without"));
}

#[test]
fn each_stops_it_with_nothing_changed_and_is_named() {
    for fleet in Fleet::both(9) {
        mixed(&fleet);
        let before = fleet.values();
        for args in [&["--json"][..], &["--json", "--dry-run"], &["--json", "--batch-size", "2"]] {
            let ran = fleet.rotate(args).run().expect_code(7);
            let document = ran.json();
            let found: Vec<(&str, &str)> = document["unreadable"]
                .as_array()
                .unwrap()
                .iter()
                .map(|value| (value["column"].as_str().unwrap(), value["reason"].as_str().unwrap()))
                .collect();
            assert_eq!(found.len(), 4, "{document}");
            for expected in [
                ("data_source_anon_key", "wrong-key"),
                ("data_source_service_key", "plaintext"),
                ("data_source_anon_key", "hex"),
                ("data_source_service_key", "format"),
            ] {
                assert!(found.contains(&expected), "{expected:?} in {document}");
            }
            assert_eq!((&document["keys"]["rotated"], &document["verified"]), (&0.into(), &false.into()));
            assert!(ran.stderr.contains(r#""code":"unchanged""#), "{}", ran.stderr);
            assert_eq!(fleet.values(), before);
        }
        let ran = fleet.rotate(&[]).run().expect_code(7);
        assert!(ran.stderr.contains("t00002: data_source_service_key holds a credential"), "{}", ran.stderr);
        assert!(ran.stderr.contains("--seal-plaintext") && ran.stdout.contains("t00003"), "{}", ran.stderr);
        assert!(!ran.stderr.contains("hunter2") && !ran.stdout.contains("hunter2"));
    }
}

#[test]
fn skipped_ones_stay_to_the_letter_are_listed_and_the_end_is_1() {
    for fleet in Fleet::both(9) {
        mixed(&fleet);
        let before = fleet.values();
        let ran = fleet.rotate(&["--json", "--skip-unreadable"]).run().expect_code(1);
        let document = ran.json();
        let keys = json!({"rotated": 13, "alreadyCurrent": 1, "sealed": 0, "unreadable": 4});
        assert_eq!((&document["keys"], &document["verified"]), (&keys, &false.into()));
        let after = fleet.values();
        for (name, column) in [
            ("t00001", "anon"),
            ("t00002", "service"),
            ("t00003", "anon"),
            ("t00004", "service"),
            ("t00005", "anon"),
        ] {
            let at = (name.to_owned(), column);
            assert_eq!(before[&at], after[&at], "{name}");
        }
        assert_eq!(fleet.under()[&Under::New], 14);
    }
}

#[test]
fn plaintext_is_sealed_when_asked_for_all_or_by_name() {
    for fleet in Fleet::both(9) {
        mixed(&fleet);
        fleet.rotate(&["--seal-plaintext=nobody:anon"]).run().expect_code(6);
        fleet.rotate(&["--seal-plaintext=t00002:both"]).run().expect_code(2);
        // The wrong column: nothing is decided about the right one.
        let ran = fleet.rotate(&["--seal-plaintext=t00002:anon", "--dry-run"]).run().expect_code(7);
        assert!(ran.stderr.contains("t00002"), "{}", ran.stderr);
        let ran = fleet
            .rotate(&["--json", "--seal-plaintext", "--skip-unreadable", "--dry-run"])
            .run()
            .expect_code(1);
        assert_eq!(
            (&ran.json()["keys"]["sealed"], &ran.json()["keys"]["unreadable"]),
            (&1.into(), &3.into())
        );
        let id = TenantRow::new("t00004").id;
        let args = [
            "--json",
            "--seal-plaintext=t00002:service",
            &format!("--seal-plaintext={id}:data_source_service_key"),
            "--skip-unreadable",
        ];
        let ran = fleet.rotate(&args).run().expect_code(1);
        assert_eq!(
            (&ran.json()["keys"]["sealed"], &ran.json()["keys"]["unreadable"]),
            (&2.into(), &2.into())
        );
        let after = fleet.values();
        assert_eq!(open(&after[&("t00002".to_owned(), "service")]).as_deref(), Some(PLAIN));
        assert_eq!(open(&after[&("t00004".to_owned(), "service")]).as_deref(), Some("it's a password"));
        // The same command again has nothing left to do.
        let ran = fleet.rotate(&args).run().expect_code(1);
        assert_eq!(ran.json()["keys"]["sealed"], 0);
    }
}

#[test]
fn a_damaged_sealed_value_is_not_sealed_as_if_it_were_a_password() {
    let fleet = Fleet::sqlite(2);
    fleet
        .database
        .execute("update tenants set data_source_anon_key = 'AAAA:BBBB:CCCC' where subdomain = 't00001'");
    fleet.rotate(&["--seal-plaintext=t00001:anon"]).run().expect_code(7);
    assert_eq!(fleet.under()[&Under::Old], 3);
}

#[test]
fn the_wrong_old_key_writes_nothing_at_all() {
    let fleet = Fleet::postgres(40);
    let versions = fleet.versions();
    let wrong = "1".repeat(64);
    for args in [&[][..], &["--dry-run"], &["--batch-size", "7"], &["--backup", "b"]] {
        let ran = fleet.rotate(args).env("ENCRYPTION_KEY", &wrong).run().expect_code(7);
        assert!(ran.stderr.contains("80 of the stored keys cannot be opened"), "{}", ran.stderr);
        assert!(ran.stderr.contains("and 60 more"), "{}", ran.stderr);
    }
    fleet.rotate(&["--skip-unreadable"]).env("ENCRYPTION_KEY", &wrong).run().expect_code(1);
    assert_eq!(fleet.versions(), versions);
    assert!(!fleet.file("b").exists());
}

#[test]
fn the_same_key_as_target_is_refused() {
    let fleet = Fleet::postgres(3);
    let versions = fleet.versions();
    let ran = fleet.cli(&["--to", "env:ENCRYPTION_KEY", "--yes"]).run().expect_code(7);
    assert!(ran.stderr.contains("the only key that was given"), "{}", ran.stderr);
    assert_eq!(fleet.versions(), versions);
    // Among others it is passed over: services have the target already.
    let ran = fleet
        .cli(&["--to", "env:ENCRYPTION_KEY", "--yes", "--json"])
        .env("ENCRYPTION_KEY", NEW)
        .env("ENCRYPTION_KEY_PREVIOUS", KEY)
        .run()
        .expect_code(0);
    assert_eq!(ran.json()["keys"]["rotated"], 6);
    assert!(
        ran.stderr.contains("ENCRYPTION_KEY_PREVIOUS") && ran.stderr.contains("already"),
        "{}",
        ran.stderr
    );
}
