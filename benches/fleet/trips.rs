//! Round trips: across a network they are the time. One test through a proxy that takes 10 ms each way.

use std::time::Duration;

use super::ground::{self, Fleet, Way};
use crate::measure::{Target, best, note, verdict};
use crate::support::network::DelayProxy;
use crate::support::postgres::cluster;

const ROUNDS: usize = 5;
const ONE_WAY: Duration = Duration::from_millis(10);

/// Connecting and the login are a round trip each, and two more are allowed; a tenth of one for the work itself.
const TRIPS: f64 = 4.1;

/// Measures one test without TLS, and one with TLS and SCRAM.
pub fn measure() {
    let databases = ground::databases(1);
    let proxy = DelayProxy::start(cluster().port(), ONE_WAY);
    let plain = trips(&Fleet::of(1, &databases, proxy.port(), Way::Plain));
    let secure = trips(&Fleet::of(1, &databases, proxy.port(), Way::TlsAndScram));
    verdict("round trips of one PostgreSQL test", plain, "", Target::AtMost(TRIPS));
    note(&format!("with TLS and SCRAM: {secure:.2} round trips"));
}

fn trips(fleet: &Fleet) -> f64 {
    let run = || {
        let ran =
            fleet.check(&["test-connection", "--all", "--role", "service", "--rls", "off", "--json"], 1);
        ran.json()["results"][0]["responseTimeMs"].as_f64().expect("the report has a time")
    };
    best((0..ROUNDS).map(|_| run())) / (2.0 * ONE_WAY.as_secs_f64() * 1e3)
}
