//! The data source manager as a service uses it, on real servers.

mod caches;
mod clients;
pub mod house;
mod metrics;
mod pool;
mod secrets;
mod shared;
mod soak;
mod without_store;
