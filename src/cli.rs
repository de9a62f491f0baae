//! The command line: arguments in, settings resolved, one command run, an exit code out.
//!
//! Nothing below this module sees clap, the environment or the terminal. Parsing (`args`) only validates,
//! `resolve` decides, each command is one file in `commands`.

use std::process::ExitCode as ProcessExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};

mod ambient;
pub mod args;
mod commands;
mod config;
mod confirm;
mod error;
mod exit_code;
mod gather;
pub mod generated;
mod interrupt;
mod output;
mod resolve;
mod secret_input;
mod stores;

use args::{Arguments, Command, Format};
use error::CliError;
pub use exit_code::ExitCode;
use interrupt::Interrupt;
use output::Output;

/// Runs the command line of this process.
#[must_use]
pub fn run() -> ProcessExitCode {
    if ambient::wants_version_only() {
        // Scripts ask this often, and clap would first build all commands: a third of the time.
        let mut output = Output::new(Format::Table);
        output.line(concat!("boothds ", env!("CARGO_PKG_VERSION")));
        return output.finish().map_or_else(|error| error.code, |()| ExitCode::Ok).into();
    }
    std::panic::set_hook(Box::new(output::panicked));
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return refuse(error).into(),
    };
    let mut output = Output::new(arguments.global.format());
    let code = dispatch(arguments, &mut output).unwrap_or_else(|error| {
        output.error(&error);
        error.code
    });
    match output.finish() {
        Ok(()) => code.into(),
        Err(error) => {
            output.error(&error);
            error.code.into()
        }
    }
}

/// Prints what clap has to say: help and version to standard output, a wrong argument in the form of all errors.
fn refuse(error: clap::Error) -> ExitCode {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        let _ = error.print();
        return ExitCode::Ok;
    }
    if ambient::wants_json() {
        Output::new(Format::Json).error(&CliError::from(error));
    } else {
        Output::new(Format::Table).wrong_arguments(&error);
    }
    ExitCode::Usage
}

fn dispatch(arguments: Arguments, output: &mut Output) -> Result<ExitCode, CliError> {
    let Arguments { global, command } = arguments;
    match command {
        Command::Keygen(args) => commands::keygen::run(&args, output),
        Command::Completions(args) => commands::completions::run(&args, output),
        Command::Man(args) => commands::man::run(args, output),
        Command::Encrypt(args) => commands::encrypt::run(&args, &global, output),
        Command::Decrypt(args) => commands::decrypt::run(&args, &global, output),
        Command::Tenants(args) => commands::tenants::run(&args, &global, output),
        Command::Info(args) => commands::info::run(&args, &global, output),
        Command::Demo(args) => commands::demo::run(&args, output),
        Command::Stats(args) => commands::stats::run(&args, &global, output),
        Command::ClearCache(args) => commands::clear_cache::run(&args, &global, output),
        Command::RotateKey(args) => commands::rotate_key::run(&args, &global, output),
        Command::Doctor(args) => commands::doctor::run(&args, &global, output),
        #[cfg(feature = "dashboard")]
        Command::Serve(args) => commands::serve::run(&args, &global),
        Command::TestConnection(args) => commands::test_connection::run(&args, &global, output),
    }
}

/// Runs the asking part of a command on a runtime, until it ends or the process is told to. Settings are read before:
/// a file or command that blocks is then ended by the system's own handling of signals.
fn block_on<T, F>(command: F) -> Result<T, CliError>
where
    F: AsyncFnOnce(&mut Interrupt) -> Result<T, CliError>,
{
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        // A login runs on a thread of its own, two for each tenant under test; name lookups take further ones.
        .max_blocking_threads(4096)
        .build()
        .map_err(|source| CliError::io("cannot start the runtime", &source))?;
    let result = runtime.block_on(async {
        let mut interrupt = Interrupt::listen()?;
        let mut backstop = interrupt.another()?;
        tokio::select! {
            biased;
            result = command(&mut interrupt) => result,
            code = backstop.insisted() => Err(CliError::interrupted(code)),
        }
    });
    // A name lookup runs on a thread that outlives its time limit; waiting for it would hold up the exit.
    runtime.shutdown_background();
    // Nobody listens any more.
    interrupt::restore_default();
    result
}

/// The definition of the command line, for the generated pages.
#[must_use]
pub fn definition() -> clap::Command {
    Arguments::command()
}
