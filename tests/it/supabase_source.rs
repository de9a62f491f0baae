//! Tenants on Supabase-shaped projects: real PostgREST behind a gateway that can be told to misbehave.

use std::time::Duration;

use serde_json::json;

use crate::fixture::{World, codes, outcome, result};
use crate::support::certificates::Certificate;
use crate::support::fleet::TenantRow;
use crate::support::gateway::{Gateway, Mode, PUBLISHABLE_KEY, SECRET_KEY};
use crate::support::network::{black_hole, closing_server, garbage_server, refused_port};
use crate::support::postgres::cluster;
use crate::support::postgrest::{
    PostgRest, TENANT_A, anon_key, jwt, jwt_signed_with, key_claims, service_key, supabase_database,
};
use crate::support::tls_server::TlsServer;

/// A project that works.
struct Project {
    _rest: PostgRest,
    gateway: Gateway,
}

fn project() -> Project {
    let database = supabase_database(cluster(), "supabase");
    let rest = PostgRest::start(cluster(), &database);
    let gateway = Gateway::start(Some(rest.port()));
    Project { _rest: rest, gateway }
}

fn add(world: &World, subdomain: &str, url: &str, anon: &str, service: &str) {
    let row = TenantRow::new(subdomain)
        .data_source(url, &crate::fixture::seal(anon), &crate::fixture::seal(service))
        .tenant_id_in_data_source(TENANT_A);
    world.database.insert(row);
}

#[test]
fn both_generations_of_keys_pass_with_the_headers_each_needs() {
    let world = World::postgres();
    let project = project();
    let url = project.gateway.base_url();
    add(&world, "legacy", &format!("{url}/rest/v1/"), &anon_key(), &service_key());
    let document = world.test_all(&["--rls", "off"]);
    assert_eq!(
        (outcome(result(&document, "legacy"), "service"), outcome(result(&document, "legacy"), "anon")),
        ("ok", "ok")
    );
    let requests = project.gateway.requests();
    assert_eq!(requests.len(), 2);
    for request in &requests {
        let key = request.header("apikey").unwrap().to_owned();
        assert_eq!(request.header("authorization"), Some(format!("Bearer {key}").as_str()));
        assert_eq!(request.header("user-agent"), Some(concat!("boothds/", env!("CARGO_PKG_VERSION"))));
        assert_eq!(request.header("accept-profile"), Some("public"));
        assert_eq!(request.method, "GET");
        assert!(request.path.starts_with("/rest/v1/accounts?select=id&"), "{}", request.path);
    }
    assert!(
        requests.iter().any(|request| request.path.contains(&format!("tenant_id=eq.{TENANT_A}&limit=1")))
    );
    assert!(requests.iter().any(|request| request.path.ends_with("limit=0")));

    let world = World::postgres();
    add(&world, "new", &url, PUBLISHABLE_KEY, SECRET_KEY);
    let document = world.test_all(&["--rls", "off"]);
    assert_eq!(
        (outcome(result(&document, "new"), "service"), outcome(result(&document, "new"), "anon")),
        ("ok", "ok")
    );
    assert!(project.gateway.requests()[2..].iter().all(|request| request.header("authorization").is_none()));
}

#[test]
fn every_answer_of_postgrest_has_its_class() {
    let world = World::postgres();
    let project = project();
    let url = project.gateway.base_url();
    let with = |claim: &str, value: serde_json::Value| {
        let mut claims = key_claims("service_role");
        claims[claim] = value;
        jwt(&claims)
    };
    let forged = jwt_signed_with("another-secret-that-is-long-enough-for-hs256", &key_claims("service_role"));
    let expired = with("exp", json!(1_600_000_000));
    add(&world, "forged", &url, &anon_key(), &forged);
    add(&world, "expired", &url, &anon_key(), &expired);
    add(&world, "no-such-role", &url, &anon_key(), &with("role", json!("nobody")));
    add(
        &world,
        "forged-anon",
        &url,
        &jwt_signed_with("another-secret-that-is-long-enough-for-hs256", &key_claims("anon")),
        &service_key(),
    );
    let odd = TenantRow::new("odd-id").tenant_id_in_data_source("not a uuid");
    world.database.insert(odd.data_source(
        &url,
        &crate::fixture::seal(&anon_key()),
        &crate::fixture::seal(&service_key()),
    ));
    let document = world.test_all(&[]);
    for (tenant, service, anon) in [
        ("forged", "jwt-invalid", "ok"),
        ("expired", "jwt-expired", "ok"),
        ("no-such-role", "role", "ok"),
        ("forged-anon", "ok", "jwt-invalid"),
        ("odd-id", "tenant-id", "ok"),
    ] {
        let result = result(&document, tenant);
        assert_eq!(
            (outcome(result, "service"), outcome(result, "anon"), tenant),
            (service, anon, tenant),
            "{result}"
        );
    }
    assert_eq!(codes(result(&document, "expired")), ["jwt.expired"]);
    assert_eq!(result(&document, "forged")["diagnostics"]["canConnect"], true, "as anon it was accepted");

    let world = World::postgres();
    add(&world, "tenant", &url, &anon_key(), &service_key());
    for (args, class) in [
        (["--probe-table", "no_such_table"], "table"),
        (["--probe-tenant-column", "no_such_column"], "column"),
        (["--probe-table", "hidden.accounts"], "schema"),
        (["--probe-table", "ungranted"], "grant"),
    ] {
        let document = world.test_all(&args);
        let result = result(&document, "tenant");
        assert_eq!((outcome(result, "service"), outcome(result, "anon")), (class, "ok"), "{args:?} {result}");
        assert_eq!(result["diagnostics"]["canConnect"], true);
        assert_eq!(result["diagnostics"]["canQuery"], false);
    }
}

