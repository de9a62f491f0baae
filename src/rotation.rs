//! The rotation of the encryption key: every stored key opened and sealed again under another, so that at every moment
//! each of them opens with the old or the new one.
//!
//! What is pure stands in `judge` (what a stored value is and what is to be done with it) and in the lines of `backup`;
//! `plan` reads, `apply` writes, `restore` takes back. The rows come from [`crate::catalogue::rewrite`], which holds
//! the locks and knows how a commit ended.
//!
//! Timing: nothing is kept of a page but counts, the values that need a decision and a few probes, so that memory does
//! not grow with the fleet. Work stops at [`Watch::stop`] everywhere but between sending COMMIT and its answer.

use tokio::sync::watch::Receiver;

use crate::catalogue::rewrite::{Holder, RewriteError, RowCounts};
use crate::cipher::{EncryptionKey, KeyId, KeyRing};
use crate::private_file::FileError;

mod apply;
mod backup;
mod judge;
mod plan;
mod restore;
mod source;
mod transaction;

pub use apply::Manner;
pub use backup::{Backup, Line, LineError, Lines};
pub use judge::{Choice, Decisions, Reason, Tally, Unreadable};
pub use restore::{NotRestored, RestoreError, Restored, WhyNot, restore};

/// How many rows are locked, read or written in one round trip. With fewer, waiting for the other side's turn outweighs the
/// work where processors are busy or the server is far; memory grows with them.
const PAGE: u32 = 1000;

/// How often rows that others have written meanwhile are taken again before the writer is said to be in the way.
const ROUNDS: u32 = 5;

/// A rotation: from which keys, to which, and what to do with values that no key opens.
#[derive(Debug)]
pub struct Rotation {
    /// The target as the current key, the keys to rotate from as earlier ones.
    ring: KeyRing,
    /// The target alone, against which everything is proven.
    alone: KeyRing,
    decisions: Decisions,
}

/// How the work is seen from outside.
pub struct Watch<'w> {
    /// Becomes true when the work is to stop.
    pub stop: Receiver<bool>,
    /// Hears how far it is.
    pub tell: &'w mut dyn FnMut(News),
}

/// What happens meanwhile.
#[derive(Clone, Debug)]
pub enum News {
    /// Somebody else rotates; it is waited for.
    Waiting(Holder),
    /// So many tenants are locked and will be looked at.
    Found(u64),
    /// This many tenants more are done.
    Done(u64),
    /// What others have written meanwhile is taken, from the beginning.
    Again,
    /// Everything is written, and is read once more.
    Proving,
}

/// What a rotation has done, or a proof has found.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// The rows there are.
    pub counts: RowCounts,
    /// The values there are.
    pub tally: Tally,
    /// Whether every value that there is was read and opened with the target key alone.
    pub verified: bool,
}

/// What a rotation that did not reach its end has left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Nothing was changed.
    Nothing,
    /// This many values were changed, and stay readable with the new key; the others with the old one.
    Part {
        /// Values.
        changed: u64,
    },
    /// It is not known whether the last transaction was committed.
    Unknown,
}

/// A rotation that did not reach its end.
#[derive(Debug)]
pub struct Stopped {
    /// What it has left behind.
    pub extent: Extent,
    /// Why it stopped.
    pub cause: Cause,
}

/// Why a rotation stopped.
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    /// The database refused, or was lost.
    #[error(transparent)]
    Rewrite(#[from] RewriteError),
    /// Values that no key opens, and nobody has said what to do with them.
    #[error("{} of the stored keys cannot be opened with the keys that were given", .0.len())]
    Undecided(Vec<Unreadable>),
    /// What was read back is not what was written.
    #[error("{column} of tenant {tenant} does not hold what was written: {what}")]
    Mismatch {
        /// The tenant's id, printable.
        tenant: String,
        /// The column.
        column: &'static str,
        /// What is different.
        what: &'static str,
    },
    /// Fewer values were found at the end than were there.
    #[error("{found} rows with keys were found at the end, and there are {expected}")]
    Miscount {
        /// Rows that were read.
        found: u64,
        /// Rows that were counted.
        expected: u64,
    },
    /// Others write values under an earlier key faster than they can be taken.
    #[error(
        "somebody goes on writing keys under an earlier encryption key: {left} are left after {ROUNDS} rounds"
    )]
    Writers {
        /// Values under an earlier key.
        left: u64,
    },
    /// A change that the backup could not give back.
    #[error("{column} of tenant {tenant} is too long for a backup")]
    TooLongForBackup {
        /// The tenant's id, printable.
        tenant: String,
        /// The column.
        column: &'static str,
    },
    /// The backup could not be written.
    #[error(transparent)]
    Backup(#[from] FileError),
    /// It was told to stop.
    #[error("interrupted")]
    Interrupted,
}

impl Rotation {
    /// A rotation to `target` from the keys of `from`; the target among them is passed over.
    #[must_use]
    pub fn new(target: EncryptionKey, from: Vec<EncryptionKey>, decisions: Decisions) -> Self {
        let alone = KeyRing::new(target.clone(), Vec::new());
        Self { ring: KeyRing::new(target, from), alone, decisions }
    }

    /// The id of the target key.
    #[must_use]
    pub fn to(&self) -> KeyId {
        self.ring.current().id()
    }

    /// The ids of the keys that are rotated from, without the target.
    #[must_use]
    pub fn from(&self) -> Vec<KeyId> {
        self.ring.earlier().iter().map(EncryptionKey::id).collect()
    }
}

impl Watch<'_> {
    /// Does the work unless it is told to stop before it is done. The connection is then lost, and the database rolls
    /// back.
    async fn unless_stopped<T>(
        &mut self,
        work: impl Future<Output = Result<T, RewriteError>>,
    ) -> Result<T, Cause> {
        let stopped = async {
            if self.stop.wait_for(|stop| *stop).await.is_err() {
                // Nobody is left to tell.
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            biased;
            () = stopped => Err(Cause::Interrupted),
            done = work => done.map_err(Cause::Rewrite),
        }
    }
}
