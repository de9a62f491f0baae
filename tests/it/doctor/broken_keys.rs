//! Stored keys and credentials, each broken in one way.

use super::patient::{Patient, checks, messages, of, wrong};
use crate::fixture::{KEY, seal, seal_with};
use crate::support::fleet::TenantRow;

const OTHER: &str = "3c1f9a7be2d4580613c8af94e7b2d05a6f81c3e9b47d20a5986ef1c2d3b4a507";
const URL: &str = "https://abcdefghijklmnopqrst.supabase.co";

fn jwt(role: &str, project: &str, more: &str) -> String {
    let part = |text: &str| base64_url(text);
    let claims = format!(r#"{{"iss":"supabase","ref":"{project}","role":"{role}"{more}}}"#);
    format!("{}.{}.c2ln", part(r#"{"alg":"HS256"}"#), part(&claims))
}

fn base64_url(text: &str) -> String {
    base64_simd::URL_SAFE_NO_PAD.encode_to_string(text)
}

/// The URL and both keys of a tenant `odd`, as stored; then code, status and message; the exit code.
struct Case {
    url: String,
    anon: String,
    service: String,
    code: &'static str,
    status: &'static str,
    message: &'static str,
    exit: i32,
}

fn case(url: &str, anon: String, service: String, says: [&'static str; 3], exit: i32) -> Case {
    let [code, status, message] = says;
    Case { url: url.to_owned(), anon, service, code, status, message, exit }
}

fn cases() -> Vec<Case> {
    let (publishable, secret) = ("sb_publishable_Hn4bGc7jQe1uXo6a", "sb_secret_Zq8mVx2LrT5wKp9sYd3f");
    let (good_anon, good_service) = (|| seal(publishable), || seal(secret));
    let hex = format!("{0}:{0}:{0}", "0f".repeat(16));
    vec![
        case(
            URL,
            publishable.to_owned(),
            good_service(),
            [
                "stored.plaintext",
                "error",
                "keys are stored as plaintext, which the application cannot open: odd (anon) (1 key)",
            ],
            1,
        ),
        case(
            URL,
            good_anon(),
            hex,
            [
                "stored.hex",
                "error",
                "keys are stored as hexadecimal parts instead of base64: odd (service) (1 key)",
            ],
            1,
        ),
        case(
            URL,
            good_anon(),
            seal_with(OTHER, secret),
            [
                "stored.unreadable",
                "error",
                "stored keys do not open with any of the encryption keys: odd (service) (1 key)",
            ],
            1,
        ),
        case(
            URL,
            "nonsense".to_owned(),
            good_service(),
            [
                "stored.unreadable",
                "error",
                "stored keys do not open with any of the encryption keys: odd (anon) (1 key)",
            ],
            1,
        ),
        case(
            URL,
            String::new(),
            good_service(),
            [
                "stored.missing",
                "error",
                "tenants have a data source and lack one of its keys: odd (anon) (1 key)",
            ],
            1,
        ),
        case(
            URL,
            good_anon().replace('=', ""),
            good_service(),
            [
                "key.not-canonical",
                "warning",
                "the key is stored in a spelling that only lenient decoders read: odd (anon) (1 case)",
            ],
            0,
        ),
        case(
            URL,
            good_service(),
            good_anon(),
            [
                "key.swapped",
                "error",
                "the key of the other role is stored in this column: odd (anon), odd (service) (2 cases)",
            ],
            1,
        ),
        case(
            URL,
            good_anon(),
            good_anon(),
            ["key.same", "error", "both columns hold the same key: odd (anon) (1 case)"],
            1,
        ),
        case(
            URL,
            seal(&jwt("anon", "abcdefghijklmnopqrst", r#","exp":"2033-05-18""#)),
            good_service(),
            [
                "jwt.malformed",
                "error",
                "the JWT has a claim of a type that it cannot have: odd (anon) (1 case)",
            ],
            1,
        ),
        case(
            URL,
            seal(&jwt("anon", "zzzzzzzzzzzzzzzzzzzz", "")),
            seal(&jwt("service_role", "zzzzzzzzzzzzzzzzzzzz", "")),
            [
                "source.usable",
                "error",
                "the key belongs to another Supabase project (key-other-project): odd (1 case)",
            ],
            1,
        ),
        case(
            URL,
            seal(&jwt("anon", "abcdefghijklmnopqrst", r#","exp":1000000000"#)),
            good_service(),
            ["jwt.expired", "error", "the JWT has expired: odd (anon) (1 case)"],
            1,
        ),
        case(
            URL,
            seal(&jwt("anon", "abcdefghijklmnopqrst", r#","iat":9000000000"#)),
            good_service(),
            [
                "jwt.from-the-future",
                "warning",
                "the JWT says that it was issued in the future: odd (anon) (1 case)",
            ],
            0,
        ),
        case(
            URL,
            seal(&jwt("anon", "abcdefghijklmnopqrst", "")),
            good_service(),
            [
                "key.legacy",
                "warning",
                "the key is of the legacy kind, a JWT that cannot be revoked by itself: odd (anon) (1 case)",
            ],
            0,
        ),
        case(
            URL,
            seal(&jwt("root", "abcdefghijklmnopqrst", "")),
            good_service(),
            [
                "key.role",
                "warning",
                "the JWT names another role than that of its column: odd (anon) (1 case)",
            ],
            0,
        ),
        case(
            URL,
            seal(&jwt("anon", "zzzzzzzzzzzzzzzzzzzz", "")),
            good_service(),
            [
                "source.usable",
                "error",
                "the key belongs to another Supabase project (key-other-project): odd (1 case)",
            ],
            1,
        ),
        case(
            "postgres://u@db.example/x",
            seal("a"),
            seal("postgres://u:p@other.example/x"),
            [
                "source.usable",
                "error",
                "the key opens to a URL of another host than data_source_url names (key-other-host): odd (1 case)",
            ],
            1,
        ),
        case(
            "ftp://db.example/x",
            seal("a"),
            seal("b"),
            ["source.usable", "error", "data_source_url is not usable (url-refused): odd (1 case)"],
            1,
        ),
        case(
            "postgres://u@db.example/x",
            seal("a"),
            seal("a"),
            [
                "key.same-user",
                "warning",
                "the anon credential logs in as the same user as the service credential: odd (anon) (1 case)",
            ],
            0,
        ),
        case(
            "postgres://u:hunter2hunter2@db.example/x",
            seal("postgres://v:p@db.example/x"),
            seal("a"),
            [
                "url.password",
                "error",
                "data_source_url, which is not sealed, carries a password: odd (1 case)",
            ],
            1,
        ),
        case(
            "postgres://u@db.example/x?sslmode=disable",
            seal("postgres://v:p@db.example/x?sslmode=require"),
            seal("a"),
            [
                "connection.unencrypted",
                "warning",
                "the connection to another machine may be unencrypted: odd (service) (1 case)",
            ],
            0,
        ),
    ]
}

#[test]
fn each_thing_that_is_wrong_with_a_stored_key_is_one_check_with_its_tenant() {
    let patient = Patient::sqlite();
    for one in cases() {
        patient.database.execute("delete from tenants where subdomain = 'odd'");
        patient.database.insert(TenantRow::new("odd").data_source(&one.url, &one.anon, &one.service));
        let ran = patient.doctor(&[]).run();
        let said = format!("{}{}", ran.stdout, ran.stderr);
        for secret in ["Hn4bGc7j", "Zq8mVx2L", "hunter2", "nonsense", "c2ln"] {
            assert!(!said.contains(secret), "{}: {said}", one.code);
        }
        let found = checks(&patient.doctor(&[]), one.exit);
        assert_eq!(messages(&found, one.code, one.status), [one.message], "{found:#?}");
    }
}

#[test]
fn a_key_under_an_earlier_encryption_key_is_counted_apart() {
    let patient = Patient::sqlite();
    let row = TenantRow::new("old");
    patient.database.insert(row.data_source("sqlite:/x.db", &seal_with(OTHER, "a"), &seal("b")));
    let found = checks(&patient.doctor(&[]).env("ENCRYPTION_KEY_PREVIOUS", OTHER), 0);
    assert_eq!(wrong(&found), ["warning key.previous"]);
    assert_eq!(
        messages(&found, "stored.sealed", "ok"),
        ["6 stored keys of 3 tenants: 1 key under key 3138c0b4, 5 keys under key 4540361a"]
    );
}

#[test]
fn two_that_see_the_same_rows_and_a_row_that_was_copied_are_told() {
    let patient = Patient::sqlite();
    let (anon, service) = (seal("a"), seal("b"));
    for name in ["one", "two"] {
        let row = TenantRow::new(name).data_source("postgres://u@db.example/x", &anon, &service);
        patient.database.insert(row.tenant_id_in_data_source("7"));
    }
    let found = patient.checks(&[], 1);
    assert_eq!(
        messages(&found, "source.shared", "error"),
        ["two tenants have one data source and one id in it, and so see the same rows: one and two"]
    );
    assert_eq!(
        messages(&found, "stored.copied", "warning"),
        ["one sealed text is stored in two places: one and two"]
    );
}

#[test]
fn two_spellings_of_one_place_and_one_id_are_the_same_rows() {
    let uuid = "0a1b2c3d-0000-4000-8000-00000000000f";
    for [(url_a, id_a), (url_b, id_b)] in [
        [
            (URL, uuid),
            ("https://abcdefghijklmnopqrst.supabase.co./rest/v1", "{0A1B2C3D-0000-4000-8000-00000000000F}"),
        ],
        [("postgres://u@localhost/x", "7"), ("postgres://u@127.0.0.1:5432/x", "07")],
        [("sqlite:/tmp/x.db", "7"), ("sqlite:/tmp/./x.db", "7")],
    ] {
        let patient = Patient::sqlite();
        for (name, url, id) in [("one", url_a, id_a), ("two", url_b, id_b)] {
            let row = TenantRow::new(name).data_source(url, &seal("a"), &seal("b"));
            patient.database.insert(row.tenant_id_in_data_source(id));
        }
        let found = patient.checks(&[], 1);
        assert_eq!(
            messages(&found, "source.shared", "error"),
            ["two tenants have one data source and one id in it, and so see the same rows: one and two"],
            "{url_b}"
        );
    }
}

#[test]
fn a_key_in_both_columns_is_not_to_be_exchanged_with_itself() {
    let patient = Patient::sqlite();
    let key = seal(&jwt("service_role", "abcdefghijklmnopqrst", ""));
    patient.database.insert(TenantRow::new("odd").data_source(URL, &key, &key));
    let found = patient.checks(&[], 1);
    assert_eq!(of(&found, "key.swapped").len(), 0, "{found:#?}");
    assert_eq!(of(&found, "key.same").len(), 1);
}

#[test]
fn the_wrong_key_and_no_key_are_never_ok() {
    let patient = Patient::sqlite();
    let found = checks(&patient.doctor(&[]).env("ENCRYPTION_KEY", OTHER), 1);
    assert_eq!(
        messages(&found, "stored.unreadable", "error"),
        [
            "stored keys do not open with any of the encryption keys: acme (anon), acme (service), birch (anon), \
          birch (service) (4 keys)"
        ]
    );
    // Rows that were cached under the other key are not believed either.
    assert_eq!(messages(&found, "cache.refused", "warning").len(), 1);
    patient
        .database
        .execute("update tenants set data_source_anon_key = 'sb_secret_plain' where subdomain = 'acme'");
    let cli = patient.doctor(&[]).env("ENCRYPTION_KEY", "");
    let found = checks(&cli, 1);
    assert_eq!(wrong(&found), ["error encryption-key.set", "error stored.plaintext"]);
    for code in [
        "stored.sealed",
        "stored.unreadable",
        "source.credentials",
        "source.usable",
        "source.duplicates",
        "cache.same",
    ] {
        assert!(of(&found, code).iter().all(|check| check["status"] == "skipped"), "{code}: {found:#?}");
    }
    assert!(!format!("{found:?}").contains(KEY));
}
