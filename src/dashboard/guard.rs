//! What happens to every request before and after its route: time, name, origin, token; and the headers of every answer.
//!
//! The order is that of how little it costs to refuse. What needs no token is health, the login and what it looks like.

use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::Response;
use futures_util::FutureExt;

use super::chatter::{Chatter, Line, MINUTE};
use super::server::Peer;
use super::{Inner, access, answer};

/// How long an answer may take. Longer than the state store and the application database may.
const LIMIT: Duration = Duration::from_secs(15);

/// The routes that need no token.
const OPEN: [&str; 4] = ["/healthz", "/readyz", "/login", "/assets/{name}"];

/// Times a request, lets it in or not, and notes it.
pub(super) async fn guard(State(inner): State<Arc<Inner>>, request: Request, next: Next) -> Response {
    let start = Instant::now();
    let method = request.method().clone();
    // The pattern, not the path: what somebody pasted into an address is in no log.
    let route = request.extensions().get::<MatchedPath>().cloned();
    let peer = request.extensions().get::<Peer>().copied();
    let html = answer::wants_html(request.headers());
    let answered = match refusal(&inner, &request, peer) {
        Some(refusal) => refusal,
        None => run(request, next, html).await,
    };
    let mut response = if answered.status() == StatusCode::METHOD_NOT_ALLOWED {
        let allow = answered.headers().get(axum::http::header::ALLOW).cloned();
        let mut worded =
            answer::worded(html, StatusCode::METHOD_NOT_ALLOWED, "method", "this takes another method");
        allow.map(|allow| worded.headers_mut().insert(axum::http::header::ALLOW, allow));
        worded
    } else {
        answered
    };
    answer::harden(response.headers_mut());
    if !inner.speaks_tls() {
        // Without TLS browsers heed it on this machine alone, and elsewhere complain of it in their console.
        response.headers_mut().remove("cross-origin-opener-policy");
    }
    let route = route.as_ref().map_or("other", MatchedPath::as_str);
    note(&inner, &method, route, response.status(), start.elapsed(), peer);
    response
}

/// Runs the route, for as long as that may take. A bug in it is told to the client as one, and to the log by the hook.
async fn run(request: Request, next: Next, html: bool) -> Response {
    let answer = AssertUnwindSafe(next.run(request)).catch_unwind();
    match tokio::time::timeout(LIMIT, answer).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) => {
            answer::worded(html, StatusCode::INTERNAL_SERVER_ERROR, "bug", "a bug; it is in the log")
        }
        Err(_) => answer::worded(html, StatusCode::SERVICE_UNAVAILABLE, "unavailable", "this took too long"),
    }
}

fn note(
    inner: &Arc<Inner>,
    method: &Method,
    route: &str,
    status: StatusCode,
    took: Duration,
    peer: Option<Peer>,
) {
    inner.traffic.count(method, route, status, took);
    let peer = peer.map(|peer| peer.remote.ip().to_canonical().to_string()).unwrap_or_default();
    let (status, ms) = (status.as_u16(), crate::probe::milliseconds(took));
    let is_refused = status >= 500 || matches!(status, 401 | 403 | 421 | 429);
    // What anybody can cause is bounded, for refusals and for what does not serve by themselves.
    let of = if status >= 500 { &inner.unserved } else { &inner.refused };
    let is_said = is_refused || *method == Method::POST;
    if !is_said || (status >= 400 && !is_written(inner, of)) {
        tracing::debug!(%method, route, status, duration_ms = ms, peer, "request");
    } else if is_refused {
        tracing::warn!(%method, route, status, duration_ms = ms, peer, "request");
    } else {
        tracing::info!(%method, route, status, duration_ms = ms, peer, "request");
    }
}

/// Whether there is room in the log for one more line of this kind.
pub(super) fn is_written(inner: &Arc<Inner>, of: &Chatter) -> bool {
    match of.line() {
        Line::Written => true,
        Line::LeftOut => false,
        Line::FirstLeftOut => {
            let inner = Arc::clone(inner);
            tokio::spawn(async move {
                tokio::time::sleep(MINUTE).await;
                say_left_out(&inner);
            });
            false
        }
    }
}

/// Says how many requests were not logged one by one, if there were any.
pub(super) fn say_left_out(inner: &Inner) {
    for (of, what) in [(&inner.refused, "refused"), (&inner.unserved, "not served")] {
        let requests = of.left_out();
        if requests > 0 {
            tracing::warn!(requests, "further requests were {what}, and not logged one by one");
        }
    }
}

/// Why a request is not let in, if it is not.
fn refusal(inner: &Inner, request: &Request, peer: Option<Peer>) -> Option<Response> {
    let headers = request.headers();
    let no = |status, code, message| Some(answer::problem(headers, status, code, message));
    let Some(peer) = peer else {
        return no(StatusCode::BAD_REQUEST, "usage", "the request came over no connection");
    };
    let Some(host) = access::host(request.uri(), headers) else {
        return no(StatusCode::BAD_REQUEST, "usage", "the request names no host, or several");
    };
    if !access::is_ours(&host, peer.local.ip(), &inner.options.allowed_hosts) {
        let message = "this server does not go by that name; --allowed-host names further ones";
        return no(StatusCode::MISDIRECTED_REQUEST, "misdirected", message);
    }
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if changes && !access::is_same_origin(headers, &host, inner.speaks_tls()) {
        return no(StatusCode::FORBIDDEN, "origin", "the request comes from a page of somebody else");
    }
    if is_open(request.extensions().get()) || inner.setup().token.is_none() {
        return None;
    }
    authenticate(inner, request, peer.remote.ip()).err()
}

