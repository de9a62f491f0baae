//! What is wrong although the data source answers: the one table of finding codes.
//!
//! A file of its own because scripts, suppressions and reports know findings by their codes.

use serde::Serialize;

/// A table of codes: the word, how much it matters, what it means as a lower-case fragment, and how to mend it.
macro_rules! codes {
    ($(#[$doc:meta])* $codes:ident: $($name:ident $code:literal $severity:ident $meaning:literal $hint:literal)*) => {
        $(#[$doc])*
        ///
        /// Scripts depend on the words; they do not change.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $codes { $(#[doc = $meaning] $name,)* }

        impl $codes {
            /// Every code, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The word in JSON and tables.
            #[must_use]
            pub fn code(self) -> &'static str { match self { $(Self::$name => $code,)* } }

            /// How much it matters.
            #[must_use]
            pub fn severity(self) -> Severity { match self { $(Self::$name => Severity::$severity,)* } }

            /// What it means, as a lower-case fragment.
            #[must_use]
            pub fn meaning(self) -> &'static str { match self { $(Self::$name => $meaning,)* } }

            /// How to mend it.
            #[must_use]
            pub fn hint(self) -> &'static str { match self { $(Self::$name => $hint,)* } }
        }
    };
}

pub mod check;
pub mod ignored;

pub use check::CheckCode;
pub use ignored::Ignored;

/// How much a finding matters. Ordered: `Warning < Error`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth mending, nothing is broken yet.
    Warning,
    /// Wrong now: a leak, or an outage that waits to happen.
    Error,
}

impl Severity {
    /// The word in tables and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

codes! {
    /// The code of a finding.
    FindingCode:
    KeySwapped "key.swapped" Error "the key of the other role is stored in this column"
        "exchange the two keys; until then the public side may hold a key that bypasses row-level security"
    KeySame "key.same" Error "both columns hold the same key"
        "store the anon key in data_source_anon_key and the service role key in data_source_service_key"
    KeySameUser "key.same-user" Warning "the anon credential logs in as the same user as the service credential"
        "give the anon side a user of its own with less permission, as a sealed postgres:// URL"
    KeyPrevious "key.previous" Warning "the key is still sealed with an earlier encryption key"
        "finish the rotation before the earlier key is dropped"
    KeyNotCanonical "key.not-canonical" Warning "the key is stored in a spelling that only lenient decoders read"
        "seal it again with `boothds encrypt`, or rotate the encryption key"
    JwtExpired "jwt.expired" Error "the JWT has expired"
        "store a new key"
    JwtMalformed "jwt.malformed" Error "the JWT has a claim of a type that it cannot have"
        "store a key as its provider made it: role is a text, iat and exp are numbers; others are refused"
    JwtExpiring "jwt.expiring" Warning "the JWT is about to expire"
        "store a new key before it does"
    JwtFromTheFuture "jwt.from-the-future" Warning "the JWT says that it was issued in the future"
        "compare the clocks of this machine and of whoever issued it"
    UrlPassword "url.password" Error "data_source_url, which is not sealed, carries a password"
        "remove it from the URL, change it on the server, and store it sealed in the key column"
    CacheStale "cache.stale" Warning "the cached row says something else than the application database"
        "services went by the old row until now; after a change of a row say `boothds clear-cache TENANT`"
    KeyRole "key.role" Warning "the JWT names another role than that of its column"
        "store the key of the role anon or service_role; the role in the key decides what it may do"
    KeyLegacy "key.legacy" Warning "the key is of the legacy kind, a JWT that cannot be revoked by itself"
        "make sb_publishable_… and sb_secret_… keys in the project's settings and store those"
    KeyPrivileged "key.privileged" Error "the anon credential is of a privileged role"
        "give the anon side a login of its own, without SUPERUSER, BYPASSRLS, CREATEROLE or REPLICATION, that owns nothing"
    KeyServiceSubject "key.service-subject" Warning "the service credential is subject to row-level security"
        "use the owner's login or a role with BYPASSRLS for the service side, or what it reads will silently be incomplete"
    ConnectionUnencrypted "connection.unencrypted" Warning "the connection to another machine may be unencrypted"
        "remove sslmode=disable or sslmode=prefer from the URL; without it `require` holds"
    TenantOtherId "tenant.other-id" Error "the rows carry the id of the application database instead of the mapped one"
        "correct tenant_id_in_data_source of the tenant, or leave it empty"
    TenantNoRows "tenant.no-rows" Warning "the data source has rows of other tenants, but none of this one"
        "check tenant_id_in_data_source; a tenant that is new may well have no rows yet"
    RlsForeignVisible "rls.foreign-visible" Error "a row of another tenant was seen"
        "enable row-level security on the table, with a policy that compares the tenant column with a claim"
    RlsVisibleWithoutClaims "rls.visible-without-claims" Error "rows are visible to somebody who names no tenant"
        "let the policy compare the tenant column with a claim, so that without the claim nothing is visible"
    RlsOff "rls.off" Error "row-level security is off, and the table may be read"
        "ALTER TABLE … ENABLE ROW LEVEL SECURITY, and create a policy that compares the tenant column with a claim"
    RlsOffUngranted "rls.off-ungranted" Warning "row-level security is off, and only a missing grant protects"
        "ALTER TABLE … ENABLE ROW LEVEL SECURITY: a grant made later must not open the table"
    RlsBypass "rls.bypass" Error "row-level security does not apply to the role"
        "take SUPERUSER and BYPASSRLS from it; for an owner, ALTER TABLE … OWNER TO another role"
    RlsAlwaysTrue "rls.always-true" Error "a policy lets everybody through"
        "drop the policy, or compare the tenant column with a claim; service roles that bypass need no policy"
    RlsSetRole "rls.set-role" Error "the anon credential can switch to a role that reads other tenants' rows"
        "REVOKE the membership; NOINHERIT does not keep a login from SET ROLE"
    RlsUserMetadata "rls.user-metadata" Error "a policy goes by user_metadata, which users change themselves"
        "keep the tenant in app_metadata and let the policy read it there"
    RlsClaimsSettable "rls.claims-settable" Warning "whoever holds the anon credential can set the claims that the policies go by"
        "nothing to mend while the password stays with a service that sets them; never hand this credential to clients"
    RlsPolicyRaises "rls.policy-raises" Warning "reading raises an error within a policy"
        "use current_setting('…', true), and NULLIF(…, '') before a cast"
    RlsPolicyNeverWorks "rls.policy-never-works" Warning "a policy goes by a setting that PostgREST never sets"
        "read the claims instead: current_setting('request.jwt.claims', true)::json ->> '…'"
    RlsPartition "rls.partition" Error "a partition, or the table that it is a part of, can be read past the policies of the probed table"
        "enable row-level security on that table too, with its policies, or revoke the grants on it"
    RlsView "rls.view" Error "a view shows rows of other tenants"
        "ALTER VIEW … SET (security_invoker = true), or revoke the grants on it"
    RlsViewDefiner "rls.view-definer" Warning "a view reads with its owner's rights, past the policies of its tables"
        "ALTER VIEW … SET (security_invoker = true) on PostgreSQL 15 and newer, or revoke the grants on it; DROP RULE for a rule"
    RlsMaterializedView "rls.materialized-view" Error "a materialised view can be read, and can have no policies"
        "revoke the grants on it"
    RlsDefinerFunction "rls.definer-function" Warning "a function that runs with its owner's rights can be called"
        "REVOKE EXECUTE … FROM PUBLIC, anon, authenticated; or make sure that it shows rows of the caller's tenant only"
    RlsOpenWrite "rls.open-write" Error "rows of any tenant can be written"
        "enable row-level security with policies WITH CHECK on the tenant column, or revoke the grants to write"
    SourceShared "source.shared" Error "two tenants have one data source and one id in it, and so see the same rows"
        "give each its own tenant_id_in_data_source, or its own data source"
    KeyReused "key.reused" Warning "one key is stored for two different data sources"
        "one of the two cannot be right: store each project's own key"
}

impl FindingCode {
    /// The code with that word.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.code() == word)
    }
}

/// The table as a page of documentation: `docs/findings.md`.
#[must_use]
pub fn as_markdown() -> String {
    let mut page = String::from(
        "# Findings\n\nWhat `boothds test-connection` finds wrong although a data source answers. Generated from \
         `src/finding.rs`; renew it with `scripts/generate`.\n\nA finding that is known and accepted is named with \
         `--ignore CODE[@TENANT]`, or with its reason in `boothds.toml`: `ignore = [\"CODE@TENANT: reason\"]`. It is \
         then shown as ignored, counted, and does not decide the exit code.\n\n| code | severity | what it means | \
         what to do |\n|---|---|---|---|\n",
    );
    for code in FindingCode::ALL {
        page.push_str(&format!(
            "| `{}` | {} | {} | {} |\n",
            code.code(),
            code.severity().as_str(),
            code.meaning(),
            code.hint()
        ));
    }
    page
}

impl Serialize for FindingCode {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

/// The code of a finding, or of a check that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Code {
    /// Of a check of the installation.
    Check(CheckCode),
    /// Of a finding.
    Finding(FindingCode),
}

impl Code {
    /// The word in JSON and tables.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Check(code) => code.code(),
            Self::Finding(code) => code.code(),
        }
    }

    /// How much it matters.
    #[must_use]
    pub fn severity(self) -> Severity {
        match self {
            Self::Check(code) => code.severity(),
            Self::Finding(code) => code.severity(),
        }
    }

    /// What it means, as a lower-case fragment.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Check(code) => code.meaning(),
            Self::Finding(code) => code.meaning(),
        }
    }

    /// How to mend it.
    #[must_use]
    pub fn hint(self) -> &'static str {
        match self {
            Self::Check(code) => code.hint(),
            Self::Finding(code) => code.hint(),
        }
    }
}

