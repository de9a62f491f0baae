//! Who is let in: addresses, names, origins, tokens, sessions; and what every answer says to browsers.

use super::served::{Served, TOKEN, field, json, text};
use crate::fixture::{KEY, World, seal};
use crate::support::cli::Cli;
use crate::support::fleet::TenantRow;
use crate::support::http::header;
use crate::support::network::refused_port;
use crate::support::process::Signal;
use crate::support::scratch;

const BEARER: &str = "Bearer Xb2-token-of-the-service-9k4m";
const HTML: (&str, &str) = ("Accept", "text/html,application/xhtml+xml,*/*;q=0.8");

fn with_token(world: &World) -> Served {
    Served::start(&world.cli(["serve", "-v"]).env("BOOTHDS_SERVE_TOKEN", TOKEN))
}

/// Logs in; the pair of the session's cookie.
fn log_in(served: &Served) -> String {
    let answer = served.post("/login", &[HTML], &format!("token={TOKEN}&return=%2Fdebug%2Fperformance"));
    assert_eq!((answer.status, field(&answer, "location")), (303, "/debug/performance"));
    let cookie = field(&answer, "set-cookie");
    assert!(cookie.contains("; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict"), "{cookie}");
    assert!(!cookie.contains("Secure") && !cookie.contains(TOKEN), "{cookie}");
    cookie.split(';').next().unwrap().to_owned()
}

#[test]
fn other_machines_are_served_with_a_token_only() {
    let world = World::sqlite();
    for (address, args) in
        [("0.0.0.0:0", &[][..]), ("[::]:0", &[]), ("192.0.2.1:80", &["--allowed-host", "x"])]
    {
        let mut cli = world.cli(["serve", "--listen", address]);
        for arg in args {
            cli = cli.arg(*arg);
        }
        let ran = cli.run().expect_code(3);
        let said = format!("{address} can be reached from other machines, and no token is set");
        assert!(
            ran.stderr.contains(&said) && ran.stderr.contains("hint: set BOOTHDS_SERVE_TOKEN"),
            "{ran:?}"
        );
    }
    for (token, why) in [
        ("short-token-1234", ""),
        ("1212121212121212", "it has fewer than 6 different characters"),
        ("short-token-123", "it has fewer than 16 characters"),
        ("has blanks in between it", "it has characters other than visible ASCII ones"),
        (" ", "is empty"),
    ] {
        let cli = world.cli(["serve", "--listen", "192.0.2.1:1"]).env("BOOTHDS_SERVE_TOKEN", token);
        let ran = cli.run();
        // The address is of no machine: whoever gets as far as that has the right token.
        assert_eq!(ran.code, Some(if why.is_empty() { 9 } else { 3 }), "{ran:?}");
        assert!(ran.stderr.contains(why), "{ran:?}");
        assert!(token.trim().is_empty() || !ran.stderr.contains(token), "{ran:?}");
    }
}

#[test]
fn a_loopback_address_in_the_form_of_ipv6_is_one() {
    let world = World::sqlite();
    let running = world.cli(["serve", "--listen", "[::ffff:127.0.0.1]:0"]).spawn();
    let log = running.wait_for_stderr("watching");
    let port = log.split("http://[::ffff:127.0.0.1]:").nth(1).unwrap();
    let port = port.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap();
    let served = Served { running, port };
    assert_eq!(served.get("/debug/performance").status, 200);
    let other = world.cli(["serve", "--listen", "[::ffff:192.0.2.1]:80"]).run().expect_code(3);
    assert!(other.stderr.contains("no token is set"), "{other:?}");
}

