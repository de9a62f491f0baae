//! Taking a rotation back: the old value of a backup where the new one still stands, in one transaction.
//!
//! A file of its own because it opens nothing and needs no key: it must work when the new key is lost.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Cause, Extent, Line, LineError, Lines, News, PAGE, Stopped, Watch};
use crate::catalogue::rewrite::{Change, Commit, Next, Probe, Rewriter, Stored, StoredKey, StoredRow};
use crate::tenant::{Role, TenantId};

/// What was restored.
#[derive(Debug, Default)]
pub struct Restored {
    /// Values that were put back.
    pub restored: u64,
    /// Values that stand there as they were before the rotation.
    pub already: u64,
    /// Values that were left as they are.
    pub not_restored: Vec<NotRestored>,
}

/// A value that was left as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NotRestored {
    /// The tenant's id.
    pub tenant: TenantId,
    /// The column.
    pub column: &'static str,
    /// Why.
    pub reason: WhyNot,
}

/// Why a value was left as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum WhyNot {
    /// Somebody has written another value since.
    Changed,
    /// There is no such tenant any more.
    NoTenant,
}

impl WhyNot {
    /// The word in JSON and tables.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::NoTenant => "no-tenant",
        }
    }
}

/// Why a backup was not restored.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The file is no backup.
    #[error(transparent)]
    Line(#[from] LineError),
    /// As with a rotation.
    #[error(transparent)]
    Cause(#[from] Cause),
}

/// Restores a backup; with `rehearsal` everything is rolled back.
///
/// # Errors
/// A [`Stopped`], which says what was left behind; [`LineError`] with nothing changed.
pub async fn restore(
    rewriter: &mut Rewriter,
    lines: &mut Lines,
    rehearsal: bool,
    watch: &mut Watch<'_>,
) -> Result<Result<Restored, Stopped>, LineError> {
    let nothing = |cause: Cause| Stopped { extent: Extent::Nothing, cause };
    let (restored, probes) = match within(rewriter, lines, watch).await {
        Ok(done) => done,
        Err(RestoreError::Line(error)) => {
            rewriter.roll_back().await;
            return Err(error);
        }
        Err(RestoreError::Cause(cause)) => return Ok(Err(nothing(cause))),
    };
    if rehearsal || probes.is_empty() {
        rewriter.roll_back().await;
        return Ok(Ok(restored));
    }
    Ok(match rewriter.commit(&probes).await {
        Commit::Done => Ok(restored),
        Commit::NotDone(error) => Err(nothing(error.into())),
        Commit::Unknown(error) => Err(Stopped { extent: Extent::Unknown, cause: error.into() }),
    })
}

async fn within(
    rewriter: &mut Rewriter,
    lines: &mut Lines,
    watch: &mut Watch<'_>,
) -> Result<(Restored, Vec<Probe>), RestoreError> {
    watch.unless_stopped(rewriter.begin()).await?;
    if let Some(holder) = watch.unless_stopped(rewriter.try_lock(false)).await? {
        (watch.tell)(News::Waiting(holder));
        watch.unless_stopped(rewriter.wait_for_lock()).await?;
    }
    let mut work = Work::default();
    loop {
        let some: Vec<Line> = lines.by_ref().take(PAGE as usize).collect::<Result<_, _>>()?;
        if some.is_empty() {
            break;
        }
        let mut ids: Vec<&str> = some.iter().map(|line| line.tenant.as_str()).collect();
        ids.sort_unstable();
        ids.dedup();
        let rows = watch.unless_stopped(rewriter.lock_named(&ids)).await?;
        let changes = work.take(&some, rows);
        if !changes.is_empty() {
            let (stored, _) = watch.unless_stopped(rewriter.write(&changes, Next::Nothing)).await?;
            compare(&changes, &stored)?;
        }
        (watch.tell)(News::Done(some.len() as u64));
    }
    watch.unless_stopped(rewriter.settle_constraints()).await?;
    let left = work.left.into_iter().map(|((tenant, column), reason)| NotRestored { tenant, column, reason });
    Ok((Restored { not_restored: left.collect(), ..work.restored }, work.probes))
}

#[derive(Default)]
struct Work {
    restored: Restored,
    /// What was left as it is, until a later line fits it: a batch that was tried again has two for each value.
    left: BTreeMap<(TenantId, &'static str), WhyNot>,
    probes: Vec<Probe>,
}

impl Work {
    /// What the lines mean for the rows.
    fn take(&mut self, lines: &[Line], rows: Vec<StoredRow>) -> Vec<Change> {
        let mut changes: BTreeMap<String, Change> = rows
            .into_iter()
            .map(|row| (row.id.as_str().to_owned(), Change { row, anon: None, service: None }))
            .collect();
        for line in lines {
            let tenant = TenantId::new(line.tenant.clone());
            let value = (tenant.clone(), line.role.column());
            // An id is a uuid for most, which has more than one spelling; a backup has the server's.
            let Some(change) = changes.get_mut(&line.tenant) else {
                self.left.insert(value, WhyNot::NoTenant);
                continue;
            };
            let now = match (change.new_key(line.role), change.row.key(line.role)) {
                (Some(new), _) | (None, Some(StoredKey::Text(new))) => new.expose(),
                _ => "",
            };
            if now == line.new.expose() {
                self.left.remove(&value);
                self.restored.restored += 1;
                if self.probes.len() < PAGE as usize {
                    let (old, new) = (line.new.clone(), line.old.clone());
                    self.probes.push(Probe { id: tenant, role: line.role, old, new });
                }
                match line.role {
                    Role::Anon => change.anon = Some(line.old.clone()),
                    Role::Service => change.service = Some(line.old.clone()),
                }
            } else if now == line.old.expose() {
                self.left.remove(&value);
                self.restored.already += 1;
            } else {
                self.left.insert(value, WhyNot::Changed);
            }
        }
        changes.into_values().filter(|change| change.anon.is_some() || change.service.is_some()).collect()
    }
}

/// Every value that was written must be stored to the letter.
fn compare(changes: &[Change], stored: &[Stored]) -> Result<(), Cause> {
    for (number, change) in changes.iter().enumerate() {
        let stored = stored.iter().find(|stored| stored.change == number);
        for (role, now) in [
            (Role::Anon, stored.and_then(|stored| stored.anon.as_ref())),
            (Role::Service, stored.and_then(|stored| stored.service.as_ref())),
        ] {
            let Some(new) = change.new_key(role) else { continue };
            if !matches!(now, Some(StoredKey::Text(now)) if now.expose() == new.expose()) {
                let tenant = change.row.id.to_string();
                return Err(Cause::Mismatch {
                    tenant,
                    column: role.column(),
                    what: "something else is stored",
                });
            }
        }
    }
    Ok(())
}
