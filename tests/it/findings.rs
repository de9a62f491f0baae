//! Findings that are ignored, with reasons, and the reports for other programs.

use serde_json::Value;

use crate::fixture::{KEY, World, codes, result, seal};
use crate::support::fleet::{TenantRow, sqlite_source};
use crate::support::gateway::{Gateway, PUBLISHABLE_KEY, SECRET_KEY};
use crate::support::scratch;

/// Two tenants in one place, both with their keys in each other's column.
fn swapped() -> (World, Gateway) {
    let (world, gateway) = (World::postgres(), Gateway::start(None));
    for tenant in ["acme", "birch"] {
        let row = TenantRow::new(tenant).data_source(
            &gateway.base_url(),
            &seal(SECRET_KEY),
            &seal(PUBLISHABLE_KEY),
        );
        world.database.insert(row.tenant_id_in_data_source("1"));
    }
    (world, gateway)
}

fn ignored(result: &Value) -> Vec<&str> {
    let findings = result["findings"].as_array().unwrap();
    findings
        .iter()
        .filter(|finding| finding["ignored"].is_string())
        .map(|one| one["code"].as_str().unwrap())
        .collect()
}

#[test]
fn an_ignored_finding_is_shown_and_counted_and_does_not_decide() {
    let (world, _gateway) = swapped();
    let cli = world.cli(["test-connection", "--all", "--json", "--rls", "off"]);
    cli.clone().run().expect_code(1);
    let cli = cli.arg("--ignore").arg("key.swapped@acme").arg("--ignore").arg("source.shared");
    let document = cli.clone().run().expect_code(1).json();
    assert_eq!(ignored(result(&document, "acme")), ["key.swapped", "key.swapped"]);
    assert_eq!(ignored(result(&document, "birch")), [""; 0]);
    assert_eq!(ignored(&document), ["source.shared"]);
    assert_eq!(document["summary"]["ignored"], 3);
    let cli = cli.arg("--ignore").arg("key.swapped@birch");
    cli.clone().run().expect_code(0);
    let table = world
        .cli(["test-connection", "acme", "--ignore", "key.swapped", "--rls", "off"])
        .run()
        .expect_code(0);
    assert!(
        table.stdout.contains("ignored: no reason") && table.stdout.contains("2 findings ignored"),
        "{}",
        table.stdout
    );
}

#[test]
fn the_file_of_settings_names_findings_with_their_reasons() {
    let (world, _gateway) = swapped();
    let cli = world.cli(["test-connection", "acme", "--json", "--rls", "off"]);
    let file = cli.folder().join("boothds.toml");
    std::fs::write(&file, "ignore = [\"key.swapped@acme: known, until Monday\"]").unwrap();
    let document = cli.run().expect_code(0).json();
    assert_eq!(result(&document, "acme")["findings"][0]["ignored"], "known, until Monday");
    for wrong in
        ["ignore = [\"key.swaped\"]", "ignore = [\"key.swapped:\"]", "ignore = [5]", "ignore = [\"a\\nb\"]"]
    {
        std::fs::write(&file, wrong).unwrap();
        let ran = cli.run().expect_code(3);
        assert!(ran.stderr.contains("ignore"), "{wrong}: {}", ran.stderr);
    }
    let ran = world.cli(["test-connection", "acme", "--ignore", "no.such"]).run().expect_code(2);
    assert!(ran.stderr.contains("docs/findings.md"), "{}", ran.stderr);
}

#[test]
fn row_level_security_can_be_required() {
    let folder = scratch::folder("required");
    let world = World::sqlite();
    let row = TenantRow::new("file");
    let url = sqlite_source(&folder.path().join("file.db"), &[&row.id]);
    world.database.insert(row.data_source(&url, &seal("x"), &seal("x")));
    world.database.insert(TenantRow::new("without"));
    let document = world.cli(["test-connection", "--all", "--json"]).run().expect_code(0).json();
    assert_eq!(result(&document, "file")["rls"]["state"], "unsupported");
    let document =
        world.cli(["test-connection", "--all", "--json", "--require-rls"]).run().expect_code(1).json();
    let failed = result(&document, "file");
    assert_eq!((&failed["success"], &failed["failure"]), (&false.into(), &"rls-not-enforced".into()));
    assert_eq!((&document["summary"]["failed"], &document["summary"]["skipped"]), (&1.into(), &1.into()));
    world.cli(["test-connection", "--all", "--require-rls", "--rls", "off"]).run().expect_code(2);
}

