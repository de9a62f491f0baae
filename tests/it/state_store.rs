//! The state store: one story over both back ends, and what must hold of both whoever writes to them.

use std::io::{BufRead as _, Write as _};
use std::sync::Arc;
use std::time::Duration;

use boothds::cipher::{Authenticator, EncryptionKey, KeyRing};
use boothds::clock::Clock;
use boothds::health::Counters;
use boothds::secret::Secret;
use boothds::settings::Settings;
use boothds::state::{
    CachedRow, Change, Found, Identity, Instance, Location, Position, ROW_PURPOSE, Report, Scope, StateStore,
};
use boothds::tenant::{SealedSource, Tenant, TenantId};
use boothds::url::{SourceUrl, sqlite_url};
use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;
use tokio::time::timeout;

use crate::fixture::{KEY, seal};
use crate::support::process::{self, Signal, User};
use crate::support::redis::RedisServer;
use crate::support::scratch;

/// A moment for everything that does not wait for time to pass.
pub fn now() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

/// Where a store is, with what keeps it there.
pub enum Place {
    Sqlite(TempDir),
    Redis(RedisServer),
}

impl Place {
    /// One of each kind.
    pub fn all() -> Vec<Self> {
        vec![Self::sqlite(), Self::Redis(RedisServer::start(&[]))]
    }

    pub fn sqlite() -> Self {
        Self::Sqlite(scratch::folder("state"))
    }

    pub fn url(&self) -> String {
        match self {
            Self::Sqlite(folder) => sqlite_url(&folder.path().join("state.db")),
            Self::Redis(server) => server.url(),
        }
    }

    pub async fn open(&self, namespace: &str) -> StateStore {
        open(&self.url(), namespace, Clock::Fixed(now())).await
    }
}

pub fn location(url: &str) -> Location {
    Location::from_settings(&Settings::from_vars([("BOOTHDS_STATE_URL", url)]).unwrap()).unwrap()
}

pub fn authenticator(key: &str) -> Option<Arc<Authenticator>> {
    let key = EncryptionKey::parse(&Secret::new(key.to_owned()), "test").unwrap();
    Some(Arc::new(Authenticator::new(&KeyRing::new(key, Vec::new()), ROW_PURPOSE)))
}

pub fn identity(namespace: &str, clock: Clock) -> Identity {
    Identity { namespace: namespace.to_owned(), authenticator: authenticator(KEY), clock }
}

pub async fn open(url: &str, namespace: &str, clock: Clock) -> StateStore {
    StateStore::open(&location(url), identity(namespace, clock)).await.unwrap()
}

pub fn id(name: &str) -> TenantId {
    TenantId::new(name.to_owned())
}

pub fn row(name: &str) -> CachedRow {
    let source = SealedSource {
        url: SourceUrl::new(format!("https://{name}.example")),
        anon_key: Some(Secret::new(seal("a plain text"))),
        service_key: Some(Secret::new(seal("a plain text"))),
        region: Some("eu".to_owned()),
        pool_config: None,
        mapped_id: None,
    };
    let tenant = Tenant {
        id: id(name),
        name: format!("The {name}"),
        subdomain: name.to_owned(),
        status: "active".to_owned(),
        source: Some(source),
    };
    CachedRow { tenant, expires_at: now() + SignedDuration::from_mins(5) }
}

pub async fn found(store: &StateStore, name: &str) -> &'static str {
    match store.read(&id(name)).await.unwrap().found {
        Found::Row(_) => "row",
        Found::Nothing => "nothing",
        Found::Refused(_) => "refused",
    }
}

pub fn tenants(names: &[&str]) -> Scope {
    Scope::Tenants(names.iter().map(|name| id(name)).collect())
}

pub fn report(name: &str, number: u64, epoch: u64, hits: u64) -> Report {
    let counters =
        Counters { cache_hits: hits, max_clients: 50, client_cache_size: 3, ..Counters::default() };
    Report {
        instance: Instance {
            id: name.to_owned(),
            host: "host".to_owned(),
            pid: 7,
            started_at: now(),
            last_seen: now(),
            counters,
            resident: Some(1 << 20),
            memory_limit: None,
        },
        number,
        epoch,
        added: Counters { cache_hits: hits, ..Counters::default() },
        position: Position::default(),
    }
}

