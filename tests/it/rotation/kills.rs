//! kill -9, of the tool and of the server, at random moments: every value opens afterwards, and a second run finishes.
//!
//! Each round goes from whatever the last one left to the other key, so that all sorts of mixtures are met.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::fleet::{Fleet, Under};
use crate::fixture::KEY;
use crate::support::fleet::ApplicationDatabase;
use crate::support::postgres::PrivateCluster;
use crate::support::process::Signal;

/// How often.
const KILLS: u32 = 50;

/// To either key in turn, in one transaction or in batches.
fn round(fleet: &Fleet, number: u32) -> (crate::support::cli::Cli, Under) {
    let (key, under) =
        if number.is_multiple_of(2) { ("new.key", Under::New) } else { ("old.key", Under::Old) };
    let to = format!("file:{key}");
    let backup = format!("backup-{number}");
    let mut args = vec!["--to", &to, "--from", "file:new.key", "file:old.key", "--yes", "--backup", &backup];
    if number % 4 >= 2 {
        args.extend(["--batch-size", "20"]);
    }
    (fleet.cli(&args), under)
}

fn with_keys(fleet: Fleet) -> Fleet {
    std::fs::write(fleet.file("old.key"), KEY).unwrap();
    fleet
}

/// How long a round takes that nobody disturbs.
fn undisturbed(fleet: &Fleet) -> Duration {
    (0..4)
        .map(|number| {
            let start = Instant::now();
            round(fleet, number).0.run().expect_code(0);
            std::fs::remove_file(fleet.file(&format!("backup-{number}"))).unwrap();
            start.elapsed()
        })
        .max()
        .unwrap()
}

#[test]
fn the_tool_is_killed_fifty_times_on_either_back_end() {
    for fleet in Fleet::both(120) {
        let fleet = with_keys(fleet);
        let whole = undisturbed(&fleet);
        for number in 0..KILLS {
            let (cli, target) = round(&fleet, number);
            let mut running = cli.spawn();
            std::thread::sleep(whole.mul_f64(rand::random_range(0.0..1.0)));
            running.signal(Signal::KILL);
            let ran = running.wait();
            let under = fleet.assert_readable();
            if ran.code == Some(0) {
                assert_eq!(under, BTreeMap::from([(target, 240)]));
            }
            if number % 10 == 9 {
                std::fs::remove_file(fleet.file(&format!("backup-{number}"))).ok();
                round(&fleet, number).0.run().expect_code(0);
                fleet.assert_all(target);
            }
        }
    }
}

#[test]
fn the_server_is_killed_fifty_times() {
    let cluster = PrivateCluster::new().started();
    let fleet = with_keys(Fleet::of(120, |_| ApplicationDatabase::postgres_in(&cluster)));
    let whole = undisturbed(&fleet);
    let mut codes = BTreeMap::new();
    for number in 0..KILLS {
        let (cli, target) = round(&fleet, number);
        let before = fleet.values();
        let running = cli.spawn();
        std::thread::sleep(whole.mul_f64(rand::random_range(0.0..1.1)));
        cluster.kill9();
        cluster.start();
        let ran = running.wait();
        let under = fleet.assert_readable();
        match ran.code {
            Some(0) => assert_eq!(under, BTreeMap::from([(target, 240)])),
            // Not reached at all, or nothing changed: in either case to the letter.
            Some(5 | 7) => assert_eq!(fleet.values(), before, "{ran:?}"),
            Some(8) => assert!(number % 4 >= 2, "the server was back, so it was found out: {ran:?}"),
            _ => panic!("{ran:?}"),
        }
        *codes.entry(ran.code).or_insert(0) += 1;
        if number % 10 == 9 {
            std::fs::remove_file(fleet.file(&format!("backup-{number}"))).ok();
            round(&fleet, number).0.run().expect_code(0);
            fleet.assert_all(target);
        }
    }
    // Otherwise the moments were not random.
    assert!(codes.len() > 1, "{codes:?}");
}
