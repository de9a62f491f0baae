//! The state store and what is cached in it, each time broken in one way.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::patient::{Patient, checks, messages, of, wrong};
use crate::fixture::seal;
use crate::support::fleet::sqlite3;
use crate::support::redis::RedisServer;

#[test]
fn a_file_that_is_none_of_ours_or_of_a_later_version_is_told() {
    let patient = Patient::sqlite();
    let file = patient.folder.path().join("odd.db");
    let doctor = || patient.doctor(&[]).env("BOOTHDS_STATE_URL", format!("sqlite:{}", file.display()));
    for (make, says) in [
        ("text", "the file is no SQLite database"),
        ("create table x (y)", "the SQLite database is another program's"),
        (
            "pragma application_id = 1651470196; pragma user_version = 9; create table x (y)",
            "its format is 9, and this version knows 1",
        ),
    ] {
        let _ = fs::remove_file(&file);
        if make == "text" {
            fs::write(&file, "hello").unwrap();
        } else {
            sqlite3(&file, make);
        }
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        let found = checks(&doctor(), 1);
        assert_eq!(wrong(&found), ["error state.reachable"], "{make}");
        let hint = of(&found, "state.reachable")[0]["hint"].as_str().unwrap();
        assert!(!hint.contains("is it running"), "{hint}");
        // What is not ours is left as it is, and nothing else is said of it.
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        let found = checks(&doctor(), 1);
        let said: Vec<String> =
            messages(&found, "state.mode", "warning").iter().map(|text| patient.plain(text)).collect();
        assert_eq!(said, ["FOLDER/odd.db has the mode 0644"]);
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o644);
        assert!(messages(&found, "state.reachable", "error")[0].ends_with(says), "{found:#?}");
        assert_eq!(messages(&found, "cache.same", "skipped"), ["the state store cannot be used"]);
    }
}

#[test]
fn a_file_that_others_could_read_is_told_once() {
    let patient = Patient::sqlite();
    let file = patient.folder.path().join("state.db");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let found = patient.checks(&[], 0);
    let said: Vec<String> =
        messages(&found, "state.mode", "warning").iter().map(|text| patient.plain(text)).collect();
    assert_eq!(said, ["FOLDER/state.db had the mode 0644, and is narrowed now to its owner"]);
    assert_eq!(wrong(&patient.checks(&[], 0)), [""; 0]);
}

#[test]
fn a_store_that_can_never_be_made_is_not_merely_not_there_yet() {
    let patient = Patient::sqlite();
    let file = patient.folder.path().join("state.db");
    std::os::unix::fs::symlink("/no/such/file", patient.folder.path().join("link")).unwrap();
    let link = patient.folder.path().join("link").display().to_string();
    let under = file.join("below.db").display().to_string();
    for place in ["/proc/x/state.db", &under, &link] {
        let found = checks(&patient.doctor(&[]).env("BOOTHDS_STATE_URL", format!("sqlite:{place}")), 1);
        let said = messages(&found, "state.reachable", "error");
        assert_eq!(said.len(), 1, "{place}: {:#?}", of(&found, "state.reachable"));
    }
    let new = patient.folder.path().join("a/b/state.db");
    let url = format!("sqlite:{}", new.display());
    let found = checks(&patient.doctor(&[]).env("BOOTHDS_STATE_URL", url), 0);
    assert!(messages(&found, "state.reachable", "ok")[0].ends_with("whoever needs it first makes it"));
    // Nothing was left.
    assert!(!patient.folder.path().join("a").exists());
    let left = fs::read_dir(patient.folder.path()).unwrap();
    let odd = left.filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().ends_with(".tmp"));
    assert_eq!(odd.count(), 0);
}

