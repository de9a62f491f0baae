//! Where the answer and everything else goes: the answer to standard output, notes, warnings, errors and progress to
//! standard error. The only place that prints.
//!
//! A reader that closes the pipe early ends the output, not the work: what the exit code says stays true.

use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};

use anstream::AutoStream;
use anstyle::{AnsiColor, Style};
use serde::Serialize;

use super::args::Format;
use super::error::CliError;
use super::interrupt;
use crate::sanitize::{acts_on_a_terminal, hide_credentials, message, printable};

pub(super) mod github;
pub(super) mod junit;
pub(super) mod performance;
pub(super) mod progress;
pub(super) mod reports;
pub(super) mod results;
mod sarif;
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
    /// Whether notes and warnings go to the log of a service.
    log: bool,
}

impl Output {
    pub(super) fn new(format: Format) -> Self {
        Self { format, answer: io::BufWriter::new(anstream::stdout()), failed: None, log: false }
    }

    /// For a service that logs: notes and warnings are events.
    #[cfg(feature = "dashboard")]
    pub(super) fn to_log() -> Self {
        Self { log: true, ..Self::new(Format::Table) }
    }

    pub(super) fn format(&self) -> Format {
        self.format
    }

    /// Writes part of the answer.
    pub(super) fn print(&mut self, text: &str) {
        let _signals = interrupt::while_blocked();
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
            Ok(text) => self.line(&json_for_terminals(&text)),
            Err(error) => self.failed = Some(error.into()),
        }
    }

    /// Writes one JSON object on a line, and passes it on at once.
    pub(super) fn json_line(&mut self, document: &impl Serialize) {
        match serde_json::to_string(document) {
            Ok(text) => self.line(&json_for_terminals(&text)),
            Err(error) => self.failed = Some(error.into()),
        }
        self.flush();
    }

    /// Passes on what was written.
    pub(super) fn flush(&mut self) {
        let _signals = interrupt::while_blocked();
        if self.failed.is_none()
            && let Err(error) = self.answer.flush()
        {
            self.failed = Some(error);
        }
    }

    /// Whether the answer can no longer be written: its reader went away, or worse.
    pub(super) fn is_closed(&self) -> bool {
        self.failed.is_some()
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

    /// Prints what clap has to say of wrong arguments, coloured by it; a credential among them is not repeated.
    pub(super) fn wrong_arguments(&mut self, error: &clap::Error) {
        let text = error.render().ansi().to_string();
        let _ = write!(anstream::stderr().lock(), "{}", hide_credentials(&text));
    }

    pub(super) fn note(&mut self, text: &str) {
        if self.log {
            return tracing::info!("{}", printable(text));
        }
        complain("note", NOTE, text);
    }

    pub(super) fn warning(&mut self, text: &str) {
        if self.log {
            return tracing::warn!("{}", printable(text));
        }
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
            let _ = writeln!(anstream::stderr().lock(), "{}", json_for_terminals(&text));
        }
    }
}

/// How many rows standard output has, if it is a terminal.
pub(super) fn terminal_height() -> Option<u16> {
    let rows = rustix::termios::tcgetwinsize(io::stdout()).ok()?.ws_row;
    (io::stdout().is_terminal() && rows > 0).then_some(rows)
}

/// How many columns standard output has, if it is a terminal.
pub(super) fn terminal_width() -> Option<u16> {
    let columns = rustix::termios::tcgetwinsize(io::stdout()).ok()?.ws_col;
    (io::stdout().is_terminal() && columns > 0).then_some(columns)
}

/// Escapes in JSON what a terminal would act on and JSON lets stand: beyond ASCII such a character can only be within a
/// text, where `\uXXXX` means the same.
pub(super) fn json_for_terminals(json: &str) -> Cow<'_, str> {
    let acts = |c: char| c == '\u{7f}' || !c.is_ascii() && acts_on_a_terminal(c);
    if !json.chars().any(acts) {
        return Cow::Borrowed(json);
    }
    let mut escaped = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        if acts(c) {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                escaped.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            escaped.push(c);
        }
    }
    Cow::Owned(escaped)
}

/// Where a bug is, and what it says. A panic at a driver's work is none of ours, and becomes a failure of the server that
/// brought it about.
pub(super) fn bug<'a>(panic: &'a std::panic::PanicHookInfo<'_>) -> Option<(String, &'a str)> {
    if crate::driver::is_within() {
        return None;
    }
    let place =
        panic.location().map(|place| format!(" at {}:{}", place.file(), place.line())).unwrap_or_default();
    Some((place, panic.payload_as_str().unwrap_or("no text")))
}

/// Reports a bug.
pub(super) fn panicked(panic: &std::panic::PanicHookInfo<'_>) {
    let Some((place, text)) = bug(panic) else { return };
    complain("error", ERROR, &format!("a bug in boothds{place}: {}", message(text, &[])));
    complain("hint", NOTE, "please report this line; what other tenants were tested is not affected");
}

/// Writes a line to standard error. That nobody can read it changes nothing.
fn complain(label: &str, style: Style, text: &str) {
    let _ = writeln!(anstream::stderr().lock(), "{style}{label}:{style:#} {}", printable(text));
}
