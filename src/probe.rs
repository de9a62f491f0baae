//! The test of one tenant: open its keys, log in, ask, and judge; a typed report that is safe to show.
//!
//! Both roles are asked at the same time, within one time limit for the tenant. Only a failure that may pass by
//! itself is tried again, after a pause that doubles and is jittered, so that a fleet does not return in step.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;

use crate::cipher::{KeyRing, KeyState, inspect};
use crate::clock::Clock;
use crate::credential::Credential;
use crate::failure::{Failure, FailureClass};
use crate::finding::{Finding, FindingCode, Ignored, ignored};
use crate::secret::Secret;
use crate::settings::{Identifier, ProbeTable, Settings};
use crate::source::{Answer, Connector, Evidence, Exchange, Login, Question, RlsScope};
use crate::tenant::{Role, SealedSource, Tenant};
use crate::url::{Address, Kind, plain_id};

mod credentials;
mod offline;
mod report;
mod rls;

pub use offline::{Looked, Offline};
pub use report::{
    DataSource, Diagnostics, Fingerprint, Report, RlsReport, RlsState, RoleReport, RoleReports, TenantName,
    milliseconds,
};

/// The pause before the first repetition; doubled for each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// The default time limit of one tenant.
pub const DEFAULT_LIMIT: Duration = Duration::from_secs(10);
/// The default number of repetitions of a transient failure.
pub const DEFAULT_RETRIES: u32 = 2;
/// By default a JWT that expires within this time is a finding: 30 days.
pub const DEFAULT_EXPIRING_WITHIN: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// How tenants are tested.
#[derive(Clone, Debug)]
pub struct ProbeOptions {
    /// The table that is asked.
    pub table: ProbeTable,
    /// Its column with the tenant's id.
    pub tenant_column: Identifier,
    /// The roles to test, at least one.
    pub roles: Vec<Role>,
    /// The time for everything in one tenant.
    pub limit: Duration,
    /// How often a transient failure is tried again.
    pub retries: u32,
    /// A JWT that expires within this time is a finding.
    pub expiring_within: Duration,
    /// How far row-level security is looked into.
    pub rls: RlsScope,
    /// Whether a tenant fails unless row-level security is enforced.
    pub require_rls: bool,
    /// Dotted paths within the claims that name the tenant.
    pub claims: Vec<String>,
    /// The findings that do not count.
    pub ignored: Vec<Ignored>,
    /// Whether the tenant was named, so that having no data source is a failure and no reason to skip it.
    pub named: bool,
}

impl ProbeOptions {
    /// Both roles, with the table and column of the settings and the default times, for a tenant that was named.
    #[must_use]
    pub fn from_settings(settings: &Settings) -> Self {
        Self {
            table: settings.probe_table.value.clone(),
            tenant_column: settings.probe_tenant_column.value.clone(),
            roles: vec![Role::Service, Role::Anon],
            limit: DEFAULT_LIMIT,
            retries: DEFAULT_RETRIES,
            expiring_within: DEFAULT_EXPIRING_WITHIN,
            rls: RlsScope::Table,
            require_rls: false,
            claims: settings.probe_claims.value.clone(),
            ignored: settings.ignore.iter().map(|one| one.value.clone()).collect(),
            named: true,
        }
    }
}

/// Tests tenants, one at a time for each call; cheap to clone.
#[derive(Clone, Debug)]
pub struct Prober {
    connector: Connector,
    ring: Arc<KeyRing>,
    options: Arc<ProbeOptions>,
    clock: Clock,
}

/// A role made ready to be asked, or why it cannot be.
struct Prepared {
    role: Role,
    looked: Looked,
    login: Result<Login, Failure>,
    key: Option<(Secret, Credential)>,
}

impl Prober {
    /// A prober that opens keys with `ring`.
    #[must_use]
    pub fn new(ring: Arc<KeyRing>, options: ProbeOptions, clock: Clock) -> Self {
        Self { connector: Connector::new(), ring, options: Arc::new(options), clock }
    }

    /// The time for everything in one tenant.
    #[must_use]
    pub fn limit(&self) -> Duration {
        self.options.limit
    }

    /// The same with another time for everything in one tenant.
    #[must_use]
    pub fn within(&self, limit: Duration) -> Self {
        let options = ProbeOptions { limit, ..ProbeOptions::clone(&self.options) };
        Self { options: Arc::new(options), ..self.clone() }
    }

    /// The roles that are tested.
    #[must_use]
    pub fn roles(&self) -> &[Role] {
        &self.options.roles
    }

