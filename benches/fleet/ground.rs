//! The ground under the measurements: tenants' databases, and application databases that list them with sealed keys.

use std::fmt::Write as _;
use std::time::Instant;

use boothds::cipher::{EncryptionKey, KeyRing};

use crate::measure::note;
use crate::support::cli::{Cli, Ran};
use crate::support::fleet::{ApplicationDatabase, TenantRow};
use crate::support::postgres::cluster;

/// How many databases the server has for the fleet.
pub const DATABASES: usize = 300;
/// The password of every role here.
pub const PASSWORD: &str = "the-password-of-the-benchmarks";

/// How tenants are reached.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Without TLS, let in without a password.
    Plain,
    /// TLS without a check of the certificate, and SCRAM.
    TlsAndScram,
}

impl Way {
    /// The URL of a database for the service role.
    fn url(self, port: u16, database: &str) -> String {
        let (user, mode) = match self {
            Self::Plain => ("bench_service", "disable"),
            Self::TlsAndScram => ("bench_scram", "require"),
        };
        format!("postgres://{user}@127.0.0.1:{port}/{database}?sslmode={mode}")
    }
}

/// An application database and the key of its sealed values.
pub struct Fleet {
    application: ApplicationDatabase,
    key: EncryptionKey,
}

impl Fleet {
    /// One that lists `tenants` tenants, in these databases in turn, reached through this port.
    pub fn of(tenants: usize, databases: &[String], port: u16, way: Way) -> Self {
        let key = EncryptionKey::generate();
        let ring = KeyRing::new(key.clone(), Vec::new());
        let row = |number: usize| {
            let database = &databases[number % databases.len()];
            let anon =
                format!("postgres://bench_anon:{PASSWORD}@127.0.0.1:{port}/{database}?sslmode=disable");
            let row = TenantRow::new(&format!("tenant-{number}"));
            row.data_source(&way.url(port, database), &ring.seal(&anon), &ring.seal(PASSWORD))
        };
        Self::listing(key.clone(), &(0..tenants).map(row).collect::<Vec<_>>())
    }

    /// One that lists these tenants, whose keys this key has sealed.
    pub fn listing(key: EncryptionKey, rows: &[TenantRow]) -> Self {
        let application = ApplicationDatabase::postgres();
        application.insert_all(rows);
        application.execute("analyze tenants");
        Self { application, key }
    }

    /// The variables that the binary gets.
    pub fn variables(&self) -> [(&'static str, String); 2] {
        let digits = self.key.digits().expose().to_owned();
        [("DATABASE_URL", self.application.url()), ("ENCRYPTION_KEY", digits)]
    }

    /// The binary on it, with these arguments.
    pub fn cli(&self, args: &[&str]) -> Cli {
        let cli = Cli::new(args.iter().copied());
        self.variables().into_iter().fold(cli, |cli, (name, value)| cli.env(name, value))
    }

    /// Runs it once and makes sure that all these tenants passed: nobody measures failures.
    pub fn check(&self, args: &[&str], tenants: usize) -> Ran {
        let ran = self.cli(args).run().expect_code(0);
        let last = ran.stdout.lines().last().unwrap_or_default();
        let document: serde_json::Value = serde_json::from_str(last).unwrap_or_else(|_| ran.json());
        assert_eq!(document["summary"]["passed"], tenants, "tenants that passed");
        ran
    }
}

/// Makes this many databases, each with the table that is asked, under the policy of a healthy tenant, and the two roles
/// that may come in.
pub fn databases(count: usize) -> Vec<String> {
    let start = Instant::now();
    roles();
    let cluster = cluster();
    let template = cluster.create_database("tenant");
    let table = "create table accounts (id uuid primary key, tenant_id uuid not null, name text);
                 create index on accounts (tenant_id); grant select on accounts to public;
                 alter table accounts enable row level security; create policy tenant on accounts
                 using (tenant_id = (nullif(current_setting('request.jwt.claims', true), '')::json ->> 'tenant_id')::uuid)";
    cluster.psql(&template, table);
    let names: Vec<String> = (1..count).map(|number| format!("{template}_{number}")).collect();
    for some in names.chunks(50) {
        let statements = some.iter().fold(String::new(), |mut sql, name| {
            writeln!(sql, "create database {name} template {template} strategy file_copy;")
                .expect("write to a string");
            sql
        });
        cluster.psql("postgres", &statements);
    }
    if count > 1 {
        note(&format!("{count} databases made in {:.1} s", start.elapsed().as_secs_f64()));
    }
    [vec![template], names].concat()
}

/// The roles of the benchmarks, once.
fn roles() {
    let roles = [
        ("bench_service", " bypassrls"),
        ("bench_anon", ""),
        ("bench_scram", " bypassrls in role scram_users"),
    ];
    for (role, more) in roles {
        let known = cluster().psql("postgres", &format!("select 1 from pg_roles where rolname = '{role}'"));
        if known.is_empty() {
            cluster().psql("postgres", &format!("create role {role} login password '{PASSWORD}'{more}"));
        }
    }
}
