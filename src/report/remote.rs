//! The document of a running service, over HTTP.
//!
//! A token is shown over https or to this machine only, and never to where a redirect leads.

use std::time::Duration;

use reqwest::Method;
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderValue};
use serde_json::Value;

use super::PATH;
use crate::diagnosis;
use crate::failure::{Failure, FailureClass};
use crate::sanitize::message;
use crate::secret::Secret;
use crate::url::is_this_machine;

/// How long the service may take.
const LIMIT: Duration = Duration::from_secs(10);
/// The largest document that is read, bytes: some hundred instances.
const SIZE_LIMIT: usize = 4 * 1024 * 1024;

/// Why there is no document. Safe to show.
#[derive(Clone, Debug, thiserror::Error)]
pub enum FetchError {
    /// The address cannot be used.
    #[error("the endpoint cannot be used: {0}")]
    Address(&'static str),
    /// A token would cross the network readable.
    #[error("the token is not sent to {0}: over http it could be read on its way")]
    ClearText(String),
    /// The service does not answer, or not with a document.
    #[error("the service at {endpoint} did not answer with a performance document")]
    Service {
        /// Where it is.
        endpoint: String,
        /// Why.
        source: Failure,
    },
    /// The service wants another token, or one at all.
    #[error("the service at {endpoint} refuses: HTTP {status}")]
    Refused {
        /// Where it is.
        endpoint: String,
        /// 401 or 403.
        status: u16,
    },
}

/// Reads the document of the service at `endpoint`, an `https:` or `http:` URL whose path, if it has none, is
/// [`PATH`]. With `reset` the service begins to count anew.
///
/// # Errors
/// A [`FetchError`].
pub async fn fetch(endpoint: &str, token: Option<&Secret>, reset: bool) -> Result<Value, FetchError> {
    let url = address(endpoint, token.is_some())?;
    let shown = place(&url);
    let failed = |source| FetchError::Service { endpoint: shown.clone(), source };
    let secrets: Vec<Secret> = token.into_iter().cloned().collect();
    let http = |error: &reqwest::Error| failed(diagnosis::http(error, &secrets));

    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("boothds/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .timeout(LIMIT);
    if is_this_machine(url.host_str().unwrap_or_default()) {
        builder = builder.no_proxy();
    }
    let client = builder.build().map_err(|error| http(&error))?;
    let method = if reset { Method::POST } else { Method::GET };
    let mut request = client.request(method, url).header(ACCEPT, "application/json");
    if let Some(token) = token {
        let value = HeaderValue::from_str(&format!("Bearer {}", token.expose()));
        let mut value = value
            .map_err(|_| FetchError::Address("the token contains a character that no header can carry"))?;
        value.set_sensitive(true);
        request = request.header(AUTHORIZATION, value);
    }
    let mut response = request.send().await.map_err(|error| http(&error))?;
    let status = response.status().as_u16();
    match status {
        200..=299 => {}
        401 | 403 => return Err(FetchError::Refused { endpoint: shown, status }),
        _ => {
            let class =
                if (300..400).contains(&status) { FailureClass::Redirect } else { FailureClass::ServerError };
            return Err(failed(Failure::with(class, format!("HTTP {status}"))));
        }
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| http(&error))? {
        body.extend_from_slice(&chunk);
        if body.len() > SIZE_LIMIT {
            return Err(failed(Failure::with(FailureClass::ServerError, "the answer is too long")));
        }
    }
    let document: Value = serde_json::from_slice(&body).map_err(|error| {
        failed(Failure::with(FailureClass::ServerError, message(&error.to_string(), &[])))
    })?;
    // An answer to a reset may say no more than that it was done.
    if document.is_object() && (reset || document.get("dataSourceManager").is_some()) {
        Ok(document)
    } else {
        Err(failed(Failure::with(FailureClass::ServerError, "JSON, but no performance document")))
    }
}

/// Where a URL leads, without its path and query: several services of one machine differ by the port alone.
fn place(url: &url::Url) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{}{port}", url.scheme(), url.host_str().unwrap_or_default())
}

fn address(endpoint: &str, with_token: bool) -> Result<url::Url, FetchError> {
    let mut url = url::Url::parse(endpoint)
        .map_err(|_| FetchError::Address("it is no URL of the form https://host"))?;
    if !matches!(url.scheme(), "https" | "http") {
        return Err(FetchError::Address("it is neither https nor http"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(FetchError::Address("it carries a user name or password"));
    }
    if with_token && url.scheme() == "http" && !is_this_machine(url.host_str().unwrap_or_default()) {
        return Err(FetchError::ClearText(place(&url)));
    }
    if url.path() == "/" {
        url.set_path(PATH);
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_goes_over_https_or_to_this_machine_alone() {
        assert!(address("https://service.example", true).is_ok());
        assert!(address("http://127.0.0.1:8787", true).is_ok());
        assert!(address("http://service.example", false).is_ok());
        assert!(matches!(address("http://service.example", true), Err(FetchError::ClearText(_))));
        for refused in ["ftp://h", "nonsense", "https://u:p@h"] {
            assert!(matches!(address(refused, false), Err(FetchError::Address(_))), "{refused}");
        }
    }

    #[test]
    fn a_bare_host_means_the_usual_path() {
        assert_eq!(address("http://localhost:8787", false).unwrap().path(), PATH);
        assert_eq!(address("https://h/other", false).unwrap().path(), "/other");
    }
}
