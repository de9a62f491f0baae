//! Rewriting keys in PostgreSQL.

use std::time::{Duration, Instant};

use sqlx::postgres::PgRow;
use sqlx::{Row, ValueRef};

use super::session::{Session, Trouble, spoken, text};
use super::statement::{Table, Transaction};
use super::{
    Change, Commit, Holder, Next, Place, Probe, RewriteError, RewriteOptions, RowCounts, Stored, StoredKey,
    StoredRow, Versions, verdict,
};
use crate::catalogue::postgres::{COLUMNS, Target};
use crate::catalogue::query::Dialect;
use crate::catalogue::{CatalogueError, Schema};
use crate::failure::{Failure, FailureClass};
use crate::secret::Secret;
use crate::tenant::TenantId;

/// How many rows are locked in one round trip that gives back nothing of them.
const LOCKED_AT_ONCE: u64 = 10_000;
/// How many versions are read in one round trip.
const VERSIONS_AT_ONCE: u32 = 4000;

/// What is done with rows, in words.
const LOCK: &str = "lock the rows of tenants";
const READ: &str = "read the rows of tenants";
const WRITE: &str = "write the keys of tenants";

/// The pause between two attempts to learn how a commit ended.
const ASK_AGAIN: Duration = Duration::from_millis(250);

/// A PostgreSQL server whose keys are rewritten.
#[derive(Debug)]
pub struct PostgresRewriter {
    pub(super) session: Session,
    /// Holds the lock where it must outlive a transaction.
    guard: Option<Session>,
    options: RewriteOptions,
    pub(super) table: Table,
    /// How many cursors there were.
    cursors: u32,
    /// The number of the transaction that writes.
    number: Option<String>,
}

/// What the server says of a transaction.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Status {
    Committed,
    Aborted,
    /// It is too long ago, at it still, or another server that never heard of it.
    NotSaid,
}

impl PostgresRewriter {
    pub(super) async fn open(url: &Secret, options: RewriteOptions) -> Result<Self, RewriteError> {
        let target = Target::of(url)?;
        let address = target.address.clone();
        let mut session = Session::new(target, options.lock_timeout);
        session.connect().await?;
        let columns = session.ask("read the columns of tenants", COLUMNS).await?;
        let columns: Vec<(String, String)> = columns
            .iter()
            .flatten()
            .map(|row| (lossy(row, 0).unwrap_or_default(), lossy(row, 1).unwrap_or_default()))
            .collect();
        Schema::check(Dialect::Postgres, &columns, &address)?;
        let found = session.ask("read what tenants is", Table::LOOK).await?;
        let table = match (text(&found, 0), text(&found, 2)) {
            (Some(name), Some(id_type)) => Table { name, id_type },
            _ => return Err(CatalogueError::NoTable { address }.into()),
        };
        let is = |at: usize, word: &str| text(&found, at).as_deref() == Some(word);
        let reason = match () {
            () if !is(1, "r") => "it is no plain table",
            () if !is(3, "true") => "its column `id` is no primary key, so that rows could be left out",
            () if !is(4, "false") => "other tables inherit from it",
            () => return Ok(Self { session, guard: None, options, table, cursors: 0, number: None }),
        };
        Err(RewriteError::Unfit { address, reason })
    }

    pub(super) fn address(&self) -> &str {
        &self.session.target.address
    }

    pub(super) async fn begin(&mut self, writes: bool) -> Result<(), RewriteError> {
        let answer =
            self.session.begin(&Transaction { options: &self.options, writes, guards: false }).await?;
        if writes {
            self.session.ask(READ, self.table.probe_policies()).await?;
        }
        self.number = if writes { text(&answer, 0) } else { None };
        Ok(())
    }

    pub(super) async fn try_lock(&mut self, apart: bool) -> Result<Option<Holder>, RewriteError> {
        if !apart {
            return self.session.try_lock().await;
        }
        let mut guard = Session::new(self.session.target.clone(), self.options.lock_timeout);
        guard.begin(&Transaction { options: &self.options, writes: false, guards: true }).await?;
        let holder = guard.try_lock().await;
        self.guard = Some(guard);
        holder
    }

