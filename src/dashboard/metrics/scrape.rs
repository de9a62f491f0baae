//! The families: names by Prometheus' rules (a prefix, base units, `_total`), every one with help, every label bounded.
//!
//! Of single tenants there are series for at most [`TENANTS`]: those that fail come first, then the others by name. Of
//! single processes for at most [`PROCESSES`], those that reported last. What is beyond is in the sums. Labels with a
//! closed set of values (states, classes of failure, codes of findings) have a series for each that occurs.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;

use super::super::Inner;
use super::super::answer::VERSION;
use super::super::fleet::{Fleet, Row, Snapshot, State};
use crate::health::Counters;
use crate::memory::{self, Memory};
use crate::report::Measured;
use crate::state::Instance;

/// The most tenants with series of their own.
const TENANTS: usize = 100;
/// The most processes with series of their own.
const PROCESSES: usize = 50;
/// The most characters of a label that comes from a row.
const LABEL: usize = 100;

/// Everything that one scrape says.
#[derive(Debug)]
pub(super) struct Scrape {
    inner: Arc<Inner>,
    application_database: bool,
    /// `None` when the state store does not serve.
    measured: Option<Measured>,
    fleet: Snapshot,
    tenants: Vec<TenantSeries>,
    failures: BTreeMap<&'static str, u64>,
    findings: BTreeMap<(&'static str, &'static str), u64>,
    rls: BTreeMap<&'static str, u64>,
    memory: Memory,
}

/// What is said of one tenant.
#[derive(Debug)]
struct TenantSeries {
    id: String,
    subdomain: String,
    up: bool,
    seconds: Option<f64>,
}

type Encoder<'a> = DescriptorEncoder<'a>;

impl Scrape {
    pub(super) async fn take(inner: &Arc<Inner>) -> Self {
        // First, since it asks both at a time; what it has found is kept for a moment.
        let ready = inner.readiness.get(inner).await;
        let document = inner.documents.get(&inner.setup(), inner.clock).await.ok();
        let mut failures = BTreeMap::new();
        let mut findings = BTreeMap::new();
        let mut rls = BTreeMap::new();
        let (fleet, tenants) = inner.fleet(|fleet| {
            for row in fleet.rows() {
                if let Some(class) = row.failure {
                    *failures.entry(class.slug()).or_default() += 1;
                }
                if let Some(state) = row.rls {
                    *rls.entry(state.as_str()).or_default() += 1;
                }
                let counting = row.findings.iter().filter(|finding| finding.ignored.is_none());
                let codes: HashSet<_> =
                    counting.map(|one| (one.code.code(), one.severity.as_str())).collect();
                for code in codes {
                    *findings.entry(code).or_default() += 1;
                }
            }
            (fleet.snapshot(), chosen(fleet))
        });
        Self {
            inner: Arc::clone(inner),
            application_database: ready.application_database,
            measured: document.map(|document| document.measured.clone()),
            fleet,
            tenants,
            failures,
            findings,
            rls,
            memory: memory::of_this_process(),
        }
    }
}

/// The tenants that have series of their own.
fn chosen(fleet: &Fleet) -> Vec<TenantSeries> {
    let mut rows: Vec<&Row> =
        fleet.rows().filter(|row| matches!(row.state, State::Failed | State::Passed)).collect();
    rows.sort_unstable_by_key(|row| (row.state, &row.subdomain, &row.id));
    let mut seen = HashSet::new();
    rows.into_iter()
        .map(|row| TenantSeries {
            id: crate::sanitize::printable(row.id.as_str()).chars().take(LABEL).collect(),
            subdomain: row.subdomain.chars().take(LABEL).collect(),
            up: row.state == State::Passed,
            seconds: row.response_time_ms.map(in_seconds),
        })
        // Two series with the same labels would make the whole scrape unreadable.
        .filter(|series| seen.insert(series.id.clone()))
        .take(TENANTS)
        .collect()
}

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let to = &mut encoder;
        self.this_process(to)?;
        self.watch(to)?;
        self.single_tenants(to)?;
        let help = "Whether the application database answers.";
        gauge(to, "boothds_application_database_up", help, None, is(self.application_database))?;
        gauge(
            to,
            "boothds_state_store_up",
            "Whether the state store answers.",
            None,
            is(self.measured.is_some()),
        )?;
        if let Some(measured) = &self.measured {
            services(to, measured.counters)?;
            processes(to, &measured.instances)?;
        }
        Ok(())
    }
}

