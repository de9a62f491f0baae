//! `boothds clear-cache`, and what `info` and `test-connection` say of the cache and do to it.

use std::fs;

use boothds::tenant::Role;
use boothds::url::sqlite_url;
use serde_json::{Value, json};

use crate::fixture::{KEY, codes, result, seal};
use crate::manager::house::{House, until};
use crate::support::cli::Ran;
use crate::support::fleet::{TenantRow, sqlite_source, sqlite3};
use crate::support::network::refused_port;
use crate::support::redis::RedisServer;

/// With a state file that a test can get at, and three tenants: `t0`, `t1`, `t2`.
fn house() -> (House, Vec<String>, std::path::PathBuf) {
    let mut house = House::sqlite();
    let file = house.folder.path().join("state.db");
    house.set("BOOTHDS_STATE_URL", sqlite_url(&file));
    let ids = house.add_files(3);
    house.world.database.execute("update tenants set tenant_id_in_data_source = subdomain");
    (house, ids, file)
}

/// The error object on standard error, behind whatever notes.
fn error(ran: &Ran) -> Value {
    let start = ran.stderr.find("{\"error\"").unwrap_or_else(|| panic!("no error: {ran:?}"));
    serde_json::from_str::<Value>(&ran.stderr[start..]).unwrap()["error"].clone()
}

fn info(house: &House, name: &str) -> Value {
    house.cli(["info", name, "--json"]).run().expect_code(0).json()
}

/// Caches all tenants, as a test of them does.
fn fill(house: &House) {
    let ran = house.cli(["test-connection", "--all", "--json"]).run().expect_code(0);
    assert_eq!(ran.stderr, "");
    let cached = sqlite3(&house.folder.path().join("state.db"), "select count(*) from cached");
    assert_eq!(cached, "3");
}

#[test]
fn an_id_is_cleared_without_the_application_database_and_a_subdomain_with_it() {
    let (mut house, ids, file) = house();
    fill(&house);
    let ran = house
        .cli(["clear-cache", "t0", &ids[1].to_uppercase(), "t0", &ids[0], "--json"])
        .run()
        .expect_code(0);
    let mut cleared = ids[..2].to_vec();
    cleared.sort();
    assert_eq!(ran.json(), json!({"cleared": cleared, "entries": 2, "processesTold": 0}));
    assert!(
        ran.stderr.contains("warning: no running process was told") && ran.stderr.contains("state.db"),
        "{ran:?}"
    );
    assert!(ran.stderr.contains("Node application"), "{ran:?}");
    // Named, and not cached: named all the same, since a process may have had it.
    let ran = house.cli(["clear-cache", "t0", "--json"]).run().expect_code(0);
    assert_eq!(ran.json(), json!({"cleared": [ids[0]], "entries": 0, "processesTold": 0}));
    let table = house.cli(["clear-cache", "t2"]).run().expect_code(0);
    assert_eq!(table.stdout, "1 cached row went, 0 processes were told\n");
    let unknown = house.cli(["clear-cache", "t1", "nobody", "--json"]).run().expect_code(6);
    let object = error(&unknown);
    assert_eq!(object["code"], "not-found");
    assert!(object["message"].as_str().unwrap().contains("`nobody`"), "{object}");

    house.set("BOOTHDS_NAMESPACE", "fleet");
    house.set("DATABASE_URL", format!("postgres://u@127.0.0.1:{}/app", refused_port()));
    let ran = house.cli(["clear-cache", &ids[0], "--json"]).run().expect_code(0);
    assert_eq!(ran.json()["cleared"], json!([ids[0]]));
    let ran = house.cli(["clear-cache", "--all", "--yes", "--json"]).run().expect_code(0);
    assert_eq!(ran.json(), json!({"cleared": [], "entries": 0, "processesTold": 0}));
    assert_eq!(
        error(&house.cli(["clear-cache", "t0", "--json"]).run().expect_code(5))["code"],
        "unavailable"
    );
    assert!(file.exists());
}

