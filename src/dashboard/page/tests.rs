//! What the page says, and what it never says: hostile text as HTML, good news without data, more than a page holds.

use serde_json::json;

use super::*;
use crate::dashboard::fleet::{FINDINGS, Fleet};
use crate::dashboard::rows::Query;
use crate::failure::{Failure, FailureClass};
use crate::finding::{Finding, FindingCode};
use crate::health::Counters;
use crate::probe::{Report, RlsReport, RlsState};
use crate::report::{Measured, Performance};
use crate::tenant::{Role, SealedSource, Tenant, TenantId};
use crate::url::SourceUrl;

const HOSTILE: &str = "\"><script>alert(1)</script>'&\" onmouseover=\"x";

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn failed(name: &str) -> Report {
    let source = SealedSource {
        url: SourceUrl::new(format!("sqlite:/srv/{name}.db")),
        anon_key: None,
        service_key: None,
        region: None,
        pool_config: None,
        mapped_id: None,
    };
    let tenant = Tenant {
        id: TenantId::new(format!("id-{name}")),
        name: format!("The {name}"),
        subdomain: name.to_owned(),
        status: "active".to_owned(),
        source: Some(source),
    };
    Report::failed(&tenant, &[Role::Service], &Failure::new(FailureClass::Refused))
}

fn passed(name: &str) -> Report {
    let rls = RlsReport { state: RlsState::Enforced, ..RlsReport::untested("as it should be") };
    Report { success: true, error: None, failure: None, hint: None, rls, ..failed(name) }
}

/// A fleet after a round with these reports.
fn tested(reports: &[Report]) -> Fleet {
    let mut fleet = Fleet::new(Duration::from_secs(300));
    fleet.begin(at(0));
    for report in reports {
        fleet.add(report, at(1));
    }
    fleet.end(Vec::new(), at(2));
    fleet.due(at(302));
    fleet
}

fn document(counters: Counters) -> Value {
    let measured = Measured { counters, instances: Vec::new(), since: None, now: at(3) };
    serde_json::to_value(Performance::new(measured, json!({"maxClients": 50}))).unwrap()
}

fn busy() -> Value {
    document(Counters {
        cache_hits: 90,
        cache_misses: 10,
        client_cache_size: 10,
        max_clients: 50,
        ..Counters::default()
    })
}

fn idle_process() -> Process {
    Process { started: at(0), resident: None, memory_limit: None, certificate: None }
}

/// What a page shows, at a second.
fn page(document: Result<&Value, &str>, fleet: &Fleet, query: &Query, second: i64) -> String {
    let (snapshot, rows) = (fleet.snapshot(), fleet.page(query));
    let process = Process { resident: Some(64 << 20), ..idle_process() };
    let view = View {
        document,
        fleet: &snapshot,
        rows: &rows,
        tenant: None,
        process: &process,
        has_database: true,
        unread: None,
        has_login: true,
        path: "/debug/performance",
        now: at(second),
        version: "0.0.0",
    };
    let whole = render(&view);
    assert!(whole.contains(&fragment(&view)), "the whole holds the fragment");
    for inline in ["<style", " style=", "javascript:", "src=\"data:", "<script>"] {
        assert!(!whole.contains(inline), "{inline}");
    }
    whole
}

fn page_of(fleet: &Fleet, name: &str) -> String {
    let (snapshot, rows) = (fleet.snapshot(), fleet.page(&Query::new("", None, 1)));
    let row = fleet.find(name).unwrap();
    let process = idle_process();
    let path = row.path();
    let document = busy();
    render(&View {
        document: Ok(&document),
        fleet: &snapshot,
        rows: &rows,
        tenant: Some(row),
        process: &process,
        has_database: true,
        unread: None,
        has_login: false,
        path: &path,
        now: at(3),
        version: "0.0.0",
    })
}

fn all() -> Query {
    Query::new("", None, 1)
}

/// The class of the banner of that key.
fn tone<'a>(page: &'a str, key: &str) -> &'a str {
    let mark = format!("data-key=\"{key}\"");
    let tag = page.split("<section").find(|part| part.contains(&mark)).unwrap();
    tag.split("class=\"panel banner ").nth(1).unwrap().split('"').next().unwrap()
}

