//! TLS from files: what is shown, what is refused, and a certificate that is renewed.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use super::served::{Served, TOKEN, replace, until};
use crate::fixture::{KEY, World};
use crate::manager::house;
use crate::support::certificates::{Certificate, ca_file, files};
use crate::support::cli::Cli;
use crate::support::process::{self, Signal, User};
use crate::support::scratch;

/// A certificate and key of one's own to change.
struct Files {
    _folder: tempfile::TempDir,
    certificate: std::path::PathBuf,
    key: std::path::PathBuf,
}

fn copies(of: Certificate) -> Files {
    let folder = scratch::folder("serve-tls");
    let (certificate, key) = (folder.path().join("server.crt"), folder.path().join("server.key"));
    let (from, from_key) = files(of);
    fs::copy(from, &certificate).unwrap();
    fs::copy(from_key, &key).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    Files { _folder: folder, certificate, key }
}

fn cli(world: &World, files: &Files) -> Cli {
    world
        .cli(["serve"])
        .arg("--tls-cert")
        .arg(&files.certificate)
        .arg("--tls-key")
        .arg(&files.key)
        .env("BOOTHDS_SERVE_TOKEN", TOKEN)
}

/// The subject of the certificate that is shown, with the protocol.
fn shown(port: u16) -> String {
    let mut command = process::command(process::find("openssl"), Signal::KILL, User::Own);
    command.args(["s_client", "-connect", &format!("127.0.0.1:{port}"), "-alpn", "h2,http/1.1"]);
    let output = process::run(command, b"", Duration::from_secs(60));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn stats_reads_a_service_over_tls_and_trusts_no_other() {
    let world = World::sqlite();
    let files = copies(Certificate::TrustedByCa);
    let served = Served::start(&cli(&world, &files));
    let stats = |ca: &std::path::Path| {
        Cli::new(["stats", "--json", "--endpoint", &format!("https://localhost:{}", served.port)])
            .env("BOOTHDS_SERVE_TOKEN", TOKEN)
            .env("SSL_CERT_FILE", ca)
            .run()
    };
    assert_eq!(stats(&ca_file()).expect_code(0).json()["status"], "success");
    let other = files_of_another();
    assert!(stats(&other).expect_code(5).stderr.contains("certificate"), "an unknown authority");
    assert!(shown(served.port).contains("ALPN protocol: http/1.1"));
    // Who speaks without TLS is not answered in HTTP, and harms nobody.
    assert!(!served.raw(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").contains("HTTP/1.1 200"));
    assert_eq!(stats(&ca_file()).code, Some(0));
}

fn files_of_another() -> std::path::PathBuf {
    files(Certificate::SelfSigned).0
}

#[test]
fn under_tls_the_cookie_is_for_this_host_alone() {
    let world = World::sqlite();
    let served = Served::start(&cli(&world, &copies(Certificate::TrustedByCa)));
    let client = boothds_client();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let url = format!("https://localhost:{}", served.port);
        let answer = client.post(format!("{url}/login")).body(format!("token={TOKEN}"));
        let answer = answer.header("content-type", "application/x-www-form-urlencoded").send().await.unwrap();
        let cookie = answer.headers()["set-cookie"].to_str().unwrap().to_owned();
        let name = format!("__Host-boothds_session_{}=", served.port);
        assert!(cookie.starts_with(&name) && cookie.ends_with("; Secure"), "{cookie}");
        assert!(
            cookie.contains("; Path=/;") && !cookie.contains("Domain"),
            "or the prefix refuses it: {cookie}"
        );
        // A page without TLS is not one of ours.
        let form = client.post(format!("{url}/api/debug/performance")).bearer_auth(TOKEN);
        let foreign =
            form.header("origin", format!("http://localhost:{}", served.port)).send().await.unwrap();
        assert_eq!(foreign.status(), 403);
    });
}

/// What a service with a certificate says at `/metrics`.
pub async fn metrics() -> String {
    let world = World::sqlite();
    let served = Served::start(&cli(&world, &copies(Certificate::TrustedByCa)));
    asked(&served, "/metrics").await
}

/// What a service answers over TLS to whoever has the token.
async fn asked(served: &Served, path: &str) -> String {
    // Certificates that nobody should accept are among those that are shown.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().tls_danger_accept_invalid_certs(true).no_proxy().build().unwrap();
    let url = format!("https://localhost:{}{path}", served.port);
    let answer = client.get(url).bearer_auth(TOKEN).header("accept", "text/html").send().await.unwrap();
    answer.text().await.unwrap()
}

/// A client that trusts the tests' authority.
fn boothds_client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let ca = reqwest::Certificate::from_pem(&fs::read(ca_file()).unwrap()).unwrap();
    let builder = reqwest::Client::builder().tls_certs_only([ca]).no_proxy();
    builder.redirect(reqwest::redirect::Policy::none()).build().unwrap()
}

