//! What is said when a rotation does not reach its end: what was left behind comes first, then why, then what to do.

use std::path::Path;

use super::keys::Keys;
use super::{Stopped, interrupted};
use crate::catalogue::rewrite::{RewriteError, Rewriter};
use crate::cli::ambient;
use crate::cli::args::{RotateKeyArgs, SealArg};
use crate::cli::error::CliError;
use crate::cli::exit_code::ExitCode;
use crate::cli::resolve::Resolved;
use crate::private_file::FileError;
use crate::rotation::{Cause, Extent, Unreadable};
use crate::sanitize::printable;

/// The most values that are named in an error; JSON has them all.
const NAMED: usize = 20;

const VERIFY: &str = "see where it stands with `boothds rotate-key --verify`, and finish with";

/// The command that goes on: the same again, with the files that this run has made taken or left alone.
fn resume(args: &RotateKeyArgs) -> String {
    let generated = args.generate.as_deref().filter(|file| file.exists());
    let backup = args.backup.as_deref().filter(|file| file.exists());
    if generated.is_none() && backup.is_none() {
        return "the same command again".to_owned();
    }
    ambient::arguments_resumed(generated, backup)
}

/// An error before anything was to be changed.
pub(super) fn not_planned(cause: Cause, resolved: &Resolved) -> CliError {
    match cause {
        Cause::Rewrite(RewriteError::Catalogue(error)) => resolved.unavailable(&error),
        Cause::Rewrite(error @ (RewriteError::Unfit { .. } | RewriteError::Lost { .. })) => {
            let hint = hint_of(&error);
            CliError::of(ExitCode::Unavailable, &error).hint(hint)
        }
        cause => of_cause(ExitCode::Unchanged, "nothing was changed", &cause),
    }
}

/// An error of the work itself.
pub(super) fn stopped(
    stop: Stopped,
    code: Option<ExitCode>,
    resolved: &Resolved,
    args: &RotateKeyArgs,
) -> CliError {
    match (stop.extent, stop.cause) {
        (Extent::Nothing, Cause::Interrupted) => {
            let error = interrupted(code).unwrap_or_else(|| CliError::interrupted(ExitCode::Interrupted));
            error.hint(format!("go on with {}", resume(args)))
        }
        (Extent::Nothing, Cause::Rewrite(RewriteError::Catalogue(error))) => {
            CliError { code: ExitCode::Unchanged, ..resolved.unavailable(&error) }
        }
        (Extent::Nothing, cause) => of_cause(ExitCode::Unchanged, "nothing was changed", &cause),
        (Extent::Part { changed }, cause) => {
            let what = format!("{changed} stored keys were rotated, the others were not");
            of_cause(ExitCode::Partial, &what, &cause).hint(format!("{VERIFY} {}", resume(args)))
        }
        (Extent::Unknown, cause) => {
            let what = "it is not known whether the last transaction was committed";
            of_cause(ExitCode::Partial, what, &cause).hint(format!(
                "keep both encryption keys; when the database answers again, {VERIFY} {}",
                resume(args)
            ))
        }
    }
}

fn of_cause(code: ExitCode, what: &str, cause: &Cause) -> CliError {
    let mut error = CliError::of(code, cause);
    error.message = format!("{}; {what}", error.message);
    let hint = match cause {
        Cause::Undecided(values) => {
            error.causes.extend(named(values));
            "correct these rows, seal plaintext with --seal-plaintext, or leave them behind with --skip-unreadable; is \
             the key that sealed them among --from?"
                .to_owned()
        }
        Cause::Rewrite(rewrite) => hint_of(rewrite),
        Cause::Mismatch { .. } => {
            "look for triggers and rules on `tenants` that change what is written".to_owned()
        }
        Cause::Miscount { .. } => "run it again; rows may have gone meanwhile".to_owned(),
        Cause::Writers { .. } => {
            "give the services the target key as their current one first, or stop them for the rotation"
                .to_owned()
        }
        Cause::TooLongForBackup { .. } => {
            "is it a key at all? correct the row, or rotate without --backup".to_owned()
        }
        Cause::Backup(_) => "name another file with --backup, where there is room".to_owned(),
        Cause::Interrupted => "run it again".to_owned(),
    };
    error.hint(hint)
}

