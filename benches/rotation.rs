//! The rotation of the encryption key in PostgreSQL, against a plain `UPDATE` of the same bytes on the server.
//!
//! The plain `UPDATE` neither opens nor reads back anything, and nothing leaves the server: it is the floor under
//! any rotation. Row by row is what a script does. Runs take turns on a table that is packed anew before each, and of
//! each side the best counts. The audit trigger is dropped: it would write a row for each of ours and none for the floor.
//!
//! `cargo bench --bench rotation -- speed memory` measures these parts only; `scripts/bench` runs all.
#![expect(clippy::print_stdout, reason = "a benchmark prints its result")]

#[path = "fleet/peak.rs"]
mod peak;
#[path = "fleet/timed.rs"]
mod timed;

mod measure;
#[path = "../tests/it/support/mod.rs"]
mod support;

use std::fs;
use std::time::Instant;

use boothds::cipher::{EncryptionKey, KeyRing};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, Executor as _, PgConnection, Row as _};

use measure::{Target, best, note, verdict};
use support::cli::Cli;
use support::fleet::ApplicationDatabase;
use support::postgres::cluster;
use support::scratch;
use timed::{count, run};

/// Tenants of the fleet that is timed, each with two keys.
const TENANTS: usize = 100_000;
/// Tenants of the fleet whose rotation must take no more memory.
const MANY: usize = 1_000_000;
/// Tenants that are rotated row by row; the time is scaled to [`TENANTS`].
const BY_ROW: usize = 5_000;
const ROUNDS: usize = 5;
/// Distinct sealed values; the server copies them to the tenants.
const VALUES: usize = 1_000;

fn main() {
    // Cargo adds `--bench`.
    let wanted: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let wants = |part: &str| wanted.is_empty() || wanted.iter().any(|word| word == part);
    if wants("speed") || wants("memory") {
        let fleet = Fleet::of(TENANTS);
        if wants("speed") {
            speed(&fleet);
        }
        if wants("memory") {
            let few = memory(&fleet, TENANTS);
            drop(fleet);
            let many = memory(&Fleet::of(MANY), MANY);
            note(&format!("ten times the tenants take {:.2} times the memory", many / few));
        }
    }
}

/// A fleet, and the keys that it is rotated between.
struct Fleet {
    database: ApplicationDatabase,
    folder: tempfile::TempDir,
    keys: [EncryptionKey; 2],
}

impl Fleet {
    fn of(tenants: usize) -> Self {
        let start = Instant::now();
        let keys = [EncryptionKey::generate(), EncryptionKey::generate()];
        let folder = scratch::folder("bench");
        for (name, key) in ["one.key", "other.key"].iter().zip(&keys) {
            fs::write(folder.path().join(name), key.digits().expose()).expect("write a key");
        }
        let database = ApplicationDatabase::postgres();
        let ring = KeyRing::new(keys[0].clone(), Vec::new());
        // As long as Supabase's keys, which are JWTs of some 220 characters.
        let plain = |name: &str, number: usize| format!("{name}{number:0>210}");
        let values: Vec<String> = (0..VALUES)
            .map(|number| {
                let [anon, service] = ["anon-", "service-"].map(|name| ring.seal(&plain(name, number)));
                format!("({number},'{anon}','{service}')")
            })
            .collect();
        database.execute(&format!(
            "drop trigger audit_data_source_changes on tenants;
             create temp table sealed (number int primary key, anon text, service text);
             insert into sealed values {};
             insert into tenants (name, subdomain, data_source_url, data_source_anon_key, data_source_service_key)
             select 'Tenant ' || n, 'tenant-' || n, 'https://abcdefghijklmnopqrst.supabase.co', anon, service
             from generate_series(1, {tenants}) n join sealed on number = n % {VALUES}",
            values.join(",")
        ));
        let fleet = Self { database, folder, keys };
        fleet.pack();
        note(&format!("{tenants} tenants made in {:.1} s", start.elapsed().as_secs_f64()));
        fleet
    }

    /// As if nothing had been written to the table before.
    fn pack(&self) {
        self.database.execute("vacuum (full, analyze) tenants; checkpoint");
    }

    fn arguments(&self, to: usize, more: &[&str]) -> Vec<String> {
        let file = |number: usize| {
            format!("file:{}", self.folder.path().join(["one.key", "other.key"][number]).display())
        };
        let words = ["rotate-key", "--yes", "--json", "--to", &file(to), "--from", &file(1 - to)];
        words.iter().copied().chain(more.iter().copied()).map(str::to_owned).collect()
    }

