//! What is known of credentials without asking anybody: swapped columns, expiry, one user for both roles.

use std::time::Duration;

use jiff::Timestamp;

use super::Prepared;
use crate::clock::after;
use crate::credential::Credential;
use crate::finding::{Finding, FindingCode};
use crate::sanitize::message;
use crate::source::Login;
use crate::tenant::{Role, SealedSource};
use crate::url::{Address, TlsMode, is_this_machine};

/// How far the clocks of two machines may differ before a token counts as issued in the future, seconds.
/// PostgREST allows the same 30.
const CLOCK_SKEW: i64 = 30;

/// Findings about one credential in the column of `role`.
pub(super) fn judge(
    credential: &Credential,
    role: Role,
    now: Timestamp,
    expiring_within: Duration,
    findings: &mut Vec<Finding>,
) {
    let column = role.column();
    if credential.belongs_to().is_some_and(|other| other != role) {
        findings.push(Finding::about(FindingCode::KeySwapped, column));
    }
    let Some(claims) = credential.claims() else { return };
    match (claims.role.as_deref(), role) {
        (Some("anon" | "service_role"), _) | (None, Role::Anon) => {}
        (None, _) if claims.odd.contains(&"role") => {}
        (Some(other), _) => {
            let message = format!("{column}: the JWT names the role `{}`", message(other, &[]));
            findings.push(Finding::with_message(FindingCode::KeyRole, message));
        }
        (None, Role::Service) => {
            let message = format!("{column}: the JWT names no role, and is served as anon");
            findings.push(Finding::with_message(FindingCode::KeyRole, message));
        }
    }
    if !claims.odd.is_empty() {
        let message = format!("{column}: the JWT has a value of the wrong type: {}", claims.odd.join(", "));
        findings.push(Finding::with_message(FindingCode::JwtMalformed, message));
    }
    if let Some(expires) = claims.expires_at {
        let soon = after(now, i64::try_from(expiring_within.as_secs()).unwrap_or(i64::MAX));
        if expires <= now {
            let message = format!("{column}: the JWT expired at {expires}");
            findings.push(Finding::with_message(FindingCode::JwtExpired, message));
        } else if expires <= soon {
            let message = format!("{column}: the JWT expires at {expires}");
            findings.push(Finding::with_message(FindingCode::JwtExpiring, message));
        }
    }
    if let Some(issued) = claims.issued_at
        && issued > after(now, CLOCK_SKEW)
    {
        let message =
            format!("{column}: the JWT says that it was issued at {issued}, which is in the future");
        findings.push(Finding::with_message(FindingCode::JwtFromTheFuture, message));
    }
}

/// Findings about the two credentials beside each other, and about the URL.
pub(super) fn compare(
    prepared: &[Prepared],
    source: &SealedSource,
    address: &Address,
    findings: &mut Vec<Finding>,
) {
    if let Address::Postgres(address) = address
        && address.password.is_some()
    {
        findings.push(Finding::about(FindingCode::UrlPassword, &source.url.masked()));
    }
    for one in prepared {
        let column = one.role.column();
        // Elsewhere there may be no other kind of key.
        if let (Address::Supabase(base), Some((_, Credential::SupabaseJwt(_)))) = (address, &one.key)
            && base.project_ref().is_some()
        {
            findings.push(Finding::about(FindingCode::KeyLegacy, column));
        }
        if let Ok(Login::Postgres(address)) = &one.login
            && matches!(address.tls, TlsMode::Disable | TlsMode::Prefer)
            && !is_this_machine(&address.host)
        {
            findings.push(Finding::about(FindingCode::ConnectionUnencrypted, column));
        }
    }
    let [a, b] = prepared else { return };
    if let (Some((key_a, credential)), Some((key_b, _))) = (&a.key, &b.key)
        && key_a.expose() == key_b.expose()
        && !matches!(credential, Credential::Text | Credential::PostgresUrl(_))
    {
        // To exchange them would help nothing.
        findings.retain(|finding| finding.code != FindingCode::KeySwapped);
        findings.push(Finding::about(FindingCode::KeySame, "data_source_anon_key"));
    }
    if let (Ok(login_a), Ok(login_b)) = (&a.login, &b.login)
        && login_a.is_same_user(login_b)
    {
        findings.push(Finding::about(FindingCode::KeySameUser, "data_source_anon_key"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credential::Claims;

    fn found(claims: Claims, role: Role) -> Vec<&'static str> {
        let mut findings = Vec::new();
        let now = Timestamp::from_second(1_000_000).unwrap();
        judge(&Credential::SupabaseJwt(claims), role, now, Duration::from_secs(100), &mut findings);
        findings.iter().map(|finding| finding.code.code()).collect()
    }

    fn at(second: i64) -> Option<Timestamp> {
        Timestamp::from_second(second).ok()
    }

    #[test]
    fn the_claims_of_a_jwt_are_held_against_the_clock_and_the_column() {
        let claims = |role: &str, issued_at, expires_at| Claims {
            role: Some(role.to_owned()),
            project_ref: None,
            issued_at,
            expires_at,
            odd: Vec::new(),
        };
        assert_eq!(found(claims("anon", at(1), at(1_000_101)), Role::Anon), [""; 0]);
        assert_eq!(found(claims("anon", None, at(1_000_100)), Role::Anon), ["jwt.expiring"]);
        assert_eq!(found(claims("anon", None, at(1_000_000)), Role::Anon), ["jwt.expired"]);
        assert_eq!(found(claims("anon", at(1_000_031), None), Role::Anon), ["jwt.from-the-future"]);
        assert_eq!(found(claims("service_role", None, None), Role::Anon), ["key.swapped"]);
        assert_eq!(found(claims("anon", None, None), Role::Service), ["key.swapped"]);
        assert_eq!(found(claims("custom", None, None), Role::Service), ["key.role"]);
        assert_eq!(found(claims("authenticated", None, None), Role::Anon), ["key.role"]);
        assert_eq!(found(Claims::default(), Role::Service), ["key.role"]);
        assert_eq!(found(Claims::default(), Role::Anon), [""; 0]);
        let odd = Claims { odd: vec!["role", "exp"], ..Claims::default() };
        assert_eq!(found(odd.clone(), Role::Anon), ["jwt.malformed"]);
        assert_eq!(found(odd, Role::Service), ["jwt.malformed"]);
    }
}
