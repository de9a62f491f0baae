//! The state store in a SQLite file, when the file, the disk or somebody else is in the way.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use boothds::clock::Clock;
use boothds::state::{StateFailure, StateStore};
use boothds::url::sqlite_url;
use tempfile::TempDir;

use crate::state_store::{found, identity, location, now, open, row};
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
