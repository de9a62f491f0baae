use super::*;
use crate::failure::FailureClass;
use crate::finding::Severity;
use crate::source::evidence::{Access, Actor, Policy, Relation, RestSeen, RestSight, Sight};

/// A table with one tenant policy, a service and the role `anon`, which sees nothing foreign where there is something.
fn healthy() -> Facts {
    let actor = |name: &str, is_self| Actor {
        name: name.to_owned(),
        is_self,
        is_super: is_self,
        settable: true,
        ..Actor::default()
    };
    let access = |actor| Access { actor, read: true, column: true, ..Access::default() };
    let sight = |actor, claims, own, foreign| Sight {
        actor,
        claims,
        any: Some(own || foreign),
        own: Some(own),
        foreign: Some(foreign),
        ..Sight::default()
    };
    Facts {
        database: "house".to_owned(),
        actors: vec![actor("service", true), actor("anon", false)],
        relations: vec![Relation {
            schema: "public".to_owned(),
            name: "accounts".to_owned(),
            kind: "r".to_owned(),
            rls: true,
            has_column: true,
            column_type: Some("bigint".to_owned()),
            access: vec![access(0), access(1)],
            policies: vec![Policy {
                name: "tenant".to_owned(),
                permissive: true,
                command: "*".to_owned(),
                applies: vec![0, 1],
                using: Some(
                    "(tenant_id = ((current_setting('request.jwt.claims'::text, true))::json ->> 'tenant_id'::text)::bigint)"
                        .to_owned(),
                ),
                ..Policy::default()
            }],
            ..Relation::default()
        }],
        sights: Some(Ok(vec![
            sight(0, false, true, true),
            sight(1, false, false, false),
            sight(1, true, true, false),
        ])),
        ..Facts::default()
    }
}

fn state(change: impl FnOnce(&mut Facts)) -> RlsState {
    let mut facts = healthy();
    change(&mut facts);
    let learnt = Ok(Evidence::Postgres(Box::new(facts)));
    let question = Question::of_table("accounts", "tenant_id");
    judge(Kind::Postgres, &question, Some(&learnt), None).0.anon
}

fn sights(facts: &mut Facts) -> &mut Vec<Sight> {
    facts.sights.as_mut().unwrap().as_mut().unwrap()
}

#[test]
fn enforced_takes_every_part_of_the_evidence() {
    assert_eq!(state(|_| {}), RlsState::Enforced);
    let late = || Failure::new(FailureClass::Timeout);
    type Change = fn(&mut Facts);
    let unknown: [(&str, Change); 9] = [
        ("nobody looked", |facts| sights(facts).clear()),
        ("no look without claims", |facts| sights(facts).retain(|sight| sight.claims || sight.actor == 0)),
        ("no look with claims", |facts| sights(facts).retain(|sight| !sight.claims)),
        ("the look with claims failed", |facts| {
            sights(facts)[2] =
                Sight { actor: 1, claims: true, code: Some("42501".to_owned()), ..Sight::default() };
        }),
        ("the look without claims failed", |facts| {
            sights(facts)[1] = Sight { actor: 1, code: Some("XX000".to_owned()), ..Sight::default() };
        }),
        ("not settable", |facts| facts.actors[1].settable = false),
        ("nothing to be hidden", |facts| {
            sights(facts)[0].foreign = Some(false);
            sights(facts)[2].own = Some(false);
            sights(facts)[2].any = Some(false);
        }),
        ("an unclear policy beside", |facts| {
            let more =
                Policy { using: Some("is_public".to_owned()), ..facts.relations[0].policies[0].clone() };
            facts.relations[0].policies.push(more);
        }),
        ("no table", |facts| facts.relations.clear()),
    ];
    for (what, change) in unknown {
        assert_eq!(state(change), RlsState::Unknown, "{what}");
    }
    assert_eq!(state(|facts| facts.sights = Some(Err(late()))), RlsState::Unknown);
    assert_eq!(state(|facts| facts.sights = None), RlsState::Unknown);
}

