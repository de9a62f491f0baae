//! Greps every output for the secrets of its fixtures.

use crate::fixture::{KEY, World, seal, seal_with};
use crate::support::fleet::TenantRow;
use crate::support::gateway::{Gateway, Mode};
use crate::support::network::garbage_server;
use crate::support::postgres::cluster;

/// A key to rotate to.
const TARGET: &str = "7d6c5b4a39281706f5e4d3c2b1a09f8e7d6c5b4a39281706f5e4d3c2b1a09f8e";

const SECRETS: [&str; 7] = [
    KEY,
    TARGET,
    "2222222222222222222222222222222222222222222222222222222222222222",
    "sb_secret_Zq8mVx2LrT5wKp9sYd3f",
    "sb_publishable_Hn4bGc7jQe1uXo6a",
    "Vt5-password-of-a-tenant",
    "Wk7-password-of-the-operator",
];

#[test]
fn no_output_of_any_command_holds_a_secret() {
    let [_, _, previous, secret, publishable, password, operator] = SECRETS;
    let world = World::postgres();
    world.database.execute("alter table tenants drop constraint check_data_source_complete");
    let (echo, ok) = (Gateway::start(None), Gateway::start(None));
    echo.set(Mode::EchoKey);
    let shouting = garbage_server(format!("E\0\0\0\u{40}SFATAL\0C28P01\0Mwrong: {password}\0\0"));
    cluster().psql(
        "postgres",
        "do $$ begin create role secrecy login password 'other' in role scram_users; exception when duplicate_object then end $$;",
    );
    let at = format!("127.0.0.1:{}", cluster().port());
    for (name, url, anon, service) in [
        ("echo", echo.base_url(), seal(publishable), seal(secret)),
        ("ok", ok.base_url(), seal(publishable), seal_with(previous, secret)),
        ("refused-password", format!("postgres://secrecy@{at}/postgres"), seal(password), seal(password)),
        (
            "url-password",
            format!("postgres://secrecy:{password}@{at}/postgres"),
            seal(password),
            seal(password),
        ),
        (
            "sealed-url",
            format!("postgres://secrecy@{at}/postgres"),
            seal(password),
            seal(&format!("postgres://secrecy:{password}@{at}/postgres")),
        ),
        (
            "bad-sealed-url",
            format!("postgres://secrecy@{at}/postgres"),
            seal(password),
            seal(&format!("postgres://secrecy:{password}/x@{at}/postgres?host={password}")),
        ),
        (
            "other-host",
            "postgres://secrecy@db.invalid/x".to_owned(),
            seal(password),
            seal(&format!("postgres://secrecy:{password}@{at}/postgres")),
        ),
        (
            "shouting",
            format!("postgres://secrecy@127.0.0.1:{}/x?sslmode=disable", shouting.port()),
            seal(password),
            seal(password),
        ),
        ("plaintext", ok.base_url(), publishable.to_owned(), secret.to_owned()),
        ("plaintext-odd", ok.base_url(), format!(" {publishable}"), password.to_owned()),
        ("in-the-id", ok.base_url(), seal(publishable), seal(secret)),
        (
            "strange-url",
            format!("https://u:{password}@h.example/{secret}?apikey={secret}"),
            seal(publishable),
            seal(secret),
        ),
        (
            "broken-url",
            format!("postgres://u:{password}/{password}@h:1:2/x"),
            seal(publishable),
            seal(secret),
        ),
    ] {
        world.database.insert(TenantRow::new(name).data_source(&url, &anon, &service));
    }
    let url = world.database.url().replace("postgres@", &format!("postgres:{operator}@"));
    let sealed = seal(secret);
    let commands: Vec<(Vec<&str>, &str)> = vec![
        (vec!["test-connection", "--all", "--retries", "0"], ""),
        (vec!["test-connection", "--all", "--retries", "0", "--json", "--report", "github", "-v"], ""),
        (
            vec![
                "test-connection",
                "--all",
                "--retries",
                "0",
                "--format",
                "jsonl",
                "--report",
                "junit=x.xml",
            ],
            "",
        ),
        (vec!["tenants"], ""),
        (vec!["tenants", "--json", "-v"], ""),
        (vec!["info", "echo"], ""),
        (vec!["info", "strange-url", "--json"], ""),
        (vec!["info", "broken-url"], ""),
        (vec!["info", "url-password"], ""),
        (vec!["info", "plaintext", "--json"], ""),
        (vec!["encrypt"], secret),
        (vec!["encrypt", "--lines", "--json"], password),
        (vec!["encrypt", password], ""),
        (vec!["decrypt"], &sealed),
        (vec!["decrypt", "--json"], &sealed),
        (vec!["decrypt"], secret),
        (vec!["decrypt", "--lines"], secret),
        (vec!["tenants", "--encryption-key-file", "/dev/null"], ""),
        (vec!["no-such-command"], secret),
        (vec!["doctor", "--all-tenants", "--rehearse"], ""),
        (vec!["doctor", "--all-tenants", "--json", "-v"], ""),
        (vec!["doctor", "--format", "jsonl", "--ignore", "stored.plaintext"], ""),
        (vec!["doctor", "--print-sql"], ""),
        (vec!["doctor", "--offline", "--encryption-key-file", "/dev/null"], ""),
        (vec!["rotate-key", "--verify"], ""),
        (vec!["rotate-key", "--verify", "--json"], ""),
        (vec!["rotate-key", "--to", "env:TARGET", "--yes"], ""),
        (vec!["rotate-key", "--to", "env:TARGET", "--dry-run", "--json", "-v"], ""),
        (vec!["rotate-key", "--to", "env:TARGET", "--dry-run", "--seal-plaintext", "--skip-unreadable"], ""),
        (vec!["rotate-key", "--to", KEY, "--yes"], ""),
        (vec!["rotate-key", "--to", "env:TARGET", "--from", previous, "--yes"], ""),
        (vec!["rotate-key", "--to", "env:TARGET", "--yes", "--seal-plaintext=plaintext:service"], ""),
    ];
    for (args, input) in commands {
        let cli = crate::support::cli::Cli::new(&args)
            .env("DATABASE_URL", &url)
            .env("ENCRYPTION_KEY", KEY)
            .env("ENCRYPTION_KEY_PREVIOUS", previous)
            .env("TARGET", TARGET)
            .env("RUST_BACKTRACE", "full")
            .env("RUST_LOG", "trace")
            .stdin(input);
        let ran = cli.run();
        let report = std::fs::read_to_string(cli.folder().join("x.xml")).unwrap_or_default();
        assert!(args.contains(&"no-such-command") || !format!("{}{}", ran.stdout, ran.stderr).is_empty());
        for secret in SECRETS {
            // A run of a secret gives it away too.
            for start in (0..secret.len() - 12).step_by(4) {
                let run = &secret[start..start + 12];
                if run.starts_with("sb_") || (secret == previous && args[0] == "never") {
                    continue;
                }
                for (stream, text) in [("stdout", &ran.stdout), ("stderr", &ran.stderr), ("report", &report)]
                {
                    assert!(!text.contains(run), "{stream} of {args:?} holds {run}: {text}");
                }
            }
        }
    }
}