#[test]
fn what_is_well_looks_well_and_says_so() {
    let page = page(Ok(&busy()), &tested(&[passed("a"), passed("b")]), &all(), 3);
    assert_eq!((tone(&page, "services"), tone(&page, "fleet")), ("well", "well"));
    for part in ["Healthy", "All tenants answer", "90.00%", "Enforced", "10 of 50", "No issues."] {
        assert!(page.contains(part), "{part}");
    }
    assert!(!page.contains("class=\"notice"), "{page}");
}

#[test]
fn nothing_to_grade_does_not_look_well() {
    let idle = document(Counters { max_clients: 50, ..Counters::default() });
    let page = page(Ok(&idle), &tested(&[]), &all(), 3);
    assert_eq!((tone(&page, "services"), tone(&page, "fleet")), ("quiet", "quiet"));
    assert!(page.contains("Idle") && page.contains("Nothing to grade"), "{page}");
    assert!(page.contains("There are no active tenants"), "{page}");
    for well in ["\"badge well", "grade well", "ring well"] {
        assert!(!page.contains(well), "{well}");
    }
}

#[test]
fn a_fleet_that_was_not_tested_yet_does_not_look_well() {
    let mut fleet = Fleet::new(Duration::from_secs(300));
    let before = page(Ok(&busy()), &fleet, &all(), 3);
    assert_eq!(tone(&before, "fleet"), "quiet");
    fleet.begin(at(0));
    fleet.expect(3);
    fleet.add(&passed("a"), at(1));
    let page = page(Ok(&busy()), &fleet, &all(), 3);
    assert_eq!(tone(&page, "fleet"), "quiet");
    assert!(page.contains("First round under way") && page.contains("1 of 3 tested"), "{page}");
    // A first round that does not end is said.
    let late = self::page(Ok(&busy()), &fleet, &all(), 5_000);
    assert!(late.contains("The results of the tenants are old"), "{late}");
}

#[test]
fn a_store_that_cannot_be_read_is_said_and_nothing_is_graded() {
    let page = page(Err("the state store redis://h <x> does not answer"), &tested(&[passed("a")]), &all(), 3);
    assert_eq!(tone(&page, "services"), "quiet");
    assert!(page.contains("The services are unknown"), "{page}");
    assert!(page.contains("The state store redis://h &lt;x&gt; does not answer."), "{page}");
    assert!(!page.contains("Healthy") && !page.contains("class=\"letter\""), "{page}");
}

#[test]
fn old_results_are_said_and_do_not_look_well() {
    let mut fleet = tested(&[passed("a")]);
    let fresh = page(Ok(&busy()), &fleet, &all(), 600);
    assert_eq!(tone(&fresh, "fleet"), "well");
    let old = page(Ok(&busy()), &fleet, &all(), 700);
    assert_eq!(tone(&old, "fleet"), "quiet stale");
    assert!(old.contains("The results of the tenants are old"), "{old}");
    fleet.begin(at(302));
    fleet.fail("cannot connect to the application database <b>", at(303), at(308));
    let page = page(Ok(&busy()), &fleet, &all(), 304);
    assert_eq!(tone(&page, "fleet"), "quiet stale");
    assert!(page.contains("The tenants are not being tested"), "{page}");
    assert!(page.contains("Cannot connect to the application database &lt;b&gt;."), "{page}");
    assert!(page.contains("1 attempt;") && page.contains("class=\"table stale\""), "{page}");
}

#[test]
fn a_failure_comes_with_its_sentence_and_what_to_do() {
    let finding = Finding::about(FindingCode::RlsOff, "accounts");
    let ignored =
        Finding { ignored: Some("known".to_owned()), ..Finding::about(FindingCode::KeyLegacy, "anon") };
    let again = Finding::about(FindingCode::RlsOff, "bookings");
    let exposed = Report { findings: vec![finding.clone(), again, ignored], ..passed("open") };
    let fleet = tested(&[failed("down"), exposed]);
    let page = page(Ok(&busy()), &fleet, &all(), 3);
    assert_eq!(tone(&page, "fleet"), "bad");
    for part in [
        "1 of 2 tenants fail",
        "the connection was refused",
        "is the server running",
        "refused",
        "2 errors, 1 more",
        "rls.off",
        finding.hint,
        "Does not count: known",
        "Last 1 test: 1 failed",
    ] {
        assert!(page.contains(part), "{part}");
    }
    assert_eq!(page.matches(finding.hint).count(), 1, "what mends a code is said once");
    assert!(page.contains("<title>(1) failed"), "{page}");
    let own = page_of(&fleet, "down");
    for part in
        ["<h1><bdi>The down</bdi></h1>", "the connection was refused", "is the server running", "id-down"]
    {
        assert!(own.contains(part), "{part}: {own}");
    }
}

