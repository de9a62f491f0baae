//! The lesser tables: the services that the state store knows, and the settings of caches and pool.

use maud::{Markup, html};
use serde_json::Value;

use super::View;
use super::words::{Document, ago, outside, percent, short, since, size};

/// The most services that are listed; the document has all of them.
const INSTANCES: usize = 50;

/// The services that the state store knows.
pub(super) fn instances(view: &View<'_>) -> Markup {
    let Ok(document) = view.document.map(Document) else { return html! {} };
    let all = document.list("/instances");
    html! {
        section data-key="instances" aria-labelledby="instances" {
            h2 #instances { "Running services" }
            @if all.is_empty() {
                div .panel.empty data-key="none" { p { "No service reports to this state store." } }
            } @else {
                div .table.scrolls data-key="some" role="region" aria-label="Table of running services" tabindex="0" {
                    table .plain {
                        caption .unseen { "Services that report to the state store, with their counts since the last reset" }
                        thead { tr {
                            @for column in ["Machine", "Process", "Up", "Last report", "Hit rate"] { th scope="col" { (column) } }
                            @for column in ["Hits", "Misses", "Clients", "Exhausted"] { th .number scope="col" { (column) } }
                        } }
                        tbody { @for instance in all.iter().take(INSTANCES) { (line(Document(instance))) } }
                    }
                }
                @if all.len() > INSTANCES { p .muted { "And " (size(all.len() - INSTANCES)) " more." } }
            }
        }
    }
}

fn line(instance: Document<'_>) -> Markup {
    let time = |pointer| instance.time(pointer);
    let asked = ["hits", "misses"].map(|kind| {
        let pointer = if kind == "hits" { "/cacheStats/cacheHits" } else { "/cacheStats/cacheMisses" };
        instance.number(pointer).unwrap_or(0.0)
    });
    let rate = instance.number("/cacheStats/cacheHitRate").filter(|_| asked[0] + asked[1] > 0.0);
    html! {
        tr data-key=(short(instance.text("/id").unwrap_or("?"), 64)) {
            th scope="row" { (short(&outside(instance.text("/host").unwrap_or("?")), 64)) }
            td { (instance.0.pointer("/pid").map_or_else(|| "?".to_owned(), Value::to_string)) }
            td { @if let Some(at) = time("/startedAt") { (since(at)) } }
            td { @if let Some(at) = time("/lastSeen") { (ago(at)) } }
            td { (percent(rate)) }
            td .number { (instance.count("/cacheStats/cacheHits")) }
            td .number { (instance.count("/cacheStats/cacheMisses")) }
            td .number { (instance.count("/cacheStats/clientCacheSize")) " of " (instance.count("/cacheStats/maxClients")) }
            td .number { (instance.count("/cacheStats/poolExhaustedCount")) }
        }
    }
}

/// The settings of caches and pool, as this process reads them.
pub(super) fn configuration(view: &View<'_>) -> Markup {
    let settings =
        view.document.ok().and_then(|document| document.pointer("/dataSourceManager/configuration"));
    let Some(settings) = settings.and_then(Value::as_object) else { return html! {} };
    html! {
        details .panel.aside data-key="configuration" {
            summary { "Settings of caches and pool" }
            p .muted { "As this process reads them; a service that was started with others goes by its own." }
            dl .facts { @for (name, value) in settings { div {
                dt { code { (outside(name)) } }
                dd { @match value { Value::String(text) => (outside(text)), other => (outside(&other.to_string())) } }
            } } }
        }
    }
}
