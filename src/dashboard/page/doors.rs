//! The pages at the door: the login, and the page that says no. They need no script.

use maud::{Markup, html};

use super::frame::{brand, document};
use super::marks::{icon, shapes};
use super::words::{outside, span};
use super::{LoginView, ProblemView};

/// The login page.
pub(super) fn login(view: &LoginView<'_>) -> Markup {
    let wait = view.wait.filter(|wait| !wait.is_zero());
    let said = view.wrong || wait.is_some();
    door(
        "Log in – boothds",
        view.version,
        &html! {
            h1 { "Log in" }
            @if let Some(wait) = wait {
                p .notice.bad #problem role="alert" { (icon("clock")) span { "That is not the token. Too many wrong tokens came from your address: try another one in " (span(wait.max(std::time::Duration::from_secs(1)))) "." } }
            } @else if view.wrong {
                p .notice.bad #problem role="alert" { (icon("cross")) span { "That is not the token." } }
            }
            form method="post" action="/login" {
                input type="hidden" name="return" value=(view.path);
                label for="token" { "Token" }
                input #token type="password" name="token" required autofocus autocomplete="current-password" spellcheck="false"
                    aria-describedby=(if said { "problem token-hint" } else { "token-hint" }) aria-invalid=[view.wrong.then_some("true")];
                p #token-hint .muted { "The value of " code { "BOOTHDS_SERVE_TOKEN" } " on the machine that serves this page." }
                button .primary type="submit" { "Log in" }
            }
        },
    )
}

/// A page that says no.
pub(super) fn problem(view: &ProblemView<'_>) -> Markup {
    let title = match view.status {
        400 => "Not understood",
        401 => "Not logged in",
        403 => "Not allowed",
        404 => "Not found",
        405 => "Not possible this way",
        413 => "Too large",
        421 => "Another server was meant",
        429 => "Too many attempts",
        500..=599 => "Not available",
        _ => "Not done",
    };
    door(
        &format!("{title} – boothds"),
        view.version,
        &html! {
            p .status { (view.status) }
            h1 { (title) }
            p { (outside(view.message)) }
            p { a .button href="/debug/performance" { "To the overview" } }
        },
    )
}

fn door(title: &str, version: &str, content: &Markup) -> Markup {
    document(
        title,
        &html! {
            (shapes())
            header .top { div .bar { (brand()) } }
            main #content .door { div .panel { (content) } }
            footer .bottom { p { "boothds " (version) } }
        },
    )
}
