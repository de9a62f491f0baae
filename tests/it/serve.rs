//! `boothds serve`: the built binary, asked over real HTTP.

mod access;
mod document;
mod faults;
mod hostile;
mod lifecycle;
mod metrics;
mod reload;
pub mod served;
pub mod tls;
mod watch;
