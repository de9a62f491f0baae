//! The binary against its peers, and against the numbers it promises, on real servers of our own.
//!
//! Runs of both sides take turns, and of each the best counts. `cargo bench --bench fleet -- login memory` measures
//! these parts only; `scripts/bench` runs all and collects the rows.
#![expect(clippy::print_stdout, reason = "a benchmark prints its result")]

mod fleet {
    pub mod doctor;
    pub mod ground;
    pub mod login;
    pub mod memory;
    pub mod peak;
    pub mod postgres;
    pub mod rest;
    pub mod start;
    pub mod timed;
    pub mod trips;
}
mod measure;
#[path = "../tests/it/support/mod.rs"]
mod support;

use fleet::{doctor, ground, login, memory, postgres, rest, start, trips};

fn main() {
    // Cargo adds `--bench`.
    let wanted: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let wants = |part: &str| wanted.is_empty() || wanted.iter().any(|word| word == part);
    if wants("start") {
        start::measure();
    }
    if wants("login") {
        login::measure();
    }
    if wants("trips") {
        trips::measure();
    }
    if wants("rest") {
        rest::measure();
    }
    if wants("doctor") {
        doctor::measure();
    }
    if wants("postgres") || wants("memory") {
        let databases = ground::databases(ground::DATABASES);
        if wants("postgres") {
            postgres::measure(&databases);
        }
        if wants("memory") {
            memory::measure(&databases);
        }
    }
}
