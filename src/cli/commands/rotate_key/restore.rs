//! `boothds rotate-key --restore FILE`: the old values of a backup, where the new ones still stand. It needs no key.

use std::path::Path;
use std::time::Instant;

use serde::Serialize;

use super::{Announced, announce, not_planned, options, part, stopped, watched};
use crate::catalogue::rewrite::Rewriter;
use crate::cli::args::{Format, RotateKeyArgs};
use crate::cli::block_on;
use crate::cli::confirm;
use crate::cli::error::CliError;
use crate::cli::exit_code::ExitCode;
use crate::cli::interrupt::Interrupt;
use crate::cli::output::Output;
use crate::cli::output::progress::Progress;
use crate::cli::output::table::{Rows, Tone};
use crate::cli::resolve::Resolved;
use crate::probe::milliseconds;
use crate::rotation::{Extent, LineError, Lines, NotRestored, Restored, restore};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    application_database: &'a str,
    dry_run: bool,
    keys: Keys,
    not_restored: &'a [NotRestored],
    processes_told: u64,
    duration_ms: f64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Keys {
    restored: u64,
    already_restored: u64,
    not_restored: usize,
}

pub(super) fn run(
    file: &Path,
    args: &RotateKeyArgs,
    resolved: &Resolved,
    output: &mut Output,
) -> Result<ExitCode, CliError> {
    let unreadable =
        |error| CliError::from(error).hint("nothing was changed; name the file that --backup wrote");
    // Every line is read before the first is restored: a file that is no backup, or a damaged one, changes nothing.
    let mut lines = Lines::open(file).map_err(unreadable)?;
    let mut count = 0u64;
    for line in lines.by_ref() {
        line.map_err(|error| damaged(file, &error))?;
        count += 1;
    }
    if count == 0 {
        return Err(empty(file, "holds no line of a backup"));
    }
    if lines.torn {
        output.warning(
            "the last line of the backup has no end: the run that wrote it ended before it committed that, or the file \
             was cut off",
        );
    } else if !lines.ended {
        output.warning(
            "the backup does not say that it is whole: the run that wrote it did not reach its end, or the file was cut off",
        );
    }
    let whole = !lines.torn;
    let mut lines = Lines::open(file).map_err(unreadable)?;
    if let Some(url) = &resolved.settings.database_url {
        let shown = crate::url::masked(url.value.expose());
        output.note(&format!("application database {shown} ({})", url.origin));
    }
    let done = block_on(async |interrupt| {
        put_back(args, resolved, (&mut lines, count, file), output, interrupt).await
    })?;
    Ok(if whole { done } else { ExitCode::Unhealthy })
}

fn empty(file: &Path, what: &str) -> CliError {
    CliError::new(ExitCode::Unchanged, format!("{} {what}; nothing was changed", file.display()))
        .hint("is it the file that --backup wrote?")
}

fn damaged(file: &Path, error: &LineError) -> CliError {
    CliError::of(ExitCode::Unchanged, error)
        .hint(format!("nothing was changed; is {} the file that --backup wrote?", file.display()))
}

async fn put_back(
    args: &RotateKeyArgs,
    resolved: &Resolved,
    (lines, count, file): (&mut Lines, u64, &Path),
    output: &mut Output,
    interrupt: &mut Interrupt,
) -> Result<ExitCode, CliError> {
    let start = Instant::now();
    let url = resolved.database_url()?;
    let opened = Rewriter::open(&url.value, options(args)).await;
    let mut rewriter = opened.map_err(|error| not_planned(error.into(), resolved))?;
    let address = rewriter.address().to_owned();
    if !args.yes && !args.dry_run {
        let question = format!(
            "Put {count} stored keys of {} back in {address}, where they were not changed since?",
            file.display()
        );
        if !confirm::confirm(question, interrupt).await? {
            return Err(CliError::new(ExitCode::Unchanged, "not confirmed; nothing was changed"));
        }
    }
    let progress = Progress::of_rotation_if_visible(count);
    let (done, code) = watched(output, interrupt, progress, async |watch| {
        restore(&mut rewriter, lines, args.dry_run, watch).await
    })
    .await?;
    let restored = match done.map_err(|error| damaged(file, &error))? {
        Ok(restored) => restored,
        Err(stop) => {
            if stop.extent != Extent::Nothing {
                announce(resolved, output, interrupt).await;
            }
            return Err(stopped(stop, code, resolved, args));
        }
    };
    if restored.restored + restored.already == 0 && restored.not_restored.is_empty() {
        return Err(empty(file, "had lines, and has none any more"));
    }
    let told = match args.dry_run {
        true => Announced::default(),
        false => announce(resolved, output, interrupt).await,
    };
    print(&restored, (&address, args.dry_run, milliseconds(start.elapsed())), &told, output);
    part(rewriter, interrupt).await;
    Ok(if restored.not_restored.is_empty() { ExitCode::Ok } else { ExitCode::Unhealthy })
}

fn print(
    restored: &Restored,
    (address, dry_run, duration_ms): (&str, bool, f64),
    told: &Announced,
    output: &mut Output,
) {
    if output.format() != Format::Table {
        return output.json(&Document {
            application_database: address,
            dry_run,
            keys: Keys {
                restored: restored.restored,
                already_restored: restored.already,
                not_restored: restored.not_restored.len(),
            },
            not_restored: &restored.not_restored,
            processes_told: told.processes_told,
            duration_ms,
        });
    }
    if !restored.not_restored.is_empty() {
        let mut rows = Rows::new(["TENANT", "COLUMN", "LEFT AS IT IS"]);
        for left in &restored.not_restored {
            rows.add([
                (left.tenant.as_str(), Tone::Plain),
                (left.column, Tone::Plain),
                (left.reason.as_str(), Tone::Bad),
            ]);
        }
        output.print(&format!("{}\n", rows.finish()));
    }
    let did = if dry_run { "would be put back" } else { "put back" };
    output.line(&format!(
        "{} stored keys {did} in {address}, {} were there already, {} were left, in {duration_ms} ms",
        restored.restored,
        restored.already,
        restored.not_restored.len()
    ));
    if !dry_run {
        output.note("next: give the services the key that the old values are sealed with");
    }
}
