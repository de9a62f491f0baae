//! The data source manager as a service uses it, on real servers.

mod caches;
mod clients;
mod house;
mod pool;
