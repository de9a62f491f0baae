//! The connection is cut at the COMMIT: what has become of it is found out, and where that cannot be, it is said.

use std::time::{Duration, Instant};

use super::fleet::{Fleet, Under};
use crate::support::commit_cut::{CommitCut, Cut};
use crate::support::postgres::cluster;

const ARGS: [&str; 5] = ["--to", "file:new.key", "--yes", "--backup", "b"];

fn through(fleet: &Fleet, proxy: &CommitCut) -> String {
    format!("postgres://postgres@127.0.0.1:{}/{}?sslmode=disable", proxy.port(), fleet.database.database())
}

#[test]
fn a_commit_that_the_server_never_heard_has_changed_nothing() {
    let fleet = Fleet::postgres(700);
    let versions = fleet.versions();
    let proxy = CommitCut::start(cluster().port(), Cut::Before, 1);
    let ran = fleet.cli_at(&through(&fleet, &proxy), &ARGS).run().expect_code(7);
    assert!(ran.stderr.contains("nothing was changed") && ran.stderr.contains("lost"), "{}", ran.stderr);
    assert_eq!(proxy.commits(), 1);
    assert_eq!(fleet.versions(), versions);
    assert!(!fleet.file("b").exists());
}

#[test]
fn a_commit_whose_answer_is_lost_is_found_to_stand() {
    let fleet = Fleet::postgres(700);
    let proxy = CommitCut::start(cluster().port(), Cut::After, 1);
    let ran = fleet.cli_at(&through(&fleet, &proxy), &[&ARGS[..], &["--json"]].concat()).run().expect_code(0);
    assert_eq!(ran.json()["keys"]["rotated"], 1400);
    fleet.assert_all(Under::New);
}

/// The old value is still to be seen when the tool is back: but its row cannot be locked, and so nothing is concluded.
#[test]
fn a_commit_that_reaches_the_server_late_is_waited_for_and_not_taken_for_lost() {
    let fleet = Fleet::postgres(30);
    let proxy = CommitCut::start(cluster().port(), Cut::Late(Duration::from_millis(1500)), 1);
    fleet.cli_at(&through(&fleet, &proxy), &ARGS).run().expect_code(0);
    fleet.assert_all(Under::New);
}

/// A program that saves whole rows waits for the lock of ours, and then writes the old values that it had read. All that
/// is to be seen is old, and yet the rotation was committed.
#[test]
fn a_writer_that_puts_every_old_value_back_is_not_taken_for_a_failed_commit() {
    let fleet = Fleet::postgres(1);
    let before = fleet.values();
    let old = |column: &'static str| before[&("t00000".to_owned(), column)].clone();
    fleet.database.execute(&format!(
        "create table kept (anon text, service text); insert into kept values ('{}', '{}')",
        old("anon"),
        old("service")
    ));
    let held = super::faults::Held::row(&fleet, "t00000");
    let running = fleet.rotate(&[]).spawn();
    held.wait_for_waiter();
    let writer = std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            // Queued behind the rotation, it goes on in the moment of its commit.
            fleet.database.execute(
                "update tenants set data_source_anon_key = anon, data_source_service_key = service from kept",
            );
        });
        while fleet.database.execute(
            "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
        ) != "2"
        {}
        drop(held);
        writer.join()
    });
    writer.unwrap();
    // Whether the look came before the writer or after it: committed, and never "nothing was changed".
    let ran = running.wait();
    assert_eq!(ran.code, Some(0), "{ran:?}");
    fleet.assert_all(Under::Old);
    fleet.cli(&["--verify", "--to", "file:new.key"]).run().expect_code(1);
}

