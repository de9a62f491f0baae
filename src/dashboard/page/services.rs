//! What the services have reported: the health banner, the grades and the numbers beneath them.

use maud::{Markup, html};

use super::View;
use super::charts::{meter, ring, scale};
use super::marks::{Tone, tone_icon};
use super::standing;
use super::words::{Document, percent, plural, since};
use crate::health::Grade;

/// The health banner: status, score, and what is wrong with what to do about it.
pub(super) fn banner(view: &View<'_>) -> Markup {
    let verdict = standing::of_services(view);
    let document = view.document.ok().map(Document);
    let score = document.and_then(|document| document.number("/health/score"));
    html! {
        section class={ "panel banner " (verdict.tone.class()) } data-key="services" aria-labelledby="services" {
            h2 #services { "Services" }
            div .verdict {
                (ring(score, verdict.tone.class()))
                div {
                    p .word { (tone_icon(verdict.tone)) (verdict.text) }
                    @match document {
                        Some(document) => (judgement(document)),
                        None => p .muted { "The state store could not be read, so nothing can be said of caches and pool." },
                    }
                }
            }
            @if let Some(document) = document { (alerts(document)) }
        }
    }
}

fn judgement(document: Document<'_>) -> Markup {
    let instances = document.list("/instances").len();
    let issues = document.list("/health/issues").len();
    html! {
        @if document.text("/health/status") == Some("idle") {
            p { "Nothing to grade: no client was asked for" @if instances == 0 { ", and no service is running here" } "." }
        } @else {
            p { @if issues == 0 { "No issues." } @else { (plural(issues, "issue")) " lower" @if issues == 1 { "s" } " the score." } }
        }
        p .muted {
            (plural(instances, "service")) " reporting"
            @if let Some(began) = document.time("/system/uptime/since") { ", up for " (since(began)) }
        }
    }
}

/// Alerts with the advice that belongs to each; advice without an alert after them.
fn alerts(document: Document<'_>) -> Markup {
    let union = |pointers: [&str; 2]| {
        let mut texts: Vec<&str> = Vec::new();
        for text in pointers.into_iter().flat_map(|pointer| document.texts(pointer)) {
            if !texts.contains(&text) {
                texts.push(text);
            }
        }
        texts
    };
    let alerts = union(["/health/issues", "/metrics/alerts"]);
    let advice = union(["/health/recommendations", "/metrics/recommendations"]);
    let paired = alerts.len() == advice.len();
    html! {
        @if !alerts.is_empty() || !advice.is_empty() {
            div .alerts {
                h3 { "Alerts and recommendations" }
                ul {
                    @for (at, alert) in alerts.iter().enumerate() {
                        li {
                            strong { (tone_icon(Tone::Warning)) (alert) }
                            @if paired { span .mend { (advice[at]) "." } }
                        }
                    }
                    @if !paired { @for text in &advice { li { span .mend { (text) "." } } } }
                }
            }
        }
    }
}

/// What a grade is of: its name, where it stands in the document, how it is given.
struct Graded {
    name: &'static str,
    key: &'static str,
    meaning: &'static str,
    grade: fn(f64) -> Grade,
    unit: &'static str,
}

const GRADED: [Graded; 4] = [
    Graded {
        name: "Overall",
        key: "overall",
        meaning: "The health score: 100, less for each issue",
        grade: of_score,
        unit: " of 100",
    },
    Graded {
        name: "Caching",
        key: "caching",
        meaning: "Requests for a client that the cache served",
        grade: Grade::of_caching,
        unit: "%",
    },
    Graded {
        name: "Pooling",
        key: "pooling",
        meaning: "Clients in use, of the most there may be",
        grade: Grade::of_usage,
        unit: "%",
    },
    Graded {
        name: "Memory",
        key: "memory",
        meaning: "Resident memory of the fullest service, of its limit",
        grade: Grade::of_usage,
        unit: "%",
    },
];

/// The grade of a health score, which is a whole number.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0 to 100")]
fn of_score(score: f64) -> Grade {
    Grade::of_health(score.clamp(0.0, 100.0) as u32)
}

