//! A data source on Supabase, or anything that speaks PostgREST under `/rest/v1`, over reqwest.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use reqwest::header::{
    ACCEPT, AUTHORIZATION, CONTENT_RANGE, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER,
};

use super::evidence::{RestSeen, RestSight};
use super::{Answer, Question};
use crate::credential::{CredentialKind, has_claim};
use crate::diagnosis;
use crate::failure::{Failure, FailureClass};
use crate::sanitize::message;
use crate::secret::Secret;
use crate::tenant::Role;
use crate::url::RestAddress;

/// The name of the table that a row is kept in: another than was asked for if that has partitions.
const TABLE_OF_ROW: &str = "tableoid::regclass";
/// Names the tool to the gateway. A browser-like name is refused together with a secret key.
const USER_AGENT: &str = concat!("boothds/", env!("CARGO_PKG_VERSION"));
/// How much of an answer is read, bytes. One id, or an error, is some hundreds.
const BODY_LIMIT: usize = 64 * 1024;
/// How long a test keeps an unused connection. Long enough for the second question to a project; with hundreds of
/// projects a second, longer would only pile up sockets.
const IDLE_LIMIT: Duration = Duration::from_secs(1);

const APIKEY: HeaderName = HeaderName::from_static("apikey");
const ACCEPT_PROFILE: HeaderName = HeaderName::from_static("accept-profile");
const PREFER: HeaderName = HeaderName::from_static("prefer");

/// The HTTP clients, each made when first needed (3 ms of processor time) and then shared.
#[derive(Clone, Debug)]
pub(super) struct Clients(Arc<Pair>);

#[derive(Debug)]
struct Pair {
    /// How long an unused connection is kept.
    idle_limit: Duration,
    /// To other hosts, through the proxy that the environment names, if any.
    remote: OnceLock<Result<reqwest::Client, String>>,
    /// To this machine: never through a proxy, which would be handed the key in clear text.
    local: OnceLock<Result<reqwest::Client, String>>,
}

impl Default for Clients {
    fn default() -> Self {
        Self::new(IDLE_LIMIT)
    }
}

impl Clients {
    pub(super) fn new(idle_limit: Duration) -> Self {
        Self(Arc::new(Pair { idle_limit, remote: OnceLock::new(), local: OnceLock::new() }))
    }

    pub(super) fn for_address(&self, base: &RestAddress) -> Result<&reqwest::Client, Failure> {
        let (cell, local) =
            if base.is_this_machine() { (&self.0.local, true) } else { (&self.0.remote, false) };
        cell.get_or_init(|| build(local, self.0.idle_limit).map_err(|error| message(&error.to_string(), &[])))
            .as_ref()
            .map_err(|text| Failure::with(FailureClass::Tls, text.clone()))
    }
}

fn build(local: bool, idle_limit: Duration) -> reqwest::Result<reqwest::Client> {
    // Another part of the process may have chosen a provider already; then that one serves.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = reqwest::Client::builder()
        .user_agent(USER_AGENT)
        // A redirect would be followed with the `apikey` header, to whatever host it names.
        .redirect(reqwest::redirect::Policy::none())
        .pool_idle_timeout(idle_limit)
        .tcp_nodelay(true);
    if local { builder.no_proxy() } else { builder }.build()
}

/// The code and message of an error of PostgREST, or of the gateway before it, which has no code. Its `details` may name
/// internal hosts, and are not read.
fn error_of(body: &[u8]) -> (Option<String>, String) {
    let body: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(body).unwrap_or_default();
    let text = |name: &str| match body.get(name) {
        Some(serde_json::Value::String(text)) if !text.is_empty() => Some(text.clone()),
        Some(serde_json::Value::Number(number)) => Some(number.to_string()),
        _ => None,
    };
    // The parts of Supabase's platform do not agree on the name.
    let message = text("message").or_else(|| text("msg")).or_else(|| text("error"));
    (text("code"), message.unwrap_or_default())
}

