//! Others at the same table: a second rotation, writers, whoever holds locks; and roles that may not.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::fleet::{Fleet, NEW, Under, open, plaintext, under};
use crate::fixture::{KEY, seal, seal_with};
use crate::support::cli::Cli;
use crate::support::fleet::TenantRow;
use crate::support::postgres::cluster;
use crate::support::process::{self, Signal, User};

/// A transaction of somebody else that holds something until this is dropped.
pub struct Held<'f> {
    fleet: &'f Fleet,
    _session: process::Child,
    name: String,
}

impl<'f> Held<'f> {
    /// Holds the row of a tenant.
    pub fn row(fleet: &'f Fleet, subdomain: &str) -> Self {
        Self::by(fleet, &format!("select 1 from tenants where subdomain = '{subdomain}' for update"))
    }

    /// Holds whatever this takes.
    pub fn by(fleet: &'f Fleet, sql: &str) -> Self {
        use std::process::Stdio;
        let name = format!("held_{}", rand::random::<u32>());
        let mut command = process::command(process::find("psql"), Signal::KILL, User::Own);
        command.args(["-X", "-q", "-U", "postgres", "-d", fleet.database.database(), "-p"]);
        command.arg(cluster().port().to_string()).arg("-h").arg(cluster().socket_dir());
        command.args(["-c", &format!("set application_name = '{name}'"), "-c", "begin", "-c", sql]);
        command.args(["-c", "select pg_sleep(600)"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let held = Self { fleet, _session: process::spawn(command), name };
        held.wait(&format!("application_name = '{}' and query like 'select pg_sleep%'", held.name));
        held
    }

    /// Waits until the rotation waits for a lock.
    pub fn wait_for_waiter(&self) {
        self.wait("application_name like 'boothds%' and wait_event_type = 'Lock'");
    }

    fn wait(&self, condition: &str) {
        let start = Instant::now();
        let sql = format!(
            "select count(*) from pg_stat_activity where datname = current_database() and {condition}"
        );
        while self.fleet.database.execute(&sql) == "0" {
            assert!(start.elapsed() < Duration::from_secs(20), "nobody with {condition}");
        }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.fleet.database.execute(&format!(
            "select pg_terminate_backend(pid) from pg_stat_activity where application_name = '{}'",
            self.name
        ));
    }
}

#[test]
fn of_two_rotations_at_once_the_second_waits_says_for_whom_and_changes_nothing() {
    let fleet = Fleet::postgres(300);
    let third = "3".repeat(64);
    std::fs::write(fleet.file("third.key"), &third).unwrap();
    let held = Held::row(&fleet, &fleet.last());
    let first = fleet.rotate(&[]).spawn();
    held.wait_for_waiter();
    for more in [&[][..], &["--batch-size", "10"]] {
        let args = [&["--to", "file:third.key", "--yes", "--lock-timeout", "300ms"], more].concat();
        let ran = fleet.cli(&args).run().expect_code(7);
        assert!(ran.stderr.contains("waiting for another rotation: pid "), "{}", ran.stderr);
        assert!(ran.stderr.contains("another rotation is under way: pid "), "{}", ran.stderr);
        assert!(
            ran.stderr.contains("boothds rotate-key, user postgres, 127.0.0.1, since 20"),
            "{}",
            ran.stderr
        );
    }
    // One that waits long enough finds nothing that it could open.
    let second = fleet.cli(&["--to", "file:third.key", "--yes"]).spawn();
    second.wait_for_stderr("waiting for another rotation");
    drop(held);
    first.wait().expect_code(0);
    let ran = second.wait().expect_code(7);
    assert!(ran.stderr.contains("cannot be opened"), "{}", ran.stderr);
    fleet.assert_all(Under::New);
}

#[test]
fn a_rotation_in_batches_holds_the_lock_between_them_and_notices_when_it_is_lost() {
    let fleet = Fleet::postgres(300);
    let held = Held::row(&fleet, &fleet.last());
    let batches = fleet.rotate(&["--batch-size", "10"]).spawn();
    held.wait_for_waiter();
    let ran = fleet.rotate(&["--lock-timeout", "300ms"]).run().expect_code(7);
    assert!(ran.stderr.contains("another rotation"), "{}", ran.stderr);
    // The session that holds the lock is ended by somebody.
    fleet.database.execute(
        "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and granted and database = \
         (select oid from pg_database where datname = current_database())",
    );
    drop(held);
    let ran = batches.wait().expect_code(8);
    assert!(ran.stderr.contains("the lock against a second rotation was lost"), "{}", ran.stderr);
    let under = fleet.assert_readable();
    assert!(under[&Under::New] > 0 && under[&Under::Old] > 0, "{under:?}");
    fleet.rotate(&["--batch-size", "10"]).run().expect_code(0);
    fleet.assert_all(Under::New);
}

#[test]
fn two_rotations_of_one_file_do_not_mix() {
    let fleet = Fleet::sqlite(400);
    std::fs::write(fleet.file("third.key"), "3".repeat(64)).unwrap();
    let runs: Vec<_> = [&["--to", "file:new.key"], &["--to", "file:third.key"]]
        .iter()
        .map(|args| fleet.cli(&[&args[..], &["--yes", "--batch-size", "3"]].concat()).spawn())
        .collect();
    let codes: Vec<_> = runs.into_iter().map(|run| run.wait().code).collect();
    assert!(codes.contains(&Some(0)) && codes.contains(&Some(7)), "{codes:?}");
    let keys: Vec<bool> = fleet.values().values().map(|value| under(value) == Under::New).collect();
    assert!(keys.iter().all(|new| *new) || keys.iter().all(|new| !*new), "a mixture");
}

#[test]
fn an_application_that_writes_throughout_loses_nothing() {
    for more in [&[][..], &["--batch-size", "25"]] {
        let fleet = Fleet::postgres(1500);
        let stop = AtomicBool::new(false);
        let (written, ran) = thread::scope(|scope| {
            let writer = scope.spawn(|| {
                let mut written = Vec::new();
                // Services have both keys by now, and seal with the new one.
                while !stop.load(Ordering::SeqCst) {
                    let number = written.len();
                    let name = format!("t{:05}", rand::random_range(0..1500));
                    let value = seal_with(NEW, &format!("written {number}"));
                    let new = TenantRow::new(&format!("new{number:05}"));
                    fleet.database.execute(&format!(
                        "update tenants set data_source_anon_key = '{value}' where subdomain = '{name}';
                         insert into tenants (id, name, subdomain, data_source_url, data_source_anon_key, data_source_service_key)
                         values ('{}', 'x', '{}', 'https://x.example', '{}', '{value}')",
                        new.id, new.subdomain, seal_with(NEW, &plaintext(&new.subdomain, "anon")),
                    ));
                    written.push((name, value));
                }
                written
            });
            let ran = fleet.rotate(more).run();
            stop.store(true, Ordering::SeqCst);
            (writer.join().unwrap(), ran.expect_code(0))
        });
        assert!(!written.is_empty(), "{ran:?}");
        let values = fleet.values();
        let last: std::collections::HashMap<_, _> = written.into_iter().collect();
        for (name, value) in last {
            let now = &values[&(name.clone(), "anon")];
            // Written before its row was read, it was under the new key already and stays to the letter.
            assert_eq!(*now, value, "{name}");
        }
        assert!(values.values().all(|value| under(value) == Under::New));
    }
}

#[test]
fn a_row_that_a_writer_changes_under_the_old_key_between_batches_is_taken_again() {
    let fleet = Fleet::postgres(60);
    let held = Held::row(&fleet, &fleet.last());
    let running = fleet.rotate(&["--batch-size", "5", "--json"]).spawn();
    held.wait_for_waiter();
    // Rows behind the batches that stand.
    let late = fleet
        .values()
        .into_iter()
        .find(|((_, column), value)| *column == "anon" && under(value) == Under::New);
    let ((name, _), _) = late.expect("a batch that stands");
    let value = seal(&plaintext(&name, "anon"));
    let new = TenantRow::new("inserted").id("00000000-0000-4000-8000-000000000000");
    let [anon, service] = ["anon", "service"].map(|column| seal(&plaintext("inserted", column)));
    fleet
        .database
        .execute(&format!("update tenants set data_source_anon_key = '{value}' where subdomain = '{name}'"));
    fleet.database.insert(new.data_source("https://x.example", &anon, &service));
    drop(held);
    let ran = running.wait().expect_code(0);
    assert_eq!(ran.json()["keys"]["rotated"], 123);
    assert!(fleet.values().values().all(|value| under(value) == Under::New));
}

#[test]
fn a_tenant_that_is_added_under_the_old_key_meanwhile_is_taken_too() {
    let fleet = Fleet::postgres(1200);
    let held = Held::row(&fleet, &fleet.last());
    let running = fleet.rotate(&["--json"]).spawn();
    held.wait_for_waiter();
    let [anon, service] = ["anon", "service"].map(|column| seal(&plaintext("first", column)));
    let row = TenantRow::new("first").id("00000000-0000-4000-8000-000000000000");
    fleet.database.insert(row.data_source("https://x.example", &anon, &service));
    drop(held);
    assert_eq!(running.wait().expect_code(0).json()["keys"]["rotated"], 2402);
    assert!(fleet.values().values().all(|value| under(value) == Under::New));
}

#[test]
fn a_row_that_somebody_holds_for_too_long_is_said_to_be_held_and_by_whom() {
    let fleet = Fleet::postgres(20);
    let versions = fleet.versions();
    let held = Held::row(&fleet, "t00010");
    let ran = fleet.rotate(&["--lock-timeout", "200ms"]).run().expect_code(7);
    assert!(ran.stderr.contains("stayed locked: pid ") && ran.stderr.contains(&held.name), "{}", ran.stderr);
    let ran = fleet.rotate(&["--lock-timeout", "200ms", "--batch-size", "1"]).run();
    assert!(matches!(ran.code, Some(7 | 8)), "{ran:?}");
    drop(held);
    if ran.code == Some(7) {
        assert_eq!(fleet.versions(), versions);
    }
    fleet.rotate(&[]).run().expect_code(0);
}

#[test]
fn a_signal_while_it_waits_changes_nothing_and_says_so() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let fleet = Fleet::postgres(900);
        let held = Held::row(&fleet, &fleet.last());
        let mut running = fleet.rotate(&["--backup", "b"]).spawn();
        held.wait_for_waiter();
        let start = Instant::now();
        running.signal(signal);
        let ran = running.wait().expect_code(code);
        assert!(start.elapsed() < Duration::from_secs(10));
        assert!(ran.stderr.contains("nothing was changed"), "{}", ran.stderr);
        assert!(!fleet.file("b").exists());
        drop(held);
        fleet.assert_all(Under::Old);
    }
}

