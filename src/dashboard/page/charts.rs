//! Charts as inline SVG: by presentation attributes and classes alone, each with a text that says the same.
//!
//! A test of a tenant is a frame of a strip: its height is the response time, and a failure is a frame of full height
//! with a notch beneath, so that it can be told without colour.

use std::fmt::Write as _;

use maud::{Markup, html};

use super::marks::letter;
use super::words::{clock, milliseconds, plural};
use crate::dashboard::fleet::{HISTORY, Outcome, Row};
use crate::health::Grade;

/// A score of 0 to 100 as a ring, the number in its middle; without a score a broken ring and a dash.
pub(super) fn ring(score: Option<f64>, tone: &str) -> Markup {
    let label = score.map_or_else(|| "No score".to_owned(), |score| format!("Score {score:.0} of 100"));
    html! {
        svg class={ "ring " (tone) } viewBox="0 0 100 100" width="104" height="104" role="img" aria-label=(label) {
            @if let Some(score) = score {
                circle .track cx="50" cy="50" r="43" fill="none" stroke-width="9" {}
                circle .value cx="50" cy="50" r="43" fill="none" stroke-width="9" pathLength="100"
                    stroke-dasharray={ (format!("{:.1}", score.clamp(0.0, 100.0))) " 100" } transform="rotate(-90 50 50)" {}
                text x="50" y="58" text-anchor="middle" { (format!("{score:.0}")) }
                text .unit x="50" y="72" text-anchor="middle" { "of 100" }
            } @else {
                circle .track cx="50" cy="50" r="43" fill="none" stroke-width="9" pathLength="60" stroke-dasharray="3 3" {}
                text x="50" y="60" text-anchor="middle" { "–" }
            }
        }
    }
}

/// A share in percent as a bar.
pub(super) fn meter(used: Option<f64>, tone: &str, label: &str) -> Markup {
    html! {
        svg class={ "meter " (tone) } viewBox="0 0 100 4" preserveAspectRatio="none" role="img" aria-label=(label) {
            rect .track x="0" y="0" width="100" height="4" {}
            @if let Some(used) = used {
                rect .value x="0" y="0" width=(format!("{:.2}", used.clamp(0.0, 100.0))) height="4" {}
            }
        }
    }
}

/// Parts of a whole, side by side, each with its class.
pub(super) fn shares(parts: &[(usize, &str)], label: &str) -> Markup {
    let whole: usize = parts.iter().map(|(part, _)| part).sum();
    let mut from = 0;
    html! {
        svg .shares viewBox="0 0 1000 10" preserveAspectRatio="none" role="img" aria-label=(label) {
            rect .track x="0" y="0" width="1000" height="10" {}
            @for (part, class) in parts.iter().filter(|(part, _)| *part > 0) {
                @let at = from * 1000 / whole;
                @let to = { from += part; from * 1000 / whole };
                // A single one in ten thousand is still to be seen.
                rect class=(class) x=(at) y="0" width=((to - at).max(6)) height="10" {}
            }
        }
    }
}

/// Where the grades begin on the way from 0 to 100, and where the value is.
pub(super) fn scale(grade: fn(f64) -> Grade, value: Option<f64>) -> Markup {
    let bands = bands(grade);
    let current = value.map(grade);
    let words: Vec<String> =
        bands.iter().map(|(from, to, grade)| format!("{} {from} to {to}", letter(*grade))).collect();
    let label = format!("Grades by value: {}", words.join(", "));
    html! {
        svg .scale viewBox="0 0 200 30" role="img" aria-label=(label) {
            @for (from, to, grade) in &bands {
                @let width = (to - from) * 2;
                rect .on[current == Some(*grade)] x=(from * 2) y="10" width=(width - 1) height="5" {}
                text .on[current == Some(*grade)] x=(from * 2 + width / 2) y="27" text-anchor="middle" { (letter(*grade)) }
            }
            @if let Some(value) = value {
                @let x = (value.clamp(0.0, 100.0) * 2.0).clamp(5.0, 195.0);
                path .pointer d=(format!("M{x:.1} 9l-4.5-7h9z")) {}
            }
        }
    }
}

/// The grades as stretches of 0 to 100, found by asking: the bounds stand where grades are made.
fn bands(grade: fn(f64) -> Grade) -> Vec<(u32, u32, Grade)> {
    let mut bands: Vec<(u32, u32, Grade)> = Vec::new();
    for at in 0..100 {
        let grade = grade(f64::from(at));
        match bands.last_mut() {
            Some(band) if band.2 == grade => band.1 = at + 1,
            _ => bands.push((at, at + 1, grade)),
        }
    }
    bands
}

