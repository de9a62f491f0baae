//! The form in which a tenant's row stands in a store, and whether one that was found there is believed.
//!
//! A file of its own because it is where trust is decided, the same for every back end: a store is a place that others
//! may be able to write to. The form is JSON with a version; beside it stand the expiry and a code over namespace,
//! tenant, expiry and JSON, so that nothing of it can be altered or moved elsewhere. Nothing here opens a key.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{CachedRow, Found};
use crate::cipher::{Authenticator, Sealed};
use crate::sanitize::hide_credentials;
use crate::secret::Secret;
use crate::tenant::{SealedSource, Tenant, TenantId};
use crate::url::{Address, SourceUrl};

/// The version of the JSON. A row of another version is a miss.
const VERSION: u32 = 1;
/// The longest time that a row may have left, the largest TTL that the settings take. One with more was written by a
/// clock that is far ahead of ours, and could outlive every invalidation that we remember.
const LONGEST: SignedDuration = SignedDuration::from_hours(7 * 24);

/// A row as it stands in a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stored<T> {
    /// When it expires, in milliseconds since 1970.
    pub(super) expires: i64,
    /// See [`Authenticator::code`].
    pub(super) code: T,
    /// The JSON.
    pub(super) content: T,
}

impl Stored<Vec<u8>> {
    pub(super) fn view(&self) -> Stored<&[u8]> {
        Stored { expires: self.expires, code: &self.code, content: &self.content }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row<'a> {
    v: u32,
    id: Text<'a>,
    name: Text<'a>,
    subdomain: Text<'a>,
    status: Text<'a>,
    #[serde(borrow)]
    source: Option<Source<'a>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Source<'a> {
    #[serde(borrow)]
    url: Text<'a>,
    #[serde(borrow)]
    anon_key: Option<Text<'a>>,
    #[serde(borrow)]
    service_key: Option<Text<'a>>,
    #[serde(borrow)]
    region: Option<Text<'a>>,
    #[serde(borrow)]
    pool_config: Option<Text<'a>>,
    #[serde(borrow)]
    mapped_id: Option<Text<'a>>,
}

/// Borrowed on the way in, owned on the way out: an escape in JSON cannot be borrowed.
type Text<'a> = std::borrow::Cow<'a, str>;

/// The form of a row, or nothing where the row holds something readable, which a store must not.
pub(super) fn encode(
    row: &CachedRow,
    namespace: &str,
    authenticator: &Authenticator,
) -> Option<Stored<Vec<u8>>> {
    let tenant = &row.tenant;
    if holds_something_readable(tenant) {
        return None;
    }
    let source = tenant.source.as_ref().map(|source| Source {
        url: source.url.text().expose().into(),
        anon_key: source.anon_key.as_ref().map(|key| key.expose().into()),
        service_key: source.service_key.as_ref().map(|key| key.expose().into()),
        region: source.region.as_deref().map(Text::from),
        pool_config: source.pool_config.as_deref().map(Text::from),
        mapped_id: source.mapped_id.as_deref().map(Text::from),
    });
    let form = Row {
        v: VERSION,
        id: tenant.id.as_str().into(),
        name: (&tenant.name).into(),
        subdomain: (&tenant.subdomain).into(),
        status: (&tenant.status).into(),
        source,
    };
    let content = serde_json::to_vec(&form).ok()?;
    let expires = row.expires_at.as_millisecond();
    let code = authenticator.code(&parts(namespace, &tenant.id, &expires.to_le_bytes(), &content));
    Some(Stored { expires, code: code.to_vec(), content })
}

/// What a store has of `asked`, judged.
pub(super) fn decode(
    stored: &Stored<&[u8]>,
    asked: &TenantId,
    namespace: &str,
    authenticator: &Authenticator,
    now: Timestamp,
) -> Found {
    let expiry = stored.expires.to_le_bytes();
    if !authenticator.verify(&parts(namespace, asked, &expiry, stored.content), stored.code) {
        return Found::Refused(
            "its authentication code does not fit: it was altered, moved or planted, or sealed with a key that is unknown here",
        );
    }
    let Ok(expires_at) = Timestamp::from_millisecond(stored.expires) else {
        return Found::Refused("it expires at a time that there is none of");
    };
    if expires_at <= now {
        return Found::Nothing;
    }
    if expires_at.duration_since(now) > LONGEST {
        return Found::Refused(
            "it expires later than any row can: the clock of the process that wrote it, or this one, is wrong",
        );
    }
    // What the code covers was written by one of us: what cannot be read is of another version.
    let Ok(row) = serde_json::from_slice::<Row<'_>>(stored.content) else { return Found::Nothing };
    if row.v != VERSION || row.id != asked.as_str() {
        return Found::Nothing;
    }
    Found::Row(Box::new(CachedRow { tenant: row.into_tenant(), expires_at }))
}

impl Row<'_> {
    fn into_tenant(self) -> Tenant {
        let secret = |text: Option<Text<'_>>| text.map(|text| Secret::new(text.into_owned()));
        let owned = |text: Option<Text<'_>>| text.map(Text::into_owned);
        Tenant {
            id: TenantId::new(self.id.into_owned()),
            name: self.name.into_owned(),
            subdomain: self.subdomain.into_owned(),
            status: self.status.into_owned(),
            source: self.source.map(|source| SealedSource {
                url: SourceUrl::new(source.url.into_owned()),
                anon_key: secret(source.anon_key),
                service_key: secret(source.service_key),
                region: owned(source.region),
                pool_config: owned(source.pool_config),
                mapped_id: owned(source.mapped_id),
            }),
        }
    }
}

fn parts<'a>(namespace: &'a str, tenant: &'a TenantId, expiry: &'a [u8], content: &'a [u8]) -> [&'a [u8]; 4] {
    [namespace.as_bytes(), tenant.as_str().as_bytes(), expiry, content]
}

