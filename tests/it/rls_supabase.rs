//! The truth about row-level security over REST, through PostgREST with the keys of both generations.

use std::collections::BTreeSet;

use crate::fixture::{World, codes, result, seal};
use crate::support::fleet::TenantRow;
use crate::support::gateway::{Gateway, PUBLISHABLE_KEY, SECRET_KEY};
use crate::support::postgres::cluster;
use crate::support::postgrest::{
    PostgRest, TENANT_A, TENANT_B, anon_key, jwt, key_claims, service_key, supabase_database,
};

const E: &str = "enforced";
const X: &str = "exposed";
const U: &str = "unknown";
const VISIBLE: &[&str] = &["rls.visible-without-claims"];

/// Table, what is done to it, the state of `anon`, the findings.
const CASES: &[(&str, &str, &str, &[&str])] = &[
    ("no_rls", "", X, VISIBLE),
    ("no_policy", "alter table T enable row level security", E, &[]),
    ("by_claim", "alter table T enable row level security; create policy p on T using (CLAIM)", U, &[]),
    (
        "claim_signed_in",
        "alter table T enable row level security; create policy p on T to authenticated using (CLAIM)",
        E,
        &[],
    ),
    // What leaks later, or to whoever sends a header, looks the same today as what does not.
    (
        "published",
        "alter table T add published boolean; alter table T enable row level security; create policy p on T using (published)",
        U,
        &[],
    ),
    (
        "header",
        "alter table T enable row level security; create policy p on T using (tenant_id = (nullif(current_setting('request.headers', true), '')::json ->> 'x-tenant')::uuid)",
        U,
        &[],
    ),
    (
        "shut",
        "alter table T enable row level security; create policy p on T using (true); create policy q on T as restrictive to anon using (false)",
        E,
        &[],
    ),
    (
        "role_in_claims",
        "alter table T enable row level security; create policy p on T using (auth.jwt() ->> 'role' = 'service_role')",
        U,
        &[],
    ),
    ("all_true", "alter table T enable row level security; create policy p on T using (true)", X, VISIBLE),
    (
        "beside",
        "alter table T enable row level security; create policy p on T using (true); create policy q on T using (CLAIM)",
        X,
        VISIBLE,
    ),
    (
        "restricted",
        "alter table T enable row level security; create policy p on T using (true); create policy q on T as restrictive using (CLAIM)",
        U,
        &[],
    ),
    (
        "signed_in",
        "alter table T enable row level security; create policy p on T to authenticated using (true)",
        E,
        &[],
    ),
    (
        "service_true",
        "alter table T enable row level security; create policy p on T to service_role using (true)",
        E,
        &[],
    ),
    (
        "is_null_or",
        "alter table T enable row level security; create policy p on T using ((auth.jwt() ->> 'tenant_id') is null or CLAIM)",
        X,
        VISIBLE,
    ),
    (
        "setting",
        "alter table T enable row level security; create policy p on T using (tenant_id = current_setting('app.tenant')::uuid)",
        U,
        &[],
    ),
    ("no_grant", "revoke all on T from anon", U, &[]),
    // Whose the rows are that it sees without the tenant column, nobody is told: it names no tenant, so any is too many.
    ("column_grant", "revoke all on T from anon; grant select (id) on T to anon", X, VISIBLE),
    (
        "column_grant_true",
        "revoke all on T from anon; grant select (id) on T to anon; alter table T enable row level security; create policy p on T using (true)",
        X,
        VISIBLE,
    ),
    (
        "column_grant_shut",
        "revoke all on T from anon; grant select (id) on T to anon; alter table T enable row level security",
        E,
        &[],
    ),
    (
        "column_grant_claim",
        "revoke all on T from anon; grant select (id) on T to anon; alter table T enable row level security; create policy p on T using (CLAIM)",
        U,
        &[],
    ),
    (
        "column_grant_tenant",
        "revoke all on T from anon; grant select (tenant_id) on T to anon; alter table T enable row level security; create policy p on T using (true)",
        X,
        VISIBLE,
    ),
    // Neither the id nor the tenant column: which other column there is, is not known.
    (
        "column_grant_other",
        "alter table T add name text; revoke all on T from anon; grant select (name) on T to anon",
        U,
        &[],
    ),
    (
        "forced",
        "alter table T enable row level security; alter table T force row level security; create policy p on T to authenticated using (CLAIM)",
        E,
        &[],
    ),
    ("empty", "truncate T; alter table T enable row level security", U, &[]),
    (
        "own_only",
        "delete from T where tenant_id <> 'TENANT_A'; alter table T enable row level security",
        E,
        &[],
    ),
    (
        "own_only_claim",
        "delete from T where tenant_id <> 'TENANT_A'; alter table T enable row level security; create policy p on T using (CLAIM)",
        U,
        &[],
    ),
    ("own_open", "delete from T where tenant_id <> 'TENANT_A'", X, VISIBLE),
    (
        "foreign_only",
        "delete from T where tenant_id = 'TENANT_A'; alter table T enable row level security",
        E,
        &["tenant.no-rows"],
    ),
    (
        "nobodys",
        "update T set tenant_id = null where tenant_id = 'TENANT_A'; alter table T enable row level security; create policy p on T using (tenant_id is null)",
        U,
        &["tenant.no-rows"],
    ),
    (
        "leaky_view",
        "alter table T rename to beneath; alter table beneath enable row level security; create view T as select * from beneath; grant select on T to anon, service_role",
        X,
        VISIBLE,
    ),
    // The planner knows as well that nothing is let through, for now: another partition, or a header, changes that.
    (
        "pruned",
        "alter table T rename to before_parts; create table T (id bigint, tenant_id uuid, tier text) partition by list (tier);
         create table parts_x partition of T for values in ('x'); insert into T select id, tenant_id, 'x' from before_parts;
         alter table T enable row level security; create policy p on T to anon using (tier = 'public');
         grant select on T to anon, service_role",
        U,
        &[],
    ),
    (
        "view_by_function",
        "alter table T rename to unviewed; create function is_admin() returns boolean language plpgsql immutable as $$ begin
           return current_user = 'service_role' or coalesce(nullif(current_setting('request.headers', true), '')::json ->> 'x-admin', '') = '1'; end $$;
         create view T as select * from unviewed where is_admin(); grant select on T to anon, service_role",
        U,
        &[],
    ),
    (
        "copies",
        "alter table T rename to original; create materialized view T as select * from original; grant select on T to anon, service_role",
        X,
        VISIBLE,
    ),
];

