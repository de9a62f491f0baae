//! Where settings come from, and which counts.

use std::fs;

use crate::fixture::{KEY, World};
use crate::support::cli::Cli;
use crate::support::fleet::TenantRow;

/// Three application databases, each with a tenant of its own name.
fn worlds() -> [(World, String); 3] {
    ["one", "two", "three"].map(|name| {
        let world = World::sqlite();
        world.database.insert(TenantRow::new(name));
        let url = world.database.url();
        (world, url)
    })
}

fn found(cli: &Cli) -> (String, String) {
    let ran = cli.run().expect_code(0);
    (ran.json()["tenants"][0]["subdomain"].as_str().unwrap().to_owned(), ran.stderr)
}

fn tenants() -> Cli {
    Cli::new(["tenants", "--json"])
}

#[test]
fn the_order_of_places_is_that_of_the_contract() {
    let [(_a, one), (_b, two), (_c, three)] = worlds();
    let cli = tenants();
    let user = cli.home().join(".config/boothds");
    fs::create_dir_all(&user).unwrap();
    fs::write(user.join("boothds.toml"), format!("database_url = '{one}'")).unwrap();
    assert_eq!(found(&cli).0, "one");
    fs::write(cli.folder().join("boothds.toml"), format!("database_url = '{two}'")).unwrap();
    assert_eq!(found(&cli).0, "two");
    fs::write(cli.folder().join(".env"), format!("DATABASE_URL={three}\n")).unwrap();
    assert_eq!(found(&cli).0, "three");
    fs::write(cli.folder().join(".env.local"), format!("export BOOTHDS_DATABASE_URL=\"{one}\"\n")).unwrap();
    assert_eq!(found(&cli).0, "one");
    let cli = cli.env("DATABASE_URL", &two);
    assert_eq!(found(&cli).0, "two", "a variable of the environment stands before a better name in a file");
    let named = cli.folder().join("named.env");
    fs::write(&named, format!("DATABASE_URL={three}\n")).unwrap();
    let (name, notes) = found(&cli.clone().arg("--env-file").arg("named.env"));
    assert_eq!(name, "three");
    assert!(
        notes.contains("DATABASE_URL in the environment is overruled by DATABASE_URL in named.env"),
        "{notes}"
    );
    assert_eq!(found(&cli.arg("--env-file").arg("named.env").arg("--database-url").arg(&one)).0, "one");
}

#[test]
fn a_profile_inherits_the_top_level_and_stands_before_the_environment() {
    let [(_a, one), (_b, two), (_c, three)] = worlds();
    let cli = tenants().env("DATABASE_URL", &three);
    let config = format!(
        "database_url = '{one}'\nprobe_table = 'things'\n[profile.prod]\ndatabase_url = '{two}'\n[profile.empty]\n"
    );
    fs::write(cli.folder().join("boothds.toml"), config).unwrap();
    assert_eq!(found(&cli), ("three".to_owned(), String::new()));
    let (name, notes) = found(&cli.clone().arg("--profile").arg("prod"));
    assert_eq!(name, "two");
    assert!(notes.contains("overruled by database_url in [profile.prod] of boothds.toml"), "{notes}");
    assert_eq!(found(&cli.clone().arg("--profile").arg("empty")).0, "one");
    assert_eq!(found(&cli.clone().env("BOOTHDS_PROFILE", "prod")).0, "two");
    let ran = cli.clone().arg("--profile").arg("staging").run().expect_code(3);
    assert!(
        ran.stderr.contains("has the profiles empty, prod")
            || ran.stderr.contains("has the profiles prod, empty"),
        "{}",
        ran.stderr
    );
    let ran = tenants().arg("--profile").arg("x").run().expect_code(3);
    assert!(ran.stderr.contains("there is no boothds.toml"), "{}", ran.stderr);
}

#[test]
fn a_named_configuration_file_stands_alone_and_before_the_environment() {
    let [(_a, one), (_b, two), (_c, three)] = worlds();
    let cli = tenants().env("DATABASE_URL", &three);
    fs::write(cli.folder().join("boothds.toml"), format!("database_url = '{one}'\nunknown = 1")).unwrap();
    let folder = cli.folder().join("conf");
    fs::create_dir(&folder).unwrap();
    let file = two.trim_start_matches("sqlite:").trim_start_matches("//");
    fs::copy(file, folder.join("app.db")).unwrap();
    fs::write(folder.join("x.toml"), "database_url = 'sqlite:app.db'").unwrap();
    let (name, notes) = found(&cli.clone().arg("--config").arg("conf/x.toml"));
    assert_eq!(name, "two", "a path in a file is relative to the file");
    assert!(notes.contains("overruled"), "{notes}");
    let ran = cli.arg("--config").arg("missing.toml").run().expect_code(3);
    assert!(ran.stderr.contains("missing.toml"), "{}", ran.stderr);
}