/// One key of one project.
pub(super) struct Project<'a> {
    pub(super) clients: &'a Clients,
    pub(super) base: &'a RestAddress,
    pub(super) key: &'a Secret,
    pub(super) kind: CredentialKind,
}

/// What came back.
struct Reply {
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Project<'_> {
    /// Asks the plain question.
    pub(super) async fn ask(&self, role: Role, question: &Question) -> Answer {
        // GET and not HEAD: PostgREST 12 closes the connection after every HEAD without saying so, and the next
        // request on it fails. `limit=0` tests table, column and grant, and moves no data.
        let filter = format!("eq.{}", question.tenant_id);
        let own = [("select", "id"), (question.tenant_column.as_str(), filter.as_str()), ("limit", "1")];
        let none = [("select", "id"), ("limit", "0")];
        let reply = match role {
            Role::Service => self.get(question, &own).await,
            Role::Anon => self.get(question, &none).await,
        };
        match reply {
            Ok(reply) => judge(reply.status, &reply.headers, &reply.body, role, self.key),
            Err(failure) => Answer::failed(failure),
        }
    }

    /// Asks what the key sees: one request or two.
    pub(super) async fn look(&self, role: Role, question: &Question, answer: &Answer) -> RestSight {
        let column = question.tenant_column.as_str();
        if role == Role::Anon {
            return self.look_as_anon(question, answer).await;
        }
        let others = format!("neq.{}", question.tenant_id);
        let select = format!("{column},{TABLE_OF_ROW}");
        let reply =
            self.get(question, &[("select", select.as_str()), (column, &others), ("limit", "1")]).await;
        let mut sight = RestSight { own: answer.rows.map(|rows| rows > 0), ..RestSight::default() };
        (sight.seen, sight.is_table) = match reply {
            Ok(reply) => (self.shown(question, &reply), is_of_table(&reply.body, question)),
            Err(failure) => (failed(&failure), false),
        };
        match (&sight.seen, sight.own) {
            // A view has no such column.
            (RestSeen::Failed(_) | RestSeen::Refused, _) => {
                sight.seen =
                    self.seen(question, &[("select", column), (column, &others), ("limit", "1")]).await;
            }
            (RestSeen::Nothing, Some(true)) => {
                let reply = self.get(question, &[("select", TABLE_OF_ROW), ("limit", "1")]).await;
                sight.is_table = reply.is_ok_and(|reply| is_of_table(&reply.body, question));
            }
            _ => {}
        }
        if sight.own == Some(false) && question.application_id != question.tenant_id {
            let filter = format!("eq.{}", question.application_id);
            let seen = self.seen(question, &[("select", column), (column, &filter), ("limit", "1")]).await;
            sight.application = Some(seen == RestSeen::Row);
        }
        sight
    }

    /// A row of any tenant. Where the tenant column may not be read and the id may, a row of somebody's; and where the key
    /// names a tenant by itself, one of another than ours.
    async fn look_as_anon(&self, question: &Question, answer: &Answer) -> RestSight {
        let column = question.tenant_column.as_str();
        let planned = || Some((PREFER, HeaderValue::from_static("count=planned")));
        let mut reply = self.get_with(question, &[("select", column), ("limit", "1")], planned()).await;
        let refused = |reply: &Reply| self.shown(question, reply) == RestSeen::Refused;
        // The plain question has read the id.
        let reads_id = answer.rows.is_some();
        let hides_tenants = reads_id && reply.as_ref().is_ok_and(refused);
        if hides_tenants {
            reply = self.get_with(question, &[("select", "id"), ("limit", "1")], planned()).await;
        }
        let reply = match reply {
            Ok(reply) => reply,
            Err(failure) => return RestSight { seen: failed(&failure), ..RestSight::default() },
        };
        let mut seen = self.shown(question, &reply);
        if seen == RestSeen::Row && has_claim(self.key, &question.claims) {
            seen = if hides_tenants {
                RestSeen::Untold
            } else {
                let others = format!("neq.{}", question.tenant_id);
                match self.seen(question, &[("select", column), (column, &others), ("limit", "1")]).await {
                    RestSeen::Nothing => RestSeen::Own,
                    RestSeen::Row => RestSeen::Foreign,
                    other => other,
                }
            };
        }
        RestSight { seen, expected: total(&reply.headers), ..RestSight::default() }
    }

