//! What a row can hold that cannot be tested: every bad value is a clear failure of that tenant, and of it alone.

use crate::fixture::{KEY, World, codes, outcome, result, seal, seal_with};
use crate::support::fleet::{TenantRow, sqlite_source};
use crate::support::scratch;

const OTHER_KEY: &str = "1111111111111111111111111111111111111111111111111111111111111111";

#[test]
fn every_bad_row_fails_with_its_class_and_harms_no_other() {
    let folder = scratch::folder("rows");
    let world = World::postgres();
    // Rows as they are in the field, where the constraint came later or never.
    world.database.execute("alter table tenants drop constraint check_data_source_complete");
    let good = TenantRow::new("good");
    let good_url = sqlite_source(&folder.path().join("good.db"), &[&good.id]);
    let pg = "postgres://u@127.0.0.1:1/x";
    let sealed = seal("a password");
    let (head, tail) = sealed.split_at(sealed.len() - 8);
    let tampered = format!("{head}{}", tail.chars().rev().collect::<String>());
    let hex = format!("{}:{}:{}", "0a".repeat(16), "0b".repeat(16), "0c".repeat(8));
    let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJyb2xlIjoic2VydmljZV9yb2xlIn0.c2lnbmF0dXJlLXNpZ25hdHVyZQ";
    let row =
        |name: &str, url: &str, service: &str| TenantRow::new(name).data_source(url, &seal("x"), service);
    let cases: Vec<(TenantRow, &str)> = vec![
        (row("empty-url", "", &sealed), "url-refused"),
        (row("spaces", "https://a b.example", &sealed), "url-refused"),
        (row("scheme", "mysql://u@h/db", &sealed), "url-refused"),
        (row("credentials", "https://user:hunter2hunter2@h.example", &sealed), "url-refused"),
        (row("parameter", "postgres://u@h/db?host=/tmp", &sealed), "url-refused"),
        (row("escapes", "https://\u{1b}[2Jh.example\u{202e}", &sealed), "url-refused"),
        (row("clear-text", "http://h.example", &sealed), "url-refused"),
        (row("socket", "postgres://u@%2Fvar%2Frun%2Fpostgresql/db", &sealed), "url-refused"),
        (row("plaintext", pg, jwt), "key-plaintext"),
        (row("plaintext-url", pg, "postgres://u:hunter2hunter2@127.0.0.1:1/x"), "key-plaintext"),
        (row("hex", pg, &hex), "key-hex"),
        (row("truncated", pg, &sealed[..40]), "key-unreadable"),
        (row("tampered", pg, &tampered), "key-unreadable"),
        (row("nonsense", pg, "hunter2hunter2"), "key-unreadable"),
        (row("other-key", pg, &seal_with(OTHER_KEY, "a password")), "key-unreadable"),
        (row("empty-key", pg, ""), "key-missing"),
        (TenantRow::new("null-keys").url(pg), "key-missing"),
        (row("no-file", "sqlite:/no/such/file.db", &sealed), "file-missing"),
        (row("memory", "sqlite::memory:", &sealed), "url-refused"),
    ];
    world.database.insert(TenantRow::new("good").data_source(&good_url, "ignored", "ignored"));
    world.database.insert(TenantRow::new("no-source"));
    for (row, _) in &cases {
        world.database.insert(row.clone());
    }
    let ran = world.cli(["test-connection", "--all", "--json"]).run().expect_code(1);
    let document = ran.json();
    for (row, class) in &cases {
        let result = result(&document, &row.subdomain);
        assert_eq!((outcome(result, "service"), &row.subdomain), (*class, &row.subdomain), "{result}");
        assert_eq!(result["failure"], *class);
        assert!(
            !result["error"].as_str().unwrap().is_empty() && !result["hint"].as_str().unwrap().is_empty()
        );
    }
    assert_eq!(outcome(result(&document, "good"), "service"), "ok");
    assert_eq!(result(&document, "no-source")["skipped"], true);
    let summary = &document["summary"];
    assert_eq!(
        (&summary["total"], &summary["passed"], &summary["failed"], &summary["skipped"]),
        (&21.into(), &1.into(), &19.into(), &1.into())
    );
    assert!(document["complete"].as_bool().unwrap());
    let error = result(&document, "other-key")["error"].as_str().unwrap();
    assert!(error.contains("Failed to decrypt key: Authentication failed."), "{error}");

    // As a table, nothing of a row reaches the terminal as it is.
    let ran = world.cli(["test-connection", "--all"]).run().expect_code(1);
    for text in [&ran.stdout, &ran.stderr] {
        assert!(
            !text.contains('\u{1b}') && !text.contains('\u{202e}') && !text.contains("hunter2"),
            "{text}"
        );
    }
    let order: Vec<&str> = document["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["tenant"]["subdomain"].as_str().unwrap())
        .collect();
    let mut sorted = order.clone();
    sorted.sort_unstable();
    assert_eq!(order, sorted);
}

#[test]
fn a_tenant_without_a_data_source_fails_only_when_it_is_named() {
    let world = World::sqlite();
    let row = TenantRow::new("bare");
    let id = row.id.clone();
    world.database.insert(row);
    let ran = world.cli(["test-connection", "--all", "--json"]).run().expect_code(0);
    assert_eq!(ran.json()["results"][0]["dataSource"], serde_json::Value::Null);
    let ran = world.cli(["test-connection", "bare", "--json"]).run().expect_code(1);
    assert_eq!(ran.json()["results"][0]["error"], format!("Tenant {id} has no data source configured"));
    assert_eq!(ran.json()["results"][0]["failure"], "no-data-source");
}

#[test]
fn keys_under_an_earlier_encryption_key_pass_and_are_found() {
    let folder = scratch::folder("earlier");
    let world = World::sqlite();
    let url = sqlite_source(&folder.path().join("x.db"), &[]);
    assert!(url.starts_with("sqlite:"));
    let gateway = crate::support::gateway::Gateway::start(None);
    let key = |text: &str| seal_with(OTHER_KEY, text);
    let lenient = seal("sb_publishable_TheKnownOneOfTheTests_4e5f6a7b").replace('=', "");
    world.database.insert(TenantRow::new("old").data_source(
        &gateway.base_url(),
        &lenient,
        &key(crate::support::gateway::SECRET_KEY),
    ));
    let ran = world
        .cli(["test-connection", "old", "--json"])
        .env("ENCRYPTION_KEY_PREVIOUS", format!("{KEY}, {OTHER_KEY}"))
        .run();
    let document = ran.expect_code(0).json();
    assert_eq!(codes(result(&document, "old")), ["key.previous", "key.not-canonical"]);
    let ran = world
        .cli(["test-connection", "old", "--fail-on", "warning"])
        .env("ENCRYPTION_KEY_PREVIOUS", OTHER_KEY)
        .run()
        .expect_code(1);
    assert!(ran.stdout.contains("key.previous"), "{}", ran.stdout);
}

#[test]
fn a_password_in_the_unsealed_url_is_found_and_not_shown() {
    let world = World::postgres();
    world.add("leaky", "postgres://u:hunter2hunter2@127.0.0.1:1/x", "x", "y");
    let ran = world.cli(["test-connection", "leaky", "--json", "--retries", "0"]).run().expect_code(1);
    assert!(codes(result(&ran.json(), "leaky")).contains(&"url.password"));
    let info = world.cli(["info", "leaky", "--json"]).run().expect_code(0);
    assert_eq!(info.json()["url"], "postgres://u:***@127.0.0.1:1/x");
    assert!(!format!("{}{}", ran.stdout, info.stdout).contains("hunter2"));
}

#[test]
fn a_sqlite_source_is_never_created_nor_guessed_at() {
    let folder = scratch::folder("files");
    let world = World::sqlite();
    let missing = folder.path().join("missing.db");
    std::fs::write(
        folder.path().join("text.db"),
        "this is no database, and long enough to be one at first sight",
    )
    .unwrap();
    std::fs::write(folder.path().join("empty.db"), "").unwrap();
    sqlite_source(&folder.path().join("column.db"), &["a"]);
    for (name, file) in [
        ("missing", "missing.db"),
        ("text", "text.db"),
        ("empty", "empty.db"),
        ("folder", ""),
        ("column", "column.db"),
    ] {
        world.add(name, &format!("sqlite:{}", folder.path().join(file).display()), "x", "x");
    }
    let document = world.test_all(&["--probe-tenant-column", "no_such_column"]);
    for (name, class) in [
        ("missing", "file-missing"),
        ("text", "file-refused"),
        ("empty", "table"),
        ("folder", "file-refused"),
        ("column", "column"),
    ] {
        assert_eq!((outcome(result(&document, name), "service"), name), (class, name), "{document}");
    }
    assert!(!missing.exists());
}