#[test]
fn the_sarif_report_has_what_the_schema_requires() {
    let (world, _gateway) = swapped();
    world.add("dead", "sqlite:/no/such/file.db", "x", "x");
    let cli = world.cli(["test-connection", "--all", "--rls", "off", "--ignore", "key.swapped@acme"]);
    let cli = cli.arg("--report").arg("sarif=out.sarif").arg("--report").arg("github");
    let ran = cli.run().expect_code(1);
    let text = std::fs::read_to_string(cli.folder().join("out.sarif")).unwrap();
    let document: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(document["version"], "2.1.0");
    let run = &document["runs"][0];
    // Required by the schema: `runs`, `version`; of a run `tool`, of that `driver`, of that `name`; of an invocation
    // `executionSuccessful`; of a result `message` with `text` or `id`; of a rule `id`; of a suppression `kind`.
    assert_eq!(run["tool"]["driver"]["name"], "boothds");
    assert_eq!(run["invocations"][0]["executionSuccessful"], true);
    let rules: Vec<&str> = run["tool"]["driver"]["rules"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rule| rule["id"].as_str().unwrap())
        .collect();
    let results = run["results"].as_array().unwrap();
    assert_eq!(results.len(), 6, "a failure, four findings, one of the fleet");
    for result in results {
        assert!(rules.contains(&result["ruleId"].as_str().unwrap()), "{result}");
        assert!(["error", "warning", "note", "none"].contains(&result["level"].as_str().unwrap()));
        assert!(!result["message"]["text"].as_str().unwrap().is_empty());
    }
    let of = |rule: &'static str| results.iter().filter(move |result| result["ruleId"] == rule);
    let failures = results.iter().filter(|one| one["ruleId"].as_str().unwrap().starts_with("failure."));
    assert_eq!(failures.count(), 1, "{text}");
    let suppressed: Vec<_> =
        of("key.swapped").filter(|one| one["suppressions"][0]["kind"] == "external").collect();
    assert_eq!(suppressed.len(), 2);
    assert_eq!(suppressed[0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"], "tenants/acme");
    assert_eq!(ran.stderr.matches("::notice title=acme").count(), 2, "{}", ran.stderr);
    assert_eq!(ran.stderr.matches("::error title=birch").count(), 2, "{}", ran.stderr);
}

/// In a network of its own, in which nobody can be asked: both are known beforehand.
fn without_a_network(world: &World, tenant: &str) -> Value {
    let done = std::process::Command::new("unshare")
        .args([
            "--map-root-user",
            "--net",
            env!("CARGO_BIN_EXE_boothds"),
            "test-connection",
            tenant,
            "--json",
        ])
        .args(["--timeout", "2s", "--retries", "0"])
        .env("DATABASE_URL", world.database.url())
        .env("ENCRYPTION_KEY", KEY)
        .output()
        .unwrap();
    serde_json::from_slice(&done.stdout).unwrap()
}

#[test]
fn a_legacy_key_of_a_hosted_project_is_a_finding_for_each_column() {
    let jwt = |role: &str, project: &str| {
        let part = |text: &str| base64_simd::URL_SAFE_NO_PAD.encode_to_string(text);
        let claims = format!(r#"{{"iss":"supabase","ref":"{project}","role":"{role}"}}"#);
        format!("{}.{}.c2ln", part(r#"{"alg":"HS256"}"#), part(&claims))
    };
    let world = World::sqlite();
    let project = "abcdefghijklmnopqrst";
    let url = format!("https://{project}.supabase.co");
    world.add("old", &url, &jwt("anon", project), &jwt("service_role", project));
    world.add("new", &url, PUBLISHABLE_KEY, SECRET_KEY);
    // There may be no other kind of key.
    world.add("own", "https://api.example", &jwt("anon", project), &jwt("service_role", project));
    let document = without_a_network(&world, "old");
    let found = result(&document, "old");
    assert_eq!(codes(found), ["key.legacy", "key.legacy"], "{found}");
    let finding = &found["findings"][0];
    assert_eq!(finding["severity"], "warning");
    assert_eq!(
        finding["message"],
        "data_source_service_key: the key is of the legacy kind, a JWT that cannot be revoked by itself"
    );
    for tenant in ["new", "own"] {
        let document = without_a_network(&world, tenant);
        assert_eq!(codes(result(&document, tenant)), [""; 0], "{document}");
    }
}

#[test]
fn a_connection_that_may_be_unencrypted_is_a_finding_unless_it_stays_on_this_machine() {
    let world = World::sqlite();
    let cases = [
        ("disable", "postgres://u@db.example/x?sslmode=disable", 2),
        ("prefer", "postgres://u@db.example/x?sslmode=prefer", 2),
        ("default", "postgres://u@db.example/x", 0),
        ("require", "postgres://u@db.example/x?sslmode=require", 0),
        ("local", "postgres://u@127.0.0.1:1/x?sslmode=disable", 0),
        // The sealed URL decides, and it may be of one role alone.
        ("sealed", "postgres://u@db.example/x", 1),
    ];
    for (tenant, url, _) in cases {
        let anon = match tenant {
            "sealed" => "postgres://v:p@db.example/x?sslmode=disable".to_owned(),
            _ => url.replace("u@", "v:p@"),
        };
        world.add(tenant, url, &anon, "password");
    }
    for (tenant, _, expected) in cases {
        let document = without_a_network(&world, tenant);
        let found = result(&document, tenant);
        assert_eq!(codes(found), vec!["connection.unencrypted"; expected], "{tenant}: {found}");
        if expected > 0 {
            let message = found["findings"][expected - 1]["message"].as_str().unwrap();
            assert_eq!(message, "data_source_anon_key: the connection to another machine may be unencrypted");
        }
    }
}
