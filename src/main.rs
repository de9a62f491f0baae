//! The `boothds` binary. It decides nothing: a private umask, the command line, its exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    // Whatever is written from here on is for its owner alone.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    boothds::cli::run()
}
