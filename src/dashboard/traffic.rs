//! What this process counts of its own work, for the metrics: requests, refused tokens, tests, rounds.
//!
//! Every label has a small set of values that is known beforehand.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;

use super::routes;
use crate::probe::Report;

/// Bounds of the histogram of requests, seconds.
const REQUEST_BOUNDS: [f64; 8] = [0.001, 0.005, 0.025, 0.1, 0.5, 1.0, 5.0, 15.0];
/// Bounds of the histogram of tests, seconds.
const TEST_BOUNDS: [f64; 9] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// What was asked, and what the answer was.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct Asked {
    route: &'static str,
    method: &'static str,
    code: u16,
}

/// What came of a test.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct Tested {
    outcome: &'static str,
}

/// The counts. Every one begins at zero with the process.
#[derive(Debug)]
pub(super) struct Traffic {
    pub(super) requests: Family<Asked, Counter>,
    pub(super) request_times: Histogram,
    pub(super) tests: Family<Tested, Counter>,
    pub(super) test_times: Histogram,
    /// Rounds of tests that could not be brought to their end.
    pub(super) failed_rounds: Counter,
    pub(super) displaced: Counter,
    pub(super) refused_tokens: Counter,
}

impl Default for Traffic {
    fn default() -> Self {
        Self {
            requests: Family::default(),
            request_times: Histogram::new(REQUEST_BOUNDS),
            tests: Family::default(),
            test_times: Histogram::new(TEST_BOUNDS),
            failed_rounds: Counter::default(),
            displaced: Counter::default(),
            refused_tokens: Counter::default(),
        }
    }
}

impl Traffic {
    pub(super) fn count(&self, method: &Method, route: &str, status: StatusCode, took: Duration) {
        let method = match *method {
            Method::GET => "GET",
            Method::HEAD => "HEAD",
            Method::POST => "POST",
            _ => "other",
        };
        let asked = Asked { route: routes::known(route), method, code: status.as_u16() };
        self.requests.get_or_create(&asked).inc();
        self.request_times.observe(took.as_secs_f64());
    }

    pub(super) fn tested(&self, report: &Report) {
        let outcome = match (report.skipped, report.success) {
            (true, _) => "skipped",
            (false, true) => "passed",
            (false, false) => "failed",
        };
        self.tests.get_or_create(&Tested { outcome }).inc();
        if !report.skipped {
            self.test_times.observe(report.response_time_ms / 1000.0);
        }
    }
}
