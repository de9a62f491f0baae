//! Rotations on the newest PostgreSQL, which knows one limit more than Debian's: for a whole transaction.

use super::fleet::{Fleet, NEW, Under};
use crate::support::fleet::ApplicationDatabase;
use crate::support::postgres::{PrivateCluster, Release};

fn fleet(cluster: &PrivateCluster, tenants: usize) -> Fleet {
    Fleet::of(tenants, |_| ApplicationDatabase::postgres_in(cluster))
}

/// Lets the audit trigger do this first.
fn at_each_row(fleet: &Fleet, what: &str) {
    fleet.database.execute(&format!(
        "create function slow() returns trigger language plpgsql as $$ begin {what}; return new; end $$;
         create trigger slow after update on tenants for each row execute function slow()"
    ));
}

#[test]
fn each_release_is_rotated_tried_and_verified() {
    for release in [Release::Sixteen, Release::Eighteen] {
        let cluster = PrivateCluster::of(release).started();
        for more in [&[][..], &["--batch-size", "7"]] {
            let fleet = fleet(&cluster, 40);
            let versions = fleet.versions();
            fleet.rotate(&["--dry-run"]).run().expect_code(0);
            assert_eq!(fleet.versions(), versions);
            fleet.rotate(more).run().expect_code(0);
            fleet.assert_all(Under::New);
            let verified = fleet.cli(&["--verify", "--to", "file:new.key", "--json"]).run().expect_code(0);
            assert_eq!(verified.json()["verified"], true, "{}", verified.stdout);
            assert_eq!(fleet.database.execute("select count(*) from audit_log"), "40");
        }
    }
}

#[test]
fn a_limit_for_transactions_that_others_were_given_does_not_end_a_rotation() {
    let cluster = PrivateCluster::of(Release::Eighteen).started();
    for more in [&[][..], &["--batch-size", "30"], &["--dry-run"]] {
        let fleet = fleet(&cluster, 60);
        at_each_row(&fleet, "perform pg_sleep(0.02)");
        let database = fleet.database.database();
        cluster.psql("postgres", &format!("alter database {database} set transaction_timeout = '400ms'"));
        let over = fleet.database.execute("show transaction_timeout");
        assert_eq!(over, "400ms");
        fleet.rotate(more).run().expect_code(0);
        fleet.assert_all(if more == ["--dry-run"] { Under::Old } else { Under::New });
    }
}

#[test]
fn a_transaction_that_the_server_ends_leaves_nothing_changed_and_says_so() {
    let cluster = PrivateCluster::of(Release::Eighteen).started();
    let limit = "perform set_config('transaction_timeout', '100', true); perform pg_sleep(30)";
    for more in [&[][..], &["--batch-size", "2"], &["--dry-run"]] {
        let fleet = fleet(&cluster, 5);
        at_each_row(&fleet, limit);
        let versions = fleet.versions();
        let ran = fleet.rotate(more).run().expect_code(7);
        for says in ["nothing was changed", "transaction timeout", "25P04"] {
            assert!(ran.stderr.contains(says), "{more:?}: {says} in {}", ran.stderr);
        }
        assert!(!ran.stderr.contains(NEW), "{}", ran.stderr);
        assert_eq!(fleet.versions(), versions);
        fleet.assert_all(Under::Old);
    }
    // One batch is committed before: then it is a part, and running again finishes it.
    let fleet = fleet(&cluster, 6);
    at_each_row(&fleet, &format!("if (select count(*) from audit_log) > 4 then {limit}; end if"));
    let ran = fleet.rotate(&["--batch-size", "2"]).run().expect_code(8);
    assert!(ran.stderr.contains("25P04"), "{}", ran.stderr);
    assert_eq!(fleet.assert_readable().get(&Under::New), Some(&8));
    fleet.database.execute("drop trigger slow on tenants");
    fleet.rotate(&["--batch-size", "2"]).run().expect_code(0);
    fleet.assert_all(Under::New);
}
