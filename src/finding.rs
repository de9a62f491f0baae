//! What is wrong although the data source answers: the one table of finding codes.
//!
//! A file of its own because scripts, suppressions and reports know findings by their codes.

use serde::Serialize;

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

macro_rules! codes {
    ($($name:ident $code:literal $severity:ident $meaning:literal $hint:literal)*) => {
        /// The code of a finding. Scripts depend on the words; they do not change.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum FindingCode { $(#[doc = $meaning] $name,)* }

        impl FindingCode {
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

codes! {
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
    JwtExpiring "jwt.expiring" Warning "the JWT is about to expire"
        "store a new key before it does"
    JwtFromTheFuture "jwt.from-the-future" Warning "the JWT says that it was issued in the future"
        "compare the clocks of this machine and of whoever issued it"
    UrlPassword "url.password" Error "data_source_url, which is not sealed, carries a password"
        "remove it from the URL, change it on the server, and store it sealed in the key column"
    CacheStale "cache.stale" Warning "the cached row says something else than the application database"
        "services went by the old row until now; after a change of a row say `boothds clear-cache TENANT`"
    SourceShared "source.shared" Error "two tenants have one data source and one id in it, and so see the same rows"
        "give each its own tenant_id_in_data_source, or its own data source"
    KeyReused "key.reused" Warning "one key is stored for two different data sources"
        "one of the two cannot be right: store each project's own key"
}

impl Serialize for FindingCode {
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
        }
    }

    /// A finding with a message of its own, which must be safe to show.
    #[must_use]
    pub fn with_message(code: FindingCode, message: String) -> Self {
        Self { code, severity: code.severity(), message, hint: code.hint() }
    }
}
