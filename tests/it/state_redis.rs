//! The state store in Redis, when the server is gone, full, slow, forgetful, somebody else's or not to be trusted.

use std::time::Duration;

use boothds::clock::Clock;
use boothds::state::{CachedRow, Change, Found, Position, Scope, StateError, StateFailure, StateStore};
use jiff::SignedDuration;
use tokio::time::timeout;

use crate::state_store::{followed, found, id, identity, location, now, open, report, row, tenants};
use crate::support::certificates::Certificate;
use crate::support::network::{DelayProxy, black_hole, garbage_server, refused_port, silent_server};
use crate::support::redis::RedisServer;

async fn store(server: &RedisServer) -> StateStore {
    open(&server.url(), "n", Clock::Fixed(now())).await
}

async fn filled(server: &RedisServer) -> StateStore {
    let store = store(server).await;
    let position = store.position().await.unwrap();
    assert_eq!(store.write(&[row("a"), row("b")], position).await.unwrap(), 2);
    store
}

async fn refused(url: &str) -> StateError {
    StateStore::open(&location(url), identity("n", Clock::Fixed(now()))).await.unwrap_err()
}

#[tokio::test]
async fn every_refusal_has_its_class_and_shows_no_password() {
    let server = RedisServer::start(&["--requirepass", "right-password"]);
    let acl =
        |rule: &str| assert_eq!(server.cli(&["ACL", "SETUSER", "weak", "on", ">weak-password", rule]), "OK");
    acl("~*");
    server.cli(&["ACL", "SETUSER", "weak", "+@all", "-eval", "-evalsha"]);
    let other = RedisServer::start(&["--save", "900 1"]);
    let (hole, silent) = (black_hole(), silent_server());
    let (garbage, web) =
        (garbage_server("\u{1}\u{2}garbage\r\n"), garbage_server("HTTP/1.1 400 Bad Request\r\n\r\n"));
    let at = |user: &str, port: u16| format!("redis://{user}127.0.0.1:{port}/0");
    let wrong = ":hunter2-hunter2@";
    for (url, failure) in [
        (at("", server.port()), StateFailure::Login),
        (at(wrong, server.port()), StateFailure::Login),
        (at("nobody:hunter2-hunter2@", server.port()), StateFailure::Login),
        (at("weak:weak-password@", server.port()), StateFailure::Denied),
        (at(wrong, other.port()), StateFailure::Login),
        (at(wrong, refused_port()), StateFailure::Unreachable),
        (at(wrong, hole.port()), StateFailure::Timeout),
        (at(wrong, silent.port()), StateFailure::Timeout),
        (at(wrong, garbage.port()), StateFailure::Foreign),
        (at(wrong, web.port()), StateFailure::Foreign),
        (format!("redis://{wrong}no-such-host.invalid/0"), StateFailure::Unreachable),
        (format!("redis://127.0.0.1:{}/99", other.port()), StateFailure::Other),
    ] {
        let error = refused(&url).await;
        assert_eq!(error.failure, failure, "{url}: {error}");
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("hunter2") && !shown.contains("-password"), "{shown}");
        assert!(error.to_string().contains("redis://"), "{error}");
    }
    for (value, failure) in
        [("2", StateFailure::Newer), ("what", StateFailure::Corrupt), ("0", StateFailure::Corrupt)]
    {
        other.cli(&["SET", "boothds:format", value]);
        let error = refused(&other.url()).await;
        assert_eq!(error.failure, failure, "{error}");
        assert!(error.to_string().contains("boothds:format"), "{error}");
        assert_eq!(other.cli(&["GET", "boothds:format"]), value);
    }
}