    pub(super) async fn wait_for_lock(&mut self) -> Result<(), RewriteError> {
        self.guard.as_mut().unwrap_or(&mut self.session).wait_for_lock().await
    }

    pub(super) async fn still_locked(&mut self) -> Result<(), RewriteError> {
        self.guard.as_mut().unwrap_or(&mut self.session).still_locked().await
    }

    pub(super) async fn counts(&mut self) -> Result<RowCounts, RewriteError> {
        let answer = self.session.ask("count the rows of tenants", self.table.counts()).await?;
        let number = |at| text(&answer, at).and_then(|text| text.parse().ok()).unwrap_or(0);
        Ok(RowCounts { total: number(0), with_data_source: number(1), with_key: number(2) })
    }

    /// With a cursor, so that the server reads the table once from its beginning to its end: in the order of random
    /// ids each page would be read from all over the table. A writer's work in between does not change what it sees.
    pub(super) async fn read(&mut self, limit: u32) -> Result<Vec<StoredRow>, RewriteError> {
        let cursor = self.new_cursor();
        let sql = format!(
            "DECLARE {cursor} NO SCROLL CURSOR FOR {}; FETCH {limit} FROM {cursor}",
            self.table.all()
        );
        let answer = self.session.ask(READ, sql).await?;
        Ok(rows(answer.last()))
    }

    pub(super) async fn read_on(&mut self, limit: u32) -> Result<Vec<StoredRow>, RewriteError> {
        Ok(rows(self.session.ask(READ, self.fetch(limit)).await?.last()))
    }

    /// A name of its own for each cursor: a transaction may read everything more than once.
    fn new_cursor(&mut self) -> String {
        self.cursors += 1;
        self.cursor()
    }

    fn cursor(&self) -> String {
        format!("boothds_{}", self.cursors)
    }

    fn fetch(&self, limit: u32) -> String {
        format!("FETCH {limit} FROM {}", self.cursor())
    }

    pub(super) async fn lock_all(&mut self) -> Result<u64, RewriteError> {
        let cursor = self.new_cursor();
        let mut sql = format!("{}; MOVE {LOCKED_AT_ONCE} IN {cursor}", self.table.locks(&cursor));
        let mut locked = 0;
        loop {
            let some = self.session.ask(LOCK, sql).await?.affected;
            locked += some;
            if some < LOCKED_AT_ONCE {
                break;
            }
            sql = format!("MOVE {LOCKED_AT_ONCE} IN {cursor}");
        }
        let rows = self.new_cursor();
        self.session.ask(LOCK, format!("CLOSE {cursor}; {}", self.table.locked(&rows))).await?;
        Ok(locked)
    }

    pub(super) async fn next(&mut self, next: Next<'_>) -> Result<Vec<StoredRow>, RewriteError> {
        match next {
            Next::Nothing => Ok(Vec::new()),
            Next::Behind(after, limit) => self.lock(Some(after), limit).await,
            Next::OfAll(limit) => Ok(rows(self.session.ask(LOCK, self.fetch(limit)).await?.last())),
        }
    }

    pub(super) async fn stand(&mut self, versions: &Versions) -> Result<Option<RowCounts>, RewriteError> {
        let Some(expected) = versions.count() else { return Ok(None) };
        let cursor = self.new_cursor();
        let mut sql = format!("{}; {}", self.table.versions(&cursor), self.fetch(VERSIONS_AT_ONCE));
        let mut counts = RowCounts::default();
        loop {
            let answer = self.session.ask(READ, sql).await?;
            let Some(rows) = answer.last().filter(|rows| !rows.is_empty()) else { break };
            for row in rows {
                counts.total += 1;
                counts.with_data_source += u64::from(bytes(row, 1).is_some());
                let Some(version) = bytes(row, 0) else { continue };
                counts.with_key += 1;
                if !str::from_utf8(version).is_ok_and(|version| versions.contains(version)) {
                    return Ok(None);
                }
            }
            sql = self.fetch(VERSIONS_AT_ONCE);
        }
        Ok((counts.with_key == expected).then_some(counts))
    }