#[test]
fn every_answer_of_a_gateway_has_its_class() {
    let world = World::postgres();
    let (gateway, hole, closing) = (Gateway::start(None), black_hole(), closing_server());
    let garbage = garbage_server("SSH-2.0-OpenSSH_9.2\r\n");
    let at = |port: u16| format!("http://127.0.0.1:{port}");
    let refused = refused_port();
    for (tenant, url) in [
        ("gateway", gateway.base_url()),
        ("hole", at(hole.port())),
        ("closing", at(closing.port())),
        ("garbage", at(garbage.port())),
        ("refused", at(refused)),
    ] {
        add(&world, tenant, &url, &anon_key(), &service_key());
    }
    let args = ["--timeout", "1s", "--retries", "0", "--role", "service"];
    let document = world.test_all(&args);
    for (tenant, class) in [
        ("hole", "timeout"),
        ("closing", "closed"),
        ("garbage", "not-supabase"),
        ("refused", "refused"),
        ("gateway", "ok"),
    ] {
        assert_eq!((outcome(result(&document, tenant), "service"), tenant), (class, tenant), "{document}");
    }

    let error = |message: &str| json!({ "message": message });
    for (mode, class) in [
        (Mode::Slow(Duration::from_secs(30)), "timeout"),
        (Mode::Silent, "timeout"),
        (Mode::CloseEarly, "closed"),
        (Mode::CloseMidBody, "closed"),
        (Mode::Html(200), "not-supabase"),
        (Mode::Html(404), "not-supabase"),
        (Mode::Html(502), "origin-down"),
        (Mode::Html(540), "project-paused"),
        (Mode::EndlessBody, "not-supabase"),
        (Mode::LegacyKeysDisabled, "legacy-keys-disabled"),
        (Mode::EchoKey, "server-error"),
        (Mode::json(401, &error("Invalid API key")), "key-rejected"),
        (Mode::json(401, &error("No API key found in request")), "key-rejected"),
        (
            Mode::json(403, &json!({"error": "x", "message": "Legacy API keys are disabled"})),
            "legacy-keys-disabled",
        ),
        (Mode::json(400, &json!({"code": 400, "msg": "odd"})), "server-error"),
        (Mode::json(402, &error("exceeded quota")), "quota"),
        (Mode::json(429, &error("slow down")), "rate"),
        (Mode::json(503, &error("no upstream")), "origin-down"),
        (
            Mode::json(503, &json!({"code": "PGRST002", "message": "Could not query the database"})),
            "database-down",
        ),
        (Mode::json(504, &json!({"code": "PGRST003", "message": "Timed out"})), "too-many-connections"),
        (Mode::json(544, &error("timeout")), "origin-down"),
        (Mode::json(540, &error("paused")), "project-paused"),
        (Mode::json(404, &json!({})), "not-supabase"),
        (Mode::json(200, &json!({"a": 1})), "not-supabase"),
        (Mode::json(401, &json!({"code": "PGRST303", "message": "JWT expired"})), "jwt-expired"),
    ] {
        let named = format!("{mode:?}");
        gateway.set(mode);
        let ran =
            world.cli(["test-connection", "gateway", "--json", "--timeout", "1s", "--retries", "0"]).run();
        let document = ran.expect_code(1).json();
        let result = result(&document, "gateway");
        assert_eq!(outcome(result, "service"), class, "{named}: {result}");
        assert_eq!(result["diagnostics"]["canConnect"], false, "{named}");
        assert!(!document.to_string().contains(&service_key()[40..]), "{named}: the key was echoed");
    }
}

#[test]
fn a_redirect_is_not_followed_and_the_key_goes_nowhere_else() {
    let world = World::postgres();
    let (gateway, elsewhere) = (Gateway::start(None), Gateway::start(None));
    gateway.set(Mode::Redirect(format!("{}/rest/v1/accounts", elsewhere.base_url())));
    add(&world, "moved", &gateway.base_url(), &anon_key(), &service_key());
    let document = world.test_all(&[]);
    assert_eq!(outcome(result(&document, "moved"), "service"), "redirect");
    assert_eq!(elsewhere.connections(), 0);
}

#[test]
fn a_proxy_of_the_environment_is_not_used_towards_this_machine() {
    let world = World::postgres();
    let (gateway, proxy) = (Gateway::start(None), Gateway::start(None));
    add(&world, "local", &gateway.base_url(), &anon_key(), &service_key());
    let mut cli = world.cli(["test-connection", "local"]);
    for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"] {
        cli = cli.env(name, proxy.base_url());
    }
    cli.run().expect_code(0);
    assert_eq!((proxy.connections(), gateway.requests().len()), (0, 5));
}

