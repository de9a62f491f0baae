//! Every knob: its name, unit, default, range, and where its value came from.
//!
//! Pure: layers of texts go in, checked [`Settings`] come out; nothing here reads a file or the environment, so
//! services use it as well as the command line ([`Settings::from_vars`]). The first layer that has a setting
//! decides, also when its value is wrong: nothing falls back silently.

use std::fmt;
use std::path::PathBuf;

use crate::finding::Ignored;
use crate::secret::Secret;
use crate::url::sqlite_url;

mod knob;
mod value;

pub use knob::Knob;
pub use value::{Identifier, ProbeTable, ValueError};

/// Where a value came from, in words an operator can act on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A command-line flag, such as `--database-url`.
    Flag(&'static str),
    /// A variable of the process environment.
    Environment(String),
    /// A variable in a file, such as `.env.local`.
    EnvFile {
        /// The variable.
        name: String,
        /// The file.
        file: PathBuf,
    },
    /// A key in a configuration file, within `[profile.NAME]` if a profile is named.
    ConfigFile {
        /// The key.
        key: String,
        /// The file.
        file: PathBuf,
        /// The profile whose section holds the key; `None` for the top level.
        profile: Option<String>,
    },
    /// The default.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) => f.write_str(name),
            Self::Environment(name) => write!(f, "{name} in the environment"),
            Self::EnvFile { name, file } => write!(f, "{name} in {}", file.display()),
            Self::ConfigFile { key, file, profile: None } => write!(f, "{key} in {}", file.display()),
            Self::ConfigFile { key, file, profile: Some(profile) } => {
                write!(f, "{key} in [profile.{profile}] of {}", file.display())
            }
            Self::Default => f.write_str("the default"),
        }
    }
}

/// A checked value and its origin.
#[derive(Clone, Debug)]
pub struct Sourced<T> {
    /// The value.
    pub value: T,
    /// Where it came from.
    pub origin: Origin,
}

/// A value before it is checked. The text is a [`Secret`], since any of them may hold a password.
#[derive(Clone, Debug)]
pub struct RawValue {
    /// What is set.
    pub knob: Knob,
    /// To what.
    pub text: Secret,
    /// Where.
    pub origin: Origin,
    /// The folder that a relative path in the text is relative to; `None` for the working directory.
    pub base: Option<PathBuf>,
}

/// Values of one rank. Of several ways to give one thing ([`Knob::group`]) only one may be among them.
#[derive(Clone, Debug, Default)]
pub struct Layer(pub Vec<RawValue>);

impl Layer {
    /// The settings among environment variables, in the order of preference of the names; other variables are
    /// passed over. `origin` says where a variable of that name stands.
    pub fn from_vars<K: AsRef<str>, V: Into<String>>(
        vars: impl IntoIterator<Item = (K, V)>,
        base: Option<PathBuf>,
        origin: impl Fn(&str) -> Origin,
    ) -> Self {
        let mut found: Vec<(usize, RawValue)> = Vec::new();
        for (name, text) in vars {
            let Some((knob, rank)) = Knob::of_variable(name.as_ref()) else { continue };
            let value = RawValue {
                knob,
                text: Secret::new(text.into()),
                origin: origin(name.as_ref()),
                base: base.clone(),
            };
            match found.iter_mut().find(|(_, other)| other.knob == knob) {
                Some(other) if other.0 >= rank => *other = (rank, value),
                Some(_) => {}
                None => found.push((rank, value)),
            }
        }
        Self(found.into_iter().map(|(_, value)| value).collect())
    }

    fn get(&self, knob: Knob) -> Option<&RawValue> {
        self.0.iter().rev().find(|value| value.knob == knob)
    }
}

/// Where an encryption key is to be had.
#[derive(Clone, Debug)]
pub enum KeySource {
    /// The 64 digits themselves (for earlier keys: several, comma-separated).
    Text(Secret),
    /// Files that hold one (for earlier keys: one on each line).
    Files(Vec<PathBuf>),
    /// A command that prints one.
    Command(Secret),
}