#[tokio::test]
async fn a_user_a_database_number_and_a_prefix_keep_to_themselves() {
    let server = RedisServer::start(&[]);
    let user = ["ACL", "SETUSER", "booth", "on", ">pw-of-booth", "~mine:*", "&mine:*", "-@all"];
    let may = "+eval +evalsha +script|load +select +ping +subscribe +publish +get +set +exists +del +xadd +xinfo|stream \
               +xrange +hget +hmget +hset +hsetnx +hdel +hkeys +hgetall +hscan +hincrby +pttl +pexpire +time";
    let user: Vec<&str> = user.into_iter().chain(may.split_whitespace()).collect();
    assert_eq!(server.cli(&user), "OK");
    let url = format!("redis://booth:pw-of-booth@127.0.0.1:{}/3?prefix=mine:", server.port());
    let store = open(&url, "n", Clock::Fixed(now())).await;
    let start = store.position().await.unwrap();
    store.write(&[row("a")], start).await.unwrap();
    assert_eq!((found(&store, "a").await, store.rows().await.unwrap()), ("row", 1));
    store.report(&report("i", 1, 0, 1)).await.unwrap();
    assert_eq!(store.totals().await.unwrap().counts.cache_hits, 1);
    store.invalidate(&tenants(&["a"]), None).await.unwrap();
    store.invalidate(&Scope::All, None).await.unwrap();
    store.reset(None).await.unwrap();
    assert_eq!(followed(&store, start).await.0, [Change::Tenant(id("a")), Change::All, Change::Reset]);
    store.leave("i").await.unwrap();
    assert_eq!(server.cli(&["DBSIZE"]), "0");
    let keys = server.cli(&["-n", "3", "KEYS", "*"]);
    assert!(keys.lines().count() >= 3 && keys.lines().all(|key| key.starts_with("mine:")), "{keys}");
}

#[tokio::test]
async fn tls_is_checked_against_the_known_authorities_and_the_name() {
    for certificate in [Certificate::TrustedByCa, Certificate::SelfSigned, Certificate::Expired] {
        let server = RedisServer::start_tls(certificate);
        // The tests' authority is not one that this machine knows.
        let error = refused(&format!("rediss://:hunter2-hunter2@localhost:{}/0", server.port())).await;
        assert_eq!(error.failure, StateFailure::Unreachable, "{error}");
        assert!(
            error.to_string().contains("certificate") && !error.to_string().contains("hunter2"),
            "{error}"
        );
        let plain = refused(&server.url()).await;
        assert!(matches!(plain.failure, StateFailure::Unreachable | StateFailure::Foreign), "{plain}");
    }
}

#[tokio::test]
async fn a_server_that_is_killed_and_restarted_is_used_again_and_its_lost_log_is_a_gap() {
    let mut server = RedisServer::start(&[]);
    let store = filled(&server).await;
    let position = store.position().await.unwrap();
    let epoch = store.report(&report("i", 1, 0, 5)).await.unwrap();
    let following = timeout(Duration::from_secs(1), store.follow(position)).await;
    assert!(following.is_err(), "nothing happened: {following:?}");
    server.kill9();
    assert_eq!(store.read(&id("a")).await.unwrap_err().failure, StateFailure::Unreachable);
    assert_eq!(store.follow(position).await.unwrap_err().failure, StateFailure::Unreachable);
    server.restart();
    // It comes back empty. The same stores go on, and who followed learns that anything may have happened.
    assert_eq!(found(&store, "a").await, "nothing");
    assert_eq!(store.write(&[row("a")], position).await.unwrap(), 0);
    let (list, after, gap) = followed(&store, position).await;
    assert_eq!((list.len(), gap), (0, true));
    assert_eq!(store.write(&[row("a")], after).await.unwrap(), 1);
    assert_ne!(store.report(&report("i", 2, epoch, 7)).await.unwrap(), epoch);
    assert_eq!(store.totals().await.unwrap().counts.cache_hits, 0);
}

#[tokio::test]
async fn invalidations_that_a_crash_undid_are_a_gap_also_when_new_ones_follow() {
    let mut server = RedisServer::start(&["--dbfilename", "old.rdb"]);
    let store = filled(&server).await;
    server.cli(&["SAVE"]);
    for _ in 0..3 {
        store.invalidate(&tenants(&["a"]), None).await.unwrap();
    }
    let position = store.position().await.unwrap();
    server.restart();
    // The row is back that was invalidated, until somebody who followed looks.
    assert_eq!(found(&store, "a").await, "row");
    assert_eq!(store.write(&[row("b")], position).await.unwrap(), 0);
    let (_, after, gap) = followed(&store, position).await;
    assert!(gap);
    assert_eq!(found(&store, "a").await, "nothing");
    // The other way round: as many entries again are made before anybody looks.
    assert_eq!(store.write(&[row("a")], after).await.unwrap(), 1);
    server.cli(&["SAVE"]);
    store.invalidate(&tenants(&["a"]), None).await.unwrap();
    let position = store.position().await.unwrap();
    server.restart();
    for _ in 0..20 {
        store.invalidate(&tenants(&["b"]), None).await.unwrap();
    }
    let (list, _, gap) = followed(&store, position).await;
    assert!(gap, "{list:?}");
    assert_eq!(store.write(&[row("c")], position).await.unwrap(), 0);
}

