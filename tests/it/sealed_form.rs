//! The sealed form against the other end of it: Node's `crypto`.

use boothds::cipher::{EncryptionKey, KeyRing};
use boothds::secret::Secret;

use crate::support::node;

const KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
const TEXTS: [&str; 4] =
    ["x", "eyJhbGciOiJIUzI1NiJ9.eyJyb2xlIjoiYW5vbiJ9.c2ln", "postgres://u:p%40@h/db", "schlüssel ✓ 🔑"];

fn ring() -> KeyRing {
    KeyRing::new(EncryptionKey::parse(&Secret::new(KEY.to_owned()), "test").unwrap(), Vec::new())
}

#[test]
fn what_node_seals_opens_here_and_is_canonical() {
    for (sealed, text) in node::seal(KEY, &TEXTS).iter().zip(TEXTS) {
        let opened = ring().open(sealed).unwrap();
        assert_eq!((opened.plaintext.expose(), opened.canonical), (text, true));
    }
}

#[test]
fn what_is_sealed_here_opens_in_node() {
    let sealed: Vec<String> = TEXTS.iter().map(|text| ring().seal(text)).collect();
    let opened: Vec<String> = node::open(KEY, &sealed).into_iter().map(Result::unwrap).collect();
    assert_eq!(opened, TEXTS);
}

#[test]
fn odd_spellings_open_here_exactly_when_they_open_in_node() {
    let canonical =
        ring().seal("some text that is long enough to have both + and / in its digits, most likely");
    let (head, tail) = canonical.split_at(canonical.len() / 2);
    let spellings = [
        canonical.clone(),
        canonical.replace('=', ""),
        canonical.replace('+', "-").replace('/', "_"),
        canonical.replace(':', " : "),
        format!("{head}\n{tail}"),
        format!("\u{feff}{canonical}"),
        format!("{canonical}=="),
        format!("{canonical}A"),
        format!("{head}={tail}"),
        format!("{head}${tail}"),
        canonical.replace(':', ";"),
        format!("{canonical}:"),
    ];
    let by_node = node::open(KEY, &spellings);
    for (spelling, by_node) in spellings.iter().zip(by_node) {
        assert_eq!(ring().open(spelling).is_ok(), by_node.is_ok(), "{spelling:?}");
    }
}

#[test]
fn a_wrong_key_opens_nothing_in_either_direction() {
    let other = "f".repeat(64);
    let sealed = node::seal(&other, &["text"]);
    assert!(ring().open(&sealed[0]).is_err());
    assert!(node::open(&other, &[ring().seal("text")])[0].is_err());
}
