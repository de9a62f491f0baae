//! What a role reaches besides the probed table: its partitions and what it is a part of, the views over these, definer
//! functions that return their rows, with `--rls all` every other table with the tenant column and every definer
//! function; and what it may write.

use super::Verdict;
use super::catalogue::bypasses;
use super::found;
use super::policies::{Deed, Policies, Said};
use super::postgres::{Login, named};
use crate::finding::{Finding, FindingCode};
use crate::probe::report::RlsState;
use crate::sanitize::printable;
use crate::source::RlsScope;
use crate::source::evidence::{Access, Actor, Relation};

/// Relations beyond this number are left out of the answer (`catalogue.sql` asks for one more).
const RELATIONS: usize = 300;

/// Functions with their owner's rights beyond this number are left out (`catalogue.sql` asks for one more).
const DEFINERS: usize = 100;

/// One role of one login.
pub(super) struct Reach<'a> {
    pub(super) login: &'a Login<'a>,
    pub(super) number: usize,
    pub(super) actor: &'a Actor,
    pub(super) probed: &'a Relation,
    /// A role that the login may switch to and that may read nothing: what it has no grant on is left alone.
    pub(super) idle: bool,
}

impl Reach<'_> {
    /// Makes the verdict on the probed table worse by what else is reached.
    pub(super) fn extend(&self, verdict: &mut Verdict, findings: &mut Vec<Finding>) {
        let facts = self.login.facts;
        for (number, relation) in facts.relations.iter().enumerate() {
            let Some(access) = relation.access.iter().find(|access| access.actor == self.number) else {
                continue;
            };
            if matches!(relation.rank, 0 | 1 | 3) {
                self.writes(relation, access, findings);
            }
            let further = match relation.rank {
                0 => None,
                1 => self.partition(number, relation, access, findings),
                2 => self.view(number, relation, access, findings),
                _ if self.login.question.scope == RlsScope::Table => self.foreign(access),
                _ => (!self.idle).then(|| self.login.table(number, self.number, findings)),
            };
            let added = [self.rule(relation, access, findings), self.trigger(access)];
            for further in further.into_iter().chain(added.into_iter().flatten()) {
                let reason = format!("{}: {}", named(relation), further.reason);
                let own = std::mem::replace(verdict, Verdict::untested(""));
                *verdict = own.worse(Verdict::new(further.state, reason));
            }
        }
        if facts.relations.len() > RELATIONS && verdict.state == RlsState::Enforced {
            *verdict = Verdict::unknown(format!("there are more than {RELATIONS} tables and views to judge"));
        }
        self.definers(verdict, findings);
        let reads = self.probed.access.iter().any(|access| access.actor == self.number && access.read);
        if self.login.is_anon && self.actor.is_self && reads && verdict.state == RlsState::Enforced {
            let policies = Policies::new(facts, self.login.question, self.probed, self.number);
            if policies.by_claims() {
                let message = format!(
                    "the login `{}` can set the claims that the policies go by",
                    printable(&self.actor.name)
                );
                found(findings, FindingCode::RlsClaimsSettable, message);
            }
        }
    }

    /// Functions that run with their owner's rights, where policies may not apply. What is called is not known.
    fn definers(&self, verdict: &mut Verdict, findings: &mut Vec<Finding>) {
        let all = &self.login.facts.definers;
        let listed = &all[..all.len().min(DEFINERS)];
        for definer in listed.iter().filter(|definer| definer.actors.contains(&self.number)) {
            let name = printable(&definer.name);
            let does = if definer.rows { ", and may return the table's rows" } else { "" };
            let message = format!(
                "{name}(), as `{}`: it runs with its owner's rights{does}",
                printable(&self.actor.name)
            );
            found(findings, FindingCode::RlsDefinerFunction, message);
            if definer.rows {
                let own = std::mem::replace(verdict, Verdict::untested(""));
                *verdict = own.worse(Verdict::unknown(format!(
                    "{name}() may return rows with its owner's rights; REVOKE EXECUTE on it to settle it"
                )));
            }
        }
        let Some(cut) = all.get(DEFINERS) else { return };
        let message = format!(
            "more than {DEFINERS} functions run with their owner's rights; the others are not listed"
        );
        found(findings, FindingCode::RlsDefinerFunction, message);
        // Those that return rows come first.
        if cut.rows && verdict.state == RlsState::Enforced {
            *verdict = Verdict::unknown(format!(
                "more than {DEFINERS} functions may return rows with their owners' rights; REVOKE EXECUTE on them to settle it"
            ));
        }
    }

    /// A partition matters if it can be read directly, and so does what the table is a part of.
    fn partition(
        &self,
        number: usize,
        relation: &Relation,
        access: &Access,
        findings: &mut Vec<Finding>,
    ) -> Option<Verdict> {
        if !access.read && !access.owner {
            return None;
        }
        let verdict = self.login.table(number, self.number, &mut Vec::new());
        if verdict.state == RlsState::Exposed {
            let message = format!(
                "{}, which shares rows with {}, as `{}`: {}",
                named(relation),
                named(self.probed),
                printable(&self.actor.name),
                verdict.reason
            );
            found(findings, FindingCode::RlsPartition, message);
        }
        Some(verdict)
    }

    /// Views read with their owner's rights unless they say otherwise; materialised ones hold copies.
    fn view(
        &self,
        number: usize,
        relation: &Relation,
        access: &Access,
        findings: &mut Vec<Finding>,
    ) -> Option<Verdict> {
        let subject = format!("{}, as `{}`", named(relation), printable(&self.actor.name));
        if !matches!(relation.kind.as_str(), "v" | "m") {
            // A table with a rule that reads.
            let in_scope = relation.has_column && self.login.question.scope == RlsScope::All;
            return (in_scope && !self.idle).then(|| self.login.table(number, self.number, findings));
        }
        if !access.read {
            return None;
        }
        let seen = self.login.seen(number, self.number);
        if relation.kind == "m" {
            let message = format!("{subject}: a materialised view can be read, and can have no policies");
            found(findings, FindingCode::RlsMaterializedView, message);
            let reason = "a materialised view with copies of rows can be read";
            let state = if relation.has_column { RlsState::Exposed } else { RlsState::Unknown };
            return Some(Verdict::new(state, reason));
        }
        if let Some((_, words)) = seen {
            found(findings, FindingCode::RlsView, format!("{subject}: {words}"));
            return Some(Verdict::new(RlsState::Exposed, format!("through the view, {words}")));
        }
        if relation.invoker {
            return None;
        }
        let message =
            format!("{subject}: the view reads with its owner's rights, past the policies of its tables");
        found(findings, FindingCode::RlsViewDefiner, message);
        Some(Verdict::unknown("the view reads with its owner's rights; security_invoker would settle it"))
    }

    /// A table of another server that leads to one of the same name, with rights that the catalogue here does not tell.
    fn foreign(&self, access: &Access) -> Option<Verdict> {
        access.read.then(|| {
            Verdict::unknown(
                "it is a foreign table that leads to a table of this name; REVOKE SELECT on it to settle it",
            )
        })
    }

    /// Writing to a table or view sets off its rules, which read with the rights of its owner.
    fn rule(&self, relation: &Relation, access: &Access, findings: &mut Vec<Finding>) -> Option<Verdict> {
        if !relation.rules || !(access.insert || access.update || access.delete) {
            return None;
        }
        let message = format!(
            "{}, as `{}`: a rule reads with the owner's rights when it is written to",
            named(relation),
            printable(&self.actor.name)
        );
        found(findings, FindingCode::RlsViewDefiner, message);
        Some(Verdict::unknown(
            "a rule reads with its owner's rights when it is written to; DROP RULE to settle it",
        ))
    }

    /// Who logs in to the server can add a trigger, which runs as whoever writes and passes on what it is shown. Over REST
    /// that is out of reach.
    fn trigger(&self, access: &Access) -> Option<Verdict> {
        (self.login.is_anon && access.trigger).then(|| {
            Verdict::unknown(format!(
                "`{}` may add a trigger, which would pass on the rows that others write; REVOKE TRIGGER to settle it",
                printable(&self.actor.name)
            ))
        })
    }

    /// Whether rows of any tenant can be written.
    fn writes(&self, relation: &Relation, access: &Access, findings: &mut Vec<Finding>) {
        if !matches!(relation.kind.as_str(), "r" | "p") || self.actor.is_super {
            return;
        }
        let free = !relation.rls || bypasses(self.actor, access, relation);
        let policies = Policies::new(self.login.facts, self.login.question, relation, self.number);
        let open = |granted: bool, deed| granted && (free || matches!(policies.say(deed), Said::Open(_)));
        let mut words = Vec::new();
        for (granted, deed, word) in [
            (access.insert, Deed::Insert, "INSERT"),
            (access.update, Deed::Update, "UPDATE"),
            (access.delete, Deed::Delete, "DELETE"),
        ] {
            if open(granted, deed) {
                words.push(word);
            }
        }
        // Out of reach over REST, where the roles without a login are used.
        if self.login.is_anon {
            words.extend(access.truncate.then_some("TRUNCATE"));
            words.extend(access.trigger.then_some("TRIGGER"));
        }
        if !words.is_empty() {
            let message = format!(
                "{}, as `{}`: {} is open to rows of any tenant",
                named(relation),
                printable(&self.actor.name),
                words.join(", ")
            );
            found(findings, FindingCode::RlsOpenWrite, message);
        }
    }
}
