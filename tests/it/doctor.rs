//! `doctor`: a healthy installation, and one broken thing after the other, on real servers.

mod broken_database;
mod broken_keys;
mod broken_settings;
mod broken_store;
mod distant;
mod healthy;
mod mending;
mod patient;
mod sources;
