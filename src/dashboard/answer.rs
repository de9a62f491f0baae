//! The forms of an answer: JSON, a page, a redirect, and a refusal in the form that the client reads.

use axum::body::{Body, Bytes};
use axum::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH, LOCATION};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::page::{self, ProblemView};

/// The version of this program.
pub(super) const VERSION: &str = env!("CARGO_PKG_VERSION");

const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Whether the client is a browser that shows pages. A program that takes anything gets JSON.
pub(super) fn wants_html(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted.flat_map(|value| value.split(',')).any(|one| one.trim().starts_with("text/html"))
}

/// An answer with a body.
pub(super) fn body(status: StatusCode, content_type: HeaderValue, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

/// A page.
pub(super) fn html(status: StatusCode, text: String) -> Response {
    body(status, HTML, text)
}

/// JSON that is written already.
pub(super) fn json_bytes(bytes: Bytes) -> Response {
    body(StatusCode::OK, JSON, bytes)
}

/// A small JSON document.
pub(super) fn json(status: StatusCode, value: &serde_json::Value) -> Response {
    body(status, JSON, value.to_string())
}

/// A part of a page, or word that it is still what the client has.
pub(super) fn unless_known(headers: &HeaderMap, text: String) -> Response {
    let digest = Sha256::digest(text.as_bytes());
    let tag: String = digest.iter().take(12).map(|byte| format!("{byte:02x}")).collect();
    let tag = format!("\"{tag}\"");
    let known = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let is_known =
        known.flat_map(|value| value.split(',')).any(|one| one.trim().trim_start_matches("W/") == tag);
    let mut response = if is_known {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else {
        html(StatusCode::OK, text)
    };
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        response.headers_mut().insert(ETAG, tag);
    }
    response
}

/// A redirect that is followed with `GET`.
pub(super) fn see_other(path: &str) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    if let Ok(location) = HeaderValue::from_str(path) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

/// A refusal, as a page or as the error object of the command line.
pub(super) fn problem(headers: &HeaderMap, status: StatusCode, code: &str, message: &str) -> Response {
    if wants_html(headers) {
        let view = ProblemView { status: status.as_u16(), message, version: VERSION };
        return html(status, page::problem(&view));
    }
    json(status, &json!({"error": {"code": code, "message": message, "causes": []}}))
}

/// A refusal because something that we depend on does not serve.
pub(super) fn unavailable(headers: &HeaderMap, message: &str) -> Response {
    problem(headers, StatusCode::SERVICE_UNAVAILABLE, "unavailable", message)
}

/// Sets what every answer says to browsers: trust nothing that is not from here, keep nothing.
pub(super) fn harden(headers: &mut HeaderMap) {
    const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                          form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
    for (name, value) in [
        ("content-security-policy", POLICY),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // Assets say for themselves how long they may be kept.
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}

/// Where a form leads back to: one of our own pages, whatever it says.
pub(super) fn way_back(path: &str) -> &str {
    let is_page = path.starts_with('/')
        && path.ends_with(super::routes::PAGE)
        && !path.starts_with("//")
        && path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/-_~%.".contains(&byte));
    if is_page { path } else { super::routes::PAGE }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_is_a_page_of_ours() {
        for page in ["/debug/performance", "/t-1/debug/performance", "/a%20b/debug/performance"] {
            assert_eq!(way_back(page), page);
        }
        for other in [
            "",
            "//evil.example/debug/performance",
            "https://evil.example/debug/performance",
            "/\\evil.example/debug/performance",
            "/a\r\nSet-Cookie: x/debug/performance",
            "/login",
        ] {
            assert_eq!(way_back(other), "/debug/performance", "{other}");
        }
    }

    #[test]
    fn a_fragment_that_is_known_is_not_sent_again() {
        let first = unless_known(&HeaderMap::new(), "text".to_owned());
        let tag = first.headers()[ETAG].clone();
        let again = |tag| unless_known(&HeaderMap::from_iter([(IF_NONE_MATCH, tag)]), "text".to_owned());
        assert_eq!(again(tag).status(), StatusCode::NOT_MODIFIED);
        assert_eq!(again(HeaderValue::from_static("\"other\"")).status(), StatusCode::OK);
    }
}
