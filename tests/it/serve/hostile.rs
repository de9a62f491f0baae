//! Clients that mean no good, or do not know better: slow, idle, endless, garbled.

use std::io::{Read as _, Write as _};
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::served::{Served, TOKEN, until};
use crate::fixture::World;

/// The status of the first answer in what was read.
fn status(answer: &str) -> Option<u16> {
    answer
        .strip_prefix("HTTP/1.")
        .and_then(|rest| rest.split(' ').nth(1))
        .and_then(|status| status.parse().ok())
}

#[test]
fn what_is_no_request_is_refused_and_the_next_one_is_answered() {
    let world = World::sqlite();
    let served = Served::start(&world.cli(["serve"]));
    let long = "x".repeat(20 * 1024);
    let lines = |count: usize| (0..count).map(|n| format!("X-{n}: 1\r\n")).collect::<String>();
    for (what, bytes, statuses) in [
        ("garbage", "\u{1}\u{2}\u{3}garbage\r\n\r\n".to_owned(), &[400][..]),
        ("TLS to a port without", "\u{16}\u{3}\u{1}\0\u{5}hello\r\n\r\n".to_owned(), &[400]),
        ("a line without an end", format!("GET /{long}"), &[400, 414, 431]),
        ("a long header", format!("GET / HTTP/1.1\r\nHost: localhost\r\nX: {long}\r\n\r\n"), &[431]),
        ("many headers", format!("GET / HTTP/1.1\r\nHost: localhost\r\n{}\r\n", lines(100)), &[431]),
        ("a wrong version", "GET / HTTP/9.9\r\nHost: localhost\r\n\r\n".to_owned(), &[400, 505]),
        (
            "HTTP/2 without TLS, which is closed without a word",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
            &[],
        ),
        (
            "two lengths",
            "POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"
                .to_owned(),
            &[400],
        ),
        (
            "a broken chunk",
            "POST /login HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\
             Content-Type: application/x-www-form-urlencoded\r\n\r\nZZ\r\n"
                .to_owned(),
            &[400],
        ),
        (
            "a header with a newline in its name",
            "GET / HTTP/1.1\r\nHost: localhost\r\na\nb: c\r\n\r\n".to_owned(),
            &[400],
        ),
    ] {
        let answer = served.raw(bytes.as_bytes());
        let got = status(&answer);
        let expected = got.map_or(statuses.is_empty(), |got| statuses.contains(&got));
        assert!(expected, "{what}: {answer:?}");
        assert_eq!(served.get("/healthz").status, 200, "after {what}");
    }
    // What stands behind a request that ends the connection is not looked at.
    let behind = served.raw(
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\nGET /metrics HTTP/1.1\r\n",
    );
    assert_eq!(behind.matches("HTTP/1.1 200").count(), 1, "{behind}");
    // Two requests at once are answered in order.
    let two = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET /nothing HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let answers = served.raw(two.as_bytes());
    let (first, second) = (answers.find("HTTP/1.1 200"), answers.find("HTTP/1.1 404"));
    assert!(first.is_some() && first < second, "{answers}");
}

#[test]
fn a_body_that_is_too_long_is_not_read() {
    let world = World::sqlite();
    let served = Served::start(&world.cli(["serve"]).env("BOOTHDS_SERVE_TOKEN", TOKEN));
    let form = format!("token={}", "x".repeat(9 * 1024));
    assert_eq!(served.post("/login", &[], &form).status, 413);
    // Announced, and never sent: nobody waits for it.
    let start = Instant::now();
    let answer = served.raw(
        b"POST /logout HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999999999\r\nConnection: close\r\n\r\n",
    );
    assert_eq!(status(&answer), Some(401), "{answer}");
    assert!(start.elapsed() < Duration::from_secs(30));
    let endless = format!(
        "POST /login HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n\r\n{}",
        format!("400\r\n{}\r\n", "y".repeat(1024)).repeat(64)
    );
    assert_eq!(status(&served.raw(endless.as_bytes())), Some(413));
}

#[test]
fn idle_and_slow_clients_keep_nobody_out_and_are_sent_away() {
    let world = World::sqlite();
    let served = Served::start(&world.cli(["serve"]));
    // Our own ends are files too.
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
    let idle: Vec<_> = (0..1000).map(|_| served.connect()).collect();
    let mut slow: Vec<_> = (0..200).map(|_| served.connect()).collect();
    for stream in &mut slow {
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: ").unwrap();
    }
    for _ in 0..20 {
        assert_eq!(served.get("/healthz").status, 200);
        for stream in &mut slow {
            // Another byte now and then does not buy more time.
            let _ = stream.write_all(b"x");
        }
    }
    // All of them are gone before long, and nobody had to be told more than once.
    for mut stream in idle.into_iter().chain(slow) {
        stream.set_read_timeout(Some(Duration::from_secs(40))).unwrap();
        let mut answer = Vec::new();
        match stream.read_to_end(&mut answer) {
            Ok(_) => assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 4"), "{answer:?}"),
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{error}"),
        }
    }
    assert_eq!(served.get("/healthz").status, 200);
}

#[test]
fn a_kept_connection_serves_several_requests() {
    let world = World::sqlite();
    let served = Served::start(&world.cli(["serve"]));
    let mut stream = served.connect();
    for _ in 0..3 {
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        let mut buffer = [0; 1024];
        while !answer.ends_with(b"{\"status\":\"ok\"}") {
            let length = stream.read(&mut buffer).unwrap();
            assert_ne!(length, 0, "closed after {}", String::from_utf8_lossy(&answer));
            answer.extend_from_slice(&buffer[..length]);
        }
        assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"));
    }
}

#[test]
fn at_the_limit_of_open_files_new_clients_displace_idle_ones() {
    let world = World::sqlite();
    // 512 are kept for other things, which leaves 88 connections.
    let served = Served::start(&world.cli(["serve"]).files(600));
    let idle: Vec<_> = (0..200).map(|_| served.connect()).collect();
    for _ in 0..20 {
        assert_eq!(served.get("/healthz").status, 200);
    }
    let metrics = String::from_utf8(served.get("/metrics").body).unwrap();
    let line =
        metrics.lines().find(|line| line.starts_with("boothds_http_connections_displaced_total ")).unwrap();
    let displaced: u64 = line.split(' ').nth(1).unwrap().parse().unwrap();
    assert!(displaced >= 112, "{line}");
    drop(idle);
}

/// How many sockets a process has open.
fn sockets(process: u32) -> usize {
    let files = std::fs::read_dir(format!("/proc/{process}/fd")).unwrap().flatten();
    let targets = files.filter_map(|file| std::fs::read_link(file.path()).ok());
    targets.filter(|target| target.to_string_lossy().starts_with("socket:")).count()
}

#[test]
fn who_asks_and_does_not_listen_is_cut_off() {
    let world = World::sqlite();
    let served = Served::start(&world.cli(["serve"]));
    until("the round is over", || served.running.wait_for_stderr("INFO").contains("every tenant was tested"));
    let process = served.running.id();
    let before = sockets(process);
    let mut deaf = served.connect();
    // Some 20 MB of answers, which no socket holds.
    let asked = 4000;
    deaf.write_all("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(asked).as_bytes()).unwrap();
    until("it is let in", || sockets(process) > before);
    until("it is cut off", || sockets(process) == before);
    let mut heard = Vec::new();
    let _ = deaf.read_to_end(&mut heard);
    let answers = String::from_utf8_lossy(&heard).matches("HTTP/1.1 200 OK").count();
    assert!((1..asked).contains(&answers), "{answers}");
    assert_eq!(served.get("/healthz").status, 200);
}
