//! The world the tests run in: real servers, a network that misbehaves, the application database of the field and
//! the binary itself. Everything is synchronous, so that it serves `#[test]` and `#[tokio::test]` alike, and
//! nothing is skipped: a missing server is a panic that says what to install.
#![allow(dead_code, reason = "a kit for all the tests: some of it waits for the test that needs it")]

pub mod certificates;
pub mod cli;
pub mod commit_cut;
pub mod distance;
pub mod fleet;
pub mod gateway;
pub mod heard;
pub mod http;
pub mod listener;
pub mod machine;
pub mod network;
pub mod node;
pub mod pgbouncer;
pub mod postgres;
pub mod postgrest;
pub mod process;
pub mod redis;
pub mod scratch;
pub mod terminal;
pub mod tls_server;
