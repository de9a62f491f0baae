//! What an opened key is: a Supabase JWT and its claims, a Supabase key of the new kind, a PostgreSQL URL, or a
//! text such as a password.
//!
//! A file of its own because everything here is known offline; the servers are asked two floors up.

use jiff::Timestamp;
use serde::Serialize;

use crate::clock::from_unix_seconds;
use crate::secret::Secret;
use crate::tenant::Role;
use crate::url::{Address, PostgresAddress, SourceUrl, UrlError};

/// The largest payload of a JWT that is read, bytes. Supabase's have some 150.
const PAYLOAD_LIMIT: usize = 16 * 1024;

/// The kind of a credential, by its form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CredentialKind {
    /// A JWT: Supabase's legacy keys.
    SupabaseJwt,
    /// `sb_publishable_…`: the anon side.
    SupabasePublishable,
    /// `sb_secret_…`: the service side.
    SupabaseSecret,
    /// A full `postgres://` URL.
    PostgresUrl,
    /// Anything else: a bare password.
    Text,
}

impl CredentialKind {
    /// The word in tables and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SupabaseJwt => "supabase-jwt",
            Self::SupabasePublishable => "supabase-publishable",
            Self::SupabaseSecret => "supabase-secret",
            Self::PostgresUrl => "postgres-url",
            Self::Text => "text",
        }
    }
}

/// An opened key, understood.
#[derive(Clone, Debug)]
pub enum Credential {
    /// A JWT with the claims it makes. Its signature is the server's to check.
    SupabaseJwt(Claims),
    /// `sb_publishable_…`.
    SupabasePublishable,
    /// `sb_secret_…`.
    SupabaseSecret,
    /// A `postgres://` URL, or why it is not usable.
    PostgresUrl(Result<PostgresAddress, UrlError>),
    /// Anything else.
    Text,
}

/// The claims of a JWT that matter here. Unchecked: read for comparing, not for trusting.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// The PostgreSQL role to act as.
    pub role: Option<String>,
    /// The reference of the Supabase project.
    pub project_ref: Option<String>,
    /// When it was issued.
    pub issued_at: Option<Timestamp>,
    /// When it expires.
    pub expires_at: Option<Timestamp>,
    /// Which of these claims are there and of a type that they cannot have: whoever checks the JWT refuses it.
    pub odd: Vec<&'static str>,
}

impl Credential {
    /// Understands an opened key.
    #[must_use]
    pub fn of(key: &Secret) -> Self {
        let text = key.expose();
        if text.starts_with("sb_publishable_") {
            return Self::SupabasePublishable;
        }
        if text.starts_with("sb_secret_") {
            return Self::SupabaseSecret;
        }
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Self::PostgresUrl(match SourceUrl::new(text.to_owned()).parse() {
                Ok(Address::Postgres(address)) => Ok(address),
                Ok(_) => Err(UrlError::Grammar),
                Err(error) => Err(error),
            });
        }
        Claims::of_jwt(text).map_or(Self::Text, Self::SupabaseJwt)
    }

    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> CredentialKind {
        match self {
            Self::SupabaseJwt(_) => CredentialKind::SupabaseJwt,
            Self::SupabasePublishable => CredentialKind::SupabasePublishable,
            Self::SupabaseSecret => CredentialKind::SupabaseSecret,
            Self::PostgresUrl(_) => CredentialKind::PostgresUrl,
            Self::Text => CredentialKind::Text,
        }
    }

    /// The column it belongs in, as far as its form tells.
    #[must_use]
    pub fn belongs_to(&self) -> Option<Role> {
        match self {
            Self::SupabasePublishable => Some(Role::Anon),
            Self::SupabaseSecret => Some(Role::Service),
            Self::SupabaseJwt(claims) => match claims.role.as_deref() {
                Some("anon") => Some(Role::Anon),
                Some("service_role") => Some(Role::Service),
                _ => None,
            },
            Self::PostgresUrl(_) | Self::Text => None,
        }
    }

    /// The claims, of a JWT.
    #[must_use]
    pub fn claims(&self) -> Option<&Claims> {
        match self {
            Self::SupabaseJwt(claims) => Some(claims),
            _ => None,
        }
    }
}

