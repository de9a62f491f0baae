//! The systemd unit: by systemd's own tools, and its command line by running it as systemd would.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::Duration;

use super::files::{path, read, tool};
use crate::fixture::{KEY, World};
use crate::support::cli::Cli;
use crate::support::http;
use crate::support::process::Signal;
use crate::support::scratch;

const UNIT: &str = "contrib/systemd/boothds.service";
/// Where the unit expects the binary.
const INSTALLED: &str = "/usr/local/bin/boothds";
/// What systemd calls the exposure of a service, times ten, at the most.
const THRESHOLD: &str = "--threshold=13";

/// The values of a setting, in order.
fn values(name: &str) -> Vec<String> {
    let unit = read(UNIT);
    unit.lines().filter_map(|line| Some(line.strip_prefix(name)?.strip_prefix('=')?.to_owned())).collect()
}

/// The unit with the binary where it is here.
fn here(folder: &Path, text: &str) -> std::path::PathBuf {
    let unit = folder.join("boothds.service");
    fs::write(&unit, text.replace(INSTALLED, env!("CARGO_BIN_EXE_boothds"))).unwrap();
    unit
}

#[test]
fn systemd_has_nothing_to_say_against_the_unit() {
    let folder = scratch::folder("unit");
    let verify = |text: &str| tool("systemd-analyze", ["verify".into(), here(folder.path(), text)]);
    assert_eq!(verify(&read(UNIT)), (true, String::new()));
    let (_, said) = verify(&read(UNIT).replace("ProtectHome=true", "ProtectHouse=true"));
    assert!(said.contains("ProtectHouse"), "the checker finds what is wrong: {said}");
}

#[test]
fn the_service_is_as_little_exposed_as_it_can_be() {
    let security = |file: &Path| {
        let words = ["security", "--offline=true", "--no-pager", THRESHOLD];
        tool("systemd-analyze", words.iter().map(AsRef::as_ref).chain([file.as_os_str()]))
    };
    let (is_content, said) = security(&path(UNIT));
    assert!(is_content, "{said}");
    let folder = scratch::folder("unit");
    let (is_content, _) = security(&here(folder.path(), &read(UNIT).replace("DynamicUser=true", "")));
    assert!(!is_content, "the checker finds what is wrong");
}

#[test]
fn no_secret_stands_in_the_unit_or_in_its_environment() {
    assert!(values("EnvironmentFile").is_empty() && values("PassEnvironment").is_empty());
    assert!(values("SetCredential").is_empty());
    for variable in values("Environment") {
        let (name, value) = variable.split_once('=').unwrap();
        assert!(
            name == "XDG_STATE_HOME" || (name.ends_with("_FILE") && value.starts_with("%d/")),
            "{variable}"
        );
    }
}

/// A notification of the service, until it says this.
fn wait_for(socket: &UnixDatagram, word: &str) {
    let mut buffer = [0; 512];
    loop {
        let length = socket.recv(&mut buffer).unwrap_or_else(|error| panic!("no {word}: {error}"));
        if String::from_utf8_lossy(&buffer[..length]).lines().any(|line| line == word) {
            return;
        }
    }
}

#[test]
fn the_command_line_of_the_unit_starts_a_service_that_says_so() {
    let world = World::sqlite();
    let folder = scratch::folder("unit");
    let [credentials, state] = ["credentials", "state"].map(|name| folder.path().join(name));
    for folder in [&credentials, &state] {
        fs::create_dir(folder).unwrap();
    }
    let mut contents = HashMap::from([
        ("env", format!("DATABASE_URL={}\n", world.database.url())),
        ("encryption-key", format!("{KEY}\n")),
        ("token", "0123456789abcdef0123456789abcdef\n".to_owned()),
    ]);
    for credential in values("LoadCredential") {
        let (name, source) = credential.split_once(':').unwrap();
        assert_eq!(source, format!("/etc/boothds/{name}"));
        let file = credentials.join(name);
        fs::write(&file, contents.remove(name).unwrap_or_else(|| panic!("what is {name}?"))).unwrap();
        // As systemd hands them out.
        fs::set_permissions(&file, fs::Permissions::from_mode(0o400)).unwrap();
    }
    assert!(contents.is_empty(), "not handed out: {:?}", contents.keys());
    let replaced = |text: &str| {
        let text = text.replace("%d", credentials.to_str().unwrap()).replace("%S", state.to_str().unwrap());
        assert!(!text.contains('%'), "{text}");
        text
    };

    let socket = UnixDatagram::bind(folder.path().join("notify")).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let command = replaced(&values("ExecStart").concat()).replace("127.0.0.1:8787", "127.0.0.1:0");
    let words: Vec<&str> = command.split(' ').collect();
    assert_eq!(words[0], INSTALLED);
    let mut cli = Cli::new(&words[1..]).env("NOTIFY_SOCKET", folder.path().join("notify"));
    for variable in values("Environment") {
        let (name, value) = variable.split_once('=').unwrap();
        cli = cli.env(name, replaced(value));
    }
    let mut service = cli.spawn();
    wait_for(&socket, "READY=1");
    let log = service.wait_for_stderr("watching");
    let port = log.split("http://127.0.0.1:").nth(1).unwrap().split('"').next().unwrap().parse().unwrap();
    assert_eq!(http::get(port, "/readyz").unwrap().status, 200);
    assert_eq!(http::get(port, "/metrics").unwrap().status, 401, "the token holds");

    assert!(values("ExecReload").concat().contains("-HUP"));
    service.signal(Signal::HUP);
    for word in ["RELOADING=1", "READY=1"] {
        wait_for(&socket, word);
    }
    service.signal(Signal::TERM);
    wait_for(&socket, "STOPPING=1");
    service.wait().expect_code(0);
}
