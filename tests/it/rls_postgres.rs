//! The truth about row-level security on PostgreSQL: what is set up, and what has to be said of it, in one table.

use std::collections::BTreeSet;

use crate::fixture::{World, codes, result, seal};
use crate::support::fleet::TenantRow;
use crate::support::postgres::{PrivateCluster, Release};

/// The tenant that is tested, and another one.
pub const A: &str = "aaaaaaaa-0000-4000-8000-000000000001";
pub const B: &str = "bbbbbbbb-0000-4000-8000-000000000002";

/// Roles of the whole server. `anon` inherits from `leaky`, `authenticated` is a member of `aloof` without inheriting.
const ROLES: &str = "
    create role leaky nologin; create role aloof nologin; create role seer nologin bypassrls; create role keeper nologin;
    grant leaky to anon; alter role authenticated noinherit; grant aloof to authenticated;
    create role visitor login; create role hole nologin; create role switcher login noinherit in role hole;
    create role seeing login noinherit in role seer; create role eye login bypassrls; create role god login superuser;
    create role heir login in role keeper; create role owner_login login; create role half login;
    create role plain_service login; create role maker login createrole; create role filer login noinherit in role
      pg_read_server_files; create role reader login in role pg_read_all_data;";

pub const HOUSE: &str = "
    create schema auth; grant usage on schema auth to public;
    create function auth.jwt() returns jsonb language sql stable as
      $$ select nullif(current_setting('request.jwt.claims', true), '')::jsonb $$;
    create function auth.uid() returns uuid language sql stable as $$ select (auth.jwt() ->> 'sub')::uuid $$;
    create function auth.role() returns text language sql stable as $$ select auth.jwt() ->> 'role' $$;
    create table accounts (id bigint generated always as identity, tenant_id uuid not null, owner uuid, is_public boolean
      not null default false, name text);
    insert into accounts (tenant_id) values ('aaaaaaaa-0000-4000-8000-000000000001'),
      ('bbbbbbbb-0000-4000-8000-000000000002');
    grant select on accounts to anon, authenticated, visitor, switcher, seeing, eye, heir, owner_login, leaky, aloof,
      seer, keeper, hole;";

pub const ON: &str = "alter table accounts enable row level security;";
pub const TENANT: &str =
    "create policy tenant on accounts using (tenant_id = (auth.jwt() ->> 'tenant_id')::uuid);";

pub struct Case {
    name: &'static str,
    sql: String,
    /// The login of the anon side.
    login: &'static str,
    /// State of `anon` and of `authenticated`.
    states: (&'static str, &'static str),
    codes: &'static [&'static str],
}

pub fn case(
    name: &'static str,
    sql: impl Into<String>,
    states: (&'static str, &'static str),
    codes: &'static [&'static str],
) -> Case {
    Case { name, sql: sql.into(), login: "visitor", states, codes }
}

pub fn as_login(login: &'static str, case: Case) -> Case {
    Case { login, ..case }
}

pub fn on(sql: &str) -> String {
    format!("{ON}{sql}")
}

pub fn policy(text: &str) -> String {
    format!("{ON} create policy the_policy on accounts {text};")
}

pub const E: &str = "enforced";
pub const X: &str = "exposed";
pub const U: &str = "unknown";
pub const D: &str = "disabled";
pub const SET: &[&str] = &["rls.claims-settable"];
const TRUE: &[&str] = &["rls.always-true", "rls.foreign-visible"];
const SEEN: &[&str] = &["rls.foreign-visible"];