#[test]
fn what_cannot_be_found_out_is_said_and_the_backup_is_kept() {
    for (cut, under) in [(Cut::BeforeForGood, Under::Old), (Cut::AfterForGood, Under::New)] {
        let fleet = Fleet::postgres(30);
        let proxy = CommitCut::start(cluster().port(), cut, 1);
        let args = [&ARGS[..], &["--lock-timeout", "1s", "--json"]].concat();
        let start = Instant::now();
        let ran = fleet.cli_at(&through(&fleet, &proxy), &args).run().expect_code(8);
        assert!(start.elapsed() >= Duration::from_secs(1), "it was tried again");
        assert!(
            ran.stderr.contains(r#""code":"partial""#) && ran.stderr.contains("not known"),
            "{}",
            ran.stderr
        );
        assert!(ran.stderr.contains("--verify") && ran.stdout.is_empty(), "{}", ran.stderr);
        assert_eq!(std::fs::read_to_string(fleet.file("b")).unwrap().lines().count(), 60);
        // The server rolls back what it never heard the end of.
        while fleet.under().get(&under) != Some(&60) {
            std::thread::sleep(Duration::from_millis(20));
        }
        fleet.rotate(&[]).run().expect_code(0);
        fleet.assert_all(Under::New);
    }
}

#[test]
fn a_batch_whose_commit_is_cut_leaves_a_part_and_the_next_run_the_rest() {
    for (cut, code) in [(Cut::Before, 8), (Cut::After, 0), (Cut::AfterForGood, 8)] {
        let fleet = Fleet::postgres(100);
        let proxy = CommitCut::start(cluster().port(), cut, 3);
        let args = ["--to", "file:new.key", "--yes", "--batch-size", "20", "--lock-timeout", "1s"];
        let ran = fleet.cli_at(&through(&fleet, &proxy), &args).run().expect_code(code);
        let under = fleet.assert_readable();
        match cut {
            Cut::Before => {
                assert!(ran.stderr.contains("80 stored keys were rotated"), "{}", ran.stderr);
                assert_eq!(under[&Under::New], 80);
            }
            Cut::AfterForGood => assert_eq!(under[&Under::New], 120),
            _ => assert_eq!(under[&Under::New], 200),
        }
        fleet.rotate(&["--batch-size", "20"]).run().expect_code(0);
        fleet.assert_all(Under::New);
    }
}

#[test]
fn a_connection_that_breaks_before_the_commit_has_changed_nothing() {
    let fleet = Fleet::postgres(2000);
    // A lock that another transaction holds stops the rotation in the middle, where its session is then ended.
    let held = super::faults::Held::row(&fleet, &fleet.last());
    let running = fleet.rotate(&[]).spawn();
    held.wait_for_waiter();
    cluster().psql(
        "postgres",
        &format!(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = '{}' and application_name like 'boothds%'",
            fleet.database.database()
        ),
    );
    running.wait().expect_code(7);
    drop(held);
    fleet.assert_all(Under::Old);
}

/// The wrong database would otherwise end as a success that asks for a new key everywhere.
#[test]
fn a_database_without_a_stored_key_is_nothing_selected() {
    for fleet in Fleet::both(3) {
        fleet
            .database
            .execute("update tenants set data_source_url = null, data_source_anon_key = null, data_source_service_key = null");
        let args = ["--to", "file:new.key", "--yes", "--backup", "b"];
        let generate = ["--generate", "made.key", "--yes"];
        for args in [&args[..], &["--to", "file:new.key", "--dry-run"], &["--verify"], &generate] {
            let ran = fleet.cli(args).run().expect_code(6);
            assert!(
                ran.stderr.contains("has a stored key: is this the application database?"),
                "{}",
                ran.stderr
            );
            assert!(
                !ran.stderr.contains("set ENCRYPTION_KEY") && !fleet.file("b").exists(),
                "{}",
                ran.stderr
            );
            // It is noticed before a key is made for it.
            assert!(!ran.stderr.contains("unused key") && !fleet.file("made.key").exists(), "{}", ran.stderr);
        }
    }
}

#[test]
fn a_proof_takes_no_keys_to_rotate_from() {
    let fleet = Fleet::sqlite(1);
    let ran = fleet.cli(&["--verify", "--from", "file:new.key"]).run().expect_code(2);
    assert!(ran.stderr.contains("--from") && ran.stderr.contains("--verify"), "{}", ran.stderr);
}
