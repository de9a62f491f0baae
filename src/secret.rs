//! Text that must not be shown: keys, passwords, tokens, and stored values that may turn out to be one.
//!
//! A file of its own so that every reader of a secret goes through one method, [`Secret::expose`], whose call
//! sites a test counts.

use std::fmt;

use zeroize::Zeroize;

/// What stands in place of a secret wherever one would have been printed.
pub const REDACTED: &str = "«redacted»";

/// A secret text. It is wiped from memory on drop, prints as `«redacted»`, and has neither `Display` nor
/// `Serialize` nor `PartialEq`.
///
/// ```
/// let key = boothds::secret::Secret::new("sb_secret_abc".to_owned());
/// assert_eq!(format!("{key:?}"), "«redacted»");
/// assert_eq!(key.expose(), "sb_secret_abc");
/// ```
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Takes over `text`. Copies that the caller made before are the caller's to wipe.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The one way to the text. Hand it to the cipher, the driver or the server it is meant for, nowhere else.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether there is no text at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        // `String::zeroize` wipes byte by byte; a slice is wiped in words, which is a tenth of opening a key. What a
        // longer text left behind the end goes too.
        let mut bytes = std::mem::take(&mut self.0).into_bytes();
        bytes.as_mut_slice().zeroize();
        bytes.spare_capacity_mut().zeroize();
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_of_anything_that_holds_a_secret_does_not_show_it() {
        let held = Some(vec![Secret::new("hunter2".to_owned())]);
        assert_eq!(format!("{held:?}"), "Some([«redacted»])");
    }
}