#[test]
fn a_signal_between_batches_leaves_a_part_and_says_so() {
    let fleet = Fleet::postgres(60);
    let held = Held::row(&fleet, &fleet.last());
    let mut running = fleet.rotate(&["--batch-size", "5"]).spawn();
    held.wait_for_waiter();
    running.signal(Signal::INT);
    let ran = running.wait().expect_code(8);
    assert!(ran.stderr.contains("110 stored keys were rotated"), "{}", ran.stderr);
    drop(held);
    assert_eq!(fleet.assert_readable()[&Under::New], 110);
    fleet.rotate(&["--batch-size", "5"]).run().expect_code(0);
    fleet.assert_all(Under::New);
}

/// A URL for a role of its own, with these rights on the database.
fn as_role(fleet: &Fleet, name: &str, grants: &str) -> String {
    let name = format!("rotation_{name}_{}", rand::random::<u32>());
    fleet.database.execute(&format!("create role {name} login; {}", grants.replace("ROLE", &name)));
    cluster().url_as(&name, fleet.database.database())
}

#[test]
fn a_role_without_update_changes_nothing_and_is_told_what_it_needs() {
    let fleet = Fleet::postgres(5);
    let versions = fleet.versions();
    let url = as_role(&fleet, "reader", "grant select on tenants to ROLE");
    for more in [&[][..], &["--dry-run"], &["--batch-size", "2"]] {
        let ran =
            fleet.cli_at(&url, &[&["--to", "file:new.key", "--yes"], more].concat()).run().expect_code(7);
        assert!(ran.stderr.contains("42501") && ran.stderr.contains("SELECT and UPDATE"), "{}", ran.stderr);
    }
    fleet.cli_at(&url, &["--verify"]).run().expect_code(0);
    assert_eq!(fleet.versions(), versions);
}

