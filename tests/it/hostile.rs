//! Servers, rows and surroundings that mean harm, or do it by accident.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::fixture::{KEY, World, outcome, result};
use crate::support::cli::Cli;
use crate::support::fleet::{TenantRow, sqlite_source};
use crate::support::listener::Listener;
use crate::support::network::garbage_server;
use crate::support::process::Signal;
use crate::support::scratch;

/// A message of PostgreSQL's protocol.
fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
    [&[kind][..], &length, body].concat()
}

/// Asks for SCRAM with as many rounds of hashing as the protocol can ask for.
fn scram_bomb() -> Listener {
    fn serve(mut stream: TcpStream) -> std::io::Result<()> {
        let mut buffer = [0; 4096];
        let _startup = stream.read(&mut buffer)?;
        stream.write_all(&message(b'R', b"\0\0\0\x0aSCRAM-SHA-256\0\0"))?;
        let length = stream.read(&mut buffer)?;
        let first = String::from_utf8_lossy(&buffer[..length]).into_owned();
        let nonce = first.split("r=").nth(1).unwrap_or_default();
        let challenge = format!("\0\0\0\x0br={nonce}x,s=c2FsdHNhbHQ=,i=4294967295");
        stream.write_all(&message(b'R', challenge.as_bytes()))?;
        let _ = stream.read(&mut buffer)?;
        Ok(())
    }
    Listener::start(|stream| {
        let _ = serve(stream);
    })
}

#[test]
fn a_server_that_asks_for_endless_hashing_holds_up_nobody_and_not_the_end() {
    let folder = scratch::folder("bomb");
    let world = World::sqlite();
    let url = sqlite_source(&folder.path().join("good.db"), &["x"]);
    let bombs: Vec<Listener> = (0..4).map(|_| scram_bomb()).collect();
    for (number, bomb) in bombs.iter().enumerate() {
        let url = format!("postgres://u@127.0.0.1:{}/x?sslmode=disable", bomb.port());
        world.add(&format!("bomb{number}"), &url, "pw", "pw");
    }
    world.add("good", &url, "x", "x");
    let start = Instant::now();
    let ran = world.cli(["test-connection", "--all", "--json", "--timeout", "1s"]).run().expect_code(1);
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    let document = ran.json();
    assert_eq!(outcome(result(&document, "bomb0"), "service"), "timeout", "{document}");
    assert_eq!(outcome(result(&document, "good"), "service"), "ok", "{document}");

    // As the application database it is given up as well, and a signal is heard meanwhile.
    let url = format!("postgres://u:pw@127.0.0.1:{}/x?sslmode=disable", bombs[0].port());
    let before = bombs[0].connections();
    let mut running = Cli::new(["tenants"]).env("DATABASE_URL", url).spawn();
    while bombs[0].connections() == before {
        std::thread::sleep(Duration::from_millis(5));
    }
    std::thread::sleep(Duration::from_millis(100));
    running.signal(Signal::TERM);
    running.wait().expect_code(143);
}

#[test]
fn a_message_that_the_driver_cannot_read_is_a_failure_of_its_sender() {
    let world = World::sqlite();
    let broken = garbage_server(message(b'R', b""));
    let url = format!("postgres://u:pw@127.0.0.1:{}/x?sslmode=disable", broken.port());
    world.add("broken", &url.replace(":pw", ""), "x", "x");
    let ran = world.cli(["test-connection", "broken", "--json"]).run().expect_code(1);
    let document = ran.json();
    let result = result(&document, "broken");
    assert_eq!(
        (outcome(result, "service"), outcome(result, "anon")),
        ("not-postgres", "not-postgres"),
        "{result}"
    );
    assert_eq!(ran.stderr, "");
    let ran = Cli::new(["tenants", "--json"]).env("DATABASE_URL", url).run().expect_code(5);
    let error: serde_json::Value = serde_json::from_str(&ran.stderr).unwrap();
    assert_eq!(error["error"]["code"], "unavailable");
}

#[test]
fn a_row_that_is_no_text_fails_alone() {
    let folder = scratch::folder("bytes");
    let world = World::sqlite();
    let url = sqlite_source(&folder.path().join("good.db"), &["x"]);
    world.add("good", &url, "x", "x");
    world.add("odd", &url, "x", "x");
    world.add("odder", "postgres://u@127.0.0.1:1/x", "x", "x");
    world.database.execute(
        "update tenants set data_source_url = cast(x'68747470733aff' as text) where subdomain = 'odd'",
    );
    world.database.execute("update tenants set data_source_service_key = x'00ff' where subdomain = 'odder'");
    let document = world.test_all(&[]);
    for (tenant, class) in [("good", "ok"), ("odd", "url-refused"), ("odder", "key-unreadable")] {
        assert_eq!((outcome(result(&document, tenant), "service"), tenant), (class, tenant), "{document}");
    }
    assert_eq!(
        world.cli(["tenants", "--json"]).run().expect_code(0).json()["tenants"].as_array().unwrap().len(),
        3
    );
}

