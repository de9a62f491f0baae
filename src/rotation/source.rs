//! Where the rows of a transaction come from: all of them, or a part behind a place.
//!
//! A file of its own because the two are read in different orders. All rows are locked first, in the order of the primary
//! key, and then come as they lie, which the database reads and writes in one go. A part ends somewhere in between, and only
//! the order of the primary key tells where the next one begins.

use super::{Cause, News, PAGE, Watch};
use crate::catalogue::rewrite::{Next, Place, Rewriter, StoredRow};

/// Which rows a transaction takes.
#[derive(Clone, Debug)]
pub(super) enum Reach {
    /// All of them.
    All,
    /// So many behind a place, or from the beginning.
    Part { after: Option<Place>, limit: u64 },
}

/// How far a transaction has come.
#[derive(Debug)]
pub(super) struct Source {
    all: bool,
    /// The last row that was taken, of a part.
    last: Option<Place>,
    /// How many may still be taken.
    left: u64,
    /// Whether there are no more.
    ended: bool,
}

impl Source {
    /// The first rows, and how to get the next.
    pub(super) async fn open(
        reach: Reach,
        rewriter: &mut Rewriter,
        watch: &mut Watch<'_>,
    ) -> Result<(Self, Vec<StoredRow>), Cause> {
        let (source, rows) = match reach {
            Reach::All => {
                let source = Self { all: true, last: None, left: u64::MAX, ended: false };
                let count = watch.unless_stopped(rewriter.lock_all()).await?;
                (watch.tell)(News::Found(count));
                let rows = watch.unless_stopped(rewriter.next(source.next())).await?;
                (source, rows)
            }
            Reach::Part { after, limit } => {
                let source = Self { all: false, last: after, left: limit, ended: false };
                let rows = watch.unless_stopped(rewriter.lock(source.last.as_ref(), source.page())).await?;
                (source, rows)
            }
        };
        let mut source = source;
        source.took(&rows);
        Ok((source, rows))
    }

    /// What to ask for now.
    pub(super) fn next(&self) -> Next<'_> {
        match (&self.last, self.page()) {
            _ if self.ended => Next::Nothing,
            (_, 0) => Next::Nothing,
            (_, page) if self.all => Next::OfAll(page),
            (Some(last), page) => Next::Behind(last, page),
            (None, _) => Next::Nothing,
        }
    }

    /// Takes note of what there was.
    pub(super) fn took(&mut self, rows: &[StoredRow]) {
        self.ended |= rows.is_empty();
        self.left = self.left.saturating_sub(rows.len() as u64);
        if let Some(last) = rows.last().and_then(StoredRow::place) {
            self.last = Some(last.clone());
        }
    }

    /// The last row that was taken, and whether there was none behind it.
    pub(super) fn end(self) -> (Option<Place>, bool) {
        (self.last, self.ended)
    }

    fn page(&self) -> u32 {
        u32::try_from(self.left).map_or(PAGE, |left| left.min(PAGE))
    }
}
