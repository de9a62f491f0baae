//! `boothds rotate-key`: every stored key under another encryption key; the proof of it; the way back.
//!
//! What comes first decides: arguments and settings, the keys (a new one is durable before anything else), the
//! application database, what its values need, the question, the work.

use std::pin::pin;
use std::time::Instant;

use tokio::sync::watch;

use crate::catalogue::rewrite::{RewriteError, RewriteOptions, Rewriter};
use crate::cli::args::{GlobalArgs, RotateKeyArgs, SealArg};
use crate::cli::block_on;
use crate::cli::confirm;
use crate::cli::error::CliError;
use crate::cli::exit_code::ExitCode;
use crate::cli::interrupt::Interrupt;
use crate::cli::output::Output;
use crate::cli::output::progress::Progress;
use crate::cli::resolve::Resolved;
use crate::rotation::{Backup, Cause, Decisions, Extent, Manner, News, Outcome, Rotation, Stopped, Watch};

mod announce;
mod failure;
mod keys;
mod report;
mod restore;
mod verify;

use announce::{Announced, announce};
use failure::{not_planned, stopped};
use keys::Keys;
use report::Report;

pub(in crate::cli) fn run(
    args: &RotateKeyArgs,
    global: &GlobalArgs,
    output: &mut Output,
) -> Result<ExitCode, CliError> {
    keys::refuse_bare(args)?;
    let asks = !args.yes && !args.dry_run && !args.verify;
    if asks && !confirm::is_possible() {
        return Err(CliError::usage("applying must be confirmed, and there is no terminal to ask on")
            .hint("add --yes once `--dry-run` shows what you expect"));
    }
    let resolved = Resolved::new(global, Vec::new(), output)?;
    resolved.database_url()?;
    if args.verify {
        return verify::run(args, &resolved, output);
    }
    if let Some(file) = &args.restore {
        return restore::run(file, args, &resolved, output);
    }
    refuse_existing_backup(args)?;
    let keys = Keys::new(args, &resolved, || refuse_nothing_stored(args, &resolved))?;
    if keys.from.is_empty() {
        return Err(nothing_to_rotate_from(&keys));
    }
    announce_settings(&resolved, &keys, output);
    let rotation = Rotation::new(keys.target.clone(), keys.from.clone(), decisions(args));
    let run = Run { args, resolved: &resolved, keys: &keys, rotation: &rotation };
    block_on(async |interrupt| run.rotate(output, interrupt).await)
}

/// What the arguments say about values that no key opens.
fn decisions(args: &RotateKeyArgs) -> Decisions {
    let seals = args.seal_plaintext.iter();
    Decisions {
        seal_all: seals.clone().any(|seal| matches!(seal, SealArg::All)),
        seal: seals
            .filter_map(|seal| match seal {
                SealArg::One(choice) => Some(choice.clone()),
                SealArg::All => None,
            })
            .collect(),
        skip: args.skip_unreadable,
    }
}

/// Known before a key is made for it.
fn refuse_existing_backup(args: &RotateKeyArgs) -> Result<(), CliError> {
    let there = args.backup.as_ref().filter(|file| file.symlink_metadata().is_ok());
    there.map_or(Ok(()), |file| Err(failure::backup_exists(file)))
}

/// Looks for a stored key before one is made for them. Whatever else is in the way, a database that cannot be reached
/// above all, is said later: the key is durable then, and the next run takes it.
fn refuse_nothing_stored(args: &RotateKeyArgs, resolved: &Resolved) -> Result<(), CliError> {
    let url = resolved.database_url()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|source| CliError::io("cannot start the runtime", &source))?;
    let found = runtime.block_on(async {
        let mut rewriter = Rewriter::open(&url.value, options(args)).await?;
        rewriter.begin_reading().await?;
        let counts = rewriter.counts().await?;
        let address = rewriter.address().to_owned();
        rewriter.close().await;
        Ok::<_, RewriteError>((counts.with_key, address))
    });
    runtime.shutdown_background();
    match found {
        Ok((0, address)) => Err(failure::nothing_stored(&address)),
        _ => Ok(()),
    }
}

