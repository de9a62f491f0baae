//! All tenants, as far as they can be judged without asking them: their stored keys, their credentials, what two of them
//! have in common, and what each row says, for comparing the caches with it. Keys of tenants without a URL are judged last:
//! nobody uses them, and a rotation carries them on.
//!
//! Timing: the table is read once in the order of its primary key, a page at a time; while the database makes the next
//! page, the keys of this one are opened on a thread of their own. Of a tenant nothing is kept but digests of 8 bytes and
//! its name: 0.1 kB for each as measured, 10 MB for 100,000 tenants, whatever is in their rows.

use std::sync::Arc;

use super::stored::{Stored, Unknown};
use super::{Installation, LIMIT, Options, READING_LIMIT, Sink, skip, table, within};
use crate::catalogue::{Catalogue, CatalogueError};
use crate::cipher::{KeyState, inspect};
use crate::finding::CheckCode;
use crate::probe::{Looked, Offline, ProbeOptions, Prober};
use crate::secret::Secret;
use crate::survey::Digests;
use crate::tenant::{Role, Tenant, TenantFilter, TenantId};

/// The checks that are made of the rows.
pub(super) const CODES: &[CheckCode] = &[
    CheckCode::StoredSealed,
    CheckCode::StoredPlaintext,
    CheckCode::StoredHex,
    CheckCode::StoredUnreadable,
    CheckCode::StoredMissing,
    CheckCode::StoredStray,
    CheckCode::StoredCopied,
    CheckCode::TenantsStatus,
    CheckCode::SourceUsable,
    CheckCode::Credentials,
    CheckCode::Duplicates,
];
/// Tenants on one page. Three are in memory at a time, of some kilobytes for each tenant.
const PAGE: usize = 500;

/// Room is made for no more tenants at once, whatever the database counts.
const MOST_EXPECTED: usize = 1_000_000;

/// What was read, for comparing the caches with it.
pub(super) struct Seen {
    pub(super) catalogue: Catalogue,
    pub(super) rows: Rows,
}

/// What each row says, by the tenant's id, both as digests.
#[derive(Default)]
pub(super) struct Rows {
    digests: Digests,
    /// In order, once all are there.
    said: Vec<(u64, u64)>,
}

impl Rows {
    fn add(&mut self, digests: (u64, u64)) {
        self.said.push(digests);
    }

    fn complete(mut self) -> Self {
        self.said.sort_unstable();
        self
    }

    /// Whether the row of a tenant says the same as this; nothing if there is none.
    pub(super) fn says(&self, id: &TenantId, tenant: &Tenant) -> Option<bool> {
        let said = self.said_of(id)?;
        Some(said == of_row(&self.digests, tenant))
    }

    /// Whether there is a row.
    pub(super) fn has(&self, id: &TenantId) -> bool {
        self.said_of(id).is_some()
    }

    fn said_of(&self, id: &TenantId) -> Option<u64> {
        let id = of_id(&self.digests, id);
        let at = self.said.binary_search_by_key(&id, |(own, _)| *own).ok()?;
        self.said.get(at).map(|(_, says)| *says)
    }
}

/// A tenant, judged.
pub(super) struct Judged {
    pub(super) tenant: Tenant,
    pub(super) offline: Option<Offline>,
    /// Of each sealed text.
    pub(super) sealed: Vec<u64>,
    row: (u64, u64),
}

