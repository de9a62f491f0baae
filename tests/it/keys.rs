//! `keygen`, `encrypt` and `decrypt`: mostly how they refuse.

use std::os::unix::fs::PermissionsExt;

use crate::support::cli::Cli;
use crate::support::node;

const KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
const OTHER: &str = "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100";
const SENTENCE: &str = "ENCRYPTION_KEY must be 64 hex characters (32 bytes for AES-256)";

fn sealing(args: &[&str], input: &str) -> Cli {
    Cli::new(args).env("ENCRYPTION_KEY", KEY).stdin(input)
}

#[test]
fn keygen_prints_what_openssl_would_and_the_id_beside_it() {
    let ran = Cli::new(["keygen"]).run().expect_code(0);
    let digits = ran.stdout.strip_suffix('\n').unwrap();
    assert!(digits.len() == 64 && digits.bytes().all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase()));
    assert!(ran.stderr.starts_with("note: key id ") && !ran.stderr.contains(digits), "{}", ran.stderr);
    assert_ne!(Cli::new(["keygen"]).run().stdout, ran.stdout);
    let ran = Cli::new(["keygen", "--env"]).run().expect_code(0);
    assert!(ran.stdout.starts_with("ENCRYPTION_KEY=") && ran.stdout.len() == 15 + 65);
    let json = Cli::new(["keygen", "--json"]).run().expect_code(0).json();
    assert_eq!((json["key"].as_str().unwrap().len(), json["keyId"].as_str().unwrap().len()), (64, 8));
}