#[test]
fn all_is_asked_on_a_terminal_and_wants_a_yes_elsewhere() {
    let (house, ids, _) = house();
    fill(&house);
    let refused = house.cli(["clear-cache", "--all", "--json"]).run().expect_code(2);
    assert_eq!(error(&refused)["code"], "usage");
    assert!(error(&refused)["hint"].as_str().unwrap().contains("--yes"));
    house.cli(["clear-cache"]).run().expect_code(2);
    house.cli(["clear-cache", "t0", "--all", "--yes"]).run().expect_code(2);
    for (answer, code) in [(&["n", "Enter"][..], 2), (&["Enter"], 2), (&["C-c"], 130)] {
        let terminal = house.cli(["clear-cache", "--all"]).in_terminal(160, 20);
        terminal.wait_for("Forget every tenant");
        terminal.send_keys(answer);
        assert_eq!(terminal.wait_for_exit(), code);
        assert_eq!(info(&house, "t0")["isCached"], true);
    }
    let terminal = house.cli(["clear-cache", "--all"]).in_terminal(160, 20);
    let screen = terminal.wait_for("Forget every tenant");
    assert!(screen.contains("state.db"), "{screen}");
    terminal.send_keys(&["y", "Enter"]);
    terminal.wait_for("3 cached rows went");
    assert_eq!(terminal.wait_for_exit(), 0);
    assert_eq!(info(&house, "t0")["isCached"], false);
    fill(&house);
    let mut all = ids;
    all.sort();
    let mut ran = house.cli(["clear-cache", "--all", "-y", "--json"]).run().expect_code(0).json();
    ran["cleared"].as_array_mut().unwrap().sort_by_key(Value::to_string);
    assert_eq!(ran, json!({"cleared": all, "entries": 3, "processesTold": 0}));
}

#[test]
fn a_store_that_cannot_be_used_is_reported_with_what_to_do_and_left_as_it_is() {
    let (mut house, ids, file) = house();
    fill(&house);
    let good = fs::read(&file).unwrap();
    let (mut newer, mut corrupt) = (good.clone(), good.clone());
    newer[63] = 9;
    corrupt[100..].fill(0xaa);
    for (bytes, hint) in
        [(&newer, "start anew"), (&corrupt, "start anew"), (&b"text".to_vec(), "BOOTHDS_STATE_URL")]
    {
        fs::write(&file, bytes).unwrap();
        for args in [
            &["clear-cache", "--all", "--yes"][..],
            &["clear-cache", &ids[0]],
            &["stats"],
            &["stats", "--reset"],
        ] {
            let cli = args.iter().fold(house.cli(["--json"]), |cli, arg| cli.arg(*arg));
            let object = error(&cli.run().expect_code(5));
            assert_eq!(object["code"], "unavailable", "{object}");
            assert!(object["hint"].as_str().unwrap().contains(hint), "{object}");
            assert!(object["message"].as_str().unwrap().contains("state.db"), "{object}");
        }
        assert_eq!(&fs::read(&file).unwrap(), bytes);
        // The others go on, with a warning.
        for args in [&["info", "t0"][..], &["test-connection", "t0"], &["test-connection", "t0", "--cached"]]
        {
            let ran = args.iter().fold(house.cli(["--json"]), |cli, arg| cli.arg(*arg)).run().expect_code(0);
            assert!(ran.stderr.contains("warning: ") && ran.stderr.contains("state.db"), "{args:?}: {ran:?}");
        }
        house.cli(["tenants"]).run().expect_code(0);
    }
    // As the hint says: move the file away.
    fs::remove_file(&file).unwrap();
    house.cli(["clear-cache", "--all", "--yes"]).run().expect_code(0);
    // Servers.
    let server = RedisServer::start(&["--requirepass", "right-password"]);
    let other = RedisServer::start(&[]);
    other.cli(&["SET", "boothds:format", "2"]);
    for (url, hint) in [
        (format!("redis://127.0.0.1:{}", refused_port()), "is it running"),
        (format!("redis://:hunter2-hunter2@127.0.0.1:{}", server.port()), "password"),
        (other.url(), "start anew"),
    ] {
        house.set("BOOTHDS_STATE_URL", url);
        for args in [["clear-cache", "--all", "--yes", "--json"], ["clear-cache", &ids[0], "--json", "-v"]] {
            let ran = house.cli(args).run().expect_code(5);
            assert!(error(&ran)["hint"].as_str().unwrap().contains(hint), "{ran:?}");
            assert!(!ran.stderr.contains("hunter2"), "{ran:?}");
        }
        let ran = house.cli(["info", "t0", "--json"]).run().expect_code(0);
        assert!(ran.stderr.contains("whether the tenant is cached is not known"), "{ran:?}");
    }
}

