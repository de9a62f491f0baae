//! The commands, a file each: its arguments in [`super::args`], one function here. What takes more than a page
//! belongs on a lower floor.

pub(super) mod clear_cache;
pub(super) mod completions;
pub(super) mod decrypt;
pub(super) mod demo;
pub(super) mod encrypt;
pub(super) mod info;
pub(super) mod keygen;
pub(super) mod man;
pub(super) mod rotate_key;
#[cfg(feature = "dashboard")]
pub(super) mod serve;
pub(super) mod stats;
pub(super) mod tenants;
pub(super) mod test_connection;
