//! The question and the progress bar.

use super::fleet::{Fleet, NEW, Under};
use crate::fixture::KEY;
use crate::support::cli::Cli;

#[test]
fn the_question_names_the_database_the_tenants_and_both_keys_and_no_is_the_default() {
    let fleet = Fleet::postgres(7);
    let cli = fleet.cli(&["--generate", "made.key"]);
    let terminal = cli.in_terminal(140, 40);
    let screen = terminal.wait_for("Rotate now?");
    let id = |key: &str| {
        let ran = Cli::new(["rotate-key", "--verify", "--json"])
            .env("DATABASE_URL", fleet.database.url())
            .env("ENCRYPTION_KEY", key)
            .run();
        ran.json()["toKeyId"].as_str().unwrap().to_owned()
    };
    let made = std::fs::read_to_string(fleet.file("made.key")).unwrap();
    for says in
        ["14 stored keys of 7 tenants", "127.0.0.1", &id(KEY), &id(made.trim()), "Services cannot know key"]
    {
        assert!(screen.contains(says), "{says} on\n{screen}");
    }
    terminal.send_keys(&["Enter"]);
    terminal.wait_for("not confirmed; nothing was changed");
    assert_eq!(terminal.wait_for_exit(), 7);
    fleet.assert_all(Under::Old);
    let again = fleet.cli(&["--to", "file:made.key"]).in_terminal(140, 40);
    again.wait_for("Rotate now?");
    again.send_keys(&["y", "Enter"]);
    again.wait_for("next 1");
    assert_eq!(again.wait_for_exit(), 0);
    assert_eq!(fleet.under().get(&Under::Old), None);
}

#[test]
fn nothing_is_said_of_services_that_know_the_key() {
    let fleet = Fleet::sqlite(2);
    let cli = fleet
        .cli(&["--to", "env:ENCRYPTION_KEY"])
        .env("ENCRYPTION_KEY", NEW)
        .env("ENCRYPTION_KEY_PREVIOUS", KEY);
    let terminal = cli.in_terminal(140, 40);
    let screen = terminal.wait_for("Rotate now?");
    assert!(!screen.contains("cannot know"), "{screen}");
    terminal.send_keys(&["C-c"]);
    terminal.wait_for("interrupted; nothing was changed");
    assert_eq!(terminal.wait_for_exit(), 130);
    assert!(terminal.shows_cursor(), "the prompt hides it");
    fleet.assert_all(Under::Old);
}

#[test]
fn without_a_terminal_it_is_refused_before_a_key_is_made() {
    let fleet = Fleet::sqlite(2);
    let ran = fleet.cli(&["--generate", "made.key"]).run().expect_code(2);
    assert!(ran.stderr.contains("--yes"), "{}", ran.stderr);
    assert!(!fleet.file("made.key").exists());
}

#[test]
fn keys_are_typed_at_hidden_prompts() {
    let fleet = Fleet::sqlite(2);
    let terminal = fleet.cli(&["--to", "prompt", "--from", "prompt", "--yes"]).in_terminal(140, 40);
    terminal.wait_for("Key to rotate from");
    terminal.type_text(&format!("{KEY}\n"));
    terminal.wait_for("Target key");
    terminal.type_text(&format!("{NEW}\n"));
    terminal.wait_for("The same key again");
    terminal.type_text(&format!("{NEW}\n"));
    terminal.wait_for("next 1");
    assert!(!terminal.history().contains(&NEW[..12]) && !terminal.history().contains(&KEY[..12]));
    assert_eq!(terminal.wait_for_exit(), 0);
    fleet.assert_all(Under::New);
}

#[test]
fn progress_is_shown_with_its_rate_and_the_time_left() {
    let fleet = Fleet::postgres(1100);
    let held = super::faults::Held::row(&fleet, &fleet.last());
    let terminal = fleet.rotate(&["--batch-size", "100"]).in_terminal(140, 20);
    let screen = terminal.wait_for("1000/1100 tenants");
    assert!(screen.contains("/s") && screen.contains("left"), "{screen}");
    drop(held);
    terminal.wait_for("next 1");
    assert!(!terminal.screen().contains("/1100 tenants"), "the bar is gone: {}", terminal.screen());
    assert_eq!(terminal.wait_for_exit(), 0);
}
