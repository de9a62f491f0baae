//! The checks of one installation: what an operator would look at by hand, made side by side, each explained.
//!
//! Composed from the floors below: settings, encryption key, state store, application database, stored keys, caches,
//! data sources. One broken thing must not hide the others, so each group runs for itself, and what depends on something
//! broken is `skipped` with the reason. A check that could not be made is never `ok`: when the groups have ended, every
//! code of the table that nobody has reported is an error.
//!
//! Timing: the groups run at the same time; each has a time limit, within which its questions have their own. Only the
//! comparison of the caches waits, for the store and for the rows. Checks are handed out as they are made
//! ([`Sink`]), so that an interrupted examination has shown what it had.

use std::sync::Arc;
use std::time::Duration;

use crate::cipher::KeyRing;
use crate::clock::Clock;
use crate::finding::CheckCode;
use crate::settings::Settings;
use crate::state::Location;

mod cached;
mod check;
mod database;
mod encryption_key;
mod fleet;
mod mend;
mod names;
mod rehearsal;
mod settings;
mod sources;
mod store;
mod stored;
mod table;
mod trigger;

pub use check::{Check, Sink, Status, Summary};
pub use mend::{NothingKnown, schema_sql};
pub use settings::{Problem, Provenance, SecretFile};
pub use sources::{SAMPLE, Scope};

/// How long the questions to the application database and to the state store may take altogether.
const LIMIT: Duration = Duration::from_secs(20);
/// How long the reading of all rows may take, and the comparison of the caches with them.
const READING_LIMIT: Duration = Duration::from_secs(300);
/// How far two clocks may differ: PostgREST allows a JWT 30 seconds, and whoever issues one is a third clock.
const SKEW: Duration = Duration::from_secs(10);

/// An installation, as its settings describe it.
#[derive(Debug)]
pub struct Installation {
    /// The settings in effect; what was wrong among them is in `provenance` and left out here.
    pub settings: Settings,
    /// Where they came from, and what was wrong.
    pub provenance: Provenance,
    /// The keys, or why there are none.
    pub ring: Result<Arc<KeyRing>, Problem>,
    /// The place of the state store, or why there is none.
    pub location: Result<Location, Problem>,
    /// The namespace in it; none without an application database to name it.
    pub namespace: Option<String>,
    /// The time of day.
    pub clock: Clock,
}

/// What is examined beyond what always is.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Which data sources are tested.
    pub scope: Scope,
    /// Whether a key is changed within a transaction that is rolled back.
    pub rehearse: bool,
    /// A JWT that expires within this time is a finding.
    pub expiring_within: Duration,
}

/// Examines an installation. Never fails: what goes wrong is a check.
pub async fn examine(installation: &Installation, options: &Options, sink: &Sink) {
    settings::check(installation, sink).await;
    encryption_key::check(installation, sink);
    let rows_and_store = async {
        let (seen, store) =
            tokio::join!(fleet::check(installation, options, sink), store::check(installation, sink));
        cached::check(installation, seen, store, sink).await;
    };
    tokio::join!(
        rows_and_store,
        database::check(installation, sink),
        rehearsal::check(installation, options.rehearse, sink),
        sources::check(installation, options, sink),
    );
    for code in CheckCode::ALL {
        if !sink.has(*code) {
            sink.error(*code, format!("this was not looked at, which is a bug ({})", code.meaning()));
        }
    }
}

/// Waits for a group of checks for so long; what it has not reported by then is said to be unknown.
async fn within<T>(
    limit: Duration,
    codes: &[CheckCode],
    sink: &Sink,
    work: impl Future<Output = T>,
) -> Option<T> {
    if let Ok(done) = tokio::time::timeout(limit, work).await {
        return Some(done);
    }
    let mut late = codes.iter().filter(|code| !sink.has(**code));
    let seconds = limit.as_secs();
    if let Some(first) = late.next() {
        sink.error(*first, format!("this could not be established within {seconds} s"));
    }
    for code in late {
        sink.skipped(*code, format!("this could not be established within {seconds} s"));
    }
    None
}

/// Skips checks, all for one reason.
fn skip(codes: &[CheckCode], why: &str, sink: &Sink) {
    for code in codes {
        sink.skipped(*code, why.to_owned());
    }
}

/// An error and its causes in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

/// A number with what is counted, in the plural where it is not one.
fn count(number: u64, what: &str) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) && digits.len() > 4 {
            text.push(',');
        }
        text.push(digit);
    }
    let ending = if number == 1 { "" } else { "s" };
    format!("{text} {what}{ending}")
}

/// How far the clock of a server and ours are apart, if that is too far.
fn skew(there: jiff::Timestamp, here: jiff::Timestamp, lag: Duration) -> Option<String> {
    let apart = there.duration_since(here);
    if apart.unsigned_abs() <= SKEW.saturating_add(lag) {
        return None;
    }
    let seconds = apart.unsigned_abs().as_secs();
    let direction = if apart.is_negative() { "behind" } else { "ahead of" };
    Some(format!("{} {direction} this machine's", count(seconds, "second")))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn clocks_may_differ_by_ten_seconds_and_the_round_trip() {
        let at = |second| Timestamp::from_second(second).unwrap();
        assert_eq!(skew(at(1_000), at(1_010), Duration::ZERO), None);
        assert_eq!(skew(at(1_011), at(1_000), Duration::from_secs(1)), None);
        assert_eq!(skew(at(1_000), at(1_011), Duration::ZERO).unwrap(), "11 seconds behind this machine's");
        assert_eq!(
            skew(at(20_000), at(1_000), Duration::ZERO).unwrap(),
            "19,000 seconds ahead of this machine's"
        );
    }
}
