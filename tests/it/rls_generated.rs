//! A hunt for a false `enforced`: policies made up at random, of parts that leak and parts that do not, against brute
//! force: what everybody can really see once there are rows of every kind.

use crate::fixture::{World, result, seal};
use crate::rls_postgres::{A, B, E, HOUSE, X, cluster_of};
use crate::support::fleet::TenantRow;
use crate::support::postgres::{PrivateCluster, Release};

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
            "(auth.jwt() ->> 'tenant_id')::uuid",
            "(select (auth.jwt() ->> 'tenant_id')::uuid)",
            "(auth.jwt() -> 'app_metadata' ->> 'tenant_id')::uuid",
            "(nullif(current_setting('request.jwt.claims', true), '')::json #>> '{app_metadata,tenant_id}')::uuid",
            "nullif(current_setting('request.jwt.claim.tenant_id', true), '')::uuid",
            "coalesce((auth.jwt() ->> 'tenant_id')::uuid, (auth.jwt() -> 'app_metadata' ->> 'tenant_id')::uuid)",
            "f()",
            "(select f())",
        ])
    }

    /// Something of the type of the tenant column that the caller may have a hand in, or that is somebody else's.
    fn other(&mut self) -> &'static str {
        self.of(&[
            "(auth.jwt() -> 'user_metadata' ->> 'tenant_id')::uuid",
            "(nullif(current_setting('request.headers', true), '')::json ->> 'x-tenant')::uuid",
            "(select min(m.tenant_id::text)::uuid from members m)",
            "public.sneaky()",
            "nullif(tenant_id, '00000000-0000-0000-0000-000000000000')",
            "owner",
            "null::uuid",
        ])
    }

    fn condition(&mut self, table: &str, depth: usize) -> String {
        if depth > 0 && self.roll(2) == 0 {
            let (a, b) = (self.condition(table, depth - 1), self.condition(table, depth - 1));
            return match self.roll(9) {
                0 | 1 => format!("({a} or {b})"),
                2 | 3 => format!("({a} and {b})"),
                4 => format!("(not {a})"),
                5 => format!("({a} is true)"),
                6 => format!("({a} is not true)"),
                7 => format!("coalesce({a}, {b})"),
                _ => format!("(select {a})"),
            };
        }
        let (claim, other) = (self.claim(), self.claim());
        match self.roll(34) {
            0..=8 => format!("(tenant_id = {claim})"),
            9 => format!("({claim} is null)"),
            10 => format!("({claim} is not null)"),
            11 => format!("(tenant_id is distinct from {claim})"),
            12 => format!("(tenant_id is not distinct from {claim})"),
            13 => format!("(tenant_id in ({claim}, {other}))"),
            14 => format!("(tenant_id in ({claim}, '{B}'))"),
            15 => format!("(tenant_id = coalesce({claim}, '{}'))", self.of(&[A, B])),
            // PostgreSQL cannot plan an expression that is compared with itself and has no column.
            16 if claim != other => format!("({claim} = {other})"),
            17 if claim != other => format!("({claim} is distinct from {other})"),
            18 => format!("(case when {claim} is null then true else tenant_id = {claim} end)"),
            19 => format!("(tenant_id <> {claim})"),
            20 => format!("(tenant_id = '{}')", self.of(&[A, B])),
            21 => format!("({claim} = '{}')", self.of(&[A, B])),
            22 => format!("(tenant_id between {claim} and {other})"),
            23 => format!("(left(tenant_id::text, 0) = left({claim}::text, 0))"),
            24 => format!("(tenant_id::text = {claim}::text)"),
            25 => format!("(tenant_id = {})", self.other()),
            26 => format!("(tenant_id = coalesce({claim}, {}))", self.other()),
            27 => format!("(exists (select from members m where m.tenant_id = {table}.tenant_id))"),
            28 => format!("(exists (select from members m where m.tenant_id = {claim}))"),
            29 => format!("(nullif(tenant_id, {claim}) is null)"),
            _ => self
                .of(&[
                    "true",
                    "false",
                    "null::boolean",
                    "is_public",
                    "g()",
                    "h(tenant_id)",
                    "h(null)",
                    "(owner = auth.uid())",
                    "(tenant_id = tenant_id)",
                    "(owner is null)",
                    "(auth.role() = 'authenticated')",
                    "(auth.role() <> 'anon')",
                    "(auth.role() is distinct from 'service_role')",
                    "(current_setting('request.jwt.claim.role', true) is distinct from 'anon')",
                    "(coalesce(current_setting('request.jwt.claim.role', true), 'service_role') = 'service_role')",
                    "((auth.jwt() ->> 'plan') = 'gold')",
                    "(tenant_id is null)",
                    "(1 = 1)",
                    "(current_user = 'anon')",
                    "(tenant_id::text = coalesce(auth.jwt() ->> 'tenant_id', auth.jwt() ->> 'other'))",
                    "(tenant_id in (select m.tenant_id from members m))",
                    "(tenant_id = any (array(select m.tenant_id from members m where m.user_id = auth.uid())))",
                    "(tenant_id in (select tenant_id from members m where m.user_id = auth.uid()))",
                    "(is_public is true)",
                    "(not is_public)",
                ])
                .to_owned(),
        }
    }

    /// A condition without columns, for the body of a function.
    fn body(&mut self) -> String {
        let claim = "(auth.jwt() ->> 'tenant_id')";
        let number = self.roll(9);
        match number {
            0 => format!("{claim} is null"),
            1 => format!("{claim} is not null"),
            2 => format!("{claim} = '{}'", self.of(&[A, B])),
            3 => format!("coalesce({claim} = '{B}', true)"),
            4 => "auth.role() = 'authenticated'".to_owned(),
            5 => "exists (select from members)".to_owned(),
            6 => "true".to_owned(),
            7 => "false".to_owned(),
            _ => "auth.jwt() ->> 'plan' = 'gold'".to_owned(),
        }
    }

    /// Functions of the schema's own: `f` names a tenant, `g` and `h` decide.
    fn functions(&mut self) -> String {
        let f = self.of(&[
            "language sql stable as $$ select (auth.jwt() ->> 'tenant_id')::uuid $$",
            "language sql stable as $$ select (auth.jwt() ->> 'tenant_id')::uuid; $$",
            "language sql stable security definer set search_path = '' as $$ select (auth.jwt() ->> 'tenant_id')::uuid $$",
            "language sql stable as $$ select coalesce(nullif(current_setting('request.jwt.claim.tenant_id', true), ''), auth.jwt() ->> 'tenant_id')::uuid $$",
            "language sql stable as $$ select coalesce((auth.jwt() ->> 'tenant_id')::uuid, (select min(tenant_id::text)::uuid from members)) $$",
            "language sql stable as $$ select (auth.jwt() ->> 'tenant_id')::uuid limit 1 $$",
            "language sql stable as $$ select (auth.jwt() -> 'user_metadata' ->> 'tenant_id')::uuid $$",
            "language plpgsql stable as $$ begin return auth.jwt() ->> 'tenant_id'; end $$",
            "language sql volatile as $$ select (auth.jwt() -> 'app_metadata' ->> 'tenant_id')::uuid $$",
            "language sql stable set request.jwt.claims = '{\"tenant_id\": \"bbbbbbbb-0000-4000-8000-000000000002\"}' as $$ select (auth.jwt() ->> 'tenant_id')::uuid $$",
        ]);
        let g = self.body();
        let h = match self.roll(3) {
            0 => format!("$1 is null or {}", self.body()),
            1 => "$1 in (select m.tenant_id from members m)".to_owned(),
            _ => "$1 = (auth.jwt() ->> 'tenant_id')::uuid".to_owned(),
        };
        format!(
            "create function f() returns uuid {f};
             create function g() returns boolean language sql stable as $$ select {g} $$;
             create function h(uuid) returns boolean language sql stable security definer as $$ select {h} $$;\n"
        )
    }

    /// The policies of a table, with row-level security on.
    fn policies(&mut self, table: &str) -> String {
        let mut sql = format!("alter table {table} enable row level security;\n");
        for number in 0..=self.roll(4) {
            let kind = if self.roll(4) == 0 { "restrictive" } else { "permissive" };
            let role = self.of(&[
                "public",
                "public",
                "public",
                "anon",
                "authenticated",
                "service_role",
                "leaky",
                "aloof",
                "aloof, anon",
            ]);
            let command = self.of(&["all", "all", "select", "select", "update"]);
            let condition = self.condition(table, 2);
            sql += &format!(
                "create policy p{number} on {table} as {kind} for {command} to {role} using ({condition});\n"
            );
        }
        sql
    }

    /// Another way to the rows of `accounts`, or none.
    fn way_around(&mut self) -> String {
        let who = self.of(&["anon", "authenticated", "public", "leaky", "aloof"]);
        let guarded = |dice: &mut Self, table: &str| match dice.roll(3) {
            0 => format!("alter table {table} enable row level security;\n"),
            1 => dice.policies(table),
            _ => String::new(),
        };
        match self.roll(12) {
            0 | 1 => {
                let option = self.of(&["", "with (security_invoker = true)", "with (security_barrier)"]);
                let condition = self.condition("accounts", 1);
                format!(
                    "create view v {option} as select * from accounts where {condition}; grant select on v to {who};\n"
                )
            }
            2 => format!(
                "create view v with (security_invoker) as select * from accounts; grant select on v to {who};
                 create view w as select * from v; grant select on w to {who};\n"
            ),
            3 => {
                let guard = guarded(self, "base");
                format!(
                    "create table base (like accounts); alter table accounts inherit base; grant select on base to {who};\n{guard}"
                )
            }
            4 => {
                let guard = guarded(self, "child");
                format!("create table child () inherits (accounts); grant select on child to {who};\n{guard}")
            }
            5 => {
                let condition = self.condition("a", 1);
                let (returns, shown) =
                    [("setof accounts", "a.*"), ("table (tenant_id uuid)", "a.tenant_id")][self.roll(2)];
                format!(
                    "create function every() returns {returns} language sql stable security definer set search_path from current
                       as $$ select {shown} from accounts a where {condition} $$;\n"
                )
            }
            _ => String::new(),
        }
    }

    /// A table with policies in a schema of its own.
    fn table(&mut self, schema: &str) -> String {
        let mut sql = format!(
            "create schema {schema}; set search_path = {schema}, public;
             create table accounts (id bigint not null default 1, tenant_id uuid, owner uuid, is_public boolean not null default
               false);
             create table members (tenant_id uuid, user_id uuid); grant usage on schema {schema} to public;
             grant select on accounts, members to public;\n"
        );
        // The same at every look: what goes by an empty table shows rows only while it is empty.
        sql += &format!(
            "insert into members values ('cccccccc-0000-4000-8000-000000000003', null),
               ('{B}', '11111111-0000-4000-8000-000000000001');\n"
        );
        sql += &self.functions();
        sql += &self.policies("accounts");
        sql += &self.way_around();
        for tenant in [A, B] {
            if self.roll(4) > 0 {
                sql += &format!("insert into accounts (tenant_id) values ('{tenant}');\n");
            }
        }
        sql
    }
}