/// Whether a route needs no token. By the pattern that it matched, never by the path: a tenant may be called `assets`.
fn is_open(route: Option<&MatchedPath>) -> bool {
    let open = |route: &MatchedPath| OPEN.contains(&route.as_str());
    route.is_some_and(open)
}

/// Looks at the token or the cookie of a request.
fn authenticate(inner: &Inner, request: &Request, address: IpAddr) -> Result<(), Response> {
    let headers = request.headers();
    if let Some(given) = access::bearer(headers) {
        return check_token(inner, given, address).map_err(|wait| match wait {
            Some(wait) => too_many(headers, wait),
            None => unauthorised(headers, "the token is wrong"),
        });
    }
    if access::cookies(headers, &cookie_name(inner, headers)).any(|cookie| inner.sessions.knows(cookie)) {
        return Ok(());
    }
    if answer::wants_html(headers) && *request.method() == Method::GET {
        let back = answer::way_back(request.uri().path());
        return Err(answer::see_other(&format!("/login?return={}", encoded(back))));
    }
    Err(unauthorised(headers, "a token is needed: Authorization: Bearer"))
}

/// Whether it is the token. An error says how long to wait, or nothing if it is just wrong.
pub(super) fn check_token(inner: &Inner, given: &str, address: IpAddr) -> Result<(), Option<Duration>> {
    // First of all: whoever shares the address of somebody who guesses is not kept out.
    if inner.setup().token.is_some_and(|token| token.is(given)) {
        return Ok(());
    }
    inner.traffic.refused_tokens.inc();
    let wait = inner.throttle.wait(address);
    if !wait.is_zero() {
        return Err(Some(wait));
    }
    inner.throttle.wrong(address);
    Err(None)
}

/// The name of the session's cookie. Under TLS one that the browser keeps others from setting.
///
/// With the port by which the browser knows us: it sends the cookies of a host to all its ports, and a service on another
/// one would else take our session for its own, and end it. Not our own port: a container's is not the published one.
pub(super) fn cookie_name(inner: &Inner, headers: &HeaderMap) -> String {
    let name = if inner.speaks_tls() { "__Host-boothds_session" } else { "boothds_session" };
    match access::host(&Uri::default(), headers).and_then(|host| host.port_u16()) {
        Some(port) => format!("{name}_{port}"),
        None => name.to_owned(),
    }
}

fn unauthorised(headers: &HeaderMap, message: &str) -> Response {
    let mut response = answer::problem(headers, StatusCode::UNAUTHORIZED, "unauthorized", message);
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"boothds\""));
    response
}

fn too_many(headers: &HeaderMap, wait: Duration) -> Response {
    let message = "the token is wrong, and too many wrong tokens came from this address; wait a moment";
    let mut response = answer::problem(headers, StatusCode::TOO_MANY_REQUESTS, "throttled", message);
    response.headers_mut().insert(RETRY_AFTER, wait.as_secs().max(1).into());
    response
}

/// A path as the value of a query.
fn encoded(path: &str) -> String {
    url::form_urlencoded::byte_serialize(path.as_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::middleware::from_fn_with_state;
    use axum::routing::get;
    use hyper::service::Service;
    use hyper_util::service::TowerToHyperService;

    use super::*;
    use crate::cipher::{EncryptionKey, KeyRing};
    use crate::clock::Clock;
    use crate::dashboard::{Dashboard, Options, Setup};
    use crate::manager::PoolSettings;
    use crate::probe::ProbeOptions;
    use crate::secret::Secret;
    use crate::settings::Settings;
    use crate::state::Location;

    fn dashboard() -> Dashboard {
        let settings = Settings::from_vars([("HOME", "/nowhere")]).unwrap();
        let key = EncryptionKey::parse(&Secret::new("00".repeat(32)), "test").unwrap();
        let setup = Setup {
            database: Secret::new("sqlite:/nowhere.db".to_owned()),
            ring: Arc::new(KeyRing::new(key, Vec::new())),
            options: ProbeOptions::from_settings(&settings),
            location: Location::from_settings(&settings).unwrap(),
            namespace: "n".to_owned(),
            pool: PoolSettings::from_settings(&settings),
            token: None,
        };
        let options =
            Options { allowed_hosts: Vec::new(), interval: Duration::from_secs(300), connections: 16 };
        Dashboard::new(options, setup, None, Clock::System)
    }

    async fn answered(path: &str) -> Response {
        let inner = dashboard().0;
        let router = Router::new()
            .route("/bug", get(async || -> &'static str { panic!("a test of a bug") }))
            .layer(from_fn_with_state(inner, guard));
        let here = "127.0.0.1:1".parse().unwrap();
        let mut request =
            Request::builder().uri(path).header("host", "localhost").body(Body::empty()).unwrap();
        request.extensions_mut().insert(Peer { remote: here, local: here });
        TowerToHyperService::new(router).call(request).await.unwrap()
    }

    #[tokio::test]
    async fn a_bug_in_a_route_is_an_answer_and_ends_nothing() {
        let answer = answered("/bug").await;
        assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
    }
}
