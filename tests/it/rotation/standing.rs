//! What stands before the commit is what was read back, and nothing else: whatever a trigger or a late writer does
//! between a page and the end is noticed, and everything is then read again.

use std::collections::BTreeSet;

use super::faults::Held;
use super::fleet::{Fleet, Under, open, plaintext, under};
use crate::fixture::seal;
use crate::support::fleet::TenantRow;
use crate::support::pgbouncer::PgBouncer;
use crate::support::postgres::cluster;

/// More than two pages.
const TENANTS: usize = 2300;
/// A row of the first page, as rows lie, and one of the last.
const FIRST: &str = "t00003";
const LAST: &str = "t02290";

/// A fleet with a trigger that does this, once, when the row of a tenant is written.
fn with_trigger(time: &str, at: &str, does: &str) -> Fleet {
    let fleet = Fleet::postgres(TENANTS);
    fleet.database.execute(&format!(
        "create function meddle() returns trigger language plpgsql as $$ begin
           if pg_trigger_depth() = 1 and new.subdomain = '{at}' then {does}; end if; return new; end $$;
         create trigger meddle {time} update on tenants for each row execute function meddle()"
    ));
    fleet
}

#[test]
fn a_row_of_an_earlier_page_that_a_trigger_puts_back_is_taken_again() {
    let stale = seal(&plaintext(FIRST, "anon"));
    let sql = format!("update tenants set data_source_anon_key = '{stale}' where subdomain = '{FIRST}'");
    for time in ["before", "after"] {
        let fleet = with_trigger(time, LAST, &sql);
        let ran = fleet.rotate(&["--json"]).run().expect_code(0);
        assert_eq!(ran.json()["keys"]["rotated"], 2 * TENANTS + 1);
        assert_eq!(ran.json()["verified"], true);
        fleet.assert_all(Under::New);
    }
}

#[test]
fn a_row_of_an_earlier_page_that_a_trigger_damages_stops_it_with_nothing_changed() {
    let sql = format!("update tenants set data_source_service_key = 'damaged' where subdomain = '{FIRST}'");
    for time in ["before", "after"] {
        let fleet = with_trigger(time, LAST, &sql);
        let versions = fleet.versions();
        for more in [&[][..], &["--dry-run"]] {
            let ran = fleet.rotate(more).run().expect_code(7);
            assert!(ran.stderr.contains(&format!("{FIRST}: data_source_service_key")), "{}", ran.stderr);
            assert!(ran.stderr.contains("nothing was changed"), "{}", ran.stderr);
        }
        assert_eq!(fleet.versions(), versions);
    }
}

/// The rows are locked: nobody else can have done it.
#[test]
fn a_row_that_a_trigger_removes_or_empties_stops_it_with_nothing_changed() {
    for does in [
        "delete from tenants where",
        "update tenants set data_source_url = null, data_source_anon_key = null, data_source_service_key = null where",
    ] {
        let fleet = with_trigger("after", LAST, &format!("{does} subdomain = '{FIRST}'"));
        let versions = fleet.versions();
        let ran = fleet.rotate(&[]).run().expect_code(7);
        let says = format!("{} rows with keys were found at the end, and there are {TENANTS}", TENANTS - 1);
        assert!(ran.stderr.contains(&says), "{}", ran.stderr);
        assert_eq!(fleet.versions(), versions);
    }
}

#[test]
fn a_row_of_a_later_page_that_a_trigger_writes_is_taken_all_the_same() {
    let does = format!("update tenants set data_source_region = 'elsewhere' where subdomain = '{LAST}'");
    let fleet = with_trigger("after", FIRST, &does);
    let ran = fleet.rotate(&["--json"]).run().expect_code(0);
    assert_eq!(ran.json()["keys"]["rotated"], 2 * TENANTS);
    fleet.assert_all(Under::New);
}

/// Every row stands in another version than was read back, with the same keys in it.
#[test]
fn rows_that_a_trigger_touches_once_more_are_read_again_and_are_well() {
    let fleet = Fleet::postgres(TENANTS);
    fleet.database.execute(
        "create function touch() returns trigger language plpgsql as $$ begin
           if pg_trigger_depth() = 1 then update tenants set updated_at = now() where id = new.id; end if;
           return null; end $$;
         create trigger touch after update on tenants for each row execute function touch()",
    );
    let ran = fleet.rotate(&["--json"]).run().expect_code(0);
    assert_eq!(
        (&ran.json()["keys"]["rotated"], &ran.json()["verified"]),
        (&(2 * TENANTS).into(), &true.into())
    );
    fleet.assert_all(Under::New);
}