#[test]
fn what_is_seen_outranks_what_is_written_and_the_other_way_round() {
    assert_eq!(state(|facts| sights(facts)[2].foreign = Some(true)), RlsState::Exposed);
    assert_eq!(state(|facts| sights(facts)[1].any = Some(true)), RlsState::Exposed);
    // Nothing is seen, and yet everything is let through.
    assert_eq!(state(|facts| facts.relations[0].rls = false), RlsState::Exposed);
    assert_eq!(state(|facts| facts.actors[1].bypass = true), RlsState::Exposed);
    assert_eq!(
        state(|facts| facts.relations[0].policies[0].using = Some("true".to_owned())),
        RlsState::Exposed
    );
    assert_eq!(state(|facts| facts.relations[0].access[1].owner = true), RlsState::Exposed);
    let forced = |facts: &mut Facts| {
        facts.relations[0].access[1].owner = true;
        facts.relations[0].force = true;
    };
    // Who owns it can take that back.
    assert_eq!(state(forced), RlsState::Unknown);
}

#[test]
fn what_was_not_asked_is_not_judged() {
    let question = Question::of_table("accounts", "tenant_id");
    let failed = Err(Failure::new(FailureClass::Refused));
    let (report, findings) = judge(Kind::Postgres, &question, Some(&failed), Some(&failed));
    assert_eq!((report.state, report.anon, findings.len()), (RlsState::Unknown, RlsState::Unknown, 0));
    let (report, _) = judge(Kind::Postgres, &question, None, None);
    assert_eq!((report.state, report.anon), (RlsState::Unknown, RlsState::Untested));
    let (report, _) = judge(Kind::Sqlite, &question, None, None);
    assert_eq!((report.state, report.authenticated), (RlsState::Unsupported, RlsState::Unsupported));
    let off = Question { scope: RlsScope::Off, ..question };
    assert_eq!(judge(Kind::Supabase, &off, None, None).0.state, RlsState::Untested);
}

#[test]
fn over_rest_nothing_seen_means_something_only_where_something_is_hidden() {
    let question = Question::of_table("accounts", "tenant_id");
    let judged_of = |is_table, service: RestSeen, own, anon: RestSeen, expected| {
        let service = RestSight { seen: service, own, is_table, ..RestSight::default() };
        let anon = RestSight { seen: anon, expected, ..RestSight::default() };
        let (service, anon) = (Ok(Evidence::Rest(service)), Ok(Evidence::Rest(anon)));
        judge(Kind::Supabase, &question, Some(&service), Some(&anon)).0.state
    };
    let judged = |service, own, anon, expected| judged_of(true, service, own, anon, expected);
    let state = |service, own, anon| judged(service, own, anon, Some(0));
    assert_eq!(state(RestSeen::Row, Some(true), RestSeen::Nothing), RlsState::Enforced);
    assert_eq!(state(RestSeen::Row, None, RestSeen::Nothing), RlsState::Enforced);
    assert_eq!(state(RestSeen::Nothing, Some(true), RestSeen::Nothing), RlsState::Enforced);
    // A view, or a table whose rows are in partitions.
    assert_eq!(judged_of(false, RestSeen::Row, Some(true), RestSeen::Nothing, Some(0)), RlsState::Unknown);
    for expected in [None, Some(1), Some(7)] {
        assert_eq!(judged(RestSeen::Row, Some(true), RestSeen::Nothing, expected), RlsState::Unknown);
    }
    assert_eq!(judged(RestSeen::Nothing, Some(true), RestSeen::Nothing, Some(1)), RlsState::Unknown);
    assert_eq!(state(RestSeen::Nothing, Some(false), RestSeen::Nothing), RlsState::Unknown);
    assert_eq!(judged(RestSeen::Shared, Some(true), RestSeen::Nothing, None), RlsState::Unknown);
    assert_eq!(state(RestSeen::Row, None, RestSeen::Failed("x".to_owned())), RlsState::Unknown);
    assert_eq!(state(RestSeen::Row, None, RestSeen::Refused), RlsState::Unknown);
    assert_eq!(state(RestSeen::Row, None, RestSeen::Shared), RlsState::Unknown);
    assert_eq!(state(RestSeen::Nothing, None, RestSeen::Row), RlsState::Exposed);
}

#[test]
fn findings_are_said_once_and_errors_first() {
    let finding = |code| Finding::with_message(code, "x".to_owned());
    let list = [FindingCode::RlsViewDefiner, FindingCode::RlsOff, FindingCode::RlsOff].map(finding).to_vec();
    let kept = distinct(list);
    assert_eq!(kept.iter().map(|one| one.severity).collect::<Vec<_>>(), [Severity::Error, Severity::Warning]);
}
