//! The peak of the memory that `test-connection --all --json` takes, for a fleet and for one ten times as large.

use super::ground::{DATABASES, Fleet, Way};
use super::peak::peak;
use super::timed::count;
use crate::measure::{Target, note, verdict};
use crate::support::postgres::cluster;

const ROUNDS: usize = 3;
/// The larger fleet stands in the same databases, each tenant with an id of its own.
const MANY: usize = 10 * DATABASES;
const ARGS: [&str; 5] = ["test-connection", "--all", "--json", "--rls", "off"];

/// Measures both fleets.
pub fn measure(databases: &[String]) {
    let [few, many] = [DATABASES, MANY].map(|tenants| {
        let fleet = Fleet::of(tenants, databases, cluster().port(), Way::Plain);
        fleet.check(&ARGS, tenants);
        let peak = (0..ROUNDS).map(|_| peak(&fleet.cli(&ARGS))).fold(0.0, f64::max);
        verdict(&format!("peak memory with {tenants} tenants"), peak, " MB", Target::AtMost(60.0));
        peak
    });
    note(&format!("ten times the tenants take {:.2} times the memory", many / few));
    let more = (many - few) * 1000.0 / count(MANY - DATABASES);
    note(&format!("{more:.1} kB more for each tenant more"));
}