#[test]
fn a_shortage_of_files_is_said_to_be_ours() {
    let world = World::sqlite();
    let gateway = crate::support::gateway::Gateway::start(None);
    let (anon, service) = (crate::support::gateway::PUBLISHABLE_KEY, crate::support::gateway::SECRET_KEY);
    for number in 0..60 {
        world.add(&format!("t{number}"), &gateway.base_url(), anon, service);
    }
    let limited = |limit: &str| {
        let script =
            format!("ulimit {limit}; exec \"$0\" test-connection --all --json --concurrency 60 --retries 0");
        let done = std::process::Command::new("bash")
            .args(["-c", &script, env!("CARGO_BIN_EXE_boothds")])
            .env("DATABASE_URL", world.database.url())
            .env("ENCRYPTION_KEY", KEY)
            .output()
            .unwrap();
        serde_json::from_slice::<serde_json::Value>(&done.stdout).unwrap()
    };
    // The soft limit is the shell's opinion, and is raised.
    assert_eq!(limited("-Sn 40")["summary"]["passed"], 60);
    let document = limited("-n 40");
    let results = document["results"].as_array().unwrap();
    let failed: Vec<&serde_json::Value> =
        results.iter().filter(|result| result["success"] == false).collect();
    assert!(
        !failed.is_empty() && failed.iter().all(|result| result["failure"] == "local-limit"),
        "{document}"
    );
}

#[test]
fn a_file_of_settings_that_blocks_can_be_interrupted() {
    let world = World::sqlite();
    world.database.insert(TenantRow::new("a"));
    for flag in ["--encryption-key-file", "--env-file", "--config"] {
        let cli = world.cli(["tenants", flag, "pipe"]);
        assert!(
            std::process::Command::new("mkfifo").arg(cli.folder().join("pipe")).status().unwrap().success()
        );
        let mut running = cli.spawn();
        std::thread::sleep(Duration::from_millis(200));
        let start = Instant::now();
        running.signal(Signal::TERM);
        let ran = running.wait();
        assert!(start.elapsed() < Duration::from_secs(5) && ran.code != Some(0), "{flag}: {ran:?}");
    }
    let cli = Cli::new(["decrypt", "--config", "c.toml"]).stdin("x");
    std::fs::write(cli.folder().join("c.toml"), "encryption_key_command = 'yes'").unwrap();
    let ran = cli.run().expect_code(4);
    assert!(ran.stderr.contains("it printed too much"), "{}", ran.stderr);
}

#[test]
fn a_home_that_is_none_is_no_obstacle() {
    let world = World::sqlite();
    world.database.insert(TenantRow::new("a"));
    for home in ["/dev/null", "/no/such/home", "relative", ""] {
        let ran = world.cli(["tenants"]).env("HOME", home).run();
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "HOME={home}");
    }
}

#[test]
fn a_setting_at_fault_is_the_one_that_is_named() {
    for previous in ["", "abc", &format!("{KEY},")] {
        let ran = Cli::new(["encrypt"])
            .env("ENCRYPTION_KEY", KEY)
            .env("ENCRYPTION_KEY_PREVIOUS", previous)
            .stdin("x")
            .run();
        assert!(ran.stderr.contains("ENCRYPTION_KEY_PREVIOUS"), "{}", ran.expect_code(4).stderr);
    }
    for url in
        ["postgres://u:hunter2@[bad/db", "postgres://u:hunter2@h:99999/db", "sqlite:", "sqlite:a.db?mode=rw"]
    {
        let ran = Cli::new(["tenants"]).env("DATABASE_URL", url).run().expect_code(3);
        assert!(
            ran.stderr.contains("DATABASE_URL in the environment") && !ran.stderr.contains("hunter2"),
            "{}",
            ran.stderr
        );
    }
}

#[test]
fn a_device_is_written_to_and_not_replaced() {
    let world = World::sqlite();
    world.database.insert(TenantRow::new("a"));
    let cli = world.cli(["test-connection", "--all", "--report", "junit=link"]);
    std::os::unix::fs::symlink("/dev/null", cli.folder().join("link")).unwrap();
    cli.run().expect_code(0);
    assert!(cli.folder().join("link").is_symlink());
    let cli = Cli::new(["keygen", "--force", "--output", "link"]);
    std::os::unix::fs::symlink("/dev/null", cli.folder().join("link")).unwrap();
    assert!(cli.run().expect_code(9).stderr.contains("is no regular file"));
    assert!(!std::path::Path::new("/dev/null").metadata().unwrap().is_file());
}
