//! Text from outside (server messages, rows, file contents) made safe to show: no control characters for the
//! terminal, no secret that a server echoes, and no more of it than a line holds.
//!
//! A file of its own because every message that was not written in this crate must pass through here.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::secret::{REDACTED, Secret};

/// The most characters of an outside message that are shown.
pub const MESSAGE_LIMIT: usize = 300;

/// How many characters a message and a secret must have in common, in one run, for the run to be hidden. Long
/// enough that ordinary words survive, short enough that a piece of a key does not.
const SHARED_RUN: usize = 8;

/// Escapes what a terminal would act on: control characters (as `\n`, `\u{1b}`), and the invisible and
/// direction-changing characters that can make a line read as something else.
///
/// ```
/// assert_eq!(boothds::sanitize::printable("a\u{1b}[31m\nb"), "a\\u{1b}[31m\\nb");
/// ```
#[must_use]
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.chars().any(acts_on_a_terminal) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if acts_on_a_terminal(c) {
            let _ = write!(out, "{}", c.escape_default());
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// Whether a terminal would act on the character or hide it: C0, C1, and the format characters of Unicode that are invisible or change the direction of writing
/// (Unicode 16, general category Cf, and the two separators).
#[must_use]
pub fn acts_on_a_terminal(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// A message from a server, fit to be shown: what it shares with one of `secrets` is replaced by `«redacted»`,
/// what looks like any other credential too, the rest is made [`printable`] and cut at [`MESSAGE_LIMIT`].
///
/// A server may echo a key whole, cut short or within other text, so every run of eight characters or more
/// that also stands in a secret is hidden; a secret that is shorter is hidden where it stands whole.
#[must_use]
pub fn message(text: &str, secrets: &[Secret]) -> String {
    // Hidden before it is cut: a cut could otherwise leave a run that is too short to be recognised.
    let scanned: String = text.chars().take(MESSAGE_LIMIT * 8).collect();
    let hidden = hide_credentials(&hide_shared(&scanned, secrets));
    let mut shown: String = printable(hidden.trim()).into_owned();
    if let Some((cut, _)) = shown.char_indices().nth(MESSAGE_LIMIT) {
        shown.truncate(cut);
        shown.push('…');
    }
    shown
}

fn hide_shared(text: &str, secrets: &[Secret]) -> String {
    let bytes = text.as_bytes();
    let mut hide = vec![false; bytes.len()];
    for secret in secrets.iter().flat_map(disguises) {
        let secret = secret.expose().as_bytes();
        let window = secret.len().min(SHARED_RUN);
        if window == 0 || bytes.len() < window {
            continue;
        }
        for at in 0..=bytes.len() - window {
            let run = &bytes[at..at + window];
            if secret.windows(window).any(|part| part == run) {
                hide[at..at + window].fill(true);
            }
        }
    }
    replace_marked(text, &hide)
}

/// The forms in which a server may repeat a secret without meaning harm or meaning just that: as it is, in base64 and
/// hexadecimal, backwards.
fn disguises(secret: &Secret) -> [Secret; 4] {
    let text = secret.expose();
    let hex = base16(text.as_bytes());
    let base64 = base64_simd::STANDARD_NO_PAD.encode_to_string(text);
    [text.to_owned(), base64, hex, text.chars().rev().collect()].map(Secret::new)
}

fn base16(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Hides what has the shape of a key although it is none that we sent: a JWT, a Supabase key.
#[must_use]
pub fn hide_tokens(text: &str) -> String {
    let mut hide = vec![false; text.len()];
    for start in ["eyJ", "sb_secret_", "sb_publishable_"] {
        for (at, _) in text.match_indices(start) {
            let end = text[at..].find(|c: char| !is_token_character(c)).map_or(text.len(), |len| at + len);
            if end - at > start.len() + 4 {
                hide[at..end].fill(true);
            }
        }
    }
    replace_marked(text, &hide)
}

/// Hides whatever has the shape of a credential: keys, and the user part of URLs.
#[must_use]
pub fn hide_credentials(text: &str) -> String {
    hide_users(&hide_tokens(text))
}

/// Hides the user part of every URL.
fn hide_users(text: &str) -> String {
    let mut hide = vec![false; text.len()];
    for (at, _) in text.match_indices("://") {
        let from = at + 3;
        let to = text[from..].find(char::is_whitespace).map_or(text.len(), |len| from + len);
        if let Some(sign) = text[from..to].rfind('@') {
            hide[from..from + sign].fill(true);
        }
    }
    replace_marked(text, &hide)
}

fn is_token_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '+' | '/' | '=')
}

/// `text` with each marked run replaced once. A run is widened to whole characters.
fn replace_marked(text: &str, hide: &[bool]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut within = false;
    for (at, c) in text.char_indices() {
        let marked = hide[at..at + c.len_utf8()].contains(&true);
        if !marked {
            out.push(c);
        } else if !within {
            out.push_str(REDACTED);
        }
        within = marked;
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_key_echoed_whole_or_in_part_is_hidden() {
        let key = Secret::new("supersecretpassword".to_owned());
        assert_eq!(
            message("bad key supersecretpassword!", std::slice::from_ref(&key)),
            "bad key «redacted»!"
        );
        assert_eq!(message("bad key supersecretpa…", std::slice::from_ref(&key)), "bad key «redacted»…");
        let short = Secret::new("pw".to_owned());
        assert_eq!(message("user pw refused", &[short]), "user «redacted» refused");
    }

    #[test]
    fn a_key_in_disguise_is_hidden() {
        let key = Secret::new("hunter2".to_owned());
        let text = "2retnuh aHVudGVyMg== 68756e74657232 hunter2";
        assert_eq!(message(text, &[key]), "«redacted» «redacted»== «redacted» «redacted»");
    }

    #[test]
    fn a_credential_of_somebody_else_is_hidden_by_its_shape() {
        assert_eq!(message("got eyJhbGciOi.eyJyb2xlIjo.sig", &[]), "got «redacted»");
        assert_eq!(message("at postgres://u:p@ss@db/x now", &[]), "at postgres://«redacted»@db/x now");
        assert_eq!(message("sb_secret_abcdefgh is unknown", &[]), "«redacted» is unknown");
    }

    #[test]
    fn direction_changes_and_escapes_become_visible() {
        assert_eq!(printable("\u{202e}x\u{7}\u{9b}"), "\\u{202e}x\\u{7}\\u{9b}");
        assert!(matches!(printable("grüße ✓"), Cow::Borrowed(_)));
    }

    proptest! {
        #[test]
        fn no_run_of_eight_characters_of_a_secret_survives(
            before in "\\PC{0,20}", secret in "[!-~]{8,40}", cut in 8usize..40, after in "\\PC{0,20}",
        ) {
            let echoed = &secret[..cut.min(secret.len())];
            let shown = message(&format!("{before}{echoed}{after}"), &[Secret::new(secret.clone())]);
            for run in secret.as_bytes().windows(SHARED_RUN) {
                prop_assert!(!shown.as_bytes().windows(SHARED_RUN).any(|part| part == run));
            }
        }

        #[test]
        fn whatever_comes_in_a_single_printable_line_comes_out(text in any::<String>()) {
            let shown = message(&text, &[]);
            prop_assert!(!shown.chars().any(acts_on_a_terminal));
            prop_assert!(shown.chars().count() <= MESSAGE_LIMIT + 1);
        }
    }
}
