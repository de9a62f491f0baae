//! The report of one test, in the shape that scripts read (`serde` writes it as the contract of the command line
//! says). Everything in it is safe to show.

use std::time::Duration;

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::credential::Credential;
use crate::failure::{Failure, FailureClass};
use crate::finding::Finding;
use crate::secret::Secret;
use crate::source::Answer;
use crate::tenant::{Role, SealedSource, Tenant, TenantId};
use crate::url::Kind;

/// The report of one tenant's test.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Who was tested.
    pub tenant: TenantName,
    /// Where its data is; `None` when no data source is configured.
    pub data_source: Option<DataSource>,
    /// Whether there was nothing to test.
    pub skipped: bool,
    /// Whether every tested role passed.
    pub success: bool,
    /// From the first question to the last answer, ms.
    pub response_time_ms: f64,
    /// The first failure in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Its class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureClass>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<&'static str>,
    /// Role by role.
    pub roles: RoleReports,
    /// What was established.
    pub diagnostics: Diagnostics,
    /// What is known of row-level security.
    pub rls: RlsReport,
    /// What is wrong although it answers.
    pub findings: Vec<Finding>,
    /// For comparing tenants with each other.
    #[serde(skip)]
    pub fingerprint: Option<Fingerprint>,
}

/// A tenant as reports name it. The texts come from a row: make them printable before they are shown.
#[derive(Clone, Debug, Serialize)]
pub struct TenantName {
    /// Primary key.
    pub id: TenantId,
    /// Display name.
    pub name: String,
    /// Unique short name.
    pub subdomain: String,
}

/// A data source as reports name it.
#[derive(Clone, Debug, Serialize)]
pub struct DataSource {
    /// Its kind; `None` when the URL has a scheme that no data source has.
    pub kind: Option<Kind>,
    /// Where it is, without user and password.
    pub endpoint: String,
    /// Its region.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
}

/// The reports of the roles that were tested.
#[derive(Clone, Debug, Default, Serialize)]
pub struct RoleReports {
    /// As the service role.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<RoleReport>,
    /// As the anonymous role.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub anon: Option<RoleReport>,
}

/// The report of one role.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RoleReport {
    /// Whether it passed: as service the question was answered, as anon the credential was accepted.
    pub success: bool,
    /// The time of the last attempt, ms.
    pub response_time_ms: f64,
    /// The failure in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Its class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureClass>,
}

/// What a test established.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Diagnostics {
    /// PostgreSQL logged in, SQLite opened, or the key was accepted.
    pub can_connect: bool,
    /// The question was answered as service.
    pub can_query: bool,
    /// Row-level security is `enforced`.
    pub rls_enabled: bool,
}

/// What is known of row-level security.
#[derive(Clone, Debug, Serialize)]
pub struct RlsReport {
    /// The worst of the audiences that could be judged.
    pub state: RlsState,
    /// For the anonymous role.
    pub anon: RlsState,
    /// For signed-in users.
    pub authenticated: RlsState,
    /// Why, audience by audience; for `unknown` also what would settle it. Safe to show.
    pub detail: String,
}

/// A judgement on row-level security, from the best to the worst of what can be judged. What is not established is
/// `Unknown`, never safe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RlsState {
    /// There is no such thing in this kind of data source.
    Unsupported,
    /// Not asked.
    Untested,
    /// Nothing foreign is visible, and nothing could make it so.
    Enforced,
    /// Not established.
    Unknown,
    /// Row-level security is off, and only a missing grant protects.
    Disabled,
    /// The audience can read another tenant's row.
    Exposed,
}

impl RlsState {
    /// The word in tables and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unsupported => "unsupported",
            Self::Untested => "untested",
            Self::Enforced => "enforced",
            Self::Unknown => "unknown",
            Self::Disabled => "disabled",
            Self::Exposed => "exposed",
        }
    }
}

impl RlsReport {
    /// The report of a test that did not ask, or could not.
    #[must_use]
    pub fn untested(why: &str) -> Self {
        Self {
            state: RlsState::Unknown,
            anon: RlsState::Untested,
            authenticated: RlsState::Untested,
            detail: why.to_owned(),
        }
    }
}

/// Digests by which two tenants are compared, without holding on to what was digested.
#[derive(Clone, Debug)]
pub struct Fingerprint {
    /// Of the data source and the id in it.
    pub rows: [u8; 32],
    /// Of the data source.
    pub source: [u8; 32],
    /// Of each Supabase key.
    pub keys: Vec<[u8; 32]>,
}