    /// Tests one tenant. Never fails: what goes wrong is in the report.
    pub async fn probe(&self, tenant: &Tenant) -> Report {
        let Some(source) = &tenant.source else {
            if !self.options.named {
                return Report::skipped(tenant);
            }
            let sentence = format!("Tenant {} has no data source configured", tenant.id);
            return Report::failed(
                tenant,
                &self.options.roles,
                &Failure::with(FailureClass::NoDataSource, sentence),
            );
        };
        let address = match source.url.parse() {
            Ok(address) => address,
            Err(error) => {
                let failure = Failure::with(FailureClass::UrlRefused, error.to_string());
                return Report::failed(tenant, &self.options.roles, &failure);
            }
        };
        let mut findings = Vec::new();
        let prepared: Vec<Prepared> = self
            .options
            .roles
            .iter()
            .map(|role| self.prepare(source, &address, *role, &mut findings))
            .collect();
        credentials::compare(&prepared, source, &address, &mut findings);

        let question = Question {
            table: self.options.table.clone(),
            tenant_column: self.options.tenant_column.clone(),
            tenant_id: tenant.id_in_data_source().to_owned(),
            application_id: tenant.id.as_str().to_owned(),
            claims: self.options.claims.clone(),
            scope: self.options.rls,
        };
        let start = Instant::now();
        let mut answers = if matches!(address, Address::Sqlite(_)) {
            self.ask_file(&prepared, &question, start).await
        } else {
            let login = |role| prepared.iter().find(|one| one.role == role)?.login.as_ref().ok();
            let logins = login(Role::Service).zip(login(Role::Anon));
            let exchange = logins.and_then(|(service, anon)| Exchange::between(service, anon));
            join_all(prepared.iter().map(|one| self.ask(one, &question, exchange.as_ref(), start))).await
        };
        let fingerprint = fingerprint(&prepared, &address, tenant);
        let took = start.elapsed();
        let rls = self.judge_rls(&address, &question, &mut answers, &mut findings);
        let mut report = Report::tested(tenant, answers, took, rls, fingerprint);
        for finding in findings {
            self.add(&mut report, finding);
        }
        if self.options.require_rls {
            report.require_rls();
        }
        report
    }

    /// Adds a finding to a tenant's report, as ignored if it is on the list.
    pub fn add(&self, report: &mut Report, mut finding: Finding) {
        let names = [report.tenant.id.as_str(), report.tenant.subdomain.as_str()];
        finding.ignored = ignored::reason(&self.options.ignored, finding.code, &names);
        report.findings.push(finding);
    }

    /// The judgement on row-level security, from what the answers brought along.
    fn judge_rls(
        &self,
        address: &Address,
        question: &Question,
        answers: &mut [(Role, Answer, Duration)],
        findings: &mut Vec<Finding>,
    ) -> RlsReport {
        let mut learnt = |role| {
            let (_, answer, _) = answers.iter_mut().find(|(of, ..)| *of == role)?;
            // Whoever was not let in could not ask.
            answer.evidence.take().or_else(|| answer.outcome.clone().err().map(Err))
        };
        let (service, mut anon) = (learnt(Role::Service), learnt(Role::Anon));
        if let (Some(Ok(Evidence::Postgres(service))), Some(Ok(Evidence::Postgres(anon)))) =
            (&service, &mut anon)
            && anon.functions_of_service
        {
            anon.functions.clone_from(&service.functions);
        }
        let kind = match address {
            Address::Supabase(_) => Kind::Supabase,
            Address::Postgres(_) => Kind::Postgres,
            Address::Sqlite(_) => Kind::Sqlite,
        };
        let (report, found) = rls::judge(kind, question, service.as_ref(), anon.as_ref());
        findings.extend(found);
        report
    }

