//! The data sources asked, and a run that is interrupted.

use std::time::Duration;

use super::patient::{Patient, checks, messages, of, wrong};
use crate::fixture::seal;
use crate::support::fleet::TenantRow;
use crate::support::gateway::{Gateway, PUBLISHABLE_KEY, SECRET_KEY};
use crate::support::network::silent_server;
use crate::support::process::Signal;

#[test]
fn a_tenant_that_fails_is_a_check_of_its_own_and_the_sample_has_five() {
    let patient = Patient::sqlite();
    for number in 0..6 {
        let row = TenantRow::new(&format!("m{number}"));
        let url = format!("sqlite:/no/such/{number}.db");
        patient.database.insert(row.data_source(&url, &seal("a"), &seal("b")));
    }
    let found = checks(&patient.command("doctor").arg("--json"), 1);
    let failed = of(&found, "source.test").into_iter().filter(|check| check["status"] == "error");
    let failed: Vec<&str> = failed.map(|check| check["tenant"].as_str().unwrap()).collect();
    assert_eq!(failed.len(), 3, "acme, birch, m0, m1, m2");
    assert!(
        messages(&found, "source.test", "ok")[0].starts_with("2 data sources answer of 8 tenants"),
        "{found:#?}"
    );
    let cli = patient.command("doctor").arg("--json").arg("--all-tenants");
    let found = checks(&cli.arg("--ignore").arg("source.test@m3"), 1);
    let status =
        |status: &str| of(&found, "source.test").iter().filter(|check| check["status"] == status).count();
    assert_eq!((status("error"), status("ignored"), status("ok")), (5, 1, 1));
    assert_eq!(messages(&found, "source.test", "error")[0], "the SQLite file does not exist (file-missing)");
}

#[test]
fn row_level_security_that_is_not_shown_to_hold_is_never_ok() {
    let patient = Patient::postgres();
    let gateway = Gateway::start(None);
    let row =
        TenantRow::new("rest").data_source(&gateway.base_url(), &seal(PUBLISHABLE_KEY), &seal(SECRET_KEY));
    patient.database.insert(row);
    let found = checks(&patient.command("doctor").arg("--json").arg("--all-tenants"), 0);
    assert_eq!(wrong(&found), ["warning source.rls"]);
    assert_eq!(
        messages(&found, "source.rls", "warning"),
        ["row-level security is not shown to be enforced: rest (unknown)"]
    );
}

#[test]
fn a_signal_prints_what_was_looked_at_and_ends_with_its_code() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let patient = Patient::sqlite();
        let silent = silent_server();
        let url = format!("postgres://u@127.0.0.1:{}/x", silent.port());
        let mut running = patient.doctor(&[]).env("DATABASE_URL", url).spawn();
        while silent.connections() == 0 {
            std::thread::sleep(Duration::from_millis(5));
        }
        std::thread::sleep(Duration::from_millis(300));
        running.signal(signal);
        let document = running.wait().expect_code(code).json();
        assert_eq!(document["complete"], false, "{document}");
        let found = document["checks"].as_array().unwrap();
        assert_eq!(of(found, "encryption-key.set").len(), 1);
        assert_eq!(of(found, "database.reachable").len(), 0);
    }
}
