//! The files, and the tools that check them.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::support::process::{self, Signal, User};

/// A file or folder of the project.
pub fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// The text of a file of the project.
pub fn read(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Runs a tool: whether it was content, and what it said.
pub fn tool<I: IntoIterator<Item: AsRef<OsStr>>>(program: &str, args: I) -> (bool, String) {
    let mut command = process::command(process::find(program), Signal::KILL, User::Own);
    command.args(args);
    let output = process::run(command, b"", Duration::from_secs(60));
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

/// Runs a tool that has to be content.
pub fn content<I: IntoIterator<Item: AsRef<OsStr>>>(program: &str, args: I) -> String {
    let (is_content, said) = tool(program, args);
    assert!(is_content, "{program}: {said}");
    said
}
