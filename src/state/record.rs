//! What goes into a state store and comes out of it, whatever its back end.

use jiff::Timestamp;
use serde::Serialize;

use crate::health::Counters;
use crate::tenant::{Tenant, TenantId};

/// A place in the log of invalidations. Grows while the store lasts. The default is the place of one who knows
/// nothing: what is behind it is a gap, and no row that was read at it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Position(pub u64, pub u64);

/// A tenant's row, and until when it may be used.
#[derive(Clone, Debug)]
pub struct CachedRow {
    /// The row, its keys sealed.
    pub tenant: Tenant,
    /// When it expires.
    pub expires_at: Timestamp,
}

/// What the store has of a tenant.
#[derive(Clone, Debug)]
pub enum Found {
    /// A row that is alive and authentic.
    Row(Box<CachedRow>),
    /// Nothing, or a row that has expired.
    Nothing,
    /// A row that is not believed, with the reason as a lower-case fragment.
    Refused(&'static str),
}

/// The answer of [`super::StateStore::read`].
#[derive(Clone, Debug)]
pub struct Lookup {
    /// What the store has.
    pub found: Found,
    /// The end of the log before anything was looked at: hand it to [`super::StateStore::write`] with what is read from the
    /// application database after this.
    pub position: Position,
}

/// What is invalidated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// These tenants.
    Tenants(Vec<TenantId>),
    /// Every tenant of the namespace.
    All,
}

/// What came of an invalidation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cleared {
    /// The tenants whose rows went.
    pub tenants: Vec<TenantId>,
    /// How many other processes took note of it.
    pub told: u64,
    /// How many other processes have given a sign of life of late, those that took no note included.
    pub living: u64,
    /// Whether it stands in the log, where a process that is away for a moment finds it. A Redis server whose memory is
    /// used up may refuse that; then the rows are gone, those who listen are told, and the others find a gap.
    pub logged: bool,
}

/// One entry of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The rows of one tenant no longer hold.
    Tenant(TenantId),
    /// No row holds any more.
    All,
    /// The counters begin at zero again.
    Reset,
}

/// What happened behind a position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changes {
    /// In order.
    pub list: Vec<Change>,
    /// The position behind them.
    pub position: Position,
    /// Whether the log does not reach back to the position, so that anything may have happened.
    pub gap: bool,
}

/// A running process, as others see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Instance {
    /// Chosen at random when it began.
    pub id: String,
    /// The name of its machine.
    pub host: String,
    /// Its process id.
    pub pid: u32,
    /// When it began.
    pub started_at: Timestamp,
    /// Its last report.
    pub last_seen: Timestamp,
    /// Its counters since the last reset, and its sizes.
    #[serde(skip)]
    pub counters: Counters,
    /// Its resident memory, bytes; `None` where that is not known.
    #[serde(skip)]
    pub resident: Option<u64>,
    /// The limit of its memory, bytes: its control group's, or the machine's.
    #[serde(skip)]
    pub memory_limit: Option<u64>,
}

/// What an instance has to say.
#[derive(Clone, Debug)]
pub struct Report {
    /// The instance, with `counters` since the last reset.
    pub instance: Instance,
    /// Counts from 1 with every report that is not a repetition of the one before.
    pub number: u64,
    /// The epoch that the counts belong to, as the last report's answer said; 0 in the first report, which is taken
    /// whatever the epoch.
    pub epoch: u64,
    /// The counts since the last report that was taken. Sizes and the limit in it are ignored.
    pub added: Counters,
    /// How far the instance has followed the log.
    pub position: Position,
}

/// The sums over all instances, those that ended included.
#[derive(Clone, Debug)]
pub struct Totals {
    /// The counts; sizes and limit are 0: they are the living instances' ([`Totals::instances`]).
    pub counts: Counters,
    /// Since when they are counted: the first report or the last reset. `None` when nothing was ever reported.
    pub since: Option<Timestamp>,
    /// The instances that gave a sign of life within [`super::LIFE_SIGN`], the oldest first.
    pub instances: Vec<Instance>,
}