#[test]
fn a_server_that_evicts_is_told_and_one_without_a_limit_is_not() {
    let patient = Patient::sqlite();
    let doctor = |redis: &RedisServer| patient.doctor(&[]).env("BOOTHDS_STATE_URL", redis.url());
    let redis = RedisServer::start(&["--maxmemory", "40mb", "--maxmemory-policy", "allkeys-lru"]);
    let found = checks(&doctor(&redis), 0);
    assert_eq!(wrong(&found), ["warning state.eviction"]);
    assert_eq!(
        messages(&found, "state.eviction", "warning"),
        ["maxmemory-policy is allkeys-lru, with a limit of 41943040 bytes"]
    );
    redis.cli(&["CONFIG", "SET", "maxmemory", "0"]);
    assert_eq!(wrong(&checks(&doctor(&redis), 0)), [""; 0]);
    // A user who may not ask: not ok, and not wrong.
    redis.cli(&["ACL", "SETUSER", "default", "-info"]);
    let found = checks(&doctor(&redis), 0);
    assert_eq!(messages(&found, "state.eviction", "skipped").len(), 1, "{found:#?}");
}

#[test]
fn a_server_that_takes_no_changes_is_dead_or_elsewhere_is_told() {
    let patient = Patient::sqlite();
    let mut redis = RedisServer::start(&[]);
    let url = redis.url();
    let doctor = |url: &str| patient.doctor(&[]).env("BOOTHDS_STATE_URL", url);
    checks(&doctor(&url), 0);
    redis.cli(&["REPLICAOF", "127.0.0.1", "1"]);
    let found = checks(&doctor(&url), 1);
    assert_eq!(wrong(&found), ["error state.writable"]);
    assert!(messages(&found, "state.writable", "error")[0].contains("cannot be written"), "{found:#?}");
    let hint = of(&found, "state.writable")[0]["hint"].as_str().unwrap();
    assert!(hint.contains("a replica takes no changes"), "{hint}");
    redis.kill9();
    let found = checks(&doctor(&url), 1);
    assert_eq!(wrong(&found), ["error state.reachable"]);
    assert_eq!(messages(&found, "stored.sealed", "ok").len(), 1);
    // Not this machine by its spelling, and in clear text.
    let found = checks(&doctor(&url.replace("127.0.0.1", "127.1")), 1);
    assert_eq!(messages(&found, "state.tls", "warning").len(), 1, "{found:#?}");
}

#[test]
fn cached_rows_that_are_old_gone_or_planted_are_told_apart() {
    let redis = RedisServer::start(&[]);
    for url in [None, Some(redis.url())] {
        let patient = Patient::sqlite();
        let state = url.clone().unwrap_or_else(|| patient.state_url());
        let command = |name: &str| patient.command(name).env("BOOTHDS_STATE_URL", &state);
        let doctor = || command("doctor").arg("--offline").arg("--json");
        command("test-connection").arg("--all").run().expect_code(0);
        let found = checks(&doctor(), 0);
        assert_eq!(
            messages(&found, "cache.same", "ok"),
            ["the same as the application database: 2 cached rows"]
        );
        patient.database.execute(&format!(
            "update tenants set data_source_anon_key = '{}' where subdomain = 'acme';
             delete from tenants where subdomain = 'birch'",
            seal("new")
        ));
        let found = checks(&doctor(), 0);
        assert_eq!(wrong(&found), ["warning cache.gone", "warning cache.stale"]);
        assert_eq!(
            messages(&found, "cache.stale", "warning"),
            ["the cached row says something else than the application database: acme (1 row)"]
        );
        assert_eq!(
            messages(&found, "cache.gone", "warning"),
            ["rows of tenants are cached that are no longer there: birch (1 row)"]
        );
        // It only looks.
        assert_eq!(wrong(&checks(&doctor(), 0)), ["warning cache.gone", "warning cache.stale"]);
        if url.is_none() {
            let file = patient.folder.path().join("state.db");
            sqlite3(&file, "update cached set expires = expires + 1");
            let found = checks(&doctor(), 0);
            assert_eq!(wrong(&found), ["warning cache.refused"]);
            assert_eq!(of(&found, "cache.refused").len(), 1);
        }
    }
}
