//! The key ring: the current key, which seals, and the earlier ones, which still open.
//!
//! The sealed form has no key id, so opening is by trial; it is authenticated, so that a wrong key cannot
//! succeed. The current key is tried first: after a rotation that is the only trial.

use super::key::{EncryptionKey, KeyError, KeyId, into_text};
use super::sealed::{OpenError, Sealed};
use crate::private_file;
use crate::secret::Secret;
use crate::settings::{KeySource, Settings, Sourced};

/// The current encryption key and the earlier ones.
#[derive(Clone, Debug)]
pub struct KeyRing {
    current: EncryptionKey,
    earlier: Vec<EncryptionKey>,
}

/// An opened value.
#[derive(Clone, Debug)]
pub struct Opened {
    /// What was sealed.
    pub plaintext: Secret,
    /// The key that opened it.
    pub key_id: KeyId,
    /// Whether that is the current key.
    pub current: bool,
    /// Whether the stored text was spelt as it is written today.
    pub canonical: bool,
}

impl KeyRing {
    /// A ring of these keys. An earlier key that is the current one, or there twice, is dropped.
    #[must_use]
    pub fn new(current: EncryptionKey, earlier: Vec<EncryptionKey>) -> Self {
        let mut known = vec![current.id()];
        let earlier = earlier
            .into_iter()
            .filter(|key| {
                let new = !known.contains(&key.id());
                known.push(key.id());
                new
            })
            .collect();
        Self { current, earlier }
    }

    /// The ring that the settings name; reads the files they point to.
    ///
    /// # Errors
    /// [`KeyError::NotSet`] when there is no current key; otherwise what is wrong with one.
    pub fn from_settings(settings: &Settings) -> Result<Self, KeyError> {
        let current = settings.encryption_key.as_ref().ok_or(KeyError::NotSet)?;
        let current = match load(current)?.as_slice() {
            [(digits, _)] if digits.is_empty() && matches!(current.value, KeySource::Text(_)) => {
                return Err(KeyError::NotSet);
            }
            [(digits, place)] => EncryptionKey::parse(digits, place)?,
            // A key file with several lines is no key file: which one would be meant?
            several => EncryptionKey::parse(&join(several), &current.origin.to_string())?,
        };
        let earlier = match &settings.previous_keys {
            // Named and empty, as orchestrators leave it: there are none.
            Some(Sourced { value: KeySource::Text(text), .. }) if text.expose().trim().is_empty() => {
                Vec::new()
            }
            Some(source) => load_keys(source)?,
            None => Vec::new(),
        };
        Ok(Self::new(current, earlier))
    }

    /// The key that seals.
    #[must_use]
    pub fn current(&self) -> &EncryptionKey {
        &self.current
    }

    /// The keys that only open, in the order they are tried.
    #[must_use]
    pub fn earlier(&self) -> &[EncryptionKey] {
        &self.earlier
    }

    /// Seals a text under the current key.
    #[must_use]
    pub fn seal(&self, plaintext: &str) -> String {
        self.current.seal(plaintext)
    }

    /// Opens a stored value with the first key that fits.
    ///
    /// # Errors
    /// An [`OpenError`]; [`OpenError::Authentication`] when no key fits.
    pub fn open(&self, stored: &str) -> Result<Opened, OpenError> {
        let mut sealed = Sealed::parse(stored)?;
        let canonical = sealed.is_canonical();
        let mut open = |key: &EncryptionKey, current: bool| {
            key.open_in_place(&mut sealed).ok()?;
            let plaintext = into_text(std::mem::take(&mut sealed.ciphertext));
            Some(plaintext.map(|plaintext| Opened { plaintext, key_id: key.id(), current, canonical }))
        };
        if let Some(opened) = open(&self.current, true) {
            return opened;
        }
        if let Some(opened) = self.earlier.iter().find_map(|key| open(key, false)) {
            return opened;
        }
        Err(OpenError::Authentication)
    }
}

/// The keys that a source names, in their order; reads the files it points to.
///
/// # Errors
/// What is wrong with the first that cannot be had.
pub fn load_keys(source: &Sourced<KeySource>) -> Result<Vec<EncryptionKey>, KeyError> {
    load(source)?.iter().map(|(digits, place)| EncryptionKey::parse(digits, place)).collect()
}