#[test]
fn info_says_whether_a_tenant_is_cached_until_when_and_whether_that_still_holds() {
    let (mut house, ids, _) = house();
    let absent = |document: &Value| {
        assert_eq!(document["isCached"], false);
        assert!(document.get("cacheExpiry").is_none() && document.get("cacheStale").is_none(), "{document}");
    };
    absent(&info(&house, "t0"));
    house.cli(["test-connection", "t0"]).run().expect_code(0);
    let document = info(&house, &ids[0]);
    assert_eq!((&document["isCached"], &document["cacheStale"]), (&json!(true), &json!(false)));
    let expiry: jiff::Timestamp = document["cacheExpiry"].as_str().unwrap().parse().unwrap();
    let left = expiry.duration_since(boothds::clock::Clock::System.now()).as_secs();
    assert!((1..=300).contains(&left), "{left}");
    absent(&info(&house, "t1"));
    house.world.database.execute("update tenants set tenant_id_in_data_source = 'new-' || subdomain");
    assert_eq!(info(&house, "t0")["cacheStale"], true);
    let table = house.cli(["info", "t0"]).run().expect_code(0).stdout;
    assert!(table.contains("STALE"), "{table}");
    house.world.database.execute("update tenants set tenant_id_in_data_source = subdomain");
    assert_eq!(info(&house, "t0")["cacheStale"], false);
    house.world.database.execute("update tenants set status = 'suspended'");
    assert_eq!(info(&house, "t0")["cacheStale"], true, "a service takes it for active");
    house.cli(["clear-cache", "t0"]).run().expect_code(0);
    absent(&info(&house, "t0"));
    // Without the key no row is believed; said, and no error.
    house.cli(["test-connection", "t0", "--fail-on", "never"]).run().expect_code(0);
    house.unset("ENCRYPTION_KEY");
    let ran = house.cli(["info", "t0", "--json"]).run().expect_code(0);
    absent(&ran.json());
    assert!(ran.stderr.contains("without the encryption key"), "{ran:?}");
    // Nor with another one.
    let ran = house.cli(["info", "t0", "--json"]).env("ENCRYPTION_KEY", "7".repeat(64)).run().expect_code(0);
    absent(&ran.json());
    assert!(ran.stderr.contains("is not believed"), "{ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_refreshes_the_cache_and_says_once_that_a_row_was_stale() {
    let (house, ids, _) = house();
    let manager = house.manager();
    for id in &ids {
        manager.client(id, Role::Service).await.unwrap();
    }
    let test = |args: &[&str]| {
        let cli = house.cli(["test-connection", "--all", "--json"]);
        args.iter().fold(cli, |cli, arg| cli.arg(*arg)).run()
    };
    let fresh = test(&[]).expect_code(0).json();
    assert!((0..3).all(|n| codes(result(&fresh, &format!("t{n}"))).is_empty()), "{fresh}");
    let url = sqlite_source(&house.folder.path().join("moved.db"), &["mine"]);
    house
        .world
        .database
        .execute(&format!("update tenants set data_source_url = '{url}' where id = '{}'", ids[1]));
    let stale = test(&[]).expect_code(0).json();
    assert_eq!(codes(result(&stale, "t1")), ["cache.stale"]);
    assert!(codes(result(&stale, "t0")).is_empty() && codes(result(&stale, "t2")).is_empty());
    let finding = &result(&stale, "t1")["findings"][0];
    assert_eq!(finding["severity"], "warning");
    // The service has heard of it.
    until("the service knows the new address", async || {
        manager.client(&ids[1], Role::Service).await.unwrap();
        manager.connection_info(&ids[1]).await.unwrap().url.contains("moved.db")
    })
    .await;
    let again = test(&["--fail-on", "warning"]).expect_code(0).json();
    assert!(codes(result(&again, "t1")).is_empty(), "{again}");
    assert_eq!(info(&house, "t1")["cacheStale"], false);
    house.world.database.execute("update tenants set tenant_id_in_data_source = 'new-' || subdomain");
    test(&["--fail-on", "warning"]).expect_code(1);
    assert_eq!(test(&["--fail-on", "warning"]).expect_code(0).json()["summary"]["passed"], 3);
    // A status is not tested, and services go by it all the same.
    house.world.database.execute(&format!("update tenants set status = 'suspended' where id = '{}'", ids[2]));
    assert_eq!(codes(result(&test(&[]).expect_code(0).json(), "t2")), ["cache.stale"]);
    until("the service knows that it is suspended", async || {
        manager.client(&ids[2], Role::Service).await.unwrap().status() == "suspended"
    })
    .await;
    manager.shutdown().await;
}

#[test]
fn a_cached_test_goes_by_the_row_that_a_service_would_use() {
    let (house, ids, _) = house();
    fill(&house);
    house.world.database.execute("update tenants set data_source_url = 'sqlite:/no/such/file.db'");
    let cached = house.cli(["test-connection", "t0", "--cached", "--json"]).run().expect_code(0).json();
    assert_eq!(result(&cached, "t0")["success"], true);
    assert_eq!(info(&house, "t0")["cacheStale"], true, "it changes nothing in the cache");
    let stats = house.cli(["stats", "--json"]).run().expect_code(0).json();
    assert_eq!(
        (&stats["cacheStats"]["sharedHits"], &stats["instances"]),
        (&json!(0), &json!([])),
        "nobody's service"
    );
    house.cli(["clear-cache", &ids[0]]).run().expect_code(0);
    house.cli(["test-connection", "t0", "--cached"]).run().expect_code(1);
    let fresh = house.cli(["test-connection", "t1", "--json"]).run().expect_code(1).json();
    assert_eq!(result(&fresh, "t1")["success"], false);
    // With the second tier switched off nothing is read from it or written to it.
    let off = house.cli(["test-connection", "t2", "--cached"]).env("DATA_SOURCE_USE_SHARED_CACHE", "false");
    off.run().expect_code(1);
}

#[test]
fn no_output_about_caches_holds_a_secret() {
    const SECRETS: [&str; 5] = [
        KEY,
        "Wk7-password-of-the-store",
        "Vt5-password-of-a-tenant",
        "sb_secret_Zq8mVx2LrT5wKp9sYd3f",
        "Xb2-token-9k4m2p",
    ];
    let [_, store, password, secret, token] = SECRETS;
    let (mut house, ids, file) = house();
    let at = format!("127.0.0.1:{}", refused_port());
    let key = seal(secret);
    house.add(TenantRow::new("web").data_source(&format!("http://{at}"), &key, &key));
    house.add(TenantRow::new("in-url").data_source(&format!("postgres://u:{password}@{at}/d"), &key, &key));
    house.set("BOOTHDS_SERVE_TOKEN", token);
    house.set("RUST_LOG", "trace");
    let server = RedisServer::start(&["--requirepass", store]);
    let commands: [&[&str]; 11] = [
        &["test-connection", "--all", "--retries", "0"],
        &["test-connection", "--all", "--retries", "0", "--cached", "--json"],
        &["info", "web"],
        &["info", "in-url", "--json"],
        &["stats", "--json"],
        &["stats", "--reset"],
        &["stats", "--endpoint", "http://127.0.0.1:1", "--json"],
        &["stats", "--endpoint", "http://service.example"],
        &["clear-cache", &ids[0], "--json"],
        &["clear-cache", "web"],
        &["clear-cache", "--all", "--yes"],
    ];
    for url in [
        sqlite_url(&file),
        format!("redis://:{store}@127.0.0.1:{}", server.port()),
        format!("redis://nobody:{store}@127.0.0.1:{}", server.port()),
        format!("redis://:{store}@127.0.0.1:{}", refused_port()),
        format!("redis://:{store}/x@127.0.0.1:1:2"),
    ] {
        house.set("BOOTHDS_STATE_URL", url);
        for args in commands {
            let ran = args.iter().fold(house.cli(["-v"]), |cli, arg| cli.arg(*arg)).run();
            let shown = format!("{}{}", ran.stdout, ran.stderr);
            assert!(!shown.is_empty() && ran.code.is_some_and(|code| code < 100), "{args:?}: {ran:?}");
            for secret in SECRETS {
                assert!(!shown.contains(&secret[..12]), "{args:?} shows {secret}: {shown}");
            }
        }
    }
}

#[test]
fn a_row_that_is_not_believed_is_said_whichever_command_meets_it() {
    for command in
        [vec!["test-connection", "t0"], vec!["test-connection", "t0", "--cached"], vec!["info", "t0"]]
    {
        let (house, _, file) = house();
        fill(&house);
        sqlite3(
            &file,
            "update cached set content = cast(replace(cast(content as text), 'source.db', 'planted.db') as blob)",
        );
        let mut cli = house.cli([]);
        for word in &command {
            cli = cli.arg(*word);
        }
        let ran = cli.run().expect_code(0);
        assert!(ran.stderr.contains("not believed"), "{command:?}: {ran:?}");
    }
}

#[test]
fn a_store_that_cannot_be_looked_at_is_not_taken_for_none() {
    let (mut house, _, _) = house();
    let link = house.folder.path().join("link.db");
    std::os::unix::fs::symlink("/no/such/folder/state.db", &link).unwrap();
    let plain = house.folder.path().join("plain");
    fs::write(&plain, "a file").unwrap();
    for place in [link, plain.join("state.db")] {
        house.set("BOOTHDS_STATE_URL", sqlite_url(&place));
        let ran = house.cli(["stats", "--json"]).run().expect_code(5);
        assert_eq!(error(&ran)["code"], "unavailable");
        let ran = house.cli(["info", "t0"]).run().expect_code(0);
        assert!(ran.stderr.contains("whether the tenant is cached is not known"), "{ran:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_lives_and_does_not_take_note_is_counted_out_loud() {
    let (house, ids, file) = house();
    let manager = house.manager();
    manager.client(&ids[0], Role::Service).await.unwrap();
    let stats = || house.cli(["stats", "--json"]).run().expect_code(0).json();
    until("it has reported", async || stats()["instances"][0].is_object()).await;
    // Another that reported a moment ago and follows nothing any more.
    sqlite3(
        &file,
        "insert into instance select namespace, 'deaf', number, seen + 3000, 0, content from instance limit 1",
    );
    let ran = house.cli(["clear-cache", "--all", "--yes", "--json"]).run().expect_code(0);
    assert_eq!(ran.json()["processesTold"], 1, "{ran:?}");
    assert!(ran.stderr.contains("1 of 2 processes did not take note"), "{ran:?}");
    manager.shutdown().await;
}
