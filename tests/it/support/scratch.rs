//! Folders of one test process. They stand under one root that a cleaner removes when this process is gone, however
//! it went: statics are never dropped, and nothing is dropped after a kill -9.
//!
//! The cleaner is a shell that waits for the end of its standard input, whose other end only this process holds.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use tempfile::TempDir;

/// Removes the root, again and again while dying servers still write into it. It ignores the Ctrl-C that ends the
/// tests, and holds none of their outputs open.
const CLEANER: &str = r#"trap '' INT TERM HUP; cat >/dev/null
for pause in 0.3 0.7 2 5; do sleep "$pause"; rm -rf -- "$1"; done"#;

struct Root {
    path: PathBuf,
    _cleaner: Child,
}

fn root() -> &'static Path {
    static ROOT: OnceLock<Root> = OnceLock::new();
    &ROOT
        .get_or_init(|| {
            let path =
                tempfile::Builder::new().prefix("boothds-").tempdir().expect("make the tests' folder").keep();
            // The user `postgres` must reach its folders in here.
            fs::set_permissions(&path, Permissions::from_mode(0o755))
                .expect("open the tests' folder to postgres");
            let cleaner = Command::new("sh")
                .args(["-c", CLEANER, "cleaner"])
                .arg(&path)
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .process_group(0)
                .spawn()
                .expect("start the cleaner of the tests' folder");
            Root { path, _cleaner: cleaner }
        })
        .path
}

/// A new empty folder, 0700, gone with its handle or with this process.
pub fn folder(name: &str) -> TempDir {
    tempfile::Builder::new().prefix(name).rand_bytes(4).tempdir_in(root()).expect("make a scratch folder")
}

/// A new empty folder that belongs to the user the servers run as.
pub fn server_folder(name: &str) -> TempDir {
    let folder = folder(name);
    give_to_server(folder.path());
    folder
}

/// Hands a file or folder to the user the servers run as (itself only, not what is in it).
pub fn give_to_server(path: &Path) {
    if let Some((uid, gid)) = super::process::server_ids() {
        chown(path, Some(uid), Some(gid)).expect("give a file to the user postgres");
    }
}
