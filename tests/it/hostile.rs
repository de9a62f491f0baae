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
    let ran =
        Cli::new(["encrypt"]).env("ENCRYPTION_KEY", KEY).env("ENCRYPTION_KEY_PREVIOUS", "").stdin("x").run();
    ran.expect_code(0);
    for previous in ["abc", &format!("{KEY},")] {
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

#[test]
fn no_tenant_is_lost_at_the_border_of_a_page_that_ends_in_a_name_that_is_no_text() {
    let world = World::sqlite();
    let rows: Vec<TenantRow> = (0..1003).map(|number| TenantRow::new(&format!("t{number:04}"))).collect();
    world.database.insert_all(&rows);
    for (number, byte) in [(999, "e9"), (1000, "ea"), (1001, "eb"), (1002, "f5")] {
        world.database.execute(&format!(
            "update tenants set subdomain = cast(x'{byte}{byte}' as text) where subdomain = 't{number:04}'"
        ));
    }
    let document = world.test_all(&[]);
    assert_eq!((&document["summary"]["total"], &document["complete"]), (&1003.into(), &true.into()));
    let tenants = world.cli(["tenants", "--json"]).run().expect_code(0).json();
    assert_eq!(tenants["tenants"].as_array().unwrap().len(), 1003);
}

#[test]
fn a_test_leaves_nothing_beside_a_file_in_wal_mode() {
    let folder = scratch::folder("wal");
    let file = folder.path().join("wal.db");
    let world = World::sqlite();
    let url = sqlite_source(&file, &[&TenantRow::new("wal").id]);
    crate::support::fleet::sqlite3(
        &file,
        "pragma journal_mode = wal; insert into accounts values (9, 'x', 'y');",
    );
    world.add("wal", &url, "x", "x");
    world.cli(["test-connection", "wal"]).run().expect_code(0);
    let names: Vec<_> =
        std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["wal.db"]);
}

#[test]
fn what_a_terminal_would_act_on_is_escaped_in_json_too() {
    let world = World::sqlite();
    let name = "a\u{9b}31m\u{202e}b\u{e0041}\u{7f}é";
    world.database.insert(TenantRow::new("acme").name(name));
    for args in [&["info", "acme", "--json"][..], &["tenants", "--json"], &["tenants", "--format", "jsonl"]] {
        let ran = Cli::new(args).env("DATABASE_URL", world.database.url()).run().expect_code(0);
        assert!(!ran.stdout.contains(['\u{9b}', '\u{202e}', '\u{e0041}', '\u{7f}']), "{}", ran.stdout);
        let value: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        assert!(value.to_string().contains(name), "the text is the same: {value}");
    }
}

#[test]
fn a_signal_ends_a_run_whose_reader_does_not_read() {
    let world = World::sqlite();
    let rows: Vec<TenantRow> = (0..3000).map(|number| TenantRow::new(&format!("t{number}"))).collect();
    world.database.insert_all(&rows);
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_boothds"))
        .args(["tenants", "--json"])
        .env("DATABASE_URL", world.database.url())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let mut first = [0; 1];
    stdout.read_exact(&mut first).unwrap();
    std::thread::sleep(Duration::from_millis(200));
    assert!(child.try_wait().unwrap().is_none(), "it is blocked");
    crate::support::process::signal(child.id(), Signal::TERM);
    let start = Instant::now();
    let status = child.wait().unwrap();
    assert!(start.elapsed() < Duration::from_secs(5) && !status.success());
}

#[test]
fn a_credential_among_wrong_arguments_is_not_repeated() {
    let world = World::sqlite();
    world.database.insert(TenantRow::new("a"));
    for args in [
        &["tenants", "sb_secret_hunter2hunter2"][..],
        &["decrypt", "--reveal=sb_secret_hunter2hunter2"],
        &["info", "postgres://u:hunter2hunter2@h/db"],
        &["info", "sb_secret_hunter2hunter2", "--json"],
        &["tenants", "sb_secret_hunter2hunter2", "--json"],
        &["--database-url", "Postgres://u:hunter2hunter2@h/db", "tenants"],
    ] {
        let ran = Cli::new(args).env("DATABASE_URL", world.database.url()).run();
        assert_ne!(ran.code, Some(0));
        assert!(!format!("{}{}", ran.stdout, ran.stderr).contains("hunter2"), "{args:?}: {}", ran.stderr);
    }
}
