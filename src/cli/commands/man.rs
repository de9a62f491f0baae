//! `boothds man [COMMAND]`: what `man/` holds.

use crate::cli::args::ManArgs;
use crate::cli::error::CliError;
use crate::cli::exit_code::ExitCode;
use crate::cli::generated;
use crate::cli::output::Output;
use crate::sanitize::printable;

pub(in crate::cli) fn run(args: ManArgs, output: &mut Output) -> Result<ExitCode, CliError> {
    let wanted = args.command.map_or_else(|| "boothds".to_owned(), |command| format!("boothds-{command}"));
    let pages = generated::man_pages();
    match pages.iter().find(|(name, _)| *name == wanted) {
        Some((_, page)) => output.print(page),
        None => {
            let known: Vec<&str> =
                pages.iter().filter_map(|(name, _)| name.strip_prefix("boothds-")).collect();
            let name = wanted.trim_start_matches("boothds-");
            return Err(CliError::usage(format!("there is no command `{}`", printable(name)))
                .hint(format!("the commands are {}", known.join(", "))));
        }
    }
    Ok(ExitCode::Ok)
}
