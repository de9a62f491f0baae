//! A fleet with something of everything: tenants that pass and fail, on PostgreSQL and on SQLite, one that shows its
//! rows to everybody, and two services with counts worth a grade.

use std::path::PathBuf;

use boothds::manager::DataSourceManager;

use super::busy;
use crate::fixture::seal;
use crate::manager::house::House;
use crate::rls_postgres::{A, HOUSE, cluster};
use crate::serve::served::{Served, text, until};
use crate::support::fleet::{TenantRow, sqlite_source};
use crate::support::network::refused_port;
use crate::support::postgres::PrivateCluster;

const ON: &str = "alter table accounts enable row level security; create policy tenant on accounts using \
                  (tenant_id = (auth.jwt() ->> 'tenant_id')::uuid);";
const OPEN: &str =
    "alter table accounts enable row level security; create policy bypass on accounts using (true);";

/// Subdomain, name, what is done to its tables.
const ON_POSTGRES: [(&str, &str, &str); 5] = [
    ("aperture", "Aperture Weddings", ON),
    ("bellows", "Bellows & Co", ON),
    ("contact-sheet", "Contact Sheet GmbH", ON),
    ("lumen", "Lumen Event Hire", OPEN),
    ("magnesium", "Magnesium Flash Ltd", "alter table accounts enable row level security;"),
];

/// Adds a tenant with a database of its own; returns its id.
fn on_postgres(house: &House, cluster: &PrivateCluster, names: (&str, &str), sql: &str) -> String {
    let (subdomain, name) = names;
    let database = cluster.create_database(&subdomain.replace('-', "_"));
    cluster.psql(&database, &format!("{HOUSE}{sql}"));
    let anon = seal(&cluster.url_as("visitor", &database));
    let row = TenantRow::new(subdomain).name(name).data_source(&cluster.url(&database), &anon, &seal("x"));
    house.add(row.tenant_id_in_data_source(A))
}

/// Adds the tenant `lumen`, which answers but has findings, on a server that is to be kept.
pub fn with_findings(house: &House) -> PrivateCluster {
    let cluster = cluster();
    on_postgres(house, &cluster, ("lumen", "Lumen Event Hire"), OPEN);
    cluster
}

pub struct Showcase {
    pub house: House,
    /// The id of a tenant whose rows everybody sees.
    pub exposed: String,
    /// The file of a tenant that comes and goes.
    flapping: PathBuf,
    services: Vec<DataSourceManager>,
    _cluster: PrivateCluster,
}

impl Showcase {
    pub async fn open() -> Self {
        let (house, cluster) = (House::sqlite(), cluster());
        let mut exposed = String::new();
        for (subdomain, name, sql) in ON_POSTGRES {
            let id = on_postgres(&house, &cluster, (subdomain, name), sql);
            if subdomain == "lumen" {
                exposed = id;
            }
        }
        let mut files = Vec::new();
        let mut ids = Vec::new();
        for (subdomain, name) in
            [("darkroom", "Darkroom Studio"), ("emulsion", "Emulsion Lab"), ("fixer", "Fixer Rentals")]
        {
            let file = house.folder.path().join(format!("{subdomain}.db"));
            let row = TenantRow::new(subdomain).name(name);
            let row = row.data_source(&sqlite_source(&file, &["mine"]), &seal("x"), &seal("x"));
            ids.push(house.add(row.tenant_id_in_data_source("mine")));
            files.push(file);
        }
        let nobody = format!("postgres://booth@127.0.0.1:{}/kiosk", refused_port());
        house.add(TenantRow::new("kiosk").name("Kiosk Rentals").data_source(&nobody, &seal("x"), &seal("x")));
        let unsealed = cluster.url(&cluster.create_database("parallax"));
        house.add(TenantRow::new("parallax").name("Parallax Photo").data_source(
            &unsealed,
            "eyJhbGciOiJIUzI1NiJ9.e30.x",
            "eyJhbGciOiJIUzI1NiJ9.e30.x",
        ));
        house.add(TenantRow::new("rollfilm").name("Roll Film (no data yet)"));
        let first = busy(&house, &[(&ids[0], 7), (&ids[1], 4), (&ids[2], 2)]).await;
        let second = busy(&house, &[(&ids[0], 1), (&ids[2], 1)]).await;
        Self {
            house,
            exposed,
            flapping: files.swap_remove(1),
            services: vec![first, second],
            _cluster: cluster,
        }
    }

    /// Lets rounds go by, in some of which a tenant is away.
    pub fn live_a_little(&self, served: &Served) {
        let rounds = |wanted: u64| {
            until(&format!("{wanted} rounds"), || {
                let metrics = text(&served.get("/metrics"));
                let line = metrics.lines().find_map(|line| line.strip_prefix("boothds_watch_rounds_total "));
                line.is_some_and(|count| count.parse::<u64>().is_ok_and(|count| count >= wanted))
            });
        };
        let away = self.flapping.with_extension("away");
        for (leaves, returns) in [(6, 8), (15, 16)] {
            rounds(leaves);
            std::fs::rename(&self.flapping, &away).unwrap();
            rounds(returns);
            std::fs::rename(&away, &self.flapping).unwrap();
        }
        rounds(22);
    }

    pub async fn close(self) {
        for service in self.services {
            service.shutdown().await;
        }
    }
}
