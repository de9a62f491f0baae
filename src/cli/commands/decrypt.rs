//! `boothds decrypt`: whether a sealed key opens, and what it is.

use serde::Serialize;

use crate::cipher::{KeyId, KeyRing, Opened};
use crate::cli::args::{DecryptArgs, Format, GlobalArgs};
use crate::cli::error::CliError;
use crate::cli::exit_code::ExitCode;
use crate::cli::output::Output;
use crate::cli::resolve::Resolved;
use crate::cli::secret_input::{self, Newline, Prompt};
use crate::credential::{Credential, CredentialKind};
use crate::secret::Secret;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    valid: bool,
    key_id: KeyId,
    kind: CredentialKind,
    canonical: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    plaintext: Option<&'a str>,
}

/// A line that does not open, among lines that do.
#[derive(Serialize)]
struct Invalid {
    valid: bool,
    line: usize,
    error: String,
}

const PROMPT: Prompt = Prompt { question: "Sealed key", again: None };

pub(in crate::cli) fn run(
    args: &DecryptArgs,
    global: &GlobalArgs,
    output: &mut Output,
) -> Result<ExitCode, CliError> {
    secret_input::check(&args.input)?;
    let resolved = Resolved::new(global, Vec::new(), output)?;
    let ring = resolved.key_ring()?;
    if !args.input.lines {
        let sealed = secret_input::one(&args.input, &PROMPT, Newline::Drop)?;
        show(&ring.open(sealed.expose())?, &ring, args, output);
        return Ok(ExitCode::Ok);
    }
    let mut unopened = 0usize;
    secret_input::lines(&args.input, |line, sealed: Secret| {
        match ring.open(sealed.expose()) {
            Ok(opened) => show(&opened, &ring, args, output),
            // The other lines are unharmed, and the exit code remembers it.
            Err(error) => {
                unopened += 1;
                if output.format() == Format::Table {
                    // Among plaintexts the words would be taken for one.
                    output.line(if args.reveal { "" } else { "does not open" });
                    output.warning(&format!("line {line}: {error}"));
                } else {
                    print(&Invalid { valid: false, line, error: error.to_string() }, args, output);
                }
            }
        }
        Ok(())
    })?;
    Ok(if unopened == 0 { ExitCode::Ok } else { ExitCode::Key })
}

fn show(opened: &Opened, ring: &KeyRing, args: &DecryptArgs, output: &mut Output) {
    let kind = Credential::of(&opened.plaintext).kind();
    if output.format() != Format::Table {
        let plaintext = args.reveal.then(|| opened.plaintext.expose());
        let document =
            Document { valid: true, key_id: opened.key_id, kind, canonical: opened.canonical, plaintext };
        print(&document, args, output);
        return;
    }
    if args.reveal {
        output.line(opened.plaintext.expose());
        return;
    }
    let which = if opened.current { "current" } else { "earlier" };
    let spelling = if opened.canonical { "" } else { ", not in canonical form" };
    output.line(&format!("opens with the {which} key {}: {}{spelling}", opened.key_id, kind.as_str()));
    if !opened.current {
        output.note(&format!("the current key is {}", ring.current().id()));
    }
}

fn print(document: &impl Serialize, args: &DecryptArgs, output: &mut Output) {
    if args.input.lines {
        output.json_line(document);
    } else {
        output.json(document);
    }
}
