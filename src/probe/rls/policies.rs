//! What the policies of a table come to for one role, together.
//!
//! A row is let through if a permissive policy lets it through and no restrictive one holds it back; without any
//! permissive policy nothing is. Only the policies for reading count for reading.

use super::expression::{Expression, parse};
use super::meaning::{Context, USER_METADATA};
use super::truth::Truth;
use crate::sanitize::printable;
use crate::source::Question;
use crate::source::evidence::{Actor, Facts, Policy, Relation};

/// What the policies say about rows of other tenants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// None is let through, whoever asks, and no row of the tenant's own either: no policy lets anything through.
    Closed,
    /// None is let through, whatever the claims and whatever rows there are.
    Kept,
    /// All are let through; by this policy.
    Open(String),
    /// It cannot be told; because of this policy.
    Unclear(String),
}

/// The policies of a table, for one role.
pub(super) struct Policies<'a> {
    context: Context<'a>,
    policies: Vec<&'a Policy>,
}

/// What is done with rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    /// `SELECT`.
    Read,
    /// `INSERT`.
    Insert,
    /// `UPDATE`.
    Update,
    /// `DELETE`.
    Delete,
}

impl Deed {
    fn letter(self) -> &'static str {
        match self {
            Self::Read => "r",
            Self::Insert => "a",
            Self::Update => "w",
            Self::Delete => "d",
        }
    }
}

impl<'a> Policies<'a> {
    pub(super) fn new(
        facts: &'a Facts,
        question: &'a Question,
        relation: &'a Relation,
        number: usize,
    ) -> Self {
        let actor = facts.actors.get(number);
        // A login sets its claims itself; whose role is switched to by PostgREST has it in them.
        let role = |actor: &&Actor| !actor.is_self && matches!(actor.name.as_str(), "anon" | "authenticated");
        Self {
            context: Context {
                table: &relation.name,
                column: question.tenant_column.as_str(),
                column_type: relation.column_type.as_deref().unwrap_or_default(),
                tenant: &question.tenant_id,
                paths: question.claims.iter().map(|path| path.split('.').collect()).collect(),
                role: actor.filter(role).map(|actor| actor.name.as_str()),
                functions: &facts.functions,
            },
            policies: relation.policies.iter().filter(|policy| policy.applies.contains(&number)).collect(),
        }
    }

