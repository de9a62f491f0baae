//! Requests to a Supabase project in service, with the headers set that show the key.

use reqwest::Method;
use reqwest::header::HeaderMap;

use super::Connector;
use super::supabase::credential;
use crate::credential::CredentialKind;
use crate::failure::Failure;
use crate::secret::Secret;
use crate::url::RestAddress;

/// Makes requests to one project as one role. Connections are kept alive and shared with the clients of all tenants.
pub struct RestClient {
    http: reqwest::Client,
    base: RestAddress,
    headers: HeaderMap,
}

impl RestClient {
    pub(super) fn new(
        connector: &Connector,
        base: &RestAddress,
        key: &Secret,
        kind: CredentialKind,
    ) -> Result<Self, Failure> {
        let http = connector.http.for_address(base)?.clone();
        Ok(Self { http, base: base.clone(), headers: credential(key, kind)? })
    }

    /// A request to a table or view of the schema that is exposed first: `<base>/rest/v1/<table>`. Filters are the
    /// builder's `query`.
    pub fn table(&self, method: Method, table: &str) -> reqwest::RequestBuilder {
        self.request(method, &["rest", "v1", table])
    }

    /// A request to any path of the project, such as `["storage", "v1", "object", name]`. Each part is one segment: what
    /// is in it cannot lead to another path, and never to another host, which would be shown the key.
    pub fn request(&self, method: Method, path: &[&str]) -> reqwest::RequestBuilder {
        self.http.request(method, self.base.join(path)).headers(self.headers.clone())
    }
}

impl std::fmt::Debug for RestClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RestClient({})", self.base.host())
    }
}
