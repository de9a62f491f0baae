//! The log of the service: on standard error, a line for each event, as text or as JSON.
//!
//! A thread of its own writes it: whoever reads the other end of a pipe may stop reading, and the service must neither
//! wait for that nor be deaf to signals meanwhile. [`WAITING`] lines wait at the most, and what comes beyond is lost.

use tracing::Level;
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::cli::args::LogFormat;
use crate::cli::output;
use crate::sanitize::message;

/// Lines that wait to be written, at the most.
const WAITING: usize = 10_000;

/// Begins to log what this program itself has to say, with `detailed` every request too. What the libraries beneath
/// might say is not logged: some of them quote what they send. What still waits is written when the returned guard is
/// dropped, within a second.
pub(super) fn begin(form: LogFormat, detailed: bool) -> WorkerGuard {
    let level = if detailed { Level::DEBUG } else { Level::INFO };
    let ours = Targets::new().with_target("boothds", level);
    // What cannot be written is lost, and ends nothing.
    let (writer, guard) = NonBlockingBuilder::default()
        .lossy(true)
        .buffered_lines_limit(WAITING)
        .thread_name("log")
        .finish(std::io::stderr());
    let lines =
        fmt::layer().with_writer(writer).with_ansi(false).with_target(false).log_internal_errors(false);
    let registry = tracing_subscriber::registry();
    // The one of this process; in a process that has one already, it stays.
    let _ = match form {
        LogFormat::Text => registry.with(lines.with_filter(ours)).try_init(),
        LogFormat::Json => registry.with(lines.json().flatten_event(true).with_filter(ours)).try_init(),
    };
    std::panic::set_hook(Box::new(|panic| {
        if let Some((place, text)) = output::bug(panic) {
            tracing::error!(place, "a bug in boothds; please report it: {}", message(text, &[]));
        }
    }));
    guard
}
