//! The arguments of `serve`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

/// Serve the dashboard, the performance document and Prometheus' metrics
///
/// A small service for a team's own network. It tests every active tenant at an interval and shows what came of it beside
/// what the running services have reported to the state store: a page at /debug/performance, the performance document at
/// /api/debug/performance, metrics at /metrics. /healthz and /readyz say how it is itself.
///
/// With BOOTHDS_SERVE_TOKEN set whoever asks needs that token; to be reached from other machines it has to be set.
/// SIGHUP, or a change of a file that settings came from, makes it read its settings, keys and certificate anew. SIGTERM
/// and Ctrl-C end it when what was asked is answered; the exit code is then 0 and 130. With --verbose every request is
/// logged.
#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct ServeArgs {
    /// The address and port to listen on
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8787")]
    pub(in crate::cli) listen: SocketAddr,
    /// A name under which it is reached besides its address and localhost, as HOST or HOST:PORT; can be repeated
    #[arg(long, value_name = "HOST", value_delimiter = ',', value_parser = host)]
    pub(in crate::cli) allowed_host: Vec<String>,
    /// Speak TLS with the certificates of this file, its own first, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(in crate::cli) tls_cert: Option<PathBuf>,
    /// The file of the certificate's private key, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(in crate::cli) tls_key: Option<PathBuf>,
    /// The time between two tests of all tenants, such as 5m
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = interval)]
    pub(in crate::cli) interval: Duration,
    /// The form of the log on standard error
    #[arg(long, value_enum, value_name = "FORM", default_value = "text")]
    pub(in crate::cli) log_format: LogFormat,
}

/// The forms of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum LogFormat {
    /// A line of text for each event
    Text,
    /// A JSON object on a line for each event
    Json,
}

fn interval(text: &str) -> Result<Duration, String> {
    let interval = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    let range = Duration::from_secs(1)..=Duration::from_secs(24 * 60 * 60);
    if range.contains(&interval) { Ok(interval) } else { Err("it takes 1s to 24h".to_owned()) }
}

/// A name as it stands in a Host header. A URL, or a pattern that would never fit, is refused.
fn host(text: &str) -> Result<String, String> {
    let (name, port) = match text.rsplit_once(':') {
        Some((name, port)) if !name.contains(':') || name.ends_with(']') => (name, Some(port)),
        _ => (text, None),
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '[' | ']' | ':');
    let is_port = port.is_none_or(|port| port.parse::<u16>().is_ok());
    if !name.is_empty() && name.chars().all(plain) && is_port {
        Ok(text.to_ascii_lowercase())
    } else {
        Err("it takes a host name or address, with a port or without, such as dash.example".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_between_a_second_and_a_day() {
        assert_eq!(interval("5m"), Ok(Duration::from_secs(300)));
        for wrong in ["0s", "999ms", "25h", "5", "x"] {
            assert!(interval(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_allowed_host_is_a_name_and_no_url_or_pattern() {
        for right in ["dash.example", "Dash.example:8443", "10.0.0.7", "[::1]:80"] {
            assert_eq!(host(right), Ok(right.to_ascii_lowercase()));
        }
        for wrong in ["", "https://dash.example", "dash.example/", "*.example", "dash.example:x", ":80"] {
            assert!(host(wrong).is_err(), "{wrong}");
        }
    }
}
