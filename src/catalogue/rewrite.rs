//! The application database as a rotation of its keys needs it: rows that are locked, written where nothing has
//! changed since, read back in the same round trip, and a commit whose outcome is never guessed.
//!
//! Apart from [`super::Catalogue`], which only reads: nothing but a [`Rewriter`] can write to `tenants`, and it writes
//! the two key columns alone.
//!
//! Timing: everything happens in transactions of one connection. A statement takes a minute at most, and longer only by
//! the time that it waits for a lock, which the server ends ([`RewriteOptions::lock_timeout`]). A connection that
//! breaks, or a transaction that is dropped, is rolled back by the database; only between sending `COMMIT` and
//! its answer the outcome is open, and then [`Rewriter::commit`] connects again and looks at the rows, which it must be
//! able to lock first: as long as the old transaction lives, nobody else can.

use std::time::Duration;

use crate::secret::Secret;
use crate::tenant::{Role, TenantId};

mod error;
mod postgres;
mod rehearse;
mod session;
mod sqlite;
mod statement;
mod trigger;
mod versions;

pub use error::{Holder, RewriteError};
pub use postgres::PostgresRewriter;
pub use rehearse::{Sample, Trial};
pub use sqlite::SqliteRewriter;
pub use trigger::{BrokenTrigger, Mend};
pub use versions::Versions;

/// How a transaction behaves.
#[derive(Clone, Debug)]
pub struct RewriteOptions {
    /// How long a lock is waited for, and how long the database is tried again when the outcome of a commit is
    /// open. 1 ms to 1 h.
    pub lock_timeout: Duration,
    /// What `app.current_user_id` is set to for audit triggers; `None` leaves it as it is.
    pub as_user: Option<String>,
    /// How long the server may work at one statement before it ends it; `None` for as long as it takes.
    pub statement_timeout: Option<Duration>,
}

/// A connection of its own that rewrites keys, behind one of the back ends.
#[derive(Debug)]
pub enum Rewriter {
    /// PostgreSQL, direct or through a pooler.
    Postgres(Box<PostgresRewriter>),
    /// A SQLite file.
    Sqlite(Box<SqliteRewriter>),
}

/// A stored key.
#[derive(Clone, Debug)]
pub enum StoredKey {
    /// Its text. A [`Secret`], because some rows hold plaintext by mistake.
    Text(Secret),
    /// Bytes that are no UTF-8 text.
    Bytes,
}

impl StoredKey {
    /// What bytes of a row hold; `None` when there are none.
    fn of(bytes: &[u8]) -> Option<Self> {
        match str::from_utf8(bytes) {
            Ok("") => None,
            Ok(text) => Some(Self::Text(Secret::new(text.to_owned()))),
            Err(_) => Some(Self::Bytes),
        }
    }
}

/// The keys of one row of `tenants`.
#[derive(Clone, Debug)]
pub struct StoredRow {
    /// The primary key.
    pub id: TenantId,
    /// Unique short name; empty when the row has none.
    pub subdomain: String,
    /// The anon key; `None` when it is null or empty.
    pub anon: Option<StoredKey>,
    /// The service role key; `None` when it is null or empty.
    pub service: Option<StoredKey>,
    /// The very version of the row that was read, in the words of the back end.
    version: String,
    /// Only of the last row of a page in the order of the primary key.
    place: Option<Place>,
}

impl StoredRow {
    /// The stored key of a role.
    #[must_use]
    pub fn key(&self, role: Role) -> Option<&StoredKey> {
        match role {
            Role::Anon => self.anon.as_ref(),
            Role::Service => self.service.as_ref(),
        }
    }

    /// Its place in the order of rows, known of the last one of what [`Rewriter::lock`] gave.
    #[must_use]
    pub fn place(&self) -> Option<&Place> {
        self.place.as_ref()
    }
}

/// A place in the order of the primary key, as a literal of SQL.
#[derive(Clone, Debug)]
pub struct Place(String);

/// Which rows are to come in the same round trip with an answer.
#[derive(Clone, Copy, Debug)]
pub enum Next<'p> {
    /// None.
    Nothing,
    /// So many behind this place, locked, in the order of the primary key.
    Behind(&'p Place, u32),
    /// So many more of all that [`Rewriter::lock_all`] has locked.
    OfAll(u32),
}

/// New keys for one row, to be written where it is still the version that was read.
#[derive(Debug)]
pub struct Change {
    /// The row as it was read, under a lock.
    pub row: StoredRow,
    /// The new anon key; `None` leaves it.
    pub anon: Option<Secret>,
    /// The new service role key; `None` leaves it.
    pub service: Option<Secret>,
}

