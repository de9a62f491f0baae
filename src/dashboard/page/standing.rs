//! How everything stands, in the words that come first: what makes the data on the page less than they seem, and the
//! sentence by which somebody who does not see the page learns of a change.

use std::time::Duration;

use maud::{Markup, html};

use super::View;
use super::marks::{Tone, icon};
use super::words::{Document, ago, plural, since, span, until};
use crate::dashboard::fleet::{Snapshot, State};

/// Rounds of this many intervals ago are old.
const OLD: u32 = 2;
/// What a round may take beyond that before its results count as old.
const GRACE: Duration = Duration::from_secs(60);

/// How the fleet is, in a sentence.
pub(super) struct Verdict {
    pub(super) tone: Tone,
    pub(super) text: String,
}

/// Whether the results are nothing to go by: too old, or of a database that cannot be asked now.
pub(super) fn is_stale(view: &View<'_>) -> bool {
    let fleet = view.fleet;
    if fleet.trouble.is_some() || !view.has_database {
        return true;
    }
    let Some(last) = fleet.round.ended.or(fleet.round.began) else { return false };
    let age = view.now.duration_since(last);
    age > (fleet.interval * OLD + GRACE).try_into().unwrap_or(jiff::SignedDuration::MAX)
}

/// How the fleet is. It is well only when every result is there, and new.
pub(super) fn of_fleet(view: &View<'_>) -> Verdict {
    let fleet = view.fleet;
    let totals = &fleet.totals;
    let is = |tone, text: String| Verdict { tone, text };
    let fails = |failed: usize| {
        let all = plural(totals.total, "tenant");
        if totals.total == 1 { "The one tenant fails".to_owned() } else { format!("{failed} of {all} fail") }
    };
    match () {
        () if totals.failed > 0 => is(Tone::Bad, fails(totals.failed)),
        () if is_stale(view) && fleet.round.completed == 0 => is(Tone::Quiet, "No results".to_owned()),
        () if is_stale(view) => is(Tone::Quiet, "Not up to date".to_owned()),
        () if fleet.round.completed == 0 => is(Tone::Quiet, "First round under way".to_owned()),
        () if totals.total == 0 => is(Tone::Quiet, "There are no active tenants".to_owned()),
        () if totals.errors > 0 => {
            is(Tone::Bad, format!("All answer, with {}", plural(totals.errors, "error")))
        }
        () if !fleet.findings.is_empty() || totals.warnings > 0 => {
            let between = if fleet.findings.is_empty() { "" } else { " between tenants" };
            is(Tone::Warning, format!("All answer, with findings{between}"))
        }
        () if totals.pending > 0 => {
            is(Tone::Quiet, format!("{} not tested yet", plural(totals.pending, "tenant")))
        }
        () if totals.passed == 0 => is(Tone::Quiet, "No tenant has a data source".to_owned()),
        () => is(Tone::Well, "All tenants answer".to_owned()),
    }
}

/// How the services are, in a word.
pub(super) fn of_services(view: &View<'_>) -> Verdict {
    let is = |tone, text: &str| Verdict { tone, text: text.to_owned() };
    let Ok(document) = view.document else { return is(Tone::Quiet, "Unknown") };
    match Document(document).text("/health/status") {
        Some("healthy") => is(Tone::Well, "Healthy"),
        Some("warning") => is(Tone::Warning, "Warning"),
        Some("critical") => is(Tone::Bad, "Critical"),
        Some("idle") => is(Tone::Quiet, "Idle"),
        _ => is(Tone::Quiet, "Unknown"),
    }
}

/// What is announced when it changes.
pub(super) fn verdict(view: &View<'_>) -> String {
    match view.tenant {
        Some(row) if is_stale(view) => {
            format!("The last test of this tenant {}, but it is not up to date.", word(row.state))
        }
        Some(row) => format!("The last test of this tenant {}.", word(row.state)),
        None => format!("Services: {}. Fleet: {}.", of_services(view).text, of_fleet(view).text),
    }
}

/// The title of the window: what fails comes first, where a row of tabs still shows it.
pub(super) fn title(view: &View<'_>) -> String {
    let Snapshot { totals, .. } = view.fleet;
    match view.tenant {
        Some(row) => {
            let name = if row.subdomain.is_empty() { row.id.as_str() } else { row.subdomain.as_str() };
            let name = super::words::outside(name);
            let old = if is_stale(view) { " (old)" } else { "" };
            format!("{} {}{old} – boothds", super::words::short(&name, 60), word(row.state))
        }
        None if totals.failed > 0 => format!("({}) failed – boothds", totals.failed),
        None => "Data sources – boothds".to_owned(),
    }
}

fn word(state: State) -> &'static str {
    match state {
        State::Failed => "failed",
        State::Pending => "is pending",
        State::Passed => "passed",
        State::Skipped => "was skipped",
    }
}

/// What makes the data on the page less than they seem.
pub(super) fn notices(view: &View<'_>) -> Markup {
    let fleet = view.fleet;
    html! {
        @if let Err(message) = view.document {
            section .notice.bad data-key="no-document" aria-labelledby="no-document" {
                (icon("unplugged"))
                div {
                    h2 #no-document { "The services are unknown" }
                    p { (sentence(message)) " What the services count is read from there; tests of tenants do not depend on it." }
                }
            }
        }
        @if let Some(trouble) = &fleet.trouble {
            section .notice.bad data-key="trouble" aria-labelledby="trouble" {
                (icon("unplugged"))
                div {
                    h2 #trouble { "The tenants are not being tested" }
                    p { (sentence(&trouble.message)) }
                    p {
                        "Failing " (since(trouble.since)) ", " (plural(usize::try_from(trouble.attempts).unwrap_or(usize::MAX), "attempt")) "; "
                        @if let Some(next) = fleet.round.next { "the next " (until(next)) ". " } @else { "another is under way. " }
                        @if let Some(ended) = fleet.round.ended { "What is shown of them is of the round that ended " (ago(ended)) "." }
                        @else { "No round has come to its end yet." }
                    }
                }
            }
        } @else if !view.has_database {
            section .notice.bad data-key="no-database" aria-labelledby="no-database" {
                (icon("unplugged"))
                div {
                    h2 #no-database { "The application database does not answer" }
                    p {
                        "Services that need a tenant's row now do not get it. "
                        @if let Some(ended) = fleet.round.ended { "What is shown of the tenants is of the round that ended " (ago(ended)) "." }
                        @else { "No round has come to its end yet." }
                    }
                }
            }
        } @else if is_stale(view) {
            section .notice.warning data-key="old" aria-labelledby="old" {
                (icon("clock"))
                div {
                    h2 #old { "The results of the tenants are old" }
                    p {
                        "A round is due every " (span(fleet.interval)) ". "
                        @if let Some(ended) = fleet.round.ended { "The last ended " (ago(ended)) "." } @else { "None has come to its end yet." }
                    }
                }
            }
        }
        @if fleet.totals.not_kept > 0 {
            section .notice.warning data-key="not-kept" aria-labelledby="not-kept" {
                (icon("triangle"))
                div {
                    h2 #not-kept { (plural(fleet.totals.not_kept, "tenant")) " not shown" }
                    p { "Tested, but beyond the number that is kept in memory." }
                }
            }
        }
    }
}

/// A fragment of an error as a sentence.
pub(super) fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    let end = if text.ends_with(['.', '!', '?', '…']) { "" } else { "." };
    format!("{first}{}{end}", letters.as_str())
}
