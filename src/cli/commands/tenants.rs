//! `boothds tenants`: who there is, page by page.

use std::collections::HashMap;

use serde::Serialize;

use crate::catalogue::{Catalogue, CatalogueError, Cursor};
use crate::cipher::{KeyRing, KeyState, inspect};
use crate::cli::args::{Format, GlobalArgs, TenantsArgs};
use crate::cli::block_on;
use crate::cli::error::CliError;
use crate::cli::exit_code::ExitCode;
use crate::cli::output::table::{Rows, Tone};
use crate::cli::output::{Output, json_for_terminals};
use crate::cli::resolve::Resolved;
use crate::probe::DataSource;
use crate::tenant::{Role, SealedSource, Tenant, TenantId};

/// How many tenants one page holds.
const PAGE: usize = 1000;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry<'a> {
    id: &'a str,
    name: &'a str,
    subdomain: &'a str,
    status: &'a str,
    data_source: Option<DataSource>,
    keys: Keys,
}

#[derive(Serialize)]
struct Keys {
    anon: KeyState,
    service: KeyState,
}

pub(in crate::cli) fn run(
    args: &TenantsArgs,
    global: &GlobalArgs,
    output: &mut Output,
) -> Result<ExitCode, CliError> {
    let resolved = Resolved::new(global, Vec::new(), output)?;
    resolved.database_url()?;
    let ring = resolved.key_ring_if_set()?;
    block_on(async |_| list(args, &resolved, ring.as_ref(), output).await)
}

async fn list(
    args: &TenantsArgs,
    resolved: &Resolved,
    ring: Option<&KeyRing>,
    output: &mut Output,
) -> Result<ExitCode, CliError> {
    let catalogue = resolved.catalogue().await?;
    let filter = args.filter.filter();

    let strays = strays(&catalogue).await.map_err(|error| resolved.unavailable(&error))?;
    let mut printer = Printer::new(output, catalogue.address());
    let mut cursor: Option<Cursor> = None;
    let mut total = 0usize;
    loop {
        let page = catalogue.page(&filter, cursor.as_ref(), PAGE).await;
        let page = page.map_err(|error| resolved.unavailable(&error))?;
        for tenant in &page.tenants {
            let source = tenant.source.as_ref().or_else(|| strays.get(&tenant.id));
            printer.add(&Entry::new(tenant, source, ring));
        }
        total += page.tenants.len();
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    if total == 0 && !args.filter.allow_empty {
        return Err(nobody(filter.is_empty()));
    }
    printer.finish(total);
    catalogue.close().await;
    Ok(ExitCode::Ok)
}

/// The keys of tenants without a URL: there is no data source to show, but a key that is there is not missing.
pub(super) async fn strays(catalogue: &Catalogue) -> Result<HashMap<TenantId, SealedSource>, CatalogueError> {
    let mut found = HashMap::new();
    let mut place = None;
    loop {
        let (tenants, next) = catalogue.strays(place.as_ref(), PAGE).await?;
        found.extend(tenants.into_iter().filter_map(|tenant| Some((tenant.id, tenant.source?))));
        place = next;
        if place.is_none() {
            return Ok(found);
        }
    }
}

/// The error of an empty selection.
pub(super) fn nobody(everybody_was_meant: bool) -> CliError {
    let message = if everybody_was_meant { "there are no tenants" } else { "no tenant fits the filter" };
    CliError::new(ExitCode::NotFound, message).hint("--allow-empty makes an empty selection no error")
}

impl<'a> Entry<'a> {
    /// `keys` is where its keys are, whether it has a data source or not.
    fn new(tenant: &'a Tenant, keys: Option<&SealedSource>, ring: Option<&KeyRing>) -> Self {
        let state = |role: Role| inspect(ring, keys.and_then(|keys| keys.key(role))).state;
        Self {
            id: tenant.id.as_str(),
            name: &tenant.name,
            subdomain: &tenant.subdomain,
            status: &tenant.status,
            data_source: tenant.source.as_ref().map(DataSource::of),
            keys: Keys { anon: state(Role::Anon), service: state(Role::Service) },
        }
    }
}

/// JSON lines are printed as the pages come. The table comes at the end, because its widths are known only then, and so
/// does the JSON document, of which half would be none.
struct Printer<'o> {
    output: &'o mut Output,
    rows: Option<Rows>,
    document: String,
}

impl<'o> Printer<'o> {
    fn new(output: &'o mut Output, address: &str) -> Self {
        let rows = (output.format() == Format::Table)
            .then(|| Rows::new(["TENANT", "ID", "NAME", "STATUS", "KIND", "ENDPOINT", "ANON", "SERVICE"]));
        let address = serde_json::Value::from(address);
        let document = format!("{{\n  \"applicationDatabase\": {address},\n  \"tenants\": [");
        Self { output, rows, document }
    }

    fn add(&mut self, entry: &Entry<'_>) {
        match (&mut self.rows, self.output.format()) {
            (Some(rows), _) => {
                let source = entry.data_source.as_ref();
                let kind = source.and_then(|source| source.kind).map_or("-", |kind| kind.as_str());
                rows.add([
                    (entry.subdomain, Tone::Plain),
                    (entry.id, Tone::Dim),
                    (entry.name, Tone::Plain),
                    (entry.status, Tone::Plain),
                    (kind, Tone::Plain),
                    (source.map_or("-", |source| source.endpoint.as_str()), Tone::Plain),
                    (entry.keys.anon.as_str(), tone(entry.keys.anon)),
                    (entry.keys.service.as_str(), tone(entry.keys.service)),
                ]);
            }
            (None, Format::Json) => {
                self.document.push_str(if self.document.ends_with('[') { "\n    " } else { ",\n    " });
                self.document
                    .push_str(&json_for_terminals(&serde_json::to_string(entry).unwrap_or_default()));
            }
            (None, _) => self.output.json_line(entry),
        }
    }

    fn finish(self, total: usize) {
        match (self.rows, self.output.format()) {
            (Some(rows), _) => {
                self.output.print(&rows.finish());
                self.output.line(&format!("\n{total} {}", if total == 1 { "tenant" } else { "tenants" }));
            }
            (None, Format::Json) => self.output.line(&format!("{}\n  ]\n}}", self.document)),
            (None, _) => {}
        }
    }
}

/// How the state of a key is shown.
pub(super) fn tone(state: KeyState) -> Tone {
    match state {
        KeyState::Sealed => Tone::Good,
        KeyState::PreviousKey => Tone::Plain,
        KeyState::Plaintext | KeyState::Hex | KeyState::Unreadable => Tone::Bad,
        KeyState::Missing => Tone::Dim,
    }
}
