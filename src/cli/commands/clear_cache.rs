//! `boothds clear-cache`: forget what is cached of tenants, everywhere.

use serde::Serialize;

use crate::cli::args::{ClearCacheArgs, Format, GlobalArgs};
use crate::cli::block_on;
use crate::cli::confirm;
use crate::cli::error::CliError;
use crate::cli::exit_code::ExitCode;
use crate::cli::output::Output;
use crate::cli::resolve::Resolved;
use crate::cli::stores::Place;
use crate::state::{Cleared, Scope};
use crate::tenant::TenantId;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    cleared: &'a [TenantId],
    entries: usize,
    processes_told: u64,
}

pub(in crate::cli) fn run(
    args: &ClearCacheArgs,
    global: &GlobalArgs,
    output: &mut Output,
) -> Result<ExitCode, CliError> {
    let asks = args.all && !args.yes;
    if asks && !confirm::is_possible() {
        return Err(CliError::usage("to clear all must be confirmed, and there is no terminal to ask on")
            .hint("add --yes if that is what you want"));
    }
    let resolved = Resolved::new(global, Vec::new(), output)?;
    let place = Place::new(&resolved)?;
    block_on(async |interrupt| {
        if asks {
            let address = place.address();
            let question =
                format!("Forget every tenant that is cached in {address}, and tell every process?");
            if !confirm::confirm(question, interrupt).await? {
                return Err(CliError::usage("not confirmed; nothing was cleared"));
            }
        }
        tokio::select! {
            biased;
            code = interrupt.received() => Err(CliError::interrupted(code)),
            cleared = clear(args, &resolved, &place, output) => cleared,
        }
    })
}

async fn clear(
    args: &ClearCacheArgs,
    resolved: &Resolved,
    place: &Place,
    output: &mut Output,
) -> Result<ExitCode, CliError> {
    let scope = if args.all { Scope::All } else { Scope::Tenants(ids(&args.tenants, resolved).await?) };
    output.note(&place.describe());
    let store = place.open(None).await.map_err(|error| place.failed(&error))?;
    let cleared = store.invalidate(&scope, None).await.map_err(|error| place.failed(&error))?;
    // Those that were named, also where nothing was cached: processes may have had them in memory.
    let named = match &scope {
        Scope::Tenants(tenants) => tenants,
        Scope::All => &cleared.tenants,
    };
    match output.format() {
        Format::Table => {
            let entries = plural(cleared.tenants.len(), "cached row went", "cached rows went");
            let told = plural(
                usize::try_from(cleared.told).unwrap_or(usize::MAX),
                "process was told",
                "processes were told",
            );
            output.line(&format!("{entries}, {told}"));
        }
        Format::Json | Format::Jsonl => output.json(&Document {
            cleared: named,
            entries: cleared.tenants.len(),
            processes_told: cleared.told,
        }),
    }
    warn(&cleared, store.address(), output);
    store.close().await;
    Ok(ExitCode::Ok)
}

fn warn(cleared: &Cleared, address: &str, output: &mut Output) {
    let deaf = cleared.living.saturating_sub(cleared.told);
    if cleared.living == 0 {
        output.warning(&format!(
            "no running process was told: none has reported to the state store {address} of late"
        ));
    } else if deaf > 0 {
        output.warning(&format!(
            "{deaf} of {} processes did not take note in time: each goes on with what it has until it hears of this, or \
             ends; `boothds stats` names them",
            cleared.living
        ));
    }
    if !cleared.logged {
        output.warning(&format!(
            "the state store {address} has no memory left for its log: a process that was away for a moment will not \
             hear of this"
        ));
    }
    output.note(
        "the Node application keeps a cache in its web framework, which cannot be reached from here: it forgets by \
         itself after DATA_SOURCE_CONFIG_CACHE_TTL, or when the application is restarted",
    );
}

/// The ids of tenants that are named by id or subdomain. The application database is asked for names that are no UUID.
async fn ids(names: &[String], resolved: &Resolved) -> Result<Vec<TenantId>, CliError> {
    let (known, asked): (Vec<&String>, Vec<&String>) = names.iter().partition(|name| TenantId::is_uuid(name));
    let mut ids: Vec<TenantId> =
        known.into_iter().map(|name| TenantId::new(name.to_ascii_lowercase())).collect();
    if !asked.is_empty() {
        let catalogue = resolved.catalogue().await?;
        let names: Vec<String> = asked.iter().map(|name| (*name).clone()).collect();
        let found = catalogue.find(&names).await.map_err(|error| resolved.unavailable(&error))?;
        let missing: Vec<&String> =
            names.iter().zip(&found).filter(|(_, tenant)| tenant.is_none()).map(|(name, _)| name).collect();
        if !missing.is_empty() {
            return Err(super::info::unknown(&missing, catalogue.address()));
        }
        ids.extend(found.into_iter().flatten().map(|tenant| tenant.id));
        catalogue.close().await;
    }
    ids.sort();
    ids.dedup();
    Ok(ids)
}

fn plural(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}
