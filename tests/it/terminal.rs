//! On a terminal: hidden prompts, colour, the progress bar.

use crate::fixture::{KEY, World};
use crate::support::cli::Cli;
use crate::support::network::silent_server;
use crate::support::node;

#[test]
fn encrypt_asks_twice_and_shows_nothing_of_what_is_typed() {
    let terminal = Cli::new(["encrypt"]).env("ENCRYPTION_KEY", KEY).in_terminal(120, 20);
    terminal.wait_for("Key to seal");
    terminal.type_text("hunter2hunter2\n");
    terminal.wait_for("The same key again");
    terminal.type_text("hunter2hunter2\n");
    terminal.wait_for("sealed with key");
    let screen = terminal.screen();
    assert!(!screen.contains("hunter2"), "{screen}");
    let sealed = screen
        .lines()
        .find(|line| line.matches(':').count() == 2 && line.len() > 60)
        .unwrap()
        .trim()
        .to_owned();
    assert_eq!(node::open(KEY, &[sealed])[0].as_deref(), Ok("hunter2hunter2"));
    assert_eq!(terminal.wait_for_exit(), 0);
}

#[test]
fn a_prompt_that_is_left_empty_or_ended_is_refused() {
    for keys in [&["Enter", "Enter"][..], &["C-d", "C-d"]] {
        let terminal = Cli::new(["encrypt"]).env("ENCRYPTION_KEY", KEY).in_terminal(120, 20);
        terminal.wait_for("Key to seal");
        terminal.send_keys(&keys[..1]);
        terminal.wait_for("The same key again");
        terminal.send_keys(&keys[1..]);
        terminal.wait_for("nothing was typed");
        assert_eq!(terminal.wait_for_exit(), 2);
    }
    let terminal = Cli::new(["encrypt", "--lines"]).env("ENCRYPTION_KEY", KEY).in_terminal(120, 20);
    terminal.wait_for("a terminal would show what is typed");
    assert_eq!(terminal.wait_for_exit(), 2);
}

#[test]
fn ctrl_c_at_a_prompt_ends_with_130_and_leaves_the_terminal_with_its_echo() {
    let terminal = Cli::new(["encrypt"]).env("ENCRYPTION_KEY", KEY).in_terminal(120, 20);
    terminal.wait_for("Key to seal");
    terminal.send_keys(&["C-c"]);
    assert_eq!(terminal.wait_for_exit(), 130);
}

#[test]
fn colour_is_for_terminals_and_not_with_no_color() {
    let world = World::sqlite();
    world.add("broken", "sqlite:/no/such/file.db", "x", "x");
    let cli = world.cli(["test-connection", "--all"]);
    let terminal = cli.in_terminal(120, 20);
    terminal.wait_for("1 failed");
    assert!(terminal.coloured_screen().contains("\u{1b}["), "{}", terminal.coloured_screen());
    assert_eq!(terminal.wait_for_exit(), 1);
    let plain = cli.clone().env("NO_COLOR", "1").in_terminal(120, 20);
    plain.wait_for("1 failed");
    assert!(!plain.coloured_screen().contains("\u{1b}["), "{}", plain.coloured_screen());
    let piped = cli.run().expect_code(1);
    assert!(!piped.stdout.contains('\u{1b}') && piped.stderr.is_empty(), "{}", piped.stderr);
}

#[test]
fn progress_is_shown_while_tenants_are_tested_and_ctrl_c_prints_the_rest() {
    let world = World::sqlite();
    let silent = silent_server();
    world.add("stuck", &format!("postgres://u@127.0.0.1:{}/x", silent.port()), "x", "x");
    world.add("broken", "sqlite:/no/such/file.db", "x", "x");
    let terminal = world.cli(["test-connection", "--all", "--timeout", "60s"]).in_terminal(120, 20);
    terminal.wait_for("1/2 tested 1 failed");
    terminal.send_keys(&["C-c"]);
    terminal.wait_for("INCOMPLETE");
    assert_eq!(terminal.wait_for_exit(), 130);
}
