//! What goes on around a service that runs: keys are rotated, and the disk is full.

use std::fs;
use std::time::Duration;

use super::served::{replace, text, until};
use crate::fixture::{KEY, World, seal_with};
use crate::support::cli::Cli;
use crate::support::http;
use crate::support::process::{self, Signal, User};
use crate::support::scratch;

const NEW_KEY: &str = "2222222222222222222222222222222222222222222222222222222222222222";

#[test]
fn a_rotation_of_the_encryption_key_is_not_noticed_where_the_earlier_key_was_told_before() {
    let world = World::sqlite();
    for n in 0..20 {
        // Refused, but only when its key opens.
        world.add(
            &format!("t{n}"),
            "postgres://u@127.0.0.1:1/x",
            &seal_with(KEY, &format!("one of {n}")),
            &seal_with(KEY, &format!("other of {n}")),
        );
    }
    let folder = scratch::folder("rotated");
    let at = |name: &str| folder.path().join(name);
    fs::write(at("key"), KEY).unwrap();
    fs::write(at("new"), NEW_KEY).unwrap();
    // From the start, as docs/deployment.md has it, with the key that is in use.
    fs::write(at("earlier"), KEY).unwrap();
    let cli = Cli::new(["serve", "--interval", "1s"])
        .env("DATABASE_URL", world.database.url())
        .env("ENCRYPTION_KEY_FILE", at("key"))
        .env("ENCRYPTION_KEY_PREVIOUS_FILE", at("earlier"));
    let served = super::served::Served::start(&cli);
    let rounds = || {
        let metrics = text(&served.get("/metrics"));
        assert!(!metrics.contains("key-unreadable"), "{metrics}");
        let line = metrics.lines().find_map(|line| line.strip_prefix("boothds_watch_rounds_total "));
        let refused = metrics.contains("boothds_tenants_failing{class=\"refused\"} 20.0");
        (line.map_or(0, |count| count.parse::<u64>().unwrap()), refused)
    };
    let two_more_rounds = |what: &str| {
        let (before, _) = rounds();
        until(what, || rounds().0 >= before + 2 && rounds().1);
    };
    let read_anew = || served.running.wait_for_stderr("INFO").matches("were read anew").count();
    two_more_rounds("all are tested with the old key");
    replace(&at("key"), NEW_KEY);
    until("the new key is read", || read_anew() == 1);
    two_more_rounds("all are tested with both keys");
    Cli::new(["rotate-key", "--yes"])
        .arg("--from")
        .arg(format!("file:{}", at("earlier").display()))
        .arg("--to")
        .arg(format!("file:{}", at("new").display()))
        .env("DATABASE_URL", world.database.url())
        .run()
        .expect_code(0);
    two_more_rounds("all are tested with what is stored now");
    replace(&at("earlier"), NEW_KEY);
    until("the old key is forgotten", || read_anew() == 2);
    two_more_rounds("all are tested with the new key alone");
    let log = served.end(Signal::TERM).expect_code(0).stderr;
    assert!(!log.contains(KEY) && !log.contains(NEW_KEY), "{log}");
}

#[test]
fn a_full_disk_is_said_and_ends_nothing() {
    let world = World::sqlite();
    world.add("one", "sqlite:///nowhere.db", "x", "x");
    let folder = scratch::folder("full");
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("disk")).unwrap();
    // A store that exists already, on a disk that is then filled; the log goes there too.
    let store = format!("sqlite:{}", at("state.db").display());
    world.cli(["stats", "--reset"]).env("BOOTHDS_STATE_URL", store).run().expect_code(0);
    let script = "mount -t tmpfs -o size=256k none \"$1\" && cp \"$2\" \"$1/state.db\" || exit 99
        dd if=/dev/zero of=\"$1/filler\" bs=4k 2>/dev/null
        log=$1/log; shift 2; exec \"$@\" 2>\"$log\"";
    let port = process::free_port();
    let mut command = process::command("unshare", Signal::KILL, User::Own);
    command
        .args(["--map-root-user", "--mount", "sh", "-c", script, "sh"])
        .args([at("disk"), at("state.db")])
        .args([env!("CARGO_BIN_EXE_boothds"), "serve", "--interval", "1s", "--listen"])
        .arg(format!("127.0.0.1:{port}"))
        .env("DATABASE_URL", world.database.url())
        .env("ENCRYPTION_KEY", KEY)
        .env("BOOTHDS_STATE_URL", format!("sqlite:{}", at("disk/state.db").display()));
    let mut service = process::spawn(command);
    process::wait_for_port(port, Duration::from_secs(30));
    let ask = |method: &str, path: &str| {
        let headers = vec![("Host".to_owned(), format!("127.0.0.1:{port}"))];
        let request =
            http::Request { method: method.to_owned(), path: path.to_owned(), headers, body: "".into() };
        http::send(port, &request).unwrap()
    };
    until("the tenants are tested", || text(&ask("GET", "/metrics")).contains("boothds_watch_up 1.0"));
    let reset = ask("POST", "/api/debug/performance");
    let said = text(&reset);
    assert!(reset.status == 503 && said.contains("the state store") && said.contains("is full"), "{said}");
    assert_eq!((ask("GET", "/healthz").status, ask("GET", "/readyz").status), (200, 503));
    assert_eq!(ask("GET", "/debug/performance").status, 200);
    // Room again, as seen from where the disk is.
    let root = format!("/proc/{}/root", service.id());
    fs::remove_file(format!("{root}{}", at("disk/filler").display())).unwrap();
    until("it is ready", || ask("GET", "/readyz").status == 200);
    assert_eq!(ask("POST", "/api/debug/performance").status, 200);
    service.signal(Signal::TERM);
    let ended = service.wait_for(Duration::from_secs(30)).expect("it ends");
    assert_eq!(ended.code(), Some(0));
}

#[test]
fn a_log_that_nobody_reads_holds_nothing_up() {
    let world = World::sqlite();
    let folder = scratch::folder("log");
    let pipe = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let _held = fs::OpenOptions::new().read(true).write(true).open(&pipe).unwrap();
    let port = process::free_port();
    let mut running = world
        .cli(["serve", "--verbose", "--interval", "1h", "--listen"])
        .arg(format!("127.0.0.1:{port}"))
        .behind(["sh".into(), "-c".into(), "exec \"$@\" 2>\"$0\"".into(), pipe.into_os_string()])
        .spawn();
    process::wait_for_port(port, Duration::from_secs(30));
    // Each is a line of a hundred letters; a pipe holds 65,536.
    for _ in 0..2000 {
        assert_eq!(http::get(port, "/healthz").unwrap().status, 200);
    }
    running.signal(Signal::TERM);
    running.wait().expect_code(0);
}
