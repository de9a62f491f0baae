//! `demo`: the fleet it makes is real, and so are the commands it prints.

use crate::support::cli::Cli;

#[test]
fn the_demo_exits_0_and_its_next_commands_work_as_printed() {
    let cli = Cli::new(["demo"]);
    let ran = cli.run().expect_code(0);
    assert!(
        ran.stdout.contains("3 passed, 2 failed") && ran.stdout.contains("broken on purpose"),
        "{}",
        ran.stdout
    );
    let commands: Vec<&str> = ran
        .stdout
        .lines()
        .filter_map(|line| line.strip_prefix("  "))
        .filter(|line| line.contains("--config"))
        .collect();
    assert_eq!(commands.len(), 4, "{}", ran.stdout);
    for command in commands {
        let done = std::process::Command::new("sh")
            .args(["-c", command])
            .current_dir(cli.folder())
            .output()
            .unwrap();
        let expected = if command.contains("--all") { 1 } else { 0 };
        assert_eq!(
            done.status.code(),
            Some(expected),
            "{command}: {}",
            String::from_utf8_lossy(&done.stderr)
        );
    }
    let again = cli.run().expect_code(0);
    assert!(again.stdout.contains("Found the fleet"), "{}", again.stdout);
}

#[test]
fn the_demo_takes_no_folder_that_holds_something_else() {
    let cli = Cli::new(["demo", "--dir", "mine"]);
    std::fs::create_dir(cli.folder().join("mine")).unwrap();
    std::fs::write(cli.folder().join("mine/thesis.tex"), "x").unwrap();
    let ran = cli.run().expect_code(9);
    assert!(ran.stderr.contains("is not empty") && ran.stderr.contains("--dir"), "{}", ran.stderr);
    assert_eq!(std::fs::read_dir(cli.folder().join("mine")).unwrap().count(), 1);
    let ran = Cli::new(["demo", "--dir", "/proc/nowhere"]).run().expect_code(9);
    assert!(ran.stderr.contains("/proc"), "{}", ran.stderr);
}

#[test]
fn the_demo_never_touches_the_fleet_of_the_environment() {
    let cli = Cli::new(["demo", "--json", "--dir", "a b"])
        .env("DATABASE_URL", "postgres://u@127.0.0.1:1/real")
        .env("ENCRYPTION_KEY", "x");
    let document = cli.run().expect_code(0).json();
    assert_eq!(document["summary"]["passed"], 3);
    assert_eq!(document["created"], true);
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &cli.folder().join("a b/encryption.key").metadata().unwrap().permissions(),
    );
    assert_eq!(mode & 0o077, 0);
}

#[test]
fn an_empty_folder_that_somebody_stands_in_stays_the_same_folder() {
    let cli = Cli::new(["demo", "--dir", "."]);
    let before = std::os::unix::fs::MetadataExt::ino(&cli.folder().metadata().unwrap());
    let ran = cli.run().expect_code(0);
    assert_eq!(std::os::unix::fs::MetadataExt::ino(&cli.folder().metadata().unwrap()), before);
    assert!(ran.stdout.contains("3 passed, 2 failed"), "{}", ran.stdout);
    let mut names: Vec<_> = std::fs::read_dir(cli.folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["application.db", "boothds.toml", "encryption.key", "tenants"]);
}
