//! The tests of the built binary and the library against real servers. `scripts/test` installs what they need.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod application_database;
mod browser;
mod caches_cli;
mod contrib;
mod demo;
mod doctor;
mod failures;
mod findings;
mod fixture;
mod fleet;
mod generated;
mod hostile;
mod interruption;
mod keys;
mod layering;
mod manager;
mod newer_postgres;
mod postgres_source;
mod rls_attacks;
mod rls_generated;
mod rls_postgres;
mod rls_releases;
mod rls_supabase;
mod rls_trips;
mod rotation;
mod sealed_form;
mod secrecy;
#[cfg(feature = "dashboard")]
mod serve;
mod settings;
mod state_redis;
mod state_sqlite;
mod state_store;
mod stats_cli;
mod supabase_source;
mod support;
mod tenants;
mod terminal;
