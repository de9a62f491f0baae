//! The judgement on a PostgreSQL server, from its catalogue and from what the roles saw.
//!
//! The audience `anon` is the anon credential itself, with every role it can switch to, and the role `anon` where there
//! is one; the audience `authenticated` is the role of that name. What was seen outranks what the catalogue says;
//! `enforced` takes both: policies that can let nothing foreign through, and a look that confirms it.

use super::catalogue::{ByCatalogue, Noted, by_catalogue, bypasses};
use super::outside;
use super::policies::Policies;
use super::reach::Reach;
use super::{Learnt, Verdict, facts, found};
use crate::failure::{Failure, FailureClass};
use crate::finding::{Finding, FindingCode};
use crate::probe::report::RlsState;
use crate::sanitize::printable;
use crate::source::Question;
use crate::source::evidence::{Access, Facts, Relation, Sight};

/// Judges both audiences.
pub(super) fn judge(
    question: &Question,
    service: Learnt<'_>,
    anon: Learnt<'_>,
    findings: &mut Vec<Finding>,
) -> (Verdict, Verdict) {
    let (service, anon) = (facts(service), facts(anon));
    let of_service = service.and_then(Result::ok);
    if let Some(facts) = of_service {
        Login { facts, question, service: of_service, is_anon: false }.service_itself(findings);
    }
    let mut by_anon = Vec::new();
    match anon {
        Some(Ok(facts)) => {
            by_anon.push(Login { facts, question, service: of_service, is_anon: true }.anon(findings));
            by_anon.extend(of_service.and_then(|service| elsewhere(service, facts)));
        }
        Some(Err(failure)) => by_anon.push(not_asked(failure)),
        None => {}
    }
    let mut by_authenticated = None;
    match service {
        Some(Ok(facts)) => {
            let login = Login { facts, question, service: of_service, is_anon: false };
            by_anon.extend(login.named("anon", findings));
            by_authenticated = login.named("authenticated", findings);
        }
        Some(Err(failure)) => by_authenticated = Some(not_asked(failure)),
        None => {}
    }
    let untested = |role: &str| {
        Verdict::untested(match of_service {
            Some(_) => format!("there is no role `{role}`"),
            None => "it takes the service credential to look as this role".to_owned(),
        })
    };
    (
        by_anon.into_iter().reduce(Verdict::worse).unwrap_or_else(|| untested("anon")),
        by_authenticated.unwrap_or_else(|| untested("authenticated")),
    )
}

/// What is not known because the two logins do not speak of the same table.
fn elsewhere(service: &Facts, anon: &Facts) -> Option<Verdict> {
    let (a, b) = (service.relations.first()?, anon.relations.first()?);
    if service.database != anon.database {
        let (service, anon) = (printable(&service.database), printable(&anon.database));
        return Some(Verdict::unknown(format!(
            "the anon credential logs in to the database `{anon}`, the service credential to `{service}`; one database \
             for both would settle it"
        )));
    }
    ((&a.schema, &a.name) != (&b.schema, &b.name)).then(|| {
        Verdict::unknown(format!(
            "the anon credential finds the table {} on its search_path, the service credential {}; the schema in \
             BOOTHDS_PROBE_TABLE would settle it",
            named(b),
            named(a)
        ))
    })
}

fn not_asked(failure: &Failure) -> Verdict {
    let settles = match failure.class {
        FailureClass::Timeout => "a longer --timeout may settle it",
        _ => "mending that would settle it",
    };
    Verdict::unknown(format!("the catalogue could not be asked ({failure}); {settles}"))
}

/// What one login learnt.
pub(super) struct Login<'a> {
    pub(super) facts: &'a Facts,
    pub(super) question: &'a Question,
    /// What the service credential learnt, to know which rows there are.
    pub(super) service: Option<&'a Facts>,
    pub(super) is_anon: bool,
}

