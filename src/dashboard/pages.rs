//! The performance page: gathers what a [`View`] borrows, for the whole or for one tenant.

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::Deserialize;

use super::answer::{self, VERSION};
use super::database::sentence;
use super::fleet::Row;
use super::page::{self, Process, View};
use super::routes::{PAGE, Shared, not_found, undecodable};
use super::{Inner, rows};
use crate::memory;

/// What a browser may ask for in the query. What cannot be meant is passed over.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    /// Part of a name.
    q: String,
    /// A state.
    state: Option<String>,
    /// A page, from 1.
    page: Option<String>,
    /// Whether the inner part is wanted, for the refresh.
    fragment: Option<String>,
}

/// `GET /debug/performance`.
pub(super) async fn whole(
    State(inner): Shared,
    headers: HeaderMap,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Response {
    show(&inner, &headers, asked, None, PAGE).await
}

/// `GET /{tenant}/debug/performance`.
pub(super) async fn tenant(
    State(inner): Shared,
    name: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Response {
    let Ok(Path(name)) = name else { return undecodable(&headers) };
    let row = match inner.fleet(|fleet| fleet.find(&name).cloned()) {
        Some(row) => row,
        // Not tested yet, or never: the application database knows.
        None => match inner.database.find(&inner.setup(), &name).await {
            Ok(Some(tenant)) => Row::untested(&tenant),
            Ok(None) => return not_found(&headers, "there is no such tenant"),
            Err(error) => return answer::unavailable(&headers, &sentence(&error)),
        },
    };
    let path = row.path();
    show(&inner, &headers, asked, Some(&row), &path).await
}

async fn show(
    inner: &Inner,
    headers: &HeaderMap,
    asked: Result<Query<Asked>, QueryRejection>,
    tenant: Option<&Row>,
    path: &str,
) -> Response {
    let asked = asked.map(|Query(asked)| asked).unwrap_or_default();
    let number = asked.page.as_deref().and_then(|page| page.parse().ok()).unwrap_or(1);
    let query = rows::Query::new(&asked.q, asked.state.as_deref(), number);
    let setup = inner.setup();
    // Rounds are minutes apart: what they found is no word for the present where nobody can be asked.
    let has_database = inner.readiness.get(inner).await.application_database;
    let document = inner.documents.get(&setup, inner.clock).await.map_err(|error| error.to_string());
    let (fleet, rows) = inner.fleet(|fleet| (fleet.snapshot(), fleet.page(&query)));
    let memory = memory::of_this_process();
    let unread = inner.reloads.unread();
    let process = Process {
        started: inner.started,
        resident: memory.resident,
        memory_limit: memory.limit,
        certificate: inner.validity(),
    };
    let view = View {
        document: document.as_ref().map(|document| &document.value).map_err(String::as_str),
        fleet: &fleet,
        rows: &rows,
        tenant,
        process: &process,
        has_database,
        unread: unread.as_ref(),
        has_login: setup.token.is_some(),
        path,
        now: inner.clock.now(),
        version: VERSION,
    };
    if asked.fragment.is_some() {
        answer::unless_known(headers, page::fragment(&view))
    } else {
        answer::html(StatusCode::OK, page::render(&view))
    }
}