/// What an answer of `follow` says, which comes within seconds or not at all.
pub async fn followed(store: &StateStore, after: Position) -> (Vec<Change>, Position, bool) {
    let changes =
        timeout(Duration::from_secs(20), store.follow(after)).await.expect("nothing is told").unwrap();
    (changes.list, changes.position, changes.gap)
}

#[tokio::test]
async fn rows_are_kept_until_they_expire_or_are_invalidated() {
    for place in Place::all() {
        let (one, two) = (place.open("n").await, place.open("n").await);
        let start = one.read(&id("a")).await.unwrap();
        assert!(matches!(start.found, Found::Nothing));
        assert_eq!(one.write(&[row("a"), row("b")], start.position).await.unwrap(), 2);
        let Found::Row(read) = two.read(&id("a")).await.unwrap().found else { panic!("not there") };
        assert_eq!((read.tenant.name.as_str(), read.expires_at), ("The a", row("a").expires_at));
        assert_eq!(read.tenant.source.unwrap().url.text().expose(), "https://a.example");
        assert_eq!(two.rows().await.unwrap(), 2);
        assert_eq!(two.position().await.unwrap(), start.position);
        // Without the key nothing is believed, and nothing written.
        let keyless = Identity { authenticator: None, ..identity("n", Clock::Fixed(now())) };
        let keyless = StateStore::open(&location(&place.url()), keyless).await.unwrap();
        assert_eq!(found(&keyless, "a").await, "nothing");
        assert_eq!(keyless.write(&[row("c")], start.position).await.unwrap(), 0);
        let other =
            Identity { authenticator: authenticator(&"2".repeat(64)), ..identity("n", Clock::Fixed(now())) };
        let other = StateStore::open(&location(&place.url()), other).await.unwrap();
        assert_eq!(found(&other, "a").await, "refused");

        let cleared = two.invalidate(&tenants(&["a", "x"]), None).await.unwrap();
        assert_eq!((cleared.tenants, cleared.logged), (vec![id("a")], true));
        assert_eq!(found(&one, "a").await, "nothing");
        // What was read before the invalidation is not stored after it; what is not concerned is.
        assert_eq!(one.write(&[row("a"), row("b")], start.position).await.unwrap(), 1);
        assert_eq!(found(&one, "a").await, "nothing");
        let fresh = one.read(&id("a")).await.unwrap().position;
        assert!(fresh > start.position);
        assert_eq!(one.write(&[row("a")], fresh).await.unwrap(), 1);
        let mut all = two.invalidate(&Scope::All, None).await.unwrap().tenants;
        all.sort();
        assert_eq!(all, [id("a"), id("b")]);
        assert_eq!(one.write(&[row("b")], fresh).await.unwrap(), 0);
        assert_eq!(one.rows().await.unwrap(), 0);
        let changes = [Change::Tenant(id("a")), Change::Tenant(id("x")), Change::All];
        let (list, position, gap) = followed(&one, start.position).await;
        assert_eq!((list.as_slice(), gap), (&changes[..], false));
        assert_eq!(position, one.position().await.unwrap());
        assert_eq!(followed(&one, fresh).await.0, [Change::All]);
        // Who knows nothing is told so, and nobody is told what nobody did.
        assert!(followed(&one, Position::default()).await.2);
        let nothing = two.invalidate(&tenants(&[]), None).await.unwrap();
        assert_eq!((nothing.tenants.len(), one.position().await.unwrap()), (0, position));
        for store in [one, two, keyless, other] {
            store.close().await;
        }
    }
}

#[tokio::test]
async fn two_application_databases_over_one_store_share_nothing() {
    for place in Place::all() {
        let (one, two) = (place.open("one").await, place.open("two}:rows").await);
        let places = [one.position().await.unwrap(), two.position().await.unwrap()];
        one.write(&[row("a")], places[0]).await.unwrap();
        two.write(&[row("a")], places[1]).await.unwrap();
        one.report(&report("i", 1, 0, 5)).await.unwrap();
        assert_eq!(one.invalidate(&Scope::All, None).await.unwrap().tenants.len(), 1);
        assert_eq!((found(&one, "a").await, found(&two, "a").await), ("nothing", "row"));
        assert_eq!(two.position().await.unwrap(), places[1]);
        assert_eq!(two.totals().await.unwrap().counts.cache_hits, 0);
        assert_eq!(two.totals().await.unwrap().instances, []);
        assert_eq!(two.write(&[row("a")], places[1]).await.unwrap(), 1);
    }
}