/// What a row holds after it was written.
#[derive(Debug)]
pub struct Stored {
    /// The change it belongs to, by its place among them.
    pub change: usize,
    /// The anon key.
    pub anon: Option<StoredKey>,
    /// The service role key.
    pub service: Option<StoredKey>,
    /// The version that was made, in the words of the back end.
    version: String,
}

/// A key that a transaction has changed, by which the outcome of its commit can be told.
#[derive(Clone, Debug)]
pub struct Probe {
    /// The tenant.
    pub id: TenantId,
    /// Which of its keys.
    pub role: Role,
    /// What it held before.
    pub old: Secret,
    /// What it holds if the transaction was committed.
    pub new: Secret,
}

/// How a commit ended.
#[derive(Debug)]
pub enum Commit {
    /// It stands.
    Done,
    /// It does not: all is as it was before the transaction.
    NotDone(RewriteError),
    /// Nobody could be asked, or others have changed the rows since.
    Unknown(RewriteError),
}

/// How many rows there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RowCounts {
    /// Tenants.
    pub total: u64,
    /// Those with a `data_source_url`.
    pub with_data_source: u64,
    /// Those with a key that is neither null nor empty.
    pub with_key: u64,
}

/// Hands a call to the back end.
macro_rules! each {
    ($self:expr, $back:ident => $call:expr) => {
        match $self {
            Rewriter::Postgres($back) => $call,
            Rewriter::Sqlite($back) => $call,
        }
    };
}

impl Rewriter {
    /// Connects, and makes sure that the table has the columns, is a table, and tells rows apart.
    ///
    /// # Errors
    /// [`RewriteError::Catalogue`], [`RewriteError::Unfit`].
    pub async fn open(url: &Secret, options: RewriteOptions) -> Result<Self, RewriteError> {
        let scheme = url.expose().split(':').next().unwrap_or_default();
        if scheme.eq_ignore_ascii_case("sqlite") {
            Ok(Self::Sqlite(Box::new(SqliteRewriter::open(url, options).await?)))
        } else {
            Ok(Self::Postgres(Box::new(PostgresRewriter::open(url, options).await?)))
        }
    }

    /// Where it is, without user and password.
    #[must_use]
    pub fn address(&self) -> &str {
        each!(self, back => back.address())
    }

    /// Begins a transaction that only reads; rows that the role may not see are an error and not left out.
    ///
    /// # Errors
    /// [`RewriteError::Refused`], [`RewriteError::Lost`].
    pub async fn begin_reading(&mut self) -> Result<(), RewriteError> {
        each!(self, back => back.begin(false).await)
    }

    /// Begins a transaction that writes.
    ///
    /// # Errors
    /// [`RewriteError::Refused`], [`RewriteError::Lost`], [`RewriteError::RowsLocked`].
    pub async fn begin(&mut self) -> Result<(), RewriteError> {
        each!(self, back => back.begin(true).await)
    }

    /// Tries to take the lock against a second rotation: within the present transaction, or on a connection of its
    /// own, where it outlives the transactions of this one. Tells who has it otherwise.
    ///
    /// # Errors
    /// [`RewriteError::Refused`], [`RewriteError::Lost`], [`RewriteError::Catalogue`].
    pub async fn try_lock(&mut self, apart: bool) -> Result<Option<Holder>, RewriteError> {
        each!(self, back => back.try_lock(apart).await)
    }

    /// Waits for the lock that could not be had at once.
    ///
    /// # Errors
    /// [`RewriteError::Locked`] when the time is up.
    pub async fn wait_for_lock(&mut self) -> Result<(), RewriteError> {
        each!(self, back => back.wait_for_lock().await)
    }

    /// Makes sure that the lock is still held.
    ///
    /// # Errors
    /// [`RewriteError::LockLost`].
    pub async fn still_locked(&mut self) -> Result<(), RewriteError> {
        each!(self, back => back.still_locked().await)
    }

    /// How many rows there are now.
    ///
    /// # Errors
    /// [`RewriteError::Refused`], [`RewriteError::Lost`].
    pub async fn counts(&mut self) -> Result<RowCounts, RewriteError> {
        each!(self, back => back.counts().await)
    }

    /// The first rows that have a key, in no order and without a lock; all of them as they are at this moment are then to
    /// be had with [`Rewriter::read_on`] within the same transaction.
    ///
    /// # Errors
    /// [`RewriteError::Refused`], [`RewriteError::Lost`].
    pub async fn read(&mut self, limit: u32) -> Result<Vec<StoredRow>, RewriteError> {
        each!(self, back => back.read(limit).await)
    }

    /// The next rows of what [`Rewriter::read`] began; none at the end.
    ///
    /// # Errors
    /// [`RewriteError::Refused`], [`RewriteError::Lost`].
    pub async fn read_on(&mut self, limit: u32) -> Result<Vec<StoredRow>, RewriteError> {
        each!(self, back => back.read_on(limit).await)
    }

