//! A manager under test: its application database, which counts the questions that reach it, its state folder, and a
//! clock that stands still until it is moved.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use boothds::cipher::KeyRing;
use boothds::clock::{Clock, Ticks};
use boothds::manager::{DataSourceManager, Surroundings};
use boothds::settings::Settings;

use crate::fixture::{KEY, World, seal};
use crate::state_store::Place;
use crate::support::cli::Cli;
use crate::support::fleet::{TenantRow, sqlite_source};
use crate::support::scratch;

/// Waits for a condition that comes about by itself.
pub async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let start = Instant::now();
    while !holds().await {
        assert!(start.elapsed() < Duration::from_secs(30), "still not: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until so many others hear what this manager clears.
pub async fn until_told(manager: &DataSourceManager, others: u64) {
    until(&format!("{others} others listen"), async || {
        manager.clear_tenant_cache("nobody").await.is_ok_and(|cleared| cleared.told == others)
    })
    .await;
}

pub struct House {
    pub world: World,
    pub folder: tempfile::TempDir,
    pub clock: Arc<AtomicU64>,
    variables: Vec<(String, String)>,
}

impl House {
    /// With an application database in PostgreSQL that counts.
    pub fn counting() -> Self {
        let house = Self::of(World::postgres());
        // A view that is asked moves the sequence once for each question, whatever rows it gives.
        house.world.database.execute(
            "alter table tenants rename to real_tenants; create sequence questions;
             create view tenants as select * from real_tenants where (select nextval('questions')) > 0;",
        );
        house
    }

    /// The same, with the state in this store.
    pub fn over(place: &Place) -> Self {
        let mut house = Self::counting();
        house.set("BOOTHDS_STATE_URL", place.url());
        house
    }

    pub fn of(world: World) -> Self {
        let folder = scratch::folder("house");
        let variables = [
            ("DATABASE_URL", world.database.url()),
            ("ENCRYPTION_KEY", KEY.to_owned()),
            ("HOME", folder.path().display().to_string()),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value)).to_vec();
        Self { world, folder, clock: Arc::default(), variables }
    }

    pub fn sqlite() -> Self {
        Self::of(World::sqlite())
    }

    /// Takes a variable away.
    pub fn unset(&mut self, name: &str) {
        self.variables.retain(|(known, _)| known != name);
    }

    /// Sets a variable for the managers that follow.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.unset(name);
        self.variables.push((name.to_owned(), value.into()));
    }

    pub fn manager(&self) -> DataSourceManager {
        self.manager_at(Clock::System)
    }

    /// A manager whose time of day is another.
    pub fn manager_at(&self, clock: Clock) -> DataSourceManager {
        let settings = Settings::from_vars(self.variables.clone()).unwrap();
        let ring = KeyRing::from_settings(&settings).unwrap();
        let ticks = Ticks::Manual(Arc::clone(&self.clock));
        let surroundings = Surroundings { clock, ticks, visible: true };
        DataSourceManager::with(&settings, ring, surroundings).unwrap()
    }

    /// The variables that managers and commands are made from.
    pub fn variables(&self) -> &[(String, String)] {
        &self.variables
    }

    /// The command line with the same settings.
    pub fn cli<const N: usize>(&self, args: [&str; N]) -> Cli {
        self.variables.iter().fold(Cli::new(args), |cli, (name, value)| cli.env(name, value))
    }

    /// Lets so many milliseconds pass.
    pub fn pass(&self, milliseconds: u64) {
        self.clock.fetch_add(milliseconds, Ordering::AcqRel);
    }

    /// How many questions for rows reached the application database.
    pub fn questions(&self) -> u64 {
        let last = self
            .world
            .database
            .execute("select case when is_called then last_value else 0 end from questions");
        last.parse().unwrap()
    }

    /// Adds tenants `t0`, `t1`, … with a SQLite data source each; returns their ids.
    pub fn add_files(&self, count: usize) -> Vec<String> {
        let url = sqlite_source(&self.folder.path().join("source.db"), &["mine"]);
        let key = seal("unused");
        let rows: Vec<TenantRow> = (0..count)
            .map(|n| {
                TenantRow::new(&format!("t{n}"))
                    .data_source(&url, &key, &key)
                    .tenant_id_in_data_source("mine")
            })
            .collect();
        self.insert(&rows);
        rows.into_iter().map(|row| row.id).collect()
    }

    /// Adds a tenant; returns its id.
    pub fn add(&self, row: TenantRow) -> String {
        self.insert(std::slice::from_ref(&row));
        row.id
    }

    fn insert(&self, rows: &[TenantRow]) {
        self.world.database.insert_all(rows);
    }
}
