//! Why a data source does not answer: the one table of failure classes, each with its sentence and its hint.
//!
//! A file of its own, on the ground floor, because every floor above names these classes: sources find them, the
//! probe reports them, the screen shows them, and `docs/failures.md` is generated from them.

use std::time::Duration;

use serde::Serialize;

macro_rules! classes {
    ($($name:ident $slug:literal $transient:literal $sentence:literal $hint:literal)*) => {
        /// The class of a failure. Scripts depend on the words; they do not change.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum FailureClass { $(#[doc = $sentence] $name,)* }

        impl FailureClass {
            /// Every class, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The word in JSON and tables.
            #[must_use]
            pub fn slug(self) -> &'static str { match self { $(Self::$name => $slug,)* } }

            /// What happened, as a lower-case fragment.
            #[must_use]
            pub fn sentence(self) -> &'static str { match self { $(Self::$name => $sentence,)* } }

            /// What to do about it.
            #[must_use]
            pub fn hint(self) -> &'static str { match self { $(Self::$name => $hint,)* } }

            /// Whether asking again may succeed without anybody doing anything. Every question that is asked of a
            /// data source only reads, so all of these may be repeated.
            #[must_use]
            pub fn is_transient(self) -> bool { match self { $(Self::$name => $transient,)* } }
        }
    };
}

classes! {
    NoDataSource "no-data-source" false "no data source is configured"
        "set data_source_url and both keys of the tenant, or leave it out of the selection"
    UrlRefused "url-refused" false "data_source_url is not usable"
        "correct data_source_url: https://… for Supabase, postgres://user@host/database, or sqlite:/path"
    Environment "environment" false "a variable of the environment would be sent to the tenant's server"
        "unset the variable; the application database takes the same as a parameter of its URL (options=, sslcert=, sslkey=)"
    KeyMissing "key-missing" false "the tenant has no key for this role"
        "store the key, sealed with `boothds encrypt`"
    KeyPlaintext "key-plaintext" false "the key is stored as plaintext, which the application cannot open either"
        "treat the key as leaked, make a new one at the provider, and store it sealed with `boothds encrypt`"
    KeyHex "key-hex" false "the key is stored as hexadecimal parts instead of base64"
        "seal the key again with `boothds encrypt`; the hexadecimal form is not read by the application"
    KeyUnreadable "key-unreadable" false "the key does not open"
        "was it sealed with another encryption key? name that one in ENCRYPTION_KEY_PREVIOUS, or seal the key again"
    KeyNotFitting "key-not-fitting" false "the key opens, but is no credential for this kind of data source"
        "store a Supabase key for an https URL, and a password or a postgres:// URL for a postgres URL"
    KeyOtherProject "key-other-project" false "the key belongs to another Supabase project"
        "store the key of the project that data_source_url names, or correct the URL"
    KeyOtherHost "key-other-host" false "the key opens to a URL of another host than data_source_url names"
        "make the host of the sealed URL and of data_source_url the same"
    Dns "dns" false "the host name does not resolve"
        "check the host name; a Supabase project that is paused or deleted has none: restore it in its dashboard"
    DnsUnavailable "dns-unavailable" true "the name service does not answer"
        "check this machine's name servers (/etc/resolv.conf) and its network"
    Refused "refused" true "the connection was refused"
        "is the server running, and does it listen on this address and port?"
    Unreachable "unreachable" false "there is no route to the host"
        "a direct db.<ref>.supabase.co host has an IPv6 address only: use the address of the pooler, or enable IPv6; otherwise check routes and firewalls"
    Timeout "timeout" false "no answer within the time limit"
        "is a firewall dropping the packets, or the server overloaded? a longer --timeout tells them apart"
    LocalLimit "local-limit" true "this machine has no file descriptor left"
        "lower --concurrency, or raise the limit (`ulimit -n`)"
    Closed "closed" true "the connection was closed before the answer was complete"
        "look in the server's log; a proxy or pooler in between may end idle or excess connections"
    Tls "tls" false "an encrypted connection could not be agreed on"
        "the server may not offer TLS: enable it there; sslmode=disable in the URL only where the network is trusted"
    Certificate "certificate" false "the server's certificate is not accepted"
        "check its names, its dates and its authority; SSL_CERT_FILE names a file of further authorities"
    NotSupabase "not-supabase" false "what answered is no Supabase or PostgREST interface"
        "check data_source_url: it must be the project's API URL, not a website, dashboard or proxy page"
    NotPostgres "not-postgres" false "what answered does not speak PostgreSQL's protocol"
        "check host and port of data_source_url: something else listens there"
    Redirect "redirect" false "the server answered with a redirect, which is not followed because the key would go along"
        "set data_source_url to the final address"
    KeyRejected "key-rejected" false "the gateway does not accept the key"
        "compare the key with the project's API settings; it may have been revoked or belong elsewhere"
    LegacyKeysDisabled "legacy-keys-disabled" false "the project no longer accepts legacy (JWT) keys"
        "store the project's sb_publishable_… and sb_secret_… keys, or enable the legacy keys again"
    JwtInvalid "jwt-invalid" false "the server does not accept the JWT"
        "the signature does not fit the server's secret: store the key the project shows now"
    JwtExpired "jwt-expired" false "the JWT has expired"
        "store a new key; compare the clocks of this machine and the server"
    Role "role" false "the role does not exist or may not be used on the server"
        "check the role that the key or URL names, and that PostgREST's login may switch to it"
    Grant "grant" false "the role has no permission"
        "grant it: GRANT USAGE ON SCHEMA … and GRANT SELECT ON … TO the role"
    Schema "schema" false "the schema does not exist or is not exposed"
        "expose the schema in the API settings, or name another with BOOTHDS_PROBE_TABLE=schema.table"
    Table "table" false "the probed table does not exist"
        "name a table that every tenant has with BOOTHDS_PROBE_TABLE, or run the tenant's migrations"
    Column "column" false "the probed table lacks a column: id, or the tenant column"
        "name the tenant column with BOOTHDS_PROBE_TENANT_COLUMN, or run the tenant's migrations"
    TenantIdType "tenant-id" false "the mapped tenant id is no value of the tenant column's type"
        "correct tenant_id_in_data_source of the tenant"
    RowLevelSecurity "rls-not-enforced" false "row-level security is not shown to be enforced"
        "see the findings for what to mend, or leave out --require-rls"
    DatabaseDown "database-down" true "the database is not accepting connections"
        "is it starting, stopping, locked by another program, in recovery or out of disk? look in its log or the provider's dashboard"
    TooManyConnections "too-many-connections" true "the server has no connection left"
        "lower --concurrency, use the pooler's address, or raise the server's max_connections"
    Password "password" false "the password is wrong"
        "store the current password, sealed with `boothds encrypt`"
    LoginRefused "login-refused" false "the server does not let this user in from here"
        "check pg_hba.conf: user, database, address, and whether it demands or forbids TLS"
    NoDatabase "no-database" false "the database does not exist"
        "correct the database in data_source_url or in the sealed URL"
    PoolerUser "pooler-user" false "the pooler does not know the user"
        "towards Supabase's pooler the user is postgres.<project ref>, not postgres"
    Quota "quota" false "the project is restricted: its quota is used up or a bill is open"
        "look at the usage and billing pages of the project"
    Rate "rate" true "the server limits the rate of requests"
        "lower --concurrency, or test less often"
    ProjectPaused "project-paused" false "the project is paused"
        "restore it in the Supabase dashboard"
    OriginDown "origin-down" true "the gateway answers, but the project behind it does not"
        "look at the project's status page and whether it is being restarted or resized"
    ServerError "server-error" false "the server answered with an error that has no class of its own"
        "the text of the answer and the server's log tell more"
    FileMissing "file-missing" false "the SQLite file does not exist"
        "correct the path in data_source_url; a test never creates a file"
    FileRefused "file-refused" false "the SQLite file cannot be opened or is no database"
        "check the file's permissions, and that it is a SQLite database"
    Internal "internal" false "the test of this tenant ended in a bug of boothds"
        "please report it with the text of the error; the other tenants were not affected"
}

