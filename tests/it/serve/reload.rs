//! Files that change while the service runs, and SIGHUP.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use super::served::{Served, TOKEN, replace, text, until};
use crate::fixture::{KEY, World, seal_with};
use crate::support::cli::Cli;
use crate::support::fleet::{TenantRow, sqlite_source};
use crate::support::process::Signal;
use crate::support::scratch;

const NEW_KEY: &str = "1111111111111111111111111111111111111111111111111111111111111111";

fn tenants(served: &Served, state: &str, count: usize) -> bool {
    text(&served.get("/metrics")).contains(&format!("boothds_tenants{{state=\"{state}\"}} {count}.0"))
}

#[test]
fn a_rotated_key_is_taken_from_its_file_and_a_broken_one_is_not() {
    let folder = scratch::folder("reload");
    let url = sqlite_source(&folder.path().join("source.db"), &["mine"]);
    // A PostgreSQL tenant's key is opened; a file's is not. This one is refused, but only when its key opens.
    let world = World::sqlite();
    let (one, other) = (seal_with(KEY, "x"), seal_with(KEY, "y"));
    world
        .database
        .insert(TenantRow::new("file").data_source(&url, &one, &other).tenant_id_in_data_source("mine"));
    world.database.insert(TenantRow::new("gone").data_source("postgres://u@127.0.0.1:1/x", &one, &other));
    let key = folder.path().join("key");
    fs::write(&key, KEY).unwrap();
    let cli = Cli::new(["serve"]).env("DATABASE_URL", world.database.url()).env("ENCRYPTION_KEY_FILE", &key);
    let mut served = Served::start(&cli);
    let class = |served: &Served, class: &str| {
        text(&served.get("/metrics")).contains(&format!("boothds_tenants_failing{{class=\"{class}\"}} 1.0"))
    };
    until("it is tested", || class(&served, "refused"));

    replace(&key, NEW_KEY);
    until("the new key opens nothing of the old", || class(&served, "key-unreadable"));
    let rotated = [seal_with(NEW_KEY, "x"), seal_with(NEW_KEY, "y")];
    world.database.execute(&format!(
        "update tenants set data_source_anon_key = '{}', data_source_service_key = '{}'",
        rotated[0], rotated[1]
    ));
    served.running.signal(Signal::HUP);
    until("the new key opens the new", || class(&served, "refused"));

    replace(&key, "no key at all");
    served.running.wait_for_stderr("what was read before stays in force");
    assert!(text(&served.get("/metrics")).contains("boothds_config_last_reload_successful 0.0"));
    served.running.signal(Signal::HUP);
    until("it is told again", || served.running.wait_for_stderr("told").matches("told to read").count() == 2);
    assert!(class(&served, "refused"), "the key that was read before stays in force");
    replace(&key, NEW_KEY);
    until("it is good again", || {
        text(&served.get("/metrics")).contains("boothds_config_last_reload_successful 1.0")
    });
    let log = served.end(Signal::TERM).expect_code(0).stderr;
    assert!(log.contains("what stands in the environment of the process"), "{log}");
    assert!(!log.contains(KEY) && !log.contains(NEW_KEY) && !log.contains("no key at all"), "{log}");
}

#[test]
fn a_changed_configuration_leads_to_another_database() {
    let (one, two) = (World::sqlite(), World::sqlite());
    two.add("only", "sqlite:///nowhere.db", "x", "x");
    let cli = Cli::new(["serve", "--interval", "1h"]).env("ENCRYPTION_KEY", KEY);
    let file = cli.folder().join("boothds.toml");
    fs::write(&file, format!("database_url = \"{}\"\n", one.database.url())).unwrap();
    let served = Served::start(&cli);
    until("the first is read", || text(&served.get("/metrics")).contains("boothds_watch_rounds_total 1"));
    assert!(tenants(&served, "failed", 0));
    assert_eq!(served.get("/only/debug/performance").status, 404);
    replace(&file, &format!("database_url = \"{}\"\n", two.database.url()));
    until("the second is read", || tenants(&served, "failed", 1));
    assert_eq!(served.get("/only/debug/performance").status, 200);
    // What is no configuration changes nothing.
    replace(&file, "database_url = 7\nnonsense = true\n");
    served.running.wait_for_stderr("stays in force: unknown key `nonsense`");
    assert!(tenants(&served, "failed", 1));
    // It is said on every page until it is mended, and to programs.
    let banner = |path: &str| text(&served.get(path)).contains("data-key=\"unread\"");
    assert!(banner("/debug/performance") && banner("/only/debug/performance"));
    assert!(text(&served.get("/debug/performance")).contains("Unknown key `nonsense`"));
    replace(&file, &format!("database_url = \"{}\"\n", one.database.url()));
    until("it is mended", || !banner("/debug/performance"));
}