/// The values by name, a line each.
fn named(values: &[Unreadable]) -> Vec<String> {
    let mut lines: Vec<String> = values
        .iter()
        .take(NAMED)
        .map(|value| {
            let name = if value.subdomain.is_empty() { value.tenant.as_str() } else { &value.subdomain };
            format!("{}: {} holds {}", printable(name), value.column, value.reason.sentence())
        })
        .collect();
    if values.len() > NAMED {
        lines.push(format!("and {} more; --json has them all", values.len() - NAMED));
    }
    lines
}

fn hint_of(error: &RewriteError) -> String {
    match error {
        RewriteError::Catalogue(_) => "is the application database reachable?".to_owned(),
        RewriteError::Unfit { .. } => {
            "is this the application database? rows must be told apart by the primary key `id` of a plain table".to_owned()
        }
        RewriteError::Locked { .. } => {
            "wait until it has ended, or longer with --lock-timeout; if that process is dead, end its session: \
             SELECT pg_terminate_backend(pid)"
                .to_owned()
        }
        RewriteError::RowsLocked { .. } => {
            "end that transaction, or wait longer with --lock-timeout; --batch-size locks fewer rows at a time".to_owned()
        }
        RewriteError::LockLost { .. } => "run it again; look for what ended the session".to_owned(),
        RewriteError::Trigger(trigger) => trigger.mend.hint(&trigger.function),
        RewriteError::Refused { source, .. } => match source.class {
            crate::failure::FailureClass::Grant => {
                "the role needs SELECT and UPDATE on `tenants`, and must see every row: the owner, or a role with \
                 BYPASSRLS where policies are in force"
                    .to_owned()
            }
            crate::failure::FailureClass::DatabaseDown => {
                "is the disk full, or another program writing to the file? then run it again".to_owned()
            }
            _ => "look at what the database says, then run it again".to_owned(),
        },
        RewriteError::Lost { .. } => "when the database answers again, run it again".to_owned(),
    }
}

/// A second signal, before the first one's safe place was reached.
pub(super) fn insisted() -> CliError {
    CliError::new(
        ExitCode::Partial,
        "interrupted twice: it is not known whether the last transaction was committed",
    )
    .hint(
        "keep both encryption keys; see where it stands with `boothds rotate-key --verify`, and run it again",
    )
}

/// The answer "no".
pub(super) fn declined(keys: &Keys, args: &RotateKeyArgs) -> CliError {
    kept(CliError::new(ExitCode::Unchanged, "not confirmed; nothing was changed"), keys, args)
}

/// An error that leaves a key unused that was made for this.
pub(super) fn kept(error: CliError, keys: &Keys, args: &RotateKeyArgs) -> CliError {
    match &args.generate {
        Some(file) if !args.dry_run => error.hint(format!(
            "{} holds the unused key {}; go on with --to file:{}, or remove it",
            file.display(),
            keys.target.id(),
            file.display()
        )),
        _ => error,
    }
}

/// There is nothing to rotate or to prove, which would look like success.
pub(super) fn nothing_stored(address: &str) -> CliError {
    CliError::new(
        ExitCode::NotFound,
        format!("no tenant of {address} has a stored key: is this the application database?"),
    )
}

/// A tenant of --seal-plaintext that does not exist is a typing error, and what was meant would stay as it is.
pub(super) async fn unknown_choices(args: &RotateKeyArgs, rewriter: &mut Rewriter) -> Result<(), CliError> {
    let names: Vec<&str> = args
        .seal_plaintext
        .iter()
        .filter_map(|seal| match seal {
            SealArg::One(choice) => Some(choice.tenant.as_str()),
            SealArg::All => None,
        })
        .collect();
    if names.is_empty() {
        return Ok(());
    }
    let known = rewriter.known(&names).await.map_err(|error| {
        let hint = hint_of(&error);
        CliError::of(ExitCode::Unavailable, &error).hint(hint)
    })?;
    match names.iter().find(|name| !known.iter().any(|known| known == *name)) {
        None => Ok(()),
        Some(name) => Err(CliError::new(
            ExitCode::NotFound,
            format!("there is no tenant `{}` for --seal-plaintext", printable(name)),
        )
        .hint("`boothds tenants` lists ids and subdomains")),
    }
}

/// There is a file where the backup was to be.
pub(super) fn backup_exists(file: &Path) -> CliError {
    no_backup(FileError::Exists(file.to_owned()))
}

/// The backup cannot be made.
pub(super) fn no_backup(error: FileError) -> CliError {
    CliError::from(error).hint(
        "nothing was changed; name another file: an earlier backup may be the only copy of the old values",
    )
}
