//! The performance document: what the command line prints, what the endpoint of a running service answers, and what is
//! read back from one.
//!
//! Assembled from counters, whoever counted them: one process or the sum of a fleet. Grades are [`crate::health`]'s.
//! A document from elsewhere stays the JSON that it is ([`serde_json::Value`]); older services leave parts out.

use jiff::Timestamp;
use serde::Serialize;

use crate::health::{CacheStats, Counters, Grade, Health, efficiency, pool_status};
use crate::state::{Instance, Totals};

mod remote;
mod store;

pub use remote::{FetchError, fetch};
pub use store::reset;

/// The path of the document on a service.
pub const PATH: &str = "/api/debug/performance";

/// What a document is made of.
#[derive(Clone, Debug)]
pub struct Measured {
    /// Counts and sizes, of one process or of all.
    pub counters: Counters,
    /// The processes that were measured.
    pub instances: Vec<Instance>,
    /// Since when is counted; `None` when nothing was ever counted.
    pub since: Option<Timestamp>,
    /// The time of the document.
    pub now: Timestamp,
}

impl Measured {
    /// The sums of a state store: the counts of all processes, the sizes of those that live.
    #[must_use]
    pub fn of(totals: Totals, now: Timestamp) -> Self {
        let sizes = |instance: &Instance| Counters {
            config_cache_size: instance.counters.config_cache_size,
            client_cache_size: instance.counters.client_cache_size,
            max_clients: instance.counters.max_clients,
            ..Counters::default()
        };
        let counters = totals.instances.iter().map(sizes).fold(totals.counts, std::ops::Add::add);
        Self { counters, instances: totals.instances, since: totals.since, now }
    }
}

/// The performance document.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Performance<C> {
    status: &'static str,
    timestamp: Timestamp,
    /// The judgement in a word, a score, and what to do.
    pub health: Health,
    performance: Grades,
    data_source_manager: Manager<C>,
    system: System,
    metrics: Notes,
    cache_stats: CacheStats,
    instances: Vec<InstanceStats>,
}

#[derive(Clone, Debug, Serialize)]
struct Grades {
    scores: Scores,
    summary: String,
}

#[derive(Clone, Debug, Serialize)]
struct Scores {
    caching: Score,
    pooling: Score,
    memory: Score,
    overall: Score,
}

