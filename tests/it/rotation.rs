//! `rotate-key`: after whatever happens, every value opens with the old or the new key.
//!
//! The exit codes are the promise: 0 everything is under the new key, 7 nothing was changed, 8 a part was, or nobody
//! knows. Each test looks into the table for itself.

mod batches;
mod caches;
mod decisions;
mod faults;
mod files;
mod fleet;
mod kills;
mod newest;
mod on_a_terminal;
mod outcome;
mod runbook;
mod standing;
mod story;
mod triggers;
