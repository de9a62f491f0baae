//! How a secret comes in: standard input, a file, or a hidden prompt on a terminal; never an argument.

use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal, Read, Write};

use dialoguer::Password;
use tokio::signal::unix::{SignalKind, signal};

use super::args::InputArgs;
use super::error::CliError;
use super::exit_code::ExitCode;
use super::interrupt::Interrupt;
use crate::secret::Secret;

/// The longest value, bytes. A key or URL has some hundreds.
const LIMIT: u64 = 1024 * 1024;

/// SIGCONT, which tokio has no name for: 18 on Linux, 19 on the systems of BSD's descent.
const CONTINUE: i32 = if cfg!(target_os = "linux") { 18 } else { 19 };

/// Whether a newline at the end of the input belongs to it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Newline {
    Keep,
    Drop,
}

/// How a prompt asks.
pub(super) struct Prompt {
    pub(super) question: &'static str,
    /// Asked for a second time, because a typing error would only show when the key is needed.
    pub(super) again: Option<&'static str>,
}

/// Reads one value.
pub(super) fn one(input: &InputArgs, prompt: &Prompt, newline: Newline) -> Result<Secret, CliError> {
    if input.file.is_none() && io::stdin().is_terminal() {
        return ask(prompt);
    }
    let mut text = String::new();
    open(input)?.take(LIMIT + 1).read_to_string(&mut text).map_err(|error| unreadable(input, &error))?;
    if text.len() as u64 > LIMIT {
        return Err(CliError::usage(format!("the input is longer than {LIMIT} bytes")));
    }
    if newline == Newline::Drop && text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    let value = Secret::new(text);
    if value.is_empty() {
        return Err(
            CliError::usage(format!("{} is empty", name(input))).hint("pipe the value in, or name a --file")
        );
    }
    Ok(value)
}

/// Reads one value a line, and hands each with its number to `each`.
pub(super) fn lines(
    input: &InputArgs,
    mut each: impl FnMut(usize, Secret) -> Result<(), CliError>,
) -> Result<(), CliError> {
    let mut reader = BufReader::new(open(input)?);
    let mut number = 0;
    loop {
        let mut line = String::new();
        let length =
            (&mut reader).take(LIMIT).read_line(&mut line).map_err(|error| unreadable(input, &error))?;
        if length == 0 {
            break;
        }
        number += 1;
        if length as u64 == LIMIT {
            return Err(CliError::usage(format!(
                "line {number} of {} is longer than {LIMIT} bytes",
                name(input)
            )));
        }
        let end = line.trim_end_matches(['\n', '\r']).len();
        line.truncate(end);
        each(number, Secret::new(line))?;
    }
    if number == 0 {
        return Err(
            CliError::usage(format!("{} is empty", name(input))).hint("pipe the values in, or name a --file")
        );
    }
    Ok(())
}

/// Refuses what can be known to be wrong of the arguments alone.
pub(super) fn check(input: &InputArgs) -> Result<(), CliError> {
    if input.lines && input.file.is_none() && io::stdin().is_terminal() {
        return Err(CliError::usage(
            "--lines reads from a pipe or a --file; a terminal would show what is typed",
        ));
    }
    if input.stray.is_empty() {
        return Ok(());
    }
    Err(CliError::usage("the value is not taken as an argument, where everybody on the machine could see it")
        .hint("pipe it in, name a --file, or type it at the prompt; treat the one you gave as leaked"))
}

fn open(input: &InputArgs) -> Result<Box<dyn Read>, CliError> {
    match &input.file {
        Some(path) => Ok(Box::new(File::open(path).map_err(|error| unreadable(input, &error))?)),
        None => Ok(Box::new(io::stdin())),
    }
}

fn name(input: &InputArgs) -> String {
    input.file.as_ref().map_or_else(|| "standard input".to_owned(), |path| path.display().to_string())
}

fn unreadable(input: &InputArgs, error: &io::Error) -> CliError {
    if error.kind() == io::ErrorKind::InvalidData {
        return CliError::usage(format!("{} holds no UTF-8 text", name(input)));
    }
    CliError::io(format!("cannot read {}", name(input)), error)
}

/// Asks for a secret, when the arguments have said so.
pub(super) fn prompt(prompt: &Prompt) -> Result<Secret, CliError> {
    if !io::stdin().is_terminal() {
        return Err(
            CliError::usage("there is no terminal to ask on").hint("name env:NAME or file:PATH instead")
        );
    }
    ask(prompt)
}

/// Asks on the terminal, without echo. A signal while it waits would leave the terminal without echo, so the prompt runs
/// on a thread of its own and the terminal is put right before the run ends. After Ctrl-Z and `fg` the shell has switched
/// the echo on again.
fn ask(prompt: &Prompt) -> Result<Secret, CliError> {
    if !io::stderr().is_terminal() {
        return Err(
            CliError::usage("there is no terminal to ask on").hint("pipe the value in, or name a --file")
        );
    }
    let before = rustix::termios::tcgetattr(io::stdin()).ok();
    let (question, again) = (prompt.question, prompt.again);
    let asked = super::block_on(async move |interrupt: &mut Interrupt| {
        let answer = tokio::task::spawn_blocking(move || {
            let mut password = Password::new().with_prompt(question).allow_empty_password(true);
            if let Some(again) = again {
                password = password.with_confirmation(again, "The two differ; once more");
            }
            password.interact().map(Secret::new)
        });
        let mut continued = signal(SignalKind::from_raw(CONTINUE))
            .map_err(|error| CliError::io("cannot listen for signals", &error))?;
        tokio::pin!(answer);
        loop {
            tokio::select! {
                answer = &mut answer => return answer.map_err(|_| CliError::new(ExitCode::Bug, "the prompt failed"))?
                    .map_err(|error| CliError::usage(format!("the prompt ended without an answer: {error}"))),
                code = interrupt.received() => {
                    // The question's own line has no end yet.
                    let _ = writeln!(io::stderr());
                    return Err(CliError::interrupted(code));
                }
                _ = continued.recv() => hide_typing(),
            }
        }
    });
    if let Some(before) = before {
        let _ = rustix::termios::tcsetattr(io::stdin(), rustix::termios::OptionalActions::Now, &before);
    }
    let answer = asked?;
    if answer.is_empty() {
        return Err(CliError::usage("nothing was typed"));
    }
    Ok(answer)
}

/// Switches the echo of the terminal off.
fn hide_typing() {
    use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
    if let Ok(mut modes) = tcgetattr(io::stdin()) {
        modes.local_modes.remove(LocalModes::ECHO);
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &modes);
    }
}