/// The texts of the keys that a source names, each with the place to name in an error.
fn load(source: &Sourced<KeySource>) -> Result<Vec<(Secret, String)>, KeyError> {
    let origin = &source.origin;
    let cut = |text: &str, place: String| (Secret::new(text.trim().to_owned()), place);
    match &source.value {
        KeySource::Text(text) => {
            Ok(text.expose().split(',').map(|key| cut(key, origin.to_string())).collect())
        }
        KeySource::Files(files) => {
            let mut keys = Vec::new();
            for file in files {
                let text = private_file::read(file)
                    .map_err(|source| KeyError::File { origin: origin.clone(), source })?;
                for (number, line) in text.expose().lines().enumerate() {
                    if !line.trim().is_empty() {
                        // The line that `keygen --env` writes serves as well.
                        let line = line.trim().strip_prefix("ENCRYPTION_KEY=").unwrap_or(line);
                        keys.push(cut(line, format!("{}, line {},", file.display(), number + 1)));
                    }
                }
                if keys.is_empty() {
                    keys.push((Secret::new(String::new()), file.display().to_string()));
                }
            }
            Ok(keys)
        }
        // Only the command line runs commands; it replaces the source by what the command printed.
        KeySource::Command(_) => Err(KeyError::Command {
            origin: origin.clone(),
            source: std::io::Error::other("commands are run by the command line only"),
        }),
    }
}

fn join(keys: &[(Secret, String)]) -> Secret {
    Secret::new(keys.iter().map(|(key, _)| key.expose()).collect::<Vec<_>>().join("\n"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ring(current: char, earlier: &[char]) -> KeyRing {
        let key = |c: char| EncryptionKey::parse(&Secret::new(c.to_string().repeat(64)), "test").unwrap();
        KeyRing::new(key(current), earlier.iter().map(|c| key(*c)).collect())
    }

    #[test]
    fn an_earlier_key_opens_and_is_said_to_be_earlier() {
        let sealed = ring('1', &[]).seal("text");
        let opened = ring('2', &['3', '1']).open(&sealed).unwrap();
        assert_eq!((opened.plaintext.expose(), opened.current, opened.canonical), ("text", false, true));
        assert_eq!(opened.key_id, ring('1', &[]).current().id());
        assert_eq!(ring('2', &['3']).open(&sealed).err(), Some(OpenError::Authentication));
    }

    #[test]
    fn a_key_that_is_there_twice_is_tried_once() {
        assert!(ring('1', &['1']).earlier().is_empty());
        assert_eq!(ring('1', &['2', '2']).earlier().len(), 1);
    }

    #[test]
    fn two_sealings_of_one_text_differ() {
        let ring = ring('1', &[]);
        assert_ne!(ring.seal("text"), ring.seal("text"));
    }

    #[test]
    fn a_file_of_several_keys_is_no_current_key() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keys");
        std::fs::write(&file, format!("{}\n\n{}\n", "1".repeat(64), "2".repeat(64))).unwrap();
        let path = file.to_str().unwrap();
        let settings = Settings::from_vars([("ENCRYPTION_KEY_FILE", path)]).unwrap();
        assert!(matches!(KeyRing::from_settings(&settings), Err(KeyError::Malformed { .. })));
        let digits = "3".repeat(64);
        let settings = Settings::from_vars([
            ("ENCRYPTION_KEY", digits.as_str()),
            ("ENCRYPTION_KEY_PREVIOUS_FILE", path),
        ])
        .unwrap();
        assert_eq!(KeyRing::from_settings(&settings).unwrap().earlier().len(), 2);
    }

    proptest! {
        #[test]
        fn every_text_comes_back(text in "\\PC{1,200}") {
            let ring = ring('a', &[]);
            let opened = ring.open(&ring.seal(&text)).unwrap();
            prop_assert_eq!(opened.plaintext.expose(), text);
        }

        #[test]
        fn one_changed_bit_anywhere_is_noticed(at in 0usize..1000, bit in 0u8..8) {
            let ring = ring('a', &[]);
            let mut sealed = Sealed::parse(&ring.seal("a text of some length")).unwrap();
            let length = 32 + sealed.ciphertext.len();
            let at = at % length;
            let byte = if at < 16 { &mut sealed.iv[at] } else if at < 32 { &mut sealed.tag[at - 16] }
                else { &mut sealed.ciphertext[at - 32] };
            *byte ^= 1 << bit;
            let stored = Sealed::format(&sealed.iv, &sealed.tag, &sealed.ciphertext);
            prop_assert_eq!(ring.open(&stored).err(), Some(OpenError::Authentication));
        }
    }
}