    pub(super) async fn lock(
        &mut self,
        after: Option<&Place>,
        limit: u32,
    ) -> Result<Vec<StoredRow>, RewriteError> {
        let answer = self.session.ask(LOCK, self.table.page(after, limit)).await?;
        Ok(self.page(answer.last()))
    }

    pub(super) async fn named(&mut self, ids: &[&str], locked: bool) -> Result<Vec<StoredRow>, RewriteError> {
        let operation = if locked { LOCK } else { READ };
        let answer = self.session.ask(operation, self.table.named(ids, locked)).await?;
        Ok(rows(answer.last()))
    }

    pub(super) async fn known(&mut self, names: &[&str]) -> Result<Vec<String>, RewriteError> {
        self.begin(false).await?;
        let answer = self.session.ask("look for tenants", self.table.known(names)).await?;
        self.roll_back().await;
        Ok(answer.last().into_iter().flatten().filter_map(|row| lossy(row, 0)).collect())
    }

    pub(super) async fn write(
        &mut self,
        changes: &[Change],
        next: Next<'_>,
    ) -> Result<(Vec<Stored>, Vec<StoredRow>), RewriteError> {
        let page = match next {
            Next::Nothing => String::new(),
            Next::Behind(after, limit) => self.table.page(Some(after), limit),
            Next::OfAll(limit) => self.fetch(limit),
        };
        let message = self.table.update(changes, &page);
        let answer = match self.session.send(message).await {
            Ok(answer) => answer,
            Err(trouble) => {
                let values: Vec<Secret> = changes.iter().flat_map(Change::values).cloned().collect();
                return Err(self.session.explain_without(&values, WRITE, trouble).await);
            }
        };
        let stored = answer.first().map(|rows| rows.iter().filter_map(stored).collect());
        let rows = match next {
            Next::Nothing => Vec::new(),
            Next::Behind(..) => self.page(answer.get(1)),
            Next::OfAll(_) => rows(answer.get(1)),
        };
        Ok((stored.unwrap_or_default(), rows))
    }

    pub(super) async fn settle_constraints(&mut self) -> Result<(), RewriteError> {
        self.session
            .ask("satisfy the deferred constraints of tenants", "SET CONSTRAINTS ALL IMMEDIATE")
            .await
            .map(drop)
    }

    pub(super) async fn roll_back(&mut self) {
        self.session.roll_back().await;
    }

    pub(super) async fn commit(&mut self, probes: &[Probe]) -> Commit {
        let number = self.number.take();
        let number = number.as_deref();
        match self.session.send(Secret::new("COMMIT".to_owned())).await {
            // A transaction that had failed unnoticed would be rolled back by COMMIT without an error.
            Ok(_) => self.outcome(number, probes, None).await,
            Err(Trouble::Driver(error)) if spoken(&error) => {
                let error = self.session.explain("commit the keys of tenants", Trouble::Driver(error)).await;
                Commit::NotDone(error)
            }
            Err(trouble) => {
                let error = self.session.explain("commit the keys of tenants", trouble).await;
                self.outcome(number, probes, Some(error)).await
            }
        }
    }

    pub(super) async fn close(mut self) {
        self.session.close().await;
        if let Some(mut guard) = self.guard.take() {
            guard.close().await;
        }
    }

