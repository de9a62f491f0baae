//! The question before something that cannot be taken back.

use std::io::IsTerminal;

use dialoguer::Confirm;

use super::error::CliError;
use super::exit_code::ExitCode;

/// Asks on a terminal; elsewhere `yes` must have been said by a flag.
pub(super) fn confirm(question: &str, yes: bool) -> Result<(), CliError> {
    if yes {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Err(CliError::usage(format!("there is no terminal to ask on: {question}"))
            .hint("say --yes if that is what you want"));
    }
    match Confirm::new().with_prompt(question).default(false).interact_opt() {
        Ok(Some(true)) => Ok(()),
        Ok(_) => Err(CliError::usage("nothing was done: the answer was no")),
        Err(dialoguer::Error::IO(error)) if error.kind() == std::io::ErrorKind::Interrupted => {
            Err(CliError::interrupted(ExitCode::Interrupted))
        }
        Err(dialoguer::Error::IO(error)) => Err(CliError::io("cannot ask on the terminal", &error)),
    }
}