    async fn seen(&self, question: &Question, query: &[(&str, &str)]) -> RestSeen {
        match self.get(question, query).await {
            Ok(reply) => self.shown(question, &reply),
            Err(failure) => failed(&failure),
        }
    }

    fn shown(&self, question: &Question, reply: &Reply) -> RestSeen {
        let answer = judge(reply.status, &reply.headers, &reply.body, Role::Service, self.key);
        match answer.outcome {
            Ok(()) => first_tenant(&reply.body, question.tenant_column.as_str()),
            Err(failure) if failure.class == FailureClass::Grant => RestSeen::Refused,
            Err(failure) => failed(&failure),
        }
    }

    async fn get(&self, question: &Question, query: &[(&str, &str)]) -> Result<Reply, Failure> {
        self.get_with(question, query, None).await
    }

    async fn get_with(
        &self,
        question: &Question,
        query: &[(&str, &str)],
        header: Option<(HeaderName, HeaderValue)>,
    ) -> Result<Reply, Failure> {
        let secrets = std::slice::from_ref(self.key);
        let client = self.clients.for_address(self.base)?;
        let mut headers = headers(self.key, self.kind, question)?;
        headers.extend(header);
        let url = self.base.table(question.table.name.as_str(), query);
        let failed = |error: reqwest::Error| diagnosis::http(&error, secrets);
        let mut response = client.get(url).headers(headers).send().await.map_err(failed)?;
        let body = read(&mut response).await.map_err(failed)?;
        Ok(Reply { status: response.status().as_u16(), headers: response.headers().clone(), body })
    }
}

fn failed(failure: &Failure) -> RestSeen {
    RestSeen::Failed(failure.to_string())
}

/// Whose the first row of a list is.
fn first_tenant(body: &[u8], column: &str) -> RestSeen {
    let rows: Vec<serde_json::Map<String, serde_json::Value>> = match serde_json::from_slice(body) {
        Ok(rows) => rows,
        Err(_) => return RestSeen::Failed("the rows cannot be read".to_owned()),
    };
    match rows.first().map(|row| row.get(column)) {
        None => RestSeen::Nothing,
        Some(Some(serde_json::Value::Null)) => RestSeen::Shared,
        // A row all the same, whatever became of its column.
        Some(_) => RestSeen::Row,
    }
}

/// Whether the first row of a list is kept in the table that was asked for.
fn is_of_table(body: &[u8], question: &Question) -> bool {
    let rows: Vec<serde_json::Map<String, serde_json::Value>> =
        serde_json::from_slice(body).unwrap_or_default();
    let table = rows.first().and_then(|row| row.get("tableoid")?.as_str());
    let is = |kept: &str, name: &str| {
        kept == name
            || kept.strip_prefix('"').and_then(|kept| kept.strip_suffix('"'))
                == Some(name.replace('"', "\"\"").as_str())
    };
    // PostgREST searches the schema that is asked for, so that no other goes without its schema's name.
    table.is_some_and(|kept| is(kept, question.table.name.as_str()))
}

/// The number of rows behind a list of some: `*/0`, `0-0/7`; or `*` when it is not said.
fn total(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_RANGE)?.to_str().ok()?.rsplit_once('/')?.1.trim().parse().ok()
}

