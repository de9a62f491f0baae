//! The arguments of the commands about caches and their metrics.

use std::time::Duration;

use clap::{ArgGroup, Args};

/// Show how well the caches and pools of the running services serve
///
/// Sums what every process has reported to the state store since the last reset, those included that have ended, and
/// names the processes that were measured. With --endpoint the document of one running service is read instead.
#[derive(Debug, Args)]
pub(in crate::cli) struct StatsArgs {
    /// Show it again every so many seconds (2): in place on a terminal, a line each time in a pipe
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "2", value_parser = seconds)]
    pub(in crate::cli) watch: Option<Duration>,
    /// Show the counts for the last time, and let every process begin at zero
    #[arg(long, conflicts_with = "watch")]
    pub(in crate::cli) reset: bool,
    /// Read the performance document of this running service, such as https://service.example
    #[arg(long, value_name = "URL")]
    pub(in crate::cli) endpoint: Option<String>,
}

/// Forget what is cached of tenants, in the state store and in every running process
///
/// Only entries of this application database are touched. An id needs no application database to be reached; a
/// subdomain does.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("cleared").args(["tenants", "all"]).required(true))]
pub(in crate::cli) struct ClearCacheArgs {
    /// Ids or subdomains of tenants
    #[arg(value_name = "TENANT")]
    pub(in crate::cli) tenants: Vec<String>,
    /// Forget all tenants
    #[arg(long, conflicts_with = "tenants")]
    pub(in crate::cli) all: bool,
    /// Do not ask
    #[arg(long, short)]
    pub(in crate::cli) yes: bool,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "it is no number of seconds".to_owned())?;
    if !(0.1..=3600.0).contains(&seconds) {
        return Err("it takes 0.1 to 3600".to_owned());
    }
    Ok(Duration::from_secs_f64(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_between_a_tenth_of_a_second_and_an_hour() {
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        for wrong in ["", "0", "-1", "3601", "NaN", "inf", "2s"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }
}
