//! Authentication of what is not sealed: rows of the state store, which others may be able to write.
//!
//! A file of its own because it needs the raw keys once, to derive from each a subkey with HKDF-SHA-256 (RFC 5869) that
//! serves nothing else; the code itself is HMAC-SHA-256. Whoever can write to the store but has no encryption key can
//! neither make nor alter a row without being noticed.

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::key::EncryptionKey;
use super::ring::KeyRing;

/// An authentication code, 32 bytes.
pub type Code = [u8; 32];

/// Makes codes under the current encryption key of a ring, and checks them under any of its keys.
#[derive(Clone)]
pub struct Authenticator {
    current: Hmac<Sha256>,
    earlier: Vec<Hmac<Sha256>>,
}

impl Authenticator {
    /// An authenticator for one purpose, such as `boothds state row v1`: codes for one purpose are none for another.
    #[must_use]
    pub fn new(ring: &KeyRing, purpose: &str) -> Self {
        let subkey = |key: &EncryptionKey| {
            let mut derived = Zeroizing::new([0u8; 32]);
            // The only error is a length over 255 times the hash's.
            key.derive(|bytes| Hkdf::<Sha256>::new(None, bytes).expand(purpose.as_bytes(), &mut derived[..]))
                .expect("32 bytes are within what HKDF-SHA-256 can derive");
            Hmac::new_from_slice(&derived[..]).expect("HMAC takes a key of any length")
        };
        Self { current: subkey(ring.current()), earlier: ring.earlier().iter().map(subkey).collect() }
    }

    /// The code of these parts, each with its length, so that no two lists of parts are one text.
    #[must_use]
    pub fn code(&self, parts: &[&[u8]]) -> Code {
        absorb(self.current.clone(), parts).finalize().into_bytes().into()
    }

    /// Whether `code` is that of these parts under the current key or an earlier one. Takes the same time wherever a
    /// wrong code differs.
    #[must_use]
    pub fn verify(&self, parts: &[&[u8]], code: &[u8]) -> bool {
        let keys = std::iter::once(&self.current).chain(&self.earlier);
        keys.into_iter().any(|key| absorb(key.clone(), parts).verify_slice(code).is_ok())
    }
}

impl std::fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Authenticator")
    }
}

fn absorb(mut mac: Hmac<Sha256>, parts: &[&[u8]]) -> Hmac<Sha256> {
    for part in parts {
        mac.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
        mac.update(part);
    }
    mac
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    fn ring(current: char, earlier: &[char]) -> KeyRing {
        let key = |c: char| EncryptionKey::parse(&Secret::new(c.to_string().repeat(64)), "test").unwrap();
        KeyRing::new(key(current), earlier.iter().map(|c| key(*c)).collect())
    }

    #[test]
    fn a_code_holds_for_its_parts_its_purpose_and_its_keys_alone() {
        let one = Authenticator::new(&ring('1', &[]), "test");
        let code = one.code(&[b"ab", b"c"]);
        assert!(one.verify(&[b"ab", b"c"], &code));
        for parts in [&[b"a".as_slice(), b"bc"][..], &[b"abc"], &[b"ab", b"c", b""], &[b"ab", b"d"]] {
            assert!(!one.verify(parts, &code), "{parts:?}");
        }
        assert!(!one.verify(&[b"ab", b"c"], &code[..31]));
        assert!(!Authenticator::new(&ring('1', &[]), "other").verify(&[b"ab", b"c"], &code));
        assert!(!Authenticator::new(&ring('2', &[]), "test").verify(&[b"ab", b"c"], &code));
        assert!(Authenticator::new(&ring('2', &['1']), "test").verify(&[b"ab", b"c"], &code));
    }

    #[test]
    fn codes_are_those_of_the_published_algorithms() {
        // Computed with Python's hmac and hashlib, step by step after RFC 5869 and RFC 2104.
        let code = Authenticator::new(&ring('1', &[]), "test").code(&[b"part"]);
        let hex: String = code.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "36478f5d4c1fda07c52d090a4c53cd72a08807ba114065cc1645961643cd3f11");
    }
}