    fn of(&self, deed: Deed) -> impl Iterator<Item = &'a Policy> {
        self.policies
            .iter()
            .copied()
            .filter(move |policy| policy.command == "*" || policy.command == deed.letter())
    }

    /// The condition of a policy for a deed; none when it says nothing.
    fn condition(policy: &Policy, deed: Deed) -> Option<Expression> {
        let text = if deed == Deed::Insert {
            policy.check.as_ref().or(policy.using.as_ref())
        } else {
            policy.using.as_ref()
        };
        text.map(|text| if policy.opaque { Expression::Opaque } else { parse(text) })
    }

    /// What they say about a deed to rows of other tenants.
    pub(super) fn say(&self, deed: Deed) -> Said {
        let conditions = |permissive: bool| {
            self.of(deed)
                .filter(move |policy| policy.permissive == permissive)
                .filter_map(move |policy| Some((policy, Self::condition(policy, deed)?)))
                .collect::<Vec<_>>()
        };
        let (permissive, restrictive) = (conditions(true), conditions(false));
        let never = |expression: &Expression| *expression == Expression::Bool(false);
        if permissive.iter().all(|(_, one)| never(one)) || restrictive.iter().any(|(_, one)| never(one)) {
            return Said::Closed;
        }
        let name = |policy: &Policy| printable(&policy.name).into_owned();
        let Some(combinations) = self.context.combinations() else {
            return Said::Unclear(name(permissive[0].0));
        };
        let together = |truth: &dyn Fn(&Expression) -> Truth| {
            let allowed = permissive.iter().map(|(_, one)| truth(one)).fold(Truth::FALSE, Truth::or);
            restrictive.iter().map(|(_, one)| truth(one)).fold(allowed, Truth::and)
        };
        // The policy by which something happens.
        let cause = |found: &dyn Fn(&Expression) -> bool| {
            name(permissive.iter().find(|(_, one)| found(one)).unwrap_or(&permissive[0]).0)
        };
        let mut unclear = None;
        for present in combinations {
            let truth = |one: &Expression| self.context.truth(one, present);
            let sum = together(&truth);
            if sum.passes() {
                return Said::Open(cause(&|one| truth(one).passes()));
            }
            if sum.may_pass() && unclear.is_none() {
                unclear = Some(cause(&|one| truth(one).may_pass()));
            }
            // To strangers, and to somebody without claims, the tenant's own rows are foreign.
            let strange = |one: &Expression| self.context.truth_for_strangers(one, present);
            if unclear.is_none() && together(&strange).may_pass() {
                unclear = Some(cause(&|one| strange(one).may_pass()));
            }
        }
        unclear.map_or(Said::Kept, Said::Unclear)
    }

    /// Whether a policy for reading goes by what users change themselves: the policy's name.
    pub(super) fn by_user_metadata(&self) -> Option<String> {
        self.reading(|expression, policies| {
            policies.any(expression, 3, &|part| matches!(part, Expression::Text(text) if text.split(['{', ',', '}']).any(|word| word == USER_METADATA)))
        })
    }

    /// Whether a policy for reading goes by the claims at all.
    pub(super) fn by_claims(&self) -> bool {
        self.reading(|expression, policies| {
            policies.any(expression, 3, &|part| {
                setting(part).is_some_and(|name| name.starts_with("request.jwt."))
            })
        })
        .is_some()
    }

    /// A policy for reading that goes by a setting which PostgREST never sets: the policy, and the setting.
    pub(super) fn by_other_setting(&self) -> Option<(String, String)> {
        let other = |name: &str| name.contains('.') && !name.starts_with("request.");
        for policy in self.of(Deed::Read) {
            let Some(expression) = Self::condition(policy, Deed::Read) else { continue };
            let found = std::cell::RefCell::new(None);
            self.any(&expression, 3, &|part| match setting(part) {
                Some(name) if other(&name) => {
                    *found.borrow_mut() = Some(name);
                    true
                }
                _ => false,
            });
            if let Some(name) = found.into_inner() {
                return Some((printable(&policy.name).into_owned(), printable(&name).into_owned()));
            }
        }
        None
    }

    fn reading(&self, test: impl Fn(&Expression, &Self) -> bool) -> Option<String> {
        self.of(Deed::Read)
            .find(|policy| Self::condition(policy, Deed::Read).is_some_and(|one| test(&one, self)))
            .map(|policy| printable(&policy.name).into_owned())
    }

    /// Whether a part of an expression, or of the functions it calls, fits.
    fn any(&self, expression: &Expression, calls: u8, test: &dyn Fn(&Expression) -> bool) -> bool {
        if test(expression) {
            return true;
        }
        let within = |parts: &[Expression]| parts.iter().any(|part| self.any(part, calls, test));
        match expression {
            Expression::Cast(inner, _)
            | Expression::IsNull(inner)
            | Expression::IsTrue(inner)
            | Expression::Not(inner) => self.any(inner, calls, test),
            Expression::Binary(_, left, right) | Expression::Distinct(left, right) => {
                self.any(left, calls, test) || self.any(right, calls, test)
            }
            Expression::AnyOf(left, parts) => self.any(left, calls, test) || within(parts),
            Expression::And(parts) | Expression::Or(parts) => within(parts),
            Expression::Call(name, arguments) => {
                let full = name.join(".");
                within(arguments)
                    || calls > 0
                        && self.context.functions.iter().any(|function| {
                            function.name == full
                                && self.any(&super::expression::parse_body(&function.body), calls - 1, test)
                        })
            }
            _ => false,
        }
    }
}

/// The setting that a call of `current_setting` reads.
fn setting(part: &Expression) -> Option<String> {
    let Expression::Call(name, arguments) = part else { return None };
    if name.last().is_none_or(|name| name != "current_setting") {
        return None;
    }
    let mut first = arguments.first()?;
    while let Expression::Cast(inner, _) = first {
        first = inner;
    }
    match first {
        Expression::Text(name) => Some(name.to_ascii_lowercase()),
        _ => None,
    }
}
