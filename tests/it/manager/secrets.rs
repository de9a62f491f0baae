//! What somebody who can read or write the state store can do with it: nothing.

use std::fs;

use boothds::clock::Clock;
use boothds::manager::{DataSourceManager, ManagerError};
use boothds::secret::Secret;
use boothds::state::{CachedRow, Identity, StateStore};
use boothds::tenant::{Role, SealedSource, Tenant, TenantId};
use boothds::url::SourceUrl;
use jiff::SignedDuration;
use reqwest::Method;

use super::house::House;
use crate::fixture::{KEY, seal, seal_with};
use crate::state_store::{Place, authenticator, location};
use crate::support::fleet::{TenantRow, sqlite3};
use crate::support::gateway::Gateway;

const OTHER_KEY: &str = "2222222222222222222222222222222222222222222222222222222222222222";

fn shared(manager: &DataSourceManager) -> (u64, u64) {
    let counters = manager.counters();
    (counters.shared_hits, counters.shared_misses)
}

/// A row as it stands in a store: expiry, code (hex or base64), content.
type Raw = [String; 3];

fn raw(place: &Place, tenant: &str) -> Raw {
    let (text, parted) = match place {
        Place::Sqlite(folder) => {
            let sql = format!(
                "select expires || '|' || hex(code) || '|' || cast(content as text) from cached where tenant = '{tenant}'"
            );
            (sqlite3(&folder.path().join("state.db"), &sql), '|')
        }
        Place::Redis(server) => (server.cli(&["HGET", "boothds:{fleet}:rows", tenant]), ' '),
    };
    let parts: Vec<String> = text.splitn(3, parted).map(str::to_owned).collect();
    parts.try_into().unwrap_or_else(|_| panic!("no row of {tenant}: {text}"))
}

fn plant(place: &Place, tenant: &str, [expires, code, content]: &Raw) {
    match place {
        Place::Sqlite(folder) => {
            let sql = format!(
                "insert or replace into cached values ('fleet', '{tenant}', {expires}, x'{code}', cast('{content}' as blob))"
            );
            sqlite3(&folder.path().join("state.db"), &sql);
        }
        Place::Redis(server) => {
            server.cli(&["HSET", "boothds:{fleet}:rows", tenant, &format!("{expires} {code} {content}")]);
        }
    }
}

/// A row that somebody without the encryption key has made as well as can be.
async fn forge(place: &Place, tenant: &str, url: &str) {
    let identity = Identity {
        namespace: "fleet".to_owned(),
        authenticator: authenticator(OTHER_KEY),
        clock: Clock::System,
    };
    let store = StateStore::open(&location(&place.url()), identity).await.unwrap();
    let key = || Some(Secret::new(seal("sb_secret_of_the_tenant_0123456789")));
    let source = SealedSource {
        url: SourceUrl::new(url.to_owned()),
        anon_key: key(),
        service_key: key(),
        region: None,
        pool_config: None,
        mapped_id: None,
    };
    let tenant = Tenant {
        id: TenantId::new(tenant.to_owned()),
        name: "T".to_owned(),
        subdomain: "t".to_owned(),
        status: "active".to_owned(),
        source: Some(source),
    };
    let expires_at = Clock::System.now() + SignedDuration::from_mins(4);
    let since = store.position().await.unwrap();
    assert_eq!(store.write(&[CachedRow { tenant, expires_at }], since).await.unwrap(), 1);
    store.close().await;
}