impl Fingerprint {
    pub(super) fn new<'a>(
        place: &str,
        tenant_id: &str,
        keys: impl Iterator<Item = &'a (Secret, Credential)>,
    ) -> Self {
        let digest = |parts: &[&str]| {
            let mut hash = Sha256::new();
            for part in parts {
                hash.update(part.len().to_le_bytes());
                hash.update(part.as_bytes());
            }
            hash.finalize().into()
        };
        // Passwords may well be alike on several servers; a Supabase key belongs to one project.
        let keys = keys
            .filter(|(_, credential)| !matches!(credential, Credential::Text | Credential::PostgresUrl(_)))
            .map(|(key, _)| digest(&[key.expose()]))
            .collect();
        Self { rows: digest(&[place, tenant_id]), source: digest(&[place]), keys }
    }
}

impl DataSource {
    /// Names the data source of a row.
    #[must_use]
    pub fn of(source: &SealedSource) -> Self {
        Self { kind: source.url.kind(), endpoint: source.url.endpoint(), region: source.region.clone() }
    }
}

impl Report {
    fn blank(tenant: &Tenant) -> Self {
        Self {
            tenant: TenantName {
                id: tenant.id.clone(),
                name: tenant.name.clone(),
                subdomain: tenant.subdomain.clone(),
            },
            data_source: tenant.source.as_ref().map(DataSource::of),
            skipped: false,
            success: false,
            response_time_ms: 0.0,
            error: None,
            failure: None,
            hint: None,
            roles: RoleReports::default(),
            diagnostics: Diagnostics::default(),
            rls: RlsReport::untested("row-level security was not tested"),
            findings: Vec::new(),
            fingerprint: None,
        }
    }

    pub(super) fn skipped(tenant: &Tenant) -> Self {
        Self { skipped: true, ..Self::blank(tenant) }
    }

    /// A test that failed before any role could be asked, with the same failure for each.
    #[must_use]
    pub fn failed(tenant: &Tenant, roles: &[Role], failure: &Failure) -> Self {
        let answers =
            roles.iter().map(|role| (*role, Answer::failed(failure.clone()), Duration::ZERO)).collect();
        Self { fingerprint: None, ..Self::from_answers(tenant, answers, Duration::ZERO) }
    }

    pub(super) fn tested(
        tenant: &Tenant,
        answers: Vec<(Role, Answer, Duration)>,
        took: Duration,
        rls: RlsReport,
        fingerprint: Fingerprint,
    ) -> Self {
        let mut report =
            Self { rls, fingerprint: Some(fingerprint), ..Self::from_answers(tenant, answers, took) };
        report.diagnostics.rls_enabled = report.rls.state == RlsState::Enforced;
        report
    }

    /// Fails a test that passed so far, unless row-level security is enforced.
    pub(super) fn require_rls(&mut self) {
        if self.success && self.rls.state != RlsState::Enforced {
            let detail = format!("it is {}; {}", self.rls.state.as_str(), self.rls.detail);
            let failure = Failure::with(FailureClass::RowLevelSecurity, detail);
            self.success = false;
            self.error = Some(failure.to_string());
            self.failure = Some(failure.class);
            self.hint = Some(failure.class.hint());
        }
    }

    fn from_answers(tenant: &Tenant, answers: Vec<(Role, Answer, Duration)>, took: Duration) -> Self {
        let mut report = Self::blank(tenant);
        report.response_time_ms = milliseconds(took);
        report.success = true;
        for (role, answer, took) in answers {
            let failure = answer.outcome.err();
            let answered = failure.is_none();
            report.diagnostics.can_connect |= answer.connected;
            report.diagnostics.can_query |= answered && role == Role::Service;
            report.success &= answered;
            let role_report = RoleReport {
                success: answered,
                response_time_ms: milliseconds(took),
                error: failure.as_ref().map(ToString::to_string),
                failure: failure.as_ref().map(|failure| failure.class),
            };
            if let (Some(failure), None) = (&failure, &report.failure) {
                report.error = Some(failure.to_string());
                report.failure = Some(failure.class);
                report.hint = Some(failure.class.hint());
            }
            match role {
                Role::Service => report.roles.service = Some(role_report),
                Role::Anon => report.roles.anon = Some(role_report),
            }
        }
        report
    }
}

/// A duration in milliseconds with one decimal, as reports show it.
#[must_use]
pub fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 10_000.0).round() / 10.0
}
