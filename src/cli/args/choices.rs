//! What some options of `test-connection` and `doctor` take: words of closed sets, files, findings.

use std::path::PathBuf;

use clap::ValueEnum;

use crate::finding::{Code, Ignored, Severity};
use crate::source::RlsScope;
use crate::tenant::Role;

/// How far row-level security is looked into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum RlsArg {
    /// The probed table, its partitions and the views over it
    Table,
    /// Every table with the tenant column, views, and functions with their owner's rights
    All,
    /// Nothing
    Off,
}

impl RlsArg {
    pub(in crate::cli) fn scope(self) -> RlsScope {
        match self {
            Self::Table => RlsScope::Table,
            Self::All => RlsScope::All,
            Self::Off => RlsScope::Off,
        }
    }
}

/// Which roles a test asks.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(in crate::cli) enum RoleArg {
    Service,
    Anon,
    Both,
}

impl RoleArg {
    pub(in crate::cli) fn roles(self) -> Vec<Role> {
        match self {
            Self::Service => vec![Role::Service],
            Self::Anon => vec![Role::Anon],
            Self::Both => vec![Role::Service, Role::Anon],
        }
    }
}

/// From which level on a run is unhealthy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum FailOn {
    /// A tenant that failed
    Failure,
    /// A tenant that failed, or a finding that is an error
    Error,
    /// A tenant that failed, or any finding
    Warning,
    /// Nothing
    Never,
}

impl FailOn {
    /// The least severe finding that counts.
    pub(in crate::cli) fn threshold(self) -> Option<Severity> {
        match self {
            Self::Error => Some(Severity::Error),
            Self::Warning => Some(Severity::Warning),
            Self::Failure | Self::Never => None,
        }
    }
}

/// Where a further report goes.
#[derive(Clone, Debug)]
pub(in crate::cli) enum ReportArg {
    Junit(PathBuf),
    Sarif(PathBuf),
    Github,
}

pub(super) fn ignored(text: &str) -> Result<Ignored, String> {
    Ignored::parse(text)
        .filter(|one| matches!(one.code, Code::Finding(_)))
        .ok_or_else(|| "it takes CODE or CODE@TENANT, with a code of docs/findings.md".to_owned())
}

pub(super) fn ignored_check(text: &str) -> Result<Ignored, String> {
    Ignored::parse(text).ok_or_else(|| {
        "it takes CODE or CODE@TENANT, with a code of docs/checks.md or docs/findings.md".to_owned()
    })
}

pub(super) fn report(text: &str) -> Result<ReportArg, String> {
    match text.split_once('=') {
        Some(("junit", file)) if !file.is_empty() => Ok(ReportArg::Junit(PathBuf::from(file))),
        Some(("sarif", file)) if !file.is_empty() => Ok(ReportArg::Sarif(PathBuf::from(file))),
        None if text == "github" => Ok(ReportArg::Github),
        _ => Err("it takes junit=FILE, sarif=FILE or github".to_owned()),
    }
}
