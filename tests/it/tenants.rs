//! `tenants` and `info`, the same story over both back ends.

use crate::fixture::{World, seal, seal_with};
use crate::support::cli::Cli;
use crate::support::fleet::TenantRow;
use crate::support::postgrest::service_key;

fn both() -> [World; 2] {
    [World::postgres(), World::sqlite()]
}

fn subdomains(document: &serde_json::Value) -> Vec<&str> {
    document["tenants"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tenant| tenant["subdomain"].as_str().unwrap())
        .collect()
}

#[test]
fn tenants_come_in_byte_order_whatever_the_collation_and_across_pages() {
    for world in both() {
        let mut names: Vec<String> = (0..2100).map(|number| format!("t{number:05}")).collect();
        names.extend(["Zeta", "alpha", "a-b", "ab", "über", "a'b\\"].map(str::to_owned));
        let rows: Vec<TenantRow> = names.iter().map(|name| TenantRow::new(name)).collect();
        world.database.insert_all(&rows);
        names.sort();
        let document = world.cli(["tenants", "--json"]).run().expect_code(0).json();
        assert_eq!(subdomains(&document), names);
        let lines = world.cli(["tenants", "--format", "jsonl"]).run().expect_code(0).json_lines();
        assert_eq!(lines.len(), names.len());
    }
}

