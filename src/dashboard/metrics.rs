//! placeholder
use axum::http::{Method, StatusCode};
use axum::response::Response;
use std::time::Duration;
#[derive(Debug, Default)]
pub(super) struct Traffic;
impl Traffic {
    pub(super) fn displaced(&self) {}
    pub(super) fn refused_token(&self) {}
    pub(super) fn count(&self, _: &Method, _: &str, _: StatusCode, _: Duration) {}
}
pub(super) async fn answer() -> Response {
    Response::default()
}