#[test]
fn another_token_ends_every_session() {
    let world = World::sqlite();
    let folder = scratch::folder("token");
    let file = folder.path().join("token");
    fs::write(&file, format!("{TOKEN}\n")).unwrap();
    let served = Served::start(&world.cli(["serve"]).env("BOOTHDS_SERVE_TOKEN_FILE", &file));
    let login = served.post("/login", &[], &format!("token={TOKEN}"));
    let cookie = super::served::field(&login, "set-cookie").split(';').next().unwrap().to_owned();
    let asks = |name: &str, value: &str| served.send("GET", "/metrics", &[(name, value)], "").status;
    assert_eq!(asks("Cookie", &cookie), 200);
    // The same token, written anew, ends nothing.
    replace(&file, TOKEN);
    served.running.wait_for_stderr("were read anew");
    assert_eq!(asks("Cookie", &cookie), 200);
    let new = "another-token-of-the-service";
    replace(&file, new);
    let read_anew = || served.running.wait_for_stderr("INFO").matches("were read anew").count();
    until("the new token is read", || read_anew() == 2);
    assert_eq!(asks("Authorization", &format!("Bearer {new}")), 200);
    assert_eq!((asks("Cookie", &cookie), asks("Authorization", &format!("Bearer {TOKEN}"))), (401, 401));
    // Without a token it would be open to everybody who can reach it: an empty file is an error.
    replace(&file, "");
    served.running.wait_for_stderr("stays in force: the token named by");
    assert_eq!(asks("Authorization", &format!("Bearer {new}")), 200);
}

#[test]
fn a_token_that_is_away_for_a_moment_lets_nobody_in() {
    let world = World::sqlite();
    let cli = Cli::new(["serve", "--interval", "1h"])
        .env("DATABASE_URL", world.database.url())
        .env("ENCRYPTION_KEY", KEY);
    let file = cli.folder().join(".env");
    fs::write(&file, format!("BOOTHDS_SERVE_TOKEN={TOKEN}\n")).unwrap();
    let mut served = Served::start(&cli);
    let bearer = format!("Bearer {TOKEN}");
    let asks = |served: &Served, headers: &[(&str, &str)]| served.send("GET", "/metrics", headers, "");
    assert_eq!(asks(&served, &[]).status, 401);
    fs::remove_file(&file).unwrap();
    served.running.signal(Signal::HUP);
    served.running.wait_for_stderr("no token is set any more");
    assert_eq!(asks(&served, &[]).status, 401);
    let metrics = asks(&served, &[("Authorization", &bearer)]);
    assert!(text(&metrics).contains("boothds_config_last_reload_successful 0.0"));
    served.end(Signal::TERM).expect_code(0);
}

#[test]
fn what_could_not_be_read_is_tried_again_by_itself() {
    let world = World::sqlite();
    let folder = scratch::folder("again");
    // The key comes from a command, and that from a file that nobody watches.
    let file = folder.path().join("boothds.toml");
    let key = folder.path().join("key");
    fs::write(&key, KEY).unwrap();
    fs::write(&file, format!("encryption_key_command = \"cat {}\"\n", key.display())).unwrap();
    let cli = Cli::new(["serve", "--interval", "1h"]).env("DATABASE_URL", world.database.url());
    let mut served = Served::start(&cli.arg("--config").arg(&file));
    fs::remove_file(&key).unwrap();
    served.running.signal(Signal::HUP);
    served.running.wait_for_stderr("stays in force");
    assert!(text(&served.get("/debug/performance")).contains("data-key=\"unread\""));
    fs::write(&key, KEY).unwrap();
    served.running.wait_for_stderr("were read anew");
    assert!(!text(&served.get("/debug/performance")).contains("data-key=\"unread\""));
    let log = served.end(Signal::TERM).expect_code(0).stderr;
    assert_eq!(log.matches("stays in force").count(), 1, "it is complained of once: {log}");
}

#[test]
fn a_pipe_in_the_place_of_a_file_is_said_and_what_follows_it_is_read() {
    let world = World::sqlite();
    let folder = scratch::folder("pipe");
    let file = folder.path().join("token");
    fs::write(&file, TOKEN).unwrap();
    let cli = world.cli(["serve", "--interval", "1h"]).env("BOOTHDS_SERVE_TOKEN_FILE", &file);
    let served = Served::start(&cli);
    let page = |token: &str| served.send("GET", "/debug/performance", &[("Authorization", token)], "");
    let old = format!("Bearer {TOKEN}");
    let pipe = folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    // Nobody ever writes into it.
    fs::rename(&pipe, &file).unwrap();
    let is_said = || text(&page(&old)).contains("data-key=\"unread\"");
    let start = Instant::now();
    while !is_said() {
        assert!(start.elapsed() < Duration::from_secs(60), "it is not said");
        std::thread::sleep(Duration::from_millis(100));
    }
    replace(&file, "another-token-of-the-service-7");
    until("the new token is taken", || page("Bearer another-token-of-the-service-7").status == 200);
    assert_ne!(page(&old).status, 200, "the old one is no more");
    let log = served.end(Signal::TERM).expect_code(0).stderr;
    assert!(log.contains("it takes longer than 20 s"), "{log}");
}
