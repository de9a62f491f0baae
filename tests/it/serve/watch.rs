//! The watch over the fleet: what is tested, what is kept, and what happens when the application database is away.

use super::served::{Served, text, until};
use crate::fixture::{KEY, World, seal};
use crate::manager::house::House;
use crate::support::cli::Cli;
use crate::support::fleet::{ApplicationDatabase, TenantRow, sqlite_source};
use crate::support::postgres::PrivateCluster;
use crate::support::scratch;

fn metrics(served: &Served) -> String {
    text(&served.get("/metrics"))
}

fn has(served: &Served, series: &str, value: &str) -> bool {
    metrics(served).contains(&format!("\n{series} {value}\n"))
}

#[test]
fn active_tenants_are_tested_again_and_again_and_the_others_are_not() {
    let house = House::sqlite();
    house.add_files(2);
    for status in ["suspended", "cancelled"] {
        house.add(TenantRow::new(status).status(status).data_source("sqlite:///nowhere.db", "x", "y"));
    }
    house.add(TenantRow::new("bare"));
    house.add(TenantRow::new("broken").data_source("sqlite:///nowhere.db", &seal("x"), &seal("x")));
    let served = Served::start(&house.cli(["serve", "--interval", "1s"]));
    until("three rounds", || has(&served, "boothds_watch_rounds_total", "3"));
    for (state, count) in [("passed", "2.0"), ("failed", "1.0"), ("skipped", "1.0"), ("pending", "0.0")] {
        assert!(has(&served, &format!("boothds_tenants{{state=\"{state}\"}}"), count), "{state}");
    }
    // One that is gone is dropped, and one that is new is found.
    house.world.database.execute("delete from tenants where subdomain = 'broken'");
    house.add(TenantRow::new("fresh").data_source("sqlite:///nowhere.db", &seal("x"), &seal("x")));
    until("the new one is tested", || metrics(&served).contains("subdomain=\"fresh\""));
    until("the old one is gone", || !metrics(&served).contains("subdomain=\"broken\""));
    // Nothing was counted, nor was anything left in the state store.
    assert!(!house.folder.path().join(".local").exists());
}

#[test]
fn a_tenant_has_a_page_by_id_and_by_subdomain_and_a_stranger_has_none() {
    let house = House::sqlite();
    let ids = house.add_files(1);
    let suspended = house.add(TenantRow::new("asleep").status("suspended"));
    let served = Served::start(&house.cli(["serve"]));
    until("it is tested", || has(&served, "boothds_watch_rounds_total", "1"));
    let upper = ids[0].to_uppercase();
    for name in [ids[0].as_str(), upper.as_str(), "t0", "asleep", &suspended] {
        assert_eq!(served.get(&format!("/{name}/debug/performance")).status, 200, "{name}");
    }
    let long = "x".repeat(5000);
    for name in ["nobody", "T0", "t0'--", "%00", "..%2f..%2fetc", "%F0%9F%98%80", long.as_str()] {
        assert_eq!(served.get(&format!("/{name}/debug/performance")).status, 404, "{name}");
    }
}

#[test]
fn an_application_database_that_is_away_is_said_and_old_results_stay() {
    let cluster = PrivateCluster::new().started();
    let folder = scratch::folder("away");
    let url = sqlite_source(&folder.path().join("source.db"), &["mine"]);
    let database = ApplicationDatabase::postgres_in(&cluster);
    let key = seal("x");
    database.insert(TenantRow::new("one").data_source(&url, &key, &key).tenant_id_in_data_source("mine"));
    let cli = Cli::new(["serve", "--interval", "1s"])
        .env("DATABASE_URL", database.url())
        .env("ENCRYPTION_KEY", KEY);
    let served = Served::start(&cli);
    until("it is tested", || has(&served, "boothds_tenants{state=\"passed\"}", "1.0"));
    assert!(has(&served, "boothds_watch_up", "1.0"));
    assert!(has(&served, "boothds_application_database_up", "1.0"));
    cluster.kill9();
    until("it is missed", || has(&served, "boothds_watch_up", "0.0"));
    assert!(has(&served, "boothds_tenants{state=\"passed\"}", "1.0"), "{}", metrics(&served));
    until("it is not ready", || served.get("/readyz").status == 503);
    let ready = text(&served.get("/readyz"));
    assert!(has(&served, "boothds_application_database_up", "0.0"), "{}", metrics(&served));
    assert!(ready.contains("\"applicationDatabase\":\"unavailable\",\"stateStore\":\"ok\""), "{ready}");
    assert!(!ready.contains("127.0.0.1"), "{ready}");
    assert_eq!(served.get("/healthz").status, 200);
    let log = served.running.wait_for_stderr("the tenants were not all tested");
    assert!(
        log.contains("cannot connect to the application database") && log.contains("retry_in_s="),
        "{log}"
    );
    cluster.start();
    until("it is back", || has(&served, "boothds_watch_up", "1.0"));
    until("it is ready", || served.get("/readyz").status == 200);
    assert!(has(&served, "boothds_application_database_up", "1.0"));
}

