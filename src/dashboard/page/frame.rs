//! What is around the content: the head of the document, the header with the live refresh, and the footer. None of it
//! is replaced by a refresh.

use maud::{Markup, PreEscaped, html};

use super::View;
use super::marks::{icon, shapes};
use super::standing;
use super::words::{clock, mebibytes, moment, outside, short, since};
use crate::dashboard::assets;

/// The whole performance page around its inner part.
pub(super) fn performance(view: &View<'_>, inner: &Markup) -> Markup {
    let body = html! {
        a .skip href="#content" { "Skip to the content" }
        (shapes())
        header .top {
            div .bar {
                (brand())
                div #live .live data-now=(view.now.as_millisecond()) {
                    // Without scripts this is all there is; the script replaces it.
                    p #asof { span .dot {} span #state { "As of " (clock(view.now)) } }
                    a #reload .button href=(view.path) { "Reload" }
                    button #pause type="button" aria-pressed="false" hidden { (pause_shape()) "Pause" }
                    @if view.has_login { form method="post" action="/logout" { button type="submit" { "Log out" } } }
                }
            }
        }
        p #say .unseen role="status" aria-live="polite" {}
        main #content tabindex="-1" {
            (title(view))
            div #inner { (inner) }
            (reset(view))
        }
        (footer(view))
        script src=(assets::path("page.js")) defer {}
    };
    document(&standing::title(view), &body)
}

/// A document with its head.
pub(super) fn document(title: &str, body: &Markup) -> Markup {
    html! {
        (PreEscaped("<!doctype html>"))
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="robots" content="noindex";
                title { (title) }
                link rel="icon" type="image/svg+xml" href=(assets::path("icon.svg"));
                link rel="stylesheet" href=(assets::path("page.css"));
            }
            body { (body) }
        }
    }
}

/// The name with its mark, three frames of a strip.
pub(super) fn brand() -> Markup {
    html! {
        a .brand href="/debug/performance" {
            svg viewBox="0 0 24 24" width="24" height="24" aria-hidden="true" focusable="false" {
                rect .strip x="6" y="1" width="12" height="22" rx="2" {}
                rect .one x="8.5" y="3.5" width="7" height="5" rx=".8" {}
                rect .two x="8.5" y="9.5" width="7" height="5" rx=".8" {}
                rect .three x="8.5" y="15.5" width="7" height="5" rx=".8" {}
            }
            span { "boothds" }
        }
    }
}

fn pause_shape() -> Markup {
    html! { svg .icon viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" focusable="false" {
        path .when-live d="M4 3h3v10H4zM9 3h3v10H9z" {}
        path .when-paused d="M5 3l8 5-8 5z" {}
    } }
}

fn title(view: &View<'_>) -> Markup {
    let Some(row) = view.tenant else {
        return html! { div .title { h1 { "Data sources" } p .muted { "Every tenant is tested from here; the services report their own counts." } } };
    };
    let id = outside(row.id.as_str());
    let names = [row.name.as_str(), row.subdomain.as_str(), &id];
    let name = names.into_iter().find(|name| !name.trim().is_empty()).unwrap_or("(no name)");
    html! {
        nav .crumbs aria-label="Way back" { a href="/debug/performance" { "All tenants" } }
        div .title { h1 { bdi { (short(name, 120)) } } }
    }
}

/// The reset, behind a disclosure that says what it does: that works without scripts too.
fn reset(view: &View<'_>) -> Markup {
    html! {
        details .panel.aside.reset {
            summary { "Reset the counts…" }
            p { "Hits, misses, clients created and exhaustions of " strong { "every" } " service begin at zero again, and with them the grades. This cannot be undone. Results of tenants stay." }
            form method="post" action=(crate::report::PATH) {
                input type="hidden" name="return" value=(view.path);
                button .danger type="submit" { (icon("triangle")) "Reset the counts of every service" }
            }
        }
    }
}

fn footer(view: &View<'_>) -> Markup {
    let process = view.process;
    html! {
        footer .bottom {
            p {
                "boothds " (view.version) ", running here " (since(process.started))
                @if let Some(resident) = process.resident {
                    ", in " (mebibytes(resident)) @if let Some(limit) = process.memory_limit { " of " (mebibytes(limit)) }
                }
                ". Page made " time datetime=(view.now) { (moment(view.now)) } "."
            }
            nav aria-label="For programs" {
                a href=(crate::report::PATH) { "Performance document" }
                a href="/metrics" { "Metrics" }
                a href="/readyz" { "Readiness" }
            }
        }
    }
}