#[tokio::test]
async fn a_follower_is_told_within_a_second_and_the_sender_learns_how_many_were() {
    for place in Place::all() {
        let (one, two) = (place.open("n").await, Arc::new(place.open("n").await));
        let mut position = two.position().await.unwrap();
        two.report(&Report { position, ..report("two", 1, 0, 0) }).await.unwrap();
        one.report(&report("one", 1, 0, 0)).await.unwrap();
        let (told, mut heard) = tokio::sync::mpsc::unbounded_channel();
        let follower = Arc::clone(&two);
        let task = tokio::spawn(async move {
            loop {
                let changes = follower.follow(position).await.unwrap();
                position = changes.position;
                follower.note("two", position).await.unwrap();
                changes.list.into_iter().for_each(|change| told.send(change).unwrap());
            }
        });
        let mut expected = Vec::new();
        // Until the follower listens it cannot be counted; what it misses meanwhile it reads in the log.
        loop {
            expected.push(Change::Tenant(id("a")));
            if one.invalidate(&tenants(&["a"]), Some("one")).await.unwrap().told == 1 {
                break;
            }
            assert!(expected.len() < 1000, "nobody is told");
        }
        assert_eq!(one.invalidate(&Scope::All, Some("one")).await.unwrap().told, 1);
        assert_eq!(one.reset(Some("one")).await.unwrap(), 1);
        expected.extend([Change::All, Change::Reset]);
        for change in expected {
            let told = timeout(Duration::from_secs(10), heard.recv()).await.expect("a change was missed");
            assert_eq!(told, Some(change));
        }
        task.abort();
    }
}

#[tokio::test]
async fn counts_are_added_once_and_outlive_their_instances_until_a_reset() {
    for place in Place::all() {
        let store = place.open("n").await;
        assert!(store.totals().await.unwrap().since.is_none());
        let epoch = store.report(&report("a", 1, 0, 3)).await.unwrap();
        assert!(epoch > 0);
        // An answer was lost, and the same report comes again.
        assert_eq!(store.report(&report("a", 1, 0, 3)).await.unwrap(), epoch);
        assert_eq!(store.report(&report("a", 2, epoch, 4)).await.unwrap(), epoch);
        assert_eq!(store.report(&report("b", 1, 0, 10)).await.unwrap(), epoch);
        let totals = store.totals().await.unwrap();
        assert_eq!((totals.counts.cache_hits, totals.counts.max_clients), (17, 0));
        assert_eq!(totals.since, Some(now()));
        let instances: Vec<&Instance> = totals.instances.iter().collect();
        assert_eq!(instances, [&report("a", 2, epoch, 4).instance, &report("b", 1, 0, 10).instance]);
        store.leave("a").await.unwrap();
        let totals = store.totals().await.unwrap();
        assert_eq!((totals.counts.cache_hits, totals.instances.len()), (17, 1));

        store.reset(None).await.unwrap();
        let totals = store.totals().await.unwrap();
        assert_eq!((totals.counts.cache_hits, totals.instances[0].counters.cache_hits), (0, 0));
        assert_eq!(totals.instances[0].counters.max_clients, 50);
        // Counts from before the reset are not taken; the answer says that there was one.
        let next = store.report(&report("b", 2, epoch, 9)).await.unwrap();
        assert_ne!(next, epoch);
        assert_eq!(store.totals().await.unwrap().counts.cache_hits, 0);
        assert_eq!(store.totals().await.unwrap().instances[0].counters.cache_hits, 0);
        assert_eq!(store.report(&report("b", 3, next, 2)).await.unwrap(), next);
        assert_eq!(store.totals().await.unwrap().counts.cache_hits, 2);
    }
}

#[tokio::test]
async fn a_clock_that_jumps_makes_misses_and_never_a_row_that_lives_longer() {
    for place in Place::all() {
        let store = place.open("n").await;
        store.write(&[row("a")], store.position().await.unwrap()).await.unwrap();
        let at = |minutes: i64| Clock::Fixed(now() + SignedDuration::from_mins(minutes));
        let later = open(&place.url(), "n", at(5)).await;
        assert_eq!((found(&later, "a").await, later.rows().await.unwrap()), ("nothing", 0));
        let back = open(&place.url(), "n", at(-60)).await;
        assert_eq!(found(&back, "a").await, "row");
        let far_back = open(&place.url(), "n", at(-60 * 24 * 8)).await;
        assert_eq!(found(&far_back, "a").await, "refused");
        // An invalidation counts whatever the clock of its sender.
        far_back.invalidate(&tenants(&["a"]), None).await.unwrap();
        assert_eq!(found(&store, "a").await, "nothing");
        // A writer with a late clock clears away what has expired for it.
        store.write(&[row("a")], store.position().await.unwrap()).await.unwrap();
        let late = CachedRow { expires_at: row("b").expires_at + SignedDuration::from_hours(1), ..row("b") };
        later.write(&[late], later.position().await.unwrap()).await.unwrap();
        assert_eq!((found(&store, "b").await, later.rows().await.unwrap()), ("row", 1));
    }
}

