//! How well the manager's caches and pool serve: numbers in; scores, grades, alerts and advice out.
//!
//! Pure, and a file of its own, so that the command line, the dashboard and a service judge alike. Where there is
//! nothing to judge there is no judgement: an idle process has neither a score nor a grade.

use serde::{Deserialize, Serialize};

/// From this score on a process is healthy.
const HEALTHY: u32 = 80;
/// From this score on it deserves a warning, below it is critical.
const WARNING: u32 = 60;
/// Below this hit rate, percent, the cache is of little use.
const POOR_HIT_RATE: f64 = 50.0;
/// Below this hit rate, percent, it could do better.
const FAIR_HIT_RATE: f64 = 70.0;
/// Above this utilization, percent, the pool is about to run out.
const CRITICAL_UTILIZATION: f64 = 90.0;
/// Above this utilization, percent, it should be watched.
const HIGH_UTILIZATION: f64 = 75.0;

/// Cache statistics, as scripts read them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(
    missing_docs,
    reason = "the fields are those of `Counters`; the two rates are in percent with two decimals"
)]
pub struct CacheStats {
    pub config_cache_size: u64,
    pub client_cache_size: u64,
    pub max_clients: u64,
    pub pool_utilization: f64,
    pub total_clients_created: u64,
    pub pool_exhausted_count: u64,
    /// 0 without a request.
    pub cache_hit_rate: f64,
    pub cache_hits: u64,
    pub cache_misses: u64,
    pub shared_hits: u64,
    pub shared_misses: u64,
}

impl From<Counters> for CacheStats {
    fn from(counters: Counters) -> Self {
        Self {
            config_cache_size: counters.config_cache_size,
            client_cache_size: counters.client_cache_size,
            max_clients: counters.max_clients,
            pool_utilization: counters.utilization(),
            total_clients_created: counters.total_clients_created,
            pool_exhausted_count: counters.pool_exhausted_count,
            cache_hit_rate: counters.hit_rate().unwrap_or_default(),
            cache_hits: counters.cache_hits,
            cache_misses: counters.cache_misses,
            shared_hits: counters.shared_hits,
            shared_misses: counters.shared_misses,
        }
    }
}

/// The counters of one process, or the sums over several. Counts never overflow in practice: 2⁶⁴ requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Live entries of the configuration cache.
    pub config_cache_size: u64,
    /// Live clients.
    pub client_cache_size: u64,
    /// Clients at the most.
    pub max_clients: u64,
    /// Clients ever made.
    pub total_clients_created: u64,
    /// Requests refused because the pool was full.
    pub pool_exhausted_count: u64,
    /// Requests for a client that the first tier served.
    pub cache_hits: u64,
    /// Requests for a client that it did not.
    pub cache_misses: u64,
    /// Configurations that the second tier served.
    pub shared_hits: u64,
    /// Configurations that it did not.
    pub shared_misses: u64,
}

impl std::ops::Add for Counters {
    type Output = Self;

    /// Sums, for several processes: counts, sizes and limits add up, and rates are then of the sums.
    fn add(self, other: Self) -> Self {
        Self {
            config_cache_size: self.config_cache_size.saturating_add(other.config_cache_size),
            client_cache_size: self.client_cache_size.saturating_add(other.client_cache_size),
            max_clients: self.max_clients.saturating_add(other.max_clients),
            total_clients_created: self.total_clients_created.saturating_add(other.total_clients_created),
            pool_exhausted_count: self.pool_exhausted_count.saturating_add(other.pool_exhausted_count),
            cache_hits: self.cache_hits.saturating_add(other.cache_hits),
            cache_misses: self.cache_misses.saturating_add(other.cache_misses),
            shared_hits: self.shared_hits.saturating_add(other.shared_hits),
            shared_misses: self.shared_misses.saturating_add(other.shared_misses),
        }
    }
}

impl std::ops::Sub for Counters {
    type Output = Self;

    /// What came since `earlier`; 0 where that is more.
    fn sub(self, earlier: Self) -> Self {
        Self {
            config_cache_size: self.config_cache_size.saturating_sub(earlier.config_cache_size),
            client_cache_size: self.client_cache_size.saturating_sub(earlier.client_cache_size),
            max_clients: self.max_clients.saturating_sub(earlier.max_clients),
            total_clients_created: self.total_clients_created.saturating_sub(earlier.total_clients_created),
            pool_exhausted_count: self.pool_exhausted_count.saturating_sub(earlier.pool_exhausted_count),
            cache_hits: self.cache_hits.saturating_sub(earlier.cache_hits),
            cache_misses: self.cache_misses.saturating_sub(earlier.cache_misses),
            shared_hits: self.shared_hits.saturating_sub(earlier.shared_hits),
            shared_misses: self.shared_misses.saturating_sub(earlier.shared_misses),
        }
    }
}

