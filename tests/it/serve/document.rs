//! The performance document over HTTP, the reset, and `stats --endpoint`.

use boothds::tenant::Role;
use serde_json::{Value, json};

use super::served::{Served, TOKEN, field, json as body, text, until};
use crate::manager::house::{self, House};
use crate::state_store::Place;
use crate::support::cli::Cli;
use crate::support::redis::RedisServer;

/// What `stats` prints, without what the moment makes of it.
fn lasting(mut document: Value) -> Value {
    document["timestamp"].take();
    document["system"]["uptime"].take();
    document["system"]["memory"].take();
    for instance in document["instances"].as_array_mut().unwrap() {
        instance["lastSeen"].take();
    }
    document
}

/// Over one store: the document is that of `stats`, a reset reaches the services, and nothing else changes anything.
async fn story(place: &Place) {
    let house = House::over(place);
    let ids = house.add_files(2);
    let manager = house.manager();
    for _ in 0..5 {
        manager.client(&ids[0], Role::Service).await.unwrap();
    }
    let stats = || house.cli(["stats", "--json"]).run().expect_code(0).json();
    house::until("it has reported", async || stats()["cacheStats"]["cacheHits"] == 4).await;
    let served = Served::start(&house.cli(["serve"]));
    let answer = served.get("/api/debug/performance");
    assert_eq!((answer.status, field(&answer, "content-type")), (200, "application/json"));
    let document = body(&answer);
    assert_eq!(lasting(document.clone()), lasting(stats()));
    // The service itself is no instance: it serves no client.
    assert_eq!(document["instances"].as_array().unwrap().len(), 1);
    assert_eq!(document["cacheStats"]["maxClients"], 50);
    for path in ["/", "/debug/performance", "/metrics", "/readyz", "/api/debug/performance"] {
        served.get(path);
    }
    assert_eq!(stats()["cacheStats"]["cacheHits"], 4);

    let reset = served.post("/api/debug/performance", &[], "");
    assert_eq!((reset.status, &body(&reset)), (200, &json!({"status": "success", "processesTold": 1})));
    let after = body(&served.get("/api/debug/performance"));
    assert_eq!(after["cacheStats"]["cacheHits"], 0, "who has reset it sees it");
    house::until("the service begins at zero", async || manager.counters().requests() == 0).await;
    // A browser is led back to where the button was; never elsewhere.
    let html = ("Accept", "text/html");
    for (form, back) in [
        ("return=%2Ft0%2Fdebug%2Fperformance", "/t0/debug/performance"),
        ("return=https%3A%2F%2Fevil.example%2Fdebug%2Fperformance", "/debug/performance"),
        ("", "/debug/performance"),
    ] {
        let answer = served.post("/api/debug/performance", &[html], form);
        assert_eq!((answer.status, field(&answer, "location")), (303, back));
    }
    manager.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_document_is_that_of_stats_over_every_kind_of_store() {
    for place in Place::all() {
        story(&place).await;
    }
}

#[test]
fn a_state_store_that_is_away_is_said_and_comes_back() {
    let mut server = RedisServer::start(&[]);
    let house = House::sqlite();
    let cli = house.cli(["serve"]).env("BOOTHDS_STATE_URL", server.url());
    let served = Served::start(&cli);
    assert_eq!(served.get("/api/debug/performance").status, 200);
    server.kill9();
    until("it is missed", || served.get("/api/debug/performance").status == 503);
    let answer = served.get("/api/debug/performance");
    let message = body(&answer)["error"]["message"].as_str().unwrap().to_owned();
    assert!(
        message.contains("the state store redis://127.0.0.1") && message.contains("cannot be"),
        "{message}"
    );
    // The page is there all the same, and the metrics say it.
    assert_eq!(served.get("/debug/performance").status, 200);
    let metrics = text(&served.get("/metrics"));
    assert!(metrics.contains("\nboothds_state_store_up 0.0\n") && !metrics.contains("boothds_cache_hits"));
    assert_eq!(served.post("/api/debug/performance", &[], "").status, 503);
    until("it is not ready", || served.get("/readyz").status == 503);
    assert_eq!(
        body(&served.get("/readyz")),
        json!({"status": "not-ready", "applicationDatabase": "ok", "stateStore": "unavailable"})
    );
    server.restart();
    until("it is back", || served.get("/api/debug/performance").status == 200);
    until("it is ready", || served.get("/readyz").status == 200);
}

#[test]
fn who_only_looks_makes_no_store() {
    let house = House::sqlite();
    let served = Served::start(&house.cli(["serve"]));
    let document = body(&served.get("/api/debug/performance"));
    assert_eq!((&document["health"]["status"], &document["instances"]), (&json!("idle"), &json!([])));
    for path in ["/debug/performance", "/metrics", "/readyz"] {
        assert_eq!(served.get(path).status, 200);
    }
    assert!(!house.folder.path().join(".local").exists());
}

#[test]
fn stats_reads_and_resets_a_running_service() {
    let house = House::sqlite();
    let served = Served::start(&house.cli(["serve"]).env("BOOTHDS_SERVE_TOKEN", TOKEN));
    let url = format!("http://127.0.0.1:{}", served.port);
    let stats = |token: &str, args: &[&str]| {
        let cli = Cli::new(["stats", "--endpoint", &url]).env("BOOTHDS_SERVE_TOKEN", token);
        args.iter().fold(cli, |cli, arg| cli.arg(*arg)).run()
    };
    let document = stats(TOKEN, &["--json"]).expect_code(0).json();
    assert_eq!(document["health"]["status"], "idle");
    assert!(stats(TOKEN, &[]).expect_code(0).stdout.contains("No process has reported"));
    let reset = stats(TOKEN, &["--reset"]).expect_code(0);
    assert!(reset.stderr.contains("counts from zero again"), "{reset:?}");
    let refused = stats("another-token-of-the-service", &[]).expect_code(5);
    assert!(refused.stderr.contains("refuses: HTTP 401"), "{refused:?}");
    let none = Cli::new(["stats", "--endpoint", &url]).run().expect_code(5);
    assert!(none.stderr.contains("set BOOTHDS_SERVE_TOKEN"), "{none:?}");
}

#[test]
fn many_who_ask_at_once_share_one_assembly() {
    let server = RedisServer::start(&[]);
    let house = House::sqlite();
    let served = Served::start(&house.cli(["serve"]).env("BOOTHDS_STATE_URL", server.url()));
    served.get("/api/debug/performance");
    let connections = || {
        let line = server.cli(&["info", "stats"]);
        let line =
            line.lines().find(|line| line.starts_with("total_connections_received:")).unwrap().to_owned();
        line.split(':').nth(1).unwrap().trim().parse::<u64>().unwrap()
    };
    let before = connections();
    let start = std::time::Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope
                .spawn(|| (0..25).for_each(|_| assert_eq!(served.get("/api/debug/performance").status, 200)));
        }
    });
    // One a second, and the question itself.
    let most = start.elapsed().as_secs() + 3;
    let opened = connections() - before;
    assert!(opened <= most, "{opened} connections to the store for 200 requests");
}