fn nothing_to_rotate_from(keys: &Keys) -> CliError {
    let id = keys.target.id();
    CliError::new(ExitCode::Unchanged, format!("the target {id} is the only key that was given: nothing was changed"))
        .hint(
            "name the key that the values are sealed with in --from or ENCRYPTION_KEY_PREVIOUS; to see whether all are \
             under the target already: `boothds rotate-key --verify`",
        )
}

/// A command that writes says where to, with what, and who said so.
fn announce_settings(resolved: &Resolved, keys: &Keys, output: &mut Output) {
    if let Some(url) = &resolved.settings.database_url {
        output.note(&format!(
            "application database {} ({})",
            crate::url::masked(url.value.expose()),
            url.origin
        ));
    }
    let from: Vec<String> = keys.from.iter().map(|key| key.id().to_string()).collect();
    output.note(&format!("from key {} ({})", from.join(", "), keys.from_origin));
    output.note(&format!("to key {} ({})", keys.target.id(), keys.target_origin));
}

/// Ends the connections in good order, for as long as nobody is in a hurry: the work is done, whatever comes.
async fn part(rewriter: Rewriter, interrupt: &mut Interrupt) {
    tokio::select! {
        biased;
        () = rewriter.close() => {}
        _ = interrupt.received() => {}
    }
}

/// How transactions are to behave.
fn options(args: &RotateKeyArgs) -> RewriteOptions {
    let as_user = args.as_user.clone();
    RewriteOptions { lock_timeout: args.lock_timeout, as_user, statement_timeout: None }
}

/// What a run is about.
struct Run<'r> {
    args: &'r RotateKeyArgs,
    resolved: &'r Resolved,
    keys: &'r Keys,
    rotation: &'r Rotation,
}

