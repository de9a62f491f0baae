//! The routes, and what each answers. Everything that can be refused for every route alike is refused in
//! [`super::guard`].

use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::{FormRejection, PathRejection};
use axum::extract::{DefaultBodyLimit, Form, Path, State};
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::json;

use super::answer::{self, problem, unavailable};
use super::{Inner, assets, guard, login, metrics, pages};
use crate::report;

/// The page of the whole, and the end of the path of a tenant's.
pub(super) const PAGE: &str = "/debug/performance";
/// The most bytes of a form.
const FORM: usize = 8 * 1024;

/// What every handler works with.
pub(super) type Shared = State<Arc<Inner>>;

/// All routes.
pub(super) fn router(inner: Arc<Inner>) -> Router {
    Router::new()
        .route("/", get(async || answer::see_other(PAGE)))
        .route(PAGE, get(pages::whole))
        .route("/{tenant}/debug/performance", get(pages::tenant))
        .route(report::PATH, get(document).post(reset))
        .route("/metrics", get(metrics::answer))
        .route("/healthz", get(async || answer::json(StatusCode::OK, &json!({"status": "ok"}))))
        .route("/readyz", get(ready))
        .route("/login", get(login::form).post(login::login))
        .route("/logout", post(login::logout))
        .route("/assets/{name}", get(asset))
        .fallback(async |headers: HeaderMap| not_found(&headers, "there is no such page"))
        .layer(DefaultBodyLimit::max(FORM))
        .layer(from_fn_with_state(Arc::clone(&inner), guard::guard))
        .with_state(inner)
}

/// The patterns of all routes, for labels and logs.
const PATTERNS: [&str; 11] = [
    "/",
    PAGE,
    "/{tenant}/debug/performance",
    report::PATH,
    "/metrics",
    "/healthz",
    "/readyz",
    "/login",
    "/logout",
    "/assets/{name}",
    OTHER,
];
/// What stands for a path that there is not.
const OTHER: &str = "other";

/// A pattern as one of those that are known.
pub(super) fn known(pattern: &str) -> &'static str {
    PATTERNS.into_iter().find(|known| *known == pattern).unwrap_or(OTHER)
}

pub(super) fn not_found(headers: &HeaderMap, message: &str) -> Response {
    problem(headers, StatusCode::NOT_FOUND, "not-found", message)
}

/// The answer to a path with `%` that stands for no text.
pub(super) fn undecodable(headers: &HeaderMap) -> Response {
    problem(headers, StatusCode::BAD_REQUEST, "usage", "the path holds percent signs that stand for no text")
}

async fn document(State(inner): Shared, headers: HeaderMap) -> Response {
    match inner.documents.get(&inner.setup(), inner.clock).await {
        Ok(document) => answer::json_bytes(document.json.clone()),
        Err(error) => unavailable(&headers, &error.to_string()),
    }
}

/// A form with nothing but the way back.
#[derive(Debug, Default, Deserialize)]
struct Back {
    #[serde(default, rename = "return")]
    path: String,
}

async fn reset(
    State(inner): Shared,
    headers: HeaderMap,
    form: Result<Form<Back>, FormRejection>,
) -> Response {
    let back = match form {
        Ok(Form(back)) => back.path,
        // Whoever posts no form at all, as curl does by itself, has no way back.
        Err(FormRejection::InvalidFormContentType(_)) => String::new(),
        Err(rejection) => {
            let message = "the form cannot be read, or is too large: nothing was reset";
            return problem(&headers, login::rejected(&rejection), "usage", message);
        }
    };
    match inner.documents.reset(&inner.setup(), inner.clock).await {
        Err(error) => unavailable(&headers, &error.to_string()),
        Ok(told) => {
            tracing::info!(processes_told = told, "the counts begin at zero again");
            if answer::wants_html(&headers) {
                answer::see_other(answer::way_back(&back))
            } else {
                answer::json(StatusCode::OK, &json!({"status": "success", "processesTold": told}))
            }
        }
    }
}

async fn ready(State(inner): Shared) -> Response {
    let ready = inner.readiness.get(&inner).await;
    let word = |answers| if answers { "ok" } else { "unavailable" };
    let all = ready.application_database && ready.state_store;
    let status = if all { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let value = json!({
        "status": if all { "ready" } else { "not-ready" },
        "applicationDatabase": word(ready.application_database),
        "stateStore": word(ready.state_store),
    });
    answer::json(status, &value)
}

async fn asset(name: Result<Path<String>, PathRejection>, headers: HeaderMap) -> Response {
    let Ok(Path(name)) = name else { return undecodable(&headers) };
    let Some(asset) = assets::find(&name) else { return not_found(&headers, "there is no such file") };
    let mut response =
        answer::body(StatusCode::OK, HeaderValue::from_static(asset.content_type), asset.bytes);
    // Another content has another name.
    let kept = HeaderValue::from_static("public, max-age=31536000, immutable");
    response.headers_mut().insert(CACHE_CONTROL, kept);
    response
}