#[derive(Clone, Debug, Serialize)]
struct Score {
    score: Option<f64>,
    grade: Option<Grade>,
    description: String,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Manager<C> {
    cache: Cache,
    connection_pool: Pool,
    configuration: C,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Cache {
    config: Size,
    clients: Size,
    hits: Count,
    misses: Count,
    hit_rate: Rate,
    efficiency: Option<&'static str>,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct Size {
    size: u64,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct Count {
    count: u64,
}

#[derive(Clone, Debug, Serialize)]
struct Rate {
    percent: Option<f64>,
    formatted: String,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Pool {
    active: u64,
    max: u64,
    utilization: Rate,
    available: u64,
    total_created: u64,
    exhausted_count: u64,
    status: &'static str,
}

#[derive(Clone, Debug, Serialize)]
struct System {
    memory: Memory,
    uptime: Uptime,
    version: &'static str,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Memory {
    rss: Resident,
    used_percent: Option<f64>,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct Resident {
    bytes: Option<u64>,
    mb: Option<f64>,
}

#[derive(Clone, Debug, Serialize)]
struct Uptime {
    seconds: Option<u64>,
    formatted: String,
    since: Option<Timestamp>,
}

#[derive(Clone, Debug, Serialize)]
struct Notes {
    alerts: Vec<String>,
    recommendations: Vec<String>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct InstanceStats {
    #[serde(flatten)]
    instance: Instance,
    cache_stats: CacheStats,
}

impl<C: Serialize> Performance<C> {
    /// Judges what was measured. `configuration` is the settings of caches and pool that the reader has.
    #[must_use]
    pub fn new(measured: Measured, configuration: C) -> Self {
        let Measured { counters, instances, since, now } = measured;
        let health = Health::of(&counters);
        let memory = Memory::of(&instances);
        let hit_rate = counters.hit_rate();
        let idle = hit_rate.is_none();
        let utilization = counters.utilization();
        let mut notes =
            Notes { alerts: health.issues.clone(), recommendations: health.recommendations.clone() };
        if let Some(used) = memory.used_percent.filter(|used| Grade::of_usage(*used) >= Grade::D) {
            notes.alerts.push(format!("High memory usage: {used:.2}% of the limit"));
            notes
                .recommendations
                .push("Raise the memory limit of the process, or lower DATA_SOURCE_MAX_CLIENTS".to_owned());
        }
        let overall = health.score.map(Grade::of_health);
        let summary = match (health.score, overall) {
            (Some(score), Some(grade)) => format!("Overall Grade: {grade:?} ({score}/100)"),
            _ => "Overall Grade: none, there was no request yet".to_owned(),
        };
        let scores = Scores {
            caching: Score::new(hit_rate, hit_rate.map(Grade::of_caching), "hits in percent of the requests"),
            // A pool that nobody asked is no good one.
            pooling: Score::of_usage((!idle).then_some(utilization), "clients in percent of the limit"),
            memory: Score::of_usage(memory.used_percent, "resident memory in percent of the limit"),
            overall: Score::new(health.score.map(f64::from), overall, "health, from 100 downwards"),
        };
        Self {
            status: "success",
            timestamp: now,
            performance: Grades { scores, summary },
            data_source_manager: Manager {
                cache: Cache {
                    config: Size { size: counters.config_cache_size },
                    clients: Size { size: counters.client_cache_size },
                    hits: Count { count: counters.cache_hits },
                    misses: Count { count: counters.cache_misses },
                    hit_rate: Rate::new(hit_rate),
                    efficiency: hit_rate.map(efficiency),
                },
                connection_pool: Pool {
                    active: counters.client_cache_size,
                    max: counters.max_clients,
                    utilization: Rate::new(Some(utilization)),
                    available: counters.max_clients.saturating_sub(counters.client_cache_size),
                    total_created: counters.total_clients_created,
                    exhausted_count: counters.pool_exhausted_count,
                    status: pool_status(utilization),
                },
                configuration,
            },
            system: System {
                memory,
                uptime: Uptime::of(&instances, since, now),
                version: env!("CARGO_PKG_VERSION"),
            },
            metrics: notes,
            cache_stats: CacheStats::from(counters),
            instances: instances
                .into_iter()
                .map(|instance| InstanceStats { cache_stats: CacheStats::from(instance.counters), instance })
                .collect(),
            health,
        }
    }
}

impl Score {
    fn new(score: Option<f64>, grade: Option<Grade>, description: &str) -> Self {
        Self { score, grade, description: description.to_owned() }
    }

    fn of_usage(used: Option<f64>, description: &str) -> Self {
        Self::new(used, used.map(Grade::of_usage), description)
    }
}

impl Rate {
    fn new(percent: Option<f64>) -> Self {
        let formatted = percent.map_or_else(|| "-".to_owned(), |percent| format!("{percent:.2}%"));
        Self { percent, formatted }
    }
}

impl Memory {
    /// The sum of all processes, and the share of the one that is nearest to its limit.
    fn of(instances: &[Instance]) -> Self {
        let known: Vec<u64> = instances.iter().filter_map(|instance| instance.resident).collect();
        let bytes =
            (!known.is_empty()).then(|| known.iter().fold(0u64, |sum, bytes| sum.saturating_add(*bytes)));
        let share = |instance: &Instance| {
            let (resident, limit) = (instance.resident?, instance.memory_limit?);
            (limit > 0).then(|| hundredths(resident.saturating_mul(10_000) / limit))
        };
        Self {
            rss: Resident { bytes, mb: bytes.map(|bytes| hundredths(bytes.saturating_mul(100) >> 20)) },
            used_percent: instances.iter().filter_map(share).reduce(f64::max),
        }
    }
}

impl Uptime {
    /// Of the process that runs longest.
    fn of(instances: &[Instance], since: Option<Timestamp>, now: Timestamp) -> Self {
        let began = instances.iter().map(|instance| instance.started_at).min();
        let seconds = began.map(|began| u64::try_from(now.duration_since(began).as_secs()).unwrap_or(0));
        let formatted = seconds.map_or_else(|| "-".to_owned(), for_people);
        Self { seconds, formatted, since: began.or(since) }
    }
}

/// `1h 2m`, with the two largest units that say something.
fn for_people(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, minutes) => format!("{minutes}m {}s", seconds % 60),
        (0, hours, minutes) => format!("{hours}h {minutes}m"),
        (days, hours, _) => format!("{days}d {hours}h"),
    }
}

/// Hundredths of something as a number with two decimals.
#[expect(clippy::cast_precision_loss, reason = "exact far below 2⁵³")]
fn hundredths(number: u64) -> f64 {
    number as f64 / 100.0
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn instance(started: i64, resident: u64, limit: u64) -> Instance {
        Instance {
            id: "0123".to_owned(),
            host: "host".to_owned(),
            pid: 7,
            started_at: Timestamp::from_second(started).unwrap(),
            last_seen: Timestamp::from_second(8_000).unwrap(),
            counters: Counters { cache_hits: 1, ..Counters::default() },
            resident: Some(resident),
            memory_limit: Some(limit),
        }
    }

    fn document(counters: Counters, instances: Vec<Instance>) -> Value {
        let now = Timestamp::from_second(10_000).unwrap();
        let measured = Measured { counters, instances, since: Some(Timestamp::UNIX_EPOCH), now };
        serde_json::to_value(Performance::new(measured, json!({"maxClients": 50}))).unwrap()
    }

    #[test]
    fn nothing_is_graded_without_a_request() {
        let document = document(Counters { max_clients: 50, ..Counters::default() }, Vec::new());
        assert_eq!(document["health"]["status"], "idle");
        for score in ["caching", "pooling", "memory", "overall"] {
            let score = &document["performance"]["scores"][score];
            assert_eq!((&score["score"], &score["grade"]), (&Value::Null, &Value::Null), "{score}");
        }
        assert_eq!(
            document["dataSourceManager"]["cache"]["hitRate"],
            json!({"percent": null, "formatted": "-"})
        );
        assert_eq!(document["dataSourceManager"]["cache"]["efficiency"], Value::Null);
        assert_eq!(document["system"]["memory"]["rss"]["bytes"], Value::Null);
        assert_eq!(document["cacheStats"]["cacheHitRate"], 0.0);
    }

    #[test]
    fn a_fleet_is_judged_by_its_sums_and_by_the_process_nearest_to_its_limit() {
        let counters = Counters {
            client_cache_size: 46,
            max_clients: 50,
            cache_hits: 60,
            cache_misses: 40,
            total_clients_created: 70,
            ..Counters::default()
        };
        let fleet = vec![instance(1_000, 64 << 20, 1 << 30), instance(6_280, 900 << 20, 1000 << 20)];
        let document = document(counters, fleet);
        assert_eq!(document["health"]["score"], 60);
        assert_eq!(document["performance"]["summary"], "Overall Grade: D (60/100)");
        let scores = &document["performance"]["scores"];
        assert_eq!((&scores["caching"]["grade"], &scores["pooling"]["grade"]), (&json!("C"), &json!("D")));
        assert_eq!((&scores["memory"]["score"], &scores["memory"]["grade"]), (&json!(90.0), &json!("D")));
        assert_eq!(document["system"]["memory"]["rss"], json!({"bytes": 964 << 20, "mb": 964.0}));
        assert_eq!(document["system"]["uptime"]["formatted"], "2h 30m");
        let pool = &document["dataSourceManager"]["connectionPool"];
        assert_eq!((&pool["available"], &pool["status"]), (&json!(4), &json!("critical")));
        assert_eq!(document["metrics"]["alerts"].as_array().unwrap().len(), 3);
        assert_eq!(document["instances"][0]["cacheStats"]["cacheHits"], 1);
        assert_eq!(document["instances"][1]["startedAt"], "1970-01-01T01:44:40Z");
    }

    #[test]
    fn a_time_is_said_in_its_two_largest_units() {
        for (seconds, text) in
            [(0, "0s"), (59, "59s"), (61, "1m 1s"), (3_720, "1h 2m"), (90_000, "1d 1h"), (172_800, "2d 0h")]
        {
            assert_eq!(for_people(seconds), text);
        }
    }
}
