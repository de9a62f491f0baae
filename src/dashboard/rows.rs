//! A page of tenants: which fit a search, in which order, and how much of it is shown at a time.
//!
//! A file of its own because the page, whatever it looks like, never renders a fleet: 10,000 tenants are 200 pages.

use super::fleet::{Row, State};
use crate::finding::Severity;

/// Tenants on a page.
pub const ROWS: usize = 50;
/// The most characters of a search that count.
const SEARCH: usize = 100;

/// Which tenants are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// Part of an id, a name, a subdomain or an endpoint, in any case; empty for all.
    pub search: String,
    /// Only tenants in this state.
    pub state: Option<State>,
    /// The page, from 1. A page behind the last is the last.
    pub page: usize,
}

impl Query {
    /// A query from what a browser says; what cannot be meant is corrected.
    #[must_use]
    pub fn new(search: &str, state: Option<&str>, page: usize) -> Self {
        let state = state.and_then(|word| State::ALL.into_iter().find(|state| state.as_str() == word));
        Self { search: search.trim().chars().take(SEARCH).collect(), state, page: page.max(1) }
    }
}

/// A page of tenants.
#[derive(Clone, Debug)]
pub struct Rows {
    /// The tenants, those first that need somebody.
    pub rows: Vec<Row>,
    /// Which page it is, from 1.
    pub page: usize,
    /// How many there are, at least 1.
    pub pages: usize,
    /// How many tenants fit.
    pub matching: usize,
    /// What was asked for.
    pub query: Query,
}

impl Rows {
    /// The page that is asked for, of all tenants.
    pub(super) fn of<'a>(all: impl Iterator<Item = &'a Row>, query: &Query) -> Self {
        let text = query.search.to_lowercase();
        let wanted = |row: &&Row| query.state.is_none_or(|state| row.state == state) && row.fits(&text);
        let mut fitting: Vec<&Row> = all.filter(wanted).collect();
        let matching = fitting.len();
        let pages = matching.div_ceil(ROWS).max(1);
        let page = query.page.clamp(1, pages);
        fitting.sort_by(|a, b| rank(a).cmp(&rank(b)));
        let rows = fitting.into_iter().skip((page - 1) * ROWS).take(ROWS).cloned().collect();
        Self { rows, page, pages, matching, query: query.clone() }
    }
}

/// What puts a tenant before another: failed, then with errors, then with warnings, then by state and name.
fn rank(row: &Row) -> (u8, State, &str, &str) {
    let class = match row.state {
        State::Failed => 0,
        _ if row.counting(Severity::Error) > 0 => 1,
        _ if row.counting(Severity::Warning) > 0 => 2,
        _ => 3,
    };
    (class, row.state, &row.subdomain, row.id.as_str())
}
