//! The rehearsal of a change: a key of one tenant is changed as a rotation would change it, with every trigger and
//! constraint, within a transaction that is rolled back. It waits a second for a lock, not longer: services go first.

use std::time::Duration;

use super::names::shown_name;
use super::{Installation, LIMIT, Sink, chain, within};
use crate::catalogue::CatalogueError;
use crate::catalogue::rewrite::{Change, Next, RewriteError, RewriteOptions, Rewriter, StoredRow};
use crate::cipher::EncryptionKey;
use crate::finding::CheckCode;
use crate::secret::Secret;
use crate::tenant::Role;

const CODE: CheckCode = CheckCode::TenantsRehearsal;
/// How long a lock is waited for.
const LOCK_LIMIT: Duration = Duration::from_secs(1);

pub(super) async fn check(installation: &Installation, wanted: bool, sink: &Sink) {
    if !wanted {
        let why = "no change of a key was tried";
        sink.skipped_so(
            CODE,
            why,
            "`boothds doctor --rehearse` tries one, in a transaction that is rolled back",
        );
        return;
    }
    let Some(url) = &installation.settings.database_url else {
        sink.skipped(CODE, "there is no application database URL");
        return;
    };
    within(LIMIT, &[CODE], sink, rehearse(&url.value, sink)).await;
}

async fn rehearse(url: &Secret, sink: &Sink) {
    let options = RewriteOptions { lock_timeout: LOCK_LIMIT, as_user: None };
    let mut rewriter = match Rewriter::open(url, options).await {
        Ok(rewriter) => rewriter,
        Err(
            error @ (RewriteError::Catalogue(_) | RewriteError::Lost { .. } | RewriteError::Unfit { .. }),
        ) => {
            sink.skipped(CODE, format!("no change could be tried: {}", chain(&error)));
            return;
        }
        Err(error) => return failed(&error, sink),
    };
    let done = change(&mut rewriter).await;
    rewriter.roll_back().await;
    rewriter.close().await;
    match done {
        Ok(Some(tenant)) => {
            sink.ok(CODE, format!("a key of {tenant} was changed and read back, and the change rolled back"));
        }
        Ok(None) => sink.skipped(CODE, "no tenant has a key to try it on"),
        Err(error) => failed(&error, sink),
    }
}

/// Changes one key; the tenant's name, or nothing where there is none.
async fn change(rewriter: &mut Rewriter) -> Result<Option<String>, RewriteError> {
    rewriter.begin().await?;
    let Some(row) = rewriter.lock(None, 1).await?.into_iter().next() else { return Ok(None) };
    let tenant = name(&row);
    // Under a key that nobody has: nothing of it stays.
    let new = Some(Secret::new(EncryptionKey::generate().seal("rehearsal")));
    let change = match row.key(Role::Anon) {
        Some(_) => Change { row, anon: new, service: None },
        None => Change { row, anon: None, service: new },
    };
    let (stored, _) = rewriter.write(&[change], Next::Nothing).await?;
    rewriter.settle_constraints().await?;
    // A trigger, a rule or a policy may have swallowed it without a word.
    if stored.is_empty() {
        return Err(RewriteError::Unfit {
            address: rewriter.address().to_owned(),
            reason: "the row was not written, by a trigger, a rule or a policy",
        });
    }
    Ok(Some(tenant))
}

fn name(row: &StoredRow) -> String {
    shown_name(row.id.as_str(), &row.subdomain)
}

fn failed(error: &RewriteError, sink: &Sink) {
    let message = chain(error);
    match error {
        RewriteError::Trigger(trigger) => sink.wrong_so(CODE, message, trigger.mend.hint(&trigger.function)),
        RewriteError::Unfit { .. } => {
            sink.wrong_so(CODE, message, "look for triggers, rules and policies on `tenants` that change what is written");
        }
        RewriteError::RowsLocked { .. } | RewriteError::Locked { .. } => {
            let hint = "try it again, when that transaction has ended";
            sink.skipped_so(CODE, format!("no change could be tried within a second: {error}"), hint);
        }
        RewriteError::Lost { .. } | RewriteError::LockLost { .. } | RewriteError::Catalogue(CatalogueError::Connect { .. }) => {
            sink.skipped(CODE, format!("no change could be tried: {message}"));
        }
        RewriteError::Refused { .. } | RewriteError::Catalogue(_) => sink.wrong_so(
            CODE,
            message,
            "look at what the database says; to change keys the role needs SELECT and UPDATE on `tenants`, and must see every row",
        ),
    }
}
