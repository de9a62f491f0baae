//! Where the answer and everything else goes: the answer to standard output, notes, warnings, errors and progress to
//! standard error. The only place that prints.
//!
//! A reader that closes the pipe early ends the output, not the work: what the exit code says stays true.

use std::io::{self, IsTerminal, Write};

use anstream::AutoStream;
use anstyle::{AnsiColor, Style};
use serde::Serialize;

use super::args::Format;
use super::error::CliError;
use crate::sanitize::printable;

pub(super) mod github;
pub(super) mod junit;
pub(super) mod progress;
pub(super) mod reports;
pub(super) mod results;
pub(super) mod table;

const ERROR: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();
const NOTE: Style = AnsiColor::Cyan.on_default();

/// The streams of a run.
pub(super) struct Output {
    format: Format,
    answer: io::BufWriter<AutoStream<io::Stdout>>,
    /// The first error of writing the answer.
    failed: Option<io::Error>,
}

impl Output {
    pub(super) fn new(format: Format) -> Self {
        Self { format, answer: io::BufWriter::new(anstream::stdout()), failed: None }
    }

    pub(super) fn format(&self) -> Format {
        self.format
    }

    /// Writes part of the answer.
    pub(super) fn print(&mut self, text: &str) {
        if self.failed.is_none()
            && let Err(error) = self.answer.write_all(text.as_bytes())
        {
            self.failed = Some(error);
        }
    }

    /// Writes a line of the answer.
    pub(super) fn line(&mut self, text: &str) {
        self.print(text);
        self.print("\n");
    }

    /// Writes one JSON document: with line breaks for `json`, on a line of its own for `jsonl`.
    pub(super) fn json(&mut self, document: &impl Serialize) {
        if self.format == Format::Jsonl {
            return self.json_line(document);
        }
        match serde_json::to_string_pretty(document) {
            Ok(text) => self.line(&text),
            Err(error) => self.failed = Some(error.into()),
        }
    }

    /// Writes one JSON object on a line, and passes it on at once.
    pub(super) fn json_line(&mut self, document: &impl Serialize) {
        match serde_json::to_string(document) {
            Ok(text) => self.line(&text),
            Err(error) => self.failed = Some(error.into()),
        }
        self.flush();
    }

    /// Passes on what was written.
    pub(super) fn flush(&mut self) {
        if self.failed.is_none()
            && let Err(error) = self.answer.flush()
        {
            self.failed = Some(error);
        }
    }

    /// Ends the answer. A reader that went away is no error; a full disk is.
    pub(super) fn finish(&mut self) -> Result<(), CliError> {
        self.flush();
        match self.failed.take() {
            Some(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(CliError::io("cannot write to standard output", &error))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn note(&mut self, text: &str) {
        complain("note", NOTE, text);
    }

    pub(super) fn warning(&mut self, text: &str) {
        complain("warning", WARNING, text);
    }

    /// Prints an error: as text, or with `--json` as an object on one line.
    pub(super) fn error(&mut self, error: &CliError) {
        // What was answered before the error belongs before it on a terminal.
        self.flush();
        if self.format == Format::Table {
            complain("error", ERROR, &error.message);
            for cause in &error.causes {
                complain("  caused by", Style::new(), cause);
            }
            if let Some(hint) = &error.hint {
                complain("hint", NOTE, hint);
            }
        } else if let Ok(text) = serde_json::to_string(&error.document()) {
            let _ = writeln!(anstream::stderr().lock(), "{text}");
        }
    }
}

/// How many columns standard output has, if it is a terminal.
pub(super) fn terminal_width() -> Option<u16> {
    let columns = rustix::termios::tcgetwinsize(io::stdout()).ok()?.ws_col;
    (io::stdout().is_terminal() && columns > 0).then_some(columns)
}

/// Reports a bug. A panic at a driver's work is none of ours, and becomes a failure of the server that brought it about.
pub(super) fn panicked(panic: &std::panic::PanicHookInfo<'_>) {
    if crate::driver::is_within() {
        return;
    }
    let text = panic.payload_as_str().unwrap_or("no text");
    let place =
        panic.location().map(|place| format!(" at {}:{}", place.file(), place.line())).unwrap_or_default();
    complain("error", ERROR, &format!("a bug in boothds{place}: {}", crate::sanitize::message(text, &[])));
    complain("hint", NOTE, "please report this line; what other tenants were tested is not affected");
}

/// Writes a line to standard error. That nobody can read it changes nothing.
fn complain(label: &str, style: Style, text: &str) {
    let _ = writeln!(anstream::stderr().lock(), "{style}{label}:{style:#} {}", printable(text));
}
