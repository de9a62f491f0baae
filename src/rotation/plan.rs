//! Reading everything and changing nothing: what a rotation would do, and whether one has done it.
//!
//! Both read page by page in a transaction that only reads, so that writers wait for nothing.

use super::judge::{Action, ROLES, Reason, Tally, Unreadable};
use super::transaction::Done;
use super::{Cause, Outcome, PAGE, Rotation, Watch};
use crate::catalogue::rewrite::{Rewriter, StoredKey, StoredRow};

impl Rotation {
    /// What the rotation would find and do. What is inside a value is never judged.
    ///
    /// # Errors
    /// [`Cause::Rewrite`], [`Cause::Interrupted`].
    pub async fn plan(&self, rewriter: &mut Rewriter, watch: &mut Watch<'_>) -> Result<Outcome, Cause> {
        watch.unless_stopped(rewriter.begin_reading()).await?;
        let counts = watch.unless_stopped(rewriter.counts()).await?;
        let mut tally = Tally::default();
        self.read_all(rewriter, watch, |row| {
            for role in ROLES {
                if let Some(stored) = row.key(role) {
                    tally.see(row, role, &self.judge(row, role, stored));
                }
            }
        })
        .await?;
        rewriter.roll_back().await;
        Ok(Outcome { counts, tally, verified: false })
    }

    /// Proves that every value opens with the target key alone; tells of each other one what opens it.
    ///
    /// # Errors
    /// [`Cause::Rewrite`], [`Cause::Interrupted`], [`Cause::Miscount`].
    pub async fn verify(&self, rewriter: &mut Rewriter, watch: &mut Watch<'_>) -> Result<Outcome, Cause> {
        watch.unless_stopped(rewriter.begin_reading()).await?;
        let outcome = self.prove(rewriter, watch).await?.into_outcome();
        rewriter.roll_back().await;
        Ok(outcome)
    }

    /// Proves the same of what the present transaction has taken. Where every row stands in the very version that was
    /// read back, and none is there besides, each value was opened already; otherwise everything is read again. Rows
    /// that it has locked can only go by its own doing, which is a trigger's then.
    pub(super) async fn prove_taken(
        &self,
        rewriter: &mut Rewriter,
        taken: &Done,
        watch: &mut Watch<'_>,
    ) -> Result<Proof, Cause> {
        let proof = match watch.unless_stopped(rewriter.stand(&taken.versions)).await? {
            Some(counts) => Proof {
                counts,
                found: counts.with_key,
                current: taken.tally.current + taken.tally.changed(),
                skipped: taken.tally.unreadable.clone(),
                ..Proof::default()
            },
            None => self.prove(rewriter, watch).await?,
        };
        if proof.found < taken.rows {
            return Err(Cause::Miscount { found: proof.found, expected: taken.rows });
        }
        Ok(proof)
    }

    /// Reads every value within the present transaction and opens it with the target key alone.
    pub(super) async fn prove(&self, rewriter: &mut Rewriter, watch: &mut Watch<'_>) -> Result<Proof, Cause> {
        let counts = watch.unless_stopped(rewriter.counts()).await?;
        let mut proof = Proof { counts, ..Proof::default() };
        self.read_all(rewriter, watch, |row| {
            proof.found += 1;
            for role in ROLES {
                match row.key(role) {
                    None => {}
                    Some(StoredKey::Text(text)) if self.alone.open(text.expose()).is_ok() => {
                        proof.current += 1
                    }
                    Some(stored) => match self.judge(row, role, stored) {
                        // The target opens it after all, which cannot be.
                        Action::Leave => proof.current += 1,
                        Action::Reseal(..) => proof.late.push(Unreadable::new(row, role, Reason::EarlierKey)),
                        Action::Seal(_) => proof.late.push(Unreadable::new(row, role, Reason::Plaintext)),
                        Action::Skip(reason) => proof.skipped.push(Unreadable::new(row, role, reason)),
                        Action::Stop(reason) => proof.stuck.push(Unreadable::new(row, role, reason)),
                    },
                }
            }
        })
        .await?;
        // Rows may come while they are read, and a tenant may go; but none may be passed over.
        let now = watch.unless_stopped(rewriter.counts()).await?.with_key;
        let expected = counts.with_key.min(now);
        if proof.found < expected {
            return Err(Cause::Miscount { found: proof.found, expected });
        }
        Ok(proof)
    }

    async fn read_all(
        &self,
        rewriter: &mut Rewriter,
        watch: &mut Watch<'_>,
        mut each: impl FnMut(&StoredRow),
    ) -> Result<(), Cause> {
        let mut rows = watch.unless_stopped(rewriter.read(PAGE)).await?;
        while !rows.is_empty() {
            // The database reads the next page while this one is opened.
            let next = watch.unless_stopped(rewriter.read_on(PAGE));
            let opened = async { rows.iter().for_each(&mut each) };
            let (next, ()) = tokio::join!(next, opened);
            rows = next?;
        }
        Ok(())
    }
}

/// What a proof has found.
#[derive(Debug, Default)]
pub(super) struct Proof {
    pub(super) counts: crate::catalogue::rewrite::RowCounts,
    /// Rows with a key.
    found: u64,
    /// Values that open with the target alone.
    pub(super) current: u64,
    /// Values that were written meanwhile and are still to be taken.
    pub(super) late: Vec<Unreadable>,
    /// Values that are left as they are, by decision.
    pub(super) skipped: Vec<Unreadable>,
    /// Values that need a decision.
    pub(super) stuck: Vec<Unreadable>,
}

impl Proof {
    fn into_outcome(self) -> Outcome {
        let verified = self.late.is_empty() && self.skipped.is_empty() && self.stuck.is_empty();
        let unreadable = [self.late, self.skipped, self.stuck].concat();
        let tally = Tally { current: self.current, unreadable, ..Tally::default() };
        Outcome { counts: self.counts, tally, verified }
    }
}
