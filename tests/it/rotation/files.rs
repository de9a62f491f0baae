//! The files of a rotation: the new key, the backup.

use std::os::unix::fs::PermissionsExt as _;

use super::fleet::{Fleet, Under, open};
use crate::fixture::{KEY, seal};
use crate::support::cli::Cli;

#[test]
fn a_generated_key_is_private_durable_and_the_one_that_seals() {
    for fleet in Fleet::both(4) {
        let ran = fleet.cli(&["--generate", "made.key", "--yes", "--json"]).run().expect_code(0);
        let file = fleet.file("made.key");
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let verify = fleet.cli(&["--verify", "--to", "file:made.key", "--json"]).run().expect_code(0);
        assert_eq!(verify.json()["toKeyId"], ran.json()["toKeyId"]);
        assert!(ran.stderr.contains("made.key"), "{}", ran.stderr);
    }
}

#[test]
fn an_existing_key_file_is_kept_and_the_command_that_goes_on_with_it_works_as_printed() {
    let fleet = Fleet::sqlite(3);
    let cli = fleet.cli(&[
        "--generate",
        "new.key",
        "--yes",
        "--batch-size",
        "2",
        "--as-user",
        "11111111-2222-4333-8444-555555555555",
    ]);
    let ran = cli.run().expect_code(9);
    let command = ran.stderr.split_once("go on with it: ").unwrap().1.trim();
    assert!(command.contains("--to file:new.key") && command.contains("--batch-size 2"), "{command}");
    fleet.assert_all(Under::Old);
    let done = std::process::Command::new("sh")
        .args(["-c", command])
        .current_dir(fleet.folder.path())
        .env("DATABASE_URL", fleet.database.url())
        .env("ENCRYPTION_KEY", KEY)
        .output()
        .unwrap();
    assert_eq!(done.status.code(), Some(0), "{}", String::from_utf8_lossy(&done.stderr));
    fleet.assert_all(Under::New);
}

#[test]
fn a_key_file_that_cannot_be_written_ends_it_before_anything_else() {
    let fleet = Fleet::postgres(2);
    let versions = fleet.versions();
    std::fs::create_dir(fleet.file("folder")).unwrap();
    for file in ["/proc/new.key", "/no/such/folder/new.key", "folder", "new.key"] {
        let ran = fleet.cli(&["--generate", file, "--yes"]).run().expect_code(9);
        assert!(ran.stderr.contains(file), "{}", ran.stderr);
    }
    // The folder is there and takes no more files.
    let full = Fleet::sqlite(2);
    let script = "mount -t tmpfs -o size=4k,nr_inodes=1 none \"$1\" && shift && exec \"$@\"";
    std::fs::create_dir(full.file("full")).unwrap();
    let done = std::process::Command::new("unshare")
        .args(["--map-root-user", "--mount", "sh", "-c", script, "sh"])
        .arg(full.file("full"))
        .arg(env!("CARGO_BIN_EXE_boothds"))
        .args(["rotate-key", "--yes", "--generate"])
        .arg(full.file("full/new.key"))
        .env("DATABASE_URL", full.database.url())
        .env("ENCRYPTION_KEY", KEY)
        .output()
        .unwrap();
    assert_eq!(done.status.code(), Some(9), "{}", String::from_utf8_lossy(&done.stderr));
    full.assert_all(Under::Old);
    assert_eq!(fleet.versions(), versions);
}

#[test]
fn an_unreachable_database_leaves_a_key_file_that_the_next_run_takes() {
    let fleet = Fleet::sqlite(2);
    let cli = fleet.cli_at("postgres://u@127.0.0.1:1/x", &["--generate", "made.key", "--yes"]);
    cli.run().expect_code(5);
    assert!(fleet.file("made.key").exists());
    fleet.cli(&["--to", "file:made.key", "--yes"]).run().expect_code(0);
}

