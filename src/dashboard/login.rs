//! Logging in and out: the token is exchanged for the cookie of a session.

use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{Extension, Form, Query, State};
use axum::http::header::{RETRY_AFTER, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use serde::Deserialize;

use super::answer::{self, VERSION, way_back};
use super::guard::{check_token, cookie_name};
use super::page::{self, LoginView};
use super::routes::{PAGE, Shared};
use super::server::Peer;
use super::sessions::LIFE;
use super::{Inner, access};
use crate::secret::Secret;

/// Where to go afterwards.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    #[serde(rename = "return")]
    path: String,
}

/// The form. No `Debug`: it holds the token.
#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
pub(super) struct Given {
    token: String,
    #[serde(rename = "return")]
    path: String,
}

/// `GET /login`.
pub(super) async fn form(
    State(inner): Shared,
    headers: HeaderMap,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Response {
    let path = asked.map(|Query(asked)| asked.path).unwrap_or_default();
    let path = way_back(&path);
    if may_pass(&inner, &headers) {
        return answer::see_other(path);
    }
    page(StatusCode::OK, path, false, None)
}

/// `POST /login`.
pub(super) async fn login(
    State(inner): Shared,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    form: Result<Form<Given>, FormRejection>,
) -> Response {
    // What the rejection says may quote the form.
    let given = match form {
        Ok(Form(given)) => given,
        Err(rejection) => {
            let message = "the form holds the fields token and return, and nothing else of size";
            return answer::problem(&headers, rejected(&rejection), "usage", message);
        }
    };
    let token = Secret::new(given.token);
    let path = way_back(&given.path);
    if inner.setup().token.is_none() {
        return answer::see_other(path);
    }
    // What was pasted may have a newline.
    match check_token(&inner, token.expose().trim(), peer.remote.ip()) {
        Ok(()) => {
            let session = inner.sessions.begin();
            let mut response = answer::see_other(path);
            set_cookie(&mut response, &inner, &headers, session.expose(), LIFE.as_secs());
            response
        }
        Err(None) => page(StatusCode::UNAUTHORIZED, path, true, None),
        Err(Some(wait)) => {
            let mut response = page(StatusCode::TOO_MANY_REQUESTS, path, false, Some(wait));
            response.headers_mut().insert(RETRY_AFTER, wait.as_secs().max(1).into());
            response
        }
    }
}

/// `POST /logout`.
pub(super) async fn logout(State(inner): Shared, headers: HeaderMap) -> Response {
    for cookie in access::cookies(&headers, &cookie_name(&inner, &headers)) {
        inner.sessions.end(cookie);
    }
    let mut response = answer::see_other("/login");
    set_cookie(&mut response, &inner, &headers, "", 0);
    response
}

/// The status for a form that cannot be taken.
pub(super) fn rejected(rejection: &FormRejection) -> StatusCode {
    match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => StatusCode::PAYLOAD_TOO_LARGE,
        _ => StatusCode::BAD_REQUEST,
    }
}

fn may_pass(inner: &Inner, headers: &HeaderMap) -> bool {
    let name = cookie_name(inner, headers);
    let mut cookies = access::cookies(headers, &name);
    inner.setup().token.is_none() || cookies.any(|cookie| inner.sessions.knows(cookie))
}

fn set_cookie(response: &mut Response, inner: &Inner, headers: &HeaderMap, value: &str, seconds: u64) {
    let secure = if inner.speaks_tls() { "; Secure" } else { "" };
    let cookie = Secret::new(format!(
        "{}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}",
        cookie_name(inner, headers)
    ));
    if let Ok(mut value) = HeaderValue::from_str(cookie.expose()) {
        value.set_sensitive(true);
        response.headers_mut().insert(SET_COOKIE, value);
    }
}

fn page(status: StatusCode, path: &str, wrong: bool, wait: Option<std::time::Duration>) -> Response {
    let path = if path.is_empty() { PAGE } else { path };
    answer::html(status, page::login(&LoginView { wrong, wait, path, version: VERSION }))
}
