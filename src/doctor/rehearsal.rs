//! The rehearsal of a change: the keys of one tenant of each status are sealed anew and written as a rotation would write
//! them, with every trigger and constraint, within a transaction that is rolled back; what is then in the row is compared
//! with what was written, letter by letter.
//!
//! Timing: a second is waited for a lock, not longer: services go first. The server ends a statement itself after
//! [`STATEMENT_LIMIT`], so that nothing of it goes on when nobody waits for it any more; no row is begun for which the
//! time might not be enough.

use std::time::{Duration, Instant};

use super::names::shown_name;
use super::{Installation, Sink, chain, count, within};
use crate::catalogue::CatalogueError;
use crate::catalogue::rewrite::{
    RewriteError, RewriteOptions, Rewriter, Sample, StoredKey, StoredRow, Trial,
};
use crate::cipher::{EncryptionKey, KeyRing, inspect};
use crate::finding::CheckCode;
use crate::sanitize::printable;
use crate::secret::Secret;

const CODE: CheckCode = CheckCode::TenantsRehearsal;
/// How long a lock is waited for.
const LOCK_LIMIT: Duration = Duration::from_secs(1);
/// How long the server may work at one statement.
const STATEMENT_LIMIT: Duration = Duration::from_secs(5);
/// How long all of it may take. One row takes a handful of statements of which three may meet a trigger.
const LIMIT: Duration = Duration::from_secs(40);
/// No row is begun later than that.
const LAST_BEGIN: Duration = Duration::from_secs(15);
/// So many statuses are tried.
const STATUSES: u32 = 16;
/// What is sealed where the stored key does not open: as long as a key may be.
const PLAINTEXT: &str = "rehearsal rehearsal rehearsal rehearsal rehearsal rehearsal rehearsal rehearsal rehearsal \
                         rehearsal rehearsal rehearsal rehearsal rehearsal rehearsal rehearsal rehearsal rehearsal";

/// What was tried.
struct Tried {
    /// The tenants, each with its status.
    names: Vec<String>,
    /// Whether there are more statuses than were to be tried.
    more: bool,
    /// Statuses that there was no time for.
    late: usize,
}

/// Why it ended before the last row.
enum Stopped {
    Failed(RewriteError),
    /// With whom, and what has become of the change.
    Spoiled(String, String),
    /// With whom.
    With(String, RewriteError),
}

pub(super) async fn check(installation: &Installation, wanted: bool, sink: &Sink) {
    if !wanted {
        let why = "no change of a key was tried";
        sink.skipped_so(
            CODE,
            why,
            "`boothds doctor --rehearse` tries one for each status, in transactions that are rolled back",
        );
        return;
    }
    let Some(url) = &installation.settings.database_url else {
        sink.skipped(CODE, "there is no application database URL");
        return;
    };
    let ring = installation.ring.as_deref().ok();
    within(LIMIT, &[CODE], sink, rehearse(&url.value, ring, sink)).await;
}

async fn rehearse(url: &Secret, ring: Option<&KeyRing>, sink: &Sink) {
    let options =
        RewriteOptions { lock_timeout: LOCK_LIMIT, as_user: None, statement_timeout: Some(STATEMENT_LIMIT) };
    let mut rewriter = match Rewriter::open(url, options).await {
        Ok(rewriter) => rewriter,
        Err(
            error @ (RewriteError::Catalogue(_) | RewriteError::Lost { .. } | RewriteError::Unfit { .. }),
        ) => {
            sink.skipped(CODE, format!("no change could be tried: {}", chain(&error)));
            return;
        }
        Err(error) => return failed("", &error, sink),
    };
    let done = all(&mut rewriter, ring).await;
    rewriter.roll_back().await;
    rewriter.close().await;
    match done {
        Ok(tried) => report(&tried, sink),
        Err(Stopped::Failed(error)) => failed("", &error, sink),
        Err(Stopped::With(name, error)) => failed(&format!("with {name}: "), &error, sink),
        Err(Stopped::Spoiled(name, why)) => {
            let hint = "look for triggers, rules and policies on `tenants` that change what is written";
            sink.wrong_so(CODE, format!("with {name}: {why}"), hint);
        }
    }
}