#[test]
fn keygen_never_writes_over_a_key_and_never_shows_the_one_it_writes() {
    let cli = Cli::new(["keygen", "--output", "key", "--json"]);
    let ran = cli.run().expect_code(0);
    let written = std::fs::read_to_string(cli.folder().join("key")).unwrap();
    assert_eq!(cli.folder().join("key").metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!ran.stdout.contains(written.trim()) && ran.json()["file"] == "key");
    let ran = cli.run().expect_code(9);
    assert!(ran.stderr.contains(r#""code":"io""#) && ran.stderr.contains("exists already"), "{}", ran.stderr);
    assert_eq!(std::fs::read_to_string(cli.folder().join("key")).unwrap(), written);
    let ran = Cli::new(["keygen", "--output", "key", "--force"]).cwd(cli.folder()).run().expect_code(0);
    assert!(ran.stdout.is_empty());
    assert_ne!(std::fs::read_to_string(cli.folder().join("key")).unwrap(), written);
    let ran = Cli::new(["keygen", "--output", "no/such/folder/key"]).run().expect_code(9);
    assert!(ran.stderr.contains("no/such/folder"), "{}", ran.stderr);
}

#[test]
fn encrypt_drops_one_newline_and_raw_keeps_it() {
    for (args, input, expected) in [
        (vec!["encrypt"], "text\n", "text"),
        (vec!["encrypt"], "text\r\n", "text"),
        (vec!["encrypt"], "text\n\n", "text\n"),
        (vec!["encrypt"], "text", "text"),
        (vec!["encrypt", "--raw"], "text\n", "text\n"),
    ] {
        let sealed = sealing(&args, input).run().expect_code(0).stdout;
        assert_eq!(node::open(KEY, &[sealed.trim_end().to_owned()])[0].as_deref(), Ok(expected), "{input:?}");
    }
}

#[test]
fn encrypt_lines_seals_each_and_json_is_an_object_a_line() {
    let ran = sealing(&["encrypt", "--lines", "--json"], "a\nb\r\nc").run().expect_code(0);
    let sealed: Vec<String> =
        ran.json_lines().iter().map(|line| line["encrypted"].as_str().unwrap().to_owned()).collect();
    let opened: Vec<_> = node::open(KEY, &sealed).into_iter().map(Result::unwrap).collect();
    assert_eq!(opened, ["a", "b", "c"]);
}

#[test]
fn a_file_serves_in_place_of_standard_input() {
    let cli = sealing(&["encrypt", "--file", "plain"], "not this");
    std::fs::write(cli.folder().join("plain"), "from the file\n").unwrap();
    let sealed = cli.run().expect_code(0).stdout;
    assert_eq!(node::open(KEY, &[sealed.trim().to_owned()])[0].as_deref(), Ok("from the file"));
    let ran = sealing(&["encrypt", "--file", "missing"], "").run().expect_code(9);
    assert!(ran.stderr.contains("cannot read missing"), "{}", ran.stderr);
}

#[test]
fn input_that_is_no_value_is_refused_by_name() {
    for (args, input, code, says) in [
        (vec!["encrypt"], &b""[..], 2, "standard input is empty"),
        (vec!["encrypt"], b"\n", 2, "standard input is empty"),
        (vec!["encrypt", "--lines"], b"", 2, "standard input is empty"),
        (vec!["encrypt", "--lines"], b"a\n\nb\n", 2, "line 2 of the input is empty"),
        (vec!["encrypt"], b"\xff\xfe", 2, "no UTF-8"),
        (vec!["encrypt", "--raw", "--lines"], b"a", 2, "cannot be used with"),
        (vec!["decrypt"], b"", 2, "standard input is empty"),
        (
            vec!["decrypt"],
            b"nonsense",
            4,
            "Invalid encrypted key format. Expected format: iv:authTag:encrypted",
        ),
        (vec!["decrypt"], b"sb_secret_hunter2hunter2", 4, "plaintext"),
    ] {
        let ran = Cli::new(&args).env("ENCRYPTION_KEY", KEY).stdin(input).run().expect_code(code);
        assert!(ran.stderr.contains(says), "{args:?}: {}", ran.stderr);
        assert!(!ran.stderr.contains("hunter2") && (code == 4 || ran.stdout.lines().count() <= 1));
    }
}

#[test]
fn a_secret_given_as_an_argument_is_refused_and_not_repeated() {
    for command in ["encrypt", "decrypt"] {
        let ran = sealing(&[command, "hunter2hunter2"], "").run().expect_code(2);
        assert!(!format!("{}{}", ran.stdout, ran.stderr).contains("hunter2"), "{}", ran.stderr);
        assert!(ran.stderr.contains("not taken as an argument"));
    }
}

#[test]
fn decrypt_tells_what_it_is_and_reveals_only_when_told_to() {
    let sealed = &node::seal(KEY, &["sb_secret_hunter2hunter2"])[0];
    let ran = sealing(&["decrypt"], sealed).run().expect_code(0);
    assert!(ran.stdout.contains("supabase-secret") && !ran.stdout.contains("hunter2"), "{}", ran.stdout);
    let json = sealing(&["decrypt", "--json"], sealed).run().expect_code(0).json();
    assert_eq!(json["valid"], true);
    assert_eq!((json["kind"].as_str(), json["canonical"].as_bool()), (Some("supabase-secret"), Some(true)));
    assert!(json.get("plaintext").is_none());
    assert_eq!(sealing(&["decrypt", "--reveal"], sealed).run().stdout, "sb_secret_hunter2hunter2\n");
    let json = sealing(&["decrypt", "--reveal", "--json"], &sealed.replace('=', "")).run().json();
    assert_eq!(
        (json["plaintext"].as_str(), json["canonical"].as_bool()),
        (Some("sb_secret_hunter2hunter2"), Some(false))
    );
}

#[test]
fn decrypt_opens_with_an_earlier_key_and_says_so() {
    let sealed = &node::seal(OTHER, &["hunter2"])[0];
    let ran = sealing(&["decrypt"], sealed).run().expect_code(4);
    assert!(
        ran.stderr
            .contains("Failed to decrypt key: Authentication failed. The key may have been tampered with")
    );
    let ran = sealing(&["decrypt"], sealed).env("ENCRYPTION_KEY_PREVIOUS", OTHER).run().expect_code(0);
    assert!(ran.stdout.contains("earlier key"), "{}", ran.stdout);
}

#[test]
fn decrypt_lines_goes_on_after_one_that_does_not_open() {
    let sealed = node::seal(KEY, &["a", "b"]);
    let input = format!("{}\nbroken\n{}\n", sealed[0], sealed[1]);
    let ran = sealing(&["decrypt", "--lines", "--json"], &input).run().expect_code(4);
    let valid: Vec<bool> = ran.json_lines().iter().map(|line| line["valid"].as_bool().unwrap()).collect();
    assert_eq!(valid, [true, false, true]);
}

#[test]
fn an_encryption_key_that_is_none_ends_with_its_sentence() {
    for (value, cause) in [
        (KEY[..63].to_owned(), "holds 63 characters"),
        (format!("{KEY}0"), "holds 65 characters"),
        ("g".repeat(64), "not all of them hexadecimal"),
    ] {
        let ran = Cli::new(["encrypt"]).env("ENCRYPTION_KEY", &value).stdin("x").run().expect_code(4);
        assert!(ran.stderr.contains(SENTENCE) && ran.stderr.contains(cause), "{}", ran.stderr);
        assert!(!ran.stderr.contains(&value[..40]), "{}", ran.stderr);
    }
    for cli in [Cli::new(["encrypt"]), Cli::new(["encrypt"]).env("ENCRYPTION_KEY", "")] {
        let ran = cli.stdin("x").run().expect_code(4);
        assert!(ran.stderr.contains("ENCRYPTION_KEY environment variable is not set"), "{}", ran.stderr);
    }
    let ran = Cli::new(["encrypt", "--json"]).stdin("x").run().expect_code(4);
    let error: serde_json::Value = serde_json::from_str(&ran.stderr).unwrap();
    assert_eq!(error["error"]["code"], "key");
}

#[test]
fn a_key_file_serves_and_a_missing_one_is_named() {
    let cli = Cli::new(["encrypt", "--encryption-key-file", "k"]).stdin("x");
    std::fs::write(cli.folder().join("k"), format!("{KEY}\n")).unwrap();
    let sealed = cli.run().expect_code(0).stdout;
    assert!(node::open(KEY, &[sealed.trim().to_owned()])[0].is_ok());
    let ran =
        Cli::new(["encrypt"]).env("ENCRYPTION_KEY_FILE", "/no/such/key").stdin("x").run().expect_code(4);
    assert!(
        ran.stderr.contains("/no/such/key") && ran.stderr.contains("ENCRYPTION_KEY_FILE"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_line_that_does_not_open_is_no_plaintext() {
    let sealed = node::seal(KEY, &["a"]);
    let input = format!("{}\nbroken\n\n", sealed[0]);
    let ran = sealing(&["decrypt", "--lines", "--reveal"], &input).run().expect_code(4);
    assert_eq!(ran.stdout, "a\n\n\n");
    let ran = sealing(&["decrypt", "--lines"], &input).run().expect_code(4);
    assert_eq!(ran.stdout.lines().filter(|line| *line == "does not open").count(), 2);
}