/// A rotation that does not see every row leaves the others behind with a key that is then thrown away.
#[test]
fn rows_that_a_policy_hides_are_an_error_and_not_left_behind() {
    let fleet = Fleet::postgres(5);
    fleet.database.execute(
        "alter table tenants enable row level security; create policy few on tenants using (subdomain < 't00003')",
    );
    let url =
        as_role(&fleet, "hidden", "grant select, update on tenants to ROLE; grant all on audit_log to ROLE");
    for args in [&["--to", "file:new.key", "--yes"][..], &["--verify"]] {
        let ran = fleet.cli_at(&url, args).run().expect_code(7);
        assert!(
            ran.stderr.contains("row-level security") && ran.stderr.contains("BYPASSRLS"),
            "{}",
            ran.stderr
        );
    }
    fleet.assert_all(Under::Old);
}

#[test]
fn what_is_no_plain_table_with_a_primary_key_is_refused() {
    for sql in [
        "alter table tenants rename to hidden; create view tenants as select * from hidden",
        "alter table tenants drop constraint tenants_pkey",
        "create table more () inherits (tenants)",
    ] {
        let fleet = Fleet::postgres(2);
        fleet.database.execute(sql);
        let ran = fleet.rotate(&[]).run().expect_code(5);
        assert!(ran.stderr.contains("cannot be rewritten"), "{}", ran.stderr);
    }
}