impl Login<'_> {
    /// The anon credential: what it reads as it is, and as whoever it can become.
    fn anon(&self, findings: &mut Vec<Finding>) -> Verdict {
        let Some(own) = self.facts.actors.first() else {
            return Verdict::unknown("the server does not say who is logged in");
        };
        let name = printable(&own.name);
        if let Some(why) = outside::privilege(self.facts, own) {
            found(
                findings,
                FindingCode::KeyPrivileged,
                format!("data_source_anon_key: the login `{name}` is privileged ({why})"),
            );
        }
        let mut verdict = self.actor(0, findings);
        let own_state = verdict.state;
        for (number, actor) in self.facts.actors.iter().enumerate().skip(1) {
            let other = self.actor(number, &mut Vec::new());
            if other.state <= RlsState::Enforced {
                continue;
            }
            let role = printable(&actor.name);
            let reads_more = other.state == RlsState::Exposed
                || outside::owns(self.facts, number) && !outside::owns(self.facts, 0);
            if reads_more && own_state != RlsState::Exposed {
                let message =
                    format!("the login `{name}` can SET ROLE to `{role}`, and then {}", other.reason);
                found(findings, FindingCode::RlsSetRole, message);
            }
            let reason = format!("after SET ROLE `{role}`, {}", other.reason);
            verdict = verdict.worse(Verdict::new(other.state, reason));
        }
        if self.facts.actors.len() > ACTORS && verdict.state == RlsState::Enforced {
            return Verdict::unknown(format!(
                "the login can switch to more than {ACTORS} roles; REVOKE some to settle it"
            ));
        }
        if let (RlsState::Enforced, Some(further)) = (verdict.state, outside::outside(self.facts)) {
            return further;
        }
        verdict
    }

    /// A role of that name, as the service credential sees it.
    fn named(&self, name: &str, findings: &mut Vec<Finding>) -> Option<Verdict> {
        let number = self.facts.actors.iter().position(|actor| actor.name == name && !actor.is_self)?;
        Some(self.actor(number, findings))
    }

    /// All that a role reaches.
    fn actor(&self, number: usize, findings: &mut Vec<Finding>) -> Verdict {
        let Some(actor) = self.facts.actors.get(number) else {
            return Verdict::unknown("there is no such role");
        };
        let Some(probed) = self.facts.relations.first().filter(|relation| relation.rank == 0) else {
            return Verdict::unknown("the probed table is not in the catalogue");
        };
        let is_idle = |access: &Access| !(access.actor == number && (access.read || access.owner));
        let idle = self.is_anon
            && number > 0
            && self.facts.relations.iter().all(|relation| relation.access.iter().all(is_idle));
        let mut verdict = if idle {
            Verdict::new(RlsState::Enforced, "it may read nothing")
        } else {
            self.table(0, number, findings)
        };
        Reach { login: self, number, actor, probed, idle }.extend(&mut verdict, findings);
        verdict
    }

    /// The tenant's rows, and whether row-level security hides some from the service itself.
    fn service_itself(&self, findings: &mut Vec<Finding>) {
        let (Some(relation), Some(actor)) = (self.facts.relations.first(), self.facts.actors.first()) else {
            return;
        };
        let Some(access) = relation.access.iter().find(|access| access.actor == 0) else { return };
        if relation.rls && !bypasses(actor, access, relation) {
            let message = format!(
                "data_source_service_key: the login `{}` is subject to the policies of {}",
                printable(&actor.name),
                named(relation)
            );
            found(findings, FindingCode::KeyServiceSubject, message);
            return;
        }
        let Some(sight) = self.sight(0, 0, false) else { return };
        let table = named(relation);
        match (sight.own, sight.foreign, sight.application) {
            (Some(false), _, Some(true)) => found(
                findings,
                FindingCode::TenantOtherId,
                format!(
                    "{table}: no row has the mapped id, but some have the id of the application database"
                ),
            ),
            (Some(false), Some(true), _) => found(
                findings,
                FindingCode::TenantNoRows,
                format!("{table}: there are rows of other tenants, but none of this one"),
            ),
            _ => {}
        }
    }

    /// What one role saw of one table.
    pub(super) fn sight(&self, relation: usize, actor: usize, claims: bool) -> Option<&Sight> {
        let sights = self.facts.sights.as_ref()?.as_ref().ok()?;
        sights.iter().find(|one| one.relation == relation && one.actor == actor && one.claims == claims)
    }

    /// What was seen of other tenants' rows, in words.
    pub(super) fn seen(&self, relation: usize, actor: usize) -> Option<(FindingCode, &'static str)> {
        let (without, with) = (self.sight(relation, actor, false), self.sight(relation, actor, true));
        let is = |sight: Option<&Sight>, what: fn(&Sight) -> Option<bool>| sight.and_then(what) == Some(true);
        if is(without, |sight| sight.foreign) {
            Some((FindingCode::RlsForeignVisible, "a row of another tenant is visible without any claim"))
        } else if is(with, |sight| sight.foreign) {
            Some((
                FindingCode::RlsForeignVisible,
                "a row of another tenant is visible with this tenant's claims",
            ))
        } else if is(without, |sight| sight.any) && !self.names_the_tenant(relation, actor) {
            Some((FindingCode::RlsVisibleWithoutClaims, "rows are visible without any claim"))
        } else {
            None
        }
    }

    /// Whether the anon credential stands for the tenant by itself: it sees the tenant's rows without a claim, and of the
    /// rows of others, which are there, none. A login of the tenant's own is no audience that names nobody.
    fn names_the_tenant(&self, relation: usize, actor: usize) -> bool {
        let is_self = self.facts.actors.get(actor).is_some_and(|actor| actor.is_self);
        let own_alone = |sight: &Sight| sight.own == Some(true) && sight.foreign == Some(false);
        self.is_anon
            && is_self
            && self.sight(relation, actor, false).is_some_and(own_alone)
            && self.foreign_rows_exist(relation)
    }

    /// One table and one role, by itself.
    pub(super) fn table(
        &self,
        relation_number: usize,
        number: usize,
        findings: &mut Vec<Finding>,
    ) -> Verdict {
        let relation = &self.facts.relations[relation_number];
        let (Some(actor), Some(access)) =
            (self.facts.actors.get(number), relation.access.iter().find(|access| access.actor == number))
        else {
            return Verdict::unknown("its permissions are not known");
        };
        let subject = format!("{}, as `{}`", named(relation), printable(&actor.name));
        let policies = Policies::new(self.facts, self.question, relation, number);
        let by_catalogue = by_catalogue(relation, actor, access, &policies);
        if access.read {
            notes(&policies, relation, &subject, findings);
        }
        if let Some(Noted { code, message, .. }) = &by_catalogue.noted {
            found(findings, *code, format!("{subject}: {message}"));
        }
        if let Some((code, words)) = self.seen(relation_number, number) {
            if by_catalogue.verdict.state != RlsState::Exposed || code == FindingCode::RlsForeignVisible {
                found(findings, code, format!("{subject}: {words}"));
            }
            let why = by_catalogue.noted.map(|noted| format!(" ({})", noted.message)).unwrap_or_default();
            return Verdict::new(RlsState::Exposed, format!("{words}{why}"));
        }
        if !by_catalogue.takes_a_look || by_catalogue.verdict.state >= RlsState::Disabled {
            return by_catalogue.verdict;
        }
        self.confirm(relation_number, number, &subject, by_catalogue, findings)
    }

    /// Holds what the catalogue says against what was seen.
    fn confirm(
        &self,
        relation: usize,
        actor: usize,
        subject: &str,
        by_catalogue: ByCatalogue,
        findings: &mut Vec<Finding>,
    ) -> Verdict {
        let ByCatalogue { verdict: said, by_policy, .. } = by_catalogue;
        if let Some(Err(failure)) = &self.facts.sights {
            return Verdict::unknown(format!(
                "looking ended early ({failure}); a longer --timeout may settle it"
            ));
        }
        let looks = (self.sight(relation, actor, false), self.sight(relation, actor, true));
        let raised = [looks.0, looks.1].into_iter().flatten().find_map(|sight| sight.code.as_deref());
        if let Some(code) = raised
            && code != "42501"
        {
            let message = format!("{subject}: reading fails with SQLSTATE {}", printable(code));
            found(findings, FindingCode::RlsPolicyRaises, message);
        }
        if said.state != RlsState::Enforced {
            return said;
        }
        if !self.facts.actors[actor].settable {
            return if by_policy {
                Verdict::unknown(
                    "the service credential may not look as this role; GRANT it the role to settle it",
                )
            } else {
                said
            };
        }
        let (Some(without), Some(with)) = looks else {
            return Verdict::unknown("nobody looked; the server left it out");
        };
        // Without claims a cast of nothing may raise, and shows nothing; with them reading has to work.
        let nothing = without.any == Some(false) || without.code.as_deref().is_some_and(is_about_a_value);
        if let Some(code) = &with.code {
            return Verdict::unknown(format!(
                "reading with this tenant's claims fails (SQLSTATE {})",
                printable(code)
            ));
        }
        if without.any == Some(true) {
            return Verdict::unknown(
                "the login sees this tenant's rows alone, but without any claim, so by something that is not known here",
            );
        }
        if !nothing || with.any.is_none() {
            return Verdict::unknown("reading without claims fails, and what it would show is not known");
        }
        if !by_policy {
            return match with.any {
                Some(false) => said,
                _ => Verdict::unknown("a row is visible although no policy is known to let one through"),
            };
        }
        if with.own == Some(true) || self.foreign_rows_exist(relation) {
            return Verdict::new(
                RlsState::Enforced,
                "the policies compare the tenant with the claims, and no foreign row is visible",
            );
        }
        Verdict::unknown(match with.any {
            Some(true) => {
                "rows are visible whose tenant cannot be told; GRANT SELECT on the tenant column to settle it"
            }
            _ => {
                "no row is visible with this tenant's claims either, and none of another tenant is known to exist; rows \
                  in the table, or other claims (BOOTHDS_PROBE_CLAIMS), would settle it"
            }
        })
    }

    /// Whether rows of other tenants are known to be in a table.
    fn foreign_rows_exist(&self, relation: usize) -> bool {
        let wanted = &self.facts.relations[relation];
        let Some(service) = self.service else { return false };
        let same = |one: &Relation| one.schema == wanted.schema && one.name == wanted.name;
        let Some(number) = service.relations.iter().position(same) else { return false };
        let login = Login { facts: service, question: self.question, service: None, is_anon: false };
        login.sight(number, 0, false).is_some_and(|sight| sight.foreign == Some(true))
    }
}

/// As many roles are looked at for one login, itself not counted.
const ACTORS: usize = 24;

/// Findings about policies that do not decide the state.
fn notes(policies: &Policies<'_>, relation: &Relation, subject: &str, findings: &mut Vec<Finding>) {
    if !relation.rls {
        return;
    }
    if let Some(policy) = policies.by_user_metadata() {
        let message =
            format!("{subject}: the policy `{policy}` goes by user_metadata, which users change themselves");
        found(findings, FindingCode::RlsUserMetadata, message);
    }
    if let Some((policy, setting)) = policies.by_other_setting() {
        let message = format!(
            "{subject}: the policy `{policy}` goes by the setting `{setting}`, which PostgREST never sets"
        );
        found(findings, FindingCode::RlsPolicyNeverWorks, message);
    }
}

/// Undefined setting, and the errors of casts.
fn is_about_a_value(code: &str) -> bool {
    matches!(code, "42704" | "22P02" | "22023" | "22003" | "22007")
}

/// A relation as it is shown.
pub(super) fn named(relation: &Relation) -> String {
    format!("{}.{}", printable(&relation.schema), printable(&relation.name))
}