async fn request(manager: &DataSourceManager, id: &str) {
    let client = manager.client(id, Role::Service).await.unwrap();
    let response = client.supabase().unwrap().table(Method::GET, "accounts").send().await.unwrap();
    assert_eq!(response.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_was_planted_moved_or_altered_is_a_miss_and_leads_nowhere() {
    for place in Place::all() {
        let (own, thief) = (Gateway::start(None), Gateway::start(None));
        let mut house = House::over(&place);
        house.set("BOOTHDS_NAMESPACE", "fleet");
        let key = seal("sb_secret_ThisIsTheKnownOneOfTheTests_0a1b2c3d");
        let id = house.add(TenantRow::new("a").data_source(&own.base_url(), &key, &key));
        // A tenant that is somebody else's, and in the store by right.
        let other = house.add(TenantRow::new("b").data_source(&thief.base_url(), &key, &key));
        let first = house.manager();
        request(&first, &id).await;
        first.connection_info(&other).await.unwrap();
        let [expires, code, content] = raw(&place, &id);
        let [moved, altered, later, bare] = [
            raw(&place, &other),
            [expires.clone(), code.clone(), content.replace(&own.base_url(), &thief.base_url())],
            [
                (expires.parse::<i64>().unwrap() + 1).to_string(),
                code.clone(),
                content.replace(&own.base_url(), &thief.base_url()),
            ],
            [expires, String::new(), content.replace(&own.base_url(), &thief.base_url())],
        ];
        assert_ne!(altered[2], content);
        for number in 0..5 {
            match number {
                0 => plant(&place, &id, &moved),
                1 => plant(&place, &id, &altered),
                2 => plant(&place, &id, &later),
                3 => plant(&place, &id, &bare),
                _ => forge(&place, &id, &thief.base_url()).await,
            }
            let before = (house.questions(), own.requests().len());
            let manager = house.manager();
            request(&manager, &id).await;
            assert_eq!(shared(&manager), (0, 1), "{number}");
            assert_eq!((house.questions(), own.requests().len()), (before.0 + 1, before.1 + 1), "{number}");
            // What is wrong was replaced by what is right.
            let next = house.manager();
            request(&next, &id).await;
            assert_eq!((shared(&next), house.questions()), ((1, 0), before.0 + 1), "{number}");
        }
        assert_eq!(thief.connections(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_sealed_with_an_earlier_key_opens_and_one_that_does_not_is_read_anew_once() {
    for place in Place::all() {
        let mut house = House::over(&place);
        let url = "postgres://u@127.0.0.1:1/d";
        let old = seal("a-password");
        let strange = seal_with(&"3".repeat(64), "a-password");
        let pool = r#"{"min":0,"max":1}"#;
        let row = |name: &str, key: &str| TenantRow::new(name).data_source(url, key, key).pool_config(pool);
        let (early, lost, mended) = (
            house.add(row("early", &old)),
            house.add(row("lost", &strange)),
            house.add(row("mended", &strange)),
        );
        let first = house.manager();
        for id in [&early, &lost, &mended] {
            first.connection_info(id).await.unwrap();
        }
        assert_eq!(house.questions(), 3);
        house.set("ENCRYPTION_KEY", OTHER_KEY);
        house.set("ENCRYPTION_KEY_PREVIOUS", KEY);
        let sealed = seal_with(OTHER_KEY, "a-password");
        let sql = format!("data_source_anon_key = '{sealed}', data_source_service_key = '{sealed}'");
        house.world.database.execute(&format!("update real_tenants set {sql} where id = '{mended}'"));

        let second = house.manager();
        second.client(&early, Role::Service).await.unwrap();
        assert_eq!((house.questions(), shared(&second)), (3, (1, 0)));
        second.client(&mended, Role::Service).await.unwrap();
        assert_eq!(
            (house.questions(), shared(&second)),
            (4, (2, 0)),
            "read anew, since the cached row does not open"
        );
        for _ in 0..2 {
            let error = second.client(&lost, Role::Service).await.unwrap_err();
            assert!(matches!(error, ManagerError::Key { .. }), "{error:?}");
            assert_eq!(house.questions(), 5, "once, and not with every request");
        }
        assert_eq!(second.counters().client_cache_size, 2);
        // The row that was read anew stands in the store for the others, and they read its code with their own key.
        let third = house.manager();
        third.client(&mended, Role::Service).await.unwrap();
        assert_eq!(
            third.connection_config(&mended).await.unwrap().service_key.unwrap().expose(),
            "a-password"
        );
        assert_eq!((house.questions(), shared(&third)), (5, (1, 0)));
        // Who knows neither key believes none of it.
        house.set("ENCRYPTION_KEY", "4".repeat(64));
        house.set("ENCRYPTION_KEY_PREVIOUS", "");
        let stranger = house.manager();
        stranger.client(&early, Role::Service).await.unwrap_err();
        assert_eq!((house.questions(), shared(&stranger)), (6, (0, 1)));
    }
}

/// All that a store has written down.
fn everything(place: &Place) -> Vec<u8> {
    match place {
        Place::Sqlite(folder) => {
            let files =
                fs::read_dir(folder.path()).unwrap().map(|entry| fs::read(entry.unwrap().path()).unwrap());
            files.collect::<Vec<_>>().concat()
        }
        Place::Redis(server) => {
            let dump = |key: &str| match server.cli(&["TYPE", key]).as_str() {
                "hash" => server.cli(&["HGETALL", key]),
                "stream" => server.cli(&["XRANGE", key, "-", "+"]),
                _ => server.cli(&["GET", key]),
            };
            let keys = server.cli(&["KEYS", "*"]);
            keys.lines().map(|key| format!("{key}\n{}\n", dump(key))).collect::<String>().into_bytes()
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_could_be_used_is_written_into_the_store() {
    const SECRETS: [&str; 4] =
        ["sb_secret_Zq8mVx2LrT5wKp9sYd3f", "Vt5-password-of-a-tenant", "Wk7-password-of-the-operator", KEY];
    for place in Place::all() {
        let [secret, password, operator, _] = SECRETS;
        let mut house = House::over(&place);
        let operated = house.world.database.url().replace("postgres@", &format!("postgres:{operator}@"));
        house.set("DATABASE_URL", operated);
        let at = "127.0.0.1:1";
        let rows = [
            ("sealed", format!("http://{at}"), seal(secret)),
            ("bare", format!("postgres://u@{at}/d"), seal(password)),
            ("plain", format!("http://{at}"), secret.to_owned()),
            ("plain-password", format!("postgres://u@{at}/d"), password.to_owned()),
            ("in-url", format!("postgres://u:{password}@{at}/d"), seal("x")),
            ("in-query", format!("postgres://u@{at}/d?password={password}"), seal("x")),
            ("odd-url", format!("postgres://u:{password}/{password}@h:1:2/x"), seal("x")),
        ];
        let manager = house.manager();
        for (name, url, key) in rows {
            let id = house.add(TenantRow::new(name).data_source(&url, &key, &key).name(name));
            for role in [Role::Service, Role::Anon] {
                let _ = manager.client(&id, role).await;
            }
            let _ = manager.connection_config(&id).await;
            let _ = manager.test_connection(&id).await;
        }
        manager.clear_tenant_cache("nobody").await.unwrap();
        let written = everything(&place);
        manager.shutdown().await;
        let holds = |text: &str| {
            [&written, &everything(&place)]
                .iter()
                .any(|all| all.windows(text.len()).any(|part| part == text.as_bytes()))
        };
        assert!(holds(&TenantRow::new("sealed").id), "nothing was written at all");
        for secret in SECRETS {
            assert!(!holds(secret) && !holds(&secret[..12]), "{secret} can be read in {}", place.url());
        }
    }
}
