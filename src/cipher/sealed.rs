//! The text form of a sealed key: `base64(iv):base64(tag):base64(ciphertext)`, as the running Node application
//! reads and writes it.
//!
//! Written canonically: standard alphabet, padded. Read as Node's `Buffer.from(text, 'base64')` reads it, measured
//! on Node 20: the url-safe alphabet counts too, every other character is skipped, the first `=` ends the part,
//! a left-over digit is dropped. IV and tag must then be 16 bytes each, whatever their spelling.

use base64_simd::STANDARD;

/// Length of the IV, bytes. GCM recommends 12; the field has 16.
pub(super) const IV_LENGTH: usize = 16;
/// Length of the authentication tag, bytes.
pub(super) const TAG_LENGTH: usize = 16;
/// Digits of the IV or tag in canonical base64.
const PART: usize = 24;

/// A sealed text taken apart, not yet opened.
pub struct Sealed {
    pub(super) iv: [u8; IV_LENGTH],
    pub(super) tag: [u8; TAG_LENGTH],
    /// No secret: it becomes the plaintext only when it is authentic, and is then taken away.
    pub(super) ciphertext: Vec<u8>,
    canonical: bool,
}

/// Why a stored value does not open. The first sentences are those that the field knows from the application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Not three parts of base64 with an IV and a tag of 16 bytes.
    #[error("Invalid encrypted key format. Expected format: iv:authTag:encrypted")]
    Format,
    /// No key of the ring opens it.
    #[error(
        "Failed to decrypt key: Authentication failed. The key may have been tampered with or encrypted with a \
         different key."
    )]
    Authentication,
    /// Three parts in hexadecimal: sealed by a script that chose the wrong encoding.
    #[error("the three parts are hexadecimal instead of base64")]
    Hex,
    /// A credential that was never sealed.
    #[error("the value is a plaintext credential, not a sealed one")]
    Plaintext,
    /// It opens, but to bytes that are no text.
    #[error("the opened value is no UTF-8 text")]
    NotText,
}