impl Claims {
    /// The claims of a JWT; `None` when the text has not the form of one.
    fn of_jwt(text: &str) -> Option<Self> {
        let claims = payload(text)?;
        let text = |name: &str| claims.get(name)?.as_str().map(str::to_owned);
        // RFC 7519: a NumericDate may have a fraction.
        let moment = |name: &str| {
            let value = claims.get(name)?;
            value
                .as_i64()
                .and_then(from_unix_seconds)
                .or_else(|| Timestamp::from_millisecond(millis(value.as_f64()?)?).ok())
        };
        let is_odd = |name: &&str| {
            let there = claims.get(*name).is_some_and(|value| !value.is_null());
            let understood = if *name == "role" { text(name).is_some() } else { moment(name).is_some() };
            there && !understood
        };
        Some(Self {
            odd: ["role", "iat", "exp"].into_iter().filter(is_odd).collect(),
            role: text("role"),
            project_ref: text("ref"),
            issued_at: moment("iat"),
            expires_at: moment("exp"),
        })
    }
}

/// Whether a key is a JWT with a claim at one of these dotted paths, whatever it says.
#[must_use]
pub fn has_claim(key: &Secret, paths: &[String]) -> bool {
    let Some(claims) = payload(key.expose()).map(serde_json::Value::Object) else { return false };
    let at = |path: &String| path.split('.').try_fold(&claims, |place, part| place.get(part));
    paths.iter().filter_map(at).any(|claim| !claim.is_null())
}

/// The payload of a JWT.
fn payload(text: &str) -> Option<serde_json::Map<String, serde_json::Value>> {
    let mut parts = text.split('.');
    let (Some(head), Some(payload), Some(_signature), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return None;
    };
    if !head.starts_with("eyJ") || payload.len() > PAYLOAD_LIMIT {
        return None;
    }
    let payload = base64_simd::URL_SAFE_NO_PAD.decode_to_vec(payload.trim_end_matches('=')).ok()?;
    serde_json::from_slice(&payload).ok()
}

#[expect(clippy::cast_possible_truncation, reason = "the range is checked in the line before")]
fn millis(seconds: f64) -> Option<i64> {
    let millis = seconds * 1000.0;
    (millis.abs() < 1e15).then_some(millis as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jwt(payload: &str) -> Secret {
        let part = |text: &str| base64_simd::URL_SAFE_NO_PAD.encode_to_string(text);
        Secret::new(format!("{}.{}.c2ln", part(r#"{"alg":"HS256"}"#), part(payload)))
    }

    #[test]
    fn every_form_of_key_is_known() {
        for (text, kind) in [
            ("sb_publishable_x", CredentialKind::SupabasePublishable),
            ("sb_secret_x", CredentialKind::SupabaseSecret),
            ("postgres://u:p@h/db", CredentialKind::PostgresUrl),
            ("hunter2", CredentialKind::Text),
            ("eyJ.x.y", CredentialKind::Text),
            ("a.b.c", CredentialKind::Text),
        ] {
            assert_eq!(Credential::of(&Secret::new(text.to_owned())).kind(), kind, "{text}");
        }
    }

    #[test]
    fn a_claim_is_found_where_its_path_says() {
        let paths = |paths: &[&str]| paths.iter().map(|&path| path.to_owned()).collect::<Vec<_>>();
        let key = jwt(r#"{"role":"anon","app_metadata":{"tenant_id":"7"},"tenant_id":null}"#);
        assert!(has_claim(&key, &paths(&["tenant_id", "app_metadata.tenant_id"])));
        assert!(!has_claim(&key, &paths(&["tenant_id", "user_metadata.tenant_id", "role.tenant_id"])));
        assert!(!has_claim(&Secret::new("sb_publishable_x".to_owned()), &paths(&["tenant_id"])));
    }

    #[test]
    fn the_claims_of_a_legacy_key_are_read_and_odd_ones_left_out() {
        let key = jwt(
            r#"{"iss":"supabase","ref":"abcdefghijklmnopqrst","role":"anon","iat":1700000000,"exp":2e9}"#,
        );
        let Credential::SupabaseJwt(claims) = Credential::of(&key) else { panic!() };
        assert_eq!(claims.role.as_deref(), Some("anon"));
        assert_eq!(claims.project_ref.as_deref(), Some("abcdefghijklmnopqrst"));
        assert_eq!(claims.issued_at.unwrap().to_string(), "2023-11-14T22:13:20Z");
        assert_eq!(claims.expires_at.unwrap().to_string(), "2033-05-18T03:33:20Z");
        assert_eq!(Credential::of(&key).belongs_to(), Some(Role::Anon));
        let odd = jwt(r#"{"role":5,"iat":1e300,"exp":"tomorrow"}"#);
        let Credential::SupabaseJwt(claims) = Credential::of(&odd) else { panic!() };
        assert_eq!(claims, Claims { odd: vec!["role", "iat", "exp"], ..Claims::default() });
        let nothing = jwt(r#"{"role":null,"exp":null}"#);
        let Credential::SupabaseJwt(claims) = Credential::of(&nothing) else { panic!() };
        assert_eq!(claims, Claims::default());
    }
}