#[test]
fn a_renewed_certificate_is_shown_and_a_broken_one_is_not() {
    let world = World::sqlite();
    let files = copies(Certificate::TrustedByCa);
    let served = Served::start(&cli(&world, &files));
    let issuer = |port| shown(port).lines().find(|line| line.starts_with("issuer=")).unwrap().to_owned();
    let before = issuer(served.port);
    let (certificate, key) = crate::support::certificates::files(Certificate::SelfSigned);
    // The key comes first, and fits nothing yet.
    replace(&files.key, &fs::read_to_string(key).unwrap());
    served.running.wait_for_stderr("what was read before stays in force");
    assert_eq!(issuer(served.port), before);
    replace(&files.certificate, &fs::read_to_string(certificate).unwrap());
    served.running.wait_for_stderr("the certificate was read anew");
    until("it is shown", || issuer(served.port) != before);
    replace(&files.certificate, "nonsense");
    until("it is refused", || served.running.wait_for_stderr("INFO").contains("holds no certificate in PEM"));
    assert_ne!(issuer(served.port), before);
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let world = World::sqlite();
    let good = copies(Certificate::TrustedByCa);
    let other = copies(Certificate::SelfSigned);
    let nowhere = good.certificate.with_file_name("nowhere");
    let empty = good.certificate.with_file_name("empty");
    fs::write(&empty, "").unwrap();
    for (certificate, key, code, said) in [
        (&nowhere, &good.key, 9, "cannot read the certificate"),
        (&good.certificate, &nowhere, 9, "cannot read the key"),
        (&empty, &good.key, 3, "holds no certificate in PEM"),
        (&good.certificate, &empty, 3, "holds no private key in PEM"),
        (&good.key, &good.key, 3, "holds no certificate in PEM"),
        (&good.certificate, &other.key, 3, "cannot be used with the key in"),
    ] {
        let files = [("--tls-cert", certificate), ("--tls-key", key)];
        let cli = files.iter().fold(world.cli(["serve"]), |cli, (flag, file)| cli.arg(*flag).arg(file));
        let ran = cli.run().expect_code(code);
        assert!(ran.stderr.contains(said) && ran.stderr.contains("hint: "), "{said}: {ran:?}");
        assert!(!ran.stderr.contains("PRIVATE KEY"), "{ran:?}");
    }
}

