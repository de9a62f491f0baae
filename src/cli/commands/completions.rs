//! `boothds completions SHELL`: what `completions/` holds.

use crate::cli::args::CompletionsArgs;
use crate::cli::error::CliError;
use crate::cli::exit_code::ExitCode;
use crate::cli::generated;
use crate::cli::output::Output;

pub(in crate::cli) fn run(args: &CompletionsArgs, output: &mut Output) -> Result<ExitCode, CliError> {
    output.print(&generated::completions(args.shell));
    Ok(ExitCode::Ok)
}
