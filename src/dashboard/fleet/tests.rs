//! What is kept of a fleet, in which order it is shown, and what is forgotten.

use super::*;
use crate::failure::{Failure, FailureClass};
use crate::finding::FindingCode;
use crate::tenant::{Role, SealedSource, Tenant};
use crate::url::SourceUrl;

fn tenant(name: &str) -> Tenant {
    let source = SealedSource {
        url: SourceUrl::new("sqlite:/x.db".to_owned()),
        anon_key: None,
        service_key: None,
        region: None,
        pool_config: None,
        mapped_id: None,
    };
    Tenant {
        id: TenantId::new(format!("id-{name}")),
        name: format!("The {name}"),
        subdomain: name.to_owned(),
        status: "active".to_owned(),
        source: Some(source),
    }
}

fn failed(name: &str) -> Report {
    Report::failed(&tenant(name), &[Role::Service], &Failure::new(FailureClass::Refused))
}

fn passed(name: &str) -> Report {
    Report { success: true, error: None, failure: None, hint: None, ..failed(name) }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn fleet() -> Fleet {
    Fleet::new(Duration::from_secs(300))
}

fn names(rows: &Rows) -> Vec<&str> {
    rows.rows.iter().map(|row| row.subdomain.as_str()).collect()
}

#[test]
fn those_come_first_that_need_somebody() {
    let mut fleet = fleet();
    fleet.begin(at(0));
    let with = |name, code| Report { findings: vec![Finding::about(code, "x")], ..passed(name) };
    let ignored = Finding { ignored: Some("known".to_owned()), ..Finding::about(FindingCode::KeySame, "x") };
    for report in [
        passed("c"),
        Report { skipped: true, ..failed("b") },
        with("e", FindingCode::KeyLegacy),
        with("f", FindingCode::KeySame),
        Report { findings: vec![ignored], ..passed("a") },
        failed("h"),
        failed("g"),
    ] {
        fleet.add(&report, at(1));
    }
    let page = fleet.page(&Query::new("", None, 1));
    assert_eq!(names(&page), ["g", "h", "f", "e", "a", "c", "b"]);
    let totals = fleet.snapshot().totals;
    assert_eq!((totals.failed, totals.passed, totals.skipped, totals.total), (2, 4, 1, 7));
    assert_eq!((totals.errors, totals.warnings), (1, 1));
    assert_eq!(names(&fleet.page(&Query::new("", Some("failed"), 1))), ["g", "h"]);
    assert_eq!(names(&fleet.page(&Query::new(" THE G ", None, 1))), ["g"]);
    assert_eq!(fleet.page(&Query::new("nobody", None, 7)).page, 1);
}

#[test]
fn pages_hold_fifty_and_the_last_one_is_the_last() {
    let mut fleet = fleet();
    fleet.begin(at(0));
    for n in 0..120 {
        fleet.add(&passed(&format!("t{n:03}")), at(1));
    }
    let page = |number| fleet.page(&Query::new("t", None, number));
    assert_eq!((page(1).rows.len(), page(3).rows.len(), page(3).pages, page(3).matching), (50, 20, 3, 120));
    assert_eq!((page(0).page, page(9).page, names(&page(9))[0]), (1, 3, "t100"));
}

#[test]
fn a_history_is_bounded_and_belongs_to_the_tenant() {
    let mut fleet = fleet();
    for round in 0..25 {
        fleet.begin(at(round));
        fleet.add(&if round % 2 == 0 { passed("a") } else { failed("a") }, at(round));
        fleet.end(Vec::new(), at(round));
    }
    let row = fleet.find("a").unwrap();
    assert_eq!((row.history.len(), row.history[0].at, row.history[19].at), (HISTORY, at(5), at(24)));
    assert_eq!((row.history[19].passed, row.history[18].passed), (true, false));
    assert_eq!(fleet.snapshot().round.completed, 25);
}

#[test]
fn who_is_gone_is_forgotten_at_the_end_of_a_round_and_not_when_it_fails() {
    let mut fleet = fleet();
    fleet.begin(at(0));
    fleet.expect(2);
    assert_eq!(fleet.snapshot().totals.pending, 2);
    fleet.add(&passed("a"), at(0));
    assert_eq!(fleet.snapshot().totals.pending, 1);
    fleet.add(&passed("b"), at(0));
    fleet.end(Vec::new(), at(1));
    fleet.begin(at(2));
    fleet.add(&passed("a"), at(2));
    fleet.fail("away", at(3), at(8));
    fleet.begin(at(8));
    fleet.fail("still away", at(9), at(19));
    let snapshot = fleet.snapshot();
    let trouble = snapshot.trouble.unwrap();
    assert_eq!((trouble.message.as_str(), trouble.since, trouble.attempts), ("still away", at(3), 2));
    assert_eq!(
        (snapshot.totals.total, snapshot.round.ended, snapshot.round.next),
        (2, Some(at(1)), Some(at(19)))
    );
    fleet.begin(at(19));
    fleet.add(&passed("a"), at(19));
    fleet.end(Vec::new(), at(20));
    assert!(fleet.find("b").is_none() && fleet.snapshot().trouble.is_none());
}

#[test]
fn what_is_kept_is_bounded_and_printable() {
    let mut fleet = fleet();
    fleet.begin(at(0));
    let finding = || Finding::with_message(FindingCode::KeySame, "y".repeat(5000));
    let mut report = Report { findings: (0..30).map(|_| finding()).collect(), ..failed("a") };
    report.tenant.name = "\u{1b}[31m\u{202e}".repeat(1000);
    report.error = Some("e\n".repeat(1000));
    fleet.add(&report, at(0));
    let row = fleet.find("a").unwrap();
    assert_eq!((row.findings.len(), row.more_findings), (FINDINGS, 20));
    for text in [&row.name, row.error.as_ref().unwrap(), &row.findings[0].message] {
        assert_eq!(text.chars().count(), TEXT + 1);
        assert!(!text.chars().any(crate::sanitize::acts_on_a_terminal));
    }
    report.tenant.id = TenantId::new("x".repeat(TEXT + 1));
    fleet.add(&report, at(0));
    assert_eq!((fleet.snapshot().totals.total, fleet.snapshot().totals.not_kept), (1, 1));
}

#[test]
fn a_fleet_beyond_the_bound_is_counted() {
    let mut fleet = fleet();
    fleet.begin(at(0));
    for n in 0..TENANTS + 3 {
        fleet.add(&passed(&n.to_string()), at(0));
    }
    let totals = fleet.snapshot().totals;
    assert_eq!((totals.total, totals.not_kept), (TENANTS, 3));
    // Those that are kept go on being kept.
    fleet.begin(at(1));
    fleet.add(&failed("0"), at(1));
    assert_eq!(fleet.snapshot().totals.failed, 1);
}

#[test]
fn a_tenant_is_found_by_id_first_and_its_path_is_one_segment() {
    let mut fleet = fleet();
    fleet.begin(at(0));
    let id = "0F1E2D3C-0000-4000-8000-000000000001";
    let mut odd = passed(id);
    odd.tenant.id = TenantId::new(id.to_ascii_lowercase());
    fleet.add(&odd, at(0));
    let mut other = passed("other");
    other.tenant.id = TenantId::new("a/../b ?#%\u{e9}".to_owned());
    fleet.add(&other, at(0));
    assert_eq!(fleet.find(id).unwrap().id.as_str(), id.to_ascii_lowercase());
    assert!(fleet.find("").is_none() && fleet.find("OTHER").is_none());
    assert_eq!(fleet.find("other").unwrap().path(), "/a%2F%2E%2E%2Fb%20%3F%23%25%C3%A9/debug/performance");
}
