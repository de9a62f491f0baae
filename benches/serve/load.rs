//! The load: wrk with one thread and connections that are kept, each asking again as soon as it has its answer.

use std::path::Path;
use std::time::{Duration, Instant};

use super::servers::CLIENT_CORE;
use crate::measure;
use crate::support::http;
use crate::support::process::{self, Signal, User};

/// Connections of the load.
const CONNECTIONS: &str = "32";
/// How long one run takes.
const SECONDS: &str = "3s";
/// Connections that are opened one after the other by [`fresh`].
const FRESH: usize = 200;

/// What came of a load.
#[derive(Clone, Copy)]
pub struct Load {
    /// Answers a second.
    pub per_second: f64,
    /// The 99th percentile of the time to an answer, ms.
    pub p99: f64,
    /// Requests that got no answer, or one that was not of success.
    pub lost: u64,
}

/// Asks for the path for some seconds.
pub fn load(port: u16, path: &str, token: Option<&str>) -> Load {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/serve/report.lua");
    let mut command = process::command("taskset", Signal::KILL, User::Own);
    command.args(["-c", CLIENT_CORE, "wrk", "--threads", "1", "--connections", CONNECTIONS]);
    command.args(["--duration", SECONDS, "--timeout", "10s", "--script"]).arg(script);
    if let Some(token) = token {
        // A token of this benchmark alone: a real one never stands in an argument.
        command.args(["--header", &format!("Authorization: Bearer {token}")]);
    }
    command.arg(format!("http://127.0.0.1:{port}{path}"));
    let output = process::run(command, b"", Duration::from_secs(60));
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().find_map(|line| line.strip_prefix("RESULT "));
    let line = line.unwrap_or_else(|| panic!("wrk has no result: {output:?}"));
    let numbers: Vec<f64> = line.split(' ').map(|word| word.parse().expect("a number of wrk")).collect();
    let [requests, micros, p99, errors @ ..] = numbers.as_slice() else { panic!("{line}") };
    assert!(*requests > 0.0, "nothing was answered: {text}");
    let lost = errors.iter().sum::<f64>();
    Load {
        per_second: requests / micros * 1e6,
        p99: p99 / 1e3,
        lost: format!("{lost:.0}").parse().expect("a count"),
    }
}

/// The best of several runs: when nothing else disturbed it.
pub fn best(loads: &[Load]) -> Load {
    let per_second = loads.iter().map(|load| load.per_second).fold(0.0, f64::max);
    let p99 = measure::best(loads.iter().map(|load| load.p99));
    Load { per_second, p99, lost: loads.iter().map(|load| load.lost).sum() }
}

/// The body of one answer of success.
pub fn ask_once(port: u16, path: &str) -> Vec<u8> {
    let answer = http::get(port, path).expect("ask once");
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    answer.body
}

/// The 99th percentile, in ms, of connecting, asking and having the whole answer.
pub fn fresh(port: u16, path: &str) -> f64 {
    let mut times: Vec<f64> = (0..FRESH)
        .map(|_| {
            let start = Instant::now();
            ask_once(port, path);
            start.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[FRESH * 99 / 100 - 1]
}
