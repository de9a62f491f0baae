//! The shape of the encryption key: there, of the right form, not to be guessed, nothing around it, none twice.

use super::settings::report;
use super::{Installation, Sink, skip};
use crate::cipher::{EncryptionKey, KeyRing, load_keys};
use crate::finding::CheckCode;
use crate::private_file;
use crate::sanitize::printable;
use crate::secret::Secret;
use crate::settings::{KeySource, Sourced};

/// So many different digits a key made at random has for certain: with less than that the chance is 1 in 10¹².
const FEWEST_DIGITS: usize = 8;

pub(super) fn check(installation: &Installation, sink: &Sink) {
    let ring = match &installation.ring {
        Ok(ring) => ring,
        Err(problem) => {
            report(CheckCode::EncryptionKeySet, problem, sink);
            spelling(installation, sink);
            let why = "there is no encryption key to look at";
            skip(&[CheckCode::EncryptionKeyWeak, CheckCode::EncryptionKeyEarlier], why, sink);
            return;
        }
    };
    let id = ring.current().id();
    let origin = installation.settings.encryption_key.as_ref().map(|key| key.origin.to_string());
    sink.ok(CheckCode::EncryptionKeySet, format!("key {id} ({})", origin.unwrap_or_default()));
    let keys = std::iter::once(ring.current()).chain(ring.earlier());
    let weak: Vec<String> =
        keys.filter_map(|key| weakness(key).map(|why| format!("key {}: {why}", key.id()))).collect();
    for text in &weak {
        sink.wrong(CheckCode::EncryptionKeyWeak, text.clone());
    }
    if weak.is_empty() {
        sink.ok(CheckCode::EncryptionKeyWeak, "no pattern is to be seen in it");
    }
    spelling(installation, sink);
    earlier(installation, ring, sink);
}

/// Why a key can be guessed, if it can.
fn weakness(key: &EncryptionKey) -> Option<&'static str> {
    let digits = key.digits().expose().as_bytes();
    let repeats = |length: usize| digits.chunks(length).all(|part| part == &digits[..length]);
    let mut different = digits.to_vec();
    different.sort_unstable();
    different.dedup();
    let bytes: Vec<u8> = digits.chunks(2).map(|pair| nibble(pair[0]) << 4 | nibble(pair[1])).collect();
    let counts = |step: u8| bytes.windows(2).all(|pair| pair[0].wrapping_add(step) == pair[1]);
    match () {
        () if repeats(1) => Some("all of its digits are the same"),
        () if [2, 4, 8, 16].into_iter().any(repeats) => Some("it repeats itself"),
        () if counts(1) || counts(255) || counts(0x11) => Some("it counts"),
        () if different.len() < FEWEST_DIGITS => Some("it has few different digits"),
        () => None,
    }
}

fn nibble(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20).wrapping_sub(b'a').wrapping_add(10),
    }
}

/// Whether something stands around the digits that boothds reads past.
fn spelling(installation: &Installation, sink: &Sink) {
    const CODE: CheckCode = CheckCode::EncryptionKeySpelling;
    let Some(Sourced { value, origin }) = &installation.settings.encryption_key else {
        sink.skipped(CODE, "there is no encryption key to look at");
        return;
    };
    let texts: Vec<(Secret, String)> = match value {
        KeySource::Text(text) => vec![(text.clone(), origin.to_string())],
        KeySource::Command(_) => {
            sink.skipped(CODE, "the command that prints the key failed");
            return;
        }
        KeySource::Files(files) => {
            let read = files.iter().filter_map(|file| {
                // One newline at the end of a file is how files end.
                let text = private_file::read(file).ok()?;
                let text = text.expose().strip_suffix('\n').unwrap_or(text.expose()).to_owned();
                Some((Secret::new(text), printable(&file.display().to_string()).into_owned()))
            });
            read.collect()
        }
    };
    if texts.is_empty() {
        sink.skipped(CODE, "the file of the encryption key cannot be read");
        return;
    }
    let odd = texts.iter().filter_map(|(text, place)| {
        let what = oddity(text)?;
        Some(format!("{place} has {what} around the key"))
    });
    let odd: Vec<String> = odd.collect();
    for text in &odd {
        sink.wrong(CODE, text.clone());
    }
    if odd.is_empty() {
        sink.ok(CODE, "nothing stands around its digits");
    }
}

fn oddity(text: &Secret) -> Option<&'static str> {
    let text = text.expose();
    let trimmed = text.trim();
    let quoted = |quote: char| trimmed.len() > 1 && trimmed.starts_with(quote) && trimmed.ends_with(quote);
    if quoted('"') || quoted('\'') {
        Some("quotes")
    } else if trimmed.len() != text.len() {
        Some("blanks or newlines")
    } else {
        None
    }
}

/// Earlier keys that are the current one, or there twice.
fn earlier(installation: &Installation, ring: &KeyRing, sink: &Sink) {
    const CODE: CheckCode = CheckCode::EncryptionKeyEarlier;
    // Set to an empty text, as orchestrators leave it, it names none.
    let is_empty = |source: &&Sourced<KeySource>| matches!(&source.value, KeySource::Text(text) if text.expose().trim().is_empty());
    let Some(source) = installation.settings.previous_keys.as_ref().filter(|source| !is_empty(source)) else {
        sink.ok(CODE, "there are no earlier keys");
        return;
    };
    let keys = match load_keys(source) {
        Ok(keys) => keys,
        Err(error) => {
            sink.error(CODE, super::chain(&error));
            return;
        }
    };
    let mut known = vec![ring.current().id()];
    let mut superfluous = false;
    for key in &keys {
        let id = key.id();
        if known.contains(&id) {
            let what = if id == ring.current().id() { "the current one" } else { "there twice" };
            sink.wrong(CODE, format!("the earlier key {id} ({}) is {what}", source.origin));
            superfluous = true;
        }
        known.push(id);
    }
    if !superfluous {
        let ids: Vec<String> = keys.iter().map(|key| key.id().to_string()).collect();
        sink.ok(CODE, format!("earlier keys that still open: {} ({})", ids.join(", "), source.origin));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_can_be_guessed_is_said_to_be_weak_and_none_that_was_made_at_random() {
        let weak =
            |digits: &str| weakness(&EncryptionKey::parse(&Secret::new(digits.to_owned()), "test").unwrap());
        assert_eq!(weak(&"0".repeat(64)), Some("all of its digits are the same"));
        assert_eq!(weak(&"0123456789abcdef".repeat(4)), Some("it repeats itself"));
        assert_eq!(weak(&"deadbeef".repeat(8)), Some("it repeats itself"));
        let counting: String = (0..32).map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(weak(&counting), Some("it counts"));
        assert_eq!(weak(&format!("{}1", "0".repeat(63))), Some("it has few different digits"));
        for _ in 0..1000 {
            assert_eq!(weakness(&EncryptionKey::generate()), None);
        }
    }

    #[test]
    fn what_stands_around_a_key_is_named() {
        let odd = |text: &str| oddity(&Secret::new(text.to_owned()));
        assert_eq!((odd("\"aa\""), odd("'aa' ")), (Some("quotes"), Some("quotes")));
        assert_eq!(
            (odd(" aa"), odd("aa\n"), odd("aa")),
            (Some("blanks or newlines"), Some("blanks or newlines"), None)
        );
    }
}
