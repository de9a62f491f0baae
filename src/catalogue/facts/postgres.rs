//! The facts of PostgreSQL. Each question is one message without parameters, as everywhere towards this database; what
//! the second depends on the first has told.
//!
//! What a schema of the search path has under a name of PostgreSQL's own does not count: but for the search for the table
//! every question is asked with `pg_catalog` alone. A question waits a while for a lock and no longer, and the server
//! ends one that takes too long, whatever a role or a database has set for others.

use std::time::Instant;

use jiff::Timestamp;
use sqlx::postgres::{PgRow, PgSslMode};
use sqlx::{Connection, PgConnection};

use super::{Encryption, Facts, Server, middle};
use crate::catalogue::CatalogueError;
use crate::catalogue::postgres::{Target, ask, connect, text};
use crate::clock::Clock;
use crate::sanitize::printable;
use crate::secret::Secret;
use crate::url::is_this_machine;

mod table;

pub(super) use table::table;

/// Goes before every question; all of it is one transaction, so that a pooler keeps it together.
const LIMITS: &str = "SET LOCAL statement_timeout = '10s'; SET LOCAL lock_timeout = '2s'; ";
/// Goes before every question but the one for the table.
const ALONE: &str = "SET LOCAL search_path = pg_catalog; ";

const SERVER: &str = "SELECT current_setting('server_version'), current_setting('server_version_num'), \
     pg_is_in_recovery()::text, current_setting('transaction_read_only'), current_user::text, \
     (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)::text, \
     (SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid())::text, inet_server_port()::text";

const CLOCK: &str = "SELECT (extract(epoch FROM pg_catalog.clock_timestamp()) * 1000)::bigint::text";

/// How often two connections are asked by turns which of the server's they have.
const ROUNDS: usize = 4;

/// A connection that is handed from question to question.
struct Asker<'t> {
    target: &'t Target,
    connection: Option<PgConnection>,
}

impl Asker<'_> {
    /// The rows of a statement, all columns as text, a null as nothing.
    async fn ask(&mut self, sql: &str) -> Result<Vec<Vec<Option<String>>>, CatalogueError> {
        self.ask_plainly(&format!("{ALONE}{sql}")).await
    }

    /// The same with the search path as it is.
    async fn ask_plainly(&mut self, sql: &str) -> Result<Vec<Vec<Option<String>>>, CatalogueError> {
        let sql = &format!("{LIMITS}{sql}");
        let Target { options, passwords, address } = self.target;
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => connect(options, passwords, address).await?,
        };
        let read = |row: &PgRow| (0..sqlx::Row::len(row)).map(|at| text(row, at)).collect();
        let (connection, rows) = ask(connection, sql, passwords, address, read).await?;
        self.connection = Some(connection);
        Ok(rows)
    }

    async fn number(&mut self, sql: &str) -> Result<u64, CatalogueError> {
        let rows = self.ask(sql).await?;
        Ok(rows.first().and_then(|row| row.first()?.as_ref()?.parse().ok()).unwrap_or(0))
    }

    async fn close(self) {
        if let Some(connection) = self.connection {
            let _ = connection.close().await;
        }
    }
}

pub(super) async fn read(url: &Secret, clock: Clock) -> Result<Facts, CatalogueError> {
    let target = Target::of(url)?;
    let mut asker = Asker { target: &target, connection: None };
    let rows = asker.ask(SERVER).await?;
    let row = rows.into_iter().next().unwrap_or_default();
    let said = |at: usize| row.get(at).cloned().flatten().unwrap_or_default();

    // Asked on a connection that is open: the round trip and nothing else.
    let (begun, start) = (clock.now(), Instant::now());
    let there = asker.ask(CLOCK).await?;
    let (here, lag) = (middle(begun, start), start.elapsed());
    let there =
        there.first().and_then(|row| Timestamp::from_millisecond(row.first()?.as_ref()?.parse().ok()?).ok());

    let pooled = is_pooled(&mut asker).await?;
    asker.close().await;
    // Something stands between us and a server that listens elsewhere.
    let is_relayed = said(7).parse() != Ok(target.options.get_port());
    let read_only = match (said(2).as_str(), said(3).as_str()) {
        ("true", _) => Some("it is a standby in recovery"),
        (_, "on") => Some("default_transaction_read_only is on"),
        _ => None,
    };
    let server = Server {
        version: format!("PostgreSQL {}", printable(&said(0))),
        version_number: said(1).parse().unwrap_or(0),
        encryption: encryption(&target, pooled || is_relayed, said(6) == "true"),
        pooled,
        read_only,
        role: Some((printable(&said(4)).into_owned(), said(5) == "true")),
        clock: there.map(|there| (there, here)),
    };
    Ok(Facts { address: target.address.clone(), is_postgres: true, lag, server })
}

/// Whether two connections of ours, which are idle by turns, do not have one of the server's each: a pooler in
/// transaction mode hands them around.
async fn is_pooled(asker: &mut Asker<'_>) -> Result<bool, CatalogueError> {
    const WHO: &str = "SELECT pg_backend_pid()::text";
    let mut second = Asker { target: asker.target, connection: None };
    let mut seen: [Vec<Vec<Option<String>>>; 2] = Default::default();
    for _ in 0..ROUNDS {
        seen[0].extend(asker.ask(WHO).await?);
        seen[1].extend(second.ask(WHO).await?);
    }
    second.close().await;
    let [own, other] = seen;
    let changes = |pids: &[Vec<Option<String>>]| pids.windows(2).any(|pair| pair[0] != pair[1]);
    Ok(changes(&own) || changes(&other) || own.iter().any(|pid| other.contains(pid)))
}

/// What the server says of TLS is true of its own connection, which behind a pooler is not ours.
fn encryption(target: &Target, relayed: bool, says_encrypted: bool) -> Encryption {
    let options = &target.options;
    let host = options.get_host();
    if options.get_socket().is_some() || host.starts_with('/') || is_this_machine(host) {
        return Encryption::Local;
    }
    match options.get_ssl_mode() {
        PgSslMode::Require | PgSslMode::VerifyCa | PgSslMode::VerifyFull => Encryption::Encrypted,
        PgSslMode::Disable => Encryption::Clear,
        PgSslMode::Allow | PgSslMode::Prefer if relayed => Encryption::Perhaps,
        PgSslMode::Allow | PgSslMode::Prefer => {
            if says_encrypted {
                Encryption::Encrypted
            } else {
                Encryption::Clear
            }
        }
    }
}