#[test]
fn a_name_without_a_token_is_the_decision_of_whoever_runs_it_and_warned_of() {
    let world = World::sqlite();
    let said = |cli: Cli| Served::start(&cli).end(Signal::TERM).expect_code(0).stderr;
    let named = world.cli(["serve", "--allowed-host", "dash.example"]);
    let warning = "--allowed-host without a token: whoever reaches the proxy";
    assert!(said(named.clone()).contains(warning));
    assert!(!said(named.env("BOOTHDS_SERVE_TOKEN", TOKEN)).contains(warning));
    assert!(!said(world.cli(["serve"])).contains(warning));
}

#[test]
fn with_a_token_everything_needs_it_but_health_and_the_login() {
    let world = World::sqlite();
    let served = with_token(&world);
    for path in [
        "/",
        "/debug/performance",
        "/x/debug/performance",
        "/api/debug/performance",
        "/metrics",
        "/nothing",
        "/debug/performance?fragment=1",
    ] {
        let refused = served.get(path);
        assert_eq!((refused.status, field(&refused, "www-authenticate")), (401, "Bearer realm=\"boothds\""));
        assert_eq!(json(&refused)["error"]["code"], "unauthorized", "{path}");
        let page = served.send("GET", path, &[HTML], "");
        assert_eq!(page.status, 303, "{path}");
        assert!(field(&page, "location").starts_with("/login?return=%2F"), "{path}");
        let let_in = served.send("GET", path, &[("Authorization", BEARER)], "").status;
        assert!(![401, 403].contains(&let_in), "{path}: {let_in}");
        for wrong in ["Bearer nope", "Bearer ", "Basic Og==", TOKEN] {
            assert_eq!(served.send("GET", path, &[("Authorization", wrong)], "").status, 401);
            if path != "/" {
                // Of wrong tokens there are not enough for every path.
                break;
            }
        }
    }
    for (path, status) in [("/healthz", 200), ("/readyz", 200), ("/login", 200), ("/assets/none.css", 404)] {
        assert_eq!(served.get(path).status, status, "{path}");
    }
    assert_eq!(served.post("/api/debug/performance", &[], "").status, 401);
    assert_eq!(served.post("/logout", &[], "").status, 401);
}

#[test]
fn a_tenant_named_like_an_open_route_is_behind_the_token_too() {
    let world = World::sqlite();
    for name in ["assets", "login", "healthz", "readyz"] {
        world.add(name, "sqlite:///nowhere.db", "x", "x");
    }
    let served = with_token(&world);
    for name in ["assets", "login", "healthz", "readyz"] {
        for path in [format!("/{name}/debug/performance"), format!("/{name}/debug/performance?fragment=1")] {
            assert_eq!(served.get(&path).status, 401, "{path}");
            assert_eq!(served.send("GET", &path, &[("Authorization", BEARER)], "").status, 200, "{path}");
        }
    }
    for path in ["/assets/", "/assets/x/y", "/assets//debug/performance", "/login/", "/healthz/x"] {
        assert_eq!(served.get(path).status, 401, "{path}");
    }
}

#[test]
fn another_cookie_of_our_name_keeps_nobody_out() {
    let world = World::sqlite();
    let served = with_token(&world);
    let session = log_in(&served);
    let cookies = format!("boothds_session_{}=junk; {session}", served.port);
    assert_eq!(served.send("GET", "/metrics", &[("Cookie", &cookies)], "").status, 200);
    assert_eq!(served.send("GET", "/login", &[HTML, ("Cookie", &cookies)], "").status, 303);
    assert_eq!(served.send("POST", "/logout", &[("Cookie", &cookies)], "").status, 303);
    assert_eq!(served.send("GET", "/metrics", &[("Cookie", &cookies)], "").status, 401);
}