#[test]
fn a_file_that_cannot_be_read_as_settings_is_named_and_not_quoted() {
    for (file, text, says) in [
        ("boothds.toml", "database_url = 'x'\nencryption_key = 'hunter2'", "never stands in this file"),
        ("boothds.toml", "colour = 'hunter2'", "unknown key `colour`"),
        ("boothds.toml", "[profile.x]\ncolour = 'hunter2'", "unknown key `colour`"),
        ("boothds.toml", "a = 'b'\ndatabase_url = 'hunter2", "boothds.toml is no TOML, line 2"),
        (
            "boothds.toml",
            "max_clients = '50hunter2'",
            "max_clients in boothds.toml is not usable: it takes a whole number from 1 to 10000",
        ),
        ("boothds.toml", "max_clients = [1]", "max_clients in boothds.toml"),
        ("boothds.toml", "max_clients = 0", "it is out of range"),
        ("boothds.toml", "database_url = 'mysql://hunter2'", "database_url in boothds.toml is not usable"),
        (".env", "A=1\nhunter2 hunter2\n", ".env has a line after A that is no NAME=value"),
        (".env", "DATA_SOURCE_MAX_CLIENTS=50hunter2\n", "DATA_SOURCE_MAX_CLIENTS in .env is not usable"),
    ] {
        let cli = tenants();
        fs::write(cli.folder().join(file), text).unwrap();
        let ran = cli.run().expect_code(3);
        assert!(ran.stderr.contains(says), "{text}: {}", ran.stderr);
        assert!(!ran.stderr.contains("hunter2"), "{}", ran.stderr);
    }
}

#[test]
fn the_value_of_a_variable_that_cannot_be_is_an_error_also_where_it_is_not_needed() {
    let [(_a, one), ..] = worlds();
    for name in ["DATA_SOURCE_MAX_CLIENTS", "DATA_SOURCE_CONFIG_CACHE_TTL", "DATA_SOURCE_ENABLE_METRICS"] {
        let ran = tenants().env("DATABASE_URL", &one).env(name, "NaN").run().expect_code(3);
        assert!(
            ran.stderr.contains(&format!("{name} in the environment is not usable: it takes")),
            "{}",
            ran.stderr
        );
    }
    let ran = tenants().env("DATABASE_URL", &one).env("BOOTHDS_DATABASE_URL", "").run().expect_code(3);
    assert!(ran.stderr.contains("it is empty"), "an empty name is no reason to use another: {}", ran.stderr);
}

#[test]
fn without_a_database_the_hint_tells_what_to_do() {
    let ran = Cli::new(["tenants"]).run().expect_code(3);
    assert!(ran.stderr.contains("boothds demo"), "{}", ran.stderr);
    let ran =
        Cli::new(["tenants"]).env("NEXT_PUBLIC_SUPABASE_URL", "https://x.supabase.co").run().expect_code(3);
    assert!(ran.stderr.contains("Supabase dashboard"), "{}", ran.stderr);
    let cli = Cli::new(["tenants"]);
    fs::write(cli.folder().join(".env.local"), "NEXT_PUBLIC_SUPABASE_URL=https://x.supabase.co\n").unwrap();
    assert!(cli.run().expect_code(3).stderr.contains("Supabase dashboard"));
}

#[test]
fn a_url_with_a_password_is_refused_as_a_flag() {
    for url in
        ["postgres://u:hunter2@h/db", "postgres://u:hun/ter2@h/db", "postgres://u@h/db?password=hunter2"]
    {
        let ran = Cli::new(["tenants", "--database-url", url]).run().expect_code(2);
        assert!(
            ran.stderr.contains("--database-url is refused") && !ran.stderr.contains("ter2"),
            "{}",
            ran.stderr
        );
    }
}

