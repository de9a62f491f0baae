//! Carrying a rotation out: in one transaction, or in batches that each stand for themselves.
//!
//! In one transaction either every value is changed or none. In batches a stop in between leaves a part under the new
//! key, and running again takes the rest; the lock against a second rotation is then held by a connection of its own.

use super::judge::Tally;
use super::plan::Proof;
use super::source::Reach;
use super::transaction::Done;
use super::{Backup, Cause, Extent, News, Outcome, PAGE, ROUNDS, Rotation, Stopped, Watch};
use crate::catalogue::rewrite::{Commit, Place, Rewriter};

/// How often a batch is tried again when another transaction and it stood in each other's way.
const COLLISIONS: u32 = 5;

/// How a rotation is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Everything, and rolled back.
    Rehearsal,
    /// Everything in one transaction.
    Whole,
    /// This many tenants in each transaction.
    Batches(u32),
}

impl Rotation {
    /// Carries the rotation out. `backup` gets every change before it is committed.
    ///
    /// # Errors
    /// A [`Stopped`], which says what was left behind.
    pub async fn apply(
        &self,
        rewriter: &mut Rewriter,
        manner: Manner,
        backup: Option<&mut Backup>,
        watch: &mut Watch<'_>,
    ) -> Result<Outcome, Stopped> {
        match manner {
            Manner::Batches(size) => self.in_batches(rewriter, u64::from(size), backup, watch).await,
            Manner::Whole | Manner::Rehearsal => {
                let applied = self.in_one(rewriter, manner == Manner::Rehearsal, backup, watch).await;
                if let Err(stopped) = &applied
                    && !matches!(stopped.cause, Cause::Interrupted)
                {
                    // After an interrupt the connection is at work still, and is dropped.
                    rewriter.roll_back().await;
                }
                applied
            }
        }
    }

    async fn in_one(
        &self,
        rewriter: &mut Rewriter,
        rehearsal: bool,
        mut backup: Option<&mut Backup>,
        watch: &mut Watch<'_>,
    ) -> Result<Outcome, Stopped> {
        let nothing = |cause| Stopped { extent: Extent::Nothing, cause };
        watch.unless_stopped(rewriter.begin()).await.map_err(nothing)?;
        lock(rewriter, watch, false).await.map_err(nothing)?;
        let mut done = Tally::default();
        let mut probes = Vec::new();
        let mut round = 1;
        let proof = loop {
            let taken = self.rotate(rewriter, backup.as_deref_mut(), watch, Reach::All).await;
            let mut taken = taken.map_err(nothing)?;
            probes.append(&mut taken.probes);
            watch.unless_stopped(rewriter.settle_constraints()).await.map_err(nothing)?;
            (watch.tell)(News::Proving);
            let proof = self.prove_taken(rewriter, &taken, watch).await.map_err(nothing)?;
            done.add(taken.tally);
            if let Some(proof) = next_round(proof, &mut round, watch).map_err(nothing)? {
                break proof;
            }
        };
        let outcome = outcome(proof, done);
        if rehearsal || probes.is_empty() {
            rewriter.roll_back().await;
            return Ok(outcome);
        }
        if let Some(backup) = backup {
            backup.sync().map_err(|error| nothing(error.into()))?;
        }
        watch.unless_stopped(rewriter.still_locked()).await.map_err(nothing)?;
        match rewriter.commit(&probes).await {
            Commit::Done => Ok(outcome),
            Commit::NotDone(error) => Err(nothing(error.into())),
            Commit::Unknown(error) => Err(Stopped { extent: Extent::Unknown, cause: error.into() }),
        }
    }

    async fn in_batches(
        &self,
        rewriter: &mut Rewriter,
        size: u64,
        mut backup: Option<&mut Backup>,
        watch: &mut Watch<'_>,
    ) -> Result<Outcome, Stopped> {
        let mut done = Tally::default();
        let stopped = |done: &Tally, cause| {
            let changed = done.changed();
            let extent = if changed == 0 { Extent::Nothing } else { Extent::Part { changed } };
            Stopped { extent, cause }
        };
        lock(rewriter, watch, true).await.map_err(|cause| stopped(&done, cause))?;
        self.rehearse(rewriter, size, watch).await.map_err(|cause| stopped(&done, cause))?;
        let mut round = 1;
        loop {
            let mut after = None;
            loop {
                let batch = self.batch(rewriter, backup.as_deref_mut(), watch, after, size).await;
                let batch = batch.map_err(|stop| match stop {
                    Failed::Before(cause) => stopped(&done, cause),
                    Failed::InDoubt(cause) => Stopped { extent: Extent::Unknown, cause },
                })?;
                done.add(batch.tally);
                after = batch.last;
                if batch.finished {
                    break;
                }
            }
            (watch.tell)(News::Proving);
            let proof = async {
                watch.unless_stopped(rewriter.begin_reading()).await?;
                let proof = self.prove(rewriter, watch).await?;
                rewriter.roll_back().await;
                next_round(proof, &mut round, watch)
            };
            match proof.await {
                Ok(Some(proof)) => return Ok(outcome(proof, done)),
                Ok(None) => {}
                Err(cause) => return Err(stopped(&done, cause)),
            }
        }
    }

