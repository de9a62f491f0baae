//! The token that lets in, as a digest: what is compared takes the same time whatever was given, and what is kept in
//! memory opens nothing.
//!
//! How fast somebody may try tokens is not limited, so that nobody is kept out by another's wrong ones: a token has to be
//! one that cannot be guessed. What certainly can be is refused here.

use std::collections::HashSet;
use std::fmt;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::secret::Secret;

/// The fewest bytes of a token.
pub const SHORTEST: usize = 16;
/// The fewest different characters of a token. Random ones of [`SHORTEST`] hexadecimal digits have fewer once in 30,000.
pub const FEWEST: usize = 6;
/// The most bytes of a token: it has to fit into a header.
pub const LONGEST: usize = 1024;

/// The digest of a token.
#[derive(Clone, Copy)]
pub struct Token([u8; 32]);

/// Why a text is no token. Says nothing of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It could be guessed.
    #[error("it has fewer than {SHORTEST} characters")]
    Short,
    /// It says one thing over and over, and could be guessed.
    #[error("it has fewer than {FEWEST} different characters")]
    Monotonous,
    /// It does not fit into a header.
    #[error("it has more than {LONGEST} characters")]
    Long,
    /// It cannot stand in a header.
    #[error("it has characters other than visible ASCII ones")]
    Characters,
}

impl Token {
    /// Takes note of a token.
    ///
    /// # Errors
    /// A [`TokenError`].
    pub fn new(text: &Secret) -> Result<Self, TokenError> {
        let text = text.expose();
        if text.len() < SHORTEST {
            return Err(TokenError::Short);
        }
        if text.len() > LONGEST {
            return Err(TokenError::Long);
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(TokenError::Characters);
        }
        if text.bytes().collect::<HashSet<_>>().len() < FEWEST {
            return Err(TokenError::Monotonous);
        }
        Ok(Self::digest(text))
    }

    /// Whether this is the token, in a time that does not depend on how much of it is right.
    pub(super) fn is(&self, given: &str) -> bool {
        self.is_same(&Self::digest(given))
    }

    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }

    fn digest(text: &str) -> Self {
        Self(Sha256::digest(text.as_bytes()).into())
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(crate::secret::REDACTED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_known_again_and_no_other() {
        let token = Token::new(&Secret::new("0123456789abcdef".to_owned())).unwrap();
        assert!(token.is("0123456789abcdef"));
        for other in ["", "0123456789abcde", "0123456789abcdeg", "0123456789abcdef "] {
            assert!(!token.is(other), "{other}");
        }
        assert_eq!(format!("{token:?}"), "«redacted»");
    }

    #[test]
    fn a_text_that_can_be_guessed_or_not_sent_is_no_token() {
        for (text, error) in [
            ("short".to_owned(), TokenError::Short),
            ("abcab".repeat(8), TokenError::Monotonous),
            ("x".repeat(LONGEST + 1), TokenError::Long),
            ("has a blank within it".to_owned(), TokenError::Characters),
            ("größer-als-ascii-0123".to_owned(), TokenError::Characters),
        ] {
            assert_eq!(Token::new(&Secret::new(text)).unwrap_err(), error);
        }
    }
}
