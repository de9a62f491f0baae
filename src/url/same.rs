//! One name for one place, however its URL is spelt: for comparing, not for showing.
//!
//! A file of its own because nothing is asked: names that a server or the file system makes one (an alias in DNS, a
//! symbolic link) stay two.

use std::path::{Component, PathBuf};

use super::{Address, PostgresAddress, is_this_machine};

/// What every name of this machine becomes.
const HERE: &str = "localhost";

impl Address {
    /// The place: the same for spellings of host and path that lead to one.
    #[must_use]
    pub fn place(&self) -> String {
        match self {
            Self::Supabase(base) => {
                let port = base.0.port_or_known_default().unwrap_or_default();
                // `http` and `https` at one port are one server at most.
                format!("rest:{}:{port}{}", host(base.host()), base.0.path().trim_end_matches('/'))
            }
            Self::Postgres(address) => address.place(),
            Self::Sqlite(path) => {
                let whole = std::path::absolute(path).unwrap_or_else(|_| path.clone());
                let plain: PathBuf = whole.components().filter(|part| *part != Component::CurDir).collect();
                format!("sqlite:{}", plain.display())
            }
        }
    }
}

impl PostgresAddress {
    /// The place: the same for spellings of the host that lead to one.
    #[must_use]
    pub fn place(&self) -> String {
        format!("postgres:{}:{}/{}", host(&self.host), self.port, self.database)
    }
}

fn host(host: &str) -> String {
    let plain = host.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.');
    if is_this_machine(plain) { HERE.to_owned() } else { plain.to_ascii_lowercase() }
}

/// An id as a database may take it for one with others: a UUID in its standard spelling, a number without zeros before it.
#[must_use]
pub fn plain_id(id: &str) -> String {
    let bare = id.trim().trim_start_matches('{').trim_end_matches('}');
    let digits: String = bare.chars().filter(|c| *c != '-').collect();
    if digits.len() == 32 && digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return digits.to_ascii_lowercase();
    }
    let number = id.trim();
    if !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()) {
        let short = number.trim_start_matches('0');
        return if short.is_empty() { "0".to_owned() } else { short.to_owned() };
    }
    id.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::url::SourceUrl;

    fn place(text: &str) -> String {
        SourceUrl::new(text.to_owned()).parse().unwrap().place()
    }

    #[test]
    fn spellings_of_one_place_have_one_name() {
        for (one, other) in [
            (
                "https://abcdefghijklmnopqrst.supabase.co",
                "https://ABCDEFGHIJKLMNOPQRST.supabase.co.:443/rest/v1/",
            ),
            ("http://127.0.0.1:3000", "http://localhost:3000/"),
            ("http://[::1]:3000", "http://api.localhost:3000"),
            ("postgres://a@localhost/d", "postgresql://b:x@127.0.0.2:5432/d?sslmode=disable"),
            ("postgres://a@DB.example./d", "postgres://a@db.example/d"),
            ("sqlite:/tmp/x.db", "sqlite:/tmp/./x.db"),
            ("sqlite:///tmp//x.db", "sqlite:/tmp/x.db"),
        ] {
            assert_eq!(place(one), place(other), "{one} {other}");
        }
    }

    #[test]
    fn two_places_have_two() {
        let all = [
            "https://abcdefghijklmnopqrst.supabase.co",
            "https://abcdefghijklmnopqrst.supabase.co:8443",
            "https://abcdefghijklmnopqrst.supabase.co/other",
            "postgres://a@db.example/d",
            "postgres://a@db.example/D",
            "postgres://a@db.example:6543/d",
            "postgres://a@localhost/d",
            "sqlite:/tmp/x.db",
            "sqlite:/tmp/X.db",
            "sqlite:/tmp/y/../x.db",
        ];
        let mut names: Vec<String> = all.iter().map(|text| place(text)).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), all.len(), "{names:?}");
    }

    #[test]
    fn an_id_is_taken_as_a_column_of_its_type_would() {
        let standard = "0a1b2c3d-0000-4000-8000-00000000000f";
        for id in [standard.to_ascii_uppercase(), format!("{{{standard}}}"), standard.replace('-', "")] {
            assert_eq!(plain_id(&id), plain_id(standard), "{id}");
        }
        assert_eq!((plain_id("007"), plain_id("0"), plain_id("00")), ("7".into(), "0".into(), "0".into()));
        for (one, other) in [("7", "70"), ("a", "A"), ("7", "7a"), ("", "0")] {
            assert_ne!(plain_id(one), plain_id(other));
        }
    }
}