impl Sealed {
    /// Takes a stored value apart.
    ///
    /// # Errors
    /// [`OpenError::Plaintext`], [`OpenError::Hex`] or [`OpenError::Format`].
    pub fn parse(stored: &str) -> Result<Self, OpenError> {
        if let Some(sealed) = Self::parse_canonical(stored) {
            return Ok(sealed);
        }
        let mut parts = stored.split(':');
        if let (Some(iv), Some(tag), Some(ciphertext), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
            && let (Some(iv), Some(tag), Some(ciphertext)) =
                (decode_as_node(iv), decode_as_node(tag), decode_as_node(ciphertext))
            && let (Ok(iv), Ok(tag), false) = (iv.try_into(), tag.try_into(), ciphertext.is_empty())
        {
            return Ok(Self { iv, tag, ciphertext, canonical: false });
        }
        // Only on the way out: the shapes of the usual mistakes, so that the error can name them.
        Err(if is_plaintext(stored) {
            OpenError::Plaintext
        } else if is_hex_triple(stored) {
            OpenError::Hex
        } else {
            OpenError::Format
        })
    }

    /// The form that is written, by the places where its parts must stand.
    fn parse_canonical(stored: &str) -> Option<Self> {
        let text = stored.as_bytes();
        if text.get(PART) != Some(&b':') || text.get(2 * PART + 1) != Some(&b':') {
            return None;
        }
        let ciphertext =
            STANDARD.decode_to_vec(&text[2 * PART + 2..]).ok().filter(|text| !text.is_empty())?;
        Some(Self {
            iv: decode_16(&text[..PART])?,
            tag: decode_16(&text[PART + 1..2 * PART + 1])?,
            ciphertext,
            canonical: true,
        })
    }

    /// Whether the spelling is the one that is written: standard base64 with padding and nothing besides.
    #[must_use]
    pub fn is_canonical(&self) -> bool {
        self.canonical
    }

    /// The canonical text.
    pub(super) fn format(iv: &[u8], tag: &[u8], ciphertext: &[u8]) -> String {
        // Two parts of 24 digits, two colons, and four digits for every three bytes begun.
        let mut text = String::with_capacity(50 + ciphertext.len().div_ceil(3) * 4);
        STANDARD.encode_append(iv, &mut text);
        text.push(':');
        STANDARD.encode_append(tag, &mut text);
        text.push(':');
        STANDARD.encode_append(ciphertext, &mut text);
        text
    }
}

/// The 16 bytes of a canonical part.
fn decode_16(part: &[u8]) -> Option<[u8; 16]> {
    let mut bytes = [0; PART / 4 * 3];
    let decoded = STANDARD.decode(part, base64_simd::Out::from_slice(&mut bytes)).ok()?;
    <[u8; 16]>::try_from(&*decoded).ok()
}

/// Base64 as Node reads it; see the top of this file.
fn decode_as_node(text: &str) -> Option<Vec<u8>> {
    let mut digits: Vec<u8> = text
        .bytes()
        .take_while(|b| *b != b'=')
        .filter_map(|b| match b {
            b'-' => Some(b'+'),
            b'_' => Some(b'/'),
            b'+' | b'/' => Some(b),
            _ => b.is_ascii_alphanumeric().then_some(b),
        })
        .collect();
    if digits.len() % 4 == 1 {
        digits.pop();
    }
    base64_simd::forgiving_decode_to_vec(&digits).ok()
}

/// Whether a stored value is a credential that nobody sealed. Setup guides tell people to store them so.
fn is_plaintext(stored: &str) -> bool {
    let stored = stored.trim();
    let starts = |prefixes: &[&str]| prefixes.iter().any(|prefix| stored.starts_with(prefix));
    starts(&["sb_secret_", "sb_publishable_", "postgres://", "postgresql://"])
        || (stored.starts_with("eyJ") && stored.split('.').count() == 3)
}

/// Three parts of hexadecimal digits, with a 12- or 16-byte IV and a 16-byte tag.
fn is_hex_triple(stored: &str) -> bool {
    let parts: Vec<&str> = stored.trim().split(':').collect();
    let hex = |part: &str| part.len().is_multiple_of(2) && part.bytes().all(|b| b.is_ascii_hexdigit());
    matches!(parts[..], [iv, tag, text]
        if hex(iv) && hex(tag) && hex(text) && matches!(iv.len(), 24 | 32) && tag.len() == 32 && !text.is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_usual_mistakes_are_told_apart() {
        let hex = format!("{}:{}:{}", "0f".repeat(16), "a1".repeat(16), "beef");
        for (stored, expected) in [
            ("eyJhbGciOiJIUzI1NiJ9.eyJyb2xlIjoiYW5vbiJ9.c2ln", OpenError::Plaintext),
            ("sb_secret_abc", OpenError::Plaintext),
            ("postgres://u:p@h/db", OpenError::Plaintext),
            (hex.as_str(), OpenError::Hex),
            ("", OpenError::Format),
            ("a:b", OpenError::Format),
            ("a:b:c:d", OpenError::Format),
            ("AAAAAAAAAAAAAAAAAAAAAA==:AAAAAAAAAAAAAAAAAAAAAA==:", OpenError::Format),
            // An IV of 12 bytes, which another GCM library would have written.
            ("AAAAAAAAAAAAAAAA:AAAAAAAAAAAAAAAAAAAAAA==:AAAA", OpenError::Format),
        ] {
            assert_eq!(Sealed::parse(stored).err(), Some(expected), "{stored:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back_and_is_canonical(
            iv in any::<[u8; 16]>(), tag in any::<[u8; 16]>(), text in prop::collection::vec(any::<u8>(), 1..300),
        ) {
            let sealed = Sealed::parse(&Sealed::format(&iv, &tag, &text)).unwrap();
            prop_assert_eq!((sealed.iv, sealed.tag, &sealed.ciphertext), (iv, tag, &text));
            prop_assert!(sealed.canonical);
        }

        #[test]
        fn a_lenient_spelling_is_read_and_flagged(
            iv in any::<[u8; 16]>(), text in prop::collection::vec(any::<u8>(), 1..60),
        ) {
            let canonical = Sealed::format(&iv, &iv, &text);
            for spelling in [
                canonical.replace('+', "-").replace('/', "_").replace('=', ""),
                canonical.replace(':', " :\n"),
                format!(" {canonical}\n"),
            ] {
                let sealed = Sealed::parse(&spelling).unwrap();
                prop_assert_eq!((sealed.iv, &sealed.ciphertext), (iv, &text));
                prop_assert!(!sealed.canonical);
            }
        }

        #[test]
        fn any_text_is_taken_apart_or_refused_without_a_panic(text in any::<String>()) {
            let _ = Sealed::parse(&text);
        }
    }
}
