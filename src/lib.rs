//! Manage and test the data sources of a multi-tenant service that keeps each tenant's data in a database of its own.
//!
//! The *application database* has a `tenants` table: who the tenants are and, for each, the URL and the two sealed
//! API keys of its *data source*, a Supabase project, a PostgreSQL or a SQLite database. This library reads that
//! table, opens the keys, and asks the data sources; the binary `boothds` is a thin command line over it.
//!
//! ```
//! use boothds::cipher::KeyRing;
//! use boothds::settings::Settings;
//!
//! let settings = Settings::from_vars([("ENCRYPTION_KEY", "00".repeat(32))])?;
//! let ring = KeyRing::from_settings(&settings)?;
//! let sealed = ring.seal("sb_secret_example");
//! assert_eq!(ring.open(&sealed)?.plaintext.expose(), "sb_secret_example");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The house
//!
//! Data flows one way: *tenant row → opened credentials → login → probe report → findings → screen*. The number is
//! the floor. A module imports from lower floors only, or from those of its own floor that are named in brackets;
//! `tests/it/layering.rs` reads this table and holds it.
//!
//! ```text
//! 0 secret        ()                        text that must not be shown
//! 0 clock         ()                        the only source of "now"
//! 0 sanitize      (secret)                  text from outside made safe for a terminal or a log
//! 0 sql           ()                        literals of SQL text
//! 0 url           (secret, sanitize)        addresses that can be shown: masked, fail-closed; our own parsing
//! 0 private_file  (secret)                  files that hold secrets: 0600, never over another, fsynced
//! 0 tenant        (secret, sanitize, url)   TenantId, Tenant (keys still sealed), TenantFilter
//! 0 failure       ()                        why a data source does not answer; the one table of classes
//! 0 finding       ()                        what is wrong although it answers; the one table of codes
//! 0 settings      (secret, url, finding)    every knob with unit, default, range and origin
//! 0 driver        ()                        a database driver apart from everything else
//! 0 memory        ()                        how much memory this process uses, and may
//! 1 cipher        ()                        sealed text form, EncryptionKey, KeyId, KeyRing: seal and open
//! 1 credential    ()                        what an opened key is: JWT and its claims, sb_ key, URL, password
//! 1 diagnosis     ()                        from a driver's or server's error to a failure class
//! 1 health        ()                        how well caches and pool serve: numbers in, grades and advice out
//! 1 sqlite_file   (diagnosis)               SQLite files opened for reading, nothing made beside them
//! 2 catalogue     ()                        the application database: postgres, sqlite; pages of tenants, find
//! 2 source        ()                        a tenant's data source: postgres, supabase, sqlite; log in and ask
//! 2 state         ()                        the shared store: cache tier 2, counters, invalidations
//! 3 probe         ()                        one tenant: open, log in, ask; a typed report
//! 3 rotation      ()                        every key sealed anew: plan, apply, verify, backup
//! 4 manager       ()                        DataSourceManager: caches, client pool, counters; tenant → live client
//! 5 survey        ()                        many tenants: bounded concurrency, a deadline each, fleet findings
//! 5 report        ()                        the performance document: assembled, and read from an endpoint
//! 6 demo          ()                        the embedded fleet
//! 7 dashboard     ()                        the web server: page, document, metrics; the watch over the fleet
//! 8 cli           ()                        args, resolve, error + hints, exit codes, output, commands
//! ```
//!
//! With `--no-default-features` the library builds without the command line, the web server and their dependencies.

pub mod catalogue;
pub mod cipher;
#[cfg(feature = "cli")]
pub mod cli;
pub mod clock;
pub mod credential;
#[cfg(feature = "dashboard")]
pub mod dashboard;
pub mod demo;
pub mod diagnosis;
pub mod driver;
pub mod failure;
pub mod finding;
pub mod health;
pub mod manager;
pub mod memory;
pub mod private_file;
pub mod probe;
pub mod report;
pub mod rotation;
pub mod sanitize;
pub mod secret;
pub mod settings;
pub mod source;
pub mod sql;
pub mod sqlite_file;
pub mod state;
pub mod survey;
pub mod tenant;
pub mod url;