fn policies() -> Vec<Case> {
    let claim = "((auth.jwt() ->> 'tenant_id')::uuid)";
    vec![
        case("no-rls", "", (X, X), &["rls.foreign-visible", "rls.off"]),
        case("no-policy", ON, (E, E), &[]),
        case("by-claim", on(TENANT), (E, E), SET),
        case("by-app-metadata", policy("using (tenant_id = (auth.jwt() -> 'app_metadata' ->> 'tenant_id')::uuid)"), (E, E), SET),
        case("by-claim-in-a-select", policy("using (tenant_id = (select (auth.jwt() ->> 'tenant_id')::uuid))"), (E, E), SET),
        case("by-raw-claims", policy("using (tenant_id::text = nullif(current_setting('request.jwt.claims', true), '')::json ->> 'tenant_id')"), (E, E), SET),
        case("by-old-claim", policy("using (tenant_id = nullif(current_setting('request.jwt.claim.tenant_id', true), '')::uuid)"), (E, E), SET),
        case("by-user-metadata", policy("using (tenant_id = (auth.jwt() -> 'user_metadata' ->> 'tenant_id')::uuid)"), (U, U), &["rls.user-metadata"]),
        case("true", policy("using (true)"), (X, X), TRUE),
        case("true-beside-a-tenant-policy", on(&format!("{TENANT} create policy service_role_bypass on accounts using (true);")), (X, X), TRUE),
        case("true-under-a-restrictive", policy(&format!("using (true); create policy narrow on accounts as restrictive using (tenant_id = {claim})")), (E, E), SET),
        case("true-under-a-vain-restrictive", policy("using (true); create policy vain on accounts as restrictive using (tenant_id is not null)"), (X, X), TRUE),
        case("true-for-authenticated", policy("to authenticated using (true)"), (E, X), TRUE),
        case("true-for-service-role", policy("to service_role using (true)"), (E, E), &[]),
        case("true-in-a-select", policy("using ((select true))"), (X, X), TRUE),
        case("true-as-a-comparison", policy("using (1 = 1)"), (X, X), TRUE),
        case("column-equals-itself", policy("using (tenant_id = tenant_id)"), (X, X), TRUE),
        case("claim-is-null-or", policy(&format!("using ({claim} is null or tenant_id = {claim})")), (X, X), TRUE),
        case("leaking-or", policy(&format!("using (tenant_id = {claim} or is_public)")), (U, U), &[]),
        case("leaking-or-with-leak", policy(&format!("using (tenant_id = {claim} or is_public)")) + "update accounts set is_public = true;", (X, X), SEEN),
        case("shared-rows", policy(&format!("using (tenant_id is null or tenant_id = {claim})")), (E, E), SET),
        case("service-role-in-the-claims", policy("using (auth.role() = 'service_role')"), (U, E), &[]),
        case("by-owner-alone", policy("using (owner = auth.uid())"), (U, U), &[]),
        case("constant-other", policy(&format!("using (tenant_id = '{B}')")), (X, X), SEEN),
        case("constant-own", policy(&format!("using (tenant_id = '{A}')")), (X, X), &["rls.visible-without-claims"]),
        case("constant-third", policy("using (tenant_id = 'cccccccc-0000-4000-8000-000000000003')"), (U, U), &[]),
        case("only-for-writing", policy("for update using (true)"), (E, E), &[]),
        case("unknown-function", "create function mine() returns uuid language plpgsql stable as $$ begin return auth.jwt() ->> 'tenant_id'; end $$;".to_owned() + &policy("using (tenant_id = mine())"), (U, U), &[]),
        case("setting", policy("using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)"), (U, U), &["rls.policy-never-works"]),
        case("setting-that-raises", policy("using (tenant_id = current_setting('app.tenant_id')::uuid)"), (U, U), &["rls.policy-raises", "rls.policy-never-works"]),
        case("raises-without-claims", policy("using (tenant_id = (current_setting('request.jwt.claims')::json ->> 'tenant_id')::uuid)"), (E, E), &["rls.policy-raises", "rls.claims-settable"]),
        case("false", policy("using (false)"), (E, E), &[]),
        case("volatile-writer", "create table log (n int); create function writes() returns boolean language plpgsql as $$ begin insert into log values (1); return true; end $$;".to_owned() + &policy("using (writes())"), (U, U), &["rls.policy-raises"]),
        case("for-an-inherited-role", on(&format!("{TENANT} create policy wide on accounts to leaky using (true);")), (X, E), &["rls.always-true", "rls.foreign-visible", "rls.claims-settable"]),
        case("for-a-role-without-inheriting", on(&format!("{TENANT} create policy wide on accounts to aloof using (true);")), (E, E), SET),
        case("sleeps", "create function slow() returns boolean language plpgsql as $$ begin perform pg_sleep(60); return true; end $$;".to_owned() + &policy("using (slow())"), (U, U), &[]),
    ]
}

