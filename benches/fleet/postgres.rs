//! A fleet of PostgreSQL databases on one server, against as many runs of `psql`, 32 at a time on both sides.
//!
//! The server works for either side, on the same processors, so that the wall time is bounded from below by it; the
//! processor time is the clients' alone.

use super::ground::{DATABASES, Fleet, Way};
use super::timed::{Timed, count, run};
use crate::measure::{Target, note, verdict};
use crate::support::postgres::cluster;
use crate::support::process;

const ROUNDS: usize = 5;

/// Measures wall time and the clients' processor time.
pub fn measure(databases: &[String]) {
    let port = cluster().port();
    let fleet = Fleet::of(DATABASES, databases, port, Way::Plain);
    let args = ["test-connection", "--all", "--concurrency", "32", "--format", "jsonl", "--fail-on", "never"];
    let as_role = |role: &'static str| {
        // With row-level security off a test is one question; `+` asks about that too.
        let (role, rls) = role.strip_suffix('+').map_or((role, "off"), |role| (role, "table"));
        [&args[..], &["--role", role, "--rls", rls]].concat()
    };
    // The first visit of a database makes the server write its cache file.
    fleet.check(&as_role("both"), DATABASES);

    let ours = |role| {
        let words = [&[env!("CARGO_BIN_EXE_boothds")], &as_role(role)[..]].concat();
        run(&words, &fleet.variables(), "")
    };
    let psql = process::find("psql").into_os_string().into_string().expect("a path of text");
    let names = databases.join("\n");
    let theirs = || {
        let port = port.to_string();
        let words =
            ["xargs", "-P32", "-n1", &psql, "-XAtq", "-h", "127.0.0.1", "-p", &port, "-U", "bench_service"];
        let plain = [("PGSSLMODE", "disable".to_owned()), ("PGGSSENCMODE", "disable".to_owned())];
        run(&[&words[..], &["-c", "select 1", "-d"]].concat(), &plain, &names)
    };
    let (mut service, mut both, mut judged, mut peers) = (vec![], vec![], vec![], vec![]);
    for _ in 0..ROUNDS {
        judged.push(ours("both+"));
        service.push(ours("service"));
        peers.push(theirs());
        both.push(ours("both"));
    }
    let [service, both, judged, peer] = [service, both, judged, peers].map(|runs| Timed::best(&runs));
    for (name, of) in [
        ("--role service", service),
        ("--role both", both),
        ("--role both, with row-level security", judged),
        ("psql under xargs", peer),
    ] {
        let (wall, cpu, each) = (of.wall, of.cpu, of.wall / count(databases.len()));
        note(&format!(
            "{name}: {wall:.0} ms, {cpu:.0} ms of client's processor time, {each:.2} ms a database"
        ));
    }
    let what = format!("{DATABASES} databases as service");
    verdict(&format!("{what}, wall time to psql's"), service.wall / peer.wall, "", Target::AtMost(0.55));
    verdict(
        &format!("{what}, processor time to psql's"),
        service.cpu / peer.cpu,
        "",
        Target::AtMost(1.0 / 15.0),
    );
    verdict(
        &format!("{DATABASES} databases with row-level security, to the plain test"),
        judged.wall / both.wall,
        "",
        Target::AtMost(2.0),
    );
    note(&format!(
        "both roles, two logins a database: wall {:.2}, processor time {:.3} of psql's one",
        both.wall / peer.wall,
        both.cpu / peer.cpu
    ));
}
