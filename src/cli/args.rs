//! The definition of the command line. The doc comments are the help, the man pages and the completions.
//!
//! Parsing only validates; what an argument means for a run is decided in `resolve` and the commands.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};

use crate::finding::Ignored;
use crate::probe::DEFAULT_RETRIES;
use crate::survey::DEFAULT_CONCURRENCY;
use crate::tenant::Status;
use crate::url::Kind;

mod caches;
mod choices;
mod rotate_key;
#[cfg(feature = "dashboard")]
mod serve;

pub(super) use caches::{ClearCacheArgs, StatsArgs};
pub(super) use choices::{FailOn, ReportArg, RlsArg, RoleArg};
use choices::{ignored, report};
pub(super) use rotate_key::{KeyArg, RotateKeyArgs, SealArg};
#[cfg(feature = "dashboard")]
pub(super) use serve::{LogFormat, ServeArgs};

/// Manage and test the data sources of a multi-tenant service
///
/// For services that keep each tenant's data in a database of its own. The application database knows the tenants
/// and, for each, the URL and the sealed keys of its data source: a Supabase project, a PostgreSQL or a SQLite
/// database.
#[derive(Debug, Parser)]
#[command(name = "boothds", version, max_term_width = 100, arg_required_else_help = false)]
pub struct Arguments {
    #[command(flatten)]
    pub(super) global: GlobalArgs,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Clone, Debug, Args)]
pub(super) struct GlobalArgs {
    /// How to print the answer
    #[arg(long, global = true, value_enum, default_value = "table", help_heading = "Output")]
    format: Format,
    /// Short for --format json
    #[arg(long, global = true, conflicts_with = "format", help_heading = "Output")]
    json: bool,
    /// Say on standard error where the settings in use came from
    #[arg(short, long, global = true, help_heading = "Output")]
    pub(super) verbose: bool,
    /// Read settings from this file, before the environment
    #[arg(long, global = true, value_name = "FILE", help_heading = "Settings")]
    pub(super) config: Option<PathBuf>,
    /// Read variables from this file, before the environment
    #[arg(long, global = true, value_name = "FILE", help_heading = "Settings")]
    pub(super) env_file: Option<PathBuf>,
    /// Use [profile.NAME] of the configuration file, before the environment
    #[arg(long, global = true, value_name = "NAME", help_heading = "Settings")]
    pub(super) profile: Option<String>,
    /// The application database: postgres://user@host/name or sqlite:PATH, without a password
    #[arg(long, global = true, value_name = "URL", help_heading = "Settings")]
    pub(super) database_url: Option<String>,
    /// The file that holds the encryption key
    #[arg(long, global = true, value_name = "FILE", help_heading = "Settings")]
    pub(super) encryption_key_file: Option<PathBuf>,
    /// A file that holds earlier encryption keys, one a line; can be repeated
    #[arg(long, global = true, value_name = "FILE", help_heading = "Settings")]
    pub(super) previous_key_file: Vec<PathBuf>,
}

impl GlobalArgs {
    pub(super) fn format(&self) -> Format {
        if self.json { Format::Json } else { self.format }
    }
}

/// The forms of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A table for people
    Table,
    /// One JSON document
    Json,
    /// One JSON object a line, as they are ready
    Jsonl,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Keygen(KeygenArgs),
    Encrypt(EncryptArgs),
    Decrypt(DecryptArgs),
    Tenants(TenantsArgs),
    Info(InfoArgs),
    TestConnection(TestConnectionArgs),
    Stats(StatsArgs),
    ClearCache(ClearCacheArgs),
    RotateKey(Box<RotateKeyArgs>),
    #[cfg(feature = "dashboard")]
    Serve(ServeArgs),
    Demo(DemoArgs),
    Completions(CompletionsArgs),
    Man(ManArgs),
}

/// Make a new encryption key
///
/// Prints 64 hexadecimal digits, as `openssl rand -hex 32` does, and the key's id on standard error. With --output
/// the key is never shown.
#[derive(Debug, Args)]
pub(super) struct KeygenArgs {
    /// Print `ENCRYPTION_KEY=…`, a line for a .env file
    #[arg(long)]
    pub(super) env: bool,
    /// Write the key to this file, readable by its owner alone, instead of showing it
    #[arg(long, short, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    /// Replace the file if it exists; the key in it is lost
    #[arg(long, requires = "output")]
    pub(super) force: bool,
}

