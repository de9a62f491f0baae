//! The state store: reached, of a format that is known, writable, private, near; who uses it.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::time::Duration;

use super::settings::report;
use super::{Installation, LIMIT, Sink, skew, skip, within};
use crate::cipher::Authenticator;
use crate::finding::CheckCode;
use crate::probe::milliseconds;
use crate::sanitize::printable;
use crate::state::{Identity, Location, ROW_PURPOSE, StateError, StateFailure, StateStore, Vitals};
use crate::url::is_this_machine;

const CODES: &[CheckCode] = &[
    CheckCode::StateReachable,
    CheckCode::StateMode,
    CheckCode::StateTls,
    CheckCode::StateWritable,
    CheckCode::StateEviction,
    CheckCode::StateLag,
    CheckCode::StateClock,
    CheckCode::StateInstances,
];
/// Those that need the store to be open.
const OPEN: &[CheckCode] = &[
    CheckCode::StateWritable,
    CheckCode::StateEviction,
    CheckCode::StateLag,
    CheckCode::StateClock,
    CheckCode::StateInstances,
];
/// An answer that takes longer is slow: services wait for it at every miss of their own cache.
const SLOW: Duration = Duration::from_millis(100);
/// So many processes are named.
const NAMED: usize = 5;

/// The store, open, or why it cannot be compared with anything.
pub(super) async fn check(installation: &Installation, sink: &Sink) -> Result<StateStore, String> {
    let location = match &installation.location {
        Ok(location) => location,
        Err(problem) => {
            report(CheckCode::StateReachable, problem, sink);
            skip(&CODES[1..], "there is no place for a state store", sink);
            return Err("there is no state store".to_owned());
        }
    };
    let opened = within(LIMIT, CODES, sink, examine(installation, location, sink)).await;
    opened.unwrap_or_else(|| Err("the state store does not answer in time".to_owned()))
}

async fn examine(
    installation: &Installation,
    location: &Location,
    sink: &Sink,
) -> Result<StateStore, String> {
    // Opening a file of ours narrows its mode.
    let before = mode(location).await;
    match location {
        Location::Redis(address) if !address.tls && !is_this_machine(&address.host) => {
            let message = format!("the connection to {} is not encrypted", location.address());
            sink.wrong(CheckCode::StateTls, message);
        }
        Location::Redis(address) if address.tls => {
            sink.ok(CheckCode::StateTls, "the connection is encrypted")
        }
        _ => sink.ok(CheckCode::StateTls, "the connection does not leave this machine"),
    }
    let ring = installation.ring.as_ref().ok();
    let identity = Identity {
        // Without an application database nothing in it is ours to look at, but it can be reached all the same.
        namespace: installation.namespace.clone().unwrap_or_else(|| "doctor".to_owned()),
        authenticator: ring.map(|ring| Arc::new(Authenticator::new(ring, ROW_PURPOSE))),
        clock: installation.clock,
    };
    let opened = StateStore::open_existing(location, identity).await;
    report_mode(location, before, sink).await;
    let store = match opened {
        Ok(Some(store)) => store,
        Ok(None) => {
            if let Err(error) = StateStore::could_be_made(location).await {
                let hint = "name a folder that can be written with BOOTHDS_STATE_URL, or let whoever runs the services make it";
                sink.wrong_so(
                    CheckCode::StateReachable,
                    format!("it is not there, and cannot be made: {error}"),
                    hint,
                );
                skip(OPEN, "there is no state store", sink);
                return Err("there is no state store".to_owned());
            }
            let address = location.address();
            let message = format!("{address} is not there yet; whoever needs it first makes it");
            sink.ok(CheckCode::StateReachable, message);
            skip(OPEN, "there is no state store yet", sink);
            return Err("there is no state store yet".to_owned());
        }
        Err(error) => {
            sink.wrong_so(
                CheckCode::StateReachable,
                error.to_string(),
                hint(&error, CheckCode::StateReachable),
            );
            skip(OPEN, "the state store cannot be used", sink);
            return Err("the state store cannot be used".to_owned());
        }
    };
    match store.vitals().await {
        Ok(vitals) => {
            let lag = milliseconds(vitals.lag);
            sink.ok(CheckCode::StateReachable, format!("{} answers in {lag} ms", location.address()));
            report_vitals(location, &vitals, sink);
        }
        Err(error) => {
            sink.wrong_so(
                CheckCode::StateReachable,
                error.to_string(),
                hint(&error, CheckCode::StateReachable),
            );
            skip(OPEN, "the state store cannot be used", sink);
            store.close().await;
            return Err("the state store cannot be used".to_owned());
        }
    }
    instances(installation, &store, sink).await;
    Ok(store)
}

/// What to do about a store that does not serve.
fn hint(error: &StateError, code: CheckCode) -> &'static str {
    let is_server = error.address.starts_with("redis");
    match error.failure {
        StateFailure::Newer => {
            "use that version of boothds everywhere, or name another place with BOOTHDS_STATE_URL; docs/state.md says how to start anew"
        }
        StateFailure::Foreign => "name another place with BOOTHDS_STATE_URL: this one is somebody else's",
        StateFailure::Corrupt => "docs/state.md says how to start anew",
        StateFailure::Login => "check user and password in BOOTHDS_STATE_URL",
        StateFailure::Denied if is_server => {
            "grant the user the commands and keys of boothds; docs/state.md lists them"
        }
        StateFailure::ReadOnly if is_server => {
            "name the primary server with BOOTHDS_STATE_URL: a replica takes no changes"
        }
        StateFailure::Full if is_server => "make room in the server's maxmemory",
        StateFailure::Denied | StateFailure::ReadOnly => {
            "check the owner and the permissions of the file and its folder"
        }
        StateFailure::Full => "make room on the disk",
        _ => code.hint(),
    }
}