/// How many policies are made up in one database.
const CASES: usize = 60;

/// One round, on a release that chance takes; `BOOTHDS_TEST_POLICIES` asks for as many more as make up that number of
/// tables.
#[test]
#[expect(clippy::disallowed_methods, reason = "how long the hunt lasts is up to whoever starts it")]
#[expect(clippy::print_stdout, reason = "a long hunt is told about: `--nocapture`")]
fn no_generated_policy_that_leaks_is_called_enforced() {
    let tables =
        std::env::var("BOOTHDS_TEST_POLICIES").ok().and_then(|text| text.parse().ok()).unwrap_or(CASES);
    let first: usize = rand::random_range(0..Release::ALL.len());
    for number in 0..tables.div_ceil(CASES) {
        let release = Release::ALL[(first + number) % Release::ALL.len()];
        let cluster = cluster_of(release);
        cluster.psql("postgres", "create role passer_by nologin");
        let seed = rand::random();
        let counts = round(&cluster, seed);
        println!("{release:?}, seed {seed}: {counts}");
    }
}

fn round(cluster: &PrivateCluster, seed: u64) -> String {
    let (world, mut dice) = (World::postgres(), Dice(seed));
    let database = cluster.create_database("generated");
    cluster.psql(&database, HOUSE);
    let house = format!(
        "create function public.sneaky() returns uuid language sql stable as
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
    let document = world.test_all(&["--fail-on", "never", "--concurrency", "8", "--timeout", "60s"]);
    let leaks = cluster.psql(&database, include_str!("rls_generated.sql"));
    let roles: String =
        tables.iter().map(|(schema, _)| format!("drop role service_{schema}, visitor_{schema};")).collect();
    cluster.psql(&database, &roles);
    let (mut wrong, mut enforced) = (Vec::new(), 0);
    for (schema, sql) in &tables {
        let rls = &result(&document, schema)["rls"];
        for (audience, roles) in
            [("anon", ["anon", "passer_by"].as_slice()), ("authenticated", &["authenticated"])]
        {
            let leaking: Vec<_> = leaks
                .lines()
                .filter(|line| roles.iter().any(|role| line.starts_with(&format!("{schema} {role} "))))
                .collect();
            enforced += usize::from(rls[audience] == E);
            if rls[audience] == E && !leaking.is_empty() || rls[audience] == X && leaking.is_empty() {
                wrong.push(format!("{audience} {rls}, but it leaks to {leaking:?}\n{sql}"));
            }
        }
    }
    let release = cluster.psql("postgres", "show server_version");
    assert!(
        wrong.is_empty(),
        "PostgreSQL {release}, seed {seed}: {} wrong\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(enforced > CASES / 8, "seed {seed}: only {enforced} enforced, the dice are loaded");
    assert!(leaks.lines().count() > CASES / 8, "seed {seed}: hardly any leak");
    let leaking = leaks.lines().count();
    format!("{CASES} tables, {enforced} of {} audiences enforced, {leaking} leaks", 2 * CASES)
}
