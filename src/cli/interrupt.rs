//! Ctrl-C and SIGTERM: how a run learns that it is to end, so that it can print what it has.
//!
//! A command that has something to print calls [`Interrupt::received`]; from then on the first signal is its to
//! handle, and only a second one ends the run from outside. Any other command ends at the first.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::error::CliError;
use super::exit_code::ExitCode;

/// Waits for SIGINT or SIGTERM.
#[derive(Debug)]
pub(super) struct Interrupt {
    interrupted: Signal,
    terminated: Signal,
    /// Whether the command listens for itself.
    taken: Arc<AtomicBool>,
}

impl Interrupt {
    /// Takes both signals over from the system's default, which would end the process at once.
    pub(super) fn listen() -> Result<Self, CliError> {
        Self::sharing(Arc::default())
    }

    /// A second listener to the same signals.
    pub(super) fn another(&self) -> Result<Self, CliError> {
        Self::sharing(Arc::clone(&self.taken))
    }

    fn sharing(taken: Arc<AtomicBool>) -> Result<Self, CliError> {
        let listen = |kind| signal(kind).map_err(|source| CliError::io("cannot listen for signals", &source));
        Ok(Self {
            interrupted: listen(SignalKind::interrupt())?,
            terminated: listen(SignalKind::terminate())?,
            taken,
        })
    }

    /// The code to end with, once a signal has come. Whoever calls this ends by it.
    pub(super) async fn received(&mut self) -> ExitCode {
        self.taken.store(true, Ordering::SeqCst);
        self.next().await
    }

    /// The code to end with, for a command that does not listen itself, or has been told twice.
    pub(super) async fn insisted(&mut self) -> ExitCode {
        let first = self.next().await;
        if self.taken.load(Ordering::SeqCst) { self.next().await } else { first }
    }

    async fn next(&mut self) -> ExitCode {
        tokio::select! {
            _ = self.interrupted.recv() => ExitCode::Interrupted,
            _ = self.terminated.recv() => ExitCode::Terminated,
        }
    }
}
