//! `boothds keygen`: a new encryption key.

use serde::Serialize;

use crate::cipher::{EncryptionKey, KeyId};
use crate::cli::args::{Format, KeygenArgs};
use crate::cli::error::CliError;
use crate::cli::exit_code::ExitCode;
use crate::cli::output::Output;
use crate::private_file::{self, Existing};
use crate::secret::Secret;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    key_id: KeyId,
}

pub(in crate::cli) fn run(args: &KeygenArgs, output: &mut Output) -> Result<ExitCode, CliError> {
    let key = EncryptionKey::generate();
    let digits = key.digits().expose();
    let line =
        Secret::new(if args.env { format!("ENCRYPTION_KEY={digits}\n") } else { format!("{digits}\n") });
    if let Some(file) = &args.output {
        let existing = if args.force { Existing::Replace } else { Existing::Keep };
        private_file::write(file, &line, existing)?;
    }
    let file = args.output.as_ref().map(|path| path.display().to_string());
    if output.format() == Format::Table {
        match &file {
            Some(file) => output.note(&format!("wrote {file}")),
            None => output.print(line.expose()),
        }
        output.note(&format!("key id {}", key.id()));
    } else {
        // `--env` shapes the line of a file or terminal; a field of JSON has its name already.
        let key_field = file.is_none().then_some(digits);
        output.json(&Document { key: key_field, file, key_id: key.id() });
    }
    Ok(ExitCode::Ok)
}
