//! The page: HTML from a [`View`], which borrows everything that is shown. Pure: no clock, no store, no request.
//!
//! The Content-Security-Policy lets nothing in that is inline or from elsewhere: no `style=`, no `on…=`, no `data:`.
//! Scripts and styles are [`ASSETS`], linked as [`super::assets::path`] says. Every text is escaped by maud as it is
//! written; nothing here is marked as escaped already but what this crate draws itself.
//!
//! Whether something is well is never said by colour alone, and never without data: nothing to grade, data that are
//! old, and a store that cannot be read each look unlike "well".

use std::time::Duration;

use jiff::Timestamp;
use maud::{Markup, html};
use serde_json::Value;

use super::fleet::{Row, Snapshot};
use super::rows::Rows;
use super::{Unread, Validity};

mod charts;
mod doors;
mod frame;
mod marks;
mod own;
mod rounds;
mod services;
mod standing;
mod tables;
mod tenant;
mod tenants;
#[cfg(test)]
mod tests;
mod words;

/// A file that pages link to, served from the binary.
#[derive(Clone, Copy, Debug)]
pub struct Asset {
    /// Its name, such as `page.css`. It is served as `page-HASH.css`.
    pub name: &'static str,
    /// The value of `Content-Type`, such as `text/css; charset=utf-8`.
    pub content_type: &'static str,
    /// Its content.
    pub bytes: &'static [u8],
}

/// The files that pages link to.
pub const ASSETS: &[Asset] = &[
    Asset {
        name: "page.css",
        content_type: "text/css; charset=utf-8",
        bytes: include_bytes!("page/page.css"),
    },
    Asset {
        name: "page.js",
        content_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("page/page.js"),
    },
    Asset { name: "icon.svg", content_type: "image/svg+xml", bytes: include_bytes!("page/icon.svg") },
];

/// What the performance page shows.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The performance document, as `GET /api/debug/performance` answers it; or in a sentence why there is none.
    pub document: Result<&'a Value, &'a str>,
    /// The fleet in numbers.
    pub fleet: &'a Snapshot,
    /// The page of tenants that was asked for. Links keep `q`, `state` and `page` in the query.
    pub rows: &'a Rows,
    /// The one tenant that the page is about (`/{tenant}/debug/performance`); `None` for the whole.
    pub tenant: Option<&'a Row>,
    /// This process itself.
    pub process: &'a Process,
    /// Whether the application database answers.
    pub has_database: bool,
    /// Why it goes by older settings than there are, if it does.
    pub unread: Option<&'a Unread>,
    /// Whether somebody is logged in, and so can log out (`POST /logout`).
    pub has_login: bool,
    /// The path of this page, for the hidden field `return` of forms.
    pub path: &'a str,
    /// The time of the page.
    pub now: Timestamp,
    /// The version of this program.
    pub version: &'static str,
}

/// The process that serves the page; the services that it reports on are in the document.
#[derive(Clone, Copy, Debug)]
pub struct Process {
    /// When it began.
    pub started: Timestamp,
    /// Its resident memory, bytes.
    pub resident: Option<u64>,
    /// The limit of its memory, bytes.
    pub memory_limit: Option<u64>,
    /// Of its certificate; `None` without TLS.
    pub certificate: Option<Validity>,
}

/// What the login page shows.
#[derive(Clone, Copy, Debug)]
pub struct LoginView<'a> {
    /// Whether the token that was just given was wrong.
    pub wrong: bool,
    /// How long to wait before another token is tried, after too many wrong ones. The right one need not wait.
    pub wait: Option<Duration>,
    /// Where to go after the login: the hidden field `return`.
    pub path: &'a str,
    /// The version of this program.
    pub version: &'static str,
}

/// What a page that says no shows.
#[derive(Clone, Copy, Debug)]
pub struct ProblemView<'a> {
    /// The HTTP status.
    pub status: u16,
    /// What is wrong, in a sentence.
    pub message: &'a str,
    /// The version of this program.
    pub version: &'static str,
}

/// The whole performance page, which holds [`fragment`].
#[must_use]
pub fn render(view: &View<'_>) -> String {
    frame::performance(view, &inner(view)).into_string()
}

/// The part of the performance page that the live refresh replaces (`?fragment=1`). It is sent only when it differs from
/// what the browser has: a text that changes by itself, such as the time of day, belongs outside. Ages are therefore
/// written as the time that they began, which the script turns into ages.
#[must_use]
pub fn fragment(view: &View<'_>) -> String {
    inner(view).into_string()
}

/// The login page: a form that posts `token` and `return` to `/login`.
#[must_use]
pub fn login(view: &LoginView<'_>) -> String {
    doors::login(view).into_string()
}

/// A page that says no: an unknown tenant, a refused request.
#[must_use]
pub fn problem(view: &ProblemView<'_>) -> String {
    doors::problem(view).into_string()
}

fn inner(view: &View<'_>) -> Markup {
    html! {
        (own::notices(view))
        (standing::notices(view))
        @match view.tenant {
            Some(row) => (tenant::panel(row, view)),
            None => {
                div .pair data-key="standing" { (services::banner(view)) (rounds::panel(view)) }
                (services::grades(view))
                (rounds::between(view.fleet))
                (tenants::section(view))
                (tables::instances(view))
            }
        }
        @if view.tenant.is_some() { (services::banner(view)) (services::grades(view)) }
        (tables::configuration(view))
        span #verdict hidden data-say=(standing::verdict(view)) data-title=(standing::title(view)) {}
    }
}