/// Where a secret is read from.
#[derive(Debug, Args)]
pub(super) struct InputArgs {
    /// Read from this file instead of standard input
    #[arg(long, value_name = "FILE")]
    pub(super) file: Option<PathBuf>,
    /// Take each line as a value of its own
    #[arg(long)]
    pub(super) lines: bool,
    // Refused with an explanation that does not repeat it: an argument is seen by everybody on the machine.
    #[arg(hide = true, value_name = "NOTHING")]
    pub(super) stray: Vec<OsString>,
}

/// Seal a key under the encryption key
///
/// Reads the plaintext from standard input, from --file, or from a hidden prompt on a terminal, never from an
/// argument, and prints the sealed form. One newline at the end is dropped.
#[derive(Debug, Args)]
pub(super) struct EncryptArgs {
    #[command(flatten)]
    pub(super) input: InputArgs,
    /// Keep the input to the letter, also a newline at its end
    #[arg(long, conflicts_with = "lines")]
    pub(super) raw: bool,
}

/// Check that a sealed key opens, and with which encryption key
///
/// Reads the sealed form from standard input, from --file, or from a prompt on a terminal. What is sealed is shown
/// with --reveal only.
#[derive(Debug, Args)]
pub(super) struct DecryptArgs {
    #[command(flatten)]
    pub(super) input: InputArgs,
    /// Show what is sealed
    #[arg(long)]
    pub(super) reveal: bool,
}

/// Which tenants are meant.
#[derive(Clone, Debug, Args)]
pub(super) struct FilterArgs {
    /// Only tenants in this state; can be repeated
    #[arg(long, value_enum, value_delimiter = ',', value_name = "STATUS")]
    pub(super) status: Vec<StatusArg>,
    /// Only tenants whose data source is in this region; can be repeated
    #[arg(long, value_delimiter = ',', value_name = "REGION")]
    pub(super) region: Vec<String>,
    /// Only tenants with a data source of this kind; can be repeated
    #[arg(long, value_enum, value_delimiter = ',', value_name = "KIND")]
    pub(super) kind: Vec<KindArg>,
    /// An empty selection is no error
    #[arg(long)]
    pub(super) allow_empty: bool,
}

impl FilterArgs {
    pub(super) fn filter(&self) -> crate::tenant::TenantFilter {
        crate::tenant::TenantFilter {
            statuses: self.status.iter().map(|status| status.0).collect(),
            regions: self.region.clone(),
            kinds: self.kind.iter().map(|kind| kind.0).collect(),
        }
    }
}

/// List the tenants, their data sources and the state of their keys
///
/// Without an encryption key the form of each key alone is judged.
#[derive(Debug, Args)]
pub(super) struct TenantsArgs {
    #[command(flatten)]
    pub(super) filter: FilterArgs,
}

/// Show what is known of one tenant's data source
///
/// Keys are opened to tell what they are, but never shown. The data source is not asked.
#[derive(Debug, Args)]
pub(super) struct InfoArgs {
    /// The tenant's id or subdomain
    pub(super) tenant: String,
}