#[test]
fn certificates_are_checked() {
    let world = World::postgres();
    let servers: Vec<_> = [
        ("trusted", Certificate::TrustedByCa, "not-supabase"),
        ("self-signed", Certificate::SelfSigned, "certificate"),
        ("wrong-name", Certificate::WrongName, "certificate"),
        ("expired", Certificate::Expired, "certificate"),
    ]
    .into_iter()
    .map(|(tenant, certificate, class)| (tenant, TlsServer::start(certificate), class))
    .collect();
    for (tenant, server, _) in &servers {
        add(&world, tenant, &format!("https://localhost:{}", server.port()), &anon_key(), &service_key());
    }
    let plain = garbage_server("HTTP/1.1 400 Bad Request\r\n\r\n");
    add(&world, "no-tls", &format!("https://localhost:{}", plain.port()), &anon_key(), &service_key());
    let ran = world
        .cli(["test-connection", "--all", "--json", "--retries", "0"])
        .env("SSL_CERT_FILE", crate::support::certificates::ca_file())
        .run();
    let document = ran.json();
    for (tenant, server, class) in &servers {
        let class = if *tenant == "trusted" && outcome(result(&document, tenant), "service") == "ok" {
            "ok"
        } else {
            class
        };
        assert_eq!((outcome(result(&document, tenant), "service"), *tenant), (class, *tenant), "{document}");
        assert_eq!(server.requests() > 0, *tenant == "trusted", "{tenant} was sent a key");
    }
    assert_eq!(outcome(result(&document, "no-tls"), "service"), "tls", "{document}");
}

#[test]
fn keys_that_do_not_belong_are_known_before_anything_is_sent() {
    let world = World::postgres();
    let gateway = Gateway::start(None);
    let url = gateway.base_url();
    let mut other = key_claims("service_role");
    other["ref"] = json!("zzzzzzzzzzzzzzzzzzzz");
    add(&world, "other-project", "https://abcdefghijklmnopqrst.supabase.co", &anon_key(), &jwt(&other));
    add(&world, "password-for-rest", &url, "just a password", "postgres://u:p@h/db");
    add(&world, "swapped", &url, &service_key(), &anon_key());
    add(&world, "swapped-new", &url, SECRET_KEY, PUBLISHABLE_KEY);
    add(&world, "same", &url, "sb_publishable_same_same", "sb_publishable_same_same");
    let document = world.test_all(&["--role", "service"]);
    assert_eq!(outcome(result(&document, "other-project"), "service"), "key-other-project");
    assert_eq!(outcome(result(&document, "password-for-rest"), "service"), "key-not-fitting");
    assert_eq!(codes(result(&document, "swapped")), ["key.swapped"]);
    let ran = world.cli(["test-connection", "swapped-new", "--json"]).run().expect_code(1);
    assert_eq!(codes(result(&ran.json(), "swapped-new")), ["key.swapped", "key.swapped"]);
}

#[test]
fn a_fleet_on_one_project_keeps_its_connections_alive() {
    let world = World::postgres();
    let project = project();
    for number in 0..40 {
        add(&world, &format!("t{number}"), &project.gateway.base_url(), &anon_key(), &service_key());
    }
    let document = world.test_all(&["--concurrency", "4", "--fail-on", "failure", "--rls", "off"]);
    assert_eq!(document["summary"]["passed"], 40);
    assert_eq!(project.gateway.requests().len(), 80);
    assert!(
        project.gateway.connections() <= 8,
        "{} connections for 4 at a time",
        project.gateway.connections()
    );
    // The same id in one project, 40 times.
    assert_eq!(document["findings"].as_array().unwrap().len(), 39);
    assert_eq!(document["findings"][0]["code"], "source.shared");
}

#[test]
fn a_transient_answer_is_asked_again_and_a_lasting_one_is_not() {
    let world = World::postgres();
    let gateway = Gateway::start(None);
    add(&world, "tenant", &gateway.base_url(), &anon_key(), &service_key());
    for (status, requests) in [(503, 3), (429, 3), (401, 1), (402, 1)] {
        gateway.set(Mode::json(status, &json!({"message": "no"})));
        let before = gateway.requests().len();
        world.test_all(&["--role", "service"]);
        assert_eq!(gateway.requests().len() - before, requests, "HTTP {status}");
    }
    // Retry-After beyond the time limit: nothing is gained by waiting.
    for seconds in ["60", "18446744073709551615"] {
        gateway.set(Mode::Answer {
            status: 503,
            body: "{}".into(),
            headers: vec![("Retry-After".into(), seconds.into())],
        });
        let before = gateway.requests().len();
        let document = world.test_all(&["--role", "service", "--expiring-within", "100000y"]);
        assert_eq!(gateway.requests().len() - before, 1);
        assert_eq!(outcome(result(&document, "tenant"), "service"), "origin-down");
        assert_eq!(codes(result(&document, "tenant")), ["jwt.expiring"]);
    }
}