/// Makes a table with a row of either tenant, and does this to it.
fn make(database: &str, table: &str, sql: &str) {
    let make = format!(
        "create table {table} (id bigint generated always as identity, tenant_id uuid);
         insert into {table} (tenant_id) values ('{TENANT_A}'), ('{TENANT_B}'); {};",
        sql.replace(" T ", &format!(" {table} "))
            .replace(" T;", &format!(" {table};"))
            .replace("CLAIM", "tenant_id = (auth.jwt() ->> 'tenant_id')::uuid")
            .replace("TENANT_A", TENANT_A)
    );
    cluster().psql(database, &make);
}

#[test]
fn the_truth_table_of_rest() {
    let database = supabase_database(cluster(), "rest_truth");
    for (table, sql, ..) in CASES {
        make(&database, table, sql);
    }
    let rest = PostgRest::start(cluster(), &database);
    let gateway = Gateway::start(Some(rest.port()));
    let world = World::postgres();
    let mut wrong = Vec::new();
    for (tenant, anon, service) in
        [("legacy", anon_key(), service_key()), ("new", PUBLISHABLE_KEY.to_owned(), SECRET_KEY.to_owned())]
    {
        let row = TenantRow::new(tenant).data_source(&gateway.base_url(), &seal(&anon), &seal(&service));
        world.database.insert(row.tenant_id_in_data_source(TENANT_A));
    }
    for (table, _, state, findings) in CASES {
        let document = world.test_all(&["--fail-on", "never", "--probe-table", *table]);
        for tenant in ["legacy", "new"] {
            let result = result(&document, tenant);
            let rls = &result["rls"];
            let found: BTreeSet<&str> = codes(result).into_iter().collect();
            let expected: BTreeSet<&str> = findings.iter().copied().collect();
            let sound = rls["authenticated"] == "untested" && rls["state"] == rls["anon"];
            if rls["anon"] != *state || found != expected || !sound {
                wrong.push(format!("{tenant} {table}: {found:?} {rls}, not {state} {expected:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Table, what is done to it, and the states with a key that names this tenant, and with one that names the other.
const NAMED: &[(&str, &str, [&str; 2])] = &[
    // The rows of the tenant that the key names are its own; that there are no others to be seen is not shown.
    ("named_claim", "create policy p on T using (CLAIM)", [U, X]),
    (
        "named_app",
        "create policy p on T using (tenant_id = (auth.jwt() -> 'app_metadata' ->> 'tenant_id')::uuid)",
        [U, X],
    ),
    ("named_true", "create policy p on T using (true)", [X, X]),
    ("named_or", "create policy p on T using (CLAIM or tenant_id <> 'TENANT_A')", [X, X]),
    ("named_own", "create policy p on T using (tenant_id = 'TENANT_A')", [U, U]),
    ("named_signed_in", "create policy p on T to authenticated using (true)", [E, E]),
    ("named_none", "", [E, E]),
    (
        "named_nobodys",
        "update T set tenant_id = null; create policy p on T using (tenant_id is null)",
        [U, U],
    ),
    (
        "named_alone",
        "delete from T where tenant_id <> 'TENANT_A'; create policy p on T using (CLAIM)",
        [U, U],
    ),
    (
        "named_unreadable",
        "revoke all on T from anon; grant select (id) on T to anon; create policy p on T using (CLAIM)",
        [U, U],
    ),
];

#[test]
fn an_anon_key_that_names_a_tenant_is_not_exposed_by_that_tenants_rows_and_is_by_any_others() {
    let database = supabase_database(cluster(), "rest_named");
    for (table, sql, ..) in NAMED {
        make(&database, table, &format!("alter table T enable row level security; {sql}"));
    }
    let rest = PostgRest::start(cluster(), &database);
    let gateway = Gateway::start(Some(rest.port()));
    let world = World::postgres();
    for (tenant, names) in [("own", TENANT_A), ("other", TENANT_B)] {
        let mut claims = key_claims("anon");
        claims["tenant_id"] = names.into();
        claims["app_metadata"] = serde_json::json!({"tenant_id": names});
        let row = TenantRow::new(tenant);
        let row = row.data_source(&gateway.base_url(), &seal(&jwt(&claims)), &seal(&service_key()));
        world.database.insert(row.tenant_id_in_data_source(TENANT_A));
    }
    let mut wrong = Vec::new();
    for (table, _, states) in NAMED {
        let document = world.test_all(&["--fail-on", "never", "--probe-table", *table]);
        for (tenant, state) in ["own", "other"].into_iter().zip(states) {
            let rls = &result(&document, tenant)["rls"];
            if rls["anon"] != *state {
                wrong.push(format!("{tenant} {table}: {rls}, not {state}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn at_most_three_requests_more_are_made_and_a_key_that_is_none_proves_nothing() {
    let database = supabase_database(cluster(), "rest_requests");
    let rest = PostgRest::start(cluster(), &database);
    let gateway = Gateway::start(Some(rest.port()));
    let world = World::postgres();
    // The id of the application database is in no row, and neither is the mapped one.
    let row = TenantRow::new("stranger").data_source(
        &gateway.base_url(),
        &seal(PUBLISHABLE_KEY),
        &seal(SECRET_KEY),
    );
    world.database.insert(row.tenant_id_in_data_source("cccccccc-0000-4000-8000-000000000003"));
    let document = world.test_all(&[]);
    assert_eq!(gateway.requests().len(), 5);
    assert_eq!(codes(result(&document, "stranger")), ["tenant.no-rows"]);
    world.test_all(&["--rls", "off"]);
    assert_eq!(gateway.requests().len(), 7);

    let world = World::postgres();
    let row =
        TenantRow::new("moved").data_source(&gateway.base_url(), &seal(PUBLISHABLE_KEY), &seal(SECRET_KEY));
    let row = row.tenant_id_in_data_source("cccccccc-0000-4000-8000-000000000003");
    let own = row.id.clone();
    cluster().psql(&database, &format!("insert into accounts (tenant_id) values ('{own}')"));
    world.database.insert(row);
    // Served as anon, with 200: success does not make it the service key.
    let row = TenantRow::new("twice-anon").data_source(
        &gateway.base_url(),
        &seal(&anon_key()),
        &seal(PUBLISHABLE_KEY),
    );
    world.database.insert(row.tenant_id_in_data_source(TENANT_A));
    let document = world.test_all(&[]);
    assert_eq!(codes(result(&document, "moved")), ["tenant.other-id"]);
    let twice = result(&document, "twice-anon");
    assert_eq!((&twice["rls"]["state"], codes(twice)), (&"unknown".into(), vec!["key.swapped"]));
}
