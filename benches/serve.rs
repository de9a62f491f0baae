//! The performance endpoint under load, beside nginx serving the same bytes from a file.
//!
//! Each server has one core to itself and the load generator, wrk, another: what is compared is what an answer costs the
//! server. nginx is set up as Debian does, less its access log, and the dashboard logs no request either. The bytes in the
//! file are those of one answer of the endpoint; the heads differ, for ours has the headers that browsers are to obey.
//! Two further servers have a crowd of idle and slow connections from the beginning to the end.
//! Runs take turns, and of each side the best counts.
#![expect(clippy::print_stdout, reason = "a benchmark prints its result")]

mod serve {
    pub mod crowd;
    pub mod load;
    pub mod servers;
}
mod measure;
#[path = "../tests/it/support/mod.rs"]
mod support;

use measure::{Target, note, verdict};
use serve::crowd::Crowd;
use serve::load::{Load, ask_once, best, load};
use serve::servers::{Dashboard, Nginx};

/// The endpoint.
const PATH: &str = boothds::report::PATH;
const ROUNDS: usize = 5;
const IDLE: usize = 1_000;
const SLOW: usize = 200;

fn main() {
    let token = "4c9f8e7d6b5a49388271605f4e3d2c1b";
    let [open, crowded] = [Dashboard::start(None), Dashboard::start(None)];
    let guarded = Dashboard::start(Some(token));
    let document = ask_once(open.port(), PATH);
    let [nginx, crowded_nginx] = [Nginx::start(&document), Nginx::start(&document)];
    note(&format!("the document has {} bytes", document.len()));

    let crowds = [crowded.port(), crowded_nginx.port()].map(|port| Crowd::gather(port, IDLE, SLOW));
    let crowd = format!("with {IDLE} idle and {SLOW} slow connections");
    let sides = [
        ("nginx".to_owned(), nginx.port(), None),
        ("boothds".to_owned(), open.port(), None),
        ("boothds with a token".to_owned(), guarded.port(), Some(token)),
        (format!("nginx {crowd}"), crowded_nginx.port(), None),
        (format!("boothds {crowd}"), crowded.port(), None),
    ];
    let mut loads: [Vec<Load>; 5] = Default::default();
    for _ in 0..ROUNDS {
        for ((_, port, token), loads) in sides.iter().zip(&mut loads) {
            loads.push(load(*port, PATH, *token));
        }
    }
    let loads = loads.map(|loads| best(&loads));
    for ((who, ..), load) in sides.iter().zip(&loads) {
        show(who, load, &loads[0]);
    }
    for (who, port, crowd) in
        [("boothds", crowded.port(), &crowds[0]), ("nginx", crowded_nginx.port(), &crowds[1])]
    {
        let fresh = serve::load::fresh(port, PATH);
        let seen = crowd.seen();
        note(&format!(
            "the crowd at {who}: {} connections at the least, looked at ten times a second; {} opened anew because the \
             server had ended them; a new connection has its answer after {fresh:.2} ms (99th percentile of 200)",
            seen.fewest, seen.renewed
        ));
    }
    note(&format!("peak memory of boothds: {:.0} MB", crowded.peak()));
    let lost = |load: &Load| f64::from(u32::try_from(load.lost).unwrap_or(u32::MAX));
    let [_, ours, with_token, _, in_crowd] = &loads;
    verdict(
        "requests to the endpoint that were lost",
        lost(ours) + lost(with_token),
        "",
        Target::AtMost(0.0),
    );
    verdict(&format!("the same {crowd}"), lost(in_crowd), "", Target::AtMost(0.0));
}

fn show(who: &str, load: &Load, to: &Load) {
    note(&format!(
        "{who}: {:.0} requests a second, p99 {:.2} ms; {:.2} and {:.2} times those of nginx alone",
        load.per_second,
        load.p99,
        load.per_second / to.per_second,
        load.p99 / to.p99
    ));
}
