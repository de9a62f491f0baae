//! One transaction's worth of a rotation: rows locked page by page, opened, sealed, written, read back and compared.
//!
//! A file of its own because a rotation in one transaction, its rehearsal and each of its batches do the very same.
//!
//! Timing: while the database writes a page and looks for the next but one, the page in between is sealed and the one
//! before is compared, so that neither side waits for the other. Three pages are in memory at a time.

use super::judge::{Action, ROLES, Tally, Unreadable};
use super::source::{Reach, Source};
use super::{Backup, Cause, Line, News, Rotation, Watch};
use crate::catalogue::rewrite::{
    Change, Next, Place, Probe, RewriteError, Rewriter, Stored, StoredKey, StoredRow, Versions,
};
use crate::secret::Secret;
use crate::tenant::Role;

/// How many changed values are kept to tell the outcome of a commit by. Others may write to some of them at once.
const PROBES: usize = 16;

/// What a transaction has done so far.
#[derive(Debug, Default)]
pub(super) struct Done {
    pub(super) tally: Tally,
    pub(super) probes: Vec<Probe>,
    /// How many rows were locked and looked at.
    pub(super) rows: u64,
    /// The versions that they are in now: what each of them holds was read, and opens with the target key alone unless
    /// it was left as it is by decision.
    pub(super) versions: Versions,
    /// The last row that was locked, of a part.
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
    /// Rows that stay as they are.
    left: Vec<StoredRow>,
    undecided: Vec<Unreadable>,
    tally: Tally,
}

impl Rotation {
    /// Rotates rows within the present transaction.
    pub(super) async fn rotate(
        &self,
        rewriter: &mut Rewriter,
        mut backup: Option<&mut Backup>,
        watch: &mut Watch<'_>,
        reach: Reach,
    ) -> Result<Done, Cause> {
        let mut done = Done::default();
        let (mut source, mut coming) = Source::open(reach, rewriter, watch).await?;
        // Sealed and not yet written; written and not yet compared.
        let (mut ready, mut written): (Option<Sealed>, Option<(Sealed, Vec<Stored>)>) = (None, None);
        while ready.is_some() || !coming.is_empty() {
            let next = if coming.is_empty() { Next::Nothing } else { source.next() };
            let asked = !matches!(next, Next::Nothing);
            let work = watch.unless_stopped(write(rewriter, ready.as_ref(), next));
            let meanwhile = async {
                if let Some((page, stored)) = written.take() {
                    self.compare(&page, &stored)?;
                    done.keep(&page, &stored);
                }
                if let (Some(backup), Some(page)) = (&mut backup, &ready) {
                    backup.add(page.changes.iter().flat_map(Line::of_change))?;
                }
                let rows = std::mem::take(&mut coming);
                Ok::<_, Cause>((!rows.is_empty()).then(|| self.seal(rows)))
            };
            let (answer, sealed) = tokio::join!(work, meanwhile);
            let (stored, rows) = answer?;
            let sealed = sealed?;
            if let Some(page) = ready.take() {
                done.count(&page);
                (watch.tell)(News::Done(page.rows()));
                written = Some((page, stored));
            }
            if asked {
                source.took(&rows);
            }
            (ready, coming) = (sealed, rows);
            if let Some(page) = ready.as_mut().filter(|page| !page.undecided.is_empty()) {
                return Err(Cause::Undecided(std::mem::take(&mut page.undecided)));
            }
        }
        if let Some((page, stored)) = written {
            self.compare(&page, &stored)?;
            done.keep(&page, &stored);
        }
        (done.last, done.finished) = source.end();
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
            } else {
                sealed.left.push(row);
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

/// Writes a page, if there is one, and gets the next rows.
async fn write(
    rewriter: &mut Rewriter,
    page: Option<&Sealed>,
    next: Next<'_>,
) -> Result<(Vec<Stored>, Vec<StoredRow>), RewriteError> {
    match page {
        Some(page) if !page.changes.is_empty() => rewriter.write(&page.changes, next).await,
        _ => Ok((Vec::new(), rewriter.next(next).await?)),
    }
}

impl Sealed {
    fn rows(&self) -> u64 {
        (self.changes.len() + self.left.len()) as u64
    }
}

impl Done {
    /// Adds what a page that was written held before.
    fn count(&mut self, page: &Sealed) {
        self.rows += page.rows();
        self.tally.add(page.tally.clone());
        self.remember(&page.changes);
    }

    /// Adds the versions that a page was left in.
    fn keep(&mut self, page: &Sealed, stored: &[Stored]) {
        page.left.iter().for_each(|row| self.versions.add_row(row));
        stored.iter().for_each(|stored| self.versions.add_stored(stored));
    }

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