#[test]
fn a_service_starts_without_its_application_database() {
    let served = Served::start(
        &Cli::new(["serve"]).env("DATABASE_URL", "postgres://u@127.0.0.1:1/x").env("ENCRYPTION_KEY", KEY),
    );
    until("it is said", || has(&served, "boothds_watch_failed_rounds_total", "1"));
    assert_eq!(served.get("/debug/performance").status, 200);
    assert_eq!(served.get("/x/debug/performance").status, 503);
    assert_eq!(served.get("/healthz").status, 200);
}

#[test]
fn ten_thousand_tenants_are_a_page_of_fifty() {
    let house = House::sqlite();
    let rows: Vec<TenantRow> = (0..10_000).map(|n| TenantRow::new(&format!("tenant-{n:05}"))).collect();
    house.world.database.insert_all(&rows);
    let served = Served::start(&house.cli(["serve"]));
    until("all are known", || has(&served, "boothds_tenants{state=\"skipped\"}", "10000.0"));
    for path in
        ["/debug/performance", "/debug/performance?q=tenant-0&page=3", "/debug/performance?fragment=1"]
    {
        let answer = served.get(path);
        assert_eq!(answer.status, 200);
        assert!(answer.body.len() < 300_000, "{path}: {} bytes", answer.body.len());
    }
    for page in [0, 7, 199, 200, 201] {
        assert_eq!(served.get(&format!("/debug/performance?fragment=1&page={page}&q=9")).status, 200);
    }
}

#[test]
fn a_fragment_that_has_not_changed_is_not_sent_again() {
    let world = World::sqlite();
    let served = Served::start(&world.cli(["serve", "--interval", "1h"]));
    until("the round is over", || has(&served, "boothds_watch_rounds_total", "1"));
    let first = served.get("/debug/performance?fragment=1");
    let tag = super::served::field(&first, "etag").to_owned();
    let again = served.send("GET", "/debug/performance?fragment=1", &[("If-None-Match", &tag)], "");
    assert_eq!((again.status, again.body.len()), (304, 0));
}

#[test]
fn what_is_wrong_between_tenants_is_counted_like_what_is_wrong_with_one() {
    let house = House::sqlite();
    let url = sqlite_source(&house.folder.path().join("shared.db"), &["mine"]);
    for name in ["one", "two"] {
        let row = TenantRow::new(name).data_source(&url, &seal("x"), &seal("x"));
        house.add(row.tenant_id_in_data_source("mine"));
    }
    let served = Served::start(&house.cli(["serve", "--interval", "1h"]));
    until("it is tested", || has(&served, "boothds_watch_rounds_total", "1"));
    let series = "boothds_findings_between_tenants{code=\"source.shared\",severity=\"error\"}";
    assert!(has(&served, series, "1.0"), "{}", metrics(&served));
    let page = text(&served.send("GET", "/debug/performance", &[("Accept", "text/html")], ""));
    assert!(page.contains("All answer, with 1 error"), "{page}");
}

#[test]
fn a_database_file_that_is_gone_is_not_ready_although_it_is_still_open() {
    let house = House::sqlite();
    house.add_files(1);
    let served = Served::start(&house.cli(["serve", "--interval", "1h"]));
    until("it is tested", || has(&served, "boothds_watch_rounds_total", "1"));
    until("it is ready", || served.get("/readyz").status == 200);
    let page = || text(&served.get("/debug/performance"));
    assert!(page().contains("All tenants answer"), "{}", page());
    let url = house.world.database.url();
    let file = std::path::Path::new(url.strip_prefix("sqlite:").unwrap());
    std::fs::rename(file, file.with_extension("away")).unwrap();
    until("it is not ready", || served.get("/readyz").status == 503);
    let gone = page();
    assert!(gone.contains("The application database does not answer"), "{gone}");
    assert!(!gone.contains("All tenants answer") && gone.contains("Not up to date"), "{gone}");
    assert_eq!(served.get("/t0/debug/performance").status, 200, "its last test is known");
    assert_eq!(served.get("/nobody/debug/performance").status, 503);
    std::fs::rename(file.with_extension("away"), file).unwrap();
    until("it is ready again", || served.get("/readyz").status == 200);
    assert!(page().contains("All tenants answer"), "{}", page());
}
