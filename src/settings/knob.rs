//! The table of settings: under which names each is found, what it takes, what it is without.
//!
//! The names of variables are those that the running Node application reads, so that both share one environment.

/// One setting, or one of the ways to give it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "`describe` documents each, for the reader and for the man page alike")]
pub enum Knob {
    DatabaseUrl,
    Namespace,
    EncryptionKey,
    EncryptionKeyFile,
    EncryptionKeyCommand,
    PreviousKeys,
    PreviousKeyFiles,
    StateUrl,
    MaxClients,
    EnableMetrics,
    UseSharedCache,
    ConfigCacheTtl,
    ClientCacheTtl,
    CacheCleanupInterval,
    ProbeTable,
    ProbeTenantColumn,
    ProbeClaims,
    ServeToken,
    ServeTokenFile,
    Ignore,
}

/// What there is to say of a setting.
#[derive(Clone, Copy, Debug)]
pub struct Description {
    /// What it is.
    pub title: &'static str,
    /// Its environment variables, the preferred first.
    pub variables: &'static [&'static str],
    /// Its key in `boothds.toml`.
    pub key: Option<&'static str>,
    /// What it takes, to end the sentence "it takes …".
    pub takes: &'static str,
    /// The default as a text; empty for none.
    pub default: &'static str,
}

const MILLISECONDS: &str = "a whole number of milliseconds from 1 to 604800000 (a week)";
const BOOLEAN: &str = "true, false, 1 or 0";
const KEY: &str = "64 hexadecimal digits";