#[tokio::test]
async fn a_server_whose_memory_is_used_up_still_lets_rows_go_and_nobody_misses_it() {
    let server = RedisServer::start(&[]);
    let (one, two) = (filled(&server).await, store(&server).await);
    let before = one.position().await.unwrap();
    server.cli(&["CONFIG", "SET", "maxmemory", "1"]);
    let error = one.write(&[row("c")], before).await.unwrap_err();
    assert_eq!(error.failure, StateFailure::Full, "{error}");
    assert_eq!(one.report(&report("i", 1, 0, 5)).await.unwrap_err().failure, StateFailure::Full);
    assert_eq!(found(&one, "a").await, "row");
    let cleared = one.invalidate(&tenants(&["a", "x"]), None).await.unwrap();
    assert_eq!((cleared.tenants, cleared.logged), (vec![id("a")], true));
    assert!(one.invalidate(&tenants(&["x"]), None).await.unwrap().logged);
    one.reset(None).await.unwrap();
    assert_eq!((found(&two, "a").await, found(&two, "b").await), ("nothing", "row"));
    assert_eq!(followed(&two, before).await.0.len(), 4);
    // Nor does it make a new log. Who followed the one that is lost knows, and is told once.
    server.cli(&["DEL", "boothds:{n}:log"]);
    let (_, lost, gap) = followed(&two, before).await;
    assert!(gap && lost == Position::default());
    assert_eq!(one.position().await.unwrap(), lost);
    assert!(timeout(Duration::from_secs(1), two.follow(lost)).await.is_err(), "it is told the same for ever");
    let (changes, cleared) =
        tokio::join!(followed(&two, lost), async { one.invalidate(&tenants(&["b"]), None).await.unwrap() });
    assert!(changes.2);
    assert_eq!(cleared.told, 1);
    // There is room again: what was read before is not stored, what is read now is.
    server.cli(&["CONFIG", "SET", "maxmemory", "0"]);
    assert_eq!(one.write(&[row("a")], before).await.unwrap(), 0);
    assert_eq!(one.write(&[row("a")], lost).await.unwrap(), 0);
    let position = changes.1;
    assert_eq!(one.write(&[row("a")], position).await.unwrap(), 1);
    assert!(one.invalidate(&tenants(&["a"]), None).await.unwrap().logged);
    assert_eq!(followed(&two, position).await.0, [Change::Tenant(id("a"))]);
}

#[tokio::test]
async fn a_server_that_evicts_costs_misses_and_gaps_and_never_an_invalidation() {
    let server = RedisServer::start(&["--maxmemory", "3mb", "--maxmemory-policy", "allkeys-lru"]);
    let store = filled(&server).await;
    // What an eviction does, key by key.
    for lost in ["rows", "log", "totals", "instances"] {
        let position = store.position().await.unwrap();
        store.write(&[row("a")], position).await.unwrap();
        let epoch = store.report(&report("i", 1, 0, 5)).await.unwrap();
        server.cli(&["DEL", &format!("boothds:{{n}}:{lost}")]);
        assert_eq!(found(&store, "a").await, if lost == "rows" { "nothing" } else { "row" });
        let again = store.write(&[row("a")], position).await.unwrap();
        assert_eq!(again, usize::from(lost != "log"), "{lost}");
        if lost == "log" {
            assert!(followed(&store, position).await.2);
        }
        let answer = store.report(&report("i", 2, epoch, 5)).await.unwrap();
        assert_eq!(answer == epoch, lost != "totals", "{lost}");
        store.leave("i").await.unwrap();
    }
    // And at work, with more rows than there is memory for.
    let mut stored = 0;
    for number in 0..200 {
        let rows: Vec<_> = (0..50).map(|tenant| row(&format!("t{number}-{tenant}"))).collect();
        let position = store.position().await.unwrap();
        stored += store.write(&rows, position).await.map_or(0, |count| count);
        store.invalidate(&tenants(&["a"]), None).await.unwrap();
        assert_eq!(store.write(&[row("a")], position).await.map_or(0, |count| count), 0);
    }
    let evicted = server.cli(&["INFO", "stats"]);
    let evicted = evicted.lines().find_map(|line| line.trim().strip_prefix("evicted_keys:")).unwrap();
    assert!(stored > 0 && evicted != "0", "{stored} stored, {evicted} evicted");
}