impl From<CheckCode> for Code {
    fn from(code: CheckCode) -> Self {
        Self::Check(code)
    }
}

impl From<FindingCode> for Code {
    fn from(code: FindingCode) -> Self {
        Self::Finding(code)
    }
}

impl Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

/// Something found, in the words of the table or more exact ones. Safe to show.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Its code.
    pub code: FindingCode,
    /// How much it matters.
    pub severity: Severity,
    /// What was found, with the particulars.
    pub message: String,
    /// How to mend it.
    pub hint: &'static str,
    /// Why it does not count, if it was said that it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ignored: Option<String>,
}

impl Finding {
    /// A finding whose message is its meaning, preceded by the subject: a column, a tenant.
    #[must_use]
    pub fn about(code: FindingCode, subject: &str) -> Self {
        Self {
            code,
            severity: code.severity(),
            message: format!("{subject}: {}", code.meaning()),
            hint: code.hint(),
            ignored: None,
        }
    }

    /// A finding with a message of its own, which must be safe to show.
    #[must_use]
    pub fn with_message(code: FindingCode, message: String) -> Self {
        Self { code, severity: code.severity(), message, hint: code.hint(), ignored: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_distinct_words_and_found_by_them() {
        for code in FindingCode::ALL {
            assert_eq!(FindingCode::of(code.code()), Some(*code));
            assert!(code.code().bytes().all(|b| b.is_ascii_lowercase() || b == b'.' || b == b'-'));
        }
        assert_eq!(FindingCode::of("rls"), None);
    }
}