    /// The next rows that have a key, in the order of the primary key, locked until the transaction ends.
    ///
    /// # Errors
    /// [`RewriteError::RowsLocked`], [`RewriteError::Refused`], [`RewriteError::Lost`].
    pub async fn lock(&mut self, after: Option<&Place>, limit: u32) -> Result<Vec<StoredRow>, RewriteError> {
        each!(self, back => back.lock(after, limit).await)
    }

    /// Locks every row that has a key until the transaction ends, in the order of the primary key, and tells how many they
    /// are. They are then to be had with [`Rewriter::next`], in no order; those that were added meanwhile are among them, and
    /// locked as well.
    ///
    /// # Errors
    /// [`RewriteError::RowsLocked`], [`RewriteError::Refused`], [`RewriteError::Lost`].
    pub async fn lock_all(&mut self) -> Result<u64, RewriteError> {
        each!(self, back => back.lock_all().await)
    }

    /// The next rows; none at the end.
    ///
    /// # Errors
    /// [`RewriteError::RowsLocked`], [`RewriteError::Refused`], [`RewriteError::Lost`].
    pub async fn next(&mut self, next: Next<'_>) -> Result<Vec<StoredRow>, RewriteError> {
        each!(self, back => back.next(next).await)
    }

    /// How many rows there are now, if each of those with a key is in a version of these and there are as many; nothing
    /// otherwise, or where that cannot be said without reading them. No row then needs a second look.
    ///
    /// # Errors
    /// [`RewriteError::Refused`], [`RewriteError::Lost`].
    pub async fn stand(&mut self, versions: &Versions) -> Result<Option<RowCounts>, RewriteError> {
        each!(self, back => back.stand(versions).await)
    }

    /// The rows of these tenants, locked until the transaction ends, in no order.
    ///
    /// # Errors
    /// [`RewriteError::RowsLocked`], [`RewriteError::Refused`], [`RewriteError::Lost`].
    pub async fn lock_named(&mut self, ids: &[&str]) -> Result<Vec<StoredRow>, RewriteError> {
        each!(self, back => back.named(ids, true).await)
    }

    /// Which of these names are an id or a subdomain.
    ///
    /// # Errors
    /// [`RewriteError::Refused`], [`RewriteError::Lost`].
    pub async fn known(&mut self, names: &[&str]) -> Result<Vec<String>, RewriteError> {
        each!(self, back => back.known(names).await)
    }

    /// Writes the changes to rows that are still the version that was read, and tells what is then stored. In the same
    /// round trip come the next rows.
    ///
    /// # Errors
    /// [`RewriteError::Trigger`], [`RewriteError::RowsLocked`], [`RewriteError::Refused`], [`RewriteError::Lost`].
    pub async fn write(
        &mut self,
        changes: &[Change],
        next: Next<'_>,
    ) -> Result<(Vec<Stored>, Vec<StoredRow>), RewriteError> {
        each!(self, back => back.write(changes, next).await)
    }

    /// Lets every deferred constraint and trigger of the transaction speak now.
    ///
    /// # Errors
    /// [`RewriteError::Trigger`], [`RewriteError::Refused`], [`RewriteError::Lost`].
    pub async fn settle_constraints(&mut self) -> Result<(), RewriteError> {
        each!(self, back => back.settle_constraints().await)
    }

    /// Ends the transaction without a trace.
    pub async fn roll_back(&mut self) {
        each!(self, back => back.roll_back().await);
    }

    /// Commits, and finds out whether that was done: an answer is not believed before one of `probes` was seen in the
    /// table, and without an answer the database is asked until [`RewriteOptions::lock_timeout`] is over.
    pub async fn commit(&mut self, probes: &[Probe]) -> Commit {
        each!(self, back => back.commit(probes).await)
    }

    /// Ends the connections in good order.
    pub async fn close(self) {
        each!(self, back => back.close().await);
    }
}

/// What the rows say about a commit: `Some(true)` a new value stands, `Some(false)` only old ones do, `None` neither: others
/// have written to all of them. An old value alone proves little: whoever waited for our lock may have written it back.
fn verdict(rows: &[StoredRow], probes: &[Probe]) -> Option<bool> {
    let stands = |expected: fn(&Probe) -> &Secret| {
        probes.iter().any(|probe| {
            let row = rows.iter().find(|row| row.id == probe.id);
            matches!(row.and_then(|row| row.key(probe.role)),
                Some(StoredKey::Text(now)) if now.expose() == expected(probe).expose())
        })
    };
    if stands(|probe| &probe.new) { Some(true) } else { stands(|probe| &probe.old).then_some(false) }
}
