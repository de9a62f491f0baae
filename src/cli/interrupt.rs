//! Ctrl-C and SIGTERM: how a run learns that it is to end, so that it can print what it has.
//!
//! A command that has something to print calls [`Interrupt::received`]; from then on the first signal is its to
//! handle, and only a second one ends the run from outside. Any other command ends at the first.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag::register_conditional_default;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::error::CliError;
use super::exit_code::ExitCode;

/// Whether a signal ends the process at once, as it would without us: while it is blocked in writing to a reader that
/// does not read, it hears nothing else.
static AT_ONCE: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// For as long as this lives, a signal ends the process at once.
pub(super) struct AtOnce(bool);

/// Lets signals end the process while it writes.
pub(super) fn while_blocked() -> AtOnce {
    AtOnce(AT_ONCE.swap(true, Ordering::SeqCst))
}

/// Lets signals end the process from now on.
pub(super) fn restore_default() {
    AT_ONCE.store(true, Ordering::SeqCst);
}

impl Drop for AtOnce {
    fn drop(&mut self) {
        AT_ONCE.store(self.0, Ordering::SeqCst);
    }
}

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
        AT_ONCE.store(false, Ordering::SeqCst);
        for number in [SIGINT, SIGTERM] {
            register_conditional_default(number, Arc::clone(&AT_ONCE))
                .map_err(|source| CliError::io("cannot listen for signals", &source))?;
        }
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
