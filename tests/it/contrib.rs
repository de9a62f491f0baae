//! What is handed to other programs in `contrib/`: checked by the tools of those programs, and against the binary itself.

mod container;
mod files;
mod grafana;
mod prometheus;
mod scrape;
mod unit;
