//! The login with TLS and SCRAM: what it adds to a target, and whether the driver stalls in it.
//!
//! sqlx 0.9.0 does not set TCP_NODELAY, and its connects wait twice for a delayed acknowledgement of 40 ms: the
//! reason why this package holds to a release that does.

use std::time::Instant;

use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{Connection as _, PgConnection};

use super::ground::{self, Fleet, PASSWORD, Way};
use super::timed::{Timed, count, run};
use crate::measure::{Target, best, note, verdict};
use crate::support::postgres::cluster;

const ROUNDS: usize = 5;
/// Tenants of one run, tested one after the other.
const TENANTS: usize = 50;
/// Connects of the driver in each way.
const CONNECTS: usize = 30;
/// The shortest delayed acknowledgement on Linux, ms.
const STALL: f64 = 40.0;

/// Measures the binary with and without, and the driver alone.
pub fn measure() {
    let databases = ground::databases(1);
    binary(&databases);
    driver(&databases[0]);
}

fn binary(databases: &[String]) {
    let args = [
        "test-connection",
        "--all",
        "--role",
        "service",
        "--rls",
        "off",
        "--concurrency",
        "1",
        "--format",
        "jsonl",
    ];
    let words = [&[env!("CARGO_BIN_EXE_boothds")], &args[..]].concat();
    let fleet = |way| {
        let fleet = Fleet::of(TENANTS, databases, cluster().port(), way);
        fleet.check(&args, TENANTS);
        fleet
    };
    let (plain, secure) = (fleet(Way::Plain), fleet(Way::TlsAndScram));
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        without.push(run(&words, &plain.variables(), ""));
        with.push(run(&words, &secure.variables(), ""));
    }
    let (without, with) = (Timed::best(&without), Timed::best(&with));
    let each = |whole: f64| whole / count(TENANTS);
    note(&format!(
        "a target, one at a time: {:.2} ms without TLS, {:.2} ms with TLS and SCRAM; processor time of ours {:.2} \
         and {:.2} ms",
        each(without.wall),
        each(with.wall),
        each(without.cpu),
        each(with.cpu),
    ));
    note("(the password is hashed 4096 times by the client and the server's is ready: that is part of it)");
    let more = each(with.wall - without.wall);
    verdict("TLS and SCRAM, more time a target", more, " ms", Target::AtMost(2.0));
}

fn driver(database: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("start a runtime");
    let connects = |user: &str, mode: PgSslMode| {
        let options = PgConnectOptions::new_without_pgpass()
            .host("localhost")
            .port(cluster().port())
            .username(user)
            .password(PASSWORD)
            .database(database)
            .ssl_root_cert(cluster().ca_file())
            .ssl_mode(mode);
        let once = || {
            let start = Instant::now();
            let connection = runtime.block_on(PgConnection::connect_with(&options)).expect("connect");
            let took = start.elapsed().as_secs_f64() * 1e3;
            runtime.block_on(connection.close()).expect("close a connection");
            took
        };
        let times: Vec<f64> = (0..CONNECTS).map(|_| once()).collect();
        let stalled = times.iter().filter(|&&time| time >= STALL).count();
        (best(times), stalled)
    };
    let (plain, _) = connects("bench_service", PgSslMode::Disable);
    let (tls, _) = connects("bench_service", PgSslMode::Require);
    let (secure, stalled) = connects("bench_scram", PgSslMode::Require);
    let (verified, _) = connects("bench_scram", PgSslMode::VerifyFull);
    note(&format!(
        "sqlx connects in {plain:.2} ms; with TLS {tls:.2}; with TLS and SCRAM {secure:.2}; checking the \
         certificate too {verified:.2}"
    ));
    let stalled = count(stalled);
    verdict(
        &format!("stalls of {STALL} ms in {CONNECTS} TLS connects of sqlx"),
        stalled,
        "",
        Target::AtMost(0.0),
    );
}