    /// The first page, written and rolled back: what a trigger, a constraint or a missing permission has to say is heard
    /// before the first batch is committed.
    async fn rehearse(&self, rewriter: &mut Rewriter, size: u64, watch: &mut Watch<'_>) -> Result<(), Cause> {
        let mut quiet = |_| ();
        let mut silent = Watch { stop: watch.stop.clone(), tell: &mut quiet };
        let first = Reach::Part { after: None, limit: size.min(PAGE.into()) };
        silent.unless_stopped(rewriter.begin()).await?;
        self.rotate(rewriter, None, &mut silent, first).await?;
        silent.unless_stopped(rewriter.settle_constraints()).await?;
        rewriter.roll_back().await;
        Ok(())
    }

    /// One batch, committed.
    async fn batch(
        &self,
        rewriter: &mut Rewriter,
        mut backup: Option<&mut Backup>,
        watch: &mut Watch<'_>,
        after: Option<Place>,
        size: u64,
    ) -> Result<Done, Failed> {
        let mut collisions = 0;
        let done = loop {
            let tried = async {
                watch.unless_stopped(rewriter.begin()).await?;
                let part = Reach::Part { after: after.clone(), limit: size };
                let done = self.rotate(rewriter, backup.as_deref_mut(), watch, part).await?;
                watch.unless_stopped(rewriter.settle_constraints()).await?;
                Ok(done)
            };
            match tried.await {
                Ok(done) => break done,
                Err(Cause::Rewrite(error)) if error.is_collision() && collisions < COLLISIONS => {
                    collisions += 1;
                    rewriter.roll_back().await;
                }
                Err(cause) => {
                    if !matches!(cause, Cause::Interrupted) {
                        rewriter.roll_back().await;
                    }
                    return Err(Failed::Before(cause));
                }
            }
        };
        if done.probes.is_empty() {
            let locked = watch.unless_stopped(rewriter.still_locked()).await;
            rewriter.roll_back().await;
            return locked.map(|()| done).map_err(Failed::Before);
        }
        let ready = async {
            if let Some(backup) = backup {
                backup.sync()?;
            }
            watch.unless_stopped(rewriter.still_locked()).await
        };
        if let Err(cause) = ready.await {
            rewriter.roll_back().await;
            return Err(Failed::Before(cause));
        }
        match rewriter.commit(&done.probes).await {
            Commit::Done => Ok(done),
            Commit::NotDone(error) => Err(Failed::Before(error.into())),
            Commit::Unknown(error) => Err(Failed::InDoubt(error.into())),
        }
    }
}

/// Why a batch was not committed, or not certainly.
enum Failed {
    Before(Cause),
    InDoubt(Cause),
}

/// Takes the lock against a second rotation, and says whose it is while it waits.
async fn lock(rewriter: &mut Rewriter, watch: &mut Watch<'_>, apart: bool) -> Result<(), Cause> {
    if let Some(holder) = watch.unless_stopped(rewriter.try_lock(apart)).await? {
        (watch.tell)(News::Waiting(holder));
        watch.unless_stopped(rewriter.wait_for_lock()).await?;
    }
    Ok(())
}

/// The proof, if it leaves nothing to do; nothing when what others have written meanwhile is to be taken first.
fn next_round(proof: Proof, round: &mut u32, watch: &mut Watch<'_>) -> Result<Option<Proof>, Cause> {
    if !proof.stuck.is_empty() {
        return Err(Cause::Undecided(proof.stuck));
    }
    if proof.late.is_empty() {
        return Ok(Some(proof));
    }
    if *round >= ROUNDS {
        return Err(Cause::Writers { left: proof.late.len() as u64 });
    }
    *round += 1;
    (watch.tell)(News::Again);
    Ok(None)
}

/// What was done, and what there is at the end. A value that was changed twice counts as often.
fn outcome(proof: Proof, done: Tally) -> Outcome {
    let current = proof.current.saturating_sub(done.changed());
    let verified = proof.skipped.is_empty();
    Outcome { counts: proof.counts, tally: Tally { current, unreadable: proof.skipped, ..done }, verified }
}