/// Tries a row of each status, each in a transaction of its own.
async fn all(rewriter: &mut Rewriter, ring: Option<&KeyRing>) -> Result<Tried, Stopped> {
    let start = Instant::now();
    rewriter.begin_reading().await.map_err(Stopped::Failed)?;
    let mut samples = rewriter.samples(STATUSES + 1).await.map_err(Stopped::Failed)?;
    rewriter.roll_back().await;
    let most = usize::try_from(STATUSES).unwrap_or(usize::MAX);
    let mut tried = Tried { names: Vec::new(), more: samples.len() > most, late: 0 };
    samples.truncate(most);
    let anew = |stored: &StoredKey| seal_anew(ring, stored);
    for (number, sample) in samples.iter().enumerate() {
        if start.elapsed() > LAST_BEGIN {
            tried.late = samples.len() - number;
            break;
        }
        let row = match locked(rewriter, sample).await {
            Ok(Some(row)) => row,
            Ok(None) => {
                rewriter.roll_back().await;
                continue;
            }
            Err(error) => return Err(Stopped::With(name(sample, ""), error)),
        };
        let name = name(sample, &row.subdomain);
        match rewriter.try_on(row, anew).await {
            Ok(Trial::Stands) => tried.names.push(name),
            Ok(Trial::Spoiled(why)) => return Err(Stopped::Spoiled(name, why)),
            Err(error) => return Err(Stopped::With(name, error)),
        }
        rewriter.roll_back().await;
    }
    Ok(tried)
}

/// The row of a sample, if it still has a key, in a transaction that writes.
async fn locked(rewriter: &mut Rewriter, sample: &Sample) -> Result<Option<StoredRow>, RewriteError> {
    rewriter.begin().await?;
    let rows = rewriter.lock_named(&[sample.id.as_str()]).await?;
    Ok(rows.into_iter().find(|row| row.anon.is_some() || row.service.is_some()))
}

/// What a rotation would store: the same text sealed once more; another where nobody can open it.
fn seal_anew(ring: Option<&KeyRing>, stored: &StoredKey) -> Secret {
    let text = match stored {
        StoredKey::Text(text) => Some(text),
        StoredKey::Bytes => None,
    };
    let opened = ring.and_then(|ring| Some((ring, inspect(Some(ring), text).opened?)));
    Secret::new(match opened {
        Some((ring, opened)) => ring.seal(opened.plaintext.expose()),
        None => EncryptionKey::generate().seal(PLAINTEXT),
    })
}

fn name(sample: &Sample, subdomain: &str) -> String {
    let name = shown_name(sample.id.as_str(), subdomain);
    if sample.status.is_empty() { name } else { format!("{name} ({})", printable(&sample.status)) }
}

fn report(tried: &Tried, sink: &Sink) {
    if tried.names.is_empty() && tried.late == 0 {
        sink.skipped(CODE, "no tenant has a key to try it on");
        return;
    }
    let more =
        if tried.more { format!("; {STATUSES} of the statuses that there are") } else { String::new() };
    let done = format!(
        "the keys of {} were sealed anew, written and read back letter by letter, and the changes rolled back{more}",
        tried.names.join(", ")
    );
    match tried.late {
        0 => sink.ok(CODE, done),
        late => {
            let late =
                count(u64::try_from(late).unwrap_or(u64::MAX), "more status").replace("statuss", "statuses");
            sink.skipped(CODE, format!("there was no time for {late}; {done}"));
        }
    }
}

fn failed(with: &str, error: &RewriteError, sink: &Sink) {
    let message = format!("{with}{}", chain(error));
    match error {
        RewriteError::Trigger(trigger) => sink.wrong_so(CODE, message, trigger.mend.hint(&trigger.function)),
        RewriteError::RowsLocked { .. } | RewriteError::Locked { .. } => {
            let hint = "try it again, when that transaction has ended";
            sink.skipped_so(CODE, format!("no change could be tried within a second: {error}"), hint);
        }
        RewriteError::Lost { .. } | RewriteError::LockLost { .. } | RewriteError::Catalogue(CatalogueError::Connect { .. }) => {
            sink.skipped(CODE, format!("no change could be tried: {message}"));
        }
        RewriteError::Refused { .. } if message.contains("(SQLSTATE 57014)") => {
            let seconds = STATEMENT_LIMIT.as_secs();
            let message = format!("{with}a statement took longer than {seconds} s, and was ended: {}", chain(error));
            sink.wrong_so(CODE, message, "look at the triggers on `tenants`, and at what they wait for");
        }
        RewriteError::Refused { .. } | RewriteError::Unfit { .. } | RewriteError::Catalogue(_) => sink.wrong_so(
            CODE,
            message,
            "look at what the database says; to change keys the role needs SELECT and UPDATE on `tenants`, and must see every row",
        ),
    }
}
