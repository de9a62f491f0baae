//! The container file: by a linter that knows the language, and what a linter does not know.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::files::{content, path, read, tool};
use crate::support::process::find;
use crate::support::scratch;

const FILE: &str = "contrib/container/Containerfile";
const LINTER: &str = ".tools/node_modules/.bin/dockerfile-utils";

fn lint(file: &Path) -> (bool, String) {
    // The linter is a script of Node's.
    tool("node", [path(LINTER).as_os_str(), "lint".as_ref(), file.as_os_str()])
}

/// The instructions without comments, continued lines joined.
fn instructions() -> Vec<(String, String)> {
    let text = read(FILE).replace("\\\n", " ");
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let split =
        |line: &str| line.split_once(' ').map(|(word, rest)| (word.to_owned(), rest.trim().to_owned()));
    lines.map(|line| split(line).unwrap()).collect()
}

fn last(word: &str) -> String {
    let found = instructions().into_iter().rev().find(|(one, _)| one == word);
    found.unwrap_or_else(|| panic!("no {word}")).1
}

#[test]
fn the_linter_has_nothing_to_say_against_it() {
    assert!(path(LINTER).exists(), "the linter is missing: `scripts/test` installs it");
    let (is_content, said) = lint(&path(FILE));
    assert!(is_content && said.is_empty(), "{said}");
    let folder = scratch::folder("container");
    let wrong = folder.path().join("Containerfile");
    fs::write(&wrong, read(FILE).replace("ENTRYPOINT", "ENTRYPONT")).unwrap();
    let (is_content, said) = lint(&wrong);
    assert!(!is_content && said.contains("Unknown instruction: ENTRYPONT"), "{said}");
}

#[test]
fn the_image_is_small_and_without_rights_or_secrets() {
    let instructions = instructions();
    let bases: Vec<&str> =
        instructions.iter().filter(|(word, _)| word == "FROM").map(|(_, base)| base.as_str()).collect();
    let [build, end] = bases.as_slice() else { panic!("two stages: {bases:?}") };
    // The release of Rust that the manifest asks for, and one release of Debian on both sides.
    let manifest = read("Cargo.toml");
    let rust =
        manifest.lines().find_map(|line| line.strip_prefix("rust-version = ")).unwrap().trim_matches('"');
    assert_eq!(*build, format!("docker.io/library/rust:{rust}-slim-trixie AS build"));
    assert_eq!(*end, "gcr.io/distroless/cc-debian13:nonroot", "Debian 13 is trixie");
    let user = last("USER");
    let (uid, gid) = user.split_once(':').unwrap();
    assert!(uid.parse::<u32>().unwrap() > 0 && gid.parse::<u32>().unwrap() > 0, "{user}");
    for (word, rest) in &instructions {
        assert!(!["ADD", "ARG", "ENV", "SHELL"].contains(&word.as_str()), "{word} {rest}");
    }
    // As lists, since there is no shell that could take a text apart.
    let words = |word: &str| serde_json::from_str::<Vec<String>>(&last(word)).unwrap();
    let all = [words("ENTRYPOINT"), words("CMD")].concat();
    let help = content(env!("CARGO_BIN_EXE_boothds"), all[1..].iter().map(String::as_str).chain(["--help"]));
    assert!(help.contains("--listen"), "{help}");
}

#[test]
fn what_is_copied_is_what_the_build_needs() {
    let folder = scratch::folder("context");
    let list = read(&format!("{FILE}.dockerignore"));
    let lines: Vec<&str> = list.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    assert_eq!(lines[0], "*", "nothing but what is named");
    for name in &lines[1..] {
        let name = name.strip_prefix('!').unwrap_or_else(|| panic!("{name} excludes something"));
        assert!(
            ["Cargo.toml", "Cargo.lock", "src", "benches"].contains(&name),
            "{name} is new: has it a secret?"
        );
        let copied = Command::new("cp").arg("-r").arg(path(name)).arg(folder.path()).status().unwrap();
        assert!(copied.success());
    }
    // The one that built this test.
    let mut cargo = Command::new(option_env!("CARGO").map_or_else(|| find("cargo"), Into::into));
    cargo.args(["metadata", "--locked", "--offline", "--no-deps", "--format-version", "1"]);
    let output = cargo.current_dir(folder.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // And whatever the sources take in when they are built.
    let included =
        tool("grep", ["-rHoE", r#"include_(str|bytes)!\("[^"]+"#, path("src").to_str().unwrap()]).1;
    assert!(included.lines().count() > 1, "{included}");
    for line in included.lines() {
        let (file, included) = line.split_once(':').unwrap();
        let file = Path::new(file).strip_prefix(path("")).unwrap();
        let included = included.split('"').nth(1).unwrap();
        let there = folder.path().join(file).parent().unwrap().join(included);
        assert!(there.is_file(), "{} takes in {included}, which is not copied", file.display());
    }
}
