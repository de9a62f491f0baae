//! The dashboard for Grafana: what Grafana would stumble over, and its queries by `promtool`.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;

use serde_json::{Value, json};

use super::files::{content, read};
use super::scrape;
use crate::support::scratch;

fn dashboard() -> Value {
    serde_json::from_str(&read("contrib/grafana/boothds.json")).unwrap()
}

fn panels(dashboard: &Value) -> &Vec<Value> {
    dashboard["panels"].as_array().unwrap()
}

/// Every query with the title of its panel, its variables replaced as Grafana does.
fn queries() -> Vec<(String, String)> {
    let dashboard = dashboard();
    let mut queries = Vec::new();
    for panel in panels(&dashboard) {
        for target in panel["targets"].as_array().into_iter().flatten() {
            let query = target["expr"].as_str().unwrap().replace("$__rate_interval", "5m");
            let query = query.replace("$job", "boothds").replace("$instance", ".*");
            assert!(!query.contains('$'), "a variable is left in {query}");
            queries.push((panel["title"].as_str().unwrap().to_owned(), query));
        }
    }
    queries
}

#[test]
fn nothing_is_bound_to_an_installation() {
    let dashboard = dashboard();
    assert_eq!(dashboard["id"], Value::Null);
    assert!(dashboard["schemaVersion"].as_u64().unwrap() >= 39, "of a Grafana that is still maintained");
    let chosen = json!({"type": "prometheus", "uid": "${datasource}"});
    for panel in panels(&dashboard).iter().filter(|panel| panel["type"] != "row") {
        assert_eq!(panel["datasource"], chosen, "{}", panel["title"]);
        for target in panel["targets"].as_array().unwrap() {
            assert_eq!(target["datasource"], chosen, "{}", panel["title"]);
        }
    }
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    let names: Vec<_> = variables.iter().map(|variable| variable["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["datasource", "job", "instance"]);
    assert!(variables.iter().all(|variable| variable["current"] == json!({})), "nothing was chosen");
}

#[test]
fn no_panel_lies_over_another_or_beyond_the_edge() {
    let dashboard = dashboard();
    let mut taken = BTreeSet::new();
    let mut ids = BTreeSet::new();
    for panel in panels(&dashboard) {
        let title = &panel["title"];
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{title} has the number of another");
        let [x, y, w, h] = ["x", "y", "w", "h"].map(|name| panel["gridPos"][name].as_u64().unwrap());
        assert!(w > 0 && h > 0 && x + w <= 24, "{title}");
        for (column, line) in (x..x + w).flat_map(|column| (y..y + h).map(move |line| (column, line))) {
            assert!(taken.insert((column, line)), "{title} lies over another");
        }
    }
    let lines: BTreeSet<_> = taken.iter().map(|(_, line)| *line).collect();
    assert_eq!(lines.len() as u64, lines.last().unwrap() + 1, "there is no gap");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_panels_ask_for_series_that_there_are() {
    let known = scrape::names().await;
    let mut shown = BTreeSet::new();
    for (title, query) in queries() {
        for series in scrape::asked_for(&query) {
            assert!(known.contains(&series), "{title}: {series} is not among {known:?}");
            shown.insert(series);
        }
    }
    for variable in dashboard()["templating"]["list"].as_array().unwrap().iter().skip(1) {
        let query = variable["query"]["query"].as_str().unwrap();
        let series = query.strip_prefix("label_values(").unwrap().split(['{', ',']).next().unwrap();
        assert!(known.contains(series), "{query}");
    }
    assert!(shown.len() > 30, "the panels show {shown:?}");
}

#[test]
fn the_queries_are_promql() {
    let mut rules = String::from("groups:\n  - name: panels\n    rules:\n");
    let queries = queries();
    for (number, (_, query)) in queries.iter().enumerate() {
        // JSON's strings are YAML's too.
        writeln!(rules, "      - record: panel:{number}\n        expr: {}", json!(query)).unwrap();
    }
    let folder = scratch::folder("panels");
    let file = folder.path().join("panels.yml");
    fs::write(&file, rules).unwrap();
    let said = content("promtool", ["check".into(), "rules".into(), file]);
    assert!(said.contains(&format!("{} rules found", queries.len())), "{said}");
}

#[test]
fn the_panel_of_exposed_tenants_says_none_only_while_they_are_tested() {
    let queries = queries();
    let (_, query) = queries.iter().find(|(title, _)| title == "Tenants exposed").unwrap();
    let up = r#"boothds_watch_up{job="boothds",instance="a"}"#;
    let exposed = r#"boothds_tenants_row_level_security{job="boothds",instance="a",state="exposed"}"#;
    let expect = |series: Value, samples: Value| {
        let test = json!({"expr": query, "eval_time": "1m", "exp_samples": samples});
        json!({"interval": "1m", "input_series": series, "promql_expr_test": [test]})
    };
    let sample = |value: u8| json!([{"labels": "{}", "value": value}]);
    let tests = json!({"rule_files": [], "tests": [
        expect(json!([{"series": up, "values": "0x5"}]), json!([])),
        expect(json!([{"series": up, "values": "1x5"}]), sample(0)),
        expect(json!([{"series": up, "values": "1x5"}, {"series": exposed, "values": "2x5"}]), sample(2)),
        // Of before it went down, and no better than that.
        expect(json!([{"series": up, "values": "0x5"}, {"series": exposed, "values": "2x5"}]), sample(2)),
    ]});
    let folder = scratch::folder("exposed");
    let file = folder.path().join("exposed.test.yml");
    fs::write(&file, tests.to_string()).unwrap();
    content("promtool", ["test".into(), "rules".into(), file]);
    let panel = dashboard();
    let panel = panels(&panel).iter().find(|panel| panel["title"] == "Tenants exposed").unwrap();
    assert_eq!(panel["fieldConfig"]["defaults"]["noValue"], "no data");
}