impl Counters {
    /// Requests for a client.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.cache_hits.saturating_add(self.cache_misses)
    }

    /// Hits in percent of the requests; `None` without a request.
    #[must_use]
    pub fn hit_rate(&self) -> Option<f64> {
        (self.requests() > 0).then(|| percent(self.cache_hits, self.requests()))
    }

    /// Clients in percent of the limit; 0 without a limit.
    #[must_use]
    pub fn utilization(&self) -> f64 {
        if self.max_clients == 0 { 0.0 } else { percent(self.client_cache_size, self.max_clients) }
    }
}

/// A share in percent, with two decimals.
#[expect(clippy::cast_precision_loss, reason = "a percentage with two decimals is exact far below 2⁵³")]
fn percent(part: u64, whole: u64) -> f64 {
    (part as f64 / whole as f64 * 10_000.0).round() / 100.0
}

/// A grade as in school.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[expect(missing_docs, reason = "letters")]
pub enum Grade {
    A,
    B,
    C,
    D,
    F,
}

impl Grade {
    /// By bounds that fall: the first that the value reaches.
    fn at_least(value: f64, bounds: [f64; 4]) -> Self {
        let grades = [Self::A, Self::B, Self::C, Self::D];
        grades.into_iter().zip(bounds).find(|(_, bound)| value >= *bound).map_or(Self::F, |(grade, _)| grade)
    }

    /// By bounds that rise: the first that the value stays under.
    fn under(value: f64, bounds: [f64; 4]) -> Self {
        let grades = [Self::A, Self::B, Self::C, Self::D];
        grades.into_iter().zip(bounds).find(|(_, bound)| value < *bound).map_or(Self::F, |(grade, _)| grade)
    }

    /// Of a hit rate, percent.
    #[must_use]
    pub fn of_caching(hit_rate: f64) -> Self {
        Self::at_least(hit_rate, [80.0, 70.0, 60.0, 50.0])
    }

    /// Of a used share of clients or of memory, percent.
    #[must_use]
    pub fn of_usage(used: f64) -> Self {
        Self::under(used, [50.0, 70.0, 85.0, 95.0])
    }

    /// Of a health score.
    #[must_use]
    pub fn of_health(score: u32) -> Self {
        Self::at_least(f64::from(score), [90.0, 80.0, 70.0, 60.0])
    }
}

/// The state of a process or fleet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// There was no request to judge by.
    Idle,
    /// A score of 80 or more.
    Healthy,
    /// A score of 60 or more.
    Warning,
    /// A lower score.
    Critical,
}

/// A judgement on counters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Health {
    /// In a word.
    pub status: Status,
    /// From 100 downwards; `None` without a request.
    pub score: Option<u32>,
    /// What is wrong.
    pub issues: Vec<String>,
    /// What to do about it; names the setting to change.
    pub recommendations: Vec<String>,
}

impl Health {
    /// Judges counters.
    ///
    /// ```
    /// use boothds::health::{Counters, Health, Status};
    /// let idle = Health::of(&Counters { max_clients: 50, ..Counters::default() });
    /// assert_eq!((idle.status, idle.score), (Status::Idle, None));
    /// ```
    #[must_use]
    pub fn of(counters: &Counters) -> Self {
        let Some(hit_rate) = counters.hit_rate() else {
            return Self {
                status: Status::Idle,
                score: None,
                issues: Vec::new(),
                recommendations: Vec::new(),
            };
        };
        let mut judge = Judge::default();
        if hit_rate < POOR_HIT_RATE {
            judge.find(
                20,
                format!("Low cache hit rate: {hit_rate:.2}%"),
                "Raise DATA_SOURCE_CONFIG_CACHE_TTL and DATA_SOURCE_CLIENT_CACHE_TTL",
            );
        } else if hit_rate < FAIR_HIT_RATE {
            judge.find(
                10,
                format!("Moderate cache hit rate: {hit_rate:.2}%"),
                "Consider a longer DATA_SOURCE_CLIENT_CACHE_TTL",
            );
        }
        let utilization = counters.utilization();
        let of = format!("{}/{} clients", counters.client_cache_size, counters.max_clients);
        if utilization > CRITICAL_UTILIZATION {
            judge.find(
                30,
                format!("Connection pool nearly full: {utilization:.2}% ({of})"),
                "Raise DATA_SOURCE_MAX_CLIENTS",
            );
        } else if utilization > HIGH_UTILIZATION {
            judge.find(
                15,
                format!("High connection pool utilization: {utilization:.2}% ({of})"),
                "Watch the pool, and consider raising DATA_SOURCE_MAX_CLIENTS",
            );
        }
        if counters.pool_exhausted_count > 0 {
            judge.find(
                25,
                format!("Connection pool exhausted {} times", counters.pool_exhausted_count),
                "Raise DATA_SOURCE_MAX_CLIENTS, or shorten DATA_SOURCE_CLIENT_CACHE_TTL so that idle clients end sooner",
            );
        }
        if counters.cache_misses > counters.cache_hits.saturating_mul(2) {
            judge.find(
                10,
                format!(
                    "More than two misses for each hit: {} to {}",
                    counters.cache_misses, counters.cache_hits
                ),
                "Are tenants asked for once only? Warm the cache, or raise DATA_SOURCE_MAX_CLIENTS",
            );
        }
        judge.close()
    }
}

