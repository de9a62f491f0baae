//! What the two logins of one tenant tell each other, so that the catalogue is asked once.
//!
//! The service credential asks about the login of the anon credential too, by the user name in its URL. The anon
//! credential waits for that, for at most half of its time, and takes it for its own only where it is: the same
//! server since its start, database and table, and a login that is the very role that was asked about. A pooler, a role
//! setting or a search path may make it another; then it asks by itself.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use crate::source::Login;
use crate::source::evidence::Facts;

/// Who is logged in, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    /// When the server started, to the microsecond, its address and port, the database, the table that the name stands
    /// for, and whether the search path has functions before those of `pg_catalog`.
    pub(super) place: String,
    /// The database, by itself.
    pub(super) database: String,
    /// `current_user`.
    pub(super) user: String,
    /// `session_user`.
    pub(super) session_user: String,
}

/// What the catalogue says, and to whom.
#[derive(Clone, Debug)]
pub(super) struct Told {
    pub(super) identity: Identity,
    pub(super) facts: Facts,
    /// Whether it took a round trip of its own.
    pub(super) is_wide: bool,
    /// Whether the policies call functions that are still to be asked for.
    pub(super) lacks_functions: bool,
}

#[derive(Clone, Debug)]
enum State {
    Waiting,
    Told(Arc<Told>),
    Nothing,
}

/// Between the service login and the anon login of one tenant on PostgreSQL; clones are the same exchange.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// The user name of the anon login.
    login: String,
    state: Arc<watch::Sender<State>>,
}

impl Exchange {
    /// One between two users of one database; none where the logins are anything else.
    #[must_use]
    pub fn between(service: &Login, anon: &Login) -> Option<Self> {
        let (Login::Postgres(service), Login::Postgres(anon)) = (service, anon) else { return None };
        let same = service.host.eq_ignore_ascii_case(&anon.host)
            && (service.port, &service.database) == (anon.port, &anon.database);
        (same && service.user != anon.user)
            .then(|| Self { login: anon.user.clone(), state: Arc::new(watch::Sender::new(State::Waiting)) })
    }

    /// Nothing more will be told: nobody needs to wait.
    pub fn close(&self) {
        self.state.send_if_modified(|state| {
            let waiting = matches!(state, State::Waiting);
            if waiting {
                *state = State::Nothing;
            }
            waiting
        });
    }

    pub(super) fn login(&self) -> &str {
        &self.login
    }

    pub(super) fn tell(&self, told: &Told) {
        self.state.send_replace(State::Told(Arc::new(told.clone())));
    }

    /// What the catalogue says to the anon login, if the service was told so within `limit`, and it is about this one.
    pub(super) async fn learn(&self, identity: &Identity, limit: Duration) -> Option<Told> {
        let mut state = self.state.subscribe();
        let known = timeout(limit, state.wait_for(|state| !matches!(state, State::Waiting))).await;
        let told = match &*known.ok()?.ok()? {
            State::Told(told) => Arc::clone(told),
            State::Waiting | State::Nothing => return None,
        };
        let is_here = told.identity.place == identity.place;
        let is_it = identity.user == self.login && identity.session_user == self.login;
        let facts = if is_here && is_it { told.facts.as_login(&self.login) } else { None }?;
        // The service asks for the functions as well, for both.
        let facts = Facts { functions_of_service: told.lacks_functions, ..facts };
        Some(Told { identity: identity.clone(), facts, lacks_functions: false, ..*told })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::evidence::Actor;
    use crate::url::{Address, SourceUrl};

    fn login(url: &str) -> Login {
        match SourceUrl::new(url.to_owned()).parse() {
            Ok(Address::Postgres(address)) => Login::Postgres(address),
            _ => panic!("{url}"),
        }
    }

    fn identity(place: &str, user: &str, session_user: &str) -> Identity {
        let text = str::to_owned;
        Identity {
            place: text(place),
            database: text("house"),
            user: text(user),
            session_user: text(session_user),
        }
    }

    #[test]
    fn only_two_users_of_one_database_have_something_to_tell_each_other() {
        let service = login("postgres://service@db.example/a");
        let between = |url| Exchange::between(&service, &login(url)).is_some();
        assert!(between("postgres://anon@DB.example:5432/a"));
        assert!(!between("postgres://service@db.example/a"));
        assert!(!between("postgres://anon@db.example:6543/a"));
        assert!(!between("postgres://anon@db.example/b"));
        assert!(!between("postgres://anon@other.example/a"));
        assert!(Exchange::between(&service, &Login::Sqlite("a".into())).is_none());
    }

    #[tokio::test]
    async fn only_the_login_that_was_asked_about_at_that_place_learns() {
        let urls = ["postgres://service@db.example/a", "postgres://anon_login@db.example/a"];
        let exchange = Exchange::between(&login(urls[0]), &login(urls[1])).unwrap();
        let second = Duration::from_secs(1);
        let own = identity("here", "anon_login", "anon_login");
        assert!(exchange.learn(&own, Duration::ZERO).await.is_none());
        let actor = |name: &str, is_self| Actor { name: name.to_owned(), is_self, ..Actor::default() };
        let facts =
            Facts { actors: vec![actor("service", true), actor("anon_login", false)], ..Facts::default() };
        exchange.tell(&Told {
            identity: identity("here", "service", "service"),
            facts,
            is_wide: false,
            lacks_functions: true,
        });
        // Told is told, also to one who comes later.
        exchange.close();
        let told = exchange.learn(&own, second).await.unwrap();
        assert_eq!(told.facts.actors[0].name, "anon_login");
        assert!(told.facts.functions_of_service && !told.lacks_functions);
        for other in [
            identity("there", "anon_login", "anon_login"),
            identity("here", "anon", "anon_login"),
            identity("here", "anon_login", "other"),
            identity("here", "other", "other"),
        ] {
            assert!(exchange.learn(&other, second).await.is_none(), "{other:?}");
        }
        let silent = Exchange::between(&login(urls[0]), &login(urls[1])).unwrap();
        silent.close();
        assert!(silent.learn(&own, second).await.is_none());
    }
}
