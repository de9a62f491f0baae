//! `GET /metrics`: in the text form of Prometheus (0.0.4), or in that of OpenMetrics (1.0.0) for whoever asks for it.
//!
//! The library writes OpenMetrics, where the name of a counter's family lacks the `_total` of its series; in the older
//! form, which `promtool check metrics` reads, the two are the same. That is the one difference that is made here.

use std::fmt::Write as _;

use axum::extract::State;
use axum::http::header::ACCEPT;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use prometheus_client::encoding::text;
use prometheus_client::registry::Registry;

use super::answer;
use super::routes::Shared;

mod scrape;

const PROMETHEUS: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
const OPEN_METRICS: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");

/// Answers with the metrics of the moment. A state store that does not serve is a metric and no error.
pub(super) async fn answer(State(inner): Shared, headers: HeaderMap) -> Response {
    let scrape = scrape::Scrape::take(&inner).await;
    let mut registry = Registry::default();
    registry.register_collector(Box::new(scrape));
    let mut written = String::new();
    if text::encode(&mut written, &registry).is_err() {
        return answer::problem(
            &headers,
            StatusCode::INTERNAL_SERVER_ERROR,
            "bug",
            "no metrics could be written",
        );
    }
    if wants_open_metrics(&headers) {
        answer::body(StatusCode::OK, OPEN_METRICS, written)
    } else {
        answer::body(StatusCode::OK, PROMETHEUS, as_prometheus(&written))
    }
}

/// Whether the newer form is asked for, and not less than the older.
fn wants_open_metrics(headers: &HeaderMap) -> bool {
    let mut open = 0.0;
    let mut plain = 0.0;
    let accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    for one in accepted.flat_map(|value| value.split(',')) {
        let mut parts = one.split(';').map(str::trim);
        let kind = parts.next().unwrap_or_default();
        let quality = parts.find_map(|part| part.strip_prefix("q=")).and_then(|q| q.parse().ok());
        let quality: f64 = quality.unwrap_or(1.0);
        match kind {
            "application/openmetrics-text" => open = quality.max(open),
            "text/plain" => plain = quality.max(plain),
            _ => {}
        }
    }
    open > 0.0 && open >= plain
}

/// OpenMetrics in the older form: the families of counters get the name of their series, and the end is not said.
fn as_prometheus(open: &str) -> String {
    let counters: Vec<&str> =
        open.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter")).collect();
    let mut text = String::with_capacity(open.len() + 64 * counters.len());
    for line in open.lines().filter(|line| *line != "# EOF") {
        let renamed = line.strip_prefix("# ").and_then(|rest| {
            let (keyword, rest) = rest.split_once(' ')?;
            let (name, rest) = rest.split_once(' ')?;
            counters.contains(&name).then(|| format!("# {keyword} {name}_total {rest}"))
        });
        let _ = writeln!(text, "{}", renamed.as_deref().unwrap_or(line));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_older_form_names_counters_by_their_series() {
        let open = "# HELP a_seconds Time spent.\n# TYPE a_seconds counter\n# UNIT a_seconds seconds\n\
                    a_seconds_total{x=\"# TYPE b counter\"} 1\n# HELP b Counter-like.\n# TYPE b gauge\nb 2\n# EOF\n";
        let older = "# HELP a_seconds_total Time spent.\n# TYPE a_seconds_total counter\n\
                     # UNIT a_seconds_total seconds\na_seconds_total{x=\"# TYPE b counter\"} 1\n\
                     # HELP b Counter-like.\n# TYPE b gauge\nb 2\n";
        assert_eq!(as_prometheus(open), older);
    }

    #[test]
    fn the_form_is_the_one_that_is_asked_for() {
        let asks = |accept: &'static str| {
            wants_open_metrics(&HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(accept))]))
        };
        // What Prometheus 2.42 and 3 say, and browsers and curl.
        assert!(asks(
            "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
             text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
        ));
        for other in ["*/*", "", "text/plain", "text/plain;q=1, application/openmetrics-text;q=0.5"] {
            assert!(!asks(other), "{other}");
        }
    }
}