#[tokio::test]
async fn calls_that_are_given_up_halfway_leave_nothing_locked_and_nothing_counted_twice() {
    for place in Place::all() {
        let store = place.open("n").await;
        let since = store.position().await.unwrap();
        let rows: Vec<_> = (0..50).map(|number| row(&format!("t{number}"))).collect();
        let mut epoch = 0;
        for number in 1..=60 {
            let soon = |part: u64| Duration::from_micros((number * 37 + part * 101) % 2_000);
            let _ = timeout(soon(1), store.write(&rows, since)).await;
            let _ = timeout(soon(2), store.read(&id("t1"))).await;
            let _ = timeout(soon(3), store.follow(since)).await;
            let report = report("i", number, epoch, 1);
            // The answer is lost, and the same report is sent again.
            let _ = timeout(soon(4), store.report(&report)).await;
            epoch = store.report(&report).await.unwrap();
        }
        assert_eq!(store.totals().await.unwrap().counts.cache_hits, 60);
        let _ = timeout(Duration::from_micros(200), store.invalidate(&Scope::All, None)).await;
        assert!(store.invalidate(&Scope::All, None).await.unwrap().tenants.len() <= 50);
        let since = store.position().await.unwrap();
        assert_eq!(store.write(&rows, since).await.unwrap(), 50);
    }
}

/// What one of several processes does to a store: 40 rows, 40 reports, 2 invalidations.
async fn work(url: &str, name: &str) {
    let store = open(url, "n", Clock::Fixed(now())).await;
    let mut epoch = 0;
    for number in 1..=40 {
        let tenant = format!("{name}-{number}");
        // Another's invalidation of everything would be a reason not to store a row, but nobody does that here.
        let position = store.read(&id(&tenant)).await.unwrap().position;
        assert_eq!(store.write(&[row(&tenant)], position).await.unwrap(), 1);
        epoch = store.report(&report(name, number, epoch, 1)).await.unwrap();
        if number % 20 == 0 {
            store.invalidate(&tenants(&[&tenant]), Some(name)).await.unwrap();
        }
    }
    store.leave(name).await.unwrap();
    store.close().await;
}

/// One of the processes of [`eight_processes_at_once_lose_nothing`]; told by its standard input where the store is and
/// what its name is.
#[test]
#[ignore = "a part of another test"]
fn a_process_of_eight() {
    let mut lines = std::io::stdin().lock().lines().map_while(Result::ok);
    let (Some(url), Some(name)) = (lines.next(), lines.next()) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(work(&url, &name));
}

#[test]
fn eight_processes_at_once_lose_nothing() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for place in Place::all() {
        let url = place.url();
        // They begin before there is a store.
        let start = |number: usize| {
            let program = std::env::current_exe().unwrap();
            let mut command = process::command(program, Signal::KILL, User::Own);
            command.args(["--ignored", "--exact", "state_store::a_process_of_eight"]);
            command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::null());
            let mut child = process::spawn(command);
            let mut stdin = child.pipes().0.unwrap();
            writeln!(stdin, "{url}\nprocess{number}").unwrap();
            child
        };
        let children: Vec<_> = (0..8).map(start).collect();
        for mut child in children {
            assert!(child.wait_for(Duration::from_secs(120)).expect("it goes on forever").success());
        }
        runtime.block_on(async {
            let store = place.open("n").await;
            assert_eq!(store.rows().await.unwrap(), 8 * 38);
            assert_eq!(store.totals().await.unwrap().counts.cache_hits, 8 * 40);
            for (process, number) in (0..8).flat_map(|process| (1..=40).map(move |number| (process, number)))
            {
                let expected = if number % 20 == 0 { "nothing" } else { "row" };
                assert_eq!(found(&store, &format!("process{process}-{number}")).await, expected);
            }
        });
    }
}
