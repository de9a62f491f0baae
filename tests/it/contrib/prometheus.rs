//! The alert rules and the example of a scrape, by Prometheus' own `promtool`.

use std::fs;

use boothds::failure::FailureClass;
use boothds::finding::FindingCode;

use super::files::{content, path, read, tool};
use super::scrape;
use crate::support::scratch;

const RULES: &str = "contrib/prometheus/boothds.rules.yml";
const TESTS: &str = "contrib/prometheus/boothds.rules.test.yml";
const SCRAPE: &str = "contrib/prometheus/scrape.example.yml";

/// Each alert with its expression. What is read here is as much of YAML as the file has.
fn alerts() -> Vec<(String, String)> {
    let rules = read(RULES);
    let mut alerts: Vec<(String, String)> = Vec::new();
    let mut lines = rules.lines().peekable();
    while let Some(line) = lines.next() {
        if let Some(name) = line.trim_start().strip_prefix("- alert: ") {
            alerts.push((name.to_owned(), String::new()));
        }
        let Some(first) = line.strip_prefix("        expr: ") else { continue };
        let expression = &mut alerts.last_mut().unwrap().1;
        expression.push_str(first.trim_start_matches(">-"));
        // A folded text: every line that is further in.
        while let Some(more) = lines.next_if(|line| line.starts_with("          ")) {
            expression.push(' ');
            expression.push_str(more.trim());
        }
    }
    alerts
}

#[test]
fn the_rules_are_well_formed() {
    let said = content("promtool", ["check".into(), "rules".into(), path(RULES)]);
    let alerts = alerts();
    assert!(said.contains(&format!("{} rules found", alerts.len())), "{said}");
    assert!(alerts.iter().all(|(_, expression)| !expression.trim().is_empty()), "{alerts:?}");
}

#[test]
fn every_alert_fires_when_it_should_and_only_then() {
    content("promtool", ["test".into(), "rules".into(), path(TESTS)]);
    let tests = read(TESTS);
    for (name, _) in alerts() {
        assert!(tests.contains(&name), "{name} is in no test");
    }
}

#[test]
fn a_rule_that_asks_for_something_else_fails_its_test() {
    let folder = scratch::folder("rules");
    let [rules, tests] = ["boothds.rules.yml", "boothds.rules.test.yml"].map(|name| folder.path().join(name));
    let other = read(RULES).replace("boothds_state_store_up == 0", "boothds_state_store_up == 2");
    assert_ne!(other, read(RULES));
    fs::write(rules, other).unwrap();
    fs::write(&tests, read(TESTS)).unwrap();
    let (is_content, said) = tool("promtool", ["test".into(), "rules".into(), tests]);
    assert!(!is_content && said.contains("BoothdsStateStoreDown"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rules_ask_for_series_that_there_are() {
    let known = scrape::names().await;
    for (name, expression) in alerts() {
        for series in scrape::asked_for(&expression) {
            // Prometheus makes this one itself.
            assert!(series == "up" || known.contains(&series), "{name}: {series} is not among {known:?}");
        }
    }
}

#[test]
fn the_rules_ask_for_classes_and_codes_that_there_are() {
    let classes: Vec<_> = FailureClass::ALL.iter().map(|class| class.slug()).collect();
    let codes: Vec<_> = FindingCode::ALL.iter().map(|code| code.code()).collect();
    let mut seen = 0;
    for (name, expression) in alerts() {
        for (label, known) in [("class=\"", &classes), ("code=\"", &codes)] {
            for value in expression.split(label).skip(1).map(|rest| rest.split('"').next().unwrap()) {
                assert!(known.contains(&value), "{name}: {label}{value}");
                seen += 1;
            }
        }
    }
    assert!(seen >= 3, "labels were found: {seen}");
}

#[test]
fn the_example_of_a_scrape_is_one() {
    let folder = scratch::folder("scrape");
    let at = |name: &str| folder.path().join(name);
    fs::write(at("token"), "a token").unwrap();
    fs::write(at("boothds.rules.yml"), read(RULES)).unwrap();
    let example = read(SCRAPE);
    let here = example.replace("/etc/prometheus/boothds.token", at("token").to_str().unwrap());
    assert_ne!(here, example);
    fs::write(at("prometheus.yml"), here).unwrap();
    let said = content("promtool", ["check".into(), "config".into(), at("prometheus.yml")]);
    assert!(said.contains("1 rule files found"), "{said}");
    // Installed, it finds the token where the guide puts it.
    assert!(read("docs/deployment.md").contains("/etc/prometheus/boothds.token"));
}