/// The settings of one run or service, checked.
#[derive(Clone, Debug)]
pub struct Settings {
    /// URL of the application database.
    pub database_url: Option<Sourced<Secret>>,
    /// Namespace in the state store; `None`: derived from the application database.
    pub namespace: Option<Sourced<String>>,
    /// The encryption key.
    pub encryption_key: Option<Sourced<KeySource>>,
    /// Earlier encryption keys, which still open what was sealed with them.
    pub previous_keys: Option<Sourced<KeySource>>,
    /// URL of the shared state store; `None`: a SQLite file in the user's state folder.
    pub state_url: Option<Sourced<Secret>>,
    /// The folder that holds a user's state, for the state store when no URL names one: `$XDG_STATE_HOME`, or
    /// `~/.local/state`. `None` where the variables name neither.
    pub state_folder: Option<PathBuf>,
    /// Clients in the pool at the most. Default 50; 1 to 10,000.
    pub max_clients: Sourced<u32>,
    /// Whether metrics are kept. Default true.
    pub enable_metrics: Sourced<bool>,
    /// Whether the second cache tier is used. Default true.
    pub use_shared_cache: Sourced<bool>,
    /// How long a configuration is cached, ms. Default 300,000; 1 to 604,800,000.
    pub config_cache_ttl_ms: Sourced<u64>,
    /// How long a client is cached, ms. Default 3,600,000; 1 to 604,800,000.
    pub client_cache_ttl_ms: Sourced<u64>,
    /// How often expired entries are removed, ms. Default 600,000; 1 to 604,800,000.
    pub cache_cleanup_interval_ms: Sourced<u64>,
    /// The table that a test asks. Default `accounts`.
    pub probe_table: Sourced<ProbeTable>,
    /// The column of it that holds the tenant's id. Default `tenant_id`.
    pub probe_tenant_column: Sourced<Identifier>,
    /// Paths within the claims that name the tenant. Default
    /// `tenant_id,app_metadata.tenant_id,user_metadata.tenant_id`.
    pub probe_claims: Sourced<Vec<String>>,
    /// Token of the dashboard and of `stats --endpoint`.
    pub serve_token: Option<Sourced<KeySource>>,
    /// Findings that are not to count.
    pub ignore: Vec<Sourced<Ignored>>,
}

/// Why settings cannot be used. Names the setting and its origin, never its value.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A value that the setting cannot take.
    #[error("{origin} is not usable: it takes {takes}")]
    Value {
        /// Where the value is.
        origin: Origin,
        /// What the setting takes.
        takes: &'static str,
        /// What is wrong with it.
        source: ValueError,
    },
    /// Two values of one rank of which only one can hold.
    #[error("{first} and {second} contradict each other")]
    Conflict {
        /// The one.
        first: Origin,
        /// The other.
        second: Origin,
    },
    /// A setting without which the work cannot begin.
    #[error("{setting} is not set")]
    Missing {
        /// Its description.
        setting: &'static str,
    },
}

impl Settings {
    /// The settings of a service, from its environment.
    ///
    /// ```
    /// # fn main() -> Result<(), boothds::settings::SettingsError> {
    /// use boothds::settings::Settings;
    /// let settings = Settings::from_vars([("DATA_SOURCE_MAX_CLIENTS", "200")])?;
    /// assert_eq!(settings.max_clients.value, 200);
    /// assert!(Settings::from_vars([("DATA_SOURCE_MAX_CLIENTS", "50abc")]).is_err());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// A [`SettingsError`] for the first value that cannot be used.
    pub fn from_vars<K: AsRef<str>, V: Into<String>>(
        vars: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Self, SettingsError> {
        let vars: Vec<(K, Secret)> =
            vars.into_iter().map(|(name, text)| (name, Secret::new(text.into()))).collect();
        let folder = |wanted: &str| {
            let found = vars.iter().find(|(name, _)| name.as_ref() == wanted);
            found.map(|(_, text)| PathBuf::from(text.expose()))
        };
        let state_folder = state_folder(folder("XDG_STATE_HOME"), folder("HOME"));
        let vars = vars.iter().map(|(name, text)| (name.as_ref(), text.expose()));
        let layer = Layer::from_vars(vars, None, |name| Origin::Environment(name.to_owned()));
        Ok(Self { state_folder, ..Self::resolve(&[layer])? })
    }

    /// Checks the values of `layers`, of which the first that has a setting decides.
    ///
    /// # Errors
    /// A [`SettingsError`] for the first value that cannot be used.
    pub fn resolve(layers: &[Layer]) -> Result<Self, SettingsError> {
        let layers = Layers(layers);
        Ok(Self {
            database_url: layers.url(Knob::DatabaseUrl, value::database_url)?,
            namespace: layers.optional(Knob::Namespace, value::namespace)?,
            encryption_key: layers.source(&[
                Knob::EncryptionKey,
                Knob::EncryptionKeyFile,
                Knob::EncryptionKeyCommand,
            ])?,
            previous_keys: layers.source(&[Knob::PreviousKeys, Knob::PreviousKeyFiles])?,
            state_url: layers.url(Knob::StateUrl, value::state_url)?,
            state_folder: None,
            max_clients: layers.required(Knob::MaxClients, value::max_clients)?,
            enable_metrics: layers.required(Knob::EnableMetrics, value::boolean)?,
            use_shared_cache: layers.required(Knob::UseSharedCache, value::boolean)?,
            config_cache_ttl_ms: layers.required(Knob::ConfigCacheTtl, value::milliseconds)?,
            client_cache_ttl_ms: layers.required(Knob::ClientCacheTtl, value::milliseconds)?,
            cache_cleanup_interval_ms: layers.required(Knob::CacheCleanupInterval, value::milliseconds)?,
            probe_table: layers.required(Knob::ProbeTable, ProbeTable::parse)?,
            probe_tenant_column: layers.required(Knob::ProbeTenantColumn, Identifier::parse)?,
            probe_claims: layers.required(Knob::ProbeClaims, value::claims)?,
            serve_token: layers.source(&[Knob::ServeToken, Knob::ServeTokenFile])?,
            ignore: layers
                .optional(Knob::Ignore, value::ignored)?
                .map(|all| {
                    let origin = all.origin;
                    all.value.into_iter().map(|value| Sourced { value, origin: origin.clone() }).collect()
                })
                .unwrap_or_default(),
        })
    }

    /// The URL of the application database.
    ///
    /// # Errors
    /// [`SettingsError::Missing`] when there is none.
    pub fn require_database_url(&self) -> Result<&Sourced<Secret>, SettingsError> {
        self.database_url
            .as_ref()
            .ok_or(SettingsError::Missing { setting: Knob::DatabaseUrl.describe().title })
    }
}

/// The folder of a user's state. The specification of the XDG folders wants relative paths to be ignored.
#[must_use]
pub fn state_folder(xdg_state_home: Option<PathBuf>, home: Option<PathBuf>) -> Option<PathBuf> {
    let absolute = |path: &PathBuf| path.is_absolute();
    xdg_state_home
        .filter(absolute)
        .or_else(|| home.filter(absolute).map(|home| home.join(".local").join("state")))
}

struct Layers<'a>(&'a [Layer]);

