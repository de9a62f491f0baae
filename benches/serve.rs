//! The performance endpoint under load, beside nginx serving the same bytes from a file.
//!
//! Each server has one core to itself and the load generator, wrk, another: what is compared is what an answer costs the
//! server. nginx is set up as Debian does, less its access log, and the dashboard logs no request either. The bytes in the
//! file are those of one answer of the endpoint; the heads differ, for ours has the headers that browsers are to obey.
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
    let open = Dashboard::start(None);
    let token = "4c9f8e7d6b5a49388271605f4e3d2c1b";
    let guarded = Dashboard::start(Some(token));
    let document = ask_once(open.port(), PATH);
    let nginx = Nginx::start(&document);
    note(&format!("the document has {} bytes", document.len()));

    let (mut ours, mut with_token, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        ours.push(load(open.port(), PATH, None));
        theirs.push(load(nginx.port(), PATH, None));
        with_token.push(load(guarded.port(), PATH, Some(token)));
    }
    let lost: u64 = [&ours, &with_token, &theirs].into_iter().flatten().map(|load| load.lost).sum();
    let [ours, theirs, with_token] = [best(&ours), best(&theirs), best(&with_token)];
    show("boothds", &ours);
    show("boothds with a token", &with_token);
    show("nginx", &theirs);
    let times = ours.per_second / theirs.per_second;
    note(&format!(
        "the endpoint to nginx: {times:.2} times the requests a second, with a token {:.2} times; p99 {:.2} times",
        with_token.per_second / theirs.per_second,
        ours.p99 / theirs.p99
    ));

    let [our_crowd, their_crowd] = [open.port(), nginx.port()].map(|port| {
        let crowd = Crowd::gather(port, IDLE, SLOW);
        let loads: Vec<Load> = (0..ROUNDS).map(|_| load(port, PATH, None)).collect();
        let fresh = serve::load::fresh(port, PATH);
        let seen = crowd.disperse();
        note(&format!(
            "the crowd: {} connections at the least, looked at ten times a second; {} opened anew because the server had \
             ended them; a new connection beside it has its answer after {fresh:.2} ms (99th percentile of 200)",
            seen.fewest, seen.renewed
        ));
        let lost: u64 = loads.iter().map(|load| load.lost).sum();
        (best(&loads), lost)
    });
    let what = format!("with {IDLE} idle and {SLOW} slow connections");
    show(&format!("boothds {what}"), &our_crowd.0);
    show(&format!("nginx {what}"), &their_crowd.0);
    note(&format!(
        "{what}: {:.2} times the requests a second of boothds alone, {:.2} times those of nginx in the same crowd",
        our_crowd.0.per_second / ours.per_second,
        our_crowd.0.per_second / their_crowd.0.per_second
    ));
    note(&format!("peak memory of boothds: {:.0} MB", open.peak()));
    let requests = |lost| f64::from(u32::try_from(lost).unwrap_or(u32::MAX));
    verdict("requests to the endpoint that were lost", requests(lost), "", Target::AtMost(0.0));
    verdict(&format!("the same {what}"), requests(our_crowd.1), "", Target::AtMost(0.0));
}

fn show(who: &str, load: &Load) {
    note(&format!("{who}: {:.0} requests a second, p99 {:.2} ms", load.per_second, load.p99));
}