/// The mode of the file as far as others may use it; nothing of one that is not there or a server's.
async fn mode(location: &Location) -> Option<std::io::Result<u32>> {
    let Location::Sqlite(path) = location else { return None };
    let own = path.clone();
    let about = tokio::task::spawn_blocking(move || own.metadata()).await;
    match about {
        Ok(Ok(about)) if about.is_file() => Some(Ok(about.permissions().mode() & 0o777)),
        Ok(Err(error)) if error.kind() != std::io::ErrorKind::NotFound => Some(Err(error)),
        Ok(_) => None,
        Err(_) => Some(Err(std::io::Error::other("looking at it failed"))),
    }
}

async fn report_mode(location: &Location, before: Option<std::io::Result<u32>>, sink: &Sink) {
    const CODE: CheckCode = CheckCode::StateMode;
    let Location::Sqlite(path) = location else {
        sink.ok(CODE, "the store is a server: no file of it is here");
        return;
    };
    let path = printable(&path.display().to_string()).into_owned();
    match before {
        None => sink.ok(CODE, "there is no file that others could read"),
        Some(Err(error)) => sink.skipped(CODE, format!("the file cannot be looked at: {error}")),
        Some(Ok(was)) if was & 0o077 == 0 => sink.ok(CODE, "nobody else can read the file"),
        Some(Ok(was)) => match mode(location).await {
            Some(Ok(now)) if now & 0o077 == 0 => {
                sink.wrong(CODE, format!("{path} had the mode {was:04o}, and is narrowed now to its owner"));
            }
            _ => {
                let hint = "if it is a state store, chmod 600 it; a file of somebody else's is left as it is";
                sink.wrong_so(CODE, format!("{path} has the mode {was:04o}"), hint);
            }
        },
    }
}

fn report_vitals(location: &Location, vitals: &Vitals, sink: &Sink) {
    match &vitals.writable {
        Ok(()) => sink.ok(CheckCode::StateWritable, "it takes changes"),
        Err(error) => {
            let hint = hint(error, CheckCode::StateWritable);
            sink.wrong_so(CheckCode::StateWritable, error.to_string(), hint);
        }
    }
    let lag = milliseconds(vitals.lag);
    if vitals.lag > SLOW {
        sink.wrong(CheckCode::StateLag, format!("a small question takes {lag} ms"));
    } else {
        sink.ok(CheckCode::StateLag, format!("a small question takes {lag} ms"));
    }
    let Some(server) = &vitals.server else {
        match location {
            Location::Sqlite(_) => {
                sink.ok(CheckCode::StateEviction, "a file evicts nothing");
                sink.ok(CheckCode::StateClock, "a file has no clock but this machine's");
            }
            Location::Redis(_) => {
                skip(&[CheckCode::StateEviction, CheckCode::StateClock], "the server did not say", sink);
            }
        }
        return;
    };
    match &server.eviction {
        Some(eviction) if eviction.may_happen() => sink.wrong(
            CheckCode::StateEviction,
            format!("maxmemory-policy is {}, with a limit of {} bytes", eviction.policy, eviction.limit),
        ),
        Some(eviction) if eviction.limit == 0 => {
            sink.ok(CheckCode::StateEviction, "its memory has no limit at which it would evict");
        }
        Some(_) => sink.ok(CheckCode::StateEviction, "maxmemory-policy is noeviction"),
        None => sink.skipped_so(
            CheckCode::StateEviction,
            "the server does not say what it does when its memory is used up",
            "allow the user the command INFO, or look at `redis-cli config get maxmemory-policy`",
        ),
    }
    let (there, here) = server.clock;
    match skew(there, here, vitals.lag) {
        Some(apart) => sink.wrong(CheckCode::StateClock, format!("the server's clock is {apart}")),
        None => sink.ok(CheckCode::StateClock, "the server's clock and this machine's agree"),
    }
}

async fn instances(installation: &Installation, store: &StateStore, sink: &Sink) {
    const CODE: CheckCode = CheckCode::StateInstances;
    if installation.namespace.is_none() {
        sink.skipped(CODE, "without an application database there is no namespace to look into");
        return;
    }
    match store.totals().await {
        Ok(totals) if totals.instances.is_empty() => sink.ok(CODE, "no process uses it at the moment"),
        Ok(totals) => {
            let names = totals
                .instances
                .iter()
                .take(NAMED)
                .map(|instance| format!("{} (pid {})", printable(&instance.host), instance.pid));
            let names: Vec<String> = names.collect();
            let number = totals.instances.len();
            let more = if number > NAMED { format!(" and {} more", number - NAMED) } else { String::new() };
            let all = u64::try_from(number).unwrap_or(u64::MAX);
            let verb = if number == 1 { "uses" } else { "use" };
            let processes = if number == 1 { "1 process".to_owned() } else { format!("{all} processes") };
            sink.ok(CODE, format!("{processes} {verb} it: {}{more}", names.join(", ")));
        }
        Err(error) => sink.wrong(CODE, error.to_string()),
    }
}