fn roles() -> Vec<Case> {
    let force = "alter table accounts force row level security;";
    let revoke = "revoke all on accounts from public, anon, authenticated, visitor, leaky, aloof;";
    vec![
        as_login(
            "owner_login",
            case(
                "owner",
                on(TENANT) + "alter table accounts owner to owner_login;",
                (X, E),
                &["key.privileged", "rls.open-write", "rls.bypass", "rls.foreign-visible"],
            ),
        ),
        as_login(
            "owner_login",
            case(
                "owner-forced",
                on(TENANT) + force + "alter table accounts owner to owner_login;",
                (U, E),
                &["key.privileged", "rls.open-write"],
            ),
        ),
        as_login(
            "heir",
            case(
                "owner-by-inheritance",
                on(TENANT) + "alter table accounts owner to keeper;",
                (X, E),
                &["key.privileged", "rls.open-write", "rls.bypass", "rls.foreign-visible"],
            ),
        ),
        as_login(
            "eye",
            case("bypassrls", on(TENANT), (X, E), &["key.privileged", "rls.bypass", "rls.foreign-visible"]),
        ),
        as_login(
            "god",
            case("superuser", on(TENANT), (X, E), &["key.privileged", "rls.bypass", "rls.foreign-visible"]),
        ),
        as_login(
            "seeing",
            case("member-of-bypassrls", on(TENANT), (X, E), &["rls.set-role", "rls.claims-settable"]),
        ),
        as_login(
            "switcher",
            case(
                "can-switch-to-a-leaking-role",
                on(&format!("{TENANT} create policy wide on accounts to hole using (true);")),
                (X, E),
                &["rls.set-role", "rls.claims-settable"],
            ),
        ),
        as_login(
            "heir",
            case(
                "owner-by-inheritance-forced",
                on(TENANT) + force + "alter table accounts owner to keeper;",
                (U, E),
                &["key.privileged", "rls.open-write"],
            ),
        ),
        as_login(
            "switcher",
            case(
                "can-switch-to-the-owner-forced",
                on(TENANT) + force + "alter table accounts owner to hole;",
                (U, E),
                &["rls.set-role", "rls.claims-settable"],
            ),
        ),
        case("no-grant", revoke, (D, D), &["rls.off-ungranted"]),
        case("no-grant-rls", on(TENANT) + revoke, (E, E), &[]),
        case("no-grant-true", policy("using (true)") + revoke, (U, U), &[]),
        case(
            "column-grants",
            format!("{revoke} grant select (id) on accounts to anon, authenticated, visitor;"),
            (X, X),
            &["rls.off"],
        ),
        case(
            "column-grants-rls",
            on(TENANT) + revoke + "grant select (id) on accounts to anon, authenticated, visitor;",
            (E, E),
            SET,
        ),
        case(
            "column-grants-unclear",
            policy("using (is_public)")
                + revoke
                + "grant select (id) on accounts to anon, authenticated, visitor;",
            (U, U),
            &[],
        ),
    ]
}

