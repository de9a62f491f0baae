//! What a rotation does for the processes that have rows cached.

use boothds::cipher::KeyRing;
use boothds::manager::DataSourceManager;
use boothds::settings::Settings;
use boothds::tenant::Role;

use super::fleet::{Fleet, NEW};
use crate::fixture::{KEY, seal};
use crate::support::fleet::TenantRow;

/// A service that was given the new key before, as the runbook says.
fn service(fleet: &Fleet, state: &str) -> DataSourceManager {
    let settings = Settings::from_vars([
        ("DATABASE_URL", fleet.database.url().as_str()),
        ("ENCRYPTION_KEY", NEW),
        ("ENCRYPTION_KEY_PREVIOUS", KEY),
        ("BOOTHDS_STATE_URL", state),
    ])
    .unwrap();
    let ring = KeyRing::from_settings(&settings).unwrap();
    DataSourceManager::with(&settings, ring, boothds::manager::Surroundings::default()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_process_forgets_its_rows_and_reads_what_was_rotated() {
    let fleet = Fleet::postgres(3);
    let state = format!("sqlite:{}", fleet.file("state.db").display());
    let service = service(&fleet, &state);
    let row = TenantRow::new("served");
    let id = row.id.clone();
    let keys = [seal("sb_publishable_of-the-served"), seal("sb_secret_of-the-served")];
    fleet.database.insert(row.data_source("https://served.example", &keys[0], &keys[1]));
    let before = service.client(&id, Role::Service).await.unwrap();
    let cached = service.tenant(&id).await.unwrap();
    let rotation = fleet.rotate(&["--json"]).env("BOOTHDS_STATE_URL", &state);
    let ran = tokio::task::spawn_blocking(move || rotation.run()).await.unwrap().expect_code(0);
    assert_eq!(ran.json()["processesTold"], 1, "{ran:?}");
    let row = service.tenant(&id).await.unwrap();
    assert!(!row.says_the_same_as(&cached), "the row is read anew");
    let after = service.client(&id, Role::Service).await.unwrap();
    assert_eq!(service.counters().total_clients_created, 2);
    drop((before, after));
    service.shutdown().await;
}

#[test]
fn a_store_that_cannot_be_reached_is_said_and_undoes_nothing() {
    let fleet = Fleet::postgres(2);
    let state = fleet.file("state.db");
    std::fs::create_dir(&state).unwrap();
    let rotation = fleet.rotate(&["--json"]).env("BOOTHDS_STATE_URL", format!("sqlite:{}", state.display()));
    let ran = rotation.run().expect_code(0);
    assert_eq!(ran.json()["processesTold"], 0);
    assert!(ran.stderr.contains("no running process was told: the state store sqlite:"), "{}", ran.stderr);
    fleet.cli(&["--verify"]).env("ENCRYPTION_KEY", NEW).run().expect_code(0);
}

#[test]
fn where_nobody_has_ever_kept_anything_it_is_said_that_nobody_was_told() {
    let fleet = Fleet::sqlite(2);
    let state = format!("sqlite:{}", fleet.file("none.db").display());
    let ran = fleet.rotate(&[]).env("BOOTHDS_STATE_URL", &state).run().expect_code(0);
    let says = format!("there is no state store at {state}: no running process was told");
    assert!(ran.stderr.contains(&says), "{}", ran.stderr);
    assert!(!fleet.file("none.db").exists());
}

/// Everything is committed when the store is told, and that is what is to be reported.
#[test]
fn a_signal_while_a_silent_store_is_told_cuts_that_short_and_not_the_report() {
    use crate::support::process::Signal;
    for signal in [Signal::INT, Signal::TERM] {
        let fleet = Fleet::postgres(3);
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let state = format!("redis://127.0.0.1:{}", silent.local_addr().unwrap().port());
        let mut running = fleet.rotate(&["--json"]).env("BOOTHDS_STATE_URL", state).spawn();
        let _connected = silent.accept().unwrap();
        running.signal(signal);
        let ran = running.wait().expect_code(0);
        assert_eq!((&ran.json()["keys"]["rotated"], &ran.json()["processesTold"]), (&6.into(), &0.into()));
        let word = if signal == Signal::INT { "interrupted" } else { "terminated" };
        assert!(ran.stderr.contains(&format!("no running process was told: {word}")), "{}", ran.stderr);
    }
}