#[test]
fn services_on_two_ports_of_a_host_leave_each_other_their_sessions() {
    let world = World::sqlite();
    let (one, other) = (with_token(&world), with_token(&world));
    // A browser keeps one cookie of a name for a host, whatever the port, and sends all of them.
    let mut jar = std::collections::BTreeMap::new();
    for served in [&one, &other] {
        let cookie = log_in(served);
        let (name, value) = cookie.split_once('=').unwrap();
        jar.insert(name.to_owned(), value.to_owned());
    }
    let all: Vec<String> = jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let asks = |served: &Served, host: &str| {
        let headers = format!(
            "GET /metrics HTTP/1.1\r\nHost: {host}\r\nCookie: {}\r\nConnection: close\r\n\r\n",
            all.join("; ")
        );
        served.raw(headers.as_bytes()).split(' ').nth(1).map(str::to_owned)
    };
    let own = |served: &Served| asks(served, &format!("127.0.0.1:{}", served.port));
    assert_eq!((own(&one).as_deref(), own(&other).as_deref()), (Some("200"), Some("200")));
    assert_eq!(other.post("/logout", &[("Cookie", &all.join("; "))], "").status, 303);
    assert_eq!((own(&one).as_deref(), own(&other).as_deref()), (Some("200"), Some("401")));
    // Where a container's port is published under another, the browser's counts; behind a proxy there is none.
    for (host, suffix) in [("127.0.0.1:9999", "_9999"), ("127.0.0.1", "")] {
        let form = format!("token={TOKEN}");
        let request = format!(
            "POST /login HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{form}",
            form.len()
        );
        let answer = one.raw(request.as_bytes());
        assert!(answer.contains(&format!("set-cookie: boothds_session{suffix}=")), "{answer}");
    }
}

#[test]
fn a_form_that_is_too_large_does_nothing() {
    let world = World::sqlite();
    let served = Served::start(&world.cli(["serve"]));
    let large = "x".repeat(20_000);
    let refused = served.post("/api/debug/performance", &[], &format!("return={large}"));
    assert_eq!((refused.status, json(&refused)["status"].as_str()), (413, None));
    assert_eq!(served.post("/login", &[], &format!("token={large}")).status, 413);
    assert_eq!(served.post("/api/debug/performance", &[], "").status, 200);
}

#[test]
fn what_cannot_be_decoded_is_refused_in_our_own_form() {
    let world = World::sqlite();
    let served = Served::start(&world.cli(["serve"]));
    for path in
        ["/%ff/debug/performance", "/%c3%28/debug/performance?fragment=1", "/assets/%ff", "/%ff", "/%zz"]
    {
        let answer = served.get(path);
        assert!([400, 404].contains(&answer.status), "{path}: {}", answer.status);
        assert!(json(&answer)["error"]["message"].is_string(), "{path}");
        let page = served.send("GET", path, &[HTML], "");
        assert!([400, 404].contains(&page.status) && text(&page).contains("<!doctype html>"), "{path}");
    }
    // What cannot be meant in a query is passed over.
    for query in
        ["q=%ff", "page=-1&page=%zz", "state=%ff&fragment=%ff", "&&==&%", "page=99999999999999999999"]
    {
        assert_eq!(served.get(&format!("/debug/performance?{query}")).status, 200, "{query}");
        assert_eq!(served.get(&format!("/login?{query}")).status, 303, "{query}");
    }
    for body in ["return=%ff&return=x", "%", "=&=", "return"] {
        let answer = served.post("/api/debug/performance", &[], body);
        assert!(
            [200, 400].contains(&answer.status) && json(&answer).is_object(),
            "{body}: {}",
            answer.status
        );
    }
    let json_body = [("Content-Type", "application/json")];
    let refused = served.send("POST", "/login", &json_body, "{\"token\": 7}");
    assert_eq!((refused.status, json(&refused)["error"]["code"].as_str()), (400, Some("usage")));
}