/// The score on its way down.
#[derive(Default)]
struct Judge {
    lost: u32,
    issues: Vec<String>,
    recommendations: Vec<String>,
}

impl Judge {
    fn find(&mut self, points: u32, issue: String, recommendation: &str) {
        self.lost += points;
        self.issues.push(issue);
        self.recommendations.push(recommendation.to_owned());
    }

    fn close(self) -> Health {
        let score = 100u32.saturating_sub(self.lost);
        let status = match score {
            HEALTHY.. => Status::Healthy,
            WARNING.. => Status::Warning,
            _ => Status::Critical,
        };
        Health { status, score: Some(score), issues: self.issues, recommendations: self.recommendations }
    }
}

/// How efficient a cache with this hit rate is, in a word.
#[must_use]
pub fn efficiency(hit_rate: f64) -> &'static str {
    match hit_rate {
        rate if rate >= 70.0 => "excellent",
        rate if rate >= 50.0 => "good",
        rate if rate >= 30.0 => "fair",
        _ => "poor",
    }
}

/// The state of a pool with this utilization, in a word.
#[must_use]
pub fn pool_status(utilization: f64) -> &'static str {
    match utilization {
        used if used < 75.0 => "healthy",
        used if used < 90.0 => "warning",
        _ => "critical",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counters(hits: u64, misses: u64, clients: u64, exhausted: u64) -> Counters {
        Counters {
            cache_hits: hits,
            cache_misses: misses,
            client_cache_size: clients,
            max_clients: 100,
            pool_exhausted_count: exhausted,
            ..Counters::default()
        }
    }

    #[test]
    fn points_are_lost_at_the_bounds_and_not_before() {
        for (hits, misses, clients, exhausted, score, status) in [
            (70, 30, 75, 0, 100, Status::Healthy),
            (69, 31, 75, 0, 90, Status::Healthy),
            (50, 50, 76, 0, 75, Status::Warning),
            (49, 51, 90, 0, 65, Status::Warning),
            (49, 51, 91, 0, 50, Status::Critical),
            (1, 2, 0, 0, 80, Status::Healthy),
            (1, 3, 0, 0, 70, Status::Warning),
            (100, 0, 0, 1, 75, Status::Warning),
            (0, 9, 100, 9, 15, Status::Critical),
        ] {
            let health = Health::of(&counters(hits, misses, clients, exhausted));
            assert_eq!(
                (health.score, health.status),
                (Some(score), status),
                "{hits}/{misses} {clients} {exhausted}"
            );
            assert_eq!(health.issues.len(), health.recommendations.len());
        }
    }

    #[test]
    fn an_idle_process_is_not_graded_whatever_its_pool() {
        let health = Health::of(&counters(0, 0, 100, 0));
        assert_eq!((health.status, health.score, health.issues.len()), (Status::Idle, None, 0));
        assert_eq!(Counters::default().utilization(), 0.0);
    }

    #[test]
    fn grades_and_words_change_at_their_bounds() {
        let caching: Vec<Grade> = [80.0, 79.99, 70.0, 60.0, 50.0, 49.99].map(Grade::of_caching).into();
        assert_eq!(caching, [Grade::A, Grade::B, Grade::B, Grade::C, Grade::D, Grade::F]);
        let usage: Vec<Grade> = [0.0, 50.0, 70.0, 85.0, 94.99, 95.0].map(Grade::of_usage).into();
        assert_eq!(usage, [Grade::A, Grade::B, Grade::C, Grade::D, Grade::D, Grade::F]);
        let health: Vec<Grade> = [100, 90, 89, 70, 60, 59].map(Grade::of_health).into();
        assert_eq!(health, [Grade::A, Grade::A, Grade::B, Grade::C, Grade::D, Grade::F]);
        assert_eq!([70.0, 69.0, 49.0, 29.0].map(efficiency), ["excellent", "good", "fair", "poor"]);
        assert_eq!([74.0, 75.0, 90.0].map(pool_status), ["healthy", "warning", "critical"]);
    }

    #[test]
    fn rates_of_several_processes_are_of_the_sums() {
        let sum = counters(1, 0, 10, 0) + counters(1, 2, 30, 1);
        assert_eq!((sum.hit_rate(), sum.utilization(), sum.pool_exhausted_count), (Some(50.0), 20.0, 1));
        assert_eq!(counters(1, 2, 0, 0).hit_rate(), Some(33.33));
    }
}
