//! The arguments of `rotate-key`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args};

use crate::rotation::Choice;
use crate::tenant::Role;

/// Re-seal every stored key under another encryption key
///
/// Opens every value, seals it again with a fresh IV under the target, writes it where the row is still the one that was
/// read, reads it back and opens it with the target alone, all in one transaction that locks the rows; then commits.
/// What cannot be opened stops it with nothing changed. KEY is env:NAME, file:PATH or prompt. What must happen before
/// and after is in docs/key-rotation.md.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("task").args(["to", "generate", "restore", "verify"]).required(true).multiple(true))]
pub(in crate::cli) struct RotateKeyArgs {
    /// The target key: env:NAME, file:PATH or prompt
    #[arg(long, value_name = "KEY", value_parser = key, conflicts_with_all = ["generate", "restore"])]
    pub(in crate::cli) to: Option<KeyArg>,
    /// Make the target key and write it to this file before anything else, never over another
    #[arg(long, value_name = "FILE", conflicts_with_all = ["restore", "verify"])]
    pub(in crate::cli) generate: Option<PathBuf>,
    /// Keys to rotate from (default: the encryption key and the earlier ones of the settings)
    #[arg(long, value_name = "KEY", num_args = 1.., value_parser = key, conflicts_with_all = ["restore", "verify"])]
    pub(in crate::cli) from: Vec<KeyArg>,
    /// Do the very same, and roll it back
    #[arg(long, conflicts_with_all = ["verify"])]
    pub(in crate::cli) dry_run: bool,
    /// Commit every N tenants instead of all at once; can be run again to finish
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000),
          conflicts_with_all = ["restore", "verify", "dry_run"])]
    pub(in crate::cli) batch_size: Option<u32>,
    /// Write every changed value, old and new, to this file before it is committed; never over another
    #[arg(long, value_name = "FILE", conflicts_with_all = ["restore", "verify"])]
    pub(in crate::cli) backup: Option<PathBuf>,
    /// Put the old values of a backup back, where the new ones still stand
    #[arg(long, value_name = "FILE", conflicts_with_all = ["verify"])]
    pub(in crate::cli) restore: Option<PathBuf>,
    /// Prove that every stored key opens with the current key alone (with --to: with that one)
    #[arg(long)]
    pub(in crate::cli) verify: bool,
    /// Who is responsible, for the audit trigger: sets app.current_user_id
    #[arg(long, value_name = "UUID", value_parser = uuid, conflicts_with_all = ["verify"])]
    pub(in crate::cli) as_user: Option<String>,
    /// How long to wait for locks, and for an answer when a commit was cut off, such as 30s or 500ms
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = super::time_limit)]
    pub(in crate::cli) lock_timeout: Duration,
    /// Seal plaintext credentials too: all, or those of TENANT:COLUMN (anon or service); can be repeated
    #[arg(long, value_name = "TENANT:COLUMN", num_args = 0..=1, require_equals = true, default_missing_value = "",
          value_parser = seal, conflicts_with_all = ["restore", "verify"])]
    pub(in crate::cli) seal_plaintext: Vec<SealArg>,
    /// Leave what cannot be opened as it is, list it, and end with 1
    #[arg(long, conflicts_with_all = ["restore", "verify"])]
    pub(in crate::cli) skip_unreadable: bool,
    /// Do not ask
    #[arg(long, short)]
    pub(in crate::cli) yes: bool,
}

/// Where a key is to be had.
#[derive(Clone, Debug)]
pub(in crate::cli) enum KeyArg {
    Env(String),
    File(PathBuf),
    Prompt,
    /// Anything else: perhaps the key itself, which an error of clap's would repeat.
    Other,
}

impl std::fmt::Display for KeyArg {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Env(name) => write!(f, "env:{name}"),
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Prompt => f.write_str("prompt"),
            Self::Other => f.write_str("KEY"),
        }
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the shape that clap wants")]
fn key(text: &str) -> Result<KeyArg, String> {
    Ok(match text.split_once(':') {
        // A name with digits alone would be a key in the wrong place.
        Some(("env", name)) if !name.is_empty() && name.len() < 64 => KeyArg::Env(name.to_owned()),
        Some(("file", path)) if !path.is_empty() => KeyArg::File(PathBuf::from(path)),
        None if text == "prompt" => KeyArg::Prompt,
        _ => KeyArg::Other,
    })
}

/// Which plaintext is to be sealed.
#[derive(Clone, Debug)]
pub(in crate::cli) enum SealArg {
    All,
    One(Choice),
}

fn seal(text: &str) -> Result<SealArg, String> {
    if text.is_empty() {
        return Ok(SealArg::All);
    }
    let wrong = || "it takes TENANT:anon or TENANT:service".to_owned();
    let (tenant, column) =
        text.rsplit_once(':').filter(|(tenant, _)| !tenant.is_empty()).ok_or_else(wrong)?;
    let fits = |role: &Role| column == role.as_str() || column == role.column();
    let role = [Role::Anon, Role::Service].into_iter().find(fits).ok_or_else(wrong)?;
    Ok(SealArg::One(Choice { tenant: tenant.to_owned(), role }))
}

fn uuid(text: &str) -> Result<String, String> {
    let fits = |(at, b): (usize, u8)| match at {
        8 | 13 | 18 | 23 => b == b'-',
        _ => b.is_ascii_hexdigit(),
    };
    let is_uuid = text.len() == 36 && text.bytes().enumerate().all(fits);
    is_uuid.then(|| text.to_owned()).ok_or_else(|| "it takes a UUID, as audit_log has them".to_owned())
}