    fn variables(&self) -> [(&'static str, String); 1] {
        [("DATABASE_URL", self.database.url())]
    }
}

fn speed(fleet: &Fleet) {
    let mut to = 1;
    let mut ours = |more: &[&str]| {
        fleet.pack();
        let words = [vec![env!("CARGO_BIN_EXE_boothds").to_owned()], fleet.arguments(to, more)].concat();
        to = 1 - to;
        run(&words, &fleet.variables(), "")
    };
    let plain = || {
        fleet.pack();
        let start = Instant::now();
        fleet.database.execute(
            "update tenants set data_source_anon_key = data_source_anon_key || '', \
             data_source_service_key = data_source_service_key || ''",
        );
        start.elapsed().as_secs_f64() * 1e3
    };
    let backup = fleet.folder.path().join("backup");
    let backup = backup.to_str().expect("a path of text");
    let (mut floor, mut whole, mut batches, mut saved) = (vec![], vec![], vec![], vec![]);
    for _ in 0..ROUNDS {
        floor.push(plain());
        whole.push(ours(&[]));
        batches.push(ours(&["--batch-size", "5000"]));
        saved.push(ours(&["--backup", backup]));
        fs::remove_file(backup).expect("remove the backup");
    }
    let current = fleet.arguments(1 - to, &["--verify"]);
    // A proof takes the one key that is to open everything, and asks nothing.
    let other = current.iter().position(|word| word == "--from").expect("the other key is among them");
    let words =
        current.iter().enumerate().filter(|(at, word)| ![other, other + 1].contains(at) && *word != "--yes");
    let proof = Cli::new(words.map(|(_, word)| word));
    proof.env("DATABASE_URL", fleet.database.url()).run().expect_code(0);
    let floor = best(floor);
    let [whole, batches, saved] = [whole, batches, saved].map(|runs| timed::Timed::best(&runs));
    note(&format!("a plain UPDATE of {TENANTS} tenants: {floor:.0} ms"));
    for (what, of) in [("one transaction", whole), ("batches of 5000", batches), ("with a backup", saved)] {
        note(&format!("rotation, {what}: {:.0} ms, of ours {:.0} ms of processor time", of.wall, of.cpu));
    }
    verdict("rotation to a plain UPDATE", whole.wall / floor, "", Target::AtMost(2.5));
    note(&format!(
        "in batches {:.2} times, with a backup {:.2} times",
        batches.wall / floor,
        saved.wall / floor
    ));
    let [one, each] = [true, false].map(|one| by_row(fleet, one) * count(TENANTS) / count(BY_ROW));
    note(&format!(
        "row by row in one transaction {:.1} times, each row for itself {:.1} times",
        one / floor,
        each / floor
    ));
}

/// A SELECT, the opening and sealing of both keys, an UPDATE for each row: milliseconds.
fn by_row(fleet: &Fleet, one_transaction: bool) -> f64 {
    fleet.pack();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("start a runtime");
    let options = PgConnectOptions::new_without_pgpass()
        .host("127.0.0.1")
        .port(cluster().port())
        .username("postgres")
        .database(fleet.database.database())
        .ssl_mode(sqlx::postgres::PgSslMode::Disable);
    let ring = KeyRing::new(fleet.keys[0].clone(), vec![fleet.keys[1].clone()]);
    runtime.block_on(async {
        let mut connection = PgConnection::connect_with(&options).await.expect("connect");
        let ids = format!("select id::text from tenants limit {BY_ROW}");
        let ids = sqlx::query(&ids).fetch_all(&mut connection).await.expect("read the ids");
        let start = Instant::now();
        if one_transaction {
            connection.execute("begin").await.expect("begin");
        }
        for id in &ids {
            let id: String = id.get(0);
            let read = "select data_source_anon_key, data_source_service_key from tenants where id = $1::uuid for update";
            let row = sqlx::query(read).bind(&id).fetch_one(&mut connection).await.expect("read a row");
            let seal = |at: usize| ring.seal(ring.open(row.get(at)).expect("open").plaintext.expose());
            let write = "update tenants set data_source_anon_key = $2, data_source_service_key = $3 where id = $1::uuid";
            let update = sqlx::query(write).bind(&id).bind(seal(0)).bind(seal(1));
            update.execute(&mut connection).await.expect("write a row");
        }
        if one_transaction {
            // The fleet stays as it is.
            connection.execute("rollback").await.expect("roll back");
        }
        let took = start.elapsed().as_secs_f64() * 1e3;
        connection.close().await.expect("close");
        took
    })
}

fn memory(fleet: &Fleet, tenants: usize) -> f64 {
    // The rows may be under either key.
    let arguments = fleet.arguments(1, &[]);
    let cli = Cli::new(&arguments).env("DATABASE_URL", fleet.database.url());
    let back = Cli::new(fleet.arguments(0, &[])).env("DATABASE_URL", fleet.database.url());
    back.run().expect_code(0);
    let peak = peak::peak(&cli);
    verdict(&format!("peak memory of the rotation of {tenants} tenants"), peak, " MB", Target::AtMost(50.0));
    peak
}
