//! The application database as a server: reached, encrypted, of a known version, what stands before it, what the role
//! may do there, what its clock says.

use std::time::Duration;

use super::{Installation, LIMIT, Sink, chain, skew, skip, table, within};
use crate::catalogue::CatalogueError;
use crate::catalogue::facts::{Encryption, Facts, Table};
use crate::finding::CheckCode;
use crate::probe::milliseconds;

/// The checks of the server.
const CODES: &[CheckCode] = &[
    CheckCode::DatabaseReachable,
    CheckCode::DatabaseTls,
    CheckCode::DatabaseVersion,
    CheckCode::DatabasePooler,
    CheckCode::DatabaseReadOnly,
    CheckCode::DatabaseRole,
    CheckCode::DatabaseClock,
];
/// The checks of the table.
const TABLE_CODES: &[CheckCode] = &[
    CheckCode::TenantsColumns,
    CheckCode::DatabaseSelect,
    CheckCode::DatabaseUpdate,
    CheckCode::DatabaseRows,
    CheckCode::TenantsTypes,
    CheckCode::TenantsConstraint,
    CheckCode::TenantsSubdomain,
    CheckCode::TenantsPrimaryKey,
    CheckCode::TenantsTrigger,
];
/// How long the questions about the table may take: each may wait a while for a lock, and some read all rows.
const TABLE_LIMIT: Duration = Duration::from_secs(60);

/// The oldest versions that boothds is made for. SQLite 3.35 brought RETURNING.
const OLDEST_POSTGRES: u32 = 130_000;
const OLDEST_SQLITE: u32 = 3_035_000;

pub(super) async fn check(installation: &Installation, sink: &Sink) {
    let Some(url) = &installation.settings.database_url else {
        let (hint, code) = (installation.provenance.database_hint.clone(), CheckCode::DatabaseReachable);
        let message = "the URL of the application database is not set, or not usable";
        sink.wrong_so(code, message, hint.unwrap_or_else(|| code.hint().to_owned()));
        skip(&CODES[1..], "there is no application database URL", sink);
        skip(TABLE_CODES, "there is no application database URL", sink);
        return;
    };
    let origin = url.origin.to_string();
    let work = async {
        match Facts::read(&url.value, installation.clock).await {
            Ok(facts) => {
                server(&facts, sink);
                Some(facts)
            }
            Err(error) => {
                unreachable(&error, &origin, sink);
                None
            }
        }
    };
    let Some(Some(facts)) = within(LIMIT, CODES, sink, work).await else {
        skip(TABLE_CODES, "the application database cannot be asked", sink);
        return;
    };
    let work = async {
        match Table::read(&url.value).await {
            Ok(table) => table::check(&facts, &table, sink),
            Err(error @ CatalogueError::NoTable { .. }) => {
                let hint =
                    format!("is this the application database, and not a tenant's? (the URL is {origin})");
                sink.wrong_so(CheckCode::TenantsColumns, chain(&error), hint);
                skip(&TABLE_CODES[1..], "there is no table `tenants`", sink);
            }
            Err(error) => {
                let hint = "is `tenants` locked, or the server overloaded? try it again";
                sink.wrong_so(CheckCode::TenantsColumns, table::why(&error), hint);
                skip(&TABLE_CODES[1..], "the table could not be looked at: see tenants.columns", sink);
            }
        }
    };
    within(TABLE_LIMIT, TABLE_CODES, sink, work).await;
}

fn unreachable(error: &CatalogueError, origin: &str, sink: &Sink) {
    let hint = error.hint();
    sink.wrong_so(CheckCode::DatabaseReachable, chain(error), format!("{hint} (the URL is {origin})"));
    skip(&CODES[1..], "the application database cannot be asked", sink);
}

fn server(facts: &Facts, sink: &Sink) {
    let server = &facts.server;
    let role = server.role.as_ref().map(|(role, _)| format!(", as {role}")).unwrap_or_default();
    sink.ok(
        CheckCode::DatabaseReachable,
        format!("{}: {}{role}, answers in {} ms", facts.address, server.version, milliseconds(facts.lag)),
    );
    match server.encryption {
        Encryption::Local => sink.ok(CheckCode::DatabaseTls, "the connection does not leave this machine"),
        Encryption::Encrypted => sink.ok(CheckCode::DatabaseTls, "the connection is encrypted"),
        Encryption::Clear => {
            sink.wrong(
                CheckCode::DatabaseTls,
                format!("the connection to {} is not encrypted", facts.address),
            );
        }
        Encryption::Perhaps => sink.wrong(
            CheckCode::DatabaseTls,
            format!("the connection to {} may be unencrypted: its URL does not demand TLS", facts.address),
        ),
    }
    let oldest = if facts.is_postgres { OLDEST_POSTGRES } else { OLDEST_SQLITE };
    if server.version_number < oldest {
        sink.wrong(CheckCode::DatabaseVersion, format!("{} is older than what is supported", server.version));
    } else {
        sink.ok(CheckCode::DatabaseVersion, format!("{} is supported", server.version));
    }
    if server.pooled {
        let message =
            "a pooler in transaction mode is in between: two connections were served by one of the server's";
        sink.wrong(CheckCode::DatabasePooler, message);
    } else {
        sink.ok(CheckCode::DatabasePooler, "each connection has one of the server's to itself");
    }
    match server.read_only {
        Some(why) => {
            sink.wrong(CheckCode::DatabaseReadOnly, format!("{} takes no changes: {why}", facts.address))
        }
        None => sink.ok(CheckCode::DatabaseReadOnly, "it takes changes"),
    }
    match &server.role {
        Some((role, true)) => sink.wrong(CheckCode::DatabaseRole, format!("the role {role} is a superuser")),
        Some((role, false)) => sink.ok(CheckCode::DatabaseRole, format!("the role {role} is no superuser")),
        None => sink.ok(CheckCode::DatabaseRole, "a file has no roles"),
    }
    match server.clock {
        Some((there, here)) => match skew(there, here, facts.lag) {
            Some(apart) => sink.wrong(CheckCode::DatabaseClock, format!("the server's clock is {apart}")),
            None => sink.ok(CheckCode::DatabaseClock, "the server's clock and this machine's agree"),
        },
        None if facts.is_postgres => {
            sink.skipped(CheckCode::DatabaseClock, "the server did not say what time it is");
        }
        None => sink.ok(CheckCode::DatabaseClock, "a file has no clock but this machine's"),
    }
}
