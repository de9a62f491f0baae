//! `boothds stats`: the document and its table, of a state store and of a running service.

use std::collections::BTreeSet;

use boothds::tenant::Role;
use serde_json::{Value, json};

use crate::manager::house::{House, until};
use crate::support::cli::{Cli, Ran};
use crate::support::gateway::{Gateway, Mode};
use crate::support::network::refused_port;
use crate::support::process::Signal;

const TOKEN: &str = "Xb2-token-of-the-service-9k4m";

/// The names of an object.
fn names(document: &Value, pointer: &str) -> BTreeSet<String> {
    let object = document.pointer(pointer).and_then(Value::as_object);
    object.unwrap_or_else(|| panic!("no object at {pointer}: {document}")).keys().cloned().collect()
}

fn set(names: &str) -> BTreeSet<String> {
    names.split(", ").map(str::to_owned).collect()
}

const STATS: &str = "configCacheSize, clientCacheSize, maxClients, poolUtilization, totalClientsCreated, \
                     poolExhaustedCount, cacheHitRate, cacheHits, cacheMisses, sharedHits, sharedMisses";

/// Whether a document has all the names that scripts read.
fn assert_names(document: &Value) {
    let manager = "/dataSourceManager";
    for (pointer, expected) in [
        (
            String::new(),
            "status, timestamp, health, performance, dataSourceManager, system, metrics, cacheStats, instances",
        ),
        ("/health".into(), "status, score, issues, recommendations"),
        ("/performance".into(), "scores, summary"),
        ("/performance/scores".into(), "caching, pooling, memory, overall"),
        ("/performance/scores/caching".into(), "score, grade, description"),
        ("/performance/scores/overall".into(), "score, grade, description"),
        (manager.into(), "cache, connectionPool, configuration"),
        (format!("{manager}/cache"), "config, clients, hits, misses, hitRate, efficiency"),
        (format!("{manager}/cache/config"), "size"),
        (format!("{manager}/cache/clients"), "size"),
        (format!("{manager}/cache/hits"), "count"),
        (format!("{manager}/cache/misses"), "count"),
        (format!("{manager}/cache/hitRate"), "percent, formatted"),
        (
            format!("{manager}/connectionPool"),
            "active, max, utilization, available, totalCreated, exhaustedCount, status",
        ),
        (format!("{manager}/connectionPool/utilization"), "percent, formatted"),
        ("/system".into(), "memory, uptime, version"),
        ("/system/memory".into(), "rss, usedPercent"),
        ("/system/memory/rss".into(), "bytes, mb"),
        ("/system/uptime".into(), "seconds, formatted, since"),
        ("/metrics".into(), "alerts, recommendations"),
        ("/cacheStats".into(), STATS),
    ] {
        assert_eq!(names(document, &pointer), set(expected), "{pointer}");
    }
    assert_eq!(document["status"], "success");
    for instance in document["instances"].as_array().unwrap() {
        assert_eq!(names(instance, ""), set("id, host, pid, startedAt, lastSeen, cacheStats"));
        assert_eq!(names(instance, "/cacheStats"), set(STATS));
    }
}

