//! An encryption key: 64 hexadecimal digits, the cipher made of them once, and the id that may be shown.

use std::fmt;

use aes_gcm::aead::AeadInOut;
use aes_gcm::aead::consts::U16;
use aes_gcm::aead::inout::InOutBuf;
use aes_gcm::{AesGcm, KeyInit, aes::Aes256};
use serde::Serialize;
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, Zeroizing};

use super::sealed::{IV_LENGTH, OpenError, Sealed};
use crate::private_file::FileError;
use crate::secret::Secret;
use crate::settings::Origin;

/// A 256-bit key that seals and opens. Its cipher is expanded once (a new one for every value would cost four
/// times the sealing itself) and wiped on drop.
#[derive(Clone)]
pub struct EncryptionKey {
    cipher: AesGcm<Aes256, U16>,
    digits: Secret,
    id: KeyId,
}

/// The first 8 hexadecimal digits of SHA-256 over the 32 bytes of a key. Safe to print; tells two keys apart.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId([u8; 4]);

/// Why there is no encryption key to work with. Sentences that the field knows; never the digits.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Nothing names one, or what does is empty.
    #[error("ENCRYPTION_KEY environment variable is not set")]
    NotSet,
    /// Something other than 64 hexadecimal digits.
    #[error("ENCRYPTION_KEY must be 64 hex characters (32 bytes for AES-256)")]
    Malformed {
        /// Where the text stands, and what it is like.
        #[source]
        source: Malformed,
    },
    /// The file that holds it cannot be read.
    #[error("cannot read the encryption key named by {origin}")]
    File {
        /// What names the file.
        origin: Origin,
        /// Why.
        source: FileError,
    },
    /// The command that prints it failed.
    #[error("the command named by {origin} did not print an encryption key")]
    Command {
        /// What names the command.
        origin: Origin,
        /// Why; holds nothing of what the command printed.
        source: std::io::Error,
    },
}

/// What is wrong with the text of a key, without showing it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place} holds {length} characters{}", if *.hex { "" } else { ", not all of them hexadecimal digits" })]
pub struct Malformed {
    /// Where it stands: an origin, a file and line.
    pub place: String,
    /// How many characters there are.
    pub length: usize,
    /// Whether all are hexadecimal digits.
    pub hex: bool,
}

impl EncryptionKey {
    /// Makes a new key with the thread's cryptographic generator, which the operating system seeds.
    #[must_use]
    pub fn generate() -> Self {
        let mut bytes = Zeroizing::new([0u8; 32]);
        rand::fill(&mut bytes[..]);
        Self::from_bytes(&bytes)
    }

    /// Reads 64 hexadecimal digits of either case. `place` names their origin in an error.
    ///
    /// # Errors
    /// [`KeyError::Malformed`].
    pub fn parse(digits: &Secret, place: &str) -> Result<Self, KeyError> {
        let text = digits.expose();
        let hex = text.bytes().all(|b| b.is_ascii_hexdigit());
        if !hex || text.len() != 64 {
            let length = text.chars().count();
            return Err(KeyError::Malformed { source: Malformed { place: place.to_owned(), length, hex } });
        }
        Ok(Self::from_bytes(&bytes_of(text)))
    }

    fn from_bytes(bytes: &[u8; 32]) -> Self {
        let mut digits = String::with_capacity(64);
        for byte in bytes {
            for nibble in [byte >> 4, byte & 15] {
                digits.push(char::from(b"0123456789abcdef"[usize::from(nibble)]));
            }
        }
        let hash = Sha256::digest(bytes);
        Self {
            cipher: AesGcm::new(bytes.into()),
            digits: Secret::new(digits),
            id: KeyId([hash[0], hash[1], hash[2], hash[3]]),
        }
    }

    /// The id by which it may be named.
    #[must_use]
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// The 64 digits in lower case, for writing the key to its file or its owner.
    #[must_use]
    pub fn digits(&self) -> &Secret {
        &self.digits
    }

