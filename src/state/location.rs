//! Where the state store is: what the settings name, or the file in the user's state folder.
//!
//! A file of its own because it is decided, and refused, before anything is opened.

use std::path::PathBuf;

use super::error::{StateError, StateFailure};
use crate::sanitize::printable;
use crate::settings::Settings;
use crate::url::{Address, RedisAddress, SourceUrl};

/// The place of a store. `Debug` shows no password.
#[derive(Clone, Debug)]
pub enum Location {
    /// A SQLite file, as an absolute path.
    Sqlite(PathBuf),
    /// A Redis server.
    Redis(RedisAddress),
}

impl Location {
    /// The place that `state_url` names, or `boothds/state.db` in the user's state folder.
    ///
    /// # Errors
    /// [`StateFailure::Url`] when the URL cannot be used, or when there is neither a URL nor a state folder.
    pub fn from_settings(settings: &Settings) -> Result<Self, StateError> {
        match (&settings.state_url, &settings.state_folder) {
            (Some(url), _) => Self::parse(&SourceUrl::new(url.value.expose().to_owned())),
            (None, Some(folder)) => Ok(Self::Sqlite(folder.join("boothds").join("state.db"))),
            (None, None) => Err(StateError::new(
                "of this user",
                StateFailure::Url,
                Some("no folder is known for it: set BOOTHDS_STATE_URL, XDG_STATE_HOME or HOME"),
            )),
        }
    }

    /// Where it is, without user and password: `sqlite:/path`, `redis://host:port/number`. Safe to show.
    #[must_use]
    pub fn address(&self) -> String {
        match self {
            Self::Sqlite(path) => format!("sqlite:{}", printable(&path.to_string_lossy())),
            Self::Redis(address) => address.endpoint(),
        }
    }

    fn parse(url: &SourceUrl) -> Result<Self, StateError> {
        let text = url.text();
        let parsed = if url.kind().is_some() {
            url.parse().map(|address| match address {
                Address::Sqlite(path) => Some(Self::Sqlite(std::path::absolute(&path).unwrap_or(path))),
                Address::Supabase(_) | Address::Postgres(_) => None,
            })
        } else {
            RedisAddress::parse(text.expose()).map(|address| Some(Self::Redis(address)))
        };
        let refused = |why: &str| StateError::new(&url.endpoint(), StateFailure::Url, Some(why));
        match parsed {
            Ok(Some(location)) => Ok(location),
            Ok(None) => Err(refused("its scheme is none of sqlite, redis, rediss")),
            Err(error) => Err(refused(&error.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at<const N: usize>(vars: [(&str, &str); N]) -> Result<Location, StateError> {
        Location::from_settings(&Settings::from_vars(vars).unwrap())
    }

    #[test]
    fn without_a_url_it_is_a_file_in_the_state_folder_and_without_that_an_error_that_says_what_to_set() {
        assert_eq!(
            at([("HOME", "/home/me")]).unwrap().address(),
            "sqlite:/home/me/.local/state/boothds/state.db"
        );
        assert_eq!(at([("XDG_STATE_HOME", "/s")]).unwrap().address(), "sqlite:/s/boothds/state.db");
        let error = at([]).unwrap_err();
        assert_eq!(error.failure, StateFailure::Url);
        assert!(error.to_string().contains("BOOTHDS_STATE_URL"), "{error}");
    }

    #[test]
    fn a_url_decides_and_what_cannot_be_used_is_refused_without_its_password() {
        let home = ("HOME", "/home/me");
        let at = |url| at([("BOOTHDS_STATE_URL", url), home]);
        assert_eq!(at("sqlite:/x/a.db").unwrap().address(), "sqlite:/x/a.db");
        let redis = at("rediss://u:hunter2hunter2@h:1/2").unwrap();
        assert_eq!(redis.address(), "rediss://h:1/2");
        assert!(!format!("{redis:?}").contains("hunter2"));
        for url in [
            "redis://u:hunter2hunter2@h/x",
            "redis://u:hunter2hunter2@h?tls=hunter2hunter2",
            "sqlite::memory:",
            "redis://u:hunter2hunter2/a@h",
            "redis:hunter2hunter2",
            "sqlite:/a?mode=hunter2hunter2",
        ] {
            let error = at(url).unwrap_err();
            assert_eq!(error.failure, StateFailure::Url);
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
        }
    }
}