#[test]
fn a_file_that_another_program_writes_to_is_waited_for() {
    let fleet = Fleet::sqlite(5);
    let mut writer = process::command(process::find("sqlite3"), Signal::KILL, User::Own);
    writer.arg(fleet.file("application.db")).stdin(std::process::Stdio::piped());
    writer.stdout(std::process::Stdio::piped());
    let mut writer = process::spawn(writer);
    let (stdin, stdout, _) = writer.pipes();
    let mut stdin = stdin.unwrap();
    std::io::Write::write_all(&mut stdin, b"begin immediate;\nselect 'held';\n").unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout.unwrap()), &mut line).unwrap();
    let ran = fleet.rotate(&["--lock-timeout", "200ms"]).run().expect_code(7);
    assert!(ran.stderr.contains("database is locked"), "{}", ran.stderr);
    let waiting = fleet.rotate(&[]).spawn();
    thread::sleep(Duration::from_millis(300));
    drop(stdin);
    waiting.wait().expect_code(0);
    fleet.assert_all(Under::New);
}

#[test]
fn a_full_disk_under_the_file_changes_nothing() {
    let fleet = Fleet::sqlite(800);
    let before = fleet.values();
    std::fs::create_dir(fleet.file("small")).unwrap();
    // The file fits; its journal does not.
    let script = "size=$(stat -c %s \"$2\"); mount -t tmpfs -o size=$((size + 65536)) none \"$1\" || exit 99
        cp \"$2\" \"$1/application.db\" || exit 99
        \"$3\" rotate-key --yes --to \"file:$4\" --backup /dev/shm/never 2>&1; code=$?
        cp \"$1/application.db\" \"$2.after\" || exit 99; ls \"$1\"; exit $code";
    let done = std::process::Command::new("unshare")
        .args([
            "--map-root-user",
            "--mount",
            "sh",
            "-c",
            &script.replace(" --backup /dev/shm/never", ""),
            "sh",
        ])
        .arg(fleet.file("small"))
        .arg(fleet.file("application.db"))
        .arg(env!("CARGO_BIN_EXE_boothds"))
        .arg(fleet.file("new.key"))
        .env("DATABASE_URL", format!("sqlite:{}", fleet.file("small/application.db").display()))
        .env("ENCRYPTION_KEY", KEY)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    assert_eq!(done.status.code(), Some(7), "{said}{}", String::from_utf8_lossy(&done.stderr));
    assert!(said.contains("disk is full") && said.contains("nothing was changed"), "{said}");
    std::fs::rename(fleet.file("application.db.after"), fleet.file("application.db")).unwrap();
    assert_eq!(fleet.values(), before);
}

#[test]
fn a_file_that_may_not_be_written_changes_nothing() {
    let fleet = Fleet::sqlite(3);
    let sql = "create trigger frozen before update on tenants begin select raise(abort, 'frozen'); end";
    fleet.database.execute(sql);
    let ran = fleet.rotate(&[]).run().expect_code(7);
    assert!(ran.stderr.contains("frozen"), "{}", ran.stderr);
    fleet.database.execute("drop trigger frozen");
    let ran = Cli::new(["rotate-key", "--to", "file:new.key", "--yes"])
        .env("DATABASE_URL", "sqlite:/no/such/application.db")
        .env("ENCRYPTION_KEY", KEY)
        .cwd(fleet.folder.path())
        .run()
        .expect_code(5);
    assert!(ran.stderr.contains("does not exist"), "{}", ran.stderr);
    assert_eq!(open(&fleet.values()[&("t00000".to_owned(), "anon")]), Some(plaintext("t00000", "anon")));
}

/// The table that a trigger writes to may have policies: that they apply hides no tenant.
#[test]
fn policies_of_other_tables_apply_and_are_no_error() {
    for more in [&[][..], &["--batch-size", "2"]] {
        let fleet = Fleet::postgres(5);
        fleet.database.execute(
            "alter table audit_log enable row level security; create policy everybody on audit_log using (true) with check (true)",
        );
        let grants = "grant select, update on tenants to ROLE; grant all on audit_log to ROLE; \
                      grant usage on all sequences in schema public to ROLE";
        let url = as_role(&fleet, "audited", grants);
        fleet.cli_at(&url, &[&["--to", "file:new.key", "--yes"], more].concat()).run().expect_code(0);
        fleet.assert_all(Under::New);
    }
}

#[test]
fn a_lost_lock_is_noticed_by_batches_that_change_nothing_too() {
    let fleet = Fleet::postgres(5);
    fleet.rotate(&[]).run().expect_code(0);
    let held = Held::row(&fleet, &fleet.last());
    let running = fleet.rotate(&["--batch-size", "2"]).spawn();
    held.wait_for_waiter();
    fleet.database.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() \
         and application_name like 'boothds%' and state = 'idle in transaction'",
    );
    drop(held);
    let ran = running.wait().expect_code(7);
    assert!(ran.stderr.contains("the lock against a second rotation was lost"), "{}", ran.stderr);
}