impl Run<'_> {
    async fn rotate(&self, output: &mut Output, interrupt: &mut Interrupt) -> Result<ExitCode, CliError> {
        let start = Instant::now();
        let Self { args, resolved, keys, rotation } = *self;
        let url = resolved.database_url()?;
        let opened = Rewriter::open(&url.value, options(args)).await;
        let mut rewriter = opened.map_err(|error| not_planned(error.into(), resolved))?;
        let address = rewriter.address().to_owned();
        let report =
            Report { address, dry_run: args.dry_run, from: rotation.from(), to: rotation.to(), start };
        let plan = match self.begins_with_plan() {
            true => Some(self.plan(&report, &mut rewriter, output, interrupt).await?),
            false => failure::unknown_choices(args, &mut rewriter).await.map(|()| None)?,
        };
        let mut backup = match &args.backup {
            Some(file) if !args.dry_run => Some(Backup::create(file).map_err(failure::no_backup)?),
            _ => None,
        };
        let manner = match (args.dry_run, args.batch_size) {
            (true, _) => Manner::Rehearsal,
            (false, None) => Manner::Whole,
            (false, Some(size)) => Manner::Batches(size),
        };
        let tenants = plan.as_ref().map_or(0, |plan| plan.counts.with_key);
        let progress = Progress::of_rotation_if_visible(tenants);
        let (applied, code) = watched(output, interrupt, progress, async |watch| {
            rotation.apply(&mut rewriter, manner, backup.as_mut(), watch).await
        })
        .await?;
        match applied {
            Ok(outcome) if outcome.counts.with_key == 0 => {
                if let Some(backup) = backup {
                    let _ = backup.discard();
                }
                Err(failure::kept(failure::nothing_stored(&report.address), keys, args))
            }
            Ok(outcome) => {
                if let Some(Err(error)) = backup.map(Backup::finish) {
                    output.warning(&format!(
                        "the rotation stands, but the end of its backup is missing: {error}"
                    ));
                }
                let told = match args.dry_run {
                    true => Announced::default(),
                    false => announce(resolved, output, interrupt).await,
                };
                // Only now: a second signal ends the run from outside, and the server may take its time.
                let code = report.done(&outcome, keys, args, &told, output);
                part(rewriter, interrupt).await;
                Ok(code)
            }
            Err(stop) => {
                if let Some(backup) = backup
                    && stop.extent == Extent::Nothing
                {
                    // It holds nothing that ever stood, and would be in the way of the next attempt.
                    let _ = backup.discard();
                }
                if stop.extent != Extent::Nothing {
                    announce(resolved, output, interrupt).await;
                } else if plan.is_none() && matches!(stop.cause, Cause::Undecided(_)) {
                    // It stopped at the first of them.
                    self.plan(&report, &mut rewriter, output, interrupt).await?;
                }
                Err(stopped(stop, code, resolved, args))
            }
        }
    }

    /// Whether everything is to be read before anything is locked: for the question; and before a first batch is committed,
    /// which a value in a later one that needs a decision could not undo. Otherwise such a value is met on the way, and
    /// all is rolled back.
    fn begins_with_plan(&self) -> bool {
        let asks = !self.args.yes && !self.args.dry_run;
        asks || self.args.batch_size.is_some() && !self.args.dry_run
    }

    /// What there is to do, when nothing is in the way and nobody says no.
    async fn plan(
        &self,
        report: &Report,
        rewriter: &mut Rewriter,
        output: &mut Output,
        interrupt: &mut Interrupt,
    ) -> Result<Outcome, CliError> {
        let Self { args, resolved, keys, rotation } = *self;
        let (plan, code) = watched(output, interrupt, Progress::hidden(), async |watch| {
            rotation.plan(rewriter, watch).await
        })
        .await?;
        let plan = plan.map_err(|cause| interrupted(code).unwrap_or_else(|| not_planned(cause, resolved)))?;
        if plan.counts.with_key == 0 {
            return Err(failure::kept(failure::nothing_stored(&report.address), keys, args));
        }
        failure::unknown_choices(args, rewriter).await?;
        if !args.skip_unreadable && !plan.tally.unreadable.is_empty() {
            report.refused(&plan, output);
            return Err(not_planned(Cause::Undecided(plan.tally.unreadable), resolved));
        }
        if !args.yes && !args.dry_run && plan.tally.changed() > 0 {
            let question = report.question(&plan, keys);
            let answer = confirm::confirm(question, interrupt).await;
            if !answer.map_err(|error| failure::kept(error, keys, args))? {
                return Err(failure::declined(keys, args));
            }
        }
        Ok(plan)
    }
}

/// Runs a piece of work that hears signals and tells how far it is. The first signal stops it at the next safe place, and
/// its code comes back beside the result. A second one no longer waits for that: then nobody knows what a commit that
/// was under way has come to.
async fn watched<T>(
    output: &mut Output,
    interrupt: &mut Interrupt,
    progress: Progress,
    work: impl AsyncFnOnce(&mut Watch<'_>) -> T,
) -> Result<(T, Option<ExitCode>), CliError> {
    let (stop, heard) = watch::channel(false);
    let mut tell = |news: News| match news {
        News::Found(count) => progress.expect(count),
        News::Done(count) => progress.advance_by(count),
        News::Proving => progress.say("(reading everything back)"),
        News::Again => progress.reset(),
        News::Waiting(holder) => {
            progress.while_away(|| output.note(&format!("waiting for another rotation: {holder}")));
        }
    };
    let mut watch = Watch { stop: heard, tell: &mut tell };
    let mut code = None;
    let done = {
        let mut work = pin!(work(&mut watch));
        loop {
            tokio::select! {
                biased;
                done = &mut work => break done,
                signal = interrupt.received() => {
                    if code.replace(signal).is_some() {
                        return Err(failure::insisted());
                    }
                    let _ = stop.send(true);
                }
            }
        }
    };
    progress.finish();
    Ok((done, code))
}

/// The error of a run that was told to end before it changed anything.
fn interrupted(code: Option<ExitCode>) -> Option<CliError> {
    code.map(|code| CliError::new(code, format!("{}; nothing was changed", code.word())))
}