/// Judges every tenant; what was seen, or why nothing.
pub(super) async fn check(
    installation: &Installation,
    options: &Options,
    sink: &Sink,
) -> Result<Seen, String> {
    let Some(url) = &installation.settings.database_url else {
        let why = "there is no application database URL";
        skip(CODES, why, sink);
        return Err(why.to_owned());
    };
    let work = async {
        let catalogue = match Catalogue::open(&url.value).await {
            Ok(catalogue) => catalogue,
            Err(error) => {
                let why = match &error {
                    CatalogueError::NoTable { .. } | CatalogueError::NoColumns { .. } => {
                        "see tenants.columns"
                    }
                    // It can be reached, so that this is not said there.
                    CatalogueError::Query { .. } => {
                        sink.wrong(CheckCode::StoredSealed, table::why(&error));
                        "see stored.sealed"
                    }
                    _ => "see database.reachable",
                };
                let why = format!("the tenants cannot be read: {why}");
                let rest: Vec<CheckCode> = CODES.iter().copied().filter(|code| !sink.has(*code)).collect();
                skip(&rest, &why, sink);
                return Err(why);
            }
        };
        match read(&catalogue, installation, options, sink).await {
            Ok(Some(rows)) => Ok(Seen { catalogue, rows }),
            Ok(None) => {
                let seconds = LIMIT.as_secs();
                let message = format!("no row could be read within {seconds} s: is `tenants` locked?");
                sink.error(CheckCode::StoredSealed, message);
                skip(&CODES[1..], "the tenants could not be read", sink);
                Err("the tenants could not be read".to_owned())
            }
            Err(error) => {
                sink.wrong(CheckCode::StoredSealed, table::why(&error));
                skip(&CODES[1..], "the tenants could not be read to the end", sink);
                Err("the tenants could not be read to the end".to_owned())
            }
        }
    };
    let read = within(READING_LIMIT, CODES, sink, work).await;
    read.unwrap_or_else(|| Err("the tenants could not be read in time".to_owned()))
}

/// What each row says; nothing if not even the first of them came in time.
async fn read(
    catalogue: &Catalogue,
    installation: &Installation,
    options: &Options,
    sink: &Sink,
) -> Result<Option<Rows>, CatalogueError> {
    let prober = installation.ring.as_ref().ok().map(|ring| {
        let settings = ProbeOptions {
            expiring_within: options.expiring_within,
            named: false,
            ..ProbeOptions::from_settings(&installation.settings)
        };
        Prober::new(Arc::clone(ring), settings, installation.clock)
    });
    let everybody = TenantFilter::default();
    let beginning = async {
        let before = catalogue.count(&everybody).await?;
        Ok::<_, CatalogueError>((before, catalogue.scan(None, PAGE).await?))
    };
    let Ok(beginning) = tokio::time::timeout(LIMIT, beginning).await else { return Ok(None) };
    let (before, mut page) = beginning?;
    let expected = usize::try_from(before).unwrap_or(usize::MAX).min(MOST_EXPECTED);
    let mut stored = Stored::new(prober.is_some(), expected);
    let mut rows = Rows::default();
    let _ = rows.said.try_reserve_exact(expected);
    let mut seen = 0u64;
    loop {
        let (tenants, next) = page;
        let (prober, digests) = (prober.clone(), rows.digests.clone());
        let judging = tokio::task::spawn_blocking(move || {
            let judged = tenants.into_iter().map(|tenant| judge(prober.as_ref(), &digests, tenant));
            judged.collect::<Vec<_>>()
        });
        let following = async {
            match &next {
                Some(id) => catalogue.scan(Some(id), PAGE).await.map(Some),
                None => Ok(None),
            }
        };
        let (judged, following) = tokio::join!(judging, following);
        // A panic was printed by its hook.
        let Ok(judged) = judged else {
            stored.lost();
            break;
        };
        for one in judged {
            seen += 1;
            rows.add(one.row);
            stored.add(one, sink);
        }
        match following? {
            Some(next) => page = next,
            None => break,
        }
    }
    strays(catalogue, prober.as_ref(), &rows.digests, &mut stored, sink).await?;
    let after = catalogue.count(&everybody).await?;
    // Rows may come and go meanwhile, but none may be passed over.
    let missed = before.min(after).saturating_sub(seen);
    stored.report(Unknown { missed, ring: installation.ring.is_err() }, sink);
    Ok(Some(rows.complete()))
}

/// Judges the keys of tenants without a URL, which were counted with the others and passed over.
async fn strays(
    catalogue: &Catalogue,
    prober: Option<&Prober>,
    digests: &Digests,
    stored: &mut Stored,
    sink: &Sink,
) -> Result<(), CatalogueError> {
    let mut place = None;
    loop {
        let (tenants, next) = catalogue.strays(place.as_ref(), PAGE).await?;
        let (prober, digests) = (prober.cloned(), digests.clone());
        let judging = tokio::task::spawn_blocking(move || {
            let judged = tenants.into_iter().map(|tenant| judge(prober.as_ref(), &digests, tenant));
            judged.collect::<Vec<_>>()
        });
        let Ok(judged) = judging.await else {
            stored.lost();
            return Ok(());
        };
        judged.into_iter().for_each(|one| stored.add_stray(one, sink));
        place = next;
        if place.is_none() {
            return Ok(());
        }
    }
}