    /// Opens a role's key and makes its login, offline.
    fn prepare(
        &self,
        source: &SealedSource,
        address: &Address,
        role: Role,
        findings: &mut Vec<Finding>,
    ) -> Prepared {
        if let Address::Sqlite(path) = address {
            // A file has no users: its keys are ignored.
            let looked = Looked { state: KeyState::Sealed, key_id: None, canonical: true };
            return Prepared { role, looked, login: Ok(Login::Sqlite(path.clone())), key: None };
        }
        let stored = source.key(role);
        let column = role.column();
        let inspection = inspect(Some(&self.ring), stored);
        let looked = Looked::of(&inspection);
        let refused = |class| Prepared { role, looked, login: Err(Failure::with(class, column)), key: None };
        let opened = match (inspection.state, inspection.opened) {
            (KeyState::Sealed | KeyState::PreviousKey, Some(opened)) => opened,
            (KeyState::Missing, _) => return refused(FailureClass::KeyMissing),
            (KeyState::Plaintext, _) => return refused(FailureClass::KeyPlaintext),
            (KeyState::Hex, _) => return refused(FailureClass::KeyHex),
            _ => {
                let why = stored.and_then(|stored| self.ring.open(stored.expose()).err());
                let detail = why.map_or_else(|| column.to_owned(), |why| format!("{column}: {why}"));
                return Prepared {
                    role,
                    looked,
                    login: Err(Failure::with(FailureClass::KeyUnreadable, detail)),
                    key: None,
                };
            }
        };
        if !opened.current {
            findings.push(Finding::about(FindingCode::KeyPrevious, column));
        }
        if !opened.canonical {
            findings.push(Finding::about(FindingCode::KeyNotCanonical, column));
        }
        let credential = Credential::of(&opened.plaintext);
        credentials::judge(&credential, role, self.clock.now(), self.options.expiring_within, findings);
        let login = Login::new(address, &opened.plaintext, &credential).map_err(|mut failure| {
            failure.detail = Some(
                failure.detail.map_or_else(|| column.to_owned(), |detail| format!("{column}, {detail}")),
            );
            failure
        });
        Prepared { role, looked, login, key: Some((opened.plaintext, credential)) }
    }

    /// Asks a SQLite file once for all roles: it has no users, so whoever can open it has the anon role's pass.
    async fn ask_file(
        &self,
        prepared: &[Prepared],
        question: &Question,
        start: Instant,
    ) -> Vec<(Role, Answer, Duration)> {
        let Some(first) = prepared.first() else { return Vec::new() };
        let (_, answer, took) = self.ask(first, question, None, start).await;
        let accepted = Answer::connected(Ok(()));
        let answer_for = |role: Role| {
            if role == Role::Anon && answer.connected { accepted.clone() } else { answer.clone() }
        };
        prepared.iter().map(|one| (one.role, answer_for(one.role), took)).collect()
    }

    /// Asks as one role, again if that may help, until the tenant's time is up.
    async fn ask(
        &self,
        prepared: &Prepared,
        question: &Question,
        exchange: Option<&Exchange>,
        start: Instant,
    ) -> (Role, Answer, Duration) {
        let asked = self.ask_again(prepared, question, exchange, start).await;
        if let (Role::Service, Some(exchange)) = (prepared.role, exchange) {
            exchange.close();
        }
        asked
    }

    async fn ask_again(
        &self,
        prepared: &Prepared,
        question: &Question,
        exchange: Option<&Exchange>,
        start: Instant,
    ) -> (Role, Answer, Duration) {
        let role = prepared.role;
        let login = match &prepared.login {
            Ok(login) => login,
            Err(failure) => {
                return (role, Answer::failed(failure.clone()), Duration::ZERO);
            }
        };
        let mut attempt = 0;
        loop {
            let begun = Instant::now();
            let left = self.options.limit.saturating_sub(start.elapsed());
            let mut answer = self.connector.ask(login, role, question, exchange, left).await;
            let took = begun.elapsed();
            let Err(failure) = &mut answer.outcome else { return (role, answer, took) };
            if failure.class == FailureClass::Timeout && failure.detail.is_none() {
                failure.detail = Some(format!("{} s", self.options.limit.as_secs_f64()));
            }
            let pause = failure.retry_after.unwrap_or_else(|| pause_before(attempt));
            let again = failure.class.is_transient() && attempt < self.options.retries;
            if !again || start.elapsed().saturating_add(pause) >= self.options.limit {
                return (role, answer, took);
            }
            tokio::time::sleep(pause).await;
            attempt += 1;
        }
    }
}

/// For comparing the tenant with others. Where a sealed URL decides, it tells where the rows are; otherwise the row's own.
fn fingerprint(prepared: &[Prepared], address: &Address, tenant: &Tenant) -> Fingerprint {
    let place = match prepared.iter().find_map(|one| one.login.as_ref().ok()) {
        Some(Login::Postgres(own)) => own.place(),
        _ => address.place(),
    };
    let keys = prepared.iter().filter_map(|one| one.key.as_ref());
    Fingerprint::new(&place, &plain_id(tenant.id_in_data_source()), keys)
}

/// 100 ms, 200 ms, 400 ms, … each shortened by up to a half at random.
fn pause_before(attempt: u32) -> Duration {
    let full = FIRST_PAUSE.saturating_mul(2u32.saturating_pow(attempt.min(10)));
    full.mul_f64(rand::random_range(0.5..=1.0))
}
