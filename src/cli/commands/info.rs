//! `boothds info TENANT`: what is known of one tenant's data source, without asking it.

use jiff::Timestamp;
use serde::Serialize;

use super::tenants::strays;
use crate::cipher::{KeyId, KeyRing, KeyState, inspect};
use crate::cli::args::{Format, GlobalArgs, InfoArgs};
use crate::cli::block_on;
use crate::cli::error::CliError;
use crate::cli::exit_code::ExitCode;
use crate::cli::output::Output;
use crate::cli::resolve::Resolved;
use crate::cli::stores::Place;
use crate::credential::{Claims, Credential, CredentialKind};
use crate::sanitize::{message, printable};
use crate::state::{CachedRow, Found};
use crate::tenant::{PoolConfig, Role, SealedSource, Tenant};
use crate::url::Kind;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    tenant: Name,
    url: Option<String>,
    kind: Option<Kind>,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pool_config: Option<PoolConfig>,
    tenant_id_in_data_source: String,
    is_cached: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_expiry: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_stale: Option<bool>,
    keys: Keys,
}

#[derive(Serialize)]
struct Name {
    id: String,
    name: String,
    subdomain: String,
    status: String,
}

#[derive(Serialize)]
struct Keys {
    anon: Key,
    service: Key,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Key {
    state: KeyState,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_id: Option<KeyId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<CredentialKind>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jwt: Option<Jwt>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Jwt {
    role: Option<String>,
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    project_ref: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    issued_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
}

pub(in crate::cli) fn run(
    args: &InfoArgs,
    global: &GlobalArgs,
    output: &mut Output,
) -> Result<ExitCode, CliError> {
    let resolved = Resolved::new(global, Vec::new(), output)?;
    resolved.database_url()?;
    let ring = resolved.key_ring_if_set()?;
    block_on(async |_| show(args, &resolved, ring.as_ref(), output).await)
}

async fn show(
    args: &InfoArgs,
    resolved: &Resolved,
    ring: Option<&KeyRing>,
    output: &mut Output,
) -> Result<ExitCode, CliError> {
    let catalogue = resolved.catalogue().await?;
    let found = catalogue.find(std::slice::from_ref(&args.tenant)).await;
    let found = found.map_err(|error| resolved.unavailable(&error))?;
    let address = catalogue.address().to_owned();
    let Some(tenant) = found.into_iter().flatten().next() else {
        catalogue.close().await;
        return Err(unknown(&[&args.tenant], &address));
    };
    // Without a URL there is no data source to show, but a key that is there is not missing.
    let keys = match &tenant.source {
        Some(source) => Some(source.clone()),
        None => {
            let mut strays = strays(&catalogue).await.map_err(|error| resolved.unavailable(&error))?;
            strays.remove(&tenant.id)
        }
    };
    catalogue.close().await;
    let cached = cached(&tenant, resolved, ring, output).await;
    let document = Document::new(&tenant, keys.as_ref(), ring, cached.as_ref());
    match output.format() {
        Format::Table => table(&document, output),
        Format::Json | Format::Jsonl => output.json(&document),
    }
    Ok(ExitCode::Ok)
}

/// The tenant's row in the second cache tier. Without a store, or without the key by which it is believed, none.
async fn cached(
    tenant: &Tenant,
    resolved: &Resolved,
    ring: Option<&KeyRing>,
    output: &mut Output,
) -> Option<CachedRow> {
    let store = match Place::new(resolved) {
        Ok(place) => place.open_existing(ring).await.map_err(|error| error.to_string()),
        Err(error) => Err(error.message),
    };
    let store = match store {
        Ok(store) => store?,
        Err(error) => {
            output.warning(&format!("whether the tenant is cached is not known: {error}"));
            return None;
        }
    };
    if ring.is_none() {
        output.note("whether the tenant is cached cannot be told without the encryption key");
        return None;
    }
    let found = store.read(&tenant.id).await.map(|lookup| lookup.found);
    store.close().await;
    match found {
        Ok(Found::Row(row)) => Some(*row),
        Ok(Found::Nothing) => None,
        Ok(Found::Refused(why)) => {
            output.warning(&format!("the cached row of the tenant is not believed: {why}"));
            None
        }
        Err(error) => {
            output.warning(&format!("whether the tenant is cached is not known: {error}"));
            None
        }
    }
}

/// The error of names that no tenant has.
pub(super) fn unknown(names: &[&String], address: &str) -> CliError {
    let names: Vec<_> = names.iter().map(|name| format!("`{}`", message(name, &[]))).collect();
    CliError::new(ExitCode::NotFound, format!("there is no tenant {} in {address}", names.join(", ")))
        .hint("a tenant is named by its id or subdomain; `boothds tenants` lists them")
}

impl Document {
    fn new(
        tenant: &Tenant,
        keys: Option<&SealedSource>,
        ring: Option<&KeyRing>,
        cached: Option<&CachedRow>,
    ) -> Self {
        let source = tenant.source.as_ref();
        Self {
            tenant: Name {
                id: tenant.id.as_str().to_owned(),
                name: tenant.name.clone(),
                subdomain: tenant.subdomain.clone(),
                status: tenant.status.clone(),
            },
            url: source.map(|source| source.url.masked()),
            kind: source.and_then(|source| source.url.kind()),
            region: source.and_then(|source| source.region.clone()),
            pool_config: source.and_then(|source| PoolConfig::parse(source.pool_config.as_deref()?)),
            tenant_id_in_data_source: tenant.id_in_data_source().to_owned(),
            is_cached: cached.is_some(),
            cache_expiry: cached.map(|row| row.expires_at),
            cache_stale: cached.map(|row| !row.tenant.says_the_same_as(tenant)),
            keys: Keys {
                anon: Key::new(keys, Role::Anon, ring),
                service: Key::new(keys, Role::Service, ring),
            },
        }
    }
}

impl Document {
    fn describe_cache(&self) -> String {
        match (self.cache_expiry, self.cache_stale) {
            (Some(expiry), Some(true)) => format!("until {expiry}, STALE: the row says something else now"),
            (Some(expiry), _) => format!("until {expiry}"),
            (None, _) => "no".to_owned(),
        }
    }
}

impl Key {
    fn new(keys: Option<&SealedSource>, role: Role, ring: Option<&KeyRing>) -> Self {
        let inspection = inspect(ring, keys.and_then(|keys| keys.key(role)));
        let credential = inspection.opened.as_ref().map(|opened| Credential::of(&opened.plaintext));
        Self {
            state: inspection.state,
            key_id: inspection.opened.map(|opened| opened.key_id),
            kind: credential.as_ref().map(Credential::kind),
            jwt: credential.as_ref().and_then(Credential::claims).map(Jwt::new),
        }
    }

    fn describe(&self) -> String {
        let mut text = self.state.as_str().to_owned();
        if let (Some(key_id), Some(kind)) = (self.key_id, self.kind) {
            text.push_str(&format!(", opens with {key_id}: {}", kind.as_str()));
        }
        if let Some(jwt) = &self.jwt {
            if let Some(role) = &jwt.role {
                text.push_str(&format!(", role {role}"));
            }
            if let Some(expires) = jwt.expires_at {
                text.push_str(&format!(", expires {expires}"));
            }
        }
        text
    }
}

impl Jwt {
    fn new(claims: &Claims) -> Self {
        Self {
            role: claims.role.clone(),
            project_ref: claims.project_ref.clone(),
            issued_at: claims.issued_at,
            expires_at: claims.expires_at,
        }
    }
}

fn table(document: &Document, output: &mut Output) {
    let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let pool =
        document.pool_config.map_or_else(|| "-".to_owned(), |pool| format!("{} to {}", pool.min, pool.max));
    for (label, value) in [
        ("Tenant", document.tenant.subdomain.clone()),
        ("Id", document.tenant.id.clone()),
        ("Name", document.tenant.name.clone()),
        ("Status", document.tenant.status.clone()),
        ("URL", document.url.clone().unwrap_or_else(|| "no data source is configured".to_owned())),
        ("Kind", document.kind.map_or("-", |kind| kind.as_str()).to_owned()),
        ("Region", or_none(&document.region)),
        ("Connections", pool),
        ("Cached", document.describe_cache()),
        ("Id in data source", document.tenant_id_in_data_source.clone()),
        ("Anon key", document.keys.anon.describe()),
        ("Service key", document.keys.service.describe()),
    ] {
        output.line(format!("{label:<18} {}", printable(&value)).trim_end());
    }
}
