//! Ctrl-C, SIGTERM, a closed pipe, a full disk, a name lookup that hangs.

use std::io::Read;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::fixture::{KEY, World};
use crate::support::fleet::{TenantRow, sqlite_source};
use crate::support::network::silent_server;
use crate::support::process::Signal;
use crate::support::scratch;

/// A fleet of which one tenant never answers.
fn stuck() -> (World, tempfile::TempDir, crate::support::listener::Listener) {
    let folder = scratch::folder("stuck");
    let silent = silent_server();
    let world = World::sqlite();
    let url = sqlite_source(&folder.path().join("good.db"), &["x"]);
    world.add("good", &url, "x", "x");
    world.add("stuck", &format!("postgres://u@127.0.0.1:{}/x", silent.port()), "x", "x");
    (world, folder, silent)
}

#[test]
fn a_signal_prints_what_has_finished_and_ends_with_its_code() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let (world, _folder, silent) = stuck();
        let mut running = world.cli(["test-connection", "--all", "--json", "--timeout", "60s"]).spawn();
        let start = Instant::now();
        while silent.connections() == 0 {
            std::thread::sleep(Duration::from_millis(5));
        }
        std::thread::sleep(Duration::from_millis(300));
        running.signal(signal);
        let ran = running.wait().expect_code(code);
        assert!(start.elapsed() < Duration::from_secs(30));
        let document = ran.json();
        assert_eq!(
            (&document["complete"], &document["summary"]["total"]),
            (&false.into(), &1.into()),
            "{document}"
        );
        assert_eq!(document["results"][0]["tenant"]["subdomain"], "good");
    }
}

#[test]
fn a_signal_while_the_application_database_is_awaited_ends_the_run() {
    let silent = silent_server();
    let mut running = crate::support::cli::Cli::new(["tenants"])
        .env("DATABASE_URL", format!("postgres://u@127.0.0.1:{}/x", silent.port()))
        .spawn();
    while silent.connections() == 0 {
        std::thread::sleep(Duration::from_millis(5));
    }
    running.signal(Signal::INT);
    let ran = running.wait().expect_code(130);
    assert!(ran.stderr.contains("interrupted"), "{}", ran.stderr);
}

#[test]
fn a_reader_that_goes_away_ends_the_output_quietly_and_not_the_work() {
    let world = World::sqlite();
    let rows: Vec<TenantRow> = (0..3000).map(|number| TenantRow::new(&format!("t{number}"))).collect();
    world.database.insert_all(&rows);
    world.add("broken", "sqlite:/no/such/file.db", "x", "x");
    for (args, code) in [
        (&["tenants"][..], 0),
        (&["tenants", "--json"], 0),
        (&["tenants", "--format", "jsonl"], 0),
        (&["test-connection", "--all", "--format", "jsonl"], 1),
        (&["test-connection", "--all", "--json"], 1),
    ] {
        let home = scratch::folder("home");
        let mut child = Command::new(env!("CARGO_BIN_EXE_boothds"))
            .args(args)
            .env_clear()
            .env("HOME", home.path())
            .env("DATABASE_URL", world.database.url())
            .env("ENCRYPTION_KEY", KEY)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut first = [0; 10];
        let mut stdout = child.stdout.take().unwrap();
        stdout.read_exact(&mut first).unwrap();
        drop(stdout);
        let done = child.wait_with_output().unwrap();
        assert_eq!(String::from_utf8_lossy(&done.stderr), "", "{args:?}");
        assert_eq!(done.status.code(), Some(code), "{args:?}");
    }
}

#[test]
fn an_answer_that_cannot_be_written_is_an_error() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let done = Command::new(env!("CARGO_BIN_EXE_boothds")).arg("keygen").stdout(full).output().unwrap();
    assert_eq!(done.status.code(), Some(9));
    assert!(String::from_utf8_lossy(&done.stderr).contains("cannot write to standard output"));
}

#[test]
fn a_read_only_home_and_folder_are_no_obstacle() {
    let (world, _folder, _silent) = stuck();
    let cli = world.cli(["test-connection", "good"]);
    for folder in [cli.home(), cli.folder().to_owned()] {
        let mut mode = folder.metadata().unwrap().permissions();
        mode.set_readonly(true);
        std::fs::set_permissions(folder, mode).unwrap();
    }
    cli.run().expect_code(0);
}

/// In a network of its own, of which not even the loopback device is up.
#[test]
fn a_host_without_a_route_is_unreachable() {
    let (world, _folder, _silent) = stuck();
    let done = Command::new("unshare")
        .args([
            "--map-root-user",
            "--net",
            env!("CARGO_BIN_EXE_boothds"),
            "test-connection",
            "stuck",
            "--json",
        ])
        .env("DATABASE_URL", world.database.url())
        .env("ENCRYPTION_KEY", KEY)
        .output()
        .unwrap();
    let document: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(crate::fixture::result(&document, "stuck")["failure"], "unreachable", "{document}");
}

/// In a network of its own, whose name server hears and never answers.
#[test]
fn a_name_lookup_that_hangs_neither_delays_the_others_nor_the_end() {
    let (world, folder, _silent) = stuck();
    world.add("unnamed", "postgres://u@db.example/x", "x", "x");
    std::fs::write(
        folder.path().join("resolv.conf"),
        "nameserver 127.0.0.1\noptions timeout:30 attempts:3\n",
    )
    .unwrap();
    let script = "ip link set lo up 2>/dev/null || true
        mount --bind \"$1\" /etc/resolv.conf
        node -e 'require(\"dgram\").createSocket(\"udp4\").bind(53, \"127.0.0.1\", () => console.error(\"deaf\"))' >/dev/null 2>\"$3\" &
        deaf=$!
        for _ in $(seq 500); do grep -q deaf \"$3\" && break; sleep 0.01; done
        grep -q deaf \"$3\" || { echo 'the name server did not start' >&2; kill $deaf; exit 99; }
        \"$2\" test-connection unnamed good --json --timeout 1s --retries 0
        code=$?; kill $deaf; exit $code";
    let start = Instant::now();
    let done = Command::new("unshare")
        .args(["--map-root-user", "--mount", "--net", "sh", "-c", script, "sh"])
        .arg(folder.path().join("resolv.conf"))
        .arg(env!("CARGO_BIN_EXE_boothds"))
        .arg(folder.path().join("deaf.log"))
        .env("DATABASE_URL", world.database.url())
        .env("ENCRYPTION_KEY", KEY)
        .output()
        .unwrap();
    assert_eq!(done.status.code(), Some(1), "{}", String::from_utf8_lossy(&done.stderr));
    assert!(start.elapsed() < Duration::from_secs(20), "the lookup held up the end");
    let document: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(crate::fixture::result(&document, "unnamed")["failure"], "timeout", "{document}");
    assert_eq!(crate::fixture::result(&document, "good")["success"], true);
}
