//! One connection to the file, and who has it.
//!
//! It is taken out while a statement runs and put back after it ended well. Whoever is cancelled or fails drops it, and
//! with it the transaction it may be in; the next one opens another. Before each use the path is looked at (a few
//! microseconds): a store that was removed to start anew is left and not written to any longer.

use std::path::{Path, PathBuf};

use sqlx::{Connection, SqliteConnection};
use tokio::sync::{Mutex, MutexGuard};

use super::failure::Trouble;
use super::file::{self, FileId};
use crate::clock::Clock;

/// The place of the connection.
#[derive(Debug)]
pub(super) struct Line {
    path: PathBuf,
    clock: Clock,
    slot: Mutex<Option<Open>>,
}

#[derive(Debug)]
struct Open {
    connection: SqliteConnection,
    file: FileId,
}

/// The connection, out of its place.
pub(super) struct Held<'a> {
    slot: MutexGuard<'a, Option<Open>>,
    open: Open,
    /// Whether it was opened just now.
    pub(super) is_new: bool,
}

impl Line {
    /// A line that is connected with its first use.
    pub(super) fn new(path: &Path, clock: Clock) -> Self {
        Self { path: path.to_owned(), clock, slot: Mutex::new(None) }
    }

    pub(super) async fn take(&self) -> Result<Held<'_>, Trouble> {
        let mut slot = self.slot.lock().await;
        if let Some(open) = slot.take().filter(|open| file::id(&self.path) == Some(open.file)) {
            return Ok(Held { slot, open, is_new: false });
        }
        let (connection, file) = file::open(&self.path, self.clock).await?;
        Ok(Held { slot, open: Open { connection, file }, is_new: true })
    }

    pub(super) async fn close(self) {
        if let Some(open) = self.slot.into_inner() {
            let _ = open.connection.close().await;
        }
    }
}

impl Held<'_> {
    pub(super) fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.open.connection
    }

    /// Puts the connection back: it is in no transaction, and all is well with it.
    pub(super) fn keep(self) {
        let Self { mut slot, open, .. } = self;
        *slot = Some(open);
    }
}
