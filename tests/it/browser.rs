//! The page in a real browser: Debian's Chromium without a window, driven by the stories in `browser/*.mjs`, each over
//! a service of its own. A story says which of its assertions failed, and every one of them fails when the page writes
//! an error to the console, breaks its Content-Security-Policy, or asks anybody but its service.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use boothds::manager::DataSourceManager;
use boothds::tenant::Role;
use serde_json::{Value, json};

use crate::fixture::seal;
use crate::manager::house::{House, until as until_async};
use crate::serve::served::{Served, TOKEN, text, until};
use crate::support::cli::Cli;
use crate::support::fleet::{TenantRow, sqlite_source};
use crate::support::machine;
use crate::support::process::{self, Signal, User};
use crate::support::scratch;

mod showcase;

use showcase::Showcase;

/// How long a story may take. Most take three seconds; the machine may be busy.
const LIMIT: Duration = Duration::from_secs(240);

/// Runs a story, which reads `facts` from its standard input.
///
/// # Panics
/// With what the story says, when it ends otherwise than well.
fn story(name: &str, served: &Served, facts: Value) {
    // Browsers are large: one at a time.
    static BROWSER: Mutex<()> = Mutex::new(());
    let _alone = BROWSER.lock().unwrap_or_else(PoisonError::into_inner);
    let home = scratch::folder("browser");
    for module in ["playwright-core", "axe-core"] {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(".tools/node_modules").join(module);
        assert!(folder.is_dir(), "`{module}` is missing: `scripts/test` installs what the tests need");
    }
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/it/browser/{name}.mjs"));
    let mut command = process::command(process::find("node"), Signal::KILL, User::Own);
    command.arg(script).env("HOME", home.path()).env("CHROMIUM", process::find("chromium"));
    let mut facts = facts;
    facts["origin"] = json!(format!("http://127.0.0.1:{}", served.port));
    let output = process::run(command, facts.to_string().as_bytes(), LIMIT);
    let [out, err] =
        [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    assert!(output.status.success(), "the story {name} failed:\n{out}{err}");
    // A story that ends early has proved nothing.
    assert!(out.contains("the story is told"), "the story {name} did not come to its end:\n{out}{err}");
}

/// A house with `count` tenants of a file each, all of them well.
struct Files {
    house: House,
    ids: Vec<String>,
    files: Vec<PathBuf>,
}

impl Files {
    fn new(count: usize) -> Self {
        let house = House::sqlite();
        let files: Vec<PathBuf> =
            (0..count).map(|n| house.folder.path().join(format!("source-{n}.db"))).collect();
        let key = seal("unused");
        let ids = files.iter().enumerate().map(|(n, file)| {
            let url = sqlite_source(file, &["mine"]);
            house.add(
                TenantRow::new(&format!("t{n}"))
                    .data_source(&url, &key, &key)
                    .tenant_id_in_data_source("mine"),
            )
        });
        let ids = ids.collect();
        Self { house, ids, files }
    }

    /// The service over it, after its first round.
    fn serve(&self) -> Served {
        serve(&self.house.cli(["serve", "--interval", "1s"]))
    }
}

fn serve(cli: &Cli) -> Served {
    let served = Served::start(cli);
    until("the first round", || text(&served.get("/metrics")).contains("\nboothds_watch_rounds_total "));
    until("the first round is over", || {
        !text(&served.get("/metrics")).contains("\nboothds_watch_rounds_total 0")
    });
    served
}

/// A service that was asked for clients, and has reported all of it; to be shut down at the end of the test.
async fn busy(house: &House, asked: &[(&str, usize)]) -> DataSourceManager {
    let requests = || {
        let stats = house.cli(["stats", "--json"]).run().json()["cacheStats"].take();
        stats["cacheHits"].as_u64().unwrap() + stats["cacheMisses"].as_u64().unwrap()
    };
    let before = requests();
    let manager = house.manager();
    for (id, times) in asked {
        for _ in 0..*times {
            manager.client(id, Role::Service).await.unwrap();
        }
    }
    let all = before + asked.iter().map(|(_, times)| *times as u64).sum::<u64>();
    until_async("it has reported", async || requests() == all).await;
    manager
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_shows_services_grades_tenants_and_their_history() {
    let showcase = Showcase::open().await;
    let served = serve(&showcase.house.cli(["serve", "--interval", "1s"]));
    story("renders", &served, json!({"failing": "kiosk", "exposed": "lumen"}));
    showcase.close().await;
}

#[test]
fn the_page_follows_the_fleet_and_leaves_the_reader_alone() {
    let fleet = Files::new(12);
    fleet.house.add(TenantRow::new("broken").data_source("sqlite:///nowhere.db", &seal("x"), &seal("x")));
    let _cluster = showcase::with_findings(&fleet.house);
    story("updates", &fleet.serve(), json!({"file": fleet.files[3], "tenant": "t3", "open": "lumen"}));
}

#[test]
fn the_refresh_can_be_paused_and_rests_while_nobody_looks() {
    let fleet = Files::new(2);
    story("pauses", &fleet.serve(), json!({"file": fleet.files[0]}));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_counts_are_reset_by_a_form_with_scripts_and_without() {
    let fleet = Files::new(2);
    let manager = busy(&fleet.house, &[(&fleet.ids[0], 8), (&fleet.ids[1], 2)]).await;
    let served = fleet.serve();
    story("resets", &served, json!({"scripts": true}));
    for _ in 0..4 {
        manager.client(&fleet.ids[0], Role::Service).await.unwrap();
    }
    until_async("it counts again", async || {
        fleet.house.cli(["stats", "--json"]).run().json()["cacheStats"]["cacheHits"].as_u64() > Some(0)
    })
    .await;
    story("resets", &served, json!({"scripts": false}));
    manager.shutdown().await;
}

#[test]
fn whoever_has_the_token_logs_in_and_out() {
    let fleet = Files::new(1);
    let cli = fleet.house.cli(["serve", "--interval", "1h"]).env("BOOTHDS_SERVE_TOKEN", TOKEN);
    story("logs_in", &Served::start(&cli), json!({"token": TOKEN}));
}

#[test]
fn without_scripts_the_page_is_a_snapshot_that_works() {
    let fleet = Files::new(60);
    fleet.house.add(TenantRow::new("broken").data_source("sqlite:///nowhere.db", &seal("x"), &seal("x")));
    story("without_scripts", &fleet.serve(), json!({"tenants": 61}));
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_can_read_it_on_a_phone_and_in_the_dark() {
    let showcase = Showcase::open().await;
    let served = serve(&showcase.house.cli(["serve", "--interval", "1h"]));
    story("accessible", &served, json!({"tenant": showcase.exposed}));
    showcase.close().await;
}

#[test]
fn an_idle_fleet_and_the_door_can_be_read_too() {
    let house = House::sqlite();
    let cli = house.cli(["serve", "--interval", "1h"]).env("BOOTHDS_SERVE_TOKEN", TOKEN);
    let served = Served::start(&cli);
    // Settings that cannot be read any more are said above everything else.
    std::fs::write(cli.folder().join("boothds.toml"), "nonsense = true\n").unwrap();
    served.running.wait_for_stderr("what was read before stays in force");
    story("accessible_idle", &served, json!({"token": TOKEN}));
}

#[test]
fn a_keyboard_is_enough() {
    let fleet = Files::new(2);
    let _cluster = showcase::with_findings(&fleet.house);
    story("keyboard", &serve(&fleet.house.cli(["serve", "--interval", "1h"])), json!({}));
}

#[test]
fn names_are_text_whatever_they_contain() {
    let house = House::sqlite();
    let names = [
        "<script>window.hacked = 1</script>",
        "\"onmouseover=\"window.hacked = 1",
        "'><img src=x onerror=window.hacked=1>",
        "</td></tr></table><h1>gone",
        "\u{202e}drowssap\u{202c} \u{200b}\u{2066}",
        "{{7*7}} ${7*7} javascript:window.hacked=1",
        &"W".repeat(5_000),
    ];
    for (number, name) in names.iter().enumerate() {
        let row = TenantRow::new(&format!("n{number}")).name(*name);
        house.add(row.data_source(&format!("sqlite:///nowhere/{number}.db"), &seal("x"), &seal("x")));
    }
    let odd = TenantRow::new("odd").id("../\"><script>window.hacked = 1</script>?#%2e").name("Odd id");
    house.add(odd);
    story("hostile", &serve(&house.cli(["serve", "--interval", "1s"])), json!({"names": names}));
}

/// Makes the pictures of the documentation. With `BOOTHDS_SCREENSHOTS` set they are written into `docs/`, after enough
/// rounds for a history that is worth looking at; else into a folder that goes with the test.
#[tokio::test(flavor = "multi_thread")]
async fn the_pictures_of_the_documentation_can_be_made() {
    let showcase = Showcase::open().await;
    let served = serve(&showcase.house.cli(["serve", "--interval", "1s"]));
    let scratch = scratch::folder("pictures");
    let docs = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs");
    let wanted = machine::variable("BOOTHDS_SCREENSHOTS").is_some();
    if wanted {
        showcase.live_a_little(&served);
    }
    let folder = if wanted { docs.as_path() } else { scratch.path() };
    story("pictures", &served, json!({"folder": folder}));
    for name in ["dashboard-light.png", "dashboard-dark.png"] {
        let size = folder.join(name).metadata().unwrap().len();
        assert!((20_000..150_000).contains(&size), "{name}: {size} bytes");
    }
    showcase.close().await;
}
