//! Beginning and ending: a taken port, signals, requests that are under way, word to systemd.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::served::{Served, TOKEN, field, text, until};
use crate::fixture::World;
use crate::support::network::silent_server;
use crate::support::process::Signal;
use crate::support::scratch;

/// A form of which six bytes do not come.
const HALF_FORM: &str = "POST /api/debug/performance HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
                         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 9\r\n\r\nret";

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
    let json = world.cli(["serve", "--json", "--listen", "192.0.2.1:8787"]).env("BOOTHDS_SERVE_TOKEN", TOKEN);
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
        // Nor does a form whose rest does not come.
        let mut form = served.connect();
        form.write_all(HALF_FORM.as_bytes()).unwrap();
        assert_eq!(served.get("/healthz").status, 200);
        let start = Instant::now();
        let ran = served.end(signal).expect_code(code);
        // The rest of the halves could come for fifteen seconds.
        assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
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
    assert!(answer.contains("cannot read tenants from the application database postgres://"), "{answer}");
    ended.join().unwrap().expect_code(0);
}

#[test]
fn an_answer_that_is_not_taken_until_the_end_was_cut_off() {
    let world = World::sqlite();
    let served = Served::start(&world.cli(["serve"]));
    let mut deaf = served.connect();
    // More answers than sockets hold: one of them is always being sent.
    deaf.write_all("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(4000).as_bytes()).unwrap();
    let answered = || {
        let metrics = text(&served.get("/metrics"));
        let line = metrics.lines().find(|line| line.contains("{route=\"/metrics\"")).map(str::to_owned);
        line.and_then(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).unwrap_or(0.0)
    };
    let mut last = [0.0; 3];
    until("only we are answered", || {
        std::thread::sleep(Duration::from_millis(200));
        last = [last[1], last[2], answered()];
        last[0] > 10.0 && last[1] - last[0] == 1.0 && last[2] - last[1] == 1.0
    });
    let ran = served.end(Signal::TERM).expect_code(143);
    assert!(ran.stderr.ends_with("stopped: requests that took too long were cut off\n"), "{}", ran.stderr);
    drop(deaf);
}

#[test]
fn a_request_takes_fifteen_seconds_at_the_most() {
    let world = World::sqlite();
    let served = Served::start(&world.cli(["serve"]));
    let answer = served.raw(HALF_FORM.as_bytes());
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("this took too long"), "{answer}");
    assert_eq!(served.get("/healthz").status, 200);
}

#[test]
fn what_was_killed_begins_again_on_its_port_with_nothing_lost_but_sessions() {
    let world = World::sqlite();
    world.add("one", "sqlite:///nowhere.db", "x", "x");
    let cli = world.cli(["serve"]).env("BOOTHDS_SERVE_TOKEN", TOKEN);
    let first = Served::start(&cli);
    let login = first.post("/login", &[], &format!("token={TOKEN}"));
    let cookie = field(&login, "set-cookie").split(';').next().unwrap().to_owned();
    let asks = |served: &Served, headers: &[(&str, &str)]| served.send("GET", "/metrics", headers, "").status;
    assert_eq!(asks(&first, &[("Cookie", &cookie)]), 200);
    // A connection that is open at its end holds the port in the kernel.
    let open = first.connect();
    let port = first.port;
    first.end(Signal::KILL);
    let running = cli.arg("--listen").arg(format!("127.0.0.1:{port}")).spawn();
    running.wait_for_stderr("watching");
    let second = Served { running, port };
    let bearer = format!("Bearer {TOKEN}");
    assert_eq!(
        (asks(&second, &[("Cookie", &cookie)]), asks(&second, &[("Authorization", &bearer)])),
        (401, 200)
    );
    let tested = || text(&second.send("GET", "/metrics", &[("Authorization", &bearer)], ""));
    until("it tests again", || tested().contains("boothds_tenants{state=\"failed\"} 1.0"));
    assert!(tested().contains("\nboothds_state_store_up 1.0\n"));
    drop(open);
    second.end(Signal::TERM).expect_code(0);
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
    let folder = scratch::folder("open");
    let token = folder.path().join("token");
    std::fs::write(&token, TOKEN).unwrap();
    let cli = world.cli(["serve", "--log-format", "json", "-v"]).env("BOOTHDS_SERVE_TOKEN_FILE", token);
    let running = cli.arg("--listen").arg("127.0.0.1:0").spawn();
    running.wait_for_stderr("every tenant was tested");
    let mut running = running;
    running.signal(Signal::TERM);
    let ran = running.wait().expect_code(0);
    let events: Vec<Value> =
        ran.stderr.lines().map(|line| serde_json::from_str(line).expect("JSON in each line")).collect();
    for event in &events {
        assert!(event["timestamp"].as_str().unwrap().ends_with('Z') && event["level"].is_string(), "{event}");
    }
    let messages: Vec<&str> = events.iter().map(|event| event["message"].as_str().unwrap()).collect();
    assert!(messages.contains(&"listening") && messages.last() == Some(&"stopped"), "{messages:?}");
    assert!(messages.iter().any(|message| message.contains("which holds the token")), "{messages:?}");
}
