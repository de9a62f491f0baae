//! `GET /metrics`: what Prometheus' own tool says of it, and that its size is bounded.

use std::time::Duration;

use boothds::tenant::Role;

use super::served::{Served, field, text, until};
use crate::fixture::seal;
use crate::manager::house::{self, House};
use crate::support::fleet::{TenantRow, sqlite_source};
use crate::support::process::{self, Signal, User};

/// What `promtool check metrics` complains of.
fn promtool(metrics: &str) -> String {
    let mut command = process::command(process::find("promtool"), Signal::KILL, User::Own);
    command.args(["check", "metrics"]);
    let output = process::run(command, metrics.as_bytes(), Duration::from_secs(60));
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert_eq!(output.status.success(), said.is_empty(), "{said}");
    said
}

fn value(metrics: &str, series: &str) -> f64 {
    let line = metrics.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {series} in {metrics}")).parse().unwrap()
}

#[test]
fn the_checker_finds_what_is_wrong() {
    assert!(promtool("boothds_x_total 1\n").contains("no help text"));
}

#[tokio::test(flavor = "multi_thread")]
async fn promtool_has_nothing_to_say_against_it() {
    let house = House::sqlite();
    let ids = house.add_files(3);
    // A name that would end a label, were it not escaped.
    house.add(TenantRow::new("od\"d\\na\nme").data_source("sqlite:///nowhere.db", &seal("x"), &seal("x")));
    let manager = house.manager();
    for _ in 0..4 {
        manager.client(&ids[0], Role::Service).await.unwrap();
    }
    let served = Served::start(&house.cli(["serve"]));
    served.running.wait_for_stderr("every tenant was tested");
    served.get("/debug/performance");
    served.get("/nothing/at/all");
    house::until("it has reported", async || {
        text(&served.get("/metrics")).contains("boothds_cache_hits_total 3")
    })
    .await;
    let answer = served.get("/metrics");
    assert_eq!(field(&answer, "content-type"), "text/plain; version=0.0.4; charset=utf-8");
    let metrics = text(&answer);
    assert_eq!(promtool(&metrics), "");
    for (series, expected) in [
        ("boothds_tenants{state=\"passed\"}", 3.0),
        ("boothds_tenants{state=\"failed\"}", 1.0),
        ("boothds_tenants_failing{class=\"file-missing\"}", 1.0),
        ("boothds_tests_total{outcome=\"passed\"}", 3.0),
        ("boothds_cache_hits_total", 3.0),
        ("boothds_cache_hit_ratio", 0.75),
        ("boothds_clients_limit", 50.0),
        ("boothds_processes", 1.0),
        ("boothds_state_store_up", 1.0),
        ("boothds_watch_up", 1.0),
        ("boothds_http_requests_total{route=\"other\",method=\"GET\",code=\"404\"}", 1.0),
    ] {
        assert_eq!(value(&metrics, series), expected, "{series}");
    }
    assert!(metrics.contains("subdomain=\"od\\\"d\\\\na\\\\nme\"} 0.0"), "{metrics}");
    // The form that newer Prometheus servers prefer.
    let accept =
        ("Accept", "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.4");
    let open = served.send("GET", "/metrics", &[accept], "");
    assert_eq!(field(&open, "content-type"), "application/openmetrics-text; version=1.0.0; charset=utf-8");
    let open = text(&open);
    assert!(open.ends_with("# EOF\n") && open.contains("# TYPE boothds_cache_hits counter\n"), "{open}");
    assert!(open.contains("# UNIT boothds_test_duration_seconds seconds\n"));
    manager.shutdown().await;
}

#[test]
fn a_thousand_tenants_have_series_for_a_hundred_and_pages_of_fifty() {
    let house = House::sqlite();
    let url = sqlite_source(&house.folder.path().join("source.db"), &["mine"]);
    let key = seal("unused");
    let rows: Vec<TenantRow> = (0..1000)
        .map(|n| {
            let url = if n % 40 == 0 { "sqlite:///nowhere.db" } else { &url };
            TenantRow::new(&format!("t{n}")).data_source(url, &key, &key).tenant_id_in_data_source("mine")
        })
        .collect();
    house.world.database.insert_all(&rows);
    let served = Served::start(&house.cli(["serve"]));
    let metrics = || text(&served.get("/metrics"));
    until("all are tested", || metrics().contains("boothds_tenants{state=\"passed\"} 975.0"));
    let metrics = metrics();
    assert_eq!(promtool(&metrics), "");
    let up = metrics.lines().filter(|line| line.starts_with("boothds_tenant_up{"));
    let (down, up): (Vec<&str>, Vec<&str>) = up.partition(|line| line.ends_with(" 0.0"));
    assert_eq!((down.len(), up.len()), (25, 75), "those that fail come first");
    assert!(metrics.len() < 60_000, "{} bytes", metrics.len());
    let html = ("Accept", "text/html");
    for page in 1..=20 {
        let path = format!("/debug/performance?page={page}");
        let shown = text(&served.send("GET", &path, &[html], ""));
        assert_eq!(shown.matches("<tr role=\"row\"").count() - 1, 50, "{path}");
        assert!(shown.contains(&format!("of 1,000 tenants, page {page} of 20")), "{path}");
        assert!(shown.len() < 250_000, "{path}: {} bytes", shown.len());
    }
}
