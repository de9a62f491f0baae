//! Follows `docs/key-rotation.md`: every command of every situation is run as it stands there, and prints what stands
//! there. `…` stands for anything; expected lines come in this order, among others; `[exit N]` for a code that is not 0.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use super::fleet::{Fleet, plaintext};
use crate::fixture::{KEY, seal};
use crate::support::fleet::{ApplicationDatabase, TenantRow, sqlite_source};
use crate::support::process::{find, search_path};

/// A command and the lines it is to print.
struct Step {
    command: String,
    expected: Vec<String>,
    code: i32,
}

/// The steps of each situation, in their order.
fn situations() -> BTreeMap<String, Vec<Step>> {
    let text = include_str!("../../../docs/key-rotation.md");
    let mut situations: BTreeMap<String, Vec<Step>> = BTreeMap::new();
    let (mut heading, mut within) = (String::new(), false);
    for line in text.lines() {
        let line = line.trim();
        if let Some(title) = line.strip_prefix("## ") {
            heading = title.to_owned();
        } else if line.starts_with("```") {
            within = line == "```console";
        } else if within {
            let steps = situations.entry(heading.clone()).or_default();
            match line.strip_prefix("$ ") {
                Some(command) => {
                    steps.push(Step { command: command.to_owned(), expected: Vec::new(), code: 0 })
                }
                None => {
                    let step = steps.last_mut().expect("a command before its output");
                    match line.strip_prefix("[exit ").and_then(|rest| rest.strip_suffix(']')) {
                        Some(code) => step.code = code.parse().unwrap(),
                        None => step.expected.push(line.to_owned()),
                    }
                }
            }
        }
    }
    situations
}

fn matches(expected: &str, line: &str) -> bool {
    let mut rest = line;
    let parts: Vec<&str> = expected.split('…').collect();
    for (number, part) in parts.iter().enumerate() {
        match rest.find(part) {
            Some(at) if number > 0 || at == 0 => rest = &rest[at + part.len()..],
            _ => return false,
        }
    }
    parts.last().is_some_and(|part| part.is_empty() || line.ends_with(part))
}

/// Tenants whose data sources answer.
fn fleet(settings: &str) -> Fleet {
    let fleet = Fleet::of(0, |_| ApplicationDatabase::postgres());
    for name in ["acme", "birch", "cedar"] {
        let row = TenantRow::new(name);
        let url = sqlite_source(&fleet.file(&format!("{name}.db")), &[&row.id]);
        let [anon, service] = ["anon", "service"].map(|column| seal(&plaintext(name, column)));
        fleet.database.insert(row.data_source(&url, &anon, &service));
    }
    let _ = fs::remove_file(fleet.file("new.key"));
    fs::write(fleet.file(".env"), settings).unwrap();
    fs::write(fleet.file("credential.txt"), "sb_secret_made_anew").unwrap();
    fs::create_dir(fleet.file("bin")).unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_boothds"), fleet.file("bin/boothds")).unwrap();
    std::os::unix::fs::symlink(find("psql"), fleet.file("bin/psql")).unwrap();
    fleet
}

fn follow(fleet: &Fleet, steps: &[Step]) {
    for step in steps {
        let (code, output) = run(fleet.folder.path(), &fleet.database.url(), &step.command);
        assert_eq!(code, Some(step.code), "$ {}\n{output}", step.command);
        let mut lines = output.lines();
        for expected in &step.expected {
            assert!(
                lines.any(|line| matches(expected, line.trim())),
                "no line {expected:?} behind the others of\n$ {}\n{output}",
                step.command
            );
        }
    }
}

fn run(folder: &Path, url: &str, command: &str) -> (Option<i32>, String) {
    let mut path = folder.join("bin").into_os_string();
    path.push(":");
    path.push(search_path());
    let done = Command::new("bash")
        .args(["-c", command])
        .current_dir(folder)
        .env_clear()
        .env("PATH", path)
        .env("HOME", folder)
        .env("DATABASE_URL", url)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (done.status.code(), text(&done.stdout) + &text(&done.stderr))
}

#[test]
fn every_situation_of_the_runbook_goes_as_it_is_written() {
    let situations = situations();
    let names: Vec<&str> = situations.keys().map(String::as_str).collect();
    assert_eq!(names, ["A leaked key", "A lost key", "Services with the library", "The Node application"]);
    let plain = format!("ENCRYPTION_KEY={KEY}\n");
    let rich = format!(
        "# of the application\nFIRST='kept, too'\n  export ENCRYPTION_KEY = \"{KEY}\" # since May\nENCRYPTION_KEY_PREVIOUS=\n\
         MY_ENCRYPTION_KEY=another\nLAST=kept"
    );
    for settings in [&plain, &rich] {
        for (name, steps) in &situations {
            let fleet = fleet(settings);
            if name == "A lost key" {
                let lost =
                    "boothds rotate-key --generate lost.key --backup rotation.jsonl --yes && rm lost.key";
                assert_eq!(run(fleet.folder.path(), &fleet.database.url(), lost).0, Some(0));
            }
            follow(&fleet, steps);
            let now = fs::read_to_string(fleet.file(".env")).unwrap();
            for line in settings.lines().filter(|line| line.contains("kept") || line.contains("another")) {
                assert!(now.lines().any(|now| now == line), "{name}: {line} is gone from\n{now}");
            }
            assert_eq!(now.contains("export"), settings.contains("export"), "{name}\n{now}");
        }
    }
}

/// The steps before anything is written over: where they find no key, the third says so.
#[test]
fn a_key_that_the_runbook_does_not_find_stops_it_before_anything_is_changed() {
    let situations = situations();
    for settings in [
        "OTHER=kept\n".to_owned(),
        format!("ENCRYPTION_KEY={}\nOTHER=kept\n", "5".repeat(64)),
        format!("ENCRYPTION_KEY={KEY}5\nOTHER=kept\n"),
    ] {
        for (name, steps) in situations.iter().filter(|(name, _)| *name != "A lost key") {
            let fleet = fleet(&settings);
            let (put_aside, proof) = (&steps[..2], &steps[2]);
            follow(&fleet, put_aside);
            let (code, output) = run(fleet.folder.path(), &fleet.database.url(), &proof.command);
            assert_ne!(code, Some(0), "{name}: {}\n{output}", proof.command);
            assert!(proof.command.contains("--verify"), "{name}: {}", proof.command);
            assert_eq!(fs::read_to_string(fleet.file(".env")).unwrap(), settings);
        }
    }
}

#[test]
fn the_runbook_is_found_from_the_command_and_its_links_lead_somewhere() {
    let text = include_str!("../../../docs/key-rotation.md");
    for (link, _) in text.match_indices("](#") {
        let anchor = text[link + 3..].split(')').next().unwrap();
        let found = text.lines().filter_map(|line| line.strip_prefix("## "));
        assert!(
            found.map(|title| title.to_lowercase().replace(' ', "-")).any(|title| title == anchor),
            "{anchor}"
        );
    }
}