/// Whether somebody who reads the store would learn a credential: a key that is not sealed, a password in the URL, or
/// a key that was pasted into another column. A URL that cannot be taken apart may hide one anywhere.
fn holds_something_readable(tenant: &Tenant) -> bool {
    let shown = |text: &str| hide_credentials(text) != text;
    let columns = [tenant.id.as_str(), &tenant.name, &tenant.subdomain, &tenant.status];
    if columns.into_iter().any(shown) {
        return true;
    }
    let Some(source) = &tenant.source else { return false };
    let readable = |key: &Secret| !key.is_empty() && Sealed::parse(key.expose()).is_err();
    let url = match source.url.parse() {
        Ok(Address::Postgres(address)) => address.password.is_some(),
        Ok(Address::Supabase(_) | Address::Sqlite(_)) => false,
        Err(_) => true,
    };
    let hidden = |text: &str| crate::sanitize::hide_tokens(text) != text;
    let free = [&source.region, &source.pool_config, &source.mapped_id];
    url || hidden(source.url.text().expose())
        || [&source.anon_key, &source.service_key].into_iter().flatten().any(readable)
        || free.into_iter().flatten().any(|text| shown(text))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cipher::{EncryptionKey, KeyRing};

    const NOW: i64 = 1_700_000_000_000;

    fn ring(digit: char) -> KeyRing {
        let key = Secret::new(digit.to_string().repeat(64));
        KeyRing::new(EncryptionKey::parse(&key, "test").unwrap(), Vec::new())
    }

    fn authenticator() -> Authenticator {
        Authenticator::new(&ring('1'), super::super::ROW_PURPOSE)
    }

    fn now() -> Timestamp {
        Timestamp::from_millisecond(NOW).unwrap()
    }

    fn sealed_source() -> impl Strategy<Value = SealedSource> {
        let url = prop_oneof![
            Just("https://abc.supabase.co/".to_owned()),
            "postgres://[a-z]{1,8}@[a-z]{1,8}:5433/[a-z]{1,8}",
            "sqlite:/[a-z/]{1,20}",
        ];
        let key = prop::option::of(prop_oneof![
            Just(String::new()),
            "\\PC{1,60}".prop_map(|text| ring('1').seal(&text)),
            "[a-z]{1,9}".prop_map(|text| format!(" {}\n", ring('2').seal(&text).replace('=', ""))),
        ]);
        let text = || prop::option::of("[\\PC\0\n\"\\\\]{0,12}");
        (url, key.clone(), key, text(), text(), text()).prop_map(
            |(url, anon, service, region, pool_config, mapped_id)| SealedSource {
                url: SourceUrl::new(url),
                anon_key: anon.map(Secret::new),
                service_key: service.map(Secret::new),
                region,
                pool_config,
                mapped_id,
            },
        )
    }

    prop_compose! {
        fn tenants()(
            id in "[\\PC\0]{0,40}", name in "\\PC{0,20}", subdomain in "\\PC{0,20}", status in "\\PC{0,9}",
            source in prop::option::of(sealed_source()),
        ) -> Tenant {
            Tenant { id: TenantId::new(id), name, subdomain, status, source }
        }
    }

    /// Everything of a tenant, the secrets too, in a form that can be compared.
    fn laid_open(tenant: &Tenant) -> String {
        let source = tenant.source.as_ref().map(|s| {
            let key = |key: &Option<Secret>| key.as_ref().map(|key| key.expose().to_owned());
            let url = s.url.text().expose().to_owned();
            (
                url,
                key(&s.anon_key),
                key(&s.service_key),
                s.region.clone(),
                s.pool_config.clone(),
                s.mapped_id.clone(),
            )
        });
        format!(
            "{:?} {:?} {:?} {:?} {source:?}",
            tenant.id.as_str(),
            tenant.name,
            tenant.subdomain,
            tenant.status
        )
    }

    fn judged(stored: &Stored<Vec<u8>>, asked: &TenantId, namespace: &str) -> Found {
        decode(&stored.view(), asked, namespace, &authenticator(), now())
    }

    proptest! {
        #[test]
        fn every_row_comes_back_as_it_was(tenant in tenants(), left in 1i64..604_800_000) {
            let expires_at = Timestamp::from_millisecond(NOW + left).unwrap();
            let row = CachedRow { tenant, expires_at };
            prop_assume!(!holds_something_readable(&row.tenant));
            let stored = encode(&row, "n", &authenticator()).unwrap();
            let Found::Row(found) = judged(&stored, &row.tenant.id, "n") else { panic!("not believed") };
            prop_assert_eq!(laid_open(&found.tenant), laid_open(&row.tenant));
            prop_assert_eq!(found.expires_at, expires_at);
        }

        #[test]
        fn one_changed_byte_anywhere_or_another_place_is_refused(
            tenant in tenants(), at in any::<prop::sample::Index>(), by in 1u8..=255, other in "[a-z]{1,9}",
        ) {
            prop_assume!(!holds_something_readable(&tenant) && tenant.id.as_str() != other);
            let row = CachedRow { tenant, expires_at: Timestamp::from_millisecond(NOW + 1000).unwrap() };
            let good = encode(&row, "n", &authenticator()).unwrap();
            let id = &row.tenant.id;
            let mut content = good.clone();
            content.content[at.index(good.content.len())] ^= by;
            let mut code = good.clone();
            code.code[at.index(32)] ^= by;
            let mut expiry = good.expires.to_le_bytes();
            expiry[at.index(8)] ^= by;
            let expiry = Stored { expires: i64::from_le_bytes(expiry), ..good.clone() };
            let short = Stored { code: good.code[..31].to_vec(), ..good.clone() };
            for altered in [content, code, expiry, short] {
                prop_assert!(matches!(judged(&altered, id, "n"), Found::Refused(_)));
            }
            prop_assert!(matches!(judged(&good, &TenantId::new(other.clone()), "n"), Found::Refused(_)));
            prop_assert!(matches!(judged(&good, id, &other.to_uppercase()), Found::Refused(_)));
        }
    }

    #[test]
    fn a_row_is_a_miss_at_its_expiry_and_suspicious_beyond_a_week() {
        let tenant = Tenant {
            id: TenantId::new("t".to_owned()),
            name: String::new(),
            subdomain: String::new(),
            status: String::new(),
            source: None,
        };
        let found = |left: i64| {
            let expires_at = Timestamp::from_millisecond(NOW + left).unwrap();
            let row = CachedRow { tenant: tenant.clone(), expires_at };
            judged(&encode(&row, "n", &authenticator()).unwrap(), &tenant.id, "n")
        };
        assert!(matches!(found(0), Found::Nothing));
        assert!(matches!(found(-5), Found::Nothing));
        assert!(matches!(found(1), Found::Row(_)));
        assert!(matches!(found(604_800_000), Found::Row(_)));
        assert!(matches!(found(604_800_001), Found::Refused(_)));
    }

    #[test]
    fn what_is_readable_is_not_stored() {
        let good = SealedSource {
            url: SourceUrl::new("postgres://u@h/d".to_owned()),
            anon_key: Some(Secret::new(ring('1').seal("x"))),
            service_key: None,
            region: None,
            pool_config: None,
            mapped_id: None,
        };
        let secret = |text: &str| Some(Secret::new(text.to_owned()));
        let url = |text: &str| SourceUrl::new(text.to_owned());
        let jwt = "eyJhbGciOi.eyJyb2xlIjo.sig".to_owned();
        let hex = format!("{0}:{0}:{0}", "0f".repeat(16));
        let sources = [
            (false, good.clone()),
            (true, SealedSource { service_key: secret("sb_secret_abcdefgh"), ..good.clone() }),
            (true, SealedSource { anon_key: secret(&jwt), ..good.clone() }),
            (true, SealedSource { anon_key: secret(&hex), ..good.clone() }),
            (true, SealedSource { anon_key: secret("just text"), ..good.clone() }),
            (true, SealedSource { url: url("postgres://u:pw@h/d"), ..good.clone() }),
            (true, SealedSource { url: url("postgres://u:p/w@h/d"), ..good.clone() }),
            (true, SealedSource { url: url("postgres://u@h/d?password=pw"), ..good.clone() }),
            (true, SealedSource { url: url("https://u:pw@h.example"), ..good.clone() }),
            (true, SealedSource { url: url(&format!("https://h.example/{jwt}")), ..good.clone() }),
            (true, SealedSource { region: Some(jwt), ..good.clone() }),
            (true, SealedSource { mapped_id: Some("postgres://u:pw@h".to_owned()), ..good }),
        ];
        for (number, (readable, source)) in sources.into_iter().enumerate() {
            let tenant = Tenant {
                id: TenantId::new("t".to_owned()),
                name: String::new(),
                subdomain: String::new(),
                status: String::new(),
                source: Some(source),
            };
            assert_eq!(holds_something_readable(&tenant), readable, "{number}");
        }
    }
}