impl Scrape {
    fn this_process(&self, to: &mut Encoder<'_>) -> fmt::Result {
        let (inner, traffic) = (&self.inner, &self.inner.traffic);
        let version = [("version", VERSION)];
        gauges(to, "boothds_build_info", "The version of this program, as a label.", None, [(version, 1.0)])?;
        let started = seconds_since_1970(inner.started);
        let help = "When this process began, since 1970.";
        gauge(to, "process_start_time", help, Some(Unit::Seconds), started)?;
        if let Some(resident) = self.memory.resident {
            let help = "Resident memory of this process.";
            gauge(to, "process_resident_memory", help, Some(Unit::Bytes), float(resident))?;
        }
        let help = "HTTP requests by route, method and status.";
        own(to, "boothds_http_requests", help, None, &traffic.requests)?;
        let help = "How long requests took.";
        own(to, "boothds_http_request_duration", help, Some(Unit::Seconds), &traffic.request_times)?;
        let help = "Idle connections that gave way to new ones at the limit.";
        own(to, "boothds_http_connections_displaced", help, None, &traffic.displaced)?;
        let help = "Wrong tokens that were given.";
        own(to, "boothds_refused_tokens", help, None, &traffic.refused_tokens)?;
        if let Some(validity) = inner.validity() {
            let help = "When the certificate of this service expires, since 1970.";
            let until = seconds_since_1970(validity.until);
            gauge(to, "boothds_tls_certificate_expiry_timestamp", help, Some(Unit::Seconds), until)?;
        }
        let help = "Whether the last attempt to read the settings anew was good.";
        gauge(to, "boothds_config_last_reload_successful", help, None, is(inner.reloads.unread().is_none()))?;
        let at = inner.reloads.last_good().map_or(started, seconds_since_1970);
        let help = "When the settings in force were read, since 1970.";
        gauge(to, "boothds_config_last_reload_success_timestamp", help, Some(Unit::Seconds), at)
    }

    fn watch(&self, to: &mut Encoder<'_>) -> fmt::Result {
        let (fleet, traffic) = (&self.fleet, &self.inner.traffic);
        let states = State::ALL.map(|state| ([("state", state.as_str())], count(fleet.totals.of(state))));
        gauges(
            to,
            "boothds_tenants",
            "Tenants that are watched, by what came of their last test.",
            None,
            states,
        )?;
        let help = "Tenants beyond the number that is kept; tested, but not among the others.";
        gauge(to, "boothds_tenants_not_kept", help, None, count(fleet.totals.not_kept))?;
        let of_class = self.failures.iter().map(|(class, n)| ([("class", *class)], float(*n)));
        gauges(to, "boothds_tenants_failing", "Tenants whose last test failed, by class.", None, of_class)?;
        let with_code = self.findings.iter();
        let with_code =
            with_code.map(|((code, severity), n)| ([("code", *code), ("severity", *severity)], float(*n)));
        gauges(to, "boothds_tenants_with_finding", "Tenants with a finding that counts.", None, with_code)?;
        let between = fleet.between.iter().map(|((code, severity), n)| {
            ([("code", *code), ("severity", severity.as_str())], float(u64::try_from(*n).unwrap_or(u64::MAX)))
        });
        let help = "Findings between tenants that count, such as two with one data source.";
        gauges(to, "boothds_findings_between_tenants", help, None, between)?;
        let in_state = self.rls.iter().map(|(state, n)| ([("state", *state)], float(*n)));
        gauges(to, "boothds_tenants_row_level_security", "Tenants by row-level security.", None, in_state)?;
        own(to, "boothds_tests", "Tests of tenants, by outcome.", None, &traffic.tests)?;
        let help = "How long the tests of tenants took.";
        own(to, "boothds_test_duration", help, Some(Unit::Seconds), &traffic.test_times)?;
        let help = "Whether the last round of tests came to its end; 0 before the first.";
        let up = fleet.trouble.is_none() && fleet.round.completed > 0;
        gauge(to, "boothds_watch_up", help, None, is(up))?;
        counter(
            to,
            "boothds_watch_rounds",
            "Rounds of tests that came to their end.",
            fleet.round.completed,
        )?;
        let help = "Rounds of tests that did not.";
        own(to, "boothds_watch_failed_rounds", help, None, &traffic.failed_rounds)?;
        if let Some(ended) = fleet.round.ended {
            let help = "When the last round of tests ended, since 1970.";
            gauge(
                to,
                "boothds_watch_last_round_timestamp",
                help,
                Some(Unit::Seconds),
                seconds_since_1970(ended),
            )?;
        }
        let help = "The time between two rounds of tests.";
        gauge(to, "boothds_watch_interval", help, Some(Unit::Seconds), fleet.interval.as_secs_f64())
    }