fn rows() -> Vec<Case> {
    let typed = |kind: &str, cast: &str| {
        format!(
            "drop table accounts; create table accounts (id bigint, tenant_id {kind} not null);
             insert into accounts values (1, '{A}'), (2, '{B}'); grant select on accounts to anon, authenticated, visitor;
             {ON} create policy tenant on accounts using (tenant_id = (auth.jwt() ->> 'tenant_id'){cast});"
        )
    };
    let parted = "drop table accounts; create table accounts (id bigint, tenant_id uuid not null) partition by hash (tenant_id);
        create table part_0 partition of accounts for values with (modulus 2, remainder 0);
        create table part_1 partition of accounts for values with (modulus 2, remainder 1);
        insert into accounts values (1, 'aaaaaaaa-0000-4000-8000-000000000001'), (2, 'bbbbbbbb-0000-4000-8000-000000000002');
        grant select on accounts to anon, authenticated, visitor;";
    vec![
        case("empty", "truncate accounts;".to_owned() + &on(TENANT), (U, U), &[]),
        case("empty-no-policy", "truncate accounts;".to_owned() + ON, (E, E), &[]),
        case(
            "empty-true",
            "truncate accounts;".to_owned() + &policy("using (true)"),
            (X, X),
            &["rls.always-true"],
        ),
        case("empty-no-rls", "truncate accounts;", (X, X), &["rls.off"]),
        case(
            "own-rows-only",
            format!("delete from accounts where tenant_id <> '{A}';") + &on(TENANT),
            (E, E),
            SET,
        ),
        case(
            "own-rows-only-true",
            format!("delete from accounts where tenant_id <> '{A}';") + &policy("using (true)"),
            (X, X),
            &["rls.always-true"],
        ),
        case(
            "foreign-rows-only",
            format!("delete from accounts where tenant_id = '{A}';") + &on(TENANT),
            (E, E),
            &["rls.claims-settable", "tenant.no-rows"],
        ),
        case("text", typed("text", ""), (E, E), SET),
        case("uuid", typed("uuid", "::uuid"), (E, E), SET),
        case("partitions", parted.to_owned() + &on(TENANT), (E, E), SET),
        case(
            "open-partitions",
            parted.to_owned() + &on(TENANT) + "grant select on part_0, part_1 to anon;",
            (X, E),
            &["rls.partition", "rls.claims-settable"],
        ),
        case(
            "guarded-partitions",
            parted.to_owned()
                + &on(TENANT)
                + "grant select on part_0, part_1 to anon; alter table part_0 enable row level security; alter table part_1 enable row level security;",
            (E, E),
            SET,
        ),
        case(
            "view",
            on(TENANT) + "create view v as select * from accounts; grant select on v to anon;",
            (X, E),
            &["rls.view", "rls.claims-settable"],
        ),
        case(
            "view-on-a-view",
            on(TENANT)
                + "create view v as select * from accounts; create view w as select tenant_id from v; grant select on w to anon;",
            (X, E),
            &["rls.view", "rls.claims-settable"],
        ),
        case(
            "view-of-the-invoker",
            on(TENANT)
                + "create view v with (security_invoker = true) as select * from accounts; grant select on v to anon, authenticated, visitor;",
            (E, E),
            SET,
        ),
        case(
            "view-that-filters",
            on(TENANT)
                + "create view v as select * from accounts where tenant_id = (auth.jwt() ->> 'tenant_id')::uuid; grant select on v to anon;",
            (U, E),
            &["rls.view-definer", "rls.claims-settable"],
        ),
        case(
            "materialized-view",
            on(TENANT) + "create materialized view m as select * from accounts; grant select on m to anon;",
            (X, E),
            &["rls.materialized-view", "rls.claims-settable"],
        ),
        case(
            "open-writes",
            on(TENANT)
                + "create policy w on accounts for update using (true); create policy i on accounts for insert with check (true); grant insert, update, delete on accounts to anon;",
            (E, E),
            &["rls.open-write", "rls.claims-settable"],
        ),
        case(
            "truncate",
            on(TENANT) + "grant truncate on accounts to visitor;",
            (E, E),
            &["rls.open-write", "rls.claims-settable"],
        ),
    ]
}

pub fn cluster() -> PrivateCluster {
    cluster_of(Release::Debian)
}

pub fn cluster_of(release: Release) -> PrivateCluster {
    let cluster = PrivateCluster::of(release).started();
    cluster.psql("postgres", ROLES);
    cluster
}

/// Adds a tenant whose data source is a database of its own.
fn add(world: &World, cluster: &PrivateCluster, name: &str, sql: &str, login: &str, id: &str) {
    add_all(world, cluster, &[(name, sql, login, id)]);
}

/// Adds tenants whose data sources are databases of their own: name, SQL, login of the anon side, mapped id. All that is
/// asked of each server goes with one run of `psql`.
fn add_all(world: &World, cluster: &PrivateCluster, tenants: &[(&str, &str, &str, &str)]) {
    let (mut script, mut rows) = (String::new(), Vec::new());
    for (number, (name, sql, login, id)) in tenants.iter().enumerate() {
        let database = format!("truth_{number}_{}", name.replace('-', "_"));
        script += &format!(
            "\\connect postgres\ncreate database {database};\n\\connect {database}\n{HOUSE}\n{sql};\n"
        );
        let (url, anon) = (cluster.url(&database), cluster.url_as(login, &database));
        let row = TenantRow::new(name).data_source(&url, &seal(&anon), &seal("x"));
        rows.push(row.tenant_id_in_data_source(*id));
    }
    cluster.psql("postgres", &script);
    world.database.insert_all(&rows);
}

