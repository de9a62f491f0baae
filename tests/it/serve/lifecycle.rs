//! Beginning and ending: a taken port, signals, requests that are under way, word to systemd.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::served::{Served, until};
use crate::fixture::World;
use crate::support::network::silent_server;
use crate::support::process::Signal;
use crate::support::scratch;

#[test]
fn a_taken_port_is_named() {
    let world = World::sqlite();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let ran = world.cli(["serve", "--listen", &address]).run().expect_code(9);
    assert_eq!(
        ran.stderr.lines().filter(|line| !line.contains("INFO")).collect::<Vec<_>>(),
        [
            &format!("error: cannot listen on {address}"),
            "  caused by: Address already in use (os error 98)",
            "hint: end what listens there, or choose another port with --listen",
        ]
    );
    let json = world
        .cli(["serve", "--json", "--listen", "192.0.2.1:8787"])
        .env("BOOTHDS_SERVE_TOKEN", super::served::TOKEN);
    let error: Value = serde_json::from_str(json.run().expect_code(9).stderr.trim()).unwrap();
    assert_eq!(error["error"]["hint"], "choose an address of this machine with --listen");
}

#[test]
fn what_is_wrong_is_said_in_the_order_of_the_contract() {
    let world = World::sqlite();
    let bare = || crate::support::cli::Cli::new(["serve"]);
    bare().arg("--interval").arg("0s").run().expect_code(2);
    bare().arg("--tls-cert").arg("x").run().expect_code(2);
    let none = bare().run().expect_code(3);
    assert!(none.stderr.contains("boothds demo"), "{none:?}");
    let keyless = bare().env("DATABASE_URL", world.database.url()).run().expect_code(4);
    assert!(keyless.stderr.contains("ENCRYPTION_KEY environment variable is not set"), "{keyless:?}");
}

#[test]
fn a_stop_is_clean_and_answers_what_was_asked() {
    for (signal, code) in [(Signal::TERM, 0), (Signal::INT, 130)] {
        let world = World::sqlite();
        let served = Served::start(&world.cli(["serve"]));
        // Half a request, which nobody will ever finish, and an idle connection, hold nothing up.
        let mut half = served.connect();
        half.write_all(b"GET /healthz HT").unwrap();
        let _idle = served.connect();
        assert_eq!(served.get("/healthz").status, 200);
        let start = Instant::now();
        let ran = served.end(signal).expect_code(code);
        // The rest of the half could come for fifteen seconds.
        assert!(start.elapsed() < Duration::from_secs(14), "{:?}", start.elapsed());
        assert!(ran.stderr.contains("stopping") && ran.stderr.ends_with("stopped\n"), "{}", ran.stderr);
        assert_eq!(ran.stdout, "");
    }
}

#[test]
fn a_request_under_way_is_answered_before_the_end() {
    let silent = silent_server();
    let world = World::sqlite();
    // The question for a tenant waits for an application database that does not answer.
    let url = format!("postgres://u@127.0.0.1:{}/x", silent.port());
    let served = Served::start(&world.cli(["serve"]).env("DATABASE_URL", url));
    let mut stream = served.connect();
    let asked = silent.connections();
    stream.write_all(b"GET /someone/debug/performance HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    until("the question is under way", || silent.connections() > asked.max(1));
    let ended = std::thread::spawn(move || served.end(Signal::TERM));
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(answer.contains("cannot connect to the application database"), "{answer}");
    ended.join().unwrap().expect_code(0);
}

#[test]
fn systemd_is_told_and_hears_that_it_lives() {
    let folder = scratch::folder("notify");
    let path = folder.path().join("notify.socket");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let hear = |wanted: &str| {
        let mut buffer = [0; 1024];
        loop {
            let length = socket.recv(&mut buffer).unwrap_or_else(|error| panic!("no {wanted}: {error}"));
            let said = String::from_utf8_lossy(&buffer[..length]).into_owned();
            if said.contains(wanted) {
                return said;
            }
        }
    };
    let world = World::sqlite();
    let cli = world.cli(["serve"]).env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "200000");
    let mut served = Served::start(&cli);
    hear("READY=1");
    for _ in 0..3 {
        hear("WATCHDOG=1");
    }
    served.running.signal(Signal::HUP);
    assert!(hear("RELOADING=1").contains("MONOTONIC_USEC="));
    hear("READY=1");
    served.running.signal(Signal::TERM);
    hear("STOPPING=1");
    served.running.wait().expect_code(0);
}

#[test]
fn the_log_is_lines_of_json_where_that_is_wanted() {
    let world = World::sqlite();
    let cli = world.cli(["serve", "--log-format", "json", "-v"]);
    let running = cli.arg("--listen").arg("127.0.0.1:0").spawn();
    running.wait_for_stderr("every tenant was tested");
    let mut running = running;
    running.signal(Signal::TERM);
    let ran = running.wait().expect_code(0);
    let events = ran.stderr.lines().filter(|line| !line.starts_with("note: "));
    let events: Vec<Value> = events.map(|line| serde_json::from_str(line).unwrap()).collect();
    for event in &events {
        assert!(event["timestamp"].as_str().unwrap().ends_with('Z') && event["level"].is_string(), "{event}");
    }
    let messages: Vec<&str> = events.iter().map(|event| event["message"].as_str().unwrap()).collect();
    assert!(messages.contains(&"listening") && messages.last() == Some(&"stopped"), "{messages:?}");
}