    fn single_tenants(&self, to: &mut Encoder<'_>) -> fmt::Result {
        let named = |one: &'_ TenantSeries| -> [(&'static str, String); 2] {
            [("tenant", one.id.clone()), ("subdomain", one.subdomain.clone())]
        };
        let up = self.tenants.iter().map(|one| (named(one), is(one.up)));
        gauges(to, "boothds_tenant_up", "Whether the tenant's last test passed.", None, up)?;
        let times = self.tenants.iter().filter_map(|one| Some((named(one), one.seconds?)));
        let help = "How long the tenant's last test took.";
        gauges(to, "boothds_tenant_response_time", help, Some(Unit::Seconds), times)
    }
}

/// The sums over all processes of the services.
fn services(to: &mut Encoder<'_>, counters: Counters) -> fmt::Result {
    let health = crate::health::Health::of(&counters);
    for (name, help, value) in [
        ("boothds_cache_hits", "Requests for a client that the first tier served.", counters.cache_hits),
        ("boothds_cache_misses", "Requests for a client that it did not.", counters.cache_misses),
        ("boothds_shared_cache_hits", "Rows that the second tier served.", counters.shared_hits),
        ("boothds_shared_cache_misses", "Rows that it did not.", counters.shared_misses),
        ("boothds_clients_created", "Clients that were made.", counters.total_clients_created),
        ("boothds_pool_exhausted", "Requests that a full pool refused.", counters.pool_exhausted_count),
    ] {
        counter(to, name, help, value)?;
    }
    let rows = counters.config_cache_size;
    gauge(to, "boothds_cached_rows", "Rows that the processes have cached.", None, float(rows))?;
    let clients = counters.client_cache_size;
    gauge(to, "boothds_clients", "Live clients in the pools.", None, float(clients))?;
    let most = counters.max_clients;
    gauge(to, "boothds_clients_limit", "Clients that the pools may hold.", None, float(most))?;
    let ratio = || Some(Unit::Other("ratio".to_owned()));
    if let Some(percent) = counters.hit_rate() {
        gauge(to, "boothds_cache_hit", "Hits of the requests for a client.", ratio(), as_ratio(percent))?;
    }
    let used = as_ratio(counters.utilization());
    gauge(to, "boothds_pool_utilization", "Live clients of those that may be.", ratio(), used)?;
    if let Some(score) = health.score {
        gauge(to, "boothds_health_score", "Health, from 100 downwards.", None, f64::from(score))?;
    }
    Ok(())
}