fn judge(prober: Option<&Prober>, digests: &Digests, tenant: Tenant) -> Judged {
    let offline = match prober {
        Some(prober) => prober.look(&tenant),
        None => by_form(&tenant),
    };
    // Of what is sealed: each sealing is unique, a plaintext is not.
    let is_sealed = |state| matches!(state, KeyState::Sealed | KeyState::PreviousKey);
    let keys = offline.iter().flat_map(|offline| &offline.keys).filter(|(_, looked)| is_sealed(looked.state));
    let stored = keys.filter_map(|(role, _)| tenant.source.as_ref()?.key(*role));
    let sealed = stored.map(|key| digests.of(&[key.expose().as_bytes()])).collect();
    Judged { row: (of_id(digests, &tenant.id), of_row(digests, &tenant)), offline, sealed, tenant }
}

/// Without an encryption key the form of each stored key alone is judged.
fn by_form(tenant: &Tenant) -> Option<Offline> {
    let source = tenant.source.as_ref()?;
    let keys = [Role::Service, Role::Anon].map(|role| {
        let state = inspect(None, source.key(role)).state;
        (role, Looked { state, key_id: None, canonical: true })
    });
    Some(Offline { keys, findings: Vec::new(), failures: Vec::new(), fingerprint: None })
}

fn of_id(digests: &Digests, id: &TenantId) -> u64 {
    digests.of(&[id.as_str().as_bytes()])
}

/// The digest of what a row says to a service: the same for rows of which each says the same as the other.
fn of_row(digests: &Digests, tenant: &Tenant) -> u64 {
    fn text(text: Option<&str>) -> [&[u8]; 2] {
        text.map_or([b"-", b""], |text| [b"+", text.as_bytes()])
    }
    let mut parts = vec![tenant.status.as_bytes()];
    if let Some(source) = &tenant.source {
        parts.push(source.url.text().expose().as_bytes());
        parts.extend(text(source.anon_key.as_ref().map(Secret::expose)));
        parts.extend(text(source.service_key.as_ref().map(Secret::expose)));
        parts.extend(text(source.pool_config.as_deref()));
        parts.extend(text(source.mapped_id.as_deref()));
        parts.extend(text(source.region.as_deref()));
    }
    digests.of(&parts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tenant::SealedSource;
    use crate::url::SourceUrl;

    #[test]
    fn rows_have_one_digest_when_and_only_when_they_say_the_same() {
        let source = SealedSource {
            url: SourceUrl::new("postgres://u@h/d".to_owned()),
            anon_key: Some(Secret::new("a".to_owned())),
            service_key: None,
            region: Some("eu".to_owned()),
            pool_config: None,
            mapped_id: None,
        };
        let row = |status: &str, source: Option<SealedSource>| Tenant {
            id: TenantId::new("t".to_owned()),
            name: String::new(),
            subdomain: String::new(),
            status: status.to_owned(),
            source,
        };
        let key = |text: &str| Some(Secret::new(text.to_owned()));
        let rows = [
            row("active", None),
            row("suspended", None),
            row("active", Some(source.clone())),
            row("active", Some(SealedSource { url: SourceUrl::new("x".to_owned()), ..source.clone() })),
            row("active", Some(SealedSource { anon_key: None, ..source.clone() })),
            row("active", Some(SealedSource { anon_key: None, service_key: key("a"), ..source.clone() })),
            row("active", Some(SealedSource { service_key: key(""), ..source.clone() })),
            row("active", Some(SealedSource { region: None, ..source.clone() })),
            row(
                "active",
                Some(SealedSource { region: None, mapped_id: Some("eu".to_owned()), ..source.clone() }),
            ),
            row("active", Some(SealedSource { pool_config: Some("{}".to_owned()), ..source })),
        ];
        let digests = Digests::default();
        let of_row = |tenant: &Tenant| of_row(&digests, tenant);
        for (a, one) in rows.iter().enumerate() {
            for (b, other) in rows.iter().enumerate() {
                assert_eq!(of_row(one) == of_row(other), one.says_the_same_as(other), "{a} {b}");
            }
        }
    }
}