#[tokio::test]
async fn a_server_that_stands_still_is_given_up_in_time_and_one_far_away_is_not() {
    let mut server = RedisServer::start(&[]);
    let store = filled(&server).await;
    let position = store.position().await.unwrap();
    server.freeze();
    for _ in 0..2 {
        let read = timeout(Duration::from_secs(30), store.read(&id("a"))).await.expect("no limit");
        assert_eq!(read.unwrap_err().failure, StateFailure::Timeout);
    }
    // A thousand who wait for one attempt share its end.
    let many = futures_util::future::join_all((0..1000).map(|_| store.rows()));
    let many = timeout(Duration::from_secs(30), many).await.expect("one waits after the other");
    assert!(many.into_iter().all(|rows| rows.unwrap_err().failure == StateFailure::Timeout));
    server.thaw();
    assert_eq!(found(&store, "a").await, "row");
    // A follower notices it too, by itself, and misses nothing.
    assert!(timeout(Duration::from_millis(500), store.follow(position)).await.is_err());
    server.freeze();
    let followed = timeout(Duration::from_secs(60), store.follow(position)).await.expect("no limit");
    assert_eq!(followed.unwrap_err().failure, StateFailure::Timeout);
    server.thaw();
    store.invalidate(&tenants(&["a"]), None).await.unwrap();
    assert_eq!(crate::state_store::followed(&store, position).await.0, [Change::Tenant(id("a"))]);
    let proxy = DelayProxy::start(server.port(), Duration::from_millis(100));
    let url = format!("redis://127.0.0.1:{}/0", proxy.port());
    assert_eq!(found(&open(&url, "n", Clock::Fixed(now())).await, "b").await, "row");
}