/// The four grades, each with where the bounds are.
pub(super) fn grades(view: &View<'_>) -> Markup {
    let Ok(document) = view.document.map(Document) else { return html! {} };
    html! {
        section data-key="grades" aria-labelledby="grades" {
            h2 #grades { "Grades" }
            div .grades {
                @for graded in &GRADED {
                    @let letter = document.text(&format!("/performance/scores/{}/grade", graded.key));
                    @let score = document.number(&format!("/performance/scores/{}/score", graded.key));
                    @let tone = Tone::of_grade(letter);
                    div class={ "panel grade " (tone.class()) } data-key=(graded.key) {
                        p .letter aria-hidden="true" { (letter.unwrap_or("–")) }
                        div .about {
                            h3 { (graded.name) span .unseen { ": " (letter.map_or("no grade", |letter| letter)) } }
                            p .value {
                                @match score {
                                    Some(score) if graded.unit == "%" => (percent(Some(score))),
                                    Some(score) => { (format!("{score:.0}")) (graded.unit) },
                                    None => "Nothing to grade",
                                }
                            }
                        }
                        (scale(graded.grade, score))
                        p .muted { (graded.meaning) }
                    }
                }
            }
        }
    }
}

/// The numbers, in three groups.
pub(super) fn numbers(view: &View<'_>) -> Markup {
    let Ok(document) = view.document.map(Document) else { return html! {} };
    let at = |key: &str| format!("/dataSourceManager/{key}");
    html! {
        section data-key="numbers" aria-labelledby="numbers" {
            h2 #numbers { "Caches, pool and processes" }
            div .numbers {
                div .panel {
                    h3 { "Caches" }
                    dl {
                        (big("Hit rate", &percent(document.number(&at("cache/hitRate/percent"))), document.text(&at("cache/efficiency"))))
                        (line("Hits", &document.count(&at("cache/hits/count"))))
                        (line("Misses", &document.count(&at("cache/misses/count"))))
                        (line("Second tier, hits", &document.count("/cacheStats/sharedHits")))
                        (line("Second tier, misses", &document.count("/cacheStats/sharedMisses")))
                        (line("Configurations cached", &document.count(&at("cache/config/size"))))
                        (line("Clients cached", &document.count(&at("cache/clients/size"))))
                    }
                }
                (pool(document))
                (processes(document))
            }
        }
    }
}

fn pool(document: Document<'_>) -> Markup {
    let at = |key: &str| format!("/dataSourceManager/connectionPool/{key}");
    let used = document.number(&at("utilization/percent"));
    let judged = document.text("/health/status") != Some("idle");
    let status = document.text(&at("status")).filter(|_| judged);
    let tone = match status {
        Some("healthy") => Tone::Well,
        Some("warning") => Tone::Warning,
        Some(_) => Tone::Bad,
        None => Tone::Quiet,
    };
    let exhausted = document.number(&at("exhaustedCount")).unwrap_or(0.0) > 0.0;
    html! {
        div .panel {
            h3 { "Connection pool" }
            dl {
                (big("Utilization", &percent(used), status))
                div .gauge { (meter(used, tone.class(), &format!("{} of the pool in use", percent(used)))) }
                (line("Clients in use", &format!("{} of {}", document.count(&at("active")), document.count(&at("max")))))
                (line("Available", &document.count(&at("available"))))
                (line("Created", &document.count(&at("totalCreated"))))
                div .line.alarm[exhausted] { dt { "Exhausted" } dd { (document.count(&at("exhaustedCount"))) " ×" } }
            }
        }
    }
}

fn processes(document: Document<'_>) -> Markup {
    let memory = document.number("/system/memory/usedPercent");
    let tone =
        memory.map_or(Tone::Quiet, |used| Tone::of_grade(Some(super::marks::letter(Grade::of_usage(used)))));
    let resident = document.0.pointer("/system/memory/rss/bytes").and_then(serde_json::Value::as_u64);
    html! {
        div .panel {
            h3 { "Processes" }
            dl {
                (big("Resident memory", &resident.map_or_else(|| "–".to_owned(), super::words::mebibytes), None))
                div .gauge { (meter(memory, tone.class(), &format!("{} of its limit used by the fullest process", percent(memory)))) }
                (line("Fullest, of its limit", &percent(memory)))
                (line("Reporting", &super::words::size(document.list("/instances").len())))
                @if let Some(began) = document.time("/system/uptime/since") {
                    div .line { dt { "Up for" } dd { (since(began)) } }
                }
                (line("Version", document.text("/system/version").unwrap_or("–")))
            }
        }
    }
}

fn big(name: &str, value: &str, word: Option<&str>) -> Markup {
    html! { div .big { dt { (name) } dd { (value) @if let Some(word) = word { " " span .note { (word) } } } } }
}

fn line(name: &str, value: &str) -> Markup {
    html! { div .line { dt { (name) } dd { (value) } } }
}