/// The last page waits for a lock while somebody adds a tenant.
fn with_late_tenant(anon: &str) -> (Fleet, crate::support::cli::Ran) {
    let fleet = with_trigger("after", LAST, "perform pg_advisory_xact_lock(42)");
    let held = Held::by(&fleet, "select pg_advisory_xact_lock(42)");
    let running = fleet.rotate(&["--json"]).spawn();
    held.wait_for_waiter();
    let service = seal(&plaintext("late", "service"));
    fleet.database.insert(TenantRow::new("late").data_source("https://x.example", anon, &service));
    drop(held);
    let ran = running.wait();
    (fleet, ran)
}

#[test]
fn a_tenant_that_is_added_behind_the_last_page_is_taken_too() {
    let (fleet, ran) = with_late_tenant(&seal(&plaintext("late", "anon")));
    assert_eq!(ran.expect_code(0).json()["keys"]["rotated"], 2 * TENANTS + 2);
    assert!(fleet.values().values().all(|value| under(value) == Under::New));
}

#[test]
fn plaintext_that_is_added_behind_the_last_page_stops_it_with_nothing_changed() {
    let (fleet, ran) = with_late_tenant("sb_secret_hunter2hunter2");
    let ran = ran.expect_code(7);
    assert_eq!(ran.json()["unreadable"].as_array().unwrap().len(), 1);
    assert!(ran.stderr.contains("late: data_source_anon_key"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("hunter2") && !ran.stdout.contains("hunter2"));
    assert_eq!(fleet.under()[&Under::Old], 2 * TENANTS + 1);
}

/// Without a question nothing is read beforehand, so that the first of them ends the work.
#[test]
fn a_refusal_on_the_way_lists_every_row_that_needs_a_decision() {
    for fleet in Fleet::both(TENANTS) {
        let names = [FIRST, "t01500", LAST];
        for name in names {
            fleet.database.execute(&format!(
                "update tenants set data_source_anon_key = 'damaged' where subdomain = '{name}'"
            ));
        }
        let before = fleet.values();
        for more in [&[][..], &["--dry-run"], &["--backup", "b"], &["--batch-size", "100"]] {
            let ran = fleet.rotate(&[&["--json"], more].concat()).run().expect_code(7);
            let document = ran.json();
            let found = document["unreadable"].as_array().unwrap().iter();
            let found: BTreeSet<String> =
                found.map(|value| value["tenant"].as_str().unwrap().to_owned()).collect();
            assert_eq!(found, names.map(|name| TenantRow::new(name).id).into());
            assert_eq!(document["keys"]["alreadyCurrent"], 0);
            assert_eq!(document["tenants"]["total"], TENANTS);
            assert!(ran.stderr.contains("3 of the stored keys cannot be opened"), "{}", ran.stderr);
            assert!(!fleet.file("b").exists());
        }
        assert_eq!(fleet.values(), before);
    }
}

#[test]
fn several_pages_go_through_a_pooler_in_transaction_mode() {
    for more in [&[][..], &["--batch-size", "2200"]] {
        let fleet = Fleet::postgres(TENANTS);
        let name = fleet.database.database().to_owned();
        let bouncer = PgBouncer::start(cluster(), &name);
        let args = [&["--to", "file:new.key", "--yes", "--json"], more].concat();
        let ran = fleet.cli_at(&bouncer.url(&name), &args).run().expect_code(0);
        assert_eq!(ran.json()["keys"]["rotated"], 2 * TENANTS);
        fleet.assert_all(Under::New);
    }
}

/// What is put back may hold anything, quotes and semicolons too.
#[test]
fn plaintext_with_every_sort_of_mark_is_sealed_and_put_back_to_the_letter() {
    for fleet in Fleet::both(3) {
        let odd = r#"it's; a "pass\word", (1,2)"#;
        let sql = format!(
            "update tenants set data_source_anon_key = '{}' where subdomain = 't00001'",
            odd.replace('\'', "''")
        );
        fleet.database.execute(&sql);
        let before = fleet.values();
        fleet.rotate(&["--seal-plaintext=t00001:anon", "--backup", "b"]).run().expect_code(0);
        assert_eq!(open(&fleet.values()[&("t00001".to_owned(), "anon")]).as_deref(), Some(odd));
        fleet.cli(&["--restore", "b", "--yes"]).run().expect_code(0);
        assert_eq!(fleet.values(), before);
    }
}
