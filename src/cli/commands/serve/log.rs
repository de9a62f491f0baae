//! The log of the service: on standard error, a line for each event, as text or as JSON.

use tracing::Level;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::cli::args::LogFormat;
use crate::cli::output;
use crate::sanitize::message;

/// Begins to log what this program itself has to say, with `detailed` every request too. What the libraries beneath
/// might say is not logged: some of them quote what they send.
pub(super) fn begin(form: LogFormat, detailed: bool) {
    let level = if detailed { Level::DEBUG } else { Level::INFO };
    let ours = Targets::new().with_target("boothds", level);
    // What cannot be written is lost, and ends nothing.
    let lines = fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .with_target(false)
        .log_internal_errors(false);
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
}
