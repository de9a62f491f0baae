//! One transaction's worth of a rotation: rows locked page by page, opened, sealed, written, read back and compared.
//!
//! A file of its own because a rotation in one transaction, its rehearsal and each of its batches do the very same.

use super::judge::{Action, ROLES, Tally, Unreadable};
use super::{Backup, Cause, Line, News, PAGE, Rotation, Watch};
use crate::catalogue::rewrite::{Change, Place, Probe, Rewriter, Stored, StoredKey, StoredRow};
use crate::secret::Secret;
use crate::tenant::Role;

/// How many changed values are kept to tell the outcome of a commit by. Others may write to some of them at once.
const PROBES: usize = 16;

/// What a transaction has done so far.
#[derive(Debug, Default)]
pub(super) struct Done {
    pub(super) tally: Tally,
    pub(super) probes: Vec<Probe>,
    /// The last row that was locked.
    pub(super) last: Option<Place>,
    /// Whether there was no row behind it.
    pub(super) finished: bool,
}

/// A page, opened and sealed again.
#[derive(Default)]
struct Sealed {
    changes: Vec<Change>,
    /// What the new keys of each change must open to, anon and service.
    plaintexts: Vec<[Option<Secret>; 2]>,
    undecided: Vec<Unreadable>,
    tally: Tally,
}

impl Rotation {
    /// Rotates the rows behind `after`, at most `limit` of them, within the present transaction.
    pub(super) async fn rotate(
        &self,
        rewriter: &mut Rewriter,
        mut backup: Option<&mut Backup>,
        watch: &mut Watch<'_>,
        after: Option<Place>,
        limit: u64,
    ) -> Result<Done, Cause> {
        let mut done = Done { last: after, ..Done::default() };
        let mut left = limit;
        let page = |left: u64| u32::try_from(left).map_or(PAGE, |left| left.min(PAGE));
        let mut rows = watch.unless_stopped(rewriter.lock(done.last.as_ref(), page(left))).await?;
        // Compared while the database writes the next page.
        let mut uncompared: Option<(Sealed, Vec<Stored>)> = None;
        while let Some(last) = rows.last() {
            let last = last.place().clone();
            let count = rows.len() as u64;
            left = left.saturating_sub(count);
            let mut sealed = self.seal(rows);
            if !sealed.undecided.is_empty() {
                return Err(Cause::Undecided(sealed.undecided));
            }
            rows = if sealed.changes.is_empty() {
                done.tally.add(std::mem::take(&mut sealed.tally));
                match page(left) {
                    0 => Vec::new(),
                    page => watch.unless_stopped(rewriter.lock(Some(&last), page)).await?,
                }
            } else {
                if let Some(backup) = &mut backup {
                    backup.add(sealed.changes.iter().flat_map(Line::of_change))?;
                }
                let written = watch.unless_stopped(rewriter.write(&sealed.changes, &last, page(left)));
                let before = uncompared.take();
                let compared = async { before.map_or(Ok(()), |(page, stored)| self.compare(&page, &stored)) };
                let (written, compared) = tokio::join!(written, compared);
                let (stored, next) = written?;
                compared?;
                done.remember(&sealed.changes);
                done.tally.add(std::mem::take(&mut sealed.tally));
                uncompared = Some((sealed, stored));
                next
            };
            done.last = Some(last);
            (watch.tell)(News::Done(count));
            if left == 0 {
                break;
            }
        }
        done.finished = left > 0;
        uncompared.map_or(Ok(()), |(page, stored)| self.compare(&page, &stored))?;
        Ok(done)
    }

    fn seal(&self, rows: Vec<StoredRow>) -> Sealed {
        let mut sealed = Sealed::default();
        for row in rows {
            let mut new = [None, None];
            let mut plaintexts = [None, None];
            for (at, role) in ROLES.into_iter().enumerate() {
                let Some(stored) = row.key(role) else { continue };
                let action = self.judge(&row, role, stored);
                if let Action::Stop(reason) = action {
                    sealed.undecided.push(Unreadable::new(&row, role, reason));
                }
                sealed.tally.see(&row, role, &action);
                if let Action::Reseal(plaintext, _) | Action::Seal(plaintext) = action {
                    new[at] = Some(Secret::new(self.ring.seal(plaintext.expose())));
                    plaintexts[at] = Some(plaintext);
                }
            }
            let [anon, service] = new;
            if anon.is_some() || service.is_some() {
                sealed.changes.push(Change { row, anon, service });
                sealed.plaintexts.push(plaintexts);
            }
        }
        sealed
    }

    /// Opens what is stored with the target key alone: each value that was written must be there once, and open to what
    /// the old one opened to.
    fn compare(&self, sealed: &Sealed, stored: &[Stored]) -> Result<(), Cause> {
        let mut seen = vec![false; sealed.changes.len()];
        for stored in stored {
            let (Some(change), Some(expected), Some(seen)) = (
                sealed.changes.get(stored.change),
                sealed.plaintexts.get(stored.change),
                seen.get_mut(stored.change),
            ) else {
                continue;
            };
            *seen = true;
            for ((role, expected), now) in
                ROLES.into_iter().zip(expected).zip([&stored.anon, &stored.service])
            {
                let Some(expected) = expected else { continue };
                let Some(StoredKey::Text(now)) = now else {
                    return Err(mismatch(change, role, "there is nothing"));
                };
                match self.alone.open(now.expose()) {
                    Ok(opened) if opened.plaintext.expose() == expected.expose() => {}
                    Ok(_) => return Err(mismatch(change, role, "it opens to something else")),
                    Err(_) => return Err(mismatch(change, role, "the new key does not open it")),
                }
            }
        }
        match seen.iter().position(|seen| !seen) {
            Some(missing) => {
                let change = &sealed.changes[missing];
                let role = if change.anon.is_some() { Role::Anon } else { Role::Service };
                Err(mismatch(change, role, "the row was not written, by a trigger, a rule or a policy"))
            }
            None => Ok(()),
        }
    }
}

impl Done {
    /// Keeps some of the changes, the first and the last of a page.
    fn remember(&mut self, changes: &[Change]) {
        for change in changes.iter().take(1).chain(changes.iter().skip(1).last()) {
            if self.probes.len() >= PROBES {
                // Spread over the whole run.
                self.probes.remove(PROBES / 2);
            }
            self.probes.extend(ROLES.into_iter().find_map(|role| {
                let (Some(StoredKey::Text(old)), Some(new)) = (change.row.key(role), change.new_key(role))
                else {
                    return None;
                };
                Some(Probe { id: change.row.id.clone(), role, old: old.clone(), new: new.clone() })
            }));
        }
    }
}

fn mismatch(change: &Change, role: Role, what: &'static str) -> Cause {
    Cause::Mismatch { tenant: change.row.id.to_string(), column: role.column(), what }
}