/// The processes of the services, one by one.
fn processes(to: &mut Encoder<'_>, instances: &[Instance]) -> fmt::Result {
    gauge(to, "boothds_processes", "Processes of services that report.", None, count(instances.len()))?;
    let mut last: Vec<&Instance> = instances.iter().collect();
    last.sort_by_key(|one| (std::cmp::Reverse(one.last_seen), &one.id));
    let shown: Vec<([(&str, String); 2], &Instance)> = last
        .into_iter()
        .take(PROCESSES)
        .map(|one| {
            let text = |text: &str| crate::sanitize::printable(text).chars().take(LABEL).collect();
            ([("process", text(&one.id)), ("host", text(&one.host))], one)
        })
        .collect();
    let of = |value: fn(&Instance) -> Option<f64>| {
        shown.iter().filter_map(move |(labels, one)| Some((labels.clone(), value(one)?)))
    };
    let help = "When the process began, since 1970.";
    let started = of(|one| Some(seconds_since_1970(one.started_at)));
    gauges(to, "boothds_process_start_time", help, Some(Unit::Seconds), started)?;
    let help = "When the process reported last, since 1970.";
    let seen = of(|one| Some(seconds_since_1970(one.last_seen)));
    gauges(to, "boothds_process_last_seen", help, Some(Unit::Seconds), seen)?;
    let resident = of(|one| one.resident.map(float));
    gauges(to, "boothds_process_resident_memory", "Its resident memory.", Some(Unit::Bytes), resident)?;
    let clients = of(|one| Some(float(one.counters.client_cache_size)));
    gauges(to, "boothds_process_clients", "Its live clients.", None, clients)
}

fn gauge(to: &mut Encoder<'_>, name: &str, help: &str, unit: Option<Unit>, value: f64) -> fmt::Result {
    let encoder = to.encode_descriptor(name, help, unit.as_ref(), MetricType::Gauge)?;
    ConstGauge::new(value).encode(encoder)
}

/// A family of gauges; without a series there is no family.
fn gauges<L: EncodeLabelSet>(
    to: &mut Encoder<'_>,
    name: &str,
    help: &str,
    unit: Option<Unit>,
    series: impl IntoIterator<Item = (L, f64)>,
) -> fmt::Result {
    let mut series = series.into_iter().peekable();
    if series.peek().is_none() {
        return Ok(());
    }
    let mut encoder = to.encode_descriptor(name, help, unit.as_ref(), MetricType::Gauge)?;
    for (labels, value) in series {
        ConstGauge::new(value).encode(encoder.encode_family(&labels)?)?;
    }
    Ok(())
}

fn counter(to: &mut Encoder<'_>, name: &str, help: &str, value: u64) -> fmt::Result {
    let encoder = to.encode_descriptor(name, help, None, MetricType::Counter)?;
    ConstCounter::new(value).encode(encoder)
}

/// A metric that this process keeps.
fn own(
    to: &mut Encoder<'_>,
    name: &str,
    help: &str,
    unit: Option<Unit>,
    metric: &impl EncodeMetric,
) -> fmt::Result {
    if metric.is_empty() {
        return Ok(());
    }
    metric.encode(to.encode_descriptor(name, help, unit.as_ref(), metric.metric_type())?)
}

fn is(fact: bool) -> f64 {
    if fact { 1.0 } else { 0.0 }
}

#[expect(clippy::cast_precision_loss, reason = "exact far below 2⁵³")]
fn float(number: u64) -> f64 {
    number as f64
}

fn count(number: usize) -> f64 {
    float(u64::try_from(number).unwrap_or(u64::MAX))
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 are exact far below 2⁵³")]
fn seconds_since_1970(moment: Timestamp) -> f64 {
    moment.as_millisecond() as f64 / 1000.0
}

/// Milliseconds with a decimal as seconds with four: one division of whole numbers, whose result is the nearest number
/// there is and so is written as short as it is meant. 12.3 / 1000 would be 0.012300000000000002.
fn in_seconds(milliseconds: f64) -> f64 {
    (milliseconds * 10.0).round() / 10_000.0
}

/// Percent with two decimals as a ratio with four, likewise.
fn as_ratio(percent: f64) -> f64 {
    (percent * 100.0).round() / 10_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_or_ratio_has_four_decimals_and_no_noise() {
        for whole in 0..200_000_u32 {
            let meant = format!("{}.{:04}", whole / 10_000, whole % 10_000);
            let meant: f64 = meant.parse().unwrap();
            assert_eq!(in_seconds(f64::from(whole) / 10.0), meant, "{whole}");
            assert_eq!(as_ratio(f64::from(whole) / 100.0), meant, "{whole}");
        }
    }
}