#[test]
fn a_backup_holds_every_change_and_restores_what_nobody_has_changed_since() {
    for fleet in Fleet::both(203) {
        let before = fleet.values();
        fleet.rotate(&["--backup", "b.jsonl"]).run().expect_code(0);
        let after = fleet.values();
        let file = fleet.file("b.jsonl");
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let text = std::fs::read_to_string(&file).unwrap();
        assert_eq!(text.lines().count(), 407);
        assert_eq!(text.lines().last(), Some(r#"{"lines":406}"#));
        for line in text.lines().take(406) {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            assert!(line.as_object().unwrap().len() == 4 && line["tenant"].is_string());
            let [old, new] = ["old", "new"].map(|name| line[name].as_str().unwrap().to_owned());
            assert_eq!(open(&old), open(&new));
            assert!(before.values().any(|value| *value == old) && after.values().any(|value| *value == new));
        }
        // Somebody writes one key and removes a tenant meanwhile.
        let written = seal("written since");
        fleet.database.execute(&format!(
            "update tenants set data_source_anon_key = '{written}' where subdomain = 't00007';
             delete from tenants where subdomain = 't00008'"
        ));
        let dry = fleet.cli(&["--restore", "b.jsonl", "--dry-run", "--json"]).run().expect_code(1);
        assert_eq!(dry.json()["keys"]["restored"], 403);
        fleet.cli(&["--restore", "b.jsonl"]).run().expect_code(2);
        let ran = fleet.cli(&["--restore", "b.jsonl", "--yes", "--json"]).run().expect_code(1);
        let document = ran.json();
        assert_eq!(document["keys"]["restored"], 403);
        let left = document["notRestored"].as_array().unwrap();
        let reasons: Vec<&str> = left.iter().map(|left| left["reason"].as_str().unwrap()).collect();
        assert_eq!(reasons.len(), 3, "{document}");
        assert_eq!(reasons.iter().filter(|reason| **reason == "no-tenant").count(), 2);
        let mut expected = before.clone();
        expected.retain(|(name, _), _| name != "t00008");
        expected.insert(("t00007".to_owned(), "anon"), written);
        assert_eq!(fleet.values(), expected);
        let again = fleet.cli(&["--restore", "b.jsonl", "--yes", "--json"]).run().expect_code(1);
        assert_eq!(
            (&again.json()["keys"]["restored"], &again.json()["keys"]["alreadyRestored"]),
            (&0.into(), &403.into())
        );
    }
}

#[test]
fn a_backup_is_never_written_over_another_and_not_left_where_nothing_changed() {
    let fleet = Fleet::postgres(3);
    std::fs::write(fleet.file("b"), "the only copy").unwrap();
    let ran = fleet.cli(&["--generate", "made.key", "--yes", "--backup", "b"]).run().expect_code(9);
    assert!(ran.stderr.contains("only copy"), "{}", ran.stderr);
    assert!(!fleet.file("made.key").exists(), "refused before a key is made");
    fleet.database.break_audit_trigger();
    fleet.rotate(&["--backup", "c"]).run().expect_code(7);
    assert!(!fleet.file("c").exists());
    assert_eq!(std::fs::read_to_string(fleet.file("b")).unwrap(), "the only copy");
}

#[test]
fn a_backup_that_finds_no_room_stops_it_with_nothing_changed() {
    let fleet = Fleet::sqlite(600);
    let script = "mount -t tmpfs -o size=64k none \"$1\" && shift && exec \"$@\"";
    std::fs::create_dir(fleet.file("full")).unwrap();
    let done = std::process::Command::new("unshare")
        .args(["--map-root-user", "--mount", "sh", "-c", script, "sh"])
        .arg(fleet.file("full"))
        .arg(env!("CARGO_BIN_EXE_boothds"))
        .args(["rotate-key", "--yes", "--to"])
        .arg(format!("file:{}", fleet.file("new.key").display()))
        .arg("--backup")
        .arg(fleet.file("full/b"))
        .env("DATABASE_URL", fleet.database.url())
        .env("ENCRYPTION_KEY", KEY)
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&done.stderr);
    assert_eq!(done.status.code(), Some(7), "{stderr}");
    assert!(stderr.contains("No space left"), "{stderr}");
    fleet.assert_all(Under::Old);
}

#[test]
fn half_a_last_line_is_passed_over_and_said_and_a_damaged_file_restores_nothing() {
    let fleet = Fleet::sqlite(3);
    fleet.rotate(&["--backup", "b"]).run().expect_code(0);
    let whole = std::fs::read_to_string(fleet.file("b")).unwrap();
    let lines: Vec<&str> = whole.split_inclusive('\n').collect();
    let end = lines[6];
    let write = |name: &str, text: String| std::fs::write(fleet.file(name), text).unwrap();
    write("torn", lines[..5].concat() + &lines[5][..30]);
    write("damaged", whole.replacen("\"old\"", "\"odd\"", 2));
    write("fewer", lines[1..].concat());
    write("behind", whole.clone() + lines[0]);
    write("empty", String::new());
    write("long", format!("{}\n", "x".repeat(5 << 20)));
    for (file, says) in [
        ("damaged", "line 1"),
        ("new.key", "line 1"),
        ("fewer", "it counts 6 lines, and 5 are there"),
        ("behind", "line 8"),
        ("empty", "holds no line"),
        ("long", "line 1 is no line of a backup: it is longer than"),
    ] {
        let ran = fleet.cli(&["--restore", file, "--yes"]).run().expect_code(7);
        assert!(ran.stderr.contains(says) && !ran.stderr.contains("feedface"), "{file}: {}", ran.stderr);
    }
    fleet.assert_all(Under::New);
    let ran = fleet.cli(&["--restore", "torn", "--yes"]).run().expect_code(1);
    assert!(ran.stderr.contains("or the file was cut off"), "{}", ran.stderr);
    assert_eq!(fleet.assert_readable()[&Under::Old], 5);
    // All of the last line but its end, and nothing that says that it is the last.
    write("unended", lines[..6].concat().trim_end().to_owned());
    let ran = fleet.cli(&["--restore", "unended", "--yes", "--json"]).run().expect_code(0);
    assert!(ran.stderr.contains("does not say that it is whole"), "{}", ran.stderr);
    assert_eq!(ran.json()["keys"]["restored"], 1);
    fleet.assert_all(Under::Old);
    let ran = fleet.cli(&["--restore", "b", "--yes"]).run().expect_code(0);
    assert!(end.contains("lines") && !ran.stderr.contains("whole"), "{}", ran.stderr);
    fleet.cli(&["--restore", "/no/such/file", "--yes"]).run().expect_code(9);
}

#[test]
fn a_pipe_is_no_backup_and_is_not_waited_for() {
    let fleet = Fleet::sqlite(3);
    fleet.rotate(&["--backup", "b"]).run().expect_code(0);
    let fifo = fleet.file("fifo");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let text = std::fs::read_to_string(fleet.file("b")).unwrap();
    let piped = fleet.cli(&["--restore", "/dev/stdin", "--yes"]).stdin(text);
    for cli in [fleet.cli(&["--restore", "fifo", "--yes"]), piped, fleet.cli(&["--restore", ".", "--yes"])] {
        let ran = cli.run().expect_code(9);
        assert!(ran.stderr.contains("is no regular file"), "{}", ran.stderr);
    }
    fleet.assert_all(Under::New);
}

#[test]
fn a_value_that_the_backup_could_not_give_back_stops_it_with_nothing_changed() {
    let fleet = Fleet::sqlite(2);
    let long = seal(&"x".repeat(3 << 20));
    fleet
        .database
        .execute(&format!("update tenants set data_source_anon_key = '{long}' where subdomain = 't00001'"));
    let before = fleet.values();
    let ran = fleet.rotate(&["--backup", "b"]).run().expect_code(7);
    assert!(ran.stderr.contains("data_source_anon_key") && ran.stderr.contains("too long"), "{}", ran.stderr);
    assert!(fleet.values() == before && !fleet.file("b").exists());
}

#[test]
fn a_backup_of_nothing_is_not_left_in_the_way() {
    let fleet = Fleet::sqlite(2);
    fleet.rotate(&[]).run().expect_code(0);
    fleet.rotate(&["--backup", "b"]).run().expect_code(0);
    assert!(!fleet.file("b").exists());
}

/// A batch that was tried again has two lines for a value, of which one never stood.
#[test]
fn a_value_that_is_there_already_is_not_said_to_be_left() {
    let fleet = Fleet::sqlite(1);
    let now = fleet.values()[&("t00000".to_owned(), "anon")].clone();
    let tenant = fleet.database.execute("select id from tenants");
    let line = |old: &str, new: &str| {
        format!(r#"{{"tenant":"{tenant}","column":"data_source_anon_key","old":"{old}","new":"{new}"}}"#)
            + "\n"
    };
    std::fs::write(fleet.file("b"), line("another", "never stood") + &line(&now, "rotated")).unwrap();
    let ran = fleet.cli(&["--restore", "b", "--yes", "--json"]).run().expect_code(0);
    assert_eq!(
        (&ran.json()["keys"]["alreadyRestored"], &ran.json()["keys"]["notRestored"]),
        (&1.into(), &0.into())
    );
}

#[test]
fn restoring_needs_no_key() {
    let fleet = Fleet::postgres(3);
    fleet.rotate(&["--backup", "b"]).run().expect_code(0);
    Cli::new(["rotate-key", "--restore", "b", "--yes"])
        .env("DATABASE_URL", fleet.database.url())
        .cwd(fleet.folder.path())
        .run()
        .expect_code(0);
    fleet.assert_all(Under::Old);
}

/// The very same command would find its own files in its way.
#[test]
fn a_part_is_finished_with_the_command_that_is_printed() {
    let fleet = Fleet::postgres(60);
    let held = super::faults::Held::row(&fleet, &fleet.last());
    let args = ["--generate", "made.key", "--backup=b", "--yes", "--batch-size", "5"];
    let mut running = fleet.cli(&args).spawn();
    held.wait_for_waiter();
    running.signal(crate::support::process::Signal::INT);
    let ran = running.wait().expect_code(8);
    drop(held);
    let command = ran.stderr.split_once("finish with ").unwrap().1.lines().next().unwrap();
    assert!(command.contains("--to file:made.key --backup b.2 --yes --batch-size 5"), "{command}");
    let done = std::process::Command::new("sh")
        .args(["-c", command])
        .current_dir(fleet.folder.path())
        .env("DATABASE_URL", fleet.database.url())
        .env("ENCRYPTION_KEY", KEY)
        .output()
        .unwrap();
    assert_eq!(done.status.code(), Some(0), "{}", String::from_utf8_lossy(&done.stderr));
    fleet.cli(&["--verify", "--to", "file:made.key"]).run().expect_code(0);
    let parts = ["b.2", "b"].map(|name| std::fs::read_to_string(fleet.file(name)).unwrap());
    let lines = |text: &str| text.lines().filter(|line| line.contains("tenant")).count();
    assert!(lines(&parts[0]) + lines(&parts[1]) >= 120, "together they hold every value");
}