/// The headers that show a key, marked so that nothing prints them.
pub(super) fn credential(key: &Secret, kind: CredentialKind) -> Result<HeaderMap, Failure> {
    let value = |text: &str| {
        let mut value = HeaderValue::from_str(text).map_err(|_| {
            Failure::with(FailureClass::KeyNotFitting, "it contains a character that no header can carry")
        })?;
        value.set_sensitive(true);
        Ok(value)
    };
    let mut headers = HeaderMap::new();
    headers.insert(APIKEY, value(key.expose())?);
    // The new keys are no JWT: as a bearer token PostgREST would refuse them.
    if kind == CredentialKind::SupabaseJwt {
        headers.insert(AUTHORIZATION, value(&format!("Bearer {}", key.expose()))?);
    }
    Ok(headers)
}

fn headers(key: &Secret, kind: CredentialKind, question: &Question) -> Result<HeaderMap, Failure> {
    let mut headers = credential(key, kind)?;
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    let schema = question.table.schema.as_ref().map_or("public", |schema| schema.as_str());
    if let Ok(schema) = HeaderValue::from_str(schema) {
        headers.insert(ACCEPT_PROFILE, schema);
    }
    Ok(headers)
}

/// Reads the body to its end, so that the connection can serve again, but no more than the limit of it.
async fn read(response: &mut reqwest::Response) -> reqwest::Result<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        let room = BODY_LIMIT - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if body.len() == BODY_LIMIT {
            break;
        }
    }
    Ok(body)
}

fn judge(status: u16, headers: &HeaderMap, body: &[u8], role: Role, key: &Secret) -> Answer {
    let is_json = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|kind| kind.contains("json"));
    if (200..300).contains(&status) {
        // A list of rows is what PostgREST answers; a website answers 200 to anything.
        return match serde_json::from_slice::<Vec<serde_json::Value>>(body) {
            Ok(rows) if is_json => Answer { rows: Some(rows.len()), ..Answer::connected(Ok(())) },
            _ => Answer::failed(Failure::with(
                FailureClass::NotSupabase,
                format!("HTTP {status}, no list of rows"),
            )),
        };
    }
    let (code, text) = if is_json { error_of(body) } else { (None, String::new()) };
    let class = diagnosis::rest(status, code.as_deref(), &text);
    let secrets = std::slice::from_ref(key);
    let mut detail = format!("HTTP {status}");
    if let Some(code) = &code {
        detail = format!("{detail}, {}", message(code, secrets));
    }
    if !text.is_empty() {
        detail = format!("{} ({detail})", message(&text, secrets));
    }
    let failure = Failure { class, detail: Some(detail), retry_after: retry_after(headers) };
    // An error with PostgREST's code about table, column or grant comes after the key was accepted.
    let accepted = code.is_some()
        && matches!(
            class,
            FailureClass::Table
                | FailureClass::Column
                | FailureClass::Grant
                | FailureClass::Schema
                | FailureClass::TenantIdType
        );
    match (accepted, role) {
        // Whether the anonymous role may read the table is not what is asked of it.
        (true, Role::Anon) => Answer::connected(Ok(())),
        (true, Role::Service) => Answer::connected(Err(failure)),
        (false, _) => Answer::failed(failure),
    }
}

/// `Retry-After` in seconds; the form with a date is not used by the servers this asks.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_of_the_table_unless_it_is_kept_elsewhere() {
        let is =
            |body: &str, name: &str| is_of_table(body.as_bytes(), &Question::of_table(name, "tenant_id"));
        assert!(is(r#"[{"tableoid": "accounts"}]"#, "accounts"));
        assert!(is(r#"[{"tableoid": "\"Ac\"\"counts\""}]"#, "Ac\"counts"));
        for body in [
            "[]",
            "{}",
            r#"[{"tableoid": null}]"#,
            r#"[{"tableoid": 7}]"#,
            r#"[{"tableoid": "part_1"}]"#,
            r#"[{"tableoid": "other.accounts"}]"#,
            r#"[{"id": "accounts"}]"#,
        ] {
            assert!(!is(body, "accounts"), "{body}");
        }
    }
}
