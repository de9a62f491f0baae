//! The data folder that every cluster is a copy of: `initdb` takes two seconds, a copy a tenth of one.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use tempfile::TempDir;

use super::Release;
use crate::support::certificates::{self, Certificate};
use crate::support::process::{self, Signal, User};
use crate::support::scratch;

/// Who may come in how. `+role` means its members; a superuser is none unless made one.
const HBA: &str = "\
local    all all            trust
host     all +scram_users   all scram-sha-256
hostssl  all +tls_only      all trust
hostnossl all +tls_only     all reject
hostssl  all +nossl_only    all reject
hostnossl all +nossl_only   all trust
host     all all            all trust
";

/// `wal_level=minimal` wants no WAL senders. Nothing is reserved for superusers: `max_connections` is then the limit
/// for all. Commits are written but not synced, so that they survive the end of the server, not of the machine.
const SETTINGS: &[(&str, &str)] = &[
    ("listen_addresses", "127.0.0.1"),
    ("max_connections", "400"),
    ("superuser_reserved_connections", "0"),
    ("shared_buffers", "64MB"),
    ("fsync", "off"),
    ("full_page_writes", "off"),
    ("autovacuum", "off"),
    ("wal_level", "minimal"),
    ("max_wal_senders", "0"),
    ("max_wal_size", "1GB"),
    ("password_encryption", "scram-sha-256"),
    ("timezone", "UTC"),
    ("lc_messages", "C"),
    ("ssl", "on"),
];

/// One statement a line, as `postgres --single` reads them.
const ROLES: &str = "\
create role scram_users nologin; create role tls_only nologin; create role nossl_only nologin
create role anon nologin; create role authenticated nologin; create role service_role nologin bypassrls
create role authenticator login noinherit; grant anon, authenticated, service_role to authenticator
";

/// Makes a data folder, ready to be started.
pub(super) fn copy_to(data: &Path, release: Release) {
    copy(&template(release).path().join("data"), data);
}

/// A data folder with the settings, the certificate and the roles, to be copied.
fn template(release: Release) -> &'static TempDir {
    static TEMPLATES: [OnceLock<TempDir>; 3] = [const { OnceLock::new() }; 3];
    TEMPLATES[release.number()].get_or_init(|| {
        let folder = scratch::server_folder("template");
        let data = folder.path().join("data");
        let mut initdb = process::command(release.program("initdb"), Signal::KILL, User::Server);
        initdb.args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--wal-segsize=1"]);
        initdb.args(["--no-sync", "--no-instructions", "-D"]).arg(&data);
        run(initdb, b"");
        let (certificate, key) = certificates::files(Certificate::TrustedByCa);
        copy(&certificate, &data.join("server.crt"));
        fs::copy(key, data.join("server.key")).expect("copy the server's key");
        scratch::give_to_server(&data.join("server.key"));
        let settings =
            SETTINGS.iter().map(|(name, value)| format!("{name} = '{value}'\n")).collect::<String>();
        fs::write(data.join("postgresql.auto.conf"), settings).expect("write the settings of PostgreSQL");
        fs::write(data.join("pg_hba.conf"), HBA).expect("write pg_hba.conf");
        let mut single = process::command(release.program("postgres"), Signal::KILL, User::Server);
        single.args(["--single", "-j", "-D"]).arg(&data).arg("postgres");
        run(single, ROLES.replace('\n', ";\n\n").as_bytes());
        folder
    })
}

/// Copies a file or folder as the user of the server, who then owns the copy.
fn copy(from: &Path, to: &Path) {
    let mut copy = process::command(process::find("cp"), Signal::KILL, User::Server);
    copy.arg("-R").arg(from).arg(to);
    run(copy, b"");
}

fn run(command: Command, input: &[u8]) {
    let what = format!("{command:?}");
    let output = process::run(command, input, Duration::from_secs(120));
    assert!(output.status.success(), "{what}: {}", String::from_utf8_lossy(&output.stderr));
}