pub fn truths() -> impl Iterator<Item = Case> {
    policies().into_iter().chain(roles()).chain(rows())
}

#[test]
fn the_truth_table_of_postgresql() {
    check(Release::Debian, "", &truths().collect::<Vec<_>>());
}

/// Holds a table of cases against the tool, each in a database of its own on a server of this release, which has
/// further roles.
pub fn check(release: Release, roles: &str, cases: &[Case]) {
    let (world, cluster) = (World::postgres(), cluster_of(release));
    cluster.psql("postgres", roles);
    let tenants = cases.iter().map(|case| (case.name, case.sql.as_str(), case.login, A));
    add_all(&world, &cluster, &tenants.collect::<Vec<_>>());
    let document = world.test_all(&["--timeout", "6s", "--fail-on", "never"]);
    let mut wrong = Vec::new();
    for case in cases {
        let result = result(&document, case.name);
        let rls = &result["rls"];
        let states = (rls["anon"].as_str().unwrap(), rls["authenticated"].as_str().unwrap());
        let found: BTreeSet<&str> = codes(result).into_iter().collect();
        let expected: BTreeSet<&str> = case.codes.iter().copied().collect();
        let badness = |state: &&str| [E, U, D, X].iter().position(|one| one == state);
        let worst = [states.0, states.1].into_iter().max_by_key(badness).unwrap();
        let sound = rls["state"] == worst
            && result["diagnostics"]["rlsEnabled"] == (worst == E)
            && result["success"] == true;
        if states != case.states || found != expected || !sound {
            wrong.push(format!(
                "{}: {states:?} {found:?}, not {:?} {expected:?}\n  {}",
                case.name, case.states, rls["detail"]
            ));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn everything_within_reach_is_looked_at_when_all_is_asked_for() {
    let (world, cluster) = (World::postgres(), cluster());
    let more = format!(
        "{ON}{TENANT}
         create table notes (tenant_id uuid); grant select on notes to authenticated; insert into notes values ('{B}');
         create rule copy as on insert to notes do also insert into accounts (tenant_id) values (new.tenant_id);
         create table quiet (tenant_id uuid); create table other (n int); grant select on other to anon;
         create materialized view sums as select count(*) from accounts; grant select on sums to anon;
         create function peek() returns bigint language sql security definer as $$ select count(*) from accounts $$;
         create function kept() returns bigint language sql security definer as $$ select 1::bigint $$;
         revoke execute on function kept() from public;"
    );
    add(&world, &cluster, "all", &more, "visitor", A);
    let found = |args: &[&str]| {
        let document = world.test_all(args);
        let result = result(&document, "all").clone();
        let all: Vec<String> = result["findings"]
            .as_array()
            .unwrap()
            .iter()
            .map(|finding| {
                format!("{} {}", finding["code"].as_str().unwrap(), finding["message"].as_str().unwrap())
            })
            .collect();
        (result["rls"].clone(), all)
    };
    let (rls, _) = found(&["--rls", "table"]);
    assert_eq!((&rls["anon"], &rls["authenticated"]), (&U.into(), &E.into()), "{rls}");
    let (rls, findings) = found(&["--rls", "all"]);
    assert_eq!((&rls["anon"], &rls["authenticated"]), (&D.into(), &X.into()), "{rls}");
    let has = |start: &str| findings.iter().any(|one| one.starts_with(start));
    assert!(has("rls.off public.notes, as `authenticated`"), "{findings:?}");
    assert!(has("rls.off-ungranted public.quiet, as `anon`"), "{findings:?}");
    assert!(has("rls.materialized-view public.sums, as `anon`"), "{findings:?}");
    assert!(has("rls.definer-function public.peek(), as `anon`"), "{findings:?}");
    assert!(!findings.iter().any(|one| one.contains("kept") || one.contains("public.other")), "{findings:?}");
}

#[test]
fn what_is_left_out_of_a_long_list_of_functions_is_said() {
    let (world, cluster) = (World::postgres(), cluster());
    let many = |returns: &str, body: &str, count: u32| {
        format!(
            "do $do$ begin for n in 1..{count} loop execute format('create function %I() returns {returns} language sql stable
               security definer as $$ {body} $$', 'f' || n); end loop; end $do$;"
        )
    };
    let reads = "select tenant_id from accounts";
    for (name, more) in [
        ("full", many("setof uuid", reads, 100)),
        ("over", many("setof uuid", reads, 101)),
        ("harmless", many("bigint", "select 1::bigint", 101)),
        // The one that anybody may call is not among those that are listed.
        ("hidden", many("setof uuid", reads, 101) + "revoke execute on all functions in schema public from public;
            grant execute on all functions in schema public to anon; revoke execute on function f99() from anon;
            grant execute on function f99() to authenticated;"),
    ] {
        add(&world, &cluster, name, &format!("{ON}{TENANT}{more}"), "visitor", A);
    }
    let judged = |name: &str, scope: &str| {
        let document = world.test_all(&["--rls", scope, "--fail-on", "never"]);
        let result = result(&document, name).clone();
        let cut = "more than 100 functions run with their owner's rights; the others are not listed";
        let findings = result["findings"].as_array().unwrap();
        let count = findings
            .iter()
            .filter(|one| one["code"] == "rls.definer-function" && one["message"] != cut)
            .count();
        (result["rls"].clone(), count, findings.iter().any(|one| one["message"] == cut))
    };
    // Each for both audiences and for the login.
    let (rls, count, cut) = judged("full", "table");
    assert_eq!((&rls["state"], count, cut), (&U.into(), 300, false), "{rls}");
    let (rls, count, cut) = judged("over", "table");
    assert_eq!((&rls["state"], count, cut), (&U.into(), 300, true), "{rls}");
    let (rls, count, cut) = judged("harmless", "all");
    assert_eq!((&rls["state"], count, cut), (&E.into(), 300, true), "{rls}");
    let (rls, _, cut) = judged("hidden", "table");
    assert_eq!((&rls["authenticated"], cut), (&U.into(), true), "{rls}");
    let detail = rls["detail"].as_str().unwrap();
    assert!(detail.contains("more than 100 functions may return rows"), "{rls}");
}

#[test]
fn a_service_that_is_subject_and_a_mapping_that_is_wrong_are_found() {
    let (world, cluster) = (World::postgres(), cluster());
    add(&world, &cluster, "nobody", &on(TENANT), "visitor", "cccccccc-0000-4000-8000-000000000003");
    let row = TenantRow::new("moved");
    let database = cluster.create_database("moved");
    cluster.psql(
        &database,
        &format!("{HOUSE}{ON}{TENANT} update accounts set tenant_id = '{}' where tenant_id = '{A}'", row.id),
    );
    world.database.insert(
        row.data_source(&cluster.url(&database), &seal(&cluster.url_as("visitor", &database)), &seal("x"))
            .tenant_id_in_data_source(A),
    );
    let database = cluster.create_database("subject");
    cluster.psql(&database, &format!("{HOUSE}{ON}{TENANT} grant select on accounts to plain_service"));
    let url = cluster.url_as("plain_service", &database);
    let row =
        TenantRow::new("subject").data_source(&url, &seal(&cluster.url_as("visitor", &database)), &seal("x"));
    world.database.insert(row.tenant_id_in_data_source(A));
    let document = world.test_all(&[]);
    assert!(codes(result(&document, "nobody")).contains(&"tenant.no-rows"));
    assert!(codes(result(&document, "moved")).contains(&"tenant.other-id"));
    let subject = result(&document, "subject");
    assert!(codes(subject).contains(&"key.service-subject"), "{subject}");
    // It may not look as the audiences, and sees nothing itself: what the catalogue says is not confirmed for them.
    assert_eq!(subject["rls"]["authenticated"], U, "{subject}");
}