#[test]
fn hostile_text_stays_text_everywhere() {
    let mut report = failed("x");
    report.tenant.id = TenantId::new(HOSTILE.to_owned());
    report.tenant.name = HOSTILE.to_owned();
    report.tenant.subdomain = HOSTILE.to_owned();
    report.error = Some(HOSTILE.to_owned());
    report.rls.detail = HOSTILE.to_owned();
    report.data_source.as_mut().unwrap().endpoint = HOSTILE.to_owned();
    let finding = Finding {
        message: HOSTILE.to_owned(),
        ignored: Some(HOSTILE.to_owned()),
        ..Finding::about(FindingCode::RlsOff, "x")
    };
    report.findings = vec![finding];
    let fleet = tested(&[report]);
    let mut hostile = busy();
    hostile["health"]["issues"] = json!([HOSTILE]);
    hostile["health"]["status"] = json!(HOSTILE);
    hostile["dataSourceManager"]["configuration"] = json!({HOSTILE: HOSTILE});
    hostile["instances"] = json!([{"id": HOSTILE, "host": HOSTILE, "pid": HOSTILE, "startedAt": HOSTILE}]);
    let whole = page(Ok(&hostile), &fleet, &Query::new(HOSTILE, None, 1), 3);
    let rows = page(Ok(&hostile), &fleet, &all(), 3);
    let own = page_of(&fleet, HOSTILE);
    let door = login(&LoginView { wrong: true, wait: None, path: HOSTILE, version: "0" });
    let no = problem(&ProblemView { status: 404, message: HOSTILE, version: "0" });
    for (number, page) in [whole, rows, own, door, no].iter().enumerate() {
        assert!(page.contains("&lt;script&gt;"), "{number} shows it");
        assert!(!page.contains("<script>") && !page.contains("\" onmouseover"), "{number}: {page}");
    }
}

#[test]
fn a_page_of_ten_thousand_tenants_with_the_longest_texts_stays_small() {
    let long = |text: &str| text.repeat(400);
    let report = |n: usize| {
        let mut report = failed(&format!("{n:05}"));
        report.tenant.name = long("\u{202e}Wörter & <b>");
        report.error = Some(long("it failed \"badly\" "));
        report.findings = (0..2 * FINDINGS)
            .map(|_| Finding::about(FindingCode::RlsDefinerFunction, &long("x < y ")))
            .collect();
        report
    };
    // The first fifty are on the page, and come first by their names.
    let reports: Vec<Report> =
        (0..10_000).map(|n| if n < 60 { report(n) } else { failed(&format!("{n:05}")) }).collect();
    let mut fleet = tested(&reports);
    for round in 1..30 {
        fleet.begin(at(round * 300));
        for report in &reports[..50] {
            fleet.add(report, at(round * 300 + 1));
        }
    }
    let mut document = busy();
    let instance = json!({"id": long("i"), "host": long("h"), "pid": 1, "startedAt": at(0), "lastSeen": at(1), "cacheStats": document["cacheStats"]});
    document["instances"] = json!(vec![instance; 500]);
    let page = page(Ok(&document), &fleet, &all(), 3);
    assert!(page.contains("10,000"), "all are counted");
    assert!(page.len() < 300_000, "{} bytes", page.len());
    assert!(ASSETS.iter().all(|asset| asset.bytes.len() < 40_000));
}

