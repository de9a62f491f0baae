//! `test-connection` over a fleet: the forms of the answer, the exit codes, the reports.

use serde_json::Value;

use crate::fixture::{World, result, seal};
use crate::support::fleet::{TenantRow, sqlite_source};
use crate::support::scratch;

/// Three tenants: one passes, one fails, one has no data source.
fn small() -> (World, tempfile::TempDir) {
    let folder = scratch::folder("small");
    let world = World::sqlite();
    let good = TenantRow::new("good").region("eu");
    let url = sqlite_source(&folder.path().join("good.db"), &[&good.id]);
    world.database.insert(good.data_source(&url, &seal("x"), &seal("x")));
    world.add("broken", "sqlite:/no/such/file.db", "x", "x");
    world.database.insert(TenantRow::new("without"));
    (world, folder)
}

#[test]
fn the_document_has_the_fields_that_scripts_read() {
    let (world, _folder) = small();
    let document = world.cli(["test-connection", "--all", "--json"]).run().expect_code(1).json();
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let sorted = |mut names: Vec<&str>| {
        names.sort_unstable();
        names.into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let sorted_keys = |value: &Value| {
        let mut keys = keys(value);
        keys.sort();
        keys
    };
    assert_eq!(
        sorted_keys(&document),
        sorted(vec!["applicationDatabase", "complete", "summary", "findings", "results"])
    );
    assert_eq!(
        sorted_keys(&document["summary"]),
        sorted(vec!["total", "passed", "failed", "skipped", "durationMs"])
    );
    let good = result(&document, "good");
    assert_eq!(
        sorted_keys(good),
        sorted(vec![
            "tenant",
            "dataSource",
            "skipped",
            "success",
            "responseTimeMs",
            "roles",
            "diagnostics",
            "rls",
            "findings"
        ])
    );
    assert_eq!(sorted_keys(&good["dataSource"]), ["endpoint", "kind", "region"]);
    assert_eq!(sorted_keys(&good["rls"]), ["anon", "authenticated", "detail", "state"]);
    assert_eq!((&good["rls"]["state"], &good["rls"]["anon"]), (&"unsupported".into(), &"unsupported".into()));
    assert_eq!(sorted_keys(&good["diagnostics"]), ["canConnect", "canQuery", "rlsEnabled"]);
    assert_eq!(sorted_keys(&good["roles"]["service"]), ["responseTimeMs", "success"]);
    let broken = result(&document, "broken");
    assert!(broken.get("error").is_some() && broken.get("failure").is_some() && broken.get("hint").is_some());
    assert!(broken["dataSource"].get("region").is_none());
}

#[test]
fn jsonl_is_an_object_a_tenant_and_the_summary_last() {
    let (world, _folder) = small();
    let lines =
        world.cli(["test-connection", "--all", "--format", "jsonl"]).run().expect_code(1).json_lines();
    assert_eq!(lines.len(), 4);
    assert!(lines[..3].iter().all(|line| line["tenant"]["subdomain"].is_string()));
    assert_eq!(lines[3]["summary"]["total"], 3);
    assert!(lines[3].get("results").is_none() && lines[3]["complete"] == true);
}

#[test]
fn fail_on_decides_what_is_unhealthy() {
    let folder = scratch::folder("levels");
    let world = World::postgres();
    let gateway = crate::support::gateway::Gateway::start(None);
    let publishable = crate::support::gateway::PUBLISHABLE_KEY;
    let lenient = seal(publishable).replace('=', "");
    let key = seal(crate::support::gateway::SECRET_KEY);
    world.database.insert(TenantRow::new("warning").data_source(&gateway.base_url(), &lenient, &key));
    world.add("error", &gateway.base_url(), crate::support::gateway::SECRET_KEY, publishable);
    world.add("failure", &format!("sqlite:{}/none.db", folder.path().display()), "x", "x");
    for (tenant, level, code) in [
        ("warning", "failure", 0),
        ("warning", "error", 0),
        ("warning", "warning", 1),
        ("warning", "never", 0),
        ("error", "failure", 0),
        ("error", "error", 1),
        ("error", "never", 0),
        ("failure", "failure", 1),
        ("failure", "error", 1),
        ("failure", "never", 0),
    ] {
        let ran = world.cli(["test-connection", tenant, "--fail-on", level]).run();
        assert_eq!(ran.code, Some(code), "{tenant} --fail-on {level}: {}", ran.stdout);
    }
}

#[test]
fn arguments_that_do_not_go_together_are_exit_2() {
    let (world, _folder) = small();
    for args in [
        vec!["test-connection"],
        vec!["test-connection", "good", "--all"],
        vec!["test-connection", "good", "--status", "active"],
        vec!["test-connection", "--all", "--timeout", "10"],
        vec!["test-connection", "--all", "--timeout", "0s"],
        vec!["test-connection", "--all", "--concurrency", "0"],
        vec!["test-connection", "--all", "--role", "admin"],
        vec!["test-connection", "--all", "--report", "junit"],
        vec!["test-connection", "--all", "--report", "html=x"],
        vec!["test-connection", "--all", "--json", "--format", "table"],
        vec!["no-such-command"],
    ] {
        let mut cli = world.cli([]);
        for arg in &args {
            cli = cli.arg(*arg);
        }
        let ran = cli.run().expect_code(2);
        assert!(ran.stderr.contains("error"), "{args:?}: {}", ran.stderr);
    }
    let ran = world.cli(["test-connection", "--json"]).run().expect_code(2);
    let error: Value = serde_json::from_str(&ran.stderr).unwrap();
    assert_eq!(error["error"]["code"], "usage");
}

#[test]
fn a_tenant_that_is_named_twice_is_tested_once() {
    let (world, _folder) = small();
    let id = TenantRow::new("good").id;
    let document = world.cli(["test-connection", "good", &id, "good", "--json"]).run().expect_code(0).json();
    assert_eq!(document["summary"]["total"], 1);
}

#[test]
fn the_junit_report_counts_as_the_summary_does() {
    let (world, folder) = small();
    let file = folder.path().join("report.xml");
    let report = format!("junit={}", file.display());
    for form in ["json", "jsonl", "table"] {
        world.cli(["test-connection", "--all", "--format", form, "--report", &report]).run().expect_code(1);
        let xml = std::fs::read_to_string(&file).unwrap();
        assert_eq!(xml.matches("<testcase ").count(), 3, "{xml}");
        assert_eq!((xml.matches("<failure ").count(), xml.matches("<skipped").count()), (1, 1), "{xml}");
        assert!(xml.contains(r#"failures="1""#) && xml.contains(r#"type="file-missing""#), "{xml}");
    }
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_str().unwrap().ends_with(".tmp")), "{left:?}");
    let ran = world
        .cli(["test-connection", "--all", "--report", "junit=/no/such/folder/x.xml"])
        .run()
        .expect_code(9);
    assert!(ran.stdout.is_empty(), "the work began before the report's path was known to be bad");
}

#[test]
fn github_annotations_go_to_standard_error() {
    let (world, _folder) = small();
    let ran = world.cli(["test-connection", "--all", "--json", "--report", "github"]).run().expect_code(1);
    assert_eq!(ran.json()["summary"]["failed"], 1);
    assert!(
        ran.stderr.contains("::error title=broken%3A file-missing::the SQLite file does not exist"),
        "{}",
        ran.stderr
    );
}

#[test]
fn two_tenants_in_one_place_are_found() {
    let folder = scratch::folder("shared");
    let world = World::sqlite();
    let url = sqlite_source(&folder.path().join("shared.db"), &["x"]);
    let row = |name: &str, id: &str| {
        TenantRow::new(name).data_source(&url, &seal("k"), &seal("k")).tenant_id_in_data_source(id)
    };
    world.database.insert(row("a", "same"));
    world.database.insert(row("b", "same"));
    world.database.insert(row("c", "other"));
    let document = world.cli(["test-connection", "--all", "--json"]).run().expect_code(1).json();
    let findings = document["findings"].as_array().unwrap();
    assert_eq!(findings.len(), 1, "{document}");
    assert_eq!(findings[0]["code"], "source.shared");
    let world = World::postgres();
    for (name, database) in [("upper", "App"), ("lower", "app")] {
        world.add(name, &format!("postgres://u@127.0.0.1:1/{database}"), "k", "k");
    }
    world.database.execute("update tenants set tenant_id_in_data_source = 'same'");
    assert!(world.test_all(&["--retries", "0"])["findings"].as_array().unwrap().is_empty());
    let gateway = crate::support::gateway::Gateway::start(None);
    let other = crate::support::gateway::Gateway::start(None);
    let world = World::sqlite();
    world.add(
        "one",
        &gateway.base_url(),
        crate::support::gateway::PUBLISHABLE_KEY,
        crate::support::gateway::SECRET_KEY,
    );
    world.add(
        "two",
        &other.base_url(),
        crate::support::gateway::PUBLISHABLE_KEY,
        crate::support::gateway::SECRET_KEY,
    );
    let document = world.test_all(&[]);
    assert_eq!(document["findings"][0]["code"], "key.reused", "{document}");
}

#[test]
fn a_thousand_tenants_are_tested_and_none_is_lost() {
    let folder = scratch::folder("thousand");
    let world = World::sqlite();
    let url = sqlite_source(&folder.path().join("all.db"), &["x"]);
    let key = seal("k");
    let rows: Vec<TenantRow> = (0..1200)
        .map(|number| {
            let row = TenantRow::new(&format!("t{number}"));
            let url = if number % 100 == 0 { "sqlite:/no/such/file.db" } else { &url };
            row.data_source(url, &key, &key)
        })
        .collect();
    world.database.insert_all(&rows);
    let document = world.test_all(&["--concurrency", "64"]);
    let summary = &document["summary"];
    assert_eq!(
        (&summary["total"], &summary["passed"], &summary["failed"]),
        (&1200.into(), &1188.into(), &12.into())
    );
    let mut seen: Vec<&str> =
        document["results"].as_array().unwrap().iter().map(|r| r["tenant"]["id"].as_str().unwrap()).collect();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 1200);
}
