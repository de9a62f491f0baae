//! A certificate authority of the tests and the certificates that a server can show, good and bad, made by the
//! `openssl` command once per process.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use tempfile::TempDir;

use super::process::{self, Signal, User};
use super::scratch;

/// What is wrong, or not, with a server's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certificate {
    /// For `localhost` and 127.0.0.1, signed by the tests' authority ([`ca_file`]).
    TrustedByCa,
    /// For `localhost` and 127.0.0.1, signed by itself.
    SelfSigned,
    /// Signed by the authority, for `other.example` only.
    WrongName,
    /// Signed by the authority, valid in January 2020.
    Expired,
    /// Signed by the authority, valid for ten days more.
    Expiring,
    /// Signed by the authority, valid from 2048.
    NotYet,
}

/// Read by `openssl ca`, which unlike `openssl x509` can date a certificate back.
const CONFIG: &str = "\
[ca]\ndefault_ca = tests\n[tests]\ndatabase = index.txt\nrand_serial = yes\nnew_certs_dir = .\ncertificate = ca.crt
private_key = ca.key\ndefault_md = sha256\npolicy = any\nunique_subject = no\nx509_extensions = localhost
[any]\ncommonName = supplied\n[req]\ndistinguished_name = name\n[name]
[authority]\nbasicConstraints = critical,CA:TRUE\nkeyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[localhost]\nbasicConstraints = critical,CA:FALSE\nsubjectAltName = DNS:localhost,IP:127.0.0.1
extendedKeyUsage = serverAuth
[other]\nbasicConstraints = critical,CA:FALSE\nsubjectAltName = DNS:other.example\nextendedKeyUsage = serverAuth
";

/// The certificate file of the authority, PEM: what `SSL_CERT_FILE` or `sslrootcert` is set to.
pub fn ca_file() -> PathBuf {
    folder().join("ca.crt")
}

/// Files of a certificate and its private key, PEM.
pub fn files(certificate: Certificate) -> (PathBuf, PathBuf) {
    let name = match certificate {
        Certificate::TrustedByCa => "trusted",
        Certificate::SelfSigned => "self",
        Certificate::WrongName => "wrong",
        Certificate::Expired => "expired",
        Certificate::Expiring => "expiring",
        Certificate::NotYet => "not-yet",
    };
    (folder().join(format!("{name}.crt")), folder().join(format!("{name}.key")))
}

fn folder() -> &'static Path {
    static FOLDER: OnceLock<TempDir> = OnceLock::new();
    FOLDER.get_or_init(make).path()
}

fn make() -> TempDir {
    let folder = scratch::folder("tls");
    let at = folder.path();
    fs::write(at.join("openssl.cnf"), CONFIG).expect("write the configuration of openssl");
    fs::write(at.join("index.txt"), "").expect("write the list of certificates");
    let now = ["20240101000000Z", "20490101000000Z"];
    self_signed(at, "ca", "authority");
    self_signed(at, "self", "localhost");
    signed(at, "trusted", "localhost", now);
    signed(at, "wrong", "other", now);
    signed(at, "expired", "localhost", ["20200101000000Z", "20200201000000Z"]);
    let soon = boothds::clock::Clock::System.now() + jiff::SignedDuration::from_hours(10 * 24);
    signed(at, "expiring", "localhost", [now[0], &soon.strftime("%Y%m%d%H%M%SZ").to_string()]);
    signed(at, "not-yet", "localhost", ["20480101000000Z", now[1]]);
    folder
}

fn self_signed(folder: &Path, name: &str, extensions: &str) {
    let mut args = request(name);
    args.extend(["-x509", "-days", "3650", "-extensions", extensions, "-out"].map(str::to_owned));
    args.push(format!("{name}.crt"));
    openssl(folder, &args);
}

fn signed(folder: &Path, name: &str, extensions: &str, [from, to]: [&str; 2]) {
    let mut args = request(name);
    args.extend(["-out".to_owned(), format!("{name}.csr")]);
    openssl(folder, &args);
    let (request, certificate) = (format!("{name}.csr"), format!("{name}.crt"));
    let args = ["ca", "-batch", "-notext", "-config", "openssl.cnf", "-extensions", extensions]
        .into_iter()
        .chain(["-startdate", from, "-enddate", to, "-in", &request, "-out", &certificate]);
    openssl(folder, &args.map(str::to_owned).collect::<Vec<_>>());
}

/// The arguments that make a key and ask for a certificate of it.
fn request(name: &str) -> Vec<String> {
    let key = format!("{name}.key");
    let subject = format!("/CN=boothds test {name}");
    ["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-config", "openssl.cnf"]
        .into_iter()
        .chain(["-subj", &subject, "-keyout", &key])
        .map(str::to_owned)
        .collect()
}

fn openssl(folder: &Path, args: &[String]) {
    let mut command = process::command(process::find("openssl"), Signal::KILL, User::Own);
    command.args(args).current_dir(folder);
    let output = process::run(command, b"", Duration::from_secs(30));
    assert!(output.status.success(), "openssl {args:?}: {}", String::from_utf8_lossy(&output.stderr));
}
