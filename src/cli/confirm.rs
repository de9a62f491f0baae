//! A question that must be answered on a terminal before something is changed.

use std::io::{self, IsTerminal, Write};

use dialoguer::Confirm;

use super::error::CliError;
use super::exit_code::ExitCode;
use super::interrupt::Interrupt;

/// Whether anybody can be asked.
pub(super) fn is_possible() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks, with "no" for an empty answer. A signal while it waits would leave the terminal as the prompt has set it, so the
/// prompt runs on a thread of its own and the terminal is put right before the run ends.
pub(super) async fn confirm(question: String, interrupt: &mut Interrupt) -> Result<bool, CliError> {
    use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};
    let before = tcgetattr(io::stdin()).ok();
    let answer = tokio::task::spawn_blocking(move || {
        Confirm::new().with_prompt(question).default(false).wait_for_newline(true).interact()
    });
    let (code, outcome) = tokio::select! {
        answer = answer => (None, answer),
        code = interrupt.received() => (Some(code), Ok(Ok(false))),
    };
    let outcome = match (code, outcome) {
        (Some(code), _) => Err(interrupted(code)),
        (None, Ok(Ok(answer))) => Ok(answer),
        // Ctrl-C, which comes as a signal as well.
        (None, Ok(Err(dialoguer::Error::IO(error)))) if error.kind() == io::ErrorKind::Interrupted => {
            Err(interrupted(interrupt.received().await))
        }
        (None, Ok(Err(error))) => {
            Err(CliError::usage(format!("the prompt ended without an answer: {error}")))
        }
        (None, Err(_)) => Err(CliError::new(ExitCode::Bug, "the prompt failed")),
    };
    if let Some(before) = before {
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &before);
    }
    if outcome.is_err() {
        // The question's own line has no end yet, and the prompt hides the cursor while it waits.
        let _ = dialoguer::console::Term::stderr().show_cursor();
        let _ = writeln!(io::stderr());
    }
    outcome
}

/// A question stands before the work.
fn interrupted(code: ExitCode) -> CliError {
    CliError::new(code, format!("{}; nothing was changed", code.word()))
}
