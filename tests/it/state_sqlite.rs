//! The state store in a SQLite file, when the file, the disk or somebody else is in the way.

use std::fs::{self, Permissions};
use std::io::{BufRead as _, Write as _};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use boothds::clock::Clock;
use boothds::state::{CachedRow, Change, Position, Report, Scope, StateError, StateFailure, StateStore};
use boothds::url::sqlite_url;
use jiff::SignedDuration;
use tempfile::TempDir;
use tokio::time::timeout;

use crate::state_store::{followed, found, id, identity, location, now, open, report, row, tenants};
use crate::support::process::{self, Signal, User};
use crate::support::scratch;

fn sqlite(path: &Path, sql: &str) -> String {
    let mut command = process::command(process::find("sqlite3"), Signal::KILL, User::Own);
    command.arg(path).arg(sql);
    let output = process::run(command, b"", Duration::from_secs(20));
    assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}

fn place() -> (TempDir, PathBuf, String) {
    let folder = scratch::folder("state");
    let path = folder.path().join("a b").join("state.db");
    let url = sqlite_url(&path);
    (folder, path, url)
}

async fn refused(url: &str) -> (StateFailure, String) {
    let error = StateStore::open(&location(url), identity("n", Clock::Fixed(now()))).await.unwrap_err();
    (error.failure, error.to_string())
}

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn it_is_made_with_its_folder_for_its_owner_alone_and_nothing_is_left_beside_it() {
    let (_folder, path, url) = place();
    let existing = StateStore::open_existing(&location(&url), identity("n", Clock::System)).await;
    assert!(existing.unwrap().is_none() && !path.exists());
    let store = open(&url, "n", Clock::Fixed(now())).await;
    store.write(&[row("a")], store.position().await.unwrap()).await.unwrap();
    assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    for beside in fs::read_dir(path.parent().unwrap()).unwrap() {
        assert_eq!(mode(&beside.unwrap().path()), 0o600);
    }
    store.close().await;
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    assert_eq!(sqlite(&path, "PRAGMA journal_mode"), "wal");
    assert!(!fs::read(&path).unwrap().windows(7).any(|bytes| bytes == b"a plain"), "something is readable");
    // A mode that was opened up is narrowed again.
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    assert_eq!(found(&open(&url, "n", Clock::Fixed(now())).await, "a").await, "row");
    assert_eq!(mode(&path), 0o600);
}