    /// Lets `derive` see the 32 bytes, for subkeys; they are wiped afterwards.
    pub(super) fn derive<T>(&self, derive: impl FnOnce(&[u8; 32]) -> T) -> T {
        derive(&bytes_of(self.digits.expose()))
    }

    /// Seals a text under a fresh random IV.
    #[must_use]
    pub fn seal(&self, plaintext: &str) -> String {
        let mut iv = [0u8; IV_LENGTH];
        rand::fill(&mut iv[..]);
        let mut buffer = plaintext.as_bytes().to_vec();
        let tag = self.cipher.encrypt_inout_detached(&iv.into(), b"", InOutBuf::from(&mut buffer[..]));
        // The only error is a text over 64 GiB, which no `str` of this address space's keys is.
        let tag = tag.expect("a plaintext is shorter than GCM's limit of 64 GiB");
        Sealed::format(&iv, &tag, &buffer)
    }

    /// Opens a sealed text in its own buffer; a failure leaves it sealed, for the next key to try.
    pub(super) fn open_in_place(&self, sealed: &mut Sealed) -> Result<(), OpenError> {
        self.cipher
            .decrypt_inout_detached(
                &sealed.iv.into(),
                b"",
                InOutBuf::from(&mut sealed.ciphertext[..]),
                &sealed.tag.into(),
            )
            .map_err(|_| OpenError::Authentication)
    }
}

impl fmt::Debug for EncryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EncryptionKey({})", self.id)
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", u32::from_be_bytes(self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for KeyId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The bytes of 64 hexadecimal digits.
fn bytes_of(digits: &str) -> Zeroizing<[u8; 32]> {
    let mut bytes = Zeroizing::new([0u8; 32]);
    let value = |digit: u8| match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    };
    for (byte, pair) in bytes.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
        *byte = value(pair[0]) << 4 | value(pair[1]);
    }
    bytes
}

/// Turns opened bytes into text without leaving a copy behind.
pub(super) fn into_text(bytes: Vec<u8>) -> Result<Secret, OpenError> {
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Secret::new(text)),
        Err(error) => {
            error.into_bytes().zeroize();
            Err(OpenError::NotText)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(digits: &str) -> Result<EncryptionKey, KeyError> {
        EncryptionKey::parse(&Secret::new(digits.to_owned()), "ENCRYPTION_KEY in the environment")
    }

    #[test]
    fn the_id_is_the_start_of_the_hash_of_the_bytes() {
        // printf '%064d' 0 | xxd -r -p | sha256sum
        assert_eq!(parse(&"0".repeat(64)).unwrap().id().to_string(), "66687aad");
    }

    #[test]
    fn digits_of_either_case_are_one_key_and_come_out_in_lower_case() {
        let upper = parse(&"AbCdEf01".repeat(8)).unwrap();
        assert_eq!(upper.digits().expose(), "abcdef01".repeat(8));
        assert_eq!(upper.id(), parse(&"abcdef01".repeat(8)).unwrap().id());
    }

    #[test]
    fn a_malformed_key_is_described_and_not_shown() {
        for (digits, cause) in [
            ("a".repeat(63), "ENCRYPTION_KEY in the environment holds 63 characters"),
            ("a".repeat(65), "ENCRYPTION_KEY in the environment holds 65 characters"),
            (
                "x".repeat(64),
                "ENCRYPTION_KEY in the environment holds 64 characters, not all of them hexadecimal digits",
            ),
        ] {
            let error = parse(&digits).unwrap_err();
            assert_eq!(error.to_string(), "ENCRYPTION_KEY must be 64 hex characters (32 bytes for AES-256)");
            assert_eq!(std::error::Error::source(&error).unwrap().to_string(), cause);
            assert!(!format!("{error:?}").contains(&digits));
        }
    }

    #[test]
    fn two_generated_keys_differ_and_neither_is_shown_by_debug() {
        let (a, b) = (EncryptionKey::generate(), EncryptionKey::generate());
        assert_ne!(a.digits().expose(), b.digits().expose());
        assert!(!format!("{a:?}").contains(a.digits().expose()));
    }
}