#[tokio::test]
async fn a_log_that_was_trimmed_or_emptied_is_a_gap() {
    let server = RedisServer::start(&[]);
    let store = filled(&server).await;
    let start = store.position().await.unwrap();
    let many: Vec<String> = (0..40).map(|number| format!("t{number}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    store.invalidate(&tenants(&many), None).await.unwrap();
    assert_eq!(followed(&store, start).await.0.len(), 40);
    let log = "boothds:{n}:log";
    server.cli(&["XTRIM", log, "MAXLEN", "39"]);
    let (_, end, gap) = followed(&store, start).await;
    assert!(gap);
    assert_eq!(store.write(&[row("c")], start).await.unwrap(), 0);
    assert_eq!(store.write(&[row("c")], end).await.unwrap(), 1);
    server.cli(&["XTRIM", log, "MAXLEN", "0"]);
    // Nothing happened since the end.
    assert!(timeout(Duration::from_millis(300), store.follow(end)).await.is_err());
    assert!(followed(&store, start).await.2);
    store.invalidate(&tenants(&["c"]), None).await.unwrap();
    assert_eq!(followed(&store, end).await.0, [Change::Tenant(id("c"))]);
}

#[tokio::test]
async fn rows_that_were_planted_moved_or_altered_are_refused() {
    let server = RedisServer::start(&[]);
    let (one, other) = (filled(&server).await, open(&server.url(), "other", Clock::Fixed(now())).await);
    let (rows, others) = ("boothds:{n}:rows", "boothds:{other}:rows");
    let good = server.cli(&["HGET", rows, "a"]);
    assert!(!good.contains("a plain") && good.contains("https://a.example"));
    let plant = |key: &str, tenant: &str, value: &str| drop(server.cli(&["HSET", key, tenant, value]));
    plant(rows, "b", &good);
    assert_eq!(found(&one, "b").await, "refused");
    plant(others, "a", &good);
    assert_eq!(found(&other, "a").await, "refused");
    for altered in [
        good.replace("https://a.example", "https://b.example"),
        good.replacen("17", "18", 1),
        good.replace("active", "Active"),
        good.split_once(' ').unwrap().1.to_owned(),
        String::new(),
        " ".to_owned(),
        "9".repeat(30),
        format!("{} AAAA {{}}", i64::MAX),
    ] {
        plant(rows, "a", &altered);
        assert_eq!(found(&one, "a").await, "refused", "{altered}");
    }
    plant(rows, "a", &good);
    assert_eq!(found(&one, "a").await, "row");
    // Another kind of key in the place of ours is reported, and stays.
    server.cli(&["DEL", rows]);
    server.cli(&["SET", rows, "text"]);
    assert_eq!(one.read(&id("a")).await.unwrap_err().failure, StateFailure::Corrupt);
    assert_eq!(server.cli(&["GET", rows]), "text");
    server.cli(&["DEL", "boothds:{n}:log"]);
    server.cli(&["SET", "boothds:{n}:log", "text"]);
    assert_eq!(one.position().await.unwrap_err().failure, StateFailure::Corrupt);
    server.cli(&["DEL", rows]);
    assert_eq!(one.invalidate(&Scope::All, None).await.unwrap_err().failure, StateFailure::Corrupt);
    assert_eq!(server.cli(&["GET", "boothds:{n}:log"]), "text");
    // Planted counts and instances are harmless.
    server.cli(&["HSET", "boothds:{n}:totals", "cacheHits", &i64::MAX.to_string()]);
    server.cli(&["HSET", "boothds:{n}:instances", "x", "1 {}", "y", "not one"]);
    let totals = one.totals().await.unwrap();
    assert!(totals.counts.cache_hits < u64::MAX / 1000 && totals.instances.is_empty());
}

#[tokio::test]
async fn an_instance_without_a_sign_of_life_is_gone_and_its_counts_stay() {
    let server = RedisServer::start(&[]);
    let store = store(&server).await;
    let epoch = store.report(&report("old", 1, 0, 5)).await.unwrap();
    let instances = "boothds:{n}:instances";
    let entry = server.cli(&["HGET", instances, "old"]);
    let (seen, content) = entry.split_once(' ').unwrap();
    let seen: u64 = seen.parse().unwrap();
    server.cli(&["HSET", instances, "old", &format!("{} {content}", seen - 20)]);
    assert_eq!(store.totals().await.unwrap().instances.len(), 0);
    server.cli(&["HSET", instances, "old", &format!("{} {content}", seen - 90_000)]);
    store.report(&report("new", 1, epoch, 1)).await.unwrap();
    assert_eq!(server.cli(&["HKEYS", instances]), "new");
    assert_eq!(store.totals().await.unwrap().counts.cache_hits, 6);
}

#[tokio::test]
async fn rows_of_a_fleet_are_written_counted_and_cleared_in_batches() {
    let server = RedisServer::start(&[]);
    let store = store(&server).await;
    let rows: Vec<_> = (0..2_345).map(|number| row(&format!("t{number}"))).collect();
    let position = store.position().await.unwrap();
    assert_eq!(store.write(&rows, position).await.unwrap(), 2_345);
    assert_eq!(store.rows().await.unwrap(), 2_345);
    let some: Vec<String> = (0..1_200).map(|number| format!("t{number}")).collect();
    let some: Vec<&str> = some.iter().map(String::as_str).collect();
    assert_eq!(store.invalidate(&tenants(&some), None).await.unwrap().tenants.len(), 1_200);
    let Found::Row(_) = store.read(&id("t1200")).await.unwrap().found else { panic!("too much was cleared") };
    assert_eq!(store.write(&rows, position).await.unwrap(), 1_145);
    assert_eq!(store.invalidate(&Scope::All, None).await.unwrap().tenants.len(), 1_145);
    // Writers remove what has expired, some of it at a time.
    let later = Clock::Fixed(now() + SignedDuration::from_mins(10));
    let later = open(&server.url(), "n", later).await;
    let since = later.position().await.unwrap();
    store.write(&rows, since).await.unwrap();
    let late = CachedRow { expires_at: now() + SignedDuration::from_hours(1), ..row("late") };
    for _ in 0..32 * 16 {
        assert_eq!(later.write(std::slice::from_ref(&late), since).await.unwrap(), 1);
    }
    assert_eq!(server.cli(&["HLEN", "boothds:{n}:rows"]), "1");
    store.invalidate(&Scope::All, None).await.unwrap();
    // Rows go by themselves when the last has expired.
    store.write(&[row("a")], store.position().await.unwrap()).await.unwrap();
    let left: i64 = server.cli(&["PTTL", "boothds:{n}:rows"]).parse().unwrap();
    assert!((1..=300_000).contains(&left), "{left}");
}