/// The last tests of a tenant in a line of the table.
pub(super) fn sparkline(row: &Row) -> Markup {
    let (width, step, height) = (HISTORY * 5, 5, 20);
    let slowest = slowest(row.history.iter());
    let (mut passed, mut failed) = (String::new(), String::new());
    // The newest stands at the right end, however few there are.
    let first = HISTORY.saturating_sub(row.history.len());
    for (at, outcome) in row.history.iter().enumerate() {
        let x = (first + at) * step;
        let frame = if outcome.passed {
            write!(passed, "M{x} {height}h4v-{h}h-4z", h = frame_height(outcome, slowest, height))
        } else {
            write!(failed, "M{x} {height}h4v-{height}h-4zM{x} 22h4v3h-4z")
        };
        // Writing to a string does not fail.
        let _ = frame;
    }
    html! {
        svg .spark viewBox={ "0 0 " (width) " 25" } width=(width) height="25" role="img" aria-label=(told(row)) {
            path .base d={ "M0 20.5h" (width) } {}
            @if !passed.is_empty() { path .passed d=(passed) {} }
            @if !failed.is_empty() { path .failed d=(failed) {} }
        }
    }
}

/// The same, large, with its axes.
pub(super) fn history(row: &Row) -> Markup {
    let slowest = slowest(row.history.iter());
    let top = slowest.max(1.0);
    let first = HISTORY.saturating_sub(row.history.len());
    html! {
        svg .history viewBox="-20 0 660 170" role="img" aria-label=(told(row)) {
            @for (y, part) in [(20, 1.0), (75, 0.5), (130, 0.0)] {
                path .grid d={ "M64 " (y) ".5H632" } {}
                text x="56" y=(y + 4) text-anchor="end" { (milliseconds(top * part)) }
            }
            @for (at, outcome) in row.history.iter().enumerate() {
                @let x = 68 + (first + at) * 28;
                @let height = if outcome.passed { frame_height(outcome, top, 110) } else { 110 };
                @let class = if outcome.passed { "passed" } else { "failed" };
                rect class=(class) x=(x) y=(130 - height) width="22" height=(height) {
                    title { (clock(outcome.at)) ": " (verdict(outcome)) }
                }
                @if !outcome.passed { path .failed d={ "M" (x + 6) " 136l10 8m0-8l-10 8" } stroke-width="2.5" {} }
            }
            @if let (Some(oldest), Some(newest)) = (row.history.front(), row.history.back()) {
                @if row.history.len() > 4 {
                    text x=(68 + first * 28) y="162" { (clock(oldest.at)) }
                }
                text x="632" y="162" text-anchor="end" { (clock(newest.at)) }
            }
        }
    }
}

/// An outcome in words.
pub(super) fn verdict(outcome: &Outcome) -> String {
    let word = if outcome.passed { "passed" } else { "failed" };
    format!("{word} after {}", milliseconds(outcome.response_time_ms))
}

/// The history in words.
fn told(row: &Row) -> String {
    let history = &row.history;
    let Some(last) = history.back() else { return "No test yet".to_owned() };
    let failed = history.iter().filter(|outcome| !outcome.passed).count();
    let failures = if failed == 0 { "none failed".to_owned() } else { format!("{failed} failed") };
    let times = history.iter().map(|outcome| outcome.response_time_ms);
    let fastest = times.clone().fold(f64::INFINITY, f64::min);
    format!(
        "Last {}: {failures}; {} to {}; the latest {}",
        plural(history.len(), "test"),
        milliseconds(fastest),
        milliseconds(times.fold(0.0, f64::max)),
        verdict(last)
    )
}

/// The slowest test that passed: a failure may have taken the whole time limit, and would flatten the others.
fn slowest<'a>(history: impl Iterator<Item = &'a Outcome>) -> f64 {
    history.filter(|outcome| outcome.passed).map(|outcome| outcome.response_time_ms).fold(0.0, f64::max)
}

/// A frame's height, at least enough to be seen.
fn frame_height(outcome: &Outcome, slowest: f64, most: u8) -> u8 {
    let share = if slowest > 0.0 { (outcome.response_time_ms / slowest).clamp(0.0, 1.0) } else { 0.0 };
    // The heights are few; the nearest is found without a lossy cast.
    (2..=most).rev().find(|height| f64::from(*height) <= share * f64::from(most)).unwrap_or(2)
}
