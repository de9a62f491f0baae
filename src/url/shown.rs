//! How any URL is shown, also one that a tenant may not have: masked, and not at all where it cannot be taken apart.

use super::{check_text, decode, parse_strictly};
use crate::sanitize::{hide_tokens, printable};
use crate::secret::Secret;

/// What is printed in place of a URL that cannot be taken apart, and could therefore hide a password anywhere.
pub const UNPARSEABLE: &str = "«unparseable URL»";

/// Masks any URL for showing: the password becomes `***`, and so do the values of parameters that are not known
/// to be harmless. Fails closed with [`UNPARSEABLE`].
///
/// ```
/// assert_eq!(boothds::url::masked("postgres://me:pw@db/app"), "postgres://me:***@db/app");
/// assert_eq!(boothds::url::masked("postgres://me:p/w@db/app"), "«unparseable URL»");
/// ```
#[must_use]
pub fn masked(text: &str) -> String {
    show(text, true)
}

/// Whether a URL carries a secret, or cannot be told not to: a password, or a parameter that is one or may hold one.
#[must_use]
pub fn carries_secret(text: &str) -> bool {
    parse_strictly(text).is_none_or(|url| {
        let secret = |name: &str| matches!(name, "password" | "sslpassword" | "options");
        url.password().is_some() || url.query_pairs().any(|(name, _)| secret(&name))
    })
}

/// The password of a URL as it stands there and as it is meant, for hiding it where a server repeats it; the whole URL
/// when it cannot be taken apart.
#[must_use]
pub fn passwords(text: &str) -> Vec<Secret> {
    let Some(url) = parse_strictly(text) else { return vec![Secret::new(text.to_owned())] };
    let Some(password) = url.password() else { return Vec::new() };
    let meant = decode(password).ok().filter(|meant| meant != password);
    meant.into_iter().chain([password.to_owned()]).map(Secret::new).collect()
}

/// The place that a URL names, as far as it can be taken apart.
pub(super) fn endpoint(text: &str) -> String {
    show(text, false)
}

fn show(text: &str, with_user: bool) -> String {
    let Some((scheme, rest)) = text.split_once(':') else { return UNPARSEABLE.to_owned() };
    if check_text(text).is_err() {
        return UNPARSEABLE.to_owned();
    }
    if scheme.eq_ignore_ascii_case("sqlite") {
        let path = rest.split(['?', '#']).next().unwrap_or_default();
        return format!("sqlite:{}", printable(path));
    }
    let Some(mut url) = parse_strictly(text) else { return UNPARSEABLE.to_owned() };
    let failed = if with_user {
        url.password().is_some() && url.set_password(Some("***")).is_err()
    } else {
        url.set_password(None).is_err() || url.set_username("").is_err()
    };
    if failed {
        return UNPARSEABLE.to_owned();
    }
    let pairs: Vec<(String, String)> = url
        .query_pairs()
        .map(|(name, value)| {
            let harmless = matches!(&*name, "sslmode" | "application_name");
            (name.into_owned(), if harmless { value.into_owned() } else { "***".to_owned() })
        })
        .collect();
    url.set_query(None);
    url.set_fragment(None);
    if with_user && !pairs.is_empty() {
        url.query_pairs_mut().extend_pairs(pairs);
    }
    // Somebody may have pasted a key behind the host.
    hide_tokens(&printable(url.as_str()))
}
