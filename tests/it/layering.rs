//! Holds the house together: who may import whom, and the few rules that a compiler does not know.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Every source file with its text, without its unit tests.
fn sources() -> Vec<(PathBuf, String)> {
    fn walk(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|ending| ending == "rs") && !path.ends_with("tests.rs") {
                let text = fs::read_to_string(&path).unwrap();
                let text = text.split("\n#[cfg(test)]\nmod tests").next().unwrap().to_owned();
                found.push((path, text));
            }
        }
    }
    let mut found = Vec::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    found
}

fn module_of(path: &Path) -> String {
    let inside = path.strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).unwrap();
    let first = inside.components().next().unwrap().as_os_str().to_str().unwrap();
    first.trim_end_matches(".rs").to_owned()
}

/// The table in the documentation of the crate: floor, and the neighbours that may be imported.
fn table() -> HashMap<String, (u32, Vec<String>)> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    let mut table = HashMap::new();
    for line in text.lines().filter_map(|line| line.strip_prefix("//! ")) {
        let mut words = line.split_whitespace();
        let (Some(Ok(floor)), Some(module)) = (words.next().map(str::parse::<u32>), words.next()) else {
            continue;
        };
        let neighbours = line.split_once('(').unwrap().1.split_once(')').unwrap().0;
        let neighbours =
            neighbours.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
        table.insert(module.to_owned(), (floor, neighbours.collect()));
    }
    table
}

#[test]
fn a_module_imports_from_lower_floors_or_named_neighbours_only() {
    let table = table();
    assert!(table.len() >= 15, "the table in src/lib.rs was not found");
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let module = module_of(&path);
        if module == "lib" || module == "main" {
            continue;
        }
        let (floor, neighbours) =
            table.get(&module).unwrap_or_else(|| panic!("{module} is not in the table"));
        for (at, _) in text.match_indices("crate::") {
            let imported: String =
                text[at + 7..].chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
            if imported.is_empty() {
                // `use crate::{a::…, b}`: every word of the group that is a module.
                let group = text[at + 8..].split('}').next().unwrap();
                let words = group.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
                for word in words.filter(|word| table.contains_key(*word) && **word != module) {
                    let (below, _) = &table[word];
                    if below >= floor && !neighbours.iter().any(|name| name == word) {
                        wrong
                            .push(format!("{}: {module} ({floor}) imports {word} ({below})", path.display()));
                    }
                }
                continue;
            }
            if imported == module {
                continue;
            }
            let (below, _) =
                table.get(&imported).unwrap_or_else(|| panic!("{path:?} imports unknown {imported}"));
            if below >= floor && !neighbours.contains(&imported) {
                wrong.push(format!("{}: {module} ({floor}) imports {imported} ({below})", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_named_neighbours_form_no_cycle() {
    let table = table();
    fn visit(name: &str, table: &HashMap<String, (u32, Vec<String>)>, path: &mut Vec<String>) {
        assert!(!path.contains(&name.to_owned()), "a cycle: {path:?} → {name}");
        path.push(name.to_owned());
        for neighbour in &table[name].1 {
            visit(neighbour, table, path);
        }
        path.pop();
    }
    for name in table.keys() {
        visit(name, &table, &mut Vec::new());
    }
}

#[test]
fn there_are_no_drawers_and_no_full_rooms() {
    for (path, text) in sources() {
        let name = path.file_stem().unwrap().to_str().unwrap();
        assert!(!["utils", "util", "helpers", "common", "prelude", "misc"].contains(&name), "{path:?}");
        assert!(text.starts_with("//!"), "{path:?} does not say what it is for");
        let lines = text.lines().count();
        assert!(lines <= 400, "{path:?} has {lines} lines: make two rooms of it");
        let globs = text.lines().filter(|line| line.starts_with("use ") && line.contains("::*;"));
        assert_eq!(globs.count(), 0, "{path:?} imports a glob");
    }
}

/// Where a secret's text is read. Each place hands it to the cipher, a driver, a server or the user who asked for it;
/// a new one is to be looked at by two people.
#[test]
fn the_readers_of_secrets_are_counted() {
    let mut readers: Vec<(String, usize)> = sources()
        .into_iter()
        .map(|(path, text)| {
            let file = path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap().display().to_string();
            let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
            (
                file,
                code.map(|line| line.matches("expose()").count() + line.matches("Secret::expose").count())
                    .sum(),
            )
        })
        .filter(|(_, count)| *count > 0)
        .collect();
    readers.sort();
    let readers: Vec<String> = readers.into_iter().map(|(file, count)| format!("{file} {count}")).collect();
    let expected = include_str!("secret_readers.txt").lines().collect::<Vec<_>>();
    assert_eq!(readers, expected, "if the change is right, write it into tests/it/secret_readers.txt");
}
