//! The peak of the memory that `test-connection --all --json` takes, for a fleet and for one ten times as large.

use std::fs;
use std::thread;
use std::time::Duration;

use super::ground::{DATABASES, Fleet, Way};
use super::timed::count;
use crate::measure::{Target, note, verdict};
use crate::support::postgres::cluster;

const ROUNDS: usize = 3;
/// The larger fleet stands in the same databases, each tenant with an id of its own.
const MANY: usize = 10 * DATABASES;
const ARGS: [&str; 3] = ["test-connection", "--all", "--json"];

/// Measures both fleets.
pub fn measure(databases: &[String]) {
    let [few, many] = [DATABASES, MANY].map(|tenants| {
        let fleet = Fleet::of(tenants, databases, cluster().port(), Way::Plain);
        fleet.check(&ARGS, tenants);
        let peak = (0..ROUNDS).map(|_| peak(&fleet)).fold(0.0, f64::max);
        verdict(&format!("peak memory with {tenants} tenants"), peak, " MB", Target::AtMost(60.0));
        peak
    });
    note(&format!("ten times the tenants take {:.2} times the memory", many / few));
    let more = (many - few) * 1000.0 / count(MANY - DATABASES);
    note(&format!("{more:.1} kB more for each tenant more"));
}

/// Megabytes of one run at its most, by the kernel's own high-water mark, read until the process has none.
fn peak(fleet: &Fleet) -> f64 {
    let running = fleet.cli(&ARGS).spawn();
    let file = format!("/proc/{}/status", running.id());
    let mut peak = 0;
    loop {
        let status = fs::read_to_string(&file).unwrap_or_default();
        let mark = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let Some(kilobytes) = mark.and_then(|mark| mark.trim().strip_suffix(" kB")) else { break };
        peak = peak.max(kilobytes.parse::<u32>().expect("a number of kB"));
        thread::sleep(Duration::from_micros(300));
    }
    running.wait().expect_code(0);
    assert!(peak > 0, "the high-water mark was read");
    f64::from(peak) / 1000.0
}