/// Test whether the data sources of tenants answer
///
/// Opens each tenant's keys, logs in, and asks a small question as the service role; as the anon role only whether
/// the key is accepted; then, whether one tenant's credentials can read another tenant's rows. Nothing is written to a
/// data source; the rows that are read refresh the second cache tier. One dead tenant delays and fails no other. The
/// classes of failure are listed in docs/failures.md, the findings in docs/findings.md.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("selection").args(["tenants", "all"]).required(true))]
pub(super) struct TestConnectionArgs {
    /// Ids or subdomains of tenants
    #[arg(value_name = "TENANT")]
    pub(super) tenants: Vec<String>,
    /// Test every tenant that fits --status, --region and --kind
    #[arg(long, conflicts_with = "tenants")]
    pub(super) all: bool,
    #[command(flatten)]
    pub(super) filter: FilterArgs,
    /// As which role to test
    #[arg(long, value_enum, default_value = "both")]
    pub(super) role: RoleArg,
    /// How many tenants to test at a time
    #[arg(long, value_name = "N", default_value_t = u16::try_from(DEFAULT_CONCURRENCY).unwrap_or(u16::MAX),
          value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(super) concurrency: u16,
    /// The time for everything in one tenant, such as 10s or 500ms
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = time_limit)]
    pub(super) timeout: Duration,
    /// How often to try again what may pass by itself
    #[arg(long, value_name = "N", default_value_t = DEFAULT_RETRIES, value_parser = clap::value_parser!(u32).range(0..=10))]
    pub(super) retries: u32,
    /// Test with the rows that running services have cached, instead of reading them anew
    #[arg(long)]
    pub(super) cached: bool,
    /// The table to ask, TABLE or SCHEMA.TABLE (default: accounts)
    #[arg(long, value_name = "TABLE")]
    pub(super) probe_table: Option<String>,
    /// Its column with the tenant's id (default: tenant_id)
    #[arg(long, value_name = "COLUMN")]
    pub(super) probe_tenant_column: Option<String>,
    /// How far to look into row-level security: the probed table, or on PostgreSQL all with the tenant column
    #[arg(long, value_enum, default_value = "table", value_name = "SCOPE")]
    pub(super) rls: RlsArg,
    /// Fail a tenant whose row-level security is not shown to be enforced
    #[arg(long)]
    pub(super) require_rls: bool,
    /// A finding that does not count, of one tenant or of all; can be repeated
    #[arg(long, value_name = "CODE[@TENANT]", value_parser = ignored)]
    pub(super) ignore: Vec<Ignored>,
    /// Report keys that expire within this time, such as 30d
    #[arg(long, value_name = "TIME", default_value = "30d", value_parser = humantime::parse_duration)]
    pub(super) expiring_within: Duration,
    /// What ends with exit code 1
    #[arg(long, value_enum, default_value = "error", value_name = "LEVEL")]
    pub(super) fail_on: FailOn,
    /// Write a report as well: junit=FILE, sarif=FILE, or github for annotations on standard error; can be repeated
    #[arg(long, value_name = "FORM", value_parser = report)]
    pub(super) report: Vec<ReportArg>,
}

/// Make an embedded fleet to try boothds on, and test it
///
/// An application database and five tenants in SQLite files, two of them broken on purpose, an encryption key and a
/// boothds.toml, in a folder of their own. A folder that holds the fleet already is used as it is.
#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    /// The folder to make
    #[arg(long, value_name = "FOLDER", default_value = "boothds-demo")]
    pub(super) dir: PathBuf,
}

/// Print the completions of a shell
#[derive(Debug, Args)]
pub(super) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub(super) shell: clap_complete::Shell,
}

/// Print a manual page
#[derive(Debug, Args)]
pub(super) struct ManArgs {
    /// The command; without one the page of boothds itself
    pub(super) command: Option<String>,
}

fn time_limit(text: &str) -> Result<Duration, String> {
    let limit = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    let range = Duration::from_millis(1)..=Duration::from_secs(3600);
    if range.contains(&limit) { Ok(limit) } else { Err("it takes 1ms to 1h".to_owned()) }
}

/// A state, as an argument.
#[derive(Clone, Copy, Debug)]
pub(super) struct StatusArg(Status);

impl ValueEnum for StatusArg {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self(Status::Active), Self(Status::Suspended), Self(Status::Cancelled)]
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        Some(self.0.as_str().into())
    }
}

/// A kind, as an argument.
#[derive(Clone, Copy, Debug)]
pub(super) struct KindArg(Kind);

impl ValueEnum for KindArg {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self(Kind::Supabase), Self(Kind::Postgres), Self(Kind::Sqlite)]
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        Some(self.0.as_str().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::DEFAULT_LIMIT;

    #[test]
    fn the_definition_holds_together() {
        use clap::CommandFactory;
        Arguments::command().debug_assert();
        assert_eq!(time_limit("10s"), Ok(DEFAULT_LIMIT));
        for wrong in ["0s", "10", "2h", "x", "-1s"] {
            assert!(time_limit(wrong).is_err(), "{wrong}");
        }
    }
}
