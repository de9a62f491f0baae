use proptest::prelude::*;

use super::*;

fn url(text: &str) -> SourceUrl {
    SourceUrl::new(text.to_owned())
}

fn postgres(text: &str) -> PostgresAddress {
    match url(text).parse() {
        Ok(Address::Postgres(address)) => address,
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn the_path_of_a_rest_url_never_doubles() {
    for text in
        ["https://x.example", "https://x.example/", "https://x.example/rest/v1", "https://x.example/rest/v1/"]
    {
        let Ok(Address::Supabase(base)) = url(text).parse() else { panic!("{text}") };
        assert_eq!(
            base.table("accounts", &[("select", "id")]).as_str(),
            "https://x.example/rest/v1/accounts?select=id"
        );
        assert_eq!(url(text).endpoint(), "https://x.example");
    }
}

#[test]
fn a_table_name_cannot_leave_its_place_in_the_path() {
    let Ok(Address::Supabase(base)) = url("https://x.example").parse() else { panic!() };
    assert_eq!(base.table("../a?b#c", &[]).path(), "/rest/v1/..%2Fa%3Fb%23c");
}

#[test]
fn a_url_that_a_row_must_not_hold_is_refused_by_name() {
    let cases = [
        ("", UrlError::Empty),
        ("https://a b.example", UrlError::Blank(10)),
        (" https://a.example", UrlError::Blank(1)),
        ("https://a.example\n", UrlError::Blank(18)),
        ("https://a\u{1b}[31m.example", UrlError::Blank(10)),
        ("ftp://a.example", UrlError::Scheme("ftp".to_owned())),
        ("javascript:alert(1)", UrlError::Grammar),
        ("user:hunter2@host", UrlError::Grammar),
        ("https:", UrlError::Grammar),
        ("http://a.example", UrlError::ClearText),
        ("http://127.0.0.1.evil.example", UrlError::ClearText),
        ("https://me:pw@a.example", UrlError::Credentials),
        ("https://a.example/?apikey=x", UrlError::Parameter("?".to_owned())),
        ("postgres://u@h/db?host=evil", UrlError::Parameter("host".to_owned())),
        ("postgres://u@h/db?sslkey=/etc/passwd", UrlError::Parameter("sslkey".to_owned())),
        ("postgres://u@h/db?options=-c", UrlError::Parameter("options".to_owned())),
        ("postgres://u@h/db?password=x", UrlError::Parameter("password".to_owned())),
        ("postgres://u@h/db?sslmode=allow", UrlError::ParameterValue("sslmode")),
        ("postgres://u@%2Fvar%2Frun/db", UrlError::Host),
        ("postgres://u@a,b/db", UrlError::Host),
        ("postgres:///db", UrlError::Host),
        ("postgres://h/db", UrlError::User),
        ("postgres://u%zz@h/db", UrlError::Escape),
        ("postgres://u%00@h/db", UrlError::Escape),
        ("postgres://u:p/w@h/db", UrlError::Grammar),
        ("sqlite:", UrlError::Path),
        ("sqlite::memory:", UrlError::Path),
        ("sqlite:a.db?mode=rwc", UrlError::Parameter("mode".to_owned())),
    ];
    for (text, expected) in cases {
        assert_eq!(url(text).parse().err(), Some(expected), "{text:?}");
    }
    assert_eq!(url(&format!("https://{}.example", "a".repeat(3000))).parse().err(), Some(UrlError::TooLong));
}

#[test]
fn every_part_of_a_postgres_url_is_set() {
    let a = postgres("postgresql://m%40e:p%3Aw@[::1]:6543/my%20db?sslmode=verify-full&application_name=x");
    assert_eq!(
        (a.host.as_str(), a.port, a.user.as_str(), a.database.as_str()),
        ("::1", 6543, "m@e", "my db")
    );
    assert_eq!(a.password.map(|p| p.expose().to_owned()).as_deref(), Some("p:w"));
    assert_eq!((a.tls, a.application_name.as_deref()), (TlsMode::VerifyFull, Some("x")));
    let b = postgres("postgres://me@db.example");
    assert_eq!((b.database.as_str(), b.port, b.tls), ("me", 5432, TlsMode::Require));
    assert_eq!(postgres("postgres://me@127.0.0.1/x").tls, TlsMode::Prefer);
}

#[test]
fn no_way_of_printing_shows_a_password_or_an_unknown_parameter() {
    for text in [
        "postgres://me:hunter2@h/db",
        "postgres://me:hunter2@h:bad/db",
        "postgres://me:hun/ter2@h/db",
        "postgres://me:12/hunter2@h/db",
        "postgres://me:12#hunter2@h/db",
        "postgres://me:12?hunter2@h/db",
        "postgres://me:a@hunter2@h/db",
        "postgres://me@h/db?password=hunter2",
        "postgres://me:hunter2@ h/db",
        "https://me:hunter2@h.example/x",
        "https://h.example/?apikey=hunter2",
        "redis://:hunter2@h:1/0",
        "me:hunter2@h",
        "sqlite:x.db?key=hunter2",
    ] {
        let shown = format!("{} {} {:?}", url(text).masked(), url(text).endpoint(), url(text));
        assert!(!shown.contains("ter2"), "{text}: {shown}");
        if let Err(error) = url(text).parse() {
            assert!(!error.to_string().contains("ter2"), "{text}: {error}");
        }
    }
    assert_eq!(masked("postgres://me:pw@h:1/db?sslmode=require"), "postgres://me:***@h:1/db?sslmode=require");
    assert_eq!(url("postgres://me:pw@h:5432/db").endpoint(), "postgres://h/db");
}

#[test]
fn a_project_reference_is_read_from_hosted_projects_only() {
    for (text, expected) in [
        ("https://abcdefghijklmnopqrst.supabase.co", Some("abcdefghijklmnopqrst")),
        ("https://api.example", None),
        ("https://short.supabase.co", None),
    ] {
        let Ok(Address::Supabase(base)) = url(text).parse() else { panic!("{text}") };
        assert_eq!(base.project_ref(), expected);
    }
}

proptest! {
    #[test]
    fn the_url_of_a_path_leads_back_to_it(path in "/[^\\x00]{1,40}") {
        match url(&sqlite_url(std::path::Path::new(&path))).parse() {
            Ok(Address::Sqlite(back)) => prop_assert_eq!(back, PathBuf::from(path)),
            other => prop_assert!(false, "{:?}", other),
        }
    }

    #[test]
    fn a_password_is_never_shown_whatever_characters_it_has(
        password in "[!-~]{6,24}", user in "[a-z]{1,8}", tail in "(/db)?(\\?sslmode=require)?",
    ) {
        let text = format!("postgres://{user}:{password}@host.example{tail}");
        let shown = format!("{} {}", url(&text).masked(), url(&text).endpoint());
        // A run of six characters that the frame itself does not contain.
        for run in password.as_bytes().windows(6) {
            let run = std::str::from_utf8(run).unwrap();
            if !"postgres://host.example/db?sslmode=require«unparseable URL»***".contains(run) {
                prop_assert!(!shown.contains(run), "{} in {}", run, shown);
            }
        }
    }

    #[test]
    fn any_text_is_parsed_or_refused_without_a_panic(text in any::<String>()) {
        let _ = url(&text).parse();
        prop_assert!(!url(&text).masked().chars().any(char::is_control));
    }
}