#[test]
fn the_fragment_does_not_change_by_itself() {
    let fleet = tested(&[failed("a"), passed("b")]);
    let (document, snapshot, rows) = (busy(), fleet.snapshot(), fleet.page(&all()));
    let made = |second, resident| {
        let process = Process { resident: Some(resident), ..idle_process() };
        fragment(&View {
            document: Ok(&document),
            fleet: &snapshot,
            rows: &rows,
            tenant: None,
            process: &process,
            has_database: true,
            unread: None,
            has_login: false,
            path: "/debug/performance",
            now: at(second),
            version: "0.0.0",
        })
    };
    assert_eq!(made(3, 1 << 20), made(290, 9 << 20));
}

#[test]
fn links_keep_the_search_the_state_and_the_page() {
    let reports: Vec<Report> = (0..120).map(|n| failed(&format!("a&b {n}"))).collect();
    let page = page(Ok(&busy()), &tested(&reports), &Query::new("A&B", Some("failed"), 2), 3);
    for link in ["?q=A%26B&amp;state=failed\"", "?q=A%26B&amp;state=failed&amp;page=3\"", "?q=A%26B\""] {
        assert!(page.contains(link), "{link}: {page}");
    }
    assert!(page.contains("51–100 of 120 tenants, page 2 of 3"), "{page}");
}

#[test]
fn the_door_says_what_is_wrong_and_how_long_to_wait() {
    let door = |wrong, wait| login(&LoginView { wrong, wait, path: "/debug/performance", version: "0" });
    assert!(!door(false, None).contains("role=\"alert\""));
    assert!(door(true, None).contains("That is not the token."));
    let wait = door(false, Some(Duration::from_millis(5_400)));
    assert!(wait.contains("try another one in 5 s."), "{wait}");
    for (status, title) in [(404, "Not found"), (503, "Not available"), (421, "Another server was meant")] {
        let page = problem(&ProblemView { status, message: "because", version: "0" });
        assert!(page.contains(title) && page.contains("because"), "{page}");
    }
}

#[test]
fn an_old_result_of_a_tenant_is_never_green() {
    let mut fleet = tested(&[passed("a")]);
    fleet.fail("away", at(400), at(405));
    let (snapshot, rows) = (fleet.snapshot(), fleet.page(&Query::new("", None, 1)));
    let process = idle_process();
    let view = View {
        document: Err("away"),
        fleet: &snapshot,
        rows: &rows,
        tenant: fleet.find("a"),
        process: &process,
        has_database: true,
        unread: None,
        has_login: true,
        path: "/a/debug/performance",
        now: at(401),
        version: "0.0.0",
    };
    let inner = fragment(&view);
    assert!(inner.contains("panel banner quiet stale") && !inner.contains("banner well"), "{inner}");
    assert!(inner.contains("Passed, not up to date"), "{inner}");
    assert!(inner.contains("passed, but it is not up to date.") && inner.contains("passed (old)"), "{inner}");
}

#[test]
fn an_old_result_says_so_in_words_in_its_own_row() {
    let fleet = tested(&[passed("good"), failed("bad")]);
    let row = |page: &str, name: &str| {
        let mark = format!("data-key=\"id-{name}\"");
        page.split("<tr").find(|row| row.contains(&mark)).unwrap().split("</tr>").next().unwrap().to_owned()
    };
    let (new, old) = (page(Ok(&busy()), &fleet, &all(), 3), page(Ok(&busy()), &fleet, &all(), 1_000));
    for (name, word) in [("good", "Passed"), ("bad", "Failed")] {
        assert!(row(&new, name).contains(word) && !row(&new, name).contains("not up to date"), "{name}");
        assert!(row(&old, name).contains(&format!("{word}, not up to date")), "{}", row(&old, name));
    }
    let old = row(&old, "good");
    assert!(old.contains("Enforced, not up to date") && !old.contains("badge well"), "{old}");
}

#[test]
fn an_error_between_tenants_is_as_bad_as_one_of_a_tenant() {
    let mut fleet = tested(&[passed("a"), passed("b")]);
    let error =
        Finding { severity: crate::finding::Severity::Error, ..Finding::about(FindingCode::KeyReused, "x") };
    fleet.end(vec![error], at(3));
    let shown = page(Ok(&busy()), &fleet, &Query::new("", None, 1), 4);
    assert!(shown.contains("All answer, with 1 error"), "{shown}");
}
