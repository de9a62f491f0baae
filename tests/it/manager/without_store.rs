//! The state store is away, or no store at all: the service goes on, says so, and finds back by itself.

use std::fs::{self, Permissions};
use std::io::{BufRead as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

use boothds::cipher::KeyRing;
use boothds::clock::Clock;
use boothds::manager::{DataSourceManager, ManagerError, StoreStatus, Surroundings};
use boothds::settings::Settings;
use boothds::state::StateFailure;
use boothds::tenant::Role;
use boothds::url::sqlite_url;
use futures_util::FutureExt as _;
use futures_util::future::join_all;
use sqlx::{Connection as _, Executor as _};

use super::house::{House, until, until_told};
use crate::state_store::{Place, open};
use crate::support::network::{refused_port, silent_server};
use crate::support::process::{self, Signal, User};
use crate::support::redis::RedisServer;
use crate::support::scratch;

/// Why the store does not serve; nothing when it does.
fn why_down(manager: &DataSourceManager) -> Option<StateFailure> {
    match manager.store_status() {
        StoreStatus::Down(error) => Some(error.failure),
        _ => None,
    }
}

fn is_up(manager: &DataSourceManager) -> bool {
    matches!(manager.store_status(), StoreStatus::Up(_))
}

async fn serves(manager: &DataSourceManager, ids: &[String]) {
    for result in join_all(ids.iter().map(|id| manager.client(id, Role::Service))).await {
        result.unwrap();
    }
}

async fn until_mapped(manager: &DataSourceManager, id: &str, to: &str) {
    until(&format!("the tenant is mapped to {to}"), async || {
        manager.client(id, Role::Service).await.unwrap().tenant_id_in_data_source() == to
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_that_is_no_store_is_named_and_the_service_goes_on_without() {
    let mut house = House::counting();
    let ids = house.add_files(4);
    let folder = scratch::folder("places");
    let path = |name: &str| folder.path().join(name);
    open(&sqlite_url(&path("good.db")), "n", Clock::System).await.close().await;
    let good = fs::read(path("good.db")).unwrap();
    let (mut newer, mut corrupt) = (good.clone(), good);
    newer[63] = 9;
    corrupt[100..].fill(0xaa);
    fs::write(path("newer.db"), &newer).unwrap();
    fs::write(path("corrupt.db"), &corrupt).unwrap();
    fs::write(path("text.db"), "no database").unwrap();
    fs::create_dir(path("folder.db")).unwrap();
    let file = |name: &str| sqlite_url(&path(name));
    let (server, silent) = (RedisServer::start(&["--requirepass", "right-password"]), silent_server());
    let redis = |user: &str, port: u16| format!("redis://{user}127.0.0.1:{port}/0");
    for (url, failure) in [
        (file("folder.db"), StateFailure::Foreign),
        (file("text.db"), StateFailure::Foreign),
        (file("corrupt.db"), StateFailure::Corrupt),
        (file("newer.db"), StateFailure::Newer),
        (file("text.db/state.db"), StateFailure::Foreign),
        (redis("", refused_port()), StateFailure::Unreachable),
        (redis("", silent.port()), StateFailure::Timeout),
        (redis(":hunter2-hunter2@", server.port()), StateFailure::Login),
    ] {
        house.set("BOOTHDS_STATE_URL", url.clone());
        let manager = house.manager();
        serves(&manager, &ids).await;
        until(&format!("{url} is known to be away"), async || why_down(&manager) == Some(failure)).await;
        let asked = Instant::now();
        house.pass(300_000);
        serves(&manager, &ids).await;
        for result in [
            manager.clear_tenant_cache(&ids[0]).await.map(|_| ()),
            manager.clear_all_caches().await.map(|_| ()),
            manager.reset_metrics().await.map(|_| ()),
        ] {
            let error = result.unwrap_err();
            assert!(matches!(&error, ManagerError::State(why) if why.failure == failure), "{error:?}");
            assert!(!format!("{error:?}").contains("hunter2"));
        }
        // What concerns this process alone was done.
        assert_eq!((manager.counters().config_cache_size, manager.counters().requests()), (0, 0));
        serves(&manager, &ids).await;
        manager.shutdown().await;
        assert!(asked.elapsed() < Duration::from_secs(10), "{url}: requests wait for a store that is away");
    }
    assert_eq!(fs::read(path("corrupt.db")).unwrap(), corrupt);
    assert_eq!(fs::read(path("newer.db")).unwrap(), newer);
    // With a store in the place of what was none the next one has it.
    fs::remove_file(path("text.db")).unwrap();
    house.set("BOOTHDS_STATE_URL", file("text.db"));
    let manager = house.manager();
    serves(&manager, &ids).await;
    assert!(is_up(&manager));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_repaired_or_removed_under_a_service_is_used_again() {
    let place = Place::sqlite();
    let house = House::over(&place);
    let Place::Sqlite(folder) = &place else { return };
    let path = folder.path().join("state.db");
    let ids = house.add_files(2);
    fs::write(&path, "no database").unwrap();
    let manager = house.manager();
    serves(&manager, &ids).await;
    until("it is no store", async || why_down(&manager) == Some(StateFailure::Foreign)).await;
    fs::remove_file(&path).unwrap();
    until("it serves again", async || is_up(&manager)).await;
    // What was read before anybody listened is read anew, and stands in the new file.
    let other = house.manager();
    until_told(&other, 1).await;
    serves(&manager, &ids).await;
    serves(&other, &ids).await;
    assert_eq!(other.counters().shared_hits, 2);
    // Removed to start anew, as `clear-cache` advises, while services run.
    for name in ["state.db", "state.db-wal", "state.db-shm"] {
        let _ = fs::remove_file(folder.path().join(name));
    }
    house.world.database.execute("update real_tenants set tenant_id_in_data_source = 'theirs'");
    until_mapped(&manager, &ids[0], "theirs").await;
    until_mapped(&other, &ids[0], "theirs").await;
    until_told(&other, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_another_process_has_locked_holds_nobody_up() {
    let place = Place::sqlite();
    let house = House::over(&place);
    let ids = house.add_files(12);
    let manager = house.manager();
    serves(&manager, &ids[..1]).await;
    let mut other = sqlx::SqliteConnection::connect(&place.url()).await.unwrap();
    other.execute("BEGIN IMMEDIATE").await.unwrap();
    let asked = Instant::now();
    // One after the other, each while the store seems to serve: if they waited for the lock, that were a minute.
    for id in &ids[1..] {
        until("it can be read", async || is_up(&manager)).await;
        manager.client(id, Role::Service).await.unwrap();
    }
    assert!(asked.elapsed() < Duration::from_secs(20), "{:?}", asked.elapsed());
    let _ = manager.clear_all_caches().now_or_never();
    assert_eq!(
        manager.counters().client_cache_size,
        0,
        "who asked has gone away, and this process has forgotten"
    );
    other.execute("ROLLBACK").await.unwrap();
    until("it can be written again", async || manager.clear_all_caches().await.is_ok()).await;
    until("rows are kept again", async || {
        let _ = manager.clear_tenant_cache(&ids[0]).await;
        serves(&manager, &ids[..1]).await;
        let next = house.manager();
        serves(&next, &ids[..1]).await;
        next.counters().shared_hits == 1
    })
    .await;
}

/// A service under another user; told by its standard input where its words go, which tenant to ask for, and its
/// variables. It says why it has no store, and then that it has one.
#[test]
#[ignore = "a part of another test"]
fn a_service_within_bounds() {
    let mut lines = std::io::stdin().lock().lines().map_while(Result::ok);
    let (Some(words), Some(id)) = (lines.next(), lines.next()) else { return };
    let variables =
        lines.filter_map(|line| line.split_once('=').map(|(name, value)| (name.into(), value.into())));
    let settings = Settings::from_vars(variables.collect::<Vec<(String, String)>>()).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let ring = KeyRing::from_settings(&settings).unwrap();
        let manager = DataSourceManager::with(&settings, ring, Surroundings::default()).unwrap();
        manager.client(&id, Role::Service).await.unwrap();
        until("it has no store", async || why_down(&manager).is_some()).await;
        fs::write(&words, format!("{:?}", why_down(&manager).unwrap())).unwrap();
        until("it has a store", async || is_up(&manager)).await;
        manager.client(&id, Role::Service).await.unwrap();
        manager.clear_tenant_cache(&id).await.unwrap();
        manager.shutdown().await;
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_may_not_be_written_is_no_store_until_it_may() {
    let house = House::counting();
    let ids = house.add_files(1);
    let (home, words) = (scratch::folder("readonly"), scratch::folder("words"));
    let mode =
        |path: &std::path::Path, mode| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    mode(words.path(), 0o777);
    scratch::give_to_server(home.path());
    mode(home.path(), 0o500);
    let said = words.path().join("words");
    let mut command = process::command(std::env::current_exe().unwrap(), Signal::KILL, User::Server);
    command.args(["--ignored", "--exact", "manager::without_store::a_service_within_bounds"]);
    command.stdin(Stdio::piped()).stdout(Stdio::null());
    let mut child = process::spawn(command);
    let mut stdin = child.pipes().0.unwrap();
    writeln!(stdin, "{}\n{}", said.display(), ids[0]).unwrap();
    for (name, value) in house.variables() {
        writeln!(stdin, "{name}={value}").unwrap();
    }
    writeln!(stdin, "BOOTHDS_STATE_URL={}", sqlite_url(&home.path().join("state.db"))).unwrap();
    drop(stdin);
    until("it says why", async || fs::read_to_string(&said).is_ok_and(|words| !words.is_empty())).await;
    let why = fs::read_to_string(&said).unwrap();
    assert!(["ReadOnly", "Denied"].contains(&why.as_str()), "{why}");
    mode(home.path(), 0o700);
    assert!(child.wait_for(Duration::from_secs(60)).expect("it goes on forever").success());
    assert!(home.path().join("state.db").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_freezes_delays_once_and_when_it_is_back_it_stays() {
    let mut server = RedisServer::start(&[]);
    let mut house = House::counting();
    house.set("BOOTHDS_STATE_URL", server.url());
    let ids = house.add_files(40);
    let manager = house.manager();
    serves(&manager, &ids[..2]).await;
    assert!(is_up(&manager));
    server.freeze();
    let asked = Instant::now();
    serves(&manager, &ids[2..20]).await;
    until("it is known to be away", async || why_down(&manager).is_some()).await;
    // One after the other: if each waited for the server, that were 40 seconds.
    for id in &ids[20..] {
        manager.client(id, Role::Service).await.unwrap();
    }
    assert!(asked.elapsed() < Duration::from_secs(20), "{:?}", asked.elapsed());
    assert_eq!(why_down(&manager), Some(StateFailure::Timeout));
    server.thaw();
    until("it serves again", async || is_up(&manager)).await;
    for _ in 0..50 {
        manager.clear_tenant_cache("nobody").await.expect("it serves again, and goes");
    }
    serves(&manager, &ids).await;
    assert_eq!(manager.counters().requests(), 80);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_cleared_while_a_service_was_cut_off_is_made_good() {
    for settings in [&[][..], &["--appendonly", "yes", "--appendfsync", "always"]] {
        let mut server = RedisServer::start(settings);
        let mut house = House::counting();
        house.set("BOOTHDS_STATE_URL", server.url());
        let ids = house.add_files(3);
        let (one, two) = (house.manager(), house.manager());
        serves(&one, &ids[..2]).await;
        serves(&two, &ids[..2]).await;
        until_told(&one, 1).await;
        server.kill9();
        house.world.database.execute("update real_tenants set tenant_id_in_data_source = 'theirs'");
        until("both have noticed", async || why_down(&one).is_some() && why_down(&two).is_some()).await;
        serves(&two, &ids).await;
        let why = two.clear_tenant_cache(&ids[2]).await.unwrap_err();
        assert!(matches!(why, ManagerError::State(_)), "{why:?}");
        until_mapped(&two, &ids[0], "mine").await;
        server.restart();
        // At once, before the services have found back.
        house.cli(["clear-cache", &ids[0]]).run().expect_code(0);
        until_mapped(&two, &ids[0], "theirs").await;
        until_mapped(&one, &ids[0], "theirs").await;
        until_told(&one, 1).await;
        assert!(is_up(&one) && is_up(&two));
        let third = house.manager();
        serves(&third, &ids[..1]).await;
        assert_eq!(third.counters().shared_hits, 1, "rows are kept again");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_memory_left_is_read_and_told_of_changes_and_takes_the_counts_later() {
    let server = RedisServer::start(&["--maxmemory", "6mb", "--maxmemory-policy", "noeviction"]);
    let mut house = House::counting();
    house.set("BOOTHDS_STATE_URL", server.url());
    house.set("BOOTHDS_NAMESPACE", "fleet");
    let ids = house.add_files(4);
    let (one, two) = (house.manager(), house.manager());
    serves(&one, &ids[..2]).await;
    until_told(&two, 1).await;
    server.cli(&["SETRANGE", "junk", "8000000", "x"]);
    assert!(server.cli(&["SET", "more", "x"]).contains("OOM"));
    serves(&two, &ids).await;
    assert_eq!((two.counters().shared_hits, house.questions()), (2, 4));
    let late = house.manager();
    serves(&late, &ids).await;
    assert!(is_up(&one) && is_up(&two) && is_up(&late));
    house.world.database.execute("update real_tenants set tenant_id_in_data_source = 'theirs'");
    one.clear_all_caches().await.unwrap();
    for manager in [&one, &two, &late] {
        until_mapped(manager, &ids[0], "theirs").await;
    }
    server.cli(&["DEL", "junk"]);
    let store = open(&server.url(), "fleet", Clock::System).await;
    until("all is counted", async || {
        let managers = [&one, &two, &late].into_iter().map(|manager| manager.counters().requests());
        store.totals().await.unwrap().counts.requests() == managers.sum::<u64>()
    })
    .await;
}
