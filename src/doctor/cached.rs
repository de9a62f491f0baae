//! The second cache tier beside the application database: rows that say something else, of tenants that are gone, and
//! such as nobody of ours has written.
//!
//! A row that seems different is looked at again, in both places: it may have been changed and cleared while the table was
//! read.

use super::fleet::Seen;
use super::names::Tally;
use super::{Installation, READING_LIMIT, Sink, count, skip, within};
use crate::finding::{CheckCode, FindingCode};
use crate::state::{Found, StateError, StateStore};
use crate::tenant::{Tenant, TenantId};

const CODES: &[CheckCode] = &[CheckCode::CacheSame, CheckCode::CacheGone, CheckCode::CacheRefused];
/// So many rows are looked at again at a time.
const AT_ONCE: usize = 200;
/// So many are looked at again altogether; beyond that the first look counts.
const AGAIN: usize = 10_000;

/// What the comparison has found.
#[derive(Default)]
struct Compared {
    same: u64,
    suspects: Vec<TenantId>,
    refused: Tally,
    stale: Tally,
    gone: Tally,
}

pub(super) async fn check(
    installation: &Installation,
    seen: Result<Seen, String>,
    store: Result<StateStore, String>,
    sink: &Sink,
) {
    let seen = match (&installation.ring, seen) {
        (Err(_), Ok(_)) => Err("without the encryption key no cached row is believed".to_owned()),
        (_, seen) => seen,
    };
    let (seen, store) = match (seen, store) {
        (Ok(seen), Ok(store)) => (seen, store),
        (Err(why), store) => {
            skip(CODES, &why, sink);
            if let Ok(store) = store {
                store.close().await;
            }
            return;
        }
        (Ok(seen), Err(why)) => {
            skip(CODES, &why, sink);
            seen.catalogue.close().await;
            return;
        }
    };
    let compared = within(READING_LIMIT, CODES, sink, compare(&seen, &store, sink)).await;
    store.close().await;
    match compared {
        Some(Ok(compared)) => report(compared, sink),
        Some(Err(why)) => {
            sink.wrong(CheckCode::CacheSame, why);
            skip(&CODES[1..], "the cached rows could not be read", sink);
        }
        None => {}
    }
    seen.catalogue.close().await;
}

async fn compare(seen: &Seen, store: &StateStore, sink: &Sink) -> Result<Compared, String> {
    let failed = |error: StateError| error.to_string();
    let mut compared = Compared::default();
    let mut place = None;
    loop {
        let (rows, next) = store.cached(place.as_ref()).await.map_err(failed)?;
        for (id, found) in rows {
            match found {
                Found::Row(row) if seen.rows.says(&id, &row.tenant) == Some(true) => compared.same += 1,
                Found::Row(_) => compared.suspects.push(id),
                Found::Nothing => {}
                Found::Refused(_) => {
                    compared.refused.add(CheckCode::CacheRefused.into(), &nameless(id), "", sink)
                }
            }
        }
        place = next;
        if place.is_none() {
            break;
        }
    }
    let suspects = std::mem::take(&mut compared.suspects);
    let (again, rest) = suspects.split_at(suspects.len().min(AGAIN));
    for chunk in again.chunks(AT_ONCE) {
        let names: Vec<String> = chunk.iter().map(|id| id.as_str().to_owned()).collect();
        let now = seen.catalogue.find(&names).await.map_err(|error| super::chain(&error))?;
        let cached = store.read_many(chunk).await.map_err(failed)?;
        for ((id, tenant), found) in chunk.iter().zip(now).zip(cached) {
            let Found::Row(row) = found else { continue };
            // A subdomain that is another tenant's id is none of it.
            match tenant.filter(|tenant| tenant.id == *id) {
                Some(tenant) if tenant.says_the_same_as(&row.tenant) => compared.same += 1,
                Some(tenant) => compared.stale.add(FindingCode::CacheStale.into(), &tenant, "", sink),
                None => compared.gone.add(CheckCode::CacheGone.into(), &row.tenant, "", sink),
            }
        }
    }
    for id in rest {
        let tenant = nameless(id.clone());
        match seen.rows.has(id) {
            true => compared.stale.add(FindingCode::CacheStale.into(), &tenant, "", sink),
            false => compared.gone.add(CheckCode::CacheGone.into(), &tenant, "", sink),
        }
    }
    Ok(compared)
}

/// A tenant of whom nothing but the id is known.
fn nameless(id: TenantId) -> Tenant {
    Tenant { id, name: String::new(), subdomain: String::new(), status: String::new(), source: None }
}

fn report(compared: Compared, sink: &Sink) {
    let same = count(compared.same, "cached row");
    sink.ok(CheckCode::CacheSame, format!("the same as the application database: {same}"));
    let code = FindingCode::CacheStale;
    let hint = "`boothds clear-cache TENANT`; until then services use an old address, key or status";
    compared.stale.report_as(code.into(), code.meaning(), hint, "row", sink);
    for (code, tally, otherwise) in [
        (CheckCode::CacheGone, compared.gone, "no cached row is of a tenant that is gone"),
        (CheckCode::CacheRefused, compared.refused, "every cached row was written by one of us"),
    ] {
        if tally.is_empty() {
            sink.ok(code, otherwise);
        } else {
            tally.report(code, "row", sink);
        }
    }
}
