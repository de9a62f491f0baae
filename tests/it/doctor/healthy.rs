//! An installation that is well, in every form of the answer.

use std::collections::BTreeSet;

use boothds::finding::CheckCode;
use serde_json::Value;

use super::patient::{Patient, checks, wrong};
use crate::support::pgbouncer::PgBouncer;
use crate::support::postgres::cluster;
use crate::support::redis::RedisServer;

fn skipped(checks: &[Value]) -> BTreeSet<&str> {
    let skipped = checks.iter().filter(|check| check["status"] == "skipped");
    skipped.map(|check| check["code"].as_str().unwrap()).collect()
}

#[test]
fn every_check_is_in_the_report_and_all_is_well() {
    for patient in [Patient::postgres(), Patient::sqlite()] {
        let cli = patient.command("doctor").arg("--json").arg("--all-tenants").arg("--rehearse");
        let found = checks(&cli.arg("--fail-on").arg("warning"), 0);
        assert_eq!(wrong(&found), [""; 0]);
        // The data of the tenants is in SQLite files, which have no such thing.
        assert_eq!(skipped(&found), BTreeSet::from(["source.rls"]));
        let codes: BTreeSet<&str> = found.iter().map(|check| check["code"].as_str().unwrap()).collect();
        for code in CheckCode::ALL {
            assert!(codes.contains(code.code()), "{} is missing", code.code());
        }
    }
}

#[test]
fn redis_is_as_well_as_a_file() {
    let patient = Patient::sqlite();
    let redis = RedisServer::start(&[]);
    let cli = patient.command("doctor").env("BOOTHDS_STATE_URL", redis.url()).arg("--offline").arg("--json");
    let found = checks(&cli, 0);
    assert_eq!(wrong(&found), [""; 0]);
    assert_eq!(skipped(&found), BTreeSet::from(["source.rls", "source.test", "tenants.rehearsal"]));
    // Nothing is left there but the format.
    assert_eq!(redis.cli(&["KEYS", "*"]), "boothds:format");
}

#[test]
fn without_a_word_some_tenants_are_tested_and_offline_none() {
    let patient = Patient::sqlite();
    let messages = |args: &[&str]| {
        let cli = args.iter().fold(patient.command("doctor").arg("--json"), |cli, arg| cli.arg(*arg));
        super::patient::messages(
            &checks(&cli, 0),
            "source.test",
            if args.is_empty() { "ok" } else { "skipped" },
        )
    };
    assert_eq!(
        messages(&[]),
        ["2 data sources answer of 2 tenants, those first in order; --all-tenants tests all"]
    );
    assert_eq!(messages(&["--offline"]), ["no data source was asked"]);
}

#[test]
fn json_lines_are_the_checks_and_the_counts_last() {
    let patient = Patient::sqlite();
    let cli = patient.command("doctor").arg("--offline").arg("--format").arg("jsonl");
    let lines = cli.run().expect_code(0).json_lines();
    let (last, rest) = lines.split_last().unwrap();
    assert!(rest.iter().all(|line| line["code"].is_string() && line["status"].is_string()));
    assert_eq!(
        last["summary"]["ok"].as_u64().unwrap() + last["summary"]["skipped"].as_u64().unwrap(),
        rest.len() as u64
    );
    assert!(last.get("checks").is_none() && last.get("complete").is_none());
}

#[test]
fn in_a_pipe_the_report_is_plain_and_on_a_terminal_the_worst_is_seen() {
    let patient = Patient::sqlite();
    let ran = patient.command("doctor").arg("--offline").run().expect_code(0);
    assert!(!ran.stdout.contains('\u{1b}') && ran.stderr.is_empty(), "{}", ran.stderr);
    assert!(ran.stdout.starts_with("SETTINGS\n  ok       settings.read"), "{}", ran.stdout);
    assert!(ran.stdout.ends_with("3 skipped, 0 ignored\n"), "{}", ran.stdout);

    patient.database.execute(
        "update tenants set data_source_anon_key = 'sb_publishable_in_the_open' where subdomain = 'birch'",
    );
    let terminal = patient.command("doctor").arg("--offline").in_terminal(120, 40);
    let screen = terminal.wait_for("1 error, 1 warning");
    assert!(
        screen
            .contains("error: keys are stored as plaintext, which the application cannot open: birch (anon)"),
        "{screen}"
    );
    assert!(terminal.coloured_screen().contains("\u{1b}["), "{}", terminal.coloured_screen());
    assert_eq!(terminal.wait_for_exit(), 1);
    let history = terminal.history();
    let line = history.lines().find(|line| line.contains("error    stored.plaintext")).unwrap();
    assert!(line.chars().count() <= 120, "{line}");
    assert!(!history.contains("in_the_open"), "{history}");
}

#[test]
fn a_pooler_in_transaction_mode_is_told() {
    let patient = Patient::postgres();
    let pooler = PgBouncer::start(cluster(), patient.database.database());
    let url = pooler.url(patient.database.database()).replace("postgres@", &format!("{}@", patient.role));
    let cli =
        patient.command("doctor").env("DATABASE_URL", url).arg("--offline").arg("--rehearse").arg("--json");
    let found = checks(&cli, 0);
    assert_eq!(wrong(&found), ["warning database.pooler"]);
    // Another database by its name, so that nothing of it is cached.
    assert_eq!(super::patient::messages(&found, "tenants.rehearsal", "ok").len(), 1);
}

#[test]
fn a_thousand_tenants_are_counted_and_only_the_first_named() {
    let patient = Patient::postgres();
    let sealed = crate::fixture::seal("x");
    patient.database.execute(&format!(
        "insert into tenants (name, subdomain, data_source_url, data_source_anon_key, data_source_service_key)
         select 'n', 't' || lpad(n::text, 4, '0'), 'postgres://u@127.0.0.1:1/d' || n, 'plain ' || n, '{sealed}'
         from generate_series(1, 1000) n"
    ));
    let found = patient.checks(&[], 1);
    let unreadable = super::patient::messages(&found, "stored.unreadable", "error");
    assert_eq!(unreadable.len(), 1, "one check for all");
    assert!(unreadable[0].contains(" and 995 more (1000 keys)"), "{unreadable:?}");
    let sealed = super::patient::messages(&found, "stored.sealed", "ok");
    assert_eq!(sealed, ["2004 stored keys of 1002 tenants: 1004 keys under key 4540361a"]);
    assert_eq!(super::patient::messages(&found, "stored.copied", "warning").len(), 1);
}
