//! A fleet whose keys are rotated, and what is to be known of it afterwards.

use std::collections::BTreeMap;
use std::path::PathBuf;

use boothds::cipher::{EncryptionKey, KeyRing};
use boothds::secret::Secret;

use crate::fixture::{KEY, seal};
use crate::support::cli::Cli;
use crate::support::fleet::{ApplicationDatabase, TenantRow};
use crate::support::scratch;

/// The key that is rotated to.
pub const NEW: &str = "feedfacefeedfacefeedfacefeedfacefeedfacefeedfacefeedfacefeedface";

/// A database with tenants, and a folder with the new key in it.
pub struct Fleet {
    pub database: ApplicationDatabase,
    pub folder: tempfile::TempDir,
    tenants: usize,
}

/// Under which key a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Under {
    Old,
    New,
    Neither,
}

impl Fleet {
    pub fn postgres(tenants: usize) -> Self {
        Self::of(tenants, |_| ApplicationDatabase::postgres())
    }

    pub fn sqlite(tenants: usize) -> Self {
        Self::of(tenants, |folder| ApplicationDatabase::sqlite(&folder.join("application.db")))
    }

    pub fn both(tenants: usize) -> [Self; 2] {
        [Self::postgres(tenants), Self::sqlite(tenants)]
    }

    pub fn of(tenants: usize, make: impl FnOnce(&std::path::Path) -> ApplicationDatabase) -> Self {
        let folder = scratch::folder("rotation");
        let database = make(folder.path());
        database.insert_all(&rows(tenants));
        std::fs::write(folder.path().join("new.key"), format!("{NEW}\n")).unwrap();
        Self { database, folder, tenants }
    }

    /// A file in the fleet's folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// `rotate-key` with these arguments, and the old key in the environment.
    pub fn cli(&self, args: &[&str]) -> Cli {
        self.cli_at(&self.database.url(), args)
    }

    /// The same through another address.
    pub fn cli_at(&self, url: &str, args: &[&str]) -> Cli {
        Cli::new(["rotate-key"].iter().chain(args).copied())
            .env("DATABASE_URL", url)
            .env("ENCRYPTION_KEY", KEY)
            .cwd(self.folder.path())
    }

    /// Applies to the new key, with further arguments.
    pub fn rotate(&self, args: &[&str]) -> Cli {
        self.cli(&[&["--to", "file:new.key", "--yes"], args].concat())
    }

    /// Every stored value by subdomain and column; an empty text for null.
    pub fn values(&self) -> BTreeMap<(String, &'static str), String> {
        let rows = self.database.execute(
            "select subdomain, coalesce(data_source_anon_key, ''), coalesce(data_source_service_key, '') from tenants \
             order by subdomain",
        );
        let mut values = BTreeMap::new();
        for row in rows.lines() {
            let mut cells = row.split('|');
            let name = cells.next().unwrap().to_owned();
            for column in ["anon", "service"] {
                values.insert((name.clone(), column), cells.next().unwrap().to_owned());
            }
        }
        values
    }

    /// The subdomain of the row that is locked last.
    pub fn last(&self) -> String {
        self.database.execute("select subdomain from tenants order by id desc limit 1")
    }

    /// The version of every row, on PostgreSQL.
    pub fn versions(&self) -> String {
        self.database.execute("select id, xmin, ctid from tenants order by id")
    }

    /// Opens every value: how many are under which key. Each must open to what it was.
    pub fn under(&self) -> BTreeMap<Under, usize> {
        let mut count = BTreeMap::new();
        for ((name, column), stored) in self.values() {
            if stored.is_empty() {
                continue;
            }
            let under = under(&stored);
            if under != Under::Neither {
                assert_eq!(open(&stored).unwrap(), plaintext(&name, column), "{name} {column}");
            }
            *count.entry(under).or_default() += 1;
        }
        count
    }

    /// Every value is under the one key.
    #[track_caller]
    pub fn assert_all(&self, key: Under) {
        assert_eq!(self.under(), BTreeMap::from([(key, 2 * self.tenants)]));
    }

    /// Every value opens with one of the two keys.
    #[track_caller]
    pub fn assert_readable(&self) -> BTreeMap<Under, usize> {
        let under = self.under();
        assert_eq!(under.get(&Under::Neither), None, "{under:?}");
        assert_eq!(under.values().sum::<usize>(), 2 * self.tenants, "{under:?}");
        under
    }
}

/// Tenants with both keys sealed under the old key.
pub fn rows(count: usize) -> Vec<TenantRow> {
    (0..count)
        .map(|number| {
            let name = format!("t{number:05}");
            TenantRow::new(&name).data_source(
                &format!("https://{name}.example"),
                &seal(&plaintext(&name, "anon")),
                &seal(&plaintext(&name, "service")),
            )
        })
        .collect()
}

/// What a value opens to.
pub fn plaintext(subdomain: &str, column: &str) -> String {
    format!("the {column} key of {subdomain}")
}

pub fn under(stored: &str) -> Under {
    if ring(NEW).open(stored).is_ok() {
        Under::New
    } else if ring(KEY).open(stored).is_ok() {
        Under::Old
    } else {
        Under::Neither
    }
}

pub fn open(stored: &str) -> Option<String> {
    [NEW, KEY].iter().find_map(|key| Some(ring(key).open(stored).ok()?.plaintext.expose().to_owned()))
}

fn ring(key: &str) -> KeyRing {
    KeyRing::new(EncryptionKey::parse(&Secret::new(key.to_owned()), "test").unwrap(), Vec::new())
}