#[test]
fn files_of_secrets_that_others_can_read_are_warned_of() {
    let world = World::sqlite();
    let files = copies(Certificate::TrustedByCa);
    let folder = scratch::folder("modes");
    let at = |name: &str| folder.path().join(name);
    fs::write(at("token"), TOKEN).unwrap();
    fs::write(at("key"), KEY).unwrap();
    let said = |modes: [u32; 3]| {
        let paths = [&files.key, &at("token"), &at("key")];
        for (path, mode) in paths.into_iter().zip(modes) {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        }
        let cli = Cli::new(["serve"]).env("DATABASE_URL", world.database.url());
        let cli = cli.env("BOOTHDS_SERVE_TOKEN_FILE", at("token")).env("ENCRYPTION_KEY_FILE", at("key"));
        let cli = cli.arg("--tls-cert").arg(&files.certificate).arg("--tls-key").arg(&files.key);
        Served::start(&cli).end(Signal::TERM).expect_code(0).stderr
    };
    let log = said([0o600, 0o400, 0o600]);
    assert!(!log.contains("has the mode"), "{log}");
    let log = said([0o644, 0o640, 0o604]);
    for warning in [
        "server.key, which holds the key of the certificate, has the mode 0644: chmod 600 ",
        "token, which holds the token, has the mode 0640: chmod 600 ",
        "key, which holds the encryption key, has the mode 0604: chmod 600 ",
    ] {
        assert!(log.contains(warning), "{warning}: {log}");
    }
}

/// The second in which a certificate ends, as the metrics write it.
fn expiry(metrics: &str) -> f64 {
    let series = "boothds_tls_certificate_expiry_timestamp_seconds ";
    let line = metrics.lines().find_map(|line| line.strip_prefix(series));
    line.unwrap_or_else(|| panic!("no {series}in {metrics}")).parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_is_not_valid_or_not_for_long_is_said() {
    let world = World::sqlite();
    let files = copies(Certificate::Expired);
    let served = Served::start(&cli(&world, &files));
    let log = served.running.wait_for_stderr("watching");
    assert!(log.contains("server.crt expired on 2020-02-01 00:00 UTC"), "{log}");
    let ten_days = boothds::clock::Clock::System.now().as_second() + 10 * 24 * 60 * 60;
    let ten_days = f64::from(u32::try_from(ten_days).unwrap());
    for (certificate, said, heading) in [
        (Certificate::Expiring, "server.crt expires on 20", "The certificate of this page expires soon"),
        (Certificate::NotYet, "server.crt is not valid before 2048-01-01 00:00 UTC", "is not valid yet"),
        (Certificate::TrustedByCa, "", ""),
    ] {
        let before = asked(&served, "/debug/performance").await;
        assert!(before.contains("data-key=\"certificate\""), "{before}");
        let (new, key) = crate::support::certificates::files(certificate);
        replace(&files.key, &fs::read_to_string(key).unwrap());
        replace(&files.certificate, &fs::read_to_string(new).unwrap());
        served.running.wait_for_stderr(said);
        house::until("the page says so", async || {
            let page = asked(&served, "/debug/performance").await;
            page.contains("data-key=\"certificate\"") != heading.is_empty() && page.contains(heading)
        })
        .await;
        let at = expiry(&asked(&served, "/metrics").await);
        match certificate {
            Certificate::Expiring => assert!((at - ten_days).abs() < 600.0, "{at}"),
            _ => assert_eq!(at, 2_493_072_000.0),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_cannot_be_read_keep_no_certificate_from_being_renewed() {
    let world = World::sqlite();
    let files = copies(Certificate::Expiring);
    let cli = cli(&world, &files);
    let settings = cli.folder().join("boothds.toml");
    let served = Served::start(&cli);
    fs::write(&settings, "nonsense = true\n").unwrap();
    served.running.wait_for_stderr("stays in force: unknown key `nonsense`");
    let (new, key) = crate::support::certificates::files(Certificate::TrustedByCa);
    replace(&files.key, &fs::read_to_string(key).unwrap());
    replace(&files.certificate, &fs::read_to_string(new).unwrap());
    served.running.wait_for_stderr("the certificate was read anew");
    let metrics = asked(&served, "/metrics").await;
    assert_eq!(expiry(&metrics), 2_493_072_000.0);
    assert!(metrics.contains("\nboothds_config_last_reload_successful 0.0\n"), "{metrics}");
    let page = asked(&served, "/debug/performance").await;
    assert!(page.contains("Unknown key `nonsense`") && !page.contains("data-key=\"certificate\""));
}