#[test]
fn where_nobody_has_asked_nothing_is_graded() {
    let house = House::sqlite();
    let document = house.cli(["stats", "--json"]).run().expect_code(0).json();
    assert_names(&document);
    assert_eq!((&document["health"]["status"], &document["health"]["score"]), (&json!("idle"), &Value::Null));
    for of in ["caching", "pooling", "memory", "overall"] {
        let score = &document["performance"]["scores"][of];
        assert_eq!((&score["score"], &score["grade"]), (&Value::Null, &Value::Null), "{of}");
    }
    assert_eq!(document["instances"], json!([]));
    let table = house.cli(["stats"]).run().expect_code(0);
    assert!(table.stdout.contains("idle") && table.stdout.contains("No process has reported"), "{table:?}");
    assert!(!house.folder.path().join(".local").exists(), "who only looks makes no store");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_services_reported_is_shown_and_reset() {
    let house = House::sqlite();
    let ids = house.add_files(2);
    let (one, two) = (house.manager(), house.manager());
    for (manager, id, count) in [(&one, &ids[0], 8), (&two, &ids[1], 2)] {
        for _ in 0..count {
            manager.client(id, Role::Service).await.unwrap();
        }
    }
    let stats = || house.cli(["stats", "--json"]).run().expect_code(0).json();
    until("both have reported", async || stats()["cacheStats"]["cacheHits"] == 8).await;
    let document = stats();
    assert_names(&document);
    let numbers = &document["cacheStats"];
    assert_eq!(
        [
            &numbers["cacheMisses"],
            &numbers["totalClientsCreated"],
            &numbers["clientCacheSize"],
            &numbers["maxClients"]
        ],
        [2, 2, 2, 100].map(|number| json!(number)).each_ref()
    );
    assert_eq!((&numbers["cacheHitRate"], &numbers["sharedMisses"]), (&json!(80.0), &json!(2)));
    assert_eq!(document["performance"]["summary"], "Overall Grade: A (100/100)");
    assert_eq!(document["performance"]["scores"]["caching"]["grade"], "A");
    let instances = document["instances"].as_array().unwrap();
    let hits: Vec<&Value> = instances.iter().map(|instance| &instance["cacheStats"]["cacheHits"]).collect();
    assert!(hits.len() == 2 && hits.contains(&&json!(7)) && hits.contains(&&json!(1)), "{hits:?}");
    assert!(instances.iter().all(|instance| instance["pid"] == std::process::id()));
    let lines = house.cli(["stats", "--format", "jsonl"]).run().expect_code(0);
    assert_eq!(lines.json_lines().len(), 1);
    let table = house.cli(["stats"]).run().expect_code(0).stdout;
    for part in ["healthy (100/100)", "80.00%, grade A", "2 of 100 clients", "PROCESS", "A (100/100)"] {
        assert!(table.contains(part), "no {part} in {table}");
    }
    assert_eq!(
        table.lines().filter(|line| line.starts_with(&std::process::id().to_string())).count(),
        2,
        "{table}"
    );

    // The counts are shown for the last time.
    let ran = house.cli(["stats", "--json", "--reset"]).run().expect_code(0);
    assert_eq!(ran.json()["cacheStats"]["cacheHits"], 8);
    assert!(ran.stderr.contains("at zero again") && ran.stderr.contains("told: 2"), "{}", ran.stderr);
    assert_eq!(stats()["cacheStats"]["cacheHits"], 0);
    until("the services begin at zero", async || one.counters().requests() + two.counters().requests() == 0)
        .await;
    one.shutdown().await;
    two.shutdown().await;
    assert_eq!(stats()["instances"], json!([]));
}

#[test]
fn watching_in_a_pipe_prints_a_line_each_time_until_it_is_told_to_stop() {
    let house = House::sqlite();
    for (args, signal, code) in [
        (&["stats", "--watch", "0.1"][..], Signal::INT, 130),
        (&["stats", "--watch", "0.1", "--json"][..], Signal::TERM, 143),
    ] {
        let mut cli = house.cli([]);
        for arg in args {
            cli = cli.arg(*arg);
        }
        let mut running = cli.spawn();
        let start = std::time::Instant::now();
        while running.wait_for_stdout("idle").lines().count() < 4 {
            assert!(start.elapsed().as_secs() < 30, "it does not go on");
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        running.signal(signal);
        let ran = running.wait().expect_code(code);
        if args.contains(&"--json") {
            ran.json_lines().iter().for_each(assert_names);
        } else {
            assert!(
                ran.stdout.lines().all(|line| line.contains("idle -/100") && line.ends_with("processes"))
            );
        }
        assert!(!ran.stdout.contains('\u{1b}'), "{}", ran.stdout);
    }
    let refused = house.cli(["stats", "--watch", "0.01"]).run().expect_code(2);
    assert!(refused.stderr.contains("0.1 to 3600"), "{}", refused.stderr);
    house.cli(["stats", "--watch", "1", "--reset"]).run().expect_code(2);
}

#[tokio::test(flavor = "multi_thread")]
async fn watching_on_a_terminal_draws_in_place() {
    let house = House::sqlite();
    let ids = house.add_files(1);
    let terminal = house.cli(["stats", "--watch", "0.1"]).in_terminal(120, 40);
    terminal.wait_for("No process has reported");
    let manager = house.manager();
    manager.client(&ids[0], Role::Service).await.unwrap();
    manager.client(&ids[0], Role::Service).await.unwrap();
    terminal.wait_for("1 hits, 1 misses");
    let screen = terminal.wait_for("PROCESS");
    assert_eq!(screen.matches("Health").count(), 1, "{screen}");
    assert_eq!(terminal.history().matches("Health").count(), 1, "{}", terminal.history());
    assert!(!screen.contains("No process has reported"), "{screen}");
    terminal.resize(60, 8);
    terminal.wait_for("Hit rate");
    terminal.send_keys(&["C-c"]);
    assert_eq!(terminal.wait_for_exit(), 130);
}

fn endpoint(url: &str, args: &[&str]) -> Ran {
    let mut cli =
        Cli::new(["stats", "--endpoint", url]).env("BOOTHDS_SERVE_TOKEN", TOKEN).env("RUST_LOG", "trace");
    for arg in args {
        cli = cli.arg(*arg);
    }
    let ran = cli.run();
    assert!(!format!("{ran:?}").contains(&TOKEN[..12]), "{ran:?}");
    ran
}

#[test]
fn the_document_of_a_service_is_read_with_the_token_and_without_an_application_database() {
    let service = Gateway::start(None);
    let document = House::sqlite().cli(["stats", "--json"]).run().expect_code(0).json();
    service.set(Mode::json(200, &document));
    assert_eq!(endpoint(&service.base_url(), &["--json"]).expect_code(0).json(), document);
    let requests = service.requests();
    assert_eq!((requests[0].method.as_str(), requests[0].path.as_str()), ("GET", "/api/debug/performance"));
    assert_eq!(requests[0].header("authorization"), Some(format!("Bearer {TOKEN}").as_str()));
    endpoint(&format!("{}/stats?x=1", service.base_url()), &["--reset"]).expect_code(0);
    let requests = service.requests();
    let asked: Vec<(&str, &str)> =
        requests[1..].iter().map(|r| (r.method.as_str(), r.path.as_str())).collect();
    assert_eq!(asked, [("GET", "/stats?x=1"), ("POST", "/stats?x=1")]);

    // The older service for Node knows less.
    let mut older = document;
    for gone in ["cacheStats", "instances", "metrics", "system"] {
        older.as_object_mut().unwrap().remove(gone);
    }
    older["dataSourceManager"]["cache"]["hits"]["count"] = json!("\u{1b}[31mmany");
    service.set(Mode::json(200, &older));
    let table = endpoint(&service.base_url(), &[]).expect_code(0).stdout;
    assert!(table.contains("Tier 2       - hits, - misses") && !table.contains('\u{1b}'), "{table}");
    assert_eq!(endpoint(&service.base_url(), &["--json"]).expect_code(0).json(), older);
}

#[test]
fn a_service_that_refuses_redirects_or_says_something_else_is_no_service() {
    let (service, other) = (Gateway::start(None), Gateway::start(None));
    let error = |code: i32, url: &str| {
        let ran = endpoint(url, &["--json"]).expect_code(code);
        assert!(ran.stdout.is_empty());
        serde_json::from_str::<Value>(&ran.stderr).unwrap()["error"].clone()
    };
    service.set(Mode::json(401, &json!({"error": "no"})));
    let refused = error(5, &service.base_url());
    assert_eq!(refused["code"], "unavailable");
    assert!(refused["message"].as_str().unwrap().contains(&format!("{} ", service.base_url())), "{refused}");
    assert!(refused["hint"].as_str().unwrap().contains("BOOTHDS_SERVE_TOKEN"), "{refused}");
    for mode in [
        Mode::Redirect(other.base_url()),
        Mode::Html(200),
        Mode::json(200, &json!({"status": "success"})),
        Mode::json(200, &json!([1, 2])),
        Mode::json(500, &json!({})),
        Mode::CloseEarly,
        Mode::CloseMidBody,
        Mode::EndlessBody,
    ] {
        service.set(mode);
        assert_eq!(error(5, &service.base_url())["code"], "unavailable");
    }
    assert_eq!(other.connections(), 0, "a redirect was followed");
    // Services of one machine differ by the port.
    let refused = format!("http://127.0.0.1:{}", refused_port());
    let said = error(5, &refused);
    assert!(said["message"].as_str().unwrap().contains(&format!("{refused} ")), "{said}");
    // To another machine the token goes over https alone.
    let clear = error(2, "http://service.example");
    assert!(clear["message"].as_str().unwrap().contains("not sent"), "{clear}");
    error(2, "ftp://127.0.0.1");
    error(2, "http://user:word@127.0.0.1");
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_that_nobody_got_to_see_are_not_thrown_away() {
    let house = House::sqlite();
    let id = house.add_files(1).remove(0);
    let manager = house.manager();
    manager.client(&id, Role::Service).await.unwrap();
    manager.shutdown().await;
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let status = std::process::Command::new(env!("CARGO_BIN_EXE_boothds"))
        .args(["stats", "--reset"])
        .env_clear()
        .envs([
            ("DATABASE_URL", house.world.database.url()),
            ("HOME", house.folder.path().display().to_string()),
        ])
        .current_dir(house.folder.path())
        .stdout(full)
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(9));
    let stats = house.cli(["stats", "--json"]).run().expect_code(0).json();
    assert_eq!(stats["cacheStats"]["cacheMisses"], 1, "{stats}");
}