#[test]
fn filters_select_by_status_region_and_kind() {
    for world in both() {
        let row = |name: &str, url: &str, region: &str| {
            TenantRow::new(name).data_source(url, &seal("x"), &seal("x")).region(region)
        };
        world.database.insert(row("a", "https://a.example", "eu").status("suspended"));
        world.database.insert(row("b", "POSTGRES://u@h/db", "eu"));
        world.database.insert(row("c", "sqlite:/c.db", "o'us"));
        world.database.insert(TenantRow::new("d").status("cancelled"));
        for (args, expected) in [
            (vec![], vec!["a", "b", "c", "d"]),
            (vec!["--status", "active"], vec!["b", "c"]),
            (vec!["--status", "suspended,cancelled"], vec!["a", "d"]),
            (vec!["--region", "eu"], vec!["a", "b"]),
            (vec!["--region", "o'us"], vec!["c"]),
            (vec!["--kind", "postgres"], vec!["b"]),
            (vec!["--kind", "supabase", "--kind", "sqlite"], vec!["a", "c"]),
            (vec!["--kind", "supabase", "--status", "active", "--allow-empty"], vec![]),
        ] {
            let mut cli = world.cli(["tenants", "--json"]);
            for arg in &args {
                cli = cli.arg(*arg);
            }
            assert_eq!(subdomains(&cli.run().expect_code(0).json()), expected, "{args:?}");
        }
        let ran = world.cli(["tenants", "--region", "nowhere"]).run().expect_code(6);
        assert!(ran.stderr.contains("no tenant fits the filter"), "{}", ran.stderr);
        let ran =
            world.cli(["test-connection", "--all", "--region", "nowhere", "--json"]).run().expect_code(6);
        assert!(ran.stderr.contains(r#""code":"not-found""#) && ran.stdout.is_empty(), "{}", ran.stderr);
        world.cli(["test-connection", "--all", "--region", "nowhere", "--allow-empty"]).run().expect_code(0);
        world.cli(["tenants", "--status", "closed"]).run().expect_code(2);
    }
}

#[test]
fn the_state_of_every_key_is_shown_with_and_without_an_encryption_key() {
    let other = "2".repeat(64);
    for world in both() {
        let row = |name: &str, key: &str| TenantRow::new(name).data_source("https://a.example", key, key);
        let hex = format!("{}:{}:{}", "0a".repeat(16), "0b".repeat(16), "0c".repeat(8));
        let unknown = "3".repeat(64);
        for (name, key) in [
            ("sealed", seal("x")),
            ("previous", seal_with(&other, "x")),
            ("plaintext", "sb_secret_hunter2hunter2".to_owned()),
            ("hex", hex),
            ("unreadable", seal_with(&unknown, "x")),
            ("nonsense", "nonsense".to_owned()),
        ] {
            world.database.insert(row(name, &key));
        }
        world.database.insert(TenantRow::new("missing"));
        let states = |document: &serde_json::Value| -> Vec<String> {
            let tenants = document["tenants"].as_array().unwrap();
            tenants
                .iter()
                .map(|t| {
                    format!("{}={}", t["subdomain"].as_str().unwrap(), t["keys"]["anon"].as_str().unwrap())
                })
                .collect()
        };
        let ran =
            world.cli(["tenants", "--json"]).env("ENCRYPTION_KEY_PREVIOUS", &other).run().expect_code(0);
        assert_eq!(
            states(&ran.json()),
            [
                "hex=hex",
                "missing=missing",
                "nonsense=unreadable",
                "plaintext=plaintext",
                "previous=previous-key",
                "sealed=sealed",
                "unreadable=unreadable"
            ]
        );
        assert!(!ran.stdout.contains("hunter2"));
        let ran =
            Cli::new(["tenants", "--json"]).env("DATABASE_URL", world.database.url()).run().expect_code(0);
        assert_eq!(
            states(&ran.json()),
            [
                "hex=hex",
                "missing=missing",
                "nonsense=unreadable",
                "plaintext=plaintext",
                "previous=sealed",
                "sealed=sealed",
                "unreadable=sealed"
            ]
        );
        // A malformed key is no missing key.
        let ran = Cli::new(["tenants"])
            .env("DATABASE_URL", world.database.url())
            .env("ENCRYPTION_KEY", "abc")
            .run();
        ran.expect_code(4);
    }
}

#[test]
fn info_tells_what_is_known_and_shows_no_key() {
    for world in both() {
        let row = TenantRow::new("acme")
            .data_source(
                "https://abcdefghijklmnopqrst.supabase.co",
                &seal("sb_publishable_x"),
                &seal(&service_key()),
            )
            .region("eu-central-1")
            .pool_config(r#"{"min": 1, "max": 5}"#)
            .tenant_id_in_data_source("mapped");
        let id = row.id.clone();
        world.database.insert(row);
        for name in ["acme", id.as_str()] {
            let ran = world.cli(["info", name, "--json"]).run().expect_code(0);
            let info = ran.json();
            assert_eq!(info["tenant"]["id"], id);
            assert_eq!(info["url"], "https://abcdefghijklmnopqrst.supabase.co/");
            assert_eq!((&info["kind"], &info["region"]), (&"supabase".into(), &"eu-central-1".into()));
            assert_eq!(info["poolConfig"], serde_json::json!({"min": 1, "max": 5}));
            assert_eq!((&info["tenantIdInDataSource"], &info["isCached"]), (&"mapped".into(), &false.into()));
            assert_eq!(info["keys"]["anon"]["kind"], "supabase-publishable");
            let service = &info["keys"]["service"];
            assert_eq!(
                (&service["kind"], &service["jwt"]["role"]),
                (&"supabase-jwt".into(), &"service_role".into())
            );
            assert_eq!(service["jwt"]["ref"], "abcdefghijklmnopqrst");
            assert!(service["jwt"]["expiresAt"].as_str().unwrap().ends_with('Z'));
            assert_eq!(service["keyId"].as_str().unwrap().len(), 8);
            assert!(!ran.stdout.contains(&service_key()[30..60]));
        }
        let ran = Cli::new(["info", "acme", "--json"])
            .env("DATABASE_URL", world.database.url())
            .run()
            .expect_code(0);
        assert_eq!(ran.json()["keys"]["anon"], serde_json::json!({"state": "sealed"}));
        let ran = world.cli(["info", "acme"]).run().expect_code(0);
        assert!(ran.stdout.contains("service_role") && ran.stdout.contains("1 to 5"), "{}", ran.stdout);
    }
}

#[test]
fn a_name_that_nobody_has_is_exit_6_before_any_work() {
    for world in both() {
        let gateway = crate::support::gateway::Gateway::start(None);
        world.add("acme", &gateway.base_url(), "sb_publishable_x", "sb_secret_x");
        for name in
            ["nobody", "00000000-0000-4000-8000-00000000dead", "'; drop table tenants; --", "\u{1b}[2J", ""]
        {
            let ran = world.cli(["test-connection", "acme", name]).run().expect_code(6);
            assert!(
                ran.stderr.contains("there is no tenant") && !ran.stderr.contains('\u{1b}'),
                "{}",
                ran.stderr
            );
        }
        assert_eq!(gateway.connections(), 0);
        world.cli(["info", "nobody"]).run().expect_code(6);
        let empty = World::sqlite();
        empty.cli(["tenants"]).run().expect_code(6);
    }
}

#[test]
fn an_id_comes_before_a_subdomain_that_looks_like_it() {
    let world = World::sqlite();
    world.database.insert(TenantRow::new("first").id("second"));
    world.database.insert(TenantRow::new("second").id("third"));
    let info = world.cli(["info", "second", "--json"]).run().expect_code(0).json();
    assert_eq!(info["tenant"]["subdomain"], "first");
}
