//! Findings and checks that are known and accepted, and so do not count: `CODE`, `CODE@TENANT`, either with a reason.

use super::{CheckCode, Code, FindingCode};

/// One entry of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ignored {
    /// The code.
    pub code: Code,
    /// Of this tenant alone, by id or subdomain; `None` for all.
    pub tenant: Option<String>,
    /// Why, in somebody's words.
    pub reason: Option<String>,
}

impl Ignored {
    /// Reads `CODE[@TENANT][: reason]`; `None` for an unknown code or an empty part.
    ///
    /// ```
    /// use boothds::finding::Ignored;
    /// let one = Ignored::parse("rls.off@acme: a table of public names").unwrap();
    /// assert_eq!((one.code.code(), one.tenant.as_deref()), ("rls.off", Some("acme")));
    /// assert!(Ignored::parse("rls.of").is_none());
    /// ```
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (what, reason) = match text.split_once(':') {
            Some((what, reason)) => (what, Some(reason.trim().to_owned())),
            None => (text, None),
        };
        let (code, tenant) = match what.trim().split_once('@') {
            Some((code, tenant)) => (code, Some(tenant.to_owned())),
            None => (what.trim(), None),
        };
        let empty = |text: &Option<String>| text.as_ref().is_some_and(String::is_empty);
        if empty(&tenant) || empty(&reason) {
            return None;
        }
        let code =
            FindingCode::of(code).map(Code::Finding).or_else(|| CheckCode::of(code).map(Code::Check))?;
        Some(Self { code, tenant, reason })
    }
}

/// Why a finding does not count, if it does not. `names` are the tenant's; a finding of the whole fleet has none, and
/// only an entry without a tenant fits it.
#[must_use]
pub fn reason(list: &[Ignored], code: impl Into<Code>, names: &[&str]) -> Option<String> {
    let code = code.into();
    let fits = |one: &&Ignored| {
        one.code == code && one.tenant.as_ref().is_none_or(|tenant| names.contains(&tenant.as_str()))
    };
    let found: Vec<&Ignored> = list.iter().filter(fits).collect();
    let with_reason = found.iter().find_map(|one| one.reason.clone());
    with_reason.or_else(|| found.first().map(|_| "no reason was given".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_fits_its_code_and_its_tenant() {
        let list =
            ["rls.off@acme: known", "key.legacy", "jwt.expiring@b"].map(|text| Ignored::parse(text).unwrap());
        let why = |code: FindingCode, names: &[&str]| reason(&list, code, names);
        assert_eq!(why(FindingCode::RlsOff, &["id", "acme"]).as_deref(), Some("known"));
        assert_eq!(why(FindingCode::RlsOff, &["id", "other"]), None);
        assert_eq!(why(FindingCode::RlsOff, &[]), None);
        assert_eq!(why(FindingCode::KeyLegacy, &[]).as_deref(), Some("no reason was given"));
        for wrong in ["", "@", "rls.off@", "rls.off:", "rls.off: ", "rls.off @acme", "RLS.OFF", "x@acme: y"] {
            assert_eq!(Ignored::parse(wrong), None, "{wrong}");
        }
    }
}