impl Knob {
    /// Every setting, in the order of the manual.
    pub const ALL: &'static [Self] = &[
        Self::DatabaseUrl,
        Self::Namespace,
        Self::EncryptionKey,
        Self::EncryptionKeyFile,
        Self::EncryptionKeyCommand,
        Self::PreviousKeys,
        Self::PreviousKeyFiles,
        Self::StateUrl,
        Self::MaxClients,
        Self::EnableMetrics,
        Self::UseSharedCache,
        Self::ConfigCacheTtl,
        Self::ClientCacheTtl,
        Self::CacheCleanupInterval,
        Self::ProbeTable,
        Self::ProbeTenantColumn,
        Self::ProbeClaims,
        Self::ServeToken,
        Self::ServeTokenFile,
        Self::Ignore,
    ];

    /// Its row of the table.
    #[must_use]
    pub fn describe(self) -> Description {
        let row =
            |title, variables, key, takes, default| Description { title, variables, key, takes, default };
        match self {
            Self::DatabaseUrl => row(
                "the URL of the application database",
                &["BOOTHDS_DATABASE_URL", "DATABASE_URL"],
                Some("database_url"),
                "a postgres:// URL or sqlite:PATH",
                "",
            ),
            Self::Namespace => row(
                "the namespace in the state store",
                &["BOOTHDS_NAMESPACE"],
                Some("namespace"),
                "1 to 64 letters, digits, dots, dashes or underscores",
                "",
            ),
            Self::EncryptionKey => row("the encryption key", &["ENCRYPTION_KEY"], None, KEY, ""),
            Self::EncryptionKeyFile => row(
                "the file that holds the encryption key",
                &["ENCRYPTION_KEY_FILE"],
                Some("encryption_key_file"),
                "the path of a file",
                "",
            ),
            Self::EncryptionKeyCommand => row(
                "the command that prints the encryption key",
                &[],
                Some("encryption_key_command"),
                "a command for the shell",
                "",
            ),
            Self::PreviousKeys => row(
                "earlier encryption keys",
                &["ENCRYPTION_KEY_PREVIOUS"],
                None,
                "keys separated by commas",
                "",
            ),
            Self::PreviousKeyFiles => row(
                "files that hold earlier encryption keys, one a line",
                &["ENCRYPTION_KEY_PREVIOUS_FILE"],
                Some("previous_key_files"),
                "paths of files, separated by commas",
                "",
            ),
            Self::StateUrl => row(
                "the URL of the shared state store",
                &["BOOTHDS_STATE_URL"],
                Some("state_url"),
                "sqlite:PATH, redis://… or rediss://…",
                "",
            ),
            Self::MaxClients => row(
                "the pool limit",
                &["DATA_SOURCE_MAX_CLIENTS"],
                Some("max_clients"),
                "a whole number from 1 to 10000",
                "50",
            ),
            Self::EnableMetrics => {
                row("metrics", &["DATA_SOURCE_ENABLE_METRICS"], Some("enable_metrics"), BOOLEAN, "true")
            }
            Self::UseSharedCache => row(
                "the second cache tier",
                &["DATA_SOURCE_USE_SHARED_CACHE", "DATA_SOURCE_USE_NEXTJS_CACHE"],
                Some("use_shared_cache"),
                BOOLEAN,
                "true",
            ),
            Self::ConfigCacheTtl => row(
                "how long a configuration is cached, in ms",
                &["DATA_SOURCE_CONFIG_CACHE_TTL"],
                Some("config_cache_ttl"),
                MILLISECONDS,
                "300000",
            ),
            Self::ClientCacheTtl => row(
                "how long a client is cached, in ms",
                &["DATA_SOURCE_CLIENT_CACHE_TTL"],
                Some("client_cache_ttl"),
                MILLISECONDS,
                "3600000",
            ),
            Self::CacheCleanupInterval => row(
                "how often expired entries are removed, in ms",
                &["DATA_SOURCE_CACHE_CLEANUP_INTERVAL"],
                Some("cache_cleanup_interval"),
                MILLISECONDS,
                "600000",
            ),
            Self::ProbeTable => row(
                "the table that a test asks",
                &["BOOTHDS_PROBE_TABLE"],
                Some("probe_table"),
                "the name of a table, or SCHEMA.TABLE",
                "accounts",
            ),
            Self::ProbeTenantColumn => row(
                "the column of that table that holds the tenant's id",
                &["BOOTHDS_PROBE_TENANT_COLUMN"],
                Some("probe_tenant_column"),
                "the name of a column",
                "tenant_id",
            ),
            Self::ProbeClaims => row(
                "the claims that name the tenant",
                &["BOOTHDS_PROBE_CLAIMS"],
                Some("probe_claims"),
                "dotted paths, separated by commas",
                "tenant_id,app_metadata.tenant_id,user_metadata.tenant_id",
            ),
            Self::ServeToken => {
                row("the token of the dashboard", &["BOOTHDS_SERVE_TOKEN"], None, "a text without blanks", "")
            }
            Self::ServeTokenFile => row(
                "the file that holds the token of the dashboard",
                &["BOOTHDS_SERVE_TOKEN_FILE"],
                None,
                "the path of a file",
                "",
            ),
            Self::Ignore => row(
                "findings that do not count",
                &[],
                Some("ignore"),
                "a list of CODE or CODE@TENANT, each with `: reason` if there is one",
                "",
            ),
        }
    }

    /// The setting that this is a way to give: an encryption key is one thing, whether as text, file or command.
    #[must_use]
    pub fn group(self) -> Self {
        match self {
            Self::EncryptionKeyFile | Self::EncryptionKeyCommand => Self::EncryptionKey,
            Self::PreviousKeyFiles => Self::PreviousKeys,
            Self::ServeTokenFile => Self::ServeToken,
            other => other,
        }
    }

    /// The setting that a variable gives, and the rank of that name among the names of the setting.
    #[must_use]
    pub fn of_variable(name: &str) -> Option<(Self, usize)> {
        Self::ALL.iter().find_map(|knob| {
            knob.describe().variables.iter().position(|known| *known == name).map(|rank| (*knob, rank))
        })
    }

    /// Whether a variable is meant as a setting by its name, and is none.
    #[must_use]
    pub fn looks_like_one(name: &str) -> bool {
        let prefixes = ["BOOTHDS_", "DATA_SOURCE_", "ENCRYPTION_KEY"];
        prefixes.iter().any(|prefix| name.starts_with(prefix)) && Self::of_variable(name).is_none()
    }

    /// The setting of a key in `boothds.toml`.
    #[must_use]
    pub fn of_key(key: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|knob| knob.describe().key == Some(key))
    }
}
