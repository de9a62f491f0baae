//! `boothds encrypt`: seal a key, or one on each line.

use serde::Serialize;

use crate::cipher::KeyId;
use crate::cli::args::{EncryptArgs, Format, GlobalArgs};
use crate::cli::error::CliError;
use crate::cli::exit_code::ExitCode;
use crate::cli::output::Output;
use crate::cli::resolve::Resolved;
use crate::cli::secret_input::{self, Newline, Prompt};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    encrypted: String,
    key_id: KeyId,
}

const PROMPT: Prompt = Prompt { question: "Key to seal", again: Some("The same key again") };

pub(in crate::cli) fn run(
    args: &EncryptArgs,
    global: &GlobalArgs,
    output: &mut Output,
) -> Result<ExitCode, CliError> {
    secret_input::check(&args.input)?;
    let resolved = Resolved::new(global, Vec::new(), output)?;
    let ring = resolved.key_ring()?;
    let key_id = ring.current().id();
    let print = |encrypted: String, output: &mut Output| match output.format() {
        Format::Table => output.line(&encrypted),
        // One object a line, as the contract has it for `--lines`.
        _ if args.input.lines => output.json_line(&Document { encrypted, key_id }),
        Format::Json | Format::Jsonl => output.json(&Document { encrypted, key_id }),
    };
    if args.input.lines {
        secret_input::lines(&args.input, |line, plaintext| {
            if plaintext.is_empty() {
                return Err(CliError::usage(format!("line {line} of the input is empty")));
            }
            print(ring.seal(plaintext.expose()), output);
            Ok(())
        })?;
    } else {
        let newline = if args.raw { Newline::Keep } else { Newline::Drop };
        let plaintext = secret_input::one(&args.input, &PROMPT, newline)?;
        print(ring.seal(plaintext.expose()), output);
    }
    if output.format() == Format::Table {
        output.note(&format!("sealed with key {key_id} ({})", resolved.key_origin()));
    }
    Ok(ExitCode::Ok)
}
