//! Which PostgreSQL a cluster runs: Debian's, or a newer one that `scripts/test` puts beside it.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use tempfile::TempDir;

use crate::support::process::{self, Signal, User};
use crate::support::scratch;

/// A release of PostgreSQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// The one that Debian has; most tests run on it.
    Debian,
    /// The first with `INHERIT` and `SET` of memberships.
    Sixteen,
    /// The newest; with `transaction_timeout` and `MAINTAIN` (of 17) and virtual generated columns.
    Eighteen,
}

impl Release {
    /// All of them, the oldest first.
    pub const ALL: [Self; 3] = [Self::Debian, Self::Sixteen, Self::Eighteen];

    /// Its place in a list of things that there are one of for each.
    pub(super) fn number(self) -> usize {
        self as usize
    }

    /// Where one of its programs is.
    pub(super) fn program(self, name: &str) -> PathBuf {
        match self {
            Self::Debian => process::find(name),
            Self::Sixteen => self.beside("postgresql-16").join("bin").join(name),
            Self::Eighteen => self.beside("postgresql-18").join("bin").join(name),
        }
    }

    /// The folder of a release that is not Debian's: where npm has put it, or a copy that the user `postgres` can reach.
    fn beside(self, module: &str) -> PathBuf {
        static COPIES: [OnceLock<TempDir>; 3] = [const { OnceLock::new() }; 3];
        let installed = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(".tools/node_modules").join(module);
        let installed = installed.join("native");
        let links = installed.join("lib/libpq.so.5");
        assert!(links.exists(), "{module} is missing: `scripts/test` installs it into `.tools`");
        if process::server_ids().is_none() {
            return installed;
        }
        COPIES[self.number()].get_or_init(|| copy(&installed, module)).path().join("native")
    }
}

fn copy(installed: &Path, module: &str) -> TempDir {
    let folder = scratch::server_folder(module);
    let mut copy = process::command(process::find("cp"), Signal::KILL, User::Own);
    copy.arg("-R").arg("--preserve=mode,links").arg(installed).arg(folder.path());
    let output = process::run(copy, b"", Duration::from_secs(120));
    assert!(output.status.success(), "copy {module}: {}", String::from_utf8_lossy(&output.stderr));
    folder
}
