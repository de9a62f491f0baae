//! What the machine offers to the tests: where its programs are, and whom its servers run as.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;

/// The search path this process was started with; children get it and nothing else of the environment.
#[expect(
    clippy::disallowed_methods,
    reason = "the machine's tools are found where the test's own shell finds them"
)]
pub fn search_path() -> OsString {
    std::env::var_os("PATH").expect("a search path")
}

/// A variable of the environment that the tests were started in: what somebody wants of them.
#[expect(clippy::disallowed_methods, reason = "a wish to the tests, as `scripts/test` hands it on")]
pub fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// Where a program is, looked up in the search path, `/usr/sbin` and the folders of Debian's PostgreSQL.
///
/// # Panics
/// When it is nowhere: tests are not skipped.
pub fn find(program: &str) -> PathBuf {
    let mut postgres: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .map(|versions| versions.flatten().map(|version| version.path().join("bin")).collect())
        .unwrap_or_default();
    postgres.sort();
    postgres.reverse(); // newest first, and before the path: Debian's /usr/bin/psql is a slow wrapper
    let path = search_path();
    let folders =
        postgres.into_iter().chain(std::env::split_paths(&path)).chain([PathBuf::from("/usr/sbin")]);
    folders
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
        .unwrap_or_else(|| panic!("`{program}` is missing: `scripts/test` installs what the tests need"))
}

/// User and group id of `postgres` when the tests run as root, else nothing.
pub fn server_ids() -> Option<(u32, u32)> {
    static IDS: OnceLock<Option<(u32, u32)>> = OnceLock::new();
    *IDS.get_or_init(|| {
        rustix::process::geteuid().is_root().then(|| {
            let users = fs::read_to_string("/etc/passwd").expect("read the list of users");
            let line = users.lines().find(|line| line.starts_with("postgres:"));
            let line = line.expect("the user `postgres` is missing: `scripts/test` installs PostgreSQL");
            let id =
                |field| line.split(':').nth(field).and_then(|id| id.parse().ok()).expect("a numeric user id");
            (id(2), id(3))
        })
    })
}