impl Serialize for FailureClass {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.slug())
    }
}

/// One failure: its class, and what is known beyond it. Safe to show.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}", self.text())]
pub struct Failure {
    /// The class, which decides the hint and whether it is worth asking again.
    pub class: FailureClass,
    /// The particulars: a host and port, or what the server said, with secrets removed and made printable.
    pub detail: Option<String>,
    /// How long the server asked to be left alone (`Retry-After`).
    pub retry_after: Option<Duration>,
}

impl Failure {
    /// A failure with nothing to add to its class.
    #[must_use]
    pub fn new(class: FailureClass) -> Self {
        Self { class, detail: None, retry_after: None }
    }

    /// A failure with particulars, which must be safe to show.
    #[must_use]
    pub fn with(class: FailureClass, detail: impl Into<String>) -> Self {
        Self { class, detail: Some(detail.into()), retry_after: None }
    }

    fn text(&self) -> String {
        match &self.detail {
            // The field knows this failure as a sentence of its own, with the tenant in it.
            Some(sentence) if self.class == FailureClass::NoDataSource => sentence.clone(),
            Some(detail) => format!("{}: {detail}", self.class.sentence()),
            None => self.class.sentence().to_owned(),
        }
    }
}

/// The table as the Markdown page `docs/failures.md`.
#[must_use]
pub fn as_markdown() -> String {
    let mut page = String::from(
        "# Failure classes\n\nThe values of `failure` in the results of `boothds test-connection`. Generated from \
         `src/failure.rs`; renew it with `scripts/generate`.\n\nA failure marked *again* is tried again \
         (`--retries`) within the tenant's time limit: every question only reads.\n\n| class | what happened | \
         what to do | |\n|---|---|---|---|\n",
    );
    for class in FailureClass::ALL {
        let again = if class.is_transient() { "again" } else { "" };
        page.push_str(&format!(
            "| `{}` | {} | {} | {again} |\n",
            class.slug(),
            class.sentence(),
            class.hint()
        ));
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_are_distinct_words() {
        let mut slugs: Vec<_> = FailureClass::ALL.iter().map(|class| class.slug()).collect();
        assert!(slugs.iter().all(|slug| slug.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')));
        slugs.sort_unstable();
        slugs.dedup();
        assert_eq!(slugs.len(), FailureClass::ALL.len());
    }
}
