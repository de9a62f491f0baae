//! A tenant's own page: everything that is known of its last tests, with nothing cut short.

use maud::{Markup, html};

use super::View;
use super::charts::{history, verdict};
use super::marks::{self, Tone};
use super::tenants::{list, source};
use super::words::{ago, milliseconds, moment, outside, plural, size};
use crate::dashboard::fleet::Row;

/// The panel of the tenant.
pub(super) fn panel(row: &Row, view: &View<'_>) -> Markup {
    let stale = super::standing::is_stale(view);
    // What cannot be gone by any more is never green.
    let tone = match Tone::of_tenant(row) {
        Tone::Well if stale => Tone::Quiet,
        tone => tone,
    };
    html! {
        section class={ "panel banner " (tone.class()) @if stale { " stale" } } data-key="tenant" aria-labelledby="last-test" {
            h2 #last-test { "Last test" }
            p .badges.large {
                (marks::state(row.state, stale))
                @if let Some(class) = row.failure { " " code { (class.slug()) } }
            }
            @if let Some(error) = &row.error { p .error { (error) } }
            @if let Some(hint) = row.hint { p .mend { (hint) } }
            (facts(row, stale))
        }
        section data-key="history" aria-labelledby="history" {
            h2 #history { "Response time" }
            div .panel { (outcomes(row)) }
        }
        section data-key="findings" aria-labelledby="findings" {
            h2 #findings { "Findings" }
            div .panel {
                @if row.findings.is_empty() {
                    p .muted { @if row.tested_at.is_some() { "The last test found nothing to mend." } @else { "Not tested yet." } }
                } @else {
                    ul .findings.wide { (list(&row.findings, usize::MAX)) }
                    @if row.more_findings > 0 { p .muted { (plural(row.more_findings, "more finding")) ": boothds test-connection lists them." } }
                }
            }
        }
    }
}

fn facts(row: &Row, stale: bool) -> Markup {
    let shown = |text: &str| if text.trim().is_empty() { "–".to_owned() } else { text.to_owned() };
    html! {
        dl .facts {
            div { dt { "Tested" } dd { @match row.tested_at { Some(at) => (ago(at)), None => "not yet" } } }
            div { dt { "Response time" } dd { @match row.response_time_ms { Some(ms) => (milliseconds(ms)), None => "–" } } }
            div { dt { "Row-level security" } dd { (marks::row_level_security(row.rls, stale)) } }
            div { dt { "Data source" } dd { (source(row, usize::MAX)) } }
            div { dt { "Subdomain" } dd { bdi { (shown(&row.subdomain)) } } }
            div { dt { "Id" } dd { code { bdi { (outside(row.id.as_str())) } } } }
            @if !row.rls_detail.is_empty() { div .full { dt { "Why row-level security is judged so" } dd { (row.rls_detail) } } }
        }
    }
}

fn outcomes(row: &Row) -> Markup {
    html! {
        @if row.history.is_empty() {
            p .muted { "No test yet." }
        } @else {
            (history(row))
            details .more.quiet {
                summary { "The last " (size(row.history.len())) " tests as a table" }
                table .plain {
                    caption .unseen { "The last tests, the newest first" }
                    thead { tr { th scope="col" { "Ended" } th scope="col" { "Outcome" } } }
                    tbody { @for outcome in row.history.iter().rev() {
                        tr { td { (moment(outcome.at)) } td { (verdict(outcome)) } }
                    } }
                }
            }
        }
    }
}
