//! The table `tenants` and what the role may do with it, as far as the catalogue of the database tells.

use super::trigger::{self, Reading};
use super::{Sink, chain, count, skip};
use crate::catalogue::CatalogueError;
use crate::catalogue::facts::{Facts, Table};
use crate::finding::CheckCode;
use crate::sanitize::printable;

/// Columns of the field that nothing here needs.
const OPTIONAL: [&str; 5] = ["plan", "settings", "data_source_notes", "created_at", "updated_at"];
const KEYS: [&str; 2] = ["data_source_anon_key", "data_source_service_key"];

pub(super) fn check(facts: &Facts, table: &Table, sink: &Sink) {
    columns(table, sink);
    types(facts, table, sink);
    rights(facts, table, sink);
    constraint(table, sink);
    uniqueness(table, sink);
    triggers(facts, table, sink);
}

fn columns(table: &Table, sink: &Sink) {
    let missing: Vec<&str> = table.missing().iter().map(|(name, _)| *name).collect();
    if !missing.is_empty() {
        let message = format!("the table {} lacks {}", printable(&table.name), missing.join(", "));
        sink.wrong(CheckCode::TenantsColumns, message);
        return;
    }
    let without: Vec<&str> = OPTIONAL.into_iter().filter(|name| table.column(name).is_none()).collect();
    let without = match without.as_slice() {
        [] => String::new(),
        names => format!("; it is without {}, which nothing here needs", names.join(", ")),
    };
    sink.ok(
        CheckCode::TenantsColumns,
        format!("{} has every column that is needed{without}", printable(&table.name)),
    );
}

fn types(facts: &Facts, table: &Table, sink: &Sink) {
    if !facts.is_postgres {
        sink.ok(CheckCode::TenantsTypes, "a column of SQLite holds any type");
        return;
    }
    let wrong = table.mistyped();
    for (name, kind, wanted) in &wrong {
        let message = format!("the column {name} is of type {}, not {wanted}", printable(kind));
        sink.wrong(CheckCode::TenantsTypes, message);
    }
    if wrong.is_empty() {
        sink.ok(CheckCode::TenantsTypes, "the columns have the types that they should have");
    }
}

fn rights(facts: &Facts, table: &Table, sink: &Sink) {
    let role = facts.server.role.as_ref().map_or("this user", |(role, _)| role.as_str());
    if !facts.is_postgres {
        sink.ok(CheckCode::DatabaseSelect, "a file has no rights but the system's");
        sink.ok(CheckCode::DatabaseUpdate, "a file has no rights but the system's");
        sink.ok(CheckCode::DatabaseRows, "a file has no policies");
        return;
    }
    match table.unreadable().as_slice() {
        [] => sink.ok(CheckCode::DatabaseSelect, format!("{role} may read what is needed")),
        names => {
            let message = format!("{role} may not read {} of tenants", names.join(", "));
            sink.wrong_so(CheckCode::DatabaseSelect, message, format!("GRANT SELECT ON tenants TO {role}"));
        }
    }
    let fixed: Vec<&str> =
        KEYS.into_iter().filter(|name| table.column(name).is_some_and(|column| !column.may_change)).collect();
    match fixed.as_slice() {
        [] => sink.ok(CheckCode::DatabaseUpdate, format!("{role} may change the key columns")),
        names => {
            sink.wrong(
                CheckCode::DatabaseUpdate,
                format!("{role} may not change {} of tenants", names.join(", ")),
            );
        }
    }
    if table.hides_rows {
        let message = format!("policies of tenants apply to {role}, and may hide rows from it");
        sink.wrong(CheckCode::DatabaseRows, message);
    } else {
        sink.ok(CheckCode::DatabaseRows, format!("no policy hides rows of tenants from {role}"));
    }
}

fn constraint(table: &Table, sink: &Sink) {
    const CODE: CheckCode = CheckCode::TenantsConstraint;
    if let Some(error) = &table.uncounted {
        sink.skipped(CODE, uncounted(error));
        return;
    }
    let half = count(table.half_sources, "row");
    let incomplete = if table.half_sources > 0 { format!("; incomplete: {half}") } else { String::new() };
    let mere = match &table.mere {
        Some((name, why)) => format!("; {} {why}", printable(name)),
        None => String::new(),
    };
    match &table.constraint {
        Some((name, true)) if table.half_sources == 0 => {
            sink.ok(CODE, format!("{} keeps data sources complete", printable(name)));
        }
        Some((name, true)) => {
            let hint = "complete those rows, or clear what is left in them";
            let message = format!("{} keeps data sources complete from now on{incomplete}", printable(name));
            sink.wrong_so(CODE, message, hint);
        }
        Some((name, false)) => {
            let message = format!("{} was never validated; against it: {half}", printable(name));
            let hint = "complete those rows, then ALTER TABLE tenants VALIDATE CONSTRAINT …";
            sink.wrong_so(CODE, message, hint);
        }
        None => sink.wrong(CODE, format!("no constraint keeps data sources complete{mere}{incomplete}")),
    }
}

