//! What the services have reported: the health banner, and the grades with the numbers that they are made of.

use maud::{Markup, html};

use super::View;
use super::charts::{ring, scale};
use super::marks::{Tone, tone_icon};
use super::standing;
use super::words::{Document, mebibytes, percent, plural, since, size};
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
        @if instances > 0 { p .muted { (plural(instances, "service")) " reporting" } }
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

/// What a grade is of.
struct Graded {
    name: &'static str,
    /// Where it stands in the document.
    key: &'static str,
    meaning: &'static str,
    grade: fn(f64) -> Grade,
    /// The numbers that belong to it.
    numbers: fn(Document<'_>) -> Markup,
}

const GRADED: [Graded; 4] = [
    Graded {
        name: "Overall",
        key: "overall",
        meaning: "the health score: 100, less for each issue",
        grade: of_score,
        numbers: of_processes,
    },
    Graded {
        name: "Caching",
        key: "caching",
        meaning: "hit rate: requests for a client that the cache served",
        grade: Grade::of_caching,
        numbers: of_caches,
    },
    Graded {
        name: "Pooling",
        key: "pooling",
        meaning: "utilization: clients in use, of the most there may be",
        grade: Grade::of_usage,
        numbers: of_pool,
    },
    Graded {
        name: "Memory",
        key: "memory",
        meaning: "resident memory of the fullest service, of its limit",
        grade: Grade::of_usage,
        numbers: of_memory,
    },
];

/// The grade of a health score, which is a whole number.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0 to 100")]
fn of_score(score: f64) -> Grade {
    Grade::of_health(score.clamp(0.0, 100.0) as u32)
}

/// The four grades, each with where the bounds are and the numbers that belong to it.
pub(super) fn grades(view: &View<'_>) -> Markup {
    let Ok(document) = view.document.map(Document) else { return html! {} };
    html! {
        section data-key="grades" aria-labelledby="grades" {
            h2 #grades { "Grades of the services" }
            div .grades { @for graded in &GRADED { (card(graded, document)) } }
        }
    }
}

fn card(graded: &Graded, document: Document<'_>) -> Markup {
    let letter = document.text(&format!("/performance/scores/{}/grade", graded.key));
    let score = document.number(&format!("/performance/scores/{}/score", graded.key));
    let value = match score {
        Some(score) if graded.key == "overall" => format!("{score:.0} of 100"),
        Some(score) => percent(Some(score)),
        None => "Nothing to grade".to_owned(),
    };
    // What the document says in a word beside the grade.
    let word = match graded.key {
        "caching" => document.text("/dataSourceManager/cache/efficiency"),
        "pooling" => document.text("/dataSourceManager/connectionPool/status"),
        _ => None,
    };
    html! {
        div class={ "panel grade " (Tone::of_grade(letter).class()) } data-key=(graded.key) {
            div .score {
                p .letter aria-hidden="true" { (letter.unwrap_or("–")) }
                div {
                    h3 { (graded.name) span .unseen { ": " (letter.unwrap_or("no grade")) } }
                    p .value { (value) @if let (Some(word), true) = (word, score.is_some()) { " " span .note { (word) } } }
                }
            }
            (scale(graded.grade, score))
            p .meaning { "By " (graded.meaning) }
            dl { ((graded.numbers)(document)) }
        }
    }
}

fn of_processes(document: Document<'_>) -> Markup {
    html! {
        (line("Services reporting", &size(document.list("/instances").len())))
        @if let Some(began) = document.time("/system/uptime/since") {
            div .line { dt { "Up" } dd { (since(began)) } }
        }
        (line("Version", document.text("/system/version").unwrap_or("–")))
    }
}

fn of_caches(document: Document<'_>) -> Markup {
    let at = |key: &str| document.count(&format!("/dataSourceManager/cache/{key}"));
    let shared =
        ["/cacheStats/sharedHits", "/cacheStats/sharedMisses"].map(|pointer| document.count(pointer));
    html! {
        (line("Hits / misses", &format!("{} / {}", at("hits/count"), at("misses/count"))))
        (line("The same, second tier", &shared.join(" / ")))
        (line("Configurations / clients", &format!("{} / {}", at("config/size"), at("clients/size"))))
    }
}

fn of_pool(document: Document<'_>) -> Markup {
    let at = |key: &str| format!("/dataSourceManager/connectionPool/{key}");
    let count = |key| document.count(&at(key));
    let exhausted = document.number(&at("exhaustedCount")).unwrap_or(0.0) > 0.0;
    html! {
        (line("Clients in use", &format!("{} of {}", count("active"), count("max"))))
        (line("Available / ever created", &format!("{} / {}", count("available"), count("totalCreated"))))
        div .line.alarm[exhausted] { dt { "Exhausted" } dd { (count("exhaustedCount")) " ×" } }
    }
}

fn of_memory(document: Document<'_>) -> Markup {
    let resident = document.0.pointer("/system/memory/rss/bytes").and_then(serde_json::Value::as_u64);
    html! { (line("Resident, all services", &resident.map_or_else(|| "–".to_owned(), mebibytes))) }
}

fn line(name: &str, value: &str) -> Markup {
    html! { div .line { dt { (name) } dd { (value) } } }
}
