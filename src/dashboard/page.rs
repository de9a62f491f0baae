//! The page: HTML from a [`View`], which borrows everything that is shown. Pure: no clock, no store, no request.
//!
//! The Content-Security-Policy lets nothing in that is inline or from elsewhere: no `style=`, no `on…=`, no `data:`.
//! Scripts and styles are [`ASSETS`], linked as [`super::assets::path`] says.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::fleet::{Row, Snapshot};
use super::rows::Rows;

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
pub const ASSETS: &[Asset] = &[];

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
}

/// What the login page shows.
#[derive(Clone, Copy, Debug)]
pub struct LoginView<'a> {
    /// Whether the token that was just given was wrong.
    pub wrong: bool,
    /// How long nobody may try again, after too many wrong tokens.
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
    format!("<!doctype html><title>boothds</title><main>{}</main>", fragment(view))
}

/// The part of the performance page that the live refresh replaces (`?fragment=1`). It is sent only when it differs from
/// what the browser has: a text that changes by itself, such as the time of day, belongs outside.
#[must_use]
pub fn fragment(view: &View<'_>) -> String {
    format!("<p>{} tenants</p>", view.fleet.totals.total)
}

/// The login page: a form that posts `token` and `return` to `/login`.
#[must_use]
pub fn login(view: &LoginView<'_>) -> String {
    let _ = view;
    "<!doctype html><title>boothds</title><form method=post action=/login><input type=password name=token></form>"
        .to_owned()
}

/// A page that says no: an unknown tenant, a refused request.
#[must_use]
pub fn problem(view: &ProblemView<'_>) -> String {
    format!("<!doctype html><title>boothds</title><p>{}</p>", view.status)
}
