//! What the binary says at `/metrics` when everything that it can say has occurred, and which of it a query asks for.

use std::collections::BTreeSet;

use boothds::tenant::Role;

use crate::fixture::seal;
use crate::manager::house::{self, House};
use crate::support::fleet::TenantRow;
use crate::support::http;
use crate::support::network::refused_port;

/// Words of a query that name no series.
const WORDS: [&str; 7] = ["and", "or", "unless", "by", "without", "on", "ignoring"];

/// Names of series: of a process that serves clients, a tenant that passes, and two that fail,
/// have findings, and one between them; and of a service that speaks TLS.
pub async fn names() -> BTreeSet<String> {
    let house = House::sqlite();
    let ids = house.add_files(1);
    let key = seal("sb_secret_0123456789abcdef0123456789abcdef");
    for name in ["broken", "other"] {
        let url = format!("http://127.0.0.1:{}", refused_port());
        house.add(TenantRow::new(name).data_source(&url, &key, &key));
    }
    let manager = house.manager();
    for _ in 0..2 {
        manager.client(&ids[0], Role::Service).await.unwrap();
    }
    let serve = house.cli(["serve", "--listen", "127.0.0.1:0"]).spawn();
    let log = serve.wait_for_stderr("every tenant was tested");
    let port = log.split("127.0.0.1:").nth(1).unwrap().split(|c: char| !c.is_ascii_digit()).next().unwrap();
    let port = port.parse().unwrap();
    let metrics = || String::from_utf8(http::get(port, "/metrics").unwrap().body).unwrap();
    house::until("the process has reported", async || metrics().contains("boothds_cache_hits_total 1")).await;
    let over_tls = crate::serve::tls::metrics().await;
    let lines = [metrics(), over_tls].concat();
    let names = lines.lines().filter(|line| !line.starts_with('#')).map(name).collect();
    manager.shutdown().await;
    names
}

fn name(line: &str) -> String {
    line.chars().take_while(|c| is_of_name(*c)).collect()
}

fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == ':'
}

/// The names of the series that a query asks for.
pub fn asked_for(query: &str) -> BTreeSet<String> {
    let bare = without(&without(&without(query, '"', '"'), '{', '}'), '[', ']');
    let mut names = BTreeSet::new();
    let mut rest = bare.as_str();
    while let Some(start) = rest.find(is_of_name) {
        let word = name(&rest[start..]);
        rest = rest[start + word.len()..].trim_start();
        if ["by", "without", "on", "ignoring"].contains(&word.as_str()) {
            // Labels.
            rest = rest.split_once(')').expect("labels in brackets").1;
        }
        let is_number = word.starts_with(|c: char| c.is_ascii_digit());
        // A function, or an aggregation before its labels.
        let is_called = rest.starts_with('(') || ["by", "without"].contains(&name(rest).as_str());
        if !is_number && !is_called && !WORDS.contains(&word.as_str()) {
            names.insert(word);
        }
    }
    names
}

/// A text without what stands between these two.
fn without(text: &str, open: char, close: char) -> String {
    let mut inside = false;
    let mut bare = String::new();
    for c in text.chars() {
        match (inside, c) {
            (true, c) if c == close => inside = false,
            (true, _) => {}
            (false, c) if c == open => inside = true,
            (false, c) => bare.push(c),
        }
    }
    bare
}

#[test]
fn the_series_of_a_query_are_found() {
    let of = |query| asked_for(query).into_iter().collect::<Vec<_>>().join(" ");
    assert_eq!(of("time() - max by (job, x) (a_total{l=\"b_total\"}) > 3 * c:d + 0.5"), "a_total c:d");
    assert_eq!(of("increase(a[30m]) / (b + c{x=~\"y|z\"}) < 0.5 and d > 1e3 unless on (job) e"), "a b c d e");
    assert_eq!(of("histogram_quantile(0.99, sum by (le) (rate(a_bucket[5m])))"), "a_bucket");
    assert_eq!(of("avg without(x) (a) or b by_x"), "a b by_x");
}
