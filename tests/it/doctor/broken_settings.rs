//! Settings and encryption keys, each broken in one way.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::patient::{Patient, checks, messages, of, wrong};
use crate::fixture::KEY;
use crate::support::cli::Cli;

/// A variable, and what is then said: code, status, message, exit code.
type Case = (&'static str, &'static str, &'static str, &'static str, &'static str, i32);

const NUMBER: &str = "DATA_SOURCE_MAX_CLIENTS in the environment is not usable: it takes a whole number from 1 to \
                      10000: it is not a whole number";

#[test]
fn a_variable_that_is_wrong_is_named_and_nothing_else_is_hidden() {
    let patient = Patient::sqlite();
    let cases: [Case; 13] = [
        (
            "DATA_SOURCE_MAX_CLIENT",
            "5",
            "settings.unknown",
            "warning",
            "DATA_SOURCE_MAX_CLIENT in the environment is no setting",
            0,
        ),
        ("DATA_SOURCE_MAX_CLIENTS", "50abc", "settings.value", "error", NUMBER, 1),
        ("DATA_SOURCE_MAX_CLIENTS", "NaN", "settings.value", "error", NUMBER, 1),
        (
            "BOOTHDS_STATE_URL",
            "memcached://hunter2@x",
            "settings.value",
            "error",
            "BOOTHDS_STATE_URL in the environment is not usable: it takes sqlite:PATH, redis://… or rediss://…: it is no \
             URL with one of these schemes",
            1,
        ),
        ("BOOTHDS_PROFILE", "nowhere", "settings.read", "error", "there is no profile `nowhere`", 1),
        (
            "ENCRYPTION_KEY",
            "0000000000000000000000000000000000000000000000000000000000000000",
            "encryption-key.weak",
            "warning",
            "key 66687aad: all of its digits are the same",
            1,
        ),
        (
            "ENCRYPTION_KEY",
            "abc",
            "encryption-key.set",
            "error",
            "ENCRYPTION_KEY must be 64 hex characters (32 bytes for AES-256): ENCRYPTION_KEY in the environment holds 3 \
             characters",
            1,
        ),
        (
            "ENCRYPTION_KEY",
            "",
            "encryption-key.set",
            "error",
            "ENCRYPTION_KEY environment variable is not set",
            1,
        ),
        (
            "ENCRYPTION_KEY",
            "\"0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0\"",
            "encryption-key.spelling",
            "warning",
            "ENCRYPTION_KEY in the environment has quotes around the key",
            1,
        ),
        (
            "ENCRYPTION_KEY",
            " 0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0",
            "encryption-key.spelling",
            "warning",
            "ENCRYPTION_KEY in the environment has blanks or newlines around the key",
            0,
        ),
        (
            "ENCRYPTION_KEY_PREVIOUS",
            KEY,
            "encryption-key.earlier",
            "warning",
            "the earlier key 4540361a (ENCRYPTION_KEY_PREVIOUS in the environment) is the current one",
            0,
        ),
        (
            "ENCRYPTION_KEY_PREVIOUS",
            "hunter2hunter2",
            "encryption-key.earlier",
            "error",
            "ENCRYPTION_KEY must be 64 hex characters (32 bytes for AES-256): ENCRYPTION_KEY_PREVIOUS in the environment \
             holds 14 characters, not all of them hexadecimal digits",
            1,
        ),
        (
            "DATABASE_URL",
            "mysql://hunter2@x/y",
            "settings.value",
            "error",
            "DATABASE_URL in the environment is not usable: it takes a postgres:// URL or sqlite:PATH: it is no URL with \
             one of these schemes",
            1,
        ),
    ];
    for (name, value, code, status, message, exit) in cases {
        let ran = patient.doctor(&[]).env(name, value).run();
        assert!(!format!("{ran:?}").contains("hunter2"), "{name}={value}: {ran:?}");
        let found = checks(&patient.doctor(&[]).env(name, value), exit);
        assert!(
            messages(&found, code, status).contains(&message.to_owned()),
            "{name}={value}: {:#?}",
            of(&found, code)
        );
        // What does not depend on it is looked at all the same.
        assert_eq!(of(&found, "state.reachable").len(), 1, "{name}={value}");
        if !["DATABASE_URL"].contains(&name) {
            assert_eq!(messages(&found, "database.reachable", "ok").len(), 1, "{name}={value}");
        }
    }
}

#[test]
fn two_names_of_the_database_that_differ_are_told() {
    let patient = Patient::sqlite();
    let cli = patient.doctor(&[]).env("BOOTHDS_DATABASE_URL", &patient.url);
    let found = checks(&cli.env("DATABASE_URL", "postgres://app:hunter2@db.example/app"), 0);
    assert_eq!(wrong(&found), ["warning settings.database-url"]);
    assert_eq!(
        messages(&found, "settings.database-url", "warning").map_plain(&patient),
        ["DATABASE_URL names postgres://app:***@db.example/app, and sqlite:FOLDER/application.db \
          (BOOTHDS_DATABASE_URL in the environment) is in effect"]
    );
}

trait MapPlain {
    fn map_plain(self, patient: &Patient) -> Vec<String>;
}

impl MapPlain for Vec<String> {
    fn map_plain(self, patient: &Patient) -> Vec<String> {
        self.iter().map(|text| patient.plain(text).replace("sqlite://", "sqlite:")).collect()
    }
}

#[test]
fn a_variable_that_does_not_count_is_told() {
    let patient = Patient::sqlite();
    let cli = patient.doctor(&[]).env("DATA_SOURCE_MAX_CLIENTS", "60");
    let file = cli.folder().join(".env");
    fs::write(&file, "DATA_SOURCE_MAX_CLIENTS=50\nDATA_SOURCE_ENABLE_METRICS=true\n").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let found = checks(&cli, 0);
    assert_eq!(
        messages(&found, "settings.overruled", "warning"),
        ["DATA_SOURCE_MAX_CLIENTS in .env is overruled by DATA_SOURCE_MAX_CLIENTS in the environment"]
    );
    assert!(
        messages(&found, "settings.value", "ok")
            .contains(&"the pool limit: 60 (DATA_SOURCE_MAX_CLIENTS in the environment)".to_owned())
    );
}

#[test]
fn files_with_secrets_that_others_can_read_are_told() {
    let patient = Patient::sqlite();
    let cli = Cli::new(["doctor", "--offline", "--json"]).env("BOOTHDS_STATE_URL", patient.state_url());
    let folder = cli.folder().to_owned();
    let file = |name: &str, text: &str, mode| {
        fs::write(folder.join(name), text).unwrap();
        fs::set_permissions(folder.join(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    file("the.key", &format!("{KEY}\n"), 0o640);
    file(".env", &format!("DATABASE_URL={}\n", patient.url), 0o604);
    file("boothds.toml", "encryption_key_file = \"the.key\"\n", 0o644);
    let found = checks(&cli, 0);
    assert_eq!(
        messages(&found, "settings.mode", "warning"),
        [
            ".env, which holds settings, has the mode 0604",
            "./the.key, which holds the encryption key, has the mode 0640"
        ]
    );
    // A file of settings without a secret may be read by everybody, and one with a password may not.
    file("the.key", &format!("{KEY}\n"), 0o600);
    file(".env", &format!("DATABASE_URL={}\n", patient.url), 0o600);
    assert_eq!(wrong(&checks(&cli, 0)), [""; 0]);
    file(
        "boothds.toml",
        "encryption_key_file = \"the.key\"\nstate_url = \"redis://u:hunter2@127.0.0.1:1/0\"\n",
        0o644,
    );
    let found = checks(&cli, 0);
    assert_eq!(
        messages(&found, "settings.mode", "warning"),
        ["boothds.toml, which holds settings, has the mode 0644"]
    );
}

#[test]
fn a_file_of_settings_with_three_faults_has_three_errors_and_the_rest_counts() {
    let patient = Patient::sqlite();
    let cli = Cli::new(["doctor", "--offline", "--json"]).env("ENCRYPTION_KEY", KEY);
    let url = patient.url.clone();
    let text =
        format!("database_url = \"{url}\"\nmax_client = 5\nprobe_claims = 7.5\nconfig_cache_ttl = \"1e3\"\n");
    fs::write(cli.folder().join("boothds.toml"), text).unwrap();
    let found = checks(&cli.env("BOOTHDS_STATE_URL", patient.state_url()), 1);
    assert_eq!(wrong(&found), ["error settings.read", "error settings.read", "error settings.value"]);
    let read = messages(&found, "settings.read", "error");
    assert!(read.contains(&"unknown key `max_client` in boothds.toml".to_owned()), "{read:?}");
    assert_eq!(messages(&found, "database.reachable", "ok").len(), 1);
}

#[test]
fn without_any_setting_the_checks_that_need_none_are_made_and_the_others_skipped() {
    let found = checks(&Cli::new(["doctor", "--json", "--rehearse"]), 1);
    assert_eq!(wrong(&found), ["error encryption-key.set", "error database.reachable"]);
    assert_eq!(
        messages(&found, "database.reachable", "error"),
        ["the URL of the application database is not set, or not usable"]
    );
    assert_eq!(messages(&found, "state.reachable", "ok").len(), 1);
    for code in ["stored.sealed", "tenants.rehearsal", "source.test", "cache.same", "database.tls"] {
        assert_eq!(messages(&found, code, "skipped"), ["there is no application database URL"], "{code}");
    }
}

#[test]
fn only_wrong_arguments_end_with_another_code() {
    for args in [
        &["--offline", "--all-tenants"][..],
        &["--ignore", "no.such"],
        &["--fail-on", "never"],
        &["--print-sql", "--json"],
        &["--print-sql", "--rehearse"],
        &["--database-url", "postgres://u:hunter2@h/d"],
    ] {
        let cli = args.iter().fold(Cli::new(["doctor"]), |cli, arg| cli.arg(*arg));
        let ran = cli.run().expect_code(2);
        assert!(ran.stderr.contains("error") && !ran.stderr.contains("hunter2"), "{args:?}: {}", ran.stderr);
    }
    let ran = Cli::new(["doctor", "--json", "--config", "/no/such.toml"]).run().expect_code(1);
    assert!(ran.stdout.contains("cannot read /no/such.toml"), "{}", ran.stdout);
}

#[test]
fn what_is_ignored_is_shown_with_its_reason_and_decides_nothing() {
    let patient = Patient::sqlite();
    patient.database.execute("update tenants set data_source_anon_key = 'sb_publishable_x'");
    let cli = patient.doctor(&["--fail-on", "warning"]);
    checks(&cli, 1);
    fs::write(cli.folder().join("boothds.toml"), "ignore = [\"stored.plaintext@acme: until Monday\"]")
        .unwrap();
    let found = checks(&cli, 1);
    let both: Vec<_> =
        of(&found, "stored.plaintext").iter().map(|check| check["status"].as_str().unwrap()).collect();
    assert_eq!(both, ["error", "ignored"]);
    let ignored = of(&found, "stored.plaintext")[1];
    assert_eq!(ignored["ignored"], "until Monday");
    assert!(ignored["message"].as_str().unwrap().contains("acme (anon)"), "{ignored}");
    let cli = cli.arg("--ignore").arg("stored.plaintext").arg("--ignore").arg("cache.stale@acme");
    let found = checks(&cli, 1);
    assert_eq!(wrong(&found), ["warning cache.stale"]);
    assert_eq!(wrong(&checks(&cli.arg("--ignore").arg("cache.stale"), 0)), [""; 0]);
}

#[test]
fn two_keys_that_contradict_each_other_are_not_said_to_be_none() {
    let patient = Patient::sqlite();
    let cli = patient.doctor(&[]).env("ENCRYPTION_KEY_FILE", "/no/such/key");
    let found = checks(&cli, 1);
    assert_eq!(wrong(&found), ["error settings.value", "error encryption-key.set"]);
    assert!(messages(&found, "settings.value", "error")[0].ends_with("contradict each other"), "{found:#?}");
    assert_eq!(
        messages(&found, "encryption-key.set", "error"),
        ["the settings of the encryption key cannot be used: see settings.value"]
    );
}

#[test]
fn a_value_that_cannot_be_taken_is_told_although_another_overrules_it() {
    let patient = Patient::sqlite();
    let cli = patient.doctor(&[]);
    fs::write(cli.folder().join("boothds.toml"), "max_clients = \"nine\"\n").unwrap();
    fs::write(cli.folder().join(".env.local"), "DATA_SOURCE_MAX_CLIENTS=9\n").unwrap();
    fs::set_permissions(cli.folder().join(".env.local"), fs::Permissions::from_mode(0o600)).unwrap();
    let found = checks(&cli, 0);
    let said = messages(&found, "settings.overruled", "warning");
    assert!(
        said.iter().any(|text| text.contains("max_clients") && text.ends_with("another value is in effect")),
        "{said:?}"
    );
    assert!(messages(&found, "settings.value", "ok").iter().any(|text| text.contains("the pool limit: 9")));
}
