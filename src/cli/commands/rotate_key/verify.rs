//! `boothds rotate-key --verify`: whether every stored key opens with the current key alone.

use std::time::Instant;

use super::failure::nothing_stored;
use super::keys::target;
use super::report::{Report, table, tenants};
use super::{Announced, interrupted, not_planned, options, watched};
use crate::catalogue::rewrite::Rewriter;
use crate::cipher::EncryptionKey;
use crate::cli::args::{Format, RotateKeyArgs};
use crate::cli::block_on;
use crate::cli::error::CliError;
use crate::cli::exit_code::ExitCode;
use crate::cli::interrupt::Interrupt;
use crate::cli::output::Output;
use crate::cli::output::progress::Progress;
use crate::cli::resolve::Resolved;
use crate::probe::milliseconds;
use crate::rotation::{Decisions, Rotation};

pub(super) fn run(
    args: &RotateKeyArgs,
    resolved: &Resolved,
    output: &mut Output,
) -> Result<ExitCode, CliError> {
    // The earlier keys only tell what opens a value that the current one does not.
    let ring = resolved.key_ring_if_set()?;
    let (key, others): (EncryptionKey, Vec<EncryptionKey>) = match (&args.to, ring) {
        (Some(to), ring) => {
            let earlier = ring.map(|ring| [&[ring.current().clone()], ring.earlier()].concat());
            (target(to)?, earlier.unwrap_or_default())
        }
        (None, Some(ring)) => (ring.current().clone(), ring.earlier().to_vec()),
        (None, None) => return Err(crate::cipher::KeyError::NotSet.into()),
    };
    let rotation = Rotation::new(key, others, Decisions::default());
    block_on(async |interrupt| prove(args, resolved, &rotation, output, interrupt).await)
}

async fn prove(
    args: &RotateKeyArgs,
    resolved: &Resolved,
    rotation: &Rotation,
    output: &mut Output,
    interrupt: &mut Interrupt,
) -> Result<ExitCode, CliError> {
    let start = Instant::now();
    let url = resolved.database_url()?;
    let opened = Rewriter::open(&url.value, options(args)).await;
    let mut rewriter = opened.map_err(|error| not_planned(error.into(), resolved))?;
    let address = rewriter.address().to_owned();
    let (outcome, code) = watched(output, interrupt, Progress::hidden(), async |watch| {
        rotation.verify(&mut rewriter, watch).await
    })
    .await?;
    let outcome =
        outcome.map_err(|cause| interrupted(code).unwrap_or_else(|| not_planned(cause, resolved)))?;
    rewriter.close().await;
    if outcome.counts.with_key == 0 {
        return Err(nothing_stored(&address));
    }
    let report = Report { address, dry_run: false, from: Vec::new(), to: rotation.to(), start };
    if output.format() == Format::Table {
        output.print(&table(&outcome.tally.unreadable));
        output.line(&format!(
            "{} stored keys of {} in {} open with key {} alone, {} do not, in {} ms",
            outcome.tally.current,
            tenants(outcome.counts.with_key),
            report.address,
            report.to,
            outcome.tally.unreadable.len(),
            milliseconds(start.elapsed())
        ));
    } else {
        report.json(&outcome, &Announced::default(), output);
    }
    Ok(if outcome.verified { ExitCode::Ok } else { ExitCode::Unhealthy })
}
