//! A hunt for a false `enforced`: policies made up at random, of parts that leak and parts that do not, against brute
//! force: what everybody can really see once there are rows of every kind.

use crate::fixture::{World, result, seal};
use crate::rls_postgres::{A, B, E, HOUSE, X, cluster};
use crate::support::fleet::TenantRow;

struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        // The generator of Knuth's MMIX; the high bits are the good ones.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((self.0 >> 33) % u64::try_from(sides).unwrap()).unwrap()
    }

    fn of<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.roll(list.len())]
    }

    fn claim(&mut self) -> &'static str {
        self.of(&[
            "(auth.jwt() ->> 'tenant_id')::uuid",
            "(select (auth.jwt() ->> 'tenant_id')::uuid)",
            "(auth.jwt() -> 'app_metadata' ->> 'tenant_id')::uuid",
            "(nullif(current_setting('request.jwt.claims', true), '')::json #>> '{app_metadata,tenant_id}')::uuid",
            "nullif(current_setting('request.jwt.claim.tenant_id', true), '')::uuid",
            "coalesce((auth.jwt() ->> 'tenant_id')::uuid, (auth.jwt() -> 'app_metadata' ->> 'tenant_id')::uuid)",
        ])
    }

    fn condition(&mut self, depth: usize) -> String {
        if depth > 0 && self.roll(2) == 0 {
            let (a, b) = (self.condition(depth - 1), self.condition(depth - 1));
            return match self.roll(6) {
                0 | 1 => format!("({a} or {b})"),
                2 | 3 => format!("({a} and {b})"),
                4 => format!("(not {a})"),
                _ => format!("(select {a})"),
            };
        }
        let (claim, other) = (self.claim(), self.claim());
        match self.roll(24) {
            0..=6 => format!("(tenant_id = {claim})"),
            7 => format!("({claim} is null)"),
            8 => format!("({claim} is not null)"),
            9 => format!("(tenant_id is distinct from {claim})"),
            10 => format!("(tenant_id is not distinct from {claim})"),
            11 => format!("(tenant_id in ({claim}, {other}))"),
            12 => format!("(tenant_id in ({claim}, '{B}'))"),
            13 => format!("(tenant_id = coalesce({claim}, '{B}'))"),
            // PostgreSQL cannot plan an expression that is compared with itself and has no column.
            14 if claim != other => format!("({claim} = {other})"),
            15 => format!("(case when {claim} is null then true else tenant_id = {claim} end)"),
            16 => format!("(tenant_id <> {claim})"),
            17 => format!("(tenant_id = '{}')", self.of(&[A, B])),
            18 => format!("(tenant_id between {claim} and {other})"),
            19 => format!("(left(tenant_id::text, 0) = left({claim}::text, 0))"),
            _ => self
                .of(&[
                    "true",
                    "false",
                    "is_public",
                    "(owner = auth.uid())",
                    "(tenant_id = tenant_id)",
                    "(owner is null)",
                    "(auth.role() = 'authenticated')",
                    "(auth.role() <> 'anon')",
                    "((auth.jwt() ->> 'plan') = 'gold')",
                    "(tenant_id = public.sneaky())",
                    "(tenant_id is null)",
                    "(1 = 1)",
                    "(current_user = 'anon')",
                    "(exists (select from members m where m.tenant_id = accounts.tenant_id))",
                    "(tenant_id::text = coalesce(auth.jwt() ->> 'tenant_id', auth.jwt() ->> 'other'))",
                    "(tenant_id in (select m.tenant_id from members m))",
                    "(is_public is true)",
                    "(not is_public)",
                ])
                .to_owned(),
        }
    }

    /// A table with policies in a schema of its own.
    fn table(&mut self, schema: &str) -> String {
        let mut sql = format!(
            "create schema {schema}; set search_path = {schema}, public;
             create table accounts (id bigint generated always as identity, tenant_id uuid, owner uuid,
               is_public boolean not null default false);
             create table members (tenant_id uuid); grant usage on schema {schema} to public;
             grant select on accounts, members to public; alter table accounts enable row level security;\n"
        );
        for number in 0..=self.roll(3) {
            let kind = if self.roll(4) == 0 { "restrictive" } else { "permissive" };
            let role = self.of(&["public", "public", "public", "anon", "authenticated", "service_role"]);
            let command = self.of(&["all", "all", "select", "update"]);
            let condition = self.condition(2);
            sql += &format!(
                "create policy p{number} on accounts as {kind} for {command} to {role} using ({condition});\n"
            );
        }
        for tenant in [A, B] {
            if self.roll(4) > 0 {
                sql += &format!("insert into accounts (tenant_id) values ('{tenant}');\n");
            }
        }
        sql
    }
}

#[test]
fn no_generated_policy_that_leaks_is_called_enforced() {
    const CASES: usize = 150;
    let seed: u64 = rand::random();
    let (world, cluster, mut dice) = (World::postgres(), cluster(), Dice(seed));
    let database = cluster.create_database("generated");
    cluster.psql(&database, HOUSE);
    let house = format!(
        "create role passer_by nologin; create function public.sneaky() returns uuid language sql stable as
           $$ select coalesce((auth.jwt() ->> 'tenant_id')::uuid, '{B}') $$"
    );
    cluster.psql(&database, &house);
    let mut tables = Vec::new();
    let mut script = String::new();
    for number in 0..CASES {
        let schema = format!("case{number:03}");
        let table = dice.table(&schema);
        script += &table;
        script += &format!(
            "create role service_{schema} login superuser; create role visitor_{schema} login;
             alter role service_{schema} set search_path = {schema}, public;
             alter role visitor_{schema} set search_path = {schema}, public;\n"
        );
        let login = |side: &str| cluster.url_as(&format!("{side}_{schema}"), &database);
        let row = TenantRow::new(&schema)
            .data_source(&login("service"), &seal(&login("visitor")), &seal("x"))
            .tenant_id_in_data_source(A);
        world.database.insert(row);
        tables.push((schema, table));
    }
    cluster.psql(&database, &script);
    let document = world.test_all(&["--fail-on", "never", "--concurrency", "8"]);
    let leaks = cluster.psql(&database, include_str!("rls_generated.sql"));
    let (mut wrong, mut enforced) = (Vec::new(), 0);
    for (schema, sql) in &tables {
        let rls = &result(&document, schema)["rls"];
        for (audience, roles) in
            [("anon", ["anon", "passer_by"].as_slice()), ("authenticated", &["authenticated"])]
        {
            let leaks_to = |role: &&str| leaks.lines().any(|line| line == format!("{schema} {role}"));
            let leaking: Vec<_> = roles.iter().copied().filter(leaks_to).collect();
            enforced += usize::from(rls[audience] == E);
            if rls[audience] == E && !leaking.is_empty() || rls[audience] == X && leaking.is_empty() {
                wrong.push(format!("{audience} {rls}, but it leaks to {leaking:?}\n{sql}"));
            }
        }
    }
    assert!(wrong.is_empty(), "seed {seed}: {} wrong\n{}", wrong.len(), wrong.join("\n"));
    assert!(enforced > CASES / 8, "seed {seed}: only {enforced} enforced, the dice are loaded");
    assert!(leaks.lines().count() > CASES / 8, "seed {seed}: hardly any leak");
}
