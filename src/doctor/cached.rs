//! The second cache tier beside the application database: rows that say something else, of tenants that are gone, and
//! such as nobody of ours has written.
//!
//! A row that seems different is looked at again, in both places: it may have been changed and cleared while the table was
//! read.

use super::fleet::{Seen, Short, of_id, of_row};
use super::names::{Names, shown_name};
use super::{Installation, READING_LIMIT, Sink, count, skip, within};
use crate::finding::{CheckCode, FindingCode};
use crate::state::{Found, StateError, StateStore};
use crate::tenant::TenantId;

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
    refused: Names,
    stale: Names,
    gone: Names,
}

pub(super) async fn check(
    installation: &Installation,
    seen: Result<Seen, String>,
    store: Result<StateStore, String>,
    sink: &Sink,
) {
    let seen = match &installation.ring {
        Ok(_) => seen,
        Err(_) => Err("without the encryption key no cached row is believed".to_owned()),
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
    let compared = within(READING_LIMIT, CODES, sink, compare(&seen, &store)).await;
    store.close().await;
    match compared {
        Some(Ok(compared)) => report(&compared, sink),
        Some(Err(why)) => {
            sink.wrong(CheckCode::CacheSame, why);
            skip(&CODES[1..], "the cached rows could not be read", sink);
        }
        None => {}
    }
    seen.catalogue.close().await;
}

async fn compare(seen: &Seen, store: &StateStore) -> Result<Compared, String> {
    let failed = |error: StateError| error.to_string();
    let mut compared = Compared::default();
    let mut place = None;
    loop {
        let (rows, next) = store.cached(place.as_ref()).await.map_err(failed)?;
        for (id, found) in rows {
            match found {
                Found::Row(row) if says(seen, &id) == Some(of_row(&row.tenant)) => compared.same += 1,
                Found::Row(_) => compared.suspects.push(id),
                Found::Nothing => {}
                Found::Refused(_) => compared.refused.add(|| shown_name(id.as_str(), "")),
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
                Some(tenant) => compared.stale.add(|| shown_name(tenant.id.as_str(), &tenant.subdomain)),
                None => compared.gone.add(|| shown_name(id.as_str(), &row.tenant.subdomain)),
            }
        }
    }
    for id in rest {
        let names = if says(seen, id).is_some() { &mut compared.stale } else { &mut compared.gone };
        names.add(|| shown_name(id.as_str(), ""));
    }
    Ok(compared)
}

/// The digest of what the row of a tenant says, if there is one.
fn says(seen: &Seen, id: &TenantId) -> Option<Short> {
    let id = of_id(id);
    let at = seen.rows.binary_search_by_key(&id, |(own, _)| *own).ok()?;
    seen.rows.get(at).map(|(_, says)| *says)
}

fn report(compared: &Compared, sink: &Sink) {
    let message = |meaning: &str, names: &Names| {
        format!("{meaning}: {} ({})", names.list(), count(names.number(), "row"))
    };
    let same = count(compared.same, "cached row");
    sink.ok(
        CheckCode::CacheSame,
        format!("{same} of the state store say what the application database says"),
    );
    if !compared.stale.is_empty() {
        let code = FindingCode::CacheStale;
        let hint = "`boothds clear-cache TENANT`; until then services use an old address, key or status";
        sink.wrong_so(code, message(code.meaning(), &compared.stale), hint);
    }
    for (code, names, otherwise) in [
        (CheckCode::CacheGone, &compared.gone, "no cached row is of a tenant that is gone"),
        (CheckCode::CacheRefused, &compared.refused, "every cached row was written by one of us"),
    ] {
        if names.is_empty() {
            sink.ok(code, otherwise);
        } else {
            sink.wrong(code, message(code.meaning(), names));
        }
    }
}
