//! The fleet in numbers: its verdict, the states of its tenants, how the rounds go, and what is wrong between tenants.

use maud::{Markup, html};

use super::View;
use super::charts::{meter, shares};
use super::marks::{self, Tone, icon, tone_icon};
use super::standing;
use super::tenants::list;
use super::words::{ago, plural, size, span, until};
use crate::dashboard::fleet::{Round, Snapshot, State};

/// The panel of the fleet.
pub(super) fn panel(view: &View<'_>) -> Markup {
    let fleet = view.fleet;
    let totals = &fleet.totals;
    let verdict = standing::of_fleet(view);
    let stale = standing::is_stale(view);
    let states = [
        (State::Failed, "Failed", "cross"),
        (State::Pending, "Pending", "clock"),
        (State::Passed, "Passed", "check"),
        (State::Skipped, "Skipped", "dash"),
    ];
    let parts = states.map(|(state, ..)| (totals.of(state), state.as_str()));
    let told: Vec<String> =
        states.iter().map(|(state, ..)| format!("{} {}", size(totals.of(*state)), state.as_str())).collect();
    html! {
        section class={ "panel banner " (verdict.tone.class()) @if stale { " stale" } } data-key="fleet" aria-labelledby="fleet" {
            h2 #fleet { "Fleet" }
            p .word { (tone_icon(verdict.tone)) (verdict.text) }
            (shares(&parts, &told.join(", ")))
            ul .legend {
                @for (state, word, shape) in states {
                    li class=(state.as_str()) { (icon(shape)) strong { (size(totals.of(state))) } " " (word) }
                }
            }
            dl .facts {
                div { dt { "Findings" } dd {
                    @if totals.errors == 0 && totals.warnings == 0 { @if totals.passed > 0 { "none" } @else { "–" } }
                    @if totals.errors > 0 { (marks::badge(Tone::Bad, "cross", &plural(totals.errors, "error"))) " " }
                    @if totals.warnings > 0 { (marks::badge(Tone::Warning, "triangle", &plural(totals.warnings, "warning"))) }
                } }
                (round(&fleet.round, fleet))
            }
        }
    }
}

fn round(round: &Round, fleet: &Snapshot) -> Markup {
    html! {
        @if round.running { div { dt { "This round" } dd { (progress(round)) } } }
        div { dt { "Last round" } dd {
            @match round.ended {
                Some(ended) => (ago(ended)),
                None => "none yet",
            }
            @if fleet.trouble.is_some() { ", the last attempt failed" }
        } }
        div { dt { "Next round" } dd {
            @match round.next {
                Some(next) => (until(next)),
                None => "after this one",
            }
            ", every " (span(fleet.interval))
        } }
    }
}

fn progress(round: &Round) -> Markup {
    let expected = round.expected.and_then(|expected| usize::try_from(expected).ok());
    let share = expected.filter(|expected| *expected > 0).map(|expected| {
        // Tenths of percent are enough, and exact.
        let tenths = (round.done.min(expected) * 1_000 / expected).min(1_000);
        f64::from(u16::try_from(tenths).unwrap_or(1_000)) / 10.0
    });
    let words = match expected {
        Some(expected) => format!("{} of {} tested", size(round.done), size(expected)),
        None => "beginning".to_owned(),
    };
    html! { span .progress { (meter(share, "quiet", &words)) span aria-hidden="true" { (words) } } }
}

/// What is wrong between tenants.
pub(super) fn between(fleet: &Snapshot) -> Markup {
    html! {
        @if !fleet.findings.is_empty() {
            section data-key="between" aria-labelledby="between" {
                h2 #between { "Between tenants" }
                div .panel {
                    ul .findings { (list(&fleet.findings, usize::MAX)) }
                    @if fleet.more_findings > 0 { p .muted { (plural(fleet.more_findings, "more finding")) "; boothds test-connection --all lists them." } }
                }
            }
        }
    }
}