/// Why the table, or its rows, could not be looked at, with the cause that is likely.
pub(super) fn why(error: &CatalogueError) -> String {
    let text = chain(error);
    let cause = if text.contains("(SQLSTATE 55P03)") {
        "another transaction has `tenants` locked: "
    } else if text.contains("(SQLSTATE 57014)") {
        "the server took too long: "
    } else {
        ""
    };
    format!("{cause}{text}")
}

fn uncounted(error: &CatalogueError) -> String {
    format!("rows and checks could not be looked at: {}", why(error))
}

fn uniqueness(table: &Table, sink: &Sink) {
    subdomain(table, sink);
    const CODE: CheckCode = CheckCode::TenantsPrimaryKey;
    match (table.is_plain, table.has_primary_key, table.unfit_ids, &table.uncounted) {
        (false, ..) => {
            let hint = "name the database of the table itself: keys can be rotated in a plain table only";
            sink.wrong_so(CODE, format!("{} is no plain table", printable(&table.name)), hint);
        }
        (true, true, ..) => sink.ok(CODE, "the column `id` tells rows apart"),
        (true, false, _, Some(error)) => sink.skipped(CODE, uncounted(error)),
        (true, false, 0, None) if table.column("id").is_some() => {
            sink.wrong(CODE, "the column `id` is no primary key, nor unique and never null");
        }
        (true, false, 0, None) => sink.skipped(CODE, "there is no column `id`"),
        (true, false, unfit, None) => {
            let rows = count(unfit, "row");
            let message = format!("the column `id` is no primary key; without an id of its own: {rows}");
            sink.wrong_so(
                CODE,
                message,
                "give every tenant an id of its own; then `boothds doctor --print-sql`",
            );
        }
    }
}

fn subdomain(table: &Table, sink: &Sink) {
    const CODE: CheckCode = CheckCode::TenantsSubdomain;
    if table.subdomain_is_unique {
        sink.ok(CODE, "no two tenants can have one subdomain");
    } else if let Some(error) = &table.uncounted {
        sink.skipped(CODE, uncounted(error));
    } else if table.shared_subdomains > 0 {
        let shared = count(table.shared_subdomains, "subdomain");
        let message =
            format!("there is no unique index over the subdomain; had by several tenants: {shared}");
        let hint = "give each tenant its own subdomain, then create the index that `boothds doctor --print-sql` prints";
        sink.wrong_so(CODE, message, hint);
    } else if table.column("subdomain").is_some() {
        sink.wrong(CODE, "there is no unique index over the subdomain alone");
    } else {
        sink.skipped(CODE, "there is no column `subdomain`");
    }
}

fn triggers(facts: &Facts, table: &Table, sink: &Sink) {
    const CODE: CheckCode = CheckCode::TenantsTrigger;
    const REHEARSE: &str = "`boothds doctor --rehearse` tries it, in a transaction that is rolled back";
    if table.columns.is_empty() {
        skip(&[CODE], "the table could not be looked at", sink);
        return;
    }
    if table.triggers.is_empty() && table.rules.is_empty() {
        sink.ok(CODE, "no trigger fires when a key is changed");
    }
    for (name, replaces) in &table.rules {
        let name = printable(name);
        if *replaces {
            let message = format!("the rule {name} does something else when a key is changed");
            sink.wrong_so(CODE, message, "drop the rule: no key can be stored or rotated past it");
        } else {
            let message = format!("the rule {name}, which does something besides, can only be tried");
            sink.skipped_so(CODE, message, REHEARSE);
        }
    }
    for trigger in &table.triggers {
        let name = printable(&trigger.name);
        if !facts.is_postgres {
            sink.skipped_so(CODE, format!("the trigger {name} can only be tried"), REHEARSE);
            continue;
        }
        let Reading { faults, risks, doubts, .. } = trigger::read(trigger, &table.relations);
        for risk in &risks {
            const HINT: &str = "`boothds doctor --print-sql` prints the mend; until then changes fail on a connection on which a \
                                transaction before has set it, as a pooler hands them around";
            let message = format!("the trigger {name} ({}): {risk}", printable(&trigger.function));
            sink.warning(CODE, message, HINT);
        }
        for fault in &faults {
            sink.wrong(CODE, format!("the trigger {name} ({}): {fault}", printable(&trigger.function)));
        }
        if faults.is_empty() && risks.is_empty() {
            match doubts.as_slice() {
                [] => sink.ok(CODE, format!("nothing in the text of the trigger {name} says that it raises")),
                doubts => {
                    let why = doubts.join("; ");
                    sink.skipped_so(CODE, format!("the trigger {name} can only be tried: {why}"), REHEARSE);
                }
            }
        }
    }
}