#[tokio::test]
async fn what_is_not_a_store_of_ours_is_refused_and_left_as_it_is() {
    let (_folder, path, url) = place();
    open(&url, "n", Clock::Fixed(now())).await.close().await;
    let good = fs::read(&path).unwrap();
    let mut newer = good.clone();
    newer[63] = 9;
    let mut foreign = good.clone();
    foreign[68..72].copy_from_slice(&[1, 2, 3, 4]);
    let cases: [(&[u8], StateFailure, &str); 4] = [
        (&newer, StateFailure::Newer, "format is 9"),
        (&foreign, StateFailure::Foreign, "another program's"),
        (b"#!/bin/sh\necho hello\n", StateFailure::Foreign, "no SQLite database"),
        (b"", StateFailure::Foreign, "empty"),
    ];
    for (bytes, failure, says) in cases {
        fs::write(&path, bytes).unwrap();
        let (is, text) = refused(&url).await;
        assert_eq!(is, failure, "{text}");
        assert!(text.contains(says) && text.contains("state.db"), "{text}");
        assert_eq!(fs::read(&path).unwrap(), bytes);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert_eq!(refused(&url).await.0, StateFailure::Foreign);
    fs::write(path.join("file"), "").unwrap();
    assert_eq!(refused(&sqlite_url(&path.join("file").join("state.db"))).await.0, StateFailure::Foreign);
}

fn word<T>(outcome: Result<T, StateError>) -> String {
    outcome.map_or_else(|error| format!("{:?}", error.failure), |_| "well".to_owned())
}

/// Opens, reads, writes until it fails (or 2,000 rows are there), reads again, and prints how each ended. For tests in
/// which the process has a limit or lacks a right; told by its standard input where the store is.
#[test]
#[ignore = "a part of other tests"]
fn a_process_within_bounds() {
    let mut lines = std::io::stdin().lock().lines().map_while(Result::ok);
    let Some(url) = lines.next() else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let words = runtime.block_on(async {
        let opened = StateStore::open(&location(&url), identity("n", Clock::Fixed(now()))).await;
        let Ok(store) = &opened else { return vec![word(opened)] };
        let read = word(store.read(&id("a")).await);
        let mut written = "well".to_owned();
        let since = store.position().await.unwrap_or_default();
        for number in 0..20 {
            let rows: Vec<_> = (0..100).map(|tenant| row(&format!("t{number}-{tenant}"))).collect();
            written = word(store.write(&rows, since).await);
            if written != "well" {
                break;
            }
        }
        vec!["well".to_owned(), read, written, word(store.read(&id("a")).await)]
    });
    // In a file, since the harness keeps the output of tests to itself.
    fs::write(lines.next().unwrap(), words.join(" ")).unwrap();
}

/// What [`a_process_within_bounds`] prints, run by a shell script that ends in `exec "$@"`.
fn within_bounds(script: &str, url: &str, user: User) -> String {
    let folder = scratch::folder("words");
    fs::set_permissions(folder.path(), Permissions::from_mode(0o777)).unwrap();
    let words = folder.path().join("words");
    let mut command = process::command(process::find("sh"), Signal::KILL, user);
    command.args(["-c", script, "sh"]).arg(std::env::current_exe().unwrap());
    command.args(["--ignored", "--exact", "state_sqlite::a_process_within_bounds"]);
    let input = format!("{url}\n{}\n", words.display());
    let output = process::run(command, input.as_bytes(), Duration::from_secs(60));
    let [out, err] =
        [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    fs::read_to_string(words).unwrap_or_else(|_| panic!("{out}\n{err}"))
}

async fn filled(url: &str) -> StateStore {
    let store = open(url, "n", Clock::Fixed(now())).await;
    let since = store.position().await.unwrap();
    assert_eq!(store.write(&[row("a"), row("b")], since).await.unwrap(), 2);
    store
}

#[tokio::test]
async fn a_file_or_folder_that_may_not_be_written_says_so_and_is_read_as_far_as_it_can_be() {
    let (folder, path, url) = place();
    filled(&url).await.close().await;
    let home = path.parent().unwrap();
    for place in [folder.path(), home, &path] {
        scratch::give_to_server(place);
    }
    assert_eq!(within_bounds("exec \"$@\"", &url, User::Server), "well well well well");
    let before = fs::read(&path).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o400)).unwrap();
    assert_eq!(within_bounds("exec \"$@\"", &url, User::Server), "well well ReadOnly well");
    fs::set_permissions(home, Permissions::from_mode(0o500)).unwrap();
    let words = within_bounds("exec \"$@\"", &url, User::Server);
    assert!(words.contains("ReadOnly") || words.contains("Denied"), "{words}");
    fs::set_permissions(&path, Permissions::from_mode(0o000)).unwrap();
    assert_eq!(within_bounds("exec \"$@\"", &url, User::Server), "Denied");
    let new = sqlite_url(&home.join("new").join("state.db"));
    assert_eq!(within_bounds("exec \"$@\"", &new, User::Server), "Denied");
    fs::set_permissions(home, Permissions::from_mode(0o700)).unwrap();
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[tokio::test]
async fn a_full_disk_costs_what_was_to_be_written_and_nothing_else() {
    let (_folder, path, url) = place();
    filled(&url).await.close().await;
    // The limit of a file's size stands for the end of the disk: 200 blocks of 512 bytes.
    let limited = "trap '' XFSZ; ulimit -f 200; exec \"$@\"";
    assert_eq!(within_bounds(limited, &url, User::Own), "well well Full well");
    let store = open(&url, "n", Clock::Fixed(now())).await;
    assert_eq!((found(&store, "a").await, found(&store, "b").await), ("row", "row"));
    let since = store.position().await.unwrap();
    assert_eq!(store.write(&[row("c")], since).await.unwrap(), 1);
    assert_eq!(sqlite(&path, "PRAGMA integrity_check"), "ok");
    // No file can be made where there is no room for it, and none is left behind.
    let new = path.with_file_name("new.db");
    assert_eq!(within_bounds("trap '' XFSZ; ulimit -f 8; exec \"$@\"", &sqlite_url(&new), User::Own), "Full");
    let mut names: Vec<_> =
        fs::read_dir(path.parent().unwrap()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.retain(|name| !name.to_string_lossy().starts_with("state.db"));
    assert!(names.is_empty(), "{names:?}");
}

#[tokio::test]
async fn a_corrupt_file_is_reported_and_left_as_it_is() {
    let (_folder, path, url) = place();
    filled(&url).await.close().await;
    let good = fs::read(&path).unwrap();
    let mut scrambled = good.clone();
    scrambled[100..].fill(0xaa);
    for bytes in [scrambled, good[..good.len() / 2].to_vec(), good[..100].to_vec()] {
        fs::write(&path, &bytes).unwrap();
        let outcome = match StateStore::open(&location(&url), identity("n", Clock::Fixed(now()))).await {
            Ok(store) => match store.read(&id("a")).await {
                Ok(_) => store.write(&[row("c")], store.position().await.unwrap()).await.map(|_| ()),
                Err(error) => Err(error),
            },
            Err(error) => Err(error),
        };
        let error = outcome.unwrap_err();
        assert_eq!(error.failure, StateFailure::Corrupt, "{error}");
        assert_eq!(fs::read(&path).unwrap(), bytes);
    }
    // A table that somebody removed.
    fs::write(&path, &good).unwrap();
    sqlite(&path, "DROP TABLE cached");
    let store = open(&url, "n", Clock::Fixed(now())).await;
    assert_eq!(store.read(&id("a")).await.unwrap_err().failure, StateFailure::Corrupt);
}

#[tokio::test]
async fn a_file_that_is_removed_is_made_anew_and_who_followed_it_learns_of_the_gap() {
    let (_folder, path, url) = place();
    let (one, two) = (filled(&url).await, open(&url, "n", Clock::Fixed(now())).await);
    let position = two.position().await.unwrap();
    assert!(timeout(Duration::from_millis(600), two.follow(position)).await.is_err());
    // Only the file, not the log beside it, which must not be taken for the new one's.
    let beside = path.with_file_name("state.db-wal");
    assert!(beside.metadata().unwrap().len() > 0);
    fs::remove_file(&path).unwrap();
    let (_, _, gap) = followed(&two, position).await;
    assert!(gap);
    assert_eq!((found(&one, "a").await, found(&two, "a").await), ("nothing", "nothing"));
    assert_eq!(two.write(&[row("a")], position).await.unwrap(), 0);
    let position = two.position().await.unwrap();
    assert_eq!(two.write(&[row("a")], position).await.unwrap(), 1);
    one.invalidate(&tenants(&["a"]), None).await.unwrap();
    assert_eq!(followed(&two, position).await.0, [Change::Tenant(id("a"))]);
    assert_eq!(sqlite(&path, "PRAGMA integrity_check"), "ok");
    one.close().await;
    two.close().await;
    // A link that leads nowhere is in the way of a new file.
    fs::remove_file(&path).unwrap();
    symlink(path.with_file_name("nowhere"), &path).unwrap();
    assert_eq!(refused(&url).await.0, StateFailure::Foreign);
    assert!(path.is_symlink() && fs::read_dir(path.parent().unwrap()).unwrap().count() == 1);
}

#[tokio::test]
async fn rows_that_were_planted_moved_or_altered_are_refused() {
    let (_folder, path, url) = place();
    let (one, other) = (filled(&url).await, open(&url, "other", Clock::Fixed(now())).await);
    for (sql, store, tenant) in [
        (
            "UPDATE cached SET content = CAST(replace(CAST(content AS TEXT), 'a.example', 'evil.example') AS BLOB) WHERE tenant = 'a'",
            &one,
            "a",
        ),
        (
            "INSERT OR REPLACE INTO cached SELECT 'n', 'c', expires, code, content FROM cached WHERE tenant = 'b'",
            &one,
            "c",
        ),
        (
            "INSERT INTO cached SELECT 'other', tenant, expires, code, content FROM cached WHERE tenant = 'b'",
            &other,
            "b",
        ),
        ("UPDATE cached SET expires = expires + 1 WHERE tenant = 'b' AND namespace = 'n'", &one, "b"),
        ("INSERT INTO cached VALUES ('n', 'd', 9e15, x'00', x'7b7d')", &one, "d"),
        ("INSERT INTO cached VALUES ('n', 'e', -1, x'', x'ff')", &one, "e"),
    ] {
        sqlite(&path, sql);
        assert_eq!(found(store, tenant).await, "refused", "{sql}");
    }
    // A good one takes the place of what was planted.
    let since = one.position().await.unwrap();
    assert_eq!(one.write(&[row("a")], since).await.unwrap(), 1);
    assert_eq!(found(&one, "a").await, "row");
    // So are counts, instances and entries of the log that nobody here wrote: none of it ends the program.
    one.report(&report("i", 1, 0, 5)).await.unwrap();
    sqlite(&path, "UPDATE space SET counts = 'no json'; UPDATE instance SET content = '{}'");
    let totals = one.totals().await.unwrap();
    assert_eq!((totals.counts.cache_hits, totals.instances.len()), (0, 0));
    sqlite(&path, "INSERT INTO log SELECT 'n', head + 1, 77, NULL, 0 FROM space WHERE namespace = 'n'");
    sqlite(&path, "UPDATE space SET head = head + 1 WHERE namespace = 'n'");
    assert_eq!(followed(&one, since).await.0, [Change::All]);
    sqlite(&path, "UPDATE space SET epoch = -5, head = -5");
    assert!(one.report(&report("i", 2, 1, 5)).await.is_ok() && one.read(&id("a")).await.is_ok());
}

#[tokio::test]
async fn another_writer_is_waited_for_and_given_up_in_time_while_reading_goes_on() {
    let (_folder, path, url) = place();
    let store = filled(&url).await;
    let mut command = process::command(process::find("sqlite3"), Signal::KILL, User::Own);
    command.arg(&path).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut holder = process::spawn(command);
    let (stdin, stdout, _) = holder.pipes();
    let mut stdin = stdin.unwrap();
    writeln!(stdin, "BEGIN IMMEDIATE; SELECT 'held';").unwrap();
    let mut line = String::new();
    std::io::BufReader::new(stdout.unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "held\n");
    let since = store.position().await.unwrap();
    let rows = [row("c")];
    let mut writing = std::pin::pin!(store.write(&rows, since));
    assert!(timeout(Duration::from_millis(300), &mut writing).await.is_err());
    assert_eq!(found(&store, "a").await, "row");
    assert!(timeout(Duration::from_millis(1), &mut writing).await.is_err(), "it did not wait");
    assert_eq!(writing.await.unwrap_err().failure, StateFailure::Timeout);
    writeln!(stdin, "COMMIT; SELECT 'done';").unwrap();
    assert_eq!(store.write(&[row("c")], since).await.unwrap(), 1);
}

#[tokio::test]
async fn a_log_that_was_cut_is_a_gap_and_keeps_the_last_hour_and_ten_thousand_entries() {
    let (_folder, path, url) = place();
    let (store, later) =
        (filled(&url).await, open(&url, "n", Clock::Fixed(now() + SignedDuration::from_hours(2))).await);
    let start = store.position().await.unwrap();
    let many = |count: usize| Scope::Tenants((0..count).map(|number| id(&format!("t{number}"))).collect());
    store.invalidate(&many(10_600), None).await.unwrap();
    let (list, middle, gap) = followed(&store, start).await;
    assert_eq!((list.len(), gap), (10_600, false));
    later.invalidate(&many(600), None).await.unwrap();
    assert_eq!(sqlite(&path, "SELECT count(*) FROM log"), "10000");
    assert!(followed(&store, start).await.2);
    assert_eq!(store.write(&[row("c")], start).await.unwrap(), 0);
    let (list, end, gap) = followed(&store, middle).await;
    assert_eq!((list.len(), gap), (600, false));
    assert_eq!(store.write(&[row("c"), row("t0")], middle).await.unwrap(), 1);
    // A position that does not exist yet is no good one either.
    assert!(followed(&store, Position(end.0, end.1 + 1)).await.2);
    assert_eq!(store.write(&[row("d")], Position(end.0, end.1 + 1)).await.unwrap(), 0);
}

#[tokio::test]
async fn an_instance_without_a_sign_of_life_is_gone_and_its_counts_stay() {
    let (_folder, path, url) = place();
    let store = open(&url, "n", Clock::Fixed(now())).await;
    let epoch = store.report(&report("old", 1, 0, 5)).await.unwrap();
    let at = |seconds: i64| Clock::Fixed(now() + SignedDuration::from_secs(seconds));
    for (seconds, alive) in [(15, 1), (16, 0), (-15, 1), (-16, 0)] {
        let store = open(&url, "n", at(seconds)).await;
        assert_eq!(store.totals().await.unwrap().instances.len(), alive, "{seconds}");
        // Who is gone is not waited for.
        assert_eq!(timeout(Duration::from_secs(5), store.reset(None)).await.unwrap().unwrap(), 0);
    }
    let day = open(&url, "n", at(86_401)).await;
    let epoch = day
        .report(&Report { position: Position::default(), ..report("new", 1, epoch + 4, 1) })
        .await
        .unwrap();
    assert!(epoch > 0);
    assert_eq!(sqlite(&path, "SELECT id FROM instance"), "new");
    assert_eq!(day.totals().await.unwrap().counts.cache_hits, 1);
}

#[tokio::test]
async fn a_process_that_is_killed_while_it_writes_leaves_a_whole_store() {
    let (_folder, path, url) = place();
    let store = filled(&url).await;
    for number in 0..6 {
        let program = std::env::current_exe().unwrap();
        let mut command = process::command(program, Signal::KILL, User::Own);
        command.args(["--ignored", "--exact", "state_store::a_process_of_eight"]);
        command.stdin(Stdio::piped()).stdout(Stdio::null());
        let mut child = process::spawn(command);
        writeln!(child.pipes().0.unwrap(), "{url}\nkilled{number}").unwrap();
        let first = format!("killed{number}-1");
        while found(&store, &first).await == "nothing" {
            assert!(child.try_wait().is_none(), "it ended before it was killed");
        }
        child.kill();
        let since = store.position().await.unwrap();
        let again = CachedRow { ..row("a") };
        assert_eq!(store.write(&[again], since).await.unwrap(), 1);
    }
    assert_eq!(found(&store, "killed5-1").await, "row");
    assert_eq!(sqlite(&path, "PRAGMA integrity_check"), "ok");
}
