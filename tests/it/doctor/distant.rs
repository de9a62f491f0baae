//! An application database and a state store on another host, and one that is far away.

use std::time::Duration;

use super::patient::{Patient, checks, messages, of, wrong};
use crate::support::distance::{Distance, HOST};
use crate::support::network::DelayProxy;
use crate::support::postgres::{PrivateCluster, cluster};
use crate::support::process;
use crate::support::redis::RedisServer;

#[test]
fn whether_the_way_to_another_host_is_encrypted_is_told_as_the_server_and_the_url_have_it() {
    let patient = Patient::postgres();
    let (port, elsewhere) = (cluster().port(), process::free_port());
    // Under another port than its own: something stands in between.
    let distance = Distance::to(&[(port, port), (elsewhere, port)]);
    let database = patient.database.database();
    let encrypted = ("ok", "the connection is encrypted".to_owned());
    let clear = |port: u16| format!("the connection to postgres://{HOST}:{port}/{database} is not encrypted");
    let perhaps = format!(
        "the connection to postgres://{HOST}:{elsewhere}/{database} may be unencrypted: its URL does not demand TLS"
    );
    for (user, port, tail, (status, says)) in [
        (patient.role.as_str(), port, "?sslmode=require", encrypted.clone()),
        (&patient.role, port, "?sslmode=disable", ("warning", clear(port))),
        // The server decides, and says which it was.
        (&patient.role, port, "", encrypted.clone()),
        (&patient.role, port, "?sslmode=prefer", encrypted.clone()),
        (&patient.role, elsewhere, "", ("warning", perhaps)),
        (&patient.role, elsewhere, "?sslmode=disable", ("warning", clear(elsewhere))),
        (&patient.role, elsewhere, "?sslmode=require", encrypted),
    ] {
        let url = format!("postgres://{user}@{HOST}:{port}/{database}{tail}");
        let found = checks(&distance.from(patient.doctor(&[]).env("DATABASE_URL", url)), 0);
        assert_eq!(messages(&found, "database.tls", status), [says], "{tail}");
        let expected: &[&str] = if status == "ok" { &[] } else { &["warning database.tls"] };
        assert_eq!(wrong(&found), expected, "{tail}");
    }
    // A server that has no TLS: the same URL, and it is clear text.
    let bare = PrivateCluster::new().with_setting("ssl", "off").started();
    let patient = Patient::postgres_in(&bare);
    let distance = Distance::to(&[(bare.port(), bare.port())]);
    let at = format!("{HOST}:{}/{}", bare.port(), patient.database.database());
    let url = format!("postgres://{}@{at}", patient.role);
    let found = checks(&distance.from(patient.doctor(&[]).env("DATABASE_URL", &url)), 0);
    assert_eq!(wrong(&found), ["warning database.tls"]);
    assert_eq!(
        messages(&found, "database.tls", "warning"),
        [format!("the connection to postgres://{at} is not encrypted")]
    );
    let found = checks(&distance.from(patient.doctor(&[]).env("DATABASE_URL", url + "?sslmode=require")), 1);
    assert_eq!(wrong(&found), ["error database.reachable"]);
}

#[test]
fn a_state_store_on_another_host_is_told_if_its_way_is_in_clear_text() {
    let patient = Patient::sqlite();
    let redis = RedisServer::start(&[]);
    let distance = Distance::to(&[(redis.port(), redis.port())]);
    let url = redis.url().replace("127.0.0.1", HOST);
    let doctor = || patient.doctor(&[]).env("BOOTHDS_STATE_URL", &url);
    let found = checks(&distance.from(doctor()), 0);
    assert_eq!(wrong(&found), ["warning state.tls"]);
    assert_eq!(
        messages(&found, "state.tls", "warning"),
        [format!("the connection to redis://{HOST}:{}/0 is not encrypted", redis.port())]
    );
}

#[test]
fn a_state_store_whose_answers_take_longer_than_the_bound_is_slow() {
    let patient = Patient::sqlite();
    let redis = RedisServer::start(&[]);
    // More than a tenth of a second there and back, never less.
    let far = DelayProxy::start(redis.port(), Duration::from_millis(60));
    let url = redis.url().replace(&redis.port().to_string(), &far.port().to_string());
    let found = checks(&patient.doctor(&[]).env("BOOTHDS_STATE_URL", url), 0);
    assert_eq!(wrong(&found), ["warning state.lag"]);
    let said = messages(&found, "state.lag", "warning");
    let milliseconds =
        said[0].strip_prefix("a small question takes ").and_then(|rest| rest.strip_suffix(" ms"));
    let milliseconds: f64 = milliseconds.unwrap_or_else(|| panic!("{said:?}")).parse().unwrap();
    assert!(milliseconds >= 120.0, "{said:?}");
    assert!(of(&found, "state.lag")[0]["hint"].is_string());
}