#[test]
fn logging_in_begins_a_session_and_logging_out_ends_it() {
    let world = World::sqlite();
    let served = with_token(&world);
    let wrong = served.post("/login", &[HTML], "token=wrong");
    assert_eq!((wrong.status, header(&wrong.headers, "set-cookie")), (401, None));
    // The token is taken from the body alone.
    for path in [format!("/login?token={TOKEN}"), format!("/debug/performance?token={TOKEN}")] {
        assert_ne!(served.get(&path).status, 303, "{path}");
    }
    assert_eq!(served.post(&format!("/login?token={TOKEN}"), &[HTML], "return=x").status, 401);

    let (one, other) = (log_in(&served), log_in(&served));
    assert_ne!(one, other);
    let name = format!("boothds_session_{}", served.port);
    let asks = |cookie: &str| served.send("GET", "/api/debug/performance", &[("Cookie", cookie)], "").status;
    assert_eq!((asks(&one), asks(&other), asks(&format!("{}=x", name))), (200, 200, 401));
    // Who is logged in need not log in.
    let form = served.send("GET", "/login?return=/x/debug/performance", &[("Cookie", &one)], "");
    assert_eq!((form.status, field(&form, "location")), (303, "/x/debug/performance"));
    let elsewhere = served.send("GET", "/login?return=//evil.example", &[("Cookie", &one)], "");
    assert_eq!(field(&elsewhere, "location"), "/debug/performance");

    let out = served.post("/logout", &[("Cookie", &one)], "");
    assert_eq!((out.status, field(&out, "location")), (303, "/login"));
    assert!(field(&out, "set-cookie").starts_with(&format!("{name}=; Path=/; Max-Age=0")));
    assert_eq!((asks(&one), asks(&other)), (401, 200));

    let log = served.end(Signal::TERM).expect_code(0).stderr;
    for secret in [TOKEN, one.strip_prefix(&format!("{name}=")).unwrap(), "return="] {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
    assert!(log.contains("route=\"/login\" status=303"), "{log}");
}

#[test]
fn wrong_tokens_are_told_to_wait_and_keep_nobody_out_who_has_the_right_one() {
    let world = World::sqlite();
    let served = with_token(&world);
    let wrong = || served.post("/login", &[HTML], "token=wrong");
    assert!((0..10).all(|_| wrong().status == 401));
    for _ in 0..30 {
        let throttled = wrong();
        assert_eq!(throttled.status, 429);
        assert!((1..=6).contains(&field(&throttled, "retry-after").parse::<u8>().unwrap()));
        assert_eq!(served.send("GET", "/metrics", &[("Authorization", "Bearer wrong")], "").status, 429);
    }
    // From the same address, as behind a proxy.
    log_in(&served);
    let metrics = served.send("GET", "/metrics", &[("Authorization", BEARER)], "");
    assert_eq!(metrics.status, 200);
    assert!(text(&metrics).contains("\nboothds_refused_tokens_total 70\n"), "throttled ones count too");
    assert_eq!(wrong().status, 429, "the right one buys the wrong ones nothing");
}

#[test]
fn refusals_do_not_fill_the_log_and_are_all_counted() {
    let world = World::sqlite();
    let served = Served::start(&world.cli(["serve"]).env("BOOTHDS_SERVE_TOKEN", TOKEN));
    for n in 0..100 {
        let refused = match n % 4 {
            0 => served.get("/metrics"),
            1 => served.post("/login", &[], "token=wrong"),
            2 => served.post("/login", &[("Origin", "null")], ""),
            _ => served.send("POST", "/login", &[], "x"),
        };
        assert!((400..500).contains(&refused.status), "{}", refused.status);
    }
    let log = served.end(Signal::TERM).expect_code(0).stderr;
    let lines = log.lines().filter(|line| line.contains(" request ") && line.contains("status=4")).count();
    assert_eq!(lines, 20, "{log}");
    assert!(log.contains("further requests were refused, and not logged one by one requests=80"), "{log}");
}

#[test]
fn a_name_that_is_not_ours_is_misdirected() {
    let world = World::sqlite();
    let cli = world.cli(["serve", "--allowed-host", "Dash.example", "--allowed-host", "b.example:8443"]);
    let served = Served::start(&cli);
    let port = served.port;
    let asks = |hosts: &[&str], target: &str| {
        let hosts: String = hosts.iter().map(|host| format!("Host: {host}\r\n")).collect();
        let answer =
            served.raw(format!("GET {target} HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n").as_bytes());
        answer.split(' ').nth(1).map(|status| status.parse::<u16>().unwrap())
    };
    for (host, status) in [
        (format!("127.0.0.1:{port}"), 200),
        ("127.0.0.1".to_owned(), 200),
        (format!("localhost:{port}"), 200),
        ("localhost:9000".to_owned(), 200),
        ("dash.example".to_owned(), 200),
        ("DASH.EXAMPLE:1".to_owned(), 200),
        ("b.example:8443".to_owned(), 200),
        ("b.example".to_owned(), 421),
        (format!("evil.example:{port}"), 421),
        ("127.0.0.1.evil.example".to_owned(), 421),
        ("10.0.0.1".to_owned(), 421),
        (String::new(), 400),
        ("a b".to_owned(), 400),
    ] {
        assert_eq!(asks(&[&host], "/healthz"), Some(status), "{host:?}");
    }
    assert_eq!(asks(&[], "/healthz"), Some(400));
    assert_eq!(asks(&["localhost", "evil.example"], "/healthz"), Some(400));
    assert_eq!(asks(&["localhost"], "http://evil.example/healthz"), Some(400));
    assert_eq!(asks(&["localhost"], "http://localhost/healthz"), Some(200));
    for wrong in ["https://x", "*.example", ""] {
        world.cli(["serve", "--allowed-host", wrong]).run().expect_code(2);
    }
}

#[test]
fn a_form_of_another_site_changes_nothing() {
    let world = World::sqlite();
    let served = Served::start(&world.cli(["serve"]));
    let own = format!("http://127.0.0.1:{}", served.port);
    let reset = |headers: &[(&str, &str)]| served.post("/api/debug/performance", headers, "").status;
    assert_eq!(reset(&[]), 200, "as curl does it");
    assert_eq!(reset(&[("Origin", &own), ("Sec-Fetch-Site", "same-origin")]), 200);
    for foreign in [
        &[("Origin", "http://evil.example")][..],
        &[("Origin", "null")],
        &[("Origin", "http://127.0.0.1:1")],
        &[("Sec-Fetch-Site", "cross-site")],
        &[("Sec-Fetch-Site", "same-site")],
        &[("Sec-Fetch-Site", "none")],
        &[("Origin", &own), ("Sec-Fetch-Site", "cross-site")],
    ] {
        assert_eq!(reset(foreign), 403, "{foreign:?}");
    }
    for path in ["/login", "/logout", "/nothing"] {
        assert_eq!(served.post(path, &[("Origin", "http://evil.example")], "token=x").status, 403);
    }
    // Looking is nobody's secret to keep from itself: links from elsewhere lead here.
    assert_eq!(served.send("GET", "/debug/performance", &[("Sec-Fetch-Site", "cross-site")], "").status, 200);
}

#[test]
fn every_answer_tells_browsers_to_trust_and_keep_nothing() {
    let world = World::sqlite();
    let served = Served::start(&world.cli(["serve"]));
    let answers = [
        served.get("/"),
        served.get("/debug/performance"),
        served.get("/api/debug/performance"),
        served.get("/metrics"),
        served.get("/healthz"),
        served.get("/nothing"),
        served.send("GET", "/nothing", &[HTML], ""),
        served.send("PUT", "/metrics", &[], ""),
        served.post("/api/debug/performance", &[("Origin", "null")], ""),
    ];
    for answer in &answers {
        let policy = field(answer, "content-security-policy");
        assert!(policy.starts_with("default-src 'none'; ") && policy.contains("frame-ancestors 'none'"));
        assert!(!policy.contains("unsafe") && !policy.contains("data:") && !policy.contains('*'), "{policy}");
        assert_eq!(field(answer, "x-content-type-options"), "nosniff");
        assert_eq!(field(answer, "referrer-policy"), "same-origin");
        assert_eq!(field(answer, "cache-control"), "no-store");
        assert_eq!(header(&answer.headers, "access-control-allow-origin"), None);
        assert_eq!(header(&answer.headers, "server"), None);
    }
    assert!(text(&answers[6]).contains("<!doctype html>"), "a browser is told in a page");
}

#[test]
fn a_wrong_method_is_told_which_are_right_and_head_has_no_body() {
    let world = World::sqlite();
    let served = Served::start(&world.cli(["serve"]));
    for (method, path, allow) in [
        ("POST", "/metrics", "GET,HEAD"),
        ("DELETE", "/api/debug/performance", "GET,HEAD,POST"),
        ("GET", "/logout", "POST"),
        ("PUT", "/debug/performance", "GET,HEAD"),
        ("OPTIONS", "/api/debug/performance", "GET,HEAD,POST"),
        ("TRACE", "/healthz", "GET,HEAD"),
    ] {
        let answer = served.send(method, path, &[], "");
        assert_eq!((answer.status, field(&answer, "allow")), (405, allow), "{method} {path}");
    }
    for path in ["/debug/performance", "/api/debug/performance", "/metrics", "/healthz", "/readyz"] {
        let answer = served.send("HEAD", path, &[], "");
        assert_eq!((answer.status, answer.body.len()), (200, 0), "{path}");
    }
}

#[test]
fn no_answer_and_no_log_has_a_secret() {
    let world = World::sqlite();
    let sealed = seal("sb_secret_never-to-be-seen");
    let url = "postgres://someone:in-the-clear-9@127.0.0.1:1/x";
    world.database.insert(TenantRow::new("leaky").data_source(url, &sealed, &sealed));
    let folder = scratch::folder("secrets");
    let state = format!("redis://someone:state-store-9@127.0.0.1:{}", refused_port());
    let token = folder.path().join("token");
    std::fs::write(&token, TOKEN).unwrap();
    let cli = world.cli(["serve", "-v"]).env("BOOTHDS_SERVE_TOKEN_FILE", &token);
    let cli = cli.env("BOOTHDS_STATE_URL", state).env("RUST_LOG", "trace").env("RUST_BACKTRACE", "full");
    let mut served = Served::start(&cli);
    served.running.wait_for_stderr("every tenant was tested");
    let cookie = log_in(&served);
    let session = cookie.split('=').nth(1).unwrap().to_owned();
    served.running.signal(Signal::HUP);
    served.running.wait_for_stderr("were read anew");
    let mut said = String::new();
    for path in [
        "/debug/performance",
        "/leaky/debug/performance",
        "/api/debug/performance",
        "/metrics",
        "/readyz",
        "/nothing",
        "/debug/performance?token=Xb2-token-of-the-service-9k4m&q=in-a-query-9",
    ] {
        for headers in [&[("Cookie", cookie.as_str())][..], &[("Cookie", cookie.as_str()), HTML], &[HTML]] {
            let answer = served.send("GET", path, headers, "");
            // What was searched for is shown where it was typed in.
            said += &text(&answer).replace("in-a-query-9", "");
            said += &format!("{:?}", answer.headers).replace("in-a-query-9", "");
        }
    }
    assert!(said.contains("leaky") && said.contains("state store redis://127.0.0.1"), "{said}");
    said += &served.end(Signal::TERM).expect_code(0).stderr;
    for secret in [
        "in-the-clear-9",
        "state-store-9",
        "never-to-be-seen",
        "in-a-query-9",
        TOKEN,
        KEY,
        sealed.as_str(),
        session.as_str(),
    ] {
        assert!(!said.contains(secret), "{secret} in {said}");
    }
}