impl Layers<'_> {
    fn optional<T>(
        &self,
        knob: Knob,
        parse: impl Fn(&str) -> Result<T, ValueError>,
    ) -> Result<Option<Sourced<T>>, SettingsError> {
        let Some(raw) = self.0.iter().find_map(|layer| layer.get(knob)) else { return Ok(None) };
        Ok(Some(check(raw, parse)?))
    }

    /// A URL; the path of a SQLite file in it is relative to the folder of the file that names it.
    fn url(
        &self,
        knob: Knob,
        parse: impl Fn(&str) -> Result<Secret, ValueError>,
    ) -> Result<Option<Sourced<Secret>>, SettingsError> {
        let Some(raw) = self.0.iter().find_map(|layer| layer.get(knob)) else { return Ok(None) };
        let mut found = check(raw, parse)?;
        if let Some(base) = &raw.base
            && let Some((scheme, path)) = found.value.expose().split_once(':')
            && scheme.eq_ignore_ascii_case("sqlite")
            && let path = path.strip_prefix("//").unwrap_or(path)
            && !path.starts_with('/')
        {
            let folder = sqlite_url(&std::path::absolute(base).unwrap_or_else(|_| base.clone()));
            found.value = Secret::new(format!("{folder}/{path}"));
        }
        Ok(Some(found))
    }

    fn required<T>(
        &self,
        knob: Knob,
        parse: impl Fn(&str) -> Result<T, ValueError>,
    ) -> Result<Sourced<T>, SettingsError> {
        if let Some(found) = self.optional(knob, &parse)? {
            return Ok(found);
        }
        let default = knob.describe().default;
        check(
            &RawValue { knob, text: Secret::new(default.to_owned()), origin: Origin::Default, base: None },
            parse,
        )
    }

    /// A secret that can be given in one of several ways: the highest layer that has any decides, and it must
    /// have one only.
    fn source(&self, knobs: &[Knob]) -> Result<Option<Sourced<KeySource>>, SettingsError> {
        for layer in self.0 {
            let mut given = knobs.iter().filter_map(|knob| layer.get(*knob));
            let Some(raw) = given.next() else { continue };
            if let Some(second) = given.next() {
                return Err(SettingsError::Conflict {
                    first: raw.origin.clone(),
                    second: second.origin.clone(),
                });
            }
            let value = match raw.knob {
                Knob::EncryptionKeyFile | Knob::PreviousKeyFiles | Knob::ServeTokenFile => {
                    let files = check(raw, value::list)?.value;
                    let absolute = |file| {
                        raw.base.as_ref().map_or_else(|| PathBuf::from(&file), |base| base.join(&file))
                    };
                    KeySource::Files(files.into_iter().map(absolute).collect())
                }
                Knob::EncryptionKeyCommand => KeySource::Command(raw.text.clone()),
                // Whether a key is well formed is the key's to say, with the sentences and the exit code of keys.
                _ => KeySource::Text(raw.text.clone()),
            };
            return Ok(Some(Sourced { value, origin: raw.origin.clone() }));
        }
        Ok(None)
    }
}

fn check<T>(
    raw: &RawValue,
    parse: impl Fn(&str) -> Result<T, ValueError>,
) -> Result<Sourced<T>, SettingsError> {
    match parse(raw.text.expose()) {
        Ok(value) => Ok(Sourced { value, origin: raw.origin.clone() }),
        Err(source) => {
            Err(SettingsError::Value { origin: raw.origin.clone(), takes: raw.knob.describe().takes, source })
        }
    }
}

#[cfg(test)]
mod tests;