    /// Asks what has become of the transaction and looks at rows that it has changed, again and again until they can be
    /// locked or the time is up. `lost` is how the answer to COMMIT was lost; without it there was one.
    async fn outcome(
        &mut self,
        number: Option<&str>,
        probes: &[Probe],
        lost: Option<RewriteError>,
    ) -> Commit {
        let start = Instant::now();
        loop {
            // Unanswered, the old transaction may still be at it: whoever can lock its rows knows that it has ended.
            let failed = match self.look(number, probes, lost.is_some()).await {
                Ok((status, stands)) => {
                    return match (status, stands, lost) {
                        (Status::Committed | Status::NotSaid, Some(true), _) => Commit::Done,
                        // Others have written all of it since.
                        (Status::Committed, _, None) | (Status::NotSaid, None, None) => Commit::Done,
                        (Status::Aborted, Some(false) | None, lost) => {
                            Commit::NotDone(lost.unwrap_or_else(|| self.refused()))
                        }
                        (Status::NotSaid, Some(false), Some(lost)) => Commit::NotDone(lost),
                        // The rows contradict the server, which may be another one since.
                        (_, _, lost) => Commit::Unknown(lost.unwrap_or_else(|| self.refused())),
                    };
                }
                Err(error) => error,
            };
            if start.elapsed() >= self.options.lock_timeout {
                // Answered, and only the look afterwards failed: the answer counts.
                return match lost {
                    None => Commit::Done,
                    Some(_) => Commit::Unknown(failed),
                };
            }
            tokio::time::sleep(ASK_AGAIN).await;
        }
    }

    /// What the server says of a transaction, and whether the new values stand.
    async fn look(
        &mut self,
        number: Option<&str>,
        probes: &[Probe],
        locked: bool,
    ) -> Result<(Status, Option<bool>), RewriteError> {
        self.begin(locked).await?;
        let ids: Vec<&str> = probes.iter().map(|probe| probe.id.as_str()).collect();
        let rows = self.named(&ids, locked).await;
        // Last, because a server that has never heard of the number raises an error.
        let status = match number {
            Some(number) => {
                let sql = format!("SELECT txid_status({number})");
                self.session.ask("ask for a transaction", sql).await.ok().and_then(|answer| text(&answer, 0))
            }
            None => None,
        };
        self.roll_back().await;
        let status = match status.as_deref() {
            Some("committed") => Status::Committed,
            Some("aborted") => Status::Aborted,
            _ => Status::NotSaid,
        };
        Ok((status, verdict(&rows?, probes)))
    }

    fn refused(&self) -> RewriteError {
        RewriteError::Refused {
            operation: "commit the keys of tenants",
            address: self.address().to_owned(),
            source: Failure::with(FailureClass::ServerError, "the server rolled the transaction back"),
        }
    }

    /// The rows of a page in the order of the primary key: of the last one, its place.
    fn page(&self, page: Option<&Vec<PgRow>>) -> Vec<StoredRow> {
        let mut found = rows(page);
        let id = page.and_then(|page| bytes(page.last()?, 1));
        if let (Some(last), Some(id)) = (found.last_mut(), id) {
            last.place = Some(self.table.place(id));
        }
        found
    }
}

fn rows(rows: Option<&Vec<PgRow>>) -> Vec<StoredRow> {
    let row = |row: &PgRow| {
        Some(StoredRow {
            id: TenantId::new(lossy(row, 1)?),
            subdomain: lossy(row, 2).unwrap_or_default(),
            anon: key(row, 3),
            service: key(row, 4),
            version: lossy(row, 0)?,
            place: None,
        })
    };
    rows.into_iter().flatten().filter_map(row).collect()
}

fn stored(row: &PgRow) -> Option<Stored> {
    let (anon, service) = (key(row, 2), key(row, 3));
    Some(Stored { change: lossy(row, 0)?.parse().ok()?, anon, service, version: lossy(row, 1)? })
}

fn key(row: &PgRow, at: usize) -> Option<StoredKey> {
    StoredKey::of(bytes(row, at)?)
}

fn bytes(row: &PgRow, at: usize) -> Option<&[u8]> {
    // A null has no bytes.
    let value = row.try_get_raw(at).ok().filter(|value| !value.is_null())?;
    value.as_bytes().ok()
}

fn lossy(row: &PgRow, at: usize) -> Option<String> {
    bytes(row, at).map(|bytes| String::from_utf8_lossy(bytes).into_owned())
}