#[test]
fn a_key_command_runs_only_from_a_file_that_was_chosen() {
    let sealed = crate::fixture::seal("x");
    let command = format!("encryption_key_command = 'echo {KEY}; touch ran'");
    let cli = Cli::new(["decrypt"]).stdin(sealed.as_str());
    fs::write(cli.folder().join("boothds.toml"), &command).unwrap();
    let ran = cli.run().expect_code(4);
    assert!(ran.stderr.contains("is not run: name the file with --config"), "{}", ran.stderr);
    assert!(!cli.folder().join("ran").exists());
    cli.clone().arg("--config").arg("boothds.toml").run().expect_code(0);
    assert!(cli.folder().join("ran").exists());
    // The user's own folder is chosen too.
    let cli = Cli::new(["decrypt"]).stdin(sealed.as_str());
    let user = cli.home().join(".config/boothds");
    fs::create_dir_all(&user).unwrap();
    fs::write(user.join("boothds.toml"), &command).unwrap();
    cli.run().expect_code(0);
    fs::write(user.join("boothds.toml"), "encryption_key_command = 'echo hunter2; exit 3'").unwrap();
    let ran = cli.run().expect_code(4);
    assert!(ran.stderr.contains("exit status: 3") && !ran.stderr.contains("hunter2"), "{}", ran.stderr);
    fs::write(user.join("boothds.toml"), "encryption_key_command = 'echo hunter2'").unwrap();
    assert!(!cli.run().expect_code(4).stderr.contains("hunter2"));
}

#[test]
fn two_ways_to_give_the_key_at_one_place_contradict() {
    let ran =
        Cli::new(["decrypt"]).env("ENCRYPTION_KEY", KEY).env("ENCRYPTION_KEY_FILE", "k").stdin("x").run();
    assert!(ran.expect_code(3).stderr.contains("contradict"));
    // At two places the higher one counts.
    let cli = Cli::new(["decrypt", "--encryption-key-file", "k"]).env("ENCRYPTION_KEY", "wrong");
    fs::write(cli.folder().join("k"), KEY).unwrap();
    cli.stdin(crate::fixture::seal("x")).run().expect_code(0);
}

#[test]
fn verbose_tells_where_settings_came_from_and_shows_no_secret() {
    let [(_a, one), ..] = worlds();
    let ran = tenants().env("DATABASE_URL", &one).env("ENCRYPTION_KEY", KEY).arg("-v").run().expect_code(0);
    assert!(ran.stderr.contains("(DATABASE_URL in the environment)"), "{}", ran.stderr);
    assert!(ran.stderr.contains("(ENCRYPTION_KEY in the environment)") && !ran.stderr.contains(KEY));
}

#[test]
fn a_url_without_a_password_is_taken_as_a_flag_whatever_its_parameters() {
    for url in
        ["postgres://me@127.0.0.1:1/db?sslrootcert=/x&sslmode=disable", "postgres:///db?host=/no/such/folder"]
    {
        let ran = Cli::new(["tenants", "--database-url", url]).run().expect_code(5);
        assert!(ran.stderr.contains("cannot connect"), "{}", ran.stderr);
    }
}

#[test]
fn a_file_of_variables_reads_no_variables() {
    let cli = Cli::new(["tenants"]).env("TOPSECRET", "hunter2");
    fs::write(cli.folder().join(".env"), "DATABASE_URL=postgres://u@127.0.0.1:1/${TOPSECRET}$TOPSECRET\n")
        .unwrap();
    let ran = cli.run();
    assert!(!ran.stderr.contains("hunter2"), "{}", ran.stderr);
}

#[test]
fn a_key_that_is_named_and_cannot_be_had_is_no_missing_key() {
    let [(_a, one), ..] = worlds();
    let cli = tenants().env("DATABASE_URL", &one).arg("--encryption-key-file").arg("k");
    fs::write(cli.folder().join("k"), "").unwrap();
    assert!(cli.run().expect_code(4).stderr.contains("k holds 0 characters"));
    tenants().env("DATABASE_URL", &one).env("ENCRYPTION_KEY", "").run().expect_code(4);
}

#[test]
fn every_spelling_of_a_relative_sqlite_url_is_relative_to_its_file() {
    let [(_a, one), ..] = worlds();
    for spelling in ["sqlite:app.db", "sqlite://app.db", "SQLite:app.db"] {
        let cli = tenants().arg("--config").arg("conf/x.toml");
        let folder = cli.folder().join("conf");
        fs::create_dir(&folder).unwrap();
        fs::copy(one.trim_start_matches("sqlite:"), folder.join("app.db")).unwrap();
        fs::write(folder.join("x.toml"), format!("database_url = '{spelling}'")).unwrap();
        assert_eq!(found(&cli).0, "one", "{spelling}");
    }
}

#[test]
fn what_comes_first_decides() {
    // Usage before the key, and settings before the key.
    Cli::new(["encrypt", "stray"]).run().expect_code(2);
    let cli = Cli::new(["tenants"]);
    let user = cli.home().join(".config/boothds");
    fs::create_dir_all(&user).unwrap();
    fs::write(user.join("boothds.toml"), "encryption_key_command = 'exit 3'").unwrap();
    cli.run().expect_code(3);
}
