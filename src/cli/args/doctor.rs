//! The arguments of `doctor`.

use clap::{Args, ValueEnum};

use super::choices::ignored_check;
use crate::finding::Ignored;

/// Check the whole installation
///
/// Runs what an operator would check by hand, side by side, and explains each: settings and where they come from, the
/// encryption key, the state store, the application database with its columns, rights and triggers, every stored key,
/// credentials, duplicates, caches that differ from the database, clocks. Changes nothing. Without --offline and
/// --all-tenants the data sources of the first 5 active tenants, in the order of the subdomain, are tested as well. What
/// could not be checked is `skipped`, never `ok`. The checks are listed in docs/checks.md. Ends with 0 or 1, whatever is
/// broken.
#[derive(Debug, Args)]
pub(in crate::cli) struct DoctorArgs {
    /// Touch no data source; the application database and the state store are asked
    #[arg(long)]
    pub(in crate::cli) offline: bool,
    /// Test the data sources of all tenants, with row-level security
    #[arg(long, conflicts_with = "offline")]
    pub(in crate::cli) all_tenants: bool,
    /// Try whether the keys of a tenant of each status can be changed, in transactions that are rolled back
    #[arg(long)]
    pub(in crate::cli) rehearse: bool,
    /// Print the statements that mend the schema of the application database, and do nothing else
    #[arg(long, conflicts_with_all = ["all_tenants", "rehearse"])]
    pub(in crate::cli) print_sql: bool,
    /// A check or finding that does not count, of one tenant or of all; can be repeated
    #[arg(long, value_name = "CODE[@TENANT]", value_parser = ignored_check)]
    pub(in crate::cli) ignore: Vec<Ignored>,
    /// What ends with exit code 1
    #[arg(long, value_enum, default_value = "error", value_name = "LEVEL")]
    pub(in crate::cli) fail_on: DoctorFailOn,
}

/// From which level on an installation is unhealthy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum DoctorFailOn {
    /// A check that is an error
    Error,
    /// A check that is an error or a warning
    Warning,
}
