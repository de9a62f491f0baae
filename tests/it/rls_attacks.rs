//! The truth about row-level security on PostgreSQL where somebody means ill, or was in a hurry: cases in which a look
//! shows nothing, and yet another tenant's rows can be read. A table of its own because each is a way to be wrong.

use crate::fixture::{World, result, seal};
use crate::rls_postgres::{
    A, B, Case, E, HOUSE, ON, SET, TENANT, U, X, as_login, case, check, cluster, on, policy,
};
use crate::support::fleet::TenantRow;
use crate::support::postgres::Release;

const DEFINER: &[&str] = &["rls.definer-function"];
const CLAIM: &str = "((auth.jwt() ->> 'tenant_id')::uuid)";

/// Without other tenants' rows, so that no look can show them.
fn own_only() -> String {
    format!("delete from accounts where tenant_id <> '{A}';")
}

fn expressions() -> Vec<Case> {
    let beside =
        |condition: &str| own_only() + &policy(&format!("using (tenant_id = {CLAIM} or {condition})"));
    let upper = A.to_uppercase();
    vec![
        // Everybody with any tenant's claim sees the rows of this one.
        case("constant-for-strangers", policy(&format!("using ({CLAIM} is not null and tenant_id = '{A}')")), (U, U), &[]),
        case("not-spelled-so", beside(&format!("(auth.jwt() ->> 'tenant_id') <> '{upper}'")), (U, U), &[]),
        case("old-role-is-unset", policy("using (current_setting('request.jwt.claim.role', true) is distinct from auth.role())"), (U, U), &[]),
        case("old-claim-is-unset", policy(&format!("using ({CLAIM} is not null and current_setting('request.jwt.claim.tenant_id', true) is null)")), (U, U), &[]),
        case("header", policy("using (tenant_id = (nullif(current_setting('request.headers', true), '')::json ->> 'x-tenant')::uuid)"), (U, U), &[]),
        case("cookie", beside("tenant_id = (nullif(current_setting('request.cookies', true), '')::json ->> 'tenant')::uuid"), (U, U), &[]),
        case("inner-column-shadows", format!("create table members (tenant_id uuid); insert into members values ('{A}'); grant select on members to public;")
            + &beside("exists (select from members m where m.tenant_id = tenant_id)"), (X, X), &["rls.visible-without-claims"]),
        case("in-a-table-of-all", beside("tenant_id in (select tenant_id from accounts_of())")
            .replacen("alter table", "create function accounts_of() returns table (tenant_id uuid) language sql stable security definer as $$ select tenant_id from accounts where owner is not null $$; alter table", 1), (U, U), &["rls.definer-function"]),
        case(
            "body-longer-than-read",
            format!(
                "create function t() returns uuid language sql stable as
                   $$ select {CLAIM}{} union all select null limit 1 $$;",
                " ".repeat(4000)
            ) + &beside("tenant_id = t()"),
            (U, U),
            &[],
        ),
        case("function-with-claims-of-its-own", format!("create function t() returns uuid language sql stable set \"request.jwt.claims\" = '{{\"tenant_id\": \"{B}\"}}' as $$ select {CLAIM} $$;")
            + &beside("tenant_id = t()"), (U, U), &[]),
        case("function-with-an-empty-path", format!("create function t() returns uuid language sql stable set search_path = '' as $$ select {CLAIM} $$;")
            + &policy("using (tenant_id = t())"), (E, E), SET),
        case("function-with-a-default", "alter function auth.jwt() rename to real;
            create function auth.jwt(n int default 1) returns jsonb language sql stable as $$ select '{\"tenant_id\": \"bbbbbbbb-0000-4000-8000-000000000002\"}'::jsonb $$;".to_owned()
            + &own_only() + &policy("using (tenant_id = (auth.jwt() ->> 'tenant_id')::uuid or tenant_id = (auth.real() ->> 'tenant_id')::uuid)")
            + "create function auth.jwt() returns jsonb language sql stable as $$ select auth.real() $$;", (U, U), &[]),
        case("operator-behind-distinct", format!("create function same(uuid, text) returns boolean language sql immutable strict as 'select true';
            create operator public.= (leftarg = uuid, rightarg = text, function = same); {}", own_only())
            + &policy("using (tenant_id is not distinct from (auth.jwt() ->> 'tenant_id'))"), (U, U), &[]),
        case("operator-by-name", format!("create function same(uuid, text) returns boolean language sql immutable strict as 'select true';
            create operator public.= (leftarg = uuid, rightarg = text, function = same); {}", own_only())
            + &policy("using (tenant_id = (auth.jwt() ->> 'tenant_id'))"), (U, U), &[]),
        case("cast-of-ones-own", format!("create function one(uuid) returns text language sql immutable strict as $$ select 'x' $$;
            create cast (uuid as text) with function one(uuid); {}", own_only())
            + &policy(&format!("using (tenant_id::text = {CLAIM}::text)")), (U, U), &[]),
        case("collation-of-no-case", format!("create collation ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
            drop table accounts; create table accounts (id bigint, tenant_id text collate ci); grant select on accounts to anon, authenticated, visitor;
            insert into accounts values (1, '{A}'), (2, '{upper}'), (3, '{B}');")
            + &policy("using (tenant_id = (auth.jwt() ->> 'tenant_id'))"), (U, U), &[]),
        case("citext", format!("create extension citext; drop table accounts; create table accounts (id bigint, tenant_id citext);
            grant select on accounts to anon, authenticated, visitor; insert into accounts values (1, '{A}'), (2, '{upper}'), (3, '{B}');")
            + &policy("using (tenant_id = (auth.jwt() ->> 'tenant_id')::citext)"), (U, U), &[]),
    ]
}

/// Comparisons that look like one of the tenant.
fn comparisons() -> Vec<Case> {
    let claim = "(auth.jwt() ->> 'tenant_id')";
    let one = |name: &'static str, condition: String| {
        case(
            name,
            own_only()
                + &policy(&format!("using (tenant_id = {CLAIM} and owner is not null or {condition})")),
            (U, U),
            &[],
        )
    };
    let typed = |kind: &str, condition: &str| {
        format!("drop table accounts; create table accounts (id bigint, tenant_id {kind}); grant select on accounts to anon, authenticated, visitor;
                 insert into accounts values (1, '{A}'), (2, '{B}');") + &policy(&format!("using ({condition})"))
    };
    vec![
        one("like", format!("tenant_id::text like {claim}")),
        one("pattern", format!("tenant_id::text ~ {claim}")),
        one("range", format!("tenant_id >= {CLAIM} and tenant_id <= {CLAIM}")),
        one("array-column", format!("{CLAIM} = any (array[owner, tenant_id])")),
        one("array-of-claims", format!("tenant_id::text = any (string_to_array({claim}, ','))")),
        one("json-contains", "auth.jwt() @> jsonb_build_object('tenant_id', tenant_id)".to_owned()),
        one("json-key", "(auth.jwt() -> 'tenants') ? tenant_id::text".to_owned()),
        one("greatest", format!("greatest(tenant_id, {CLAIM}) = {CLAIM}")),
        one("lower", format!("lower(tenant_id::text) = lower({claim})")),
        one("collate", format!("tenant_id::text collate \"C\" = {claim}")),
        one("other-column", format!("owner = {CLAIM}")),
        one("not-and", format!("not (tenant_id <> {CLAIM} and owner is null)")),
        one("case", format!("case when {CLAIM} is null then owner is not null else tenant_id = {CLAIM} end")),
        one("missing-claim-is-the-row", format!("tenant_id = coalesce({CLAIM}, owner)")),
        one("expired", format!("tenant_id <> {CLAIM} and now() > '2200-01-01'")),
        one("by-date", "now() > '2200-01-01'".to_owned()),
        one("by-database", "current_database() = 'copy'".to_owned()),
        one("by-address", "inet_client_addr() is null".to_owned()),
        case("missing-claim-is-every-row", own_only() + &policy(&format!("using (tenant_id = coalesce({CLAIM}, tenant_id))")), (X, X), &["rls.always-true"]),
        // PostgreSQL makes a comparison of each part of it.
        case("row", policy(&format!("using ((tenant_id, id) = ({CLAIM}, id))")), (E, E), SET),
        case("not-not", policy(&format!("using (not (tenant_id <> {CLAIM}))")), (E, E), SET),
        case("never-distinct", policy(&format!("using (tenant_id is not distinct from {CLAIM})")), (E, E), SET),
        case("domain", "create domain key as uuid;".to_owned() + &typed("key", &format!("tenant_id = {CLAIM}::key")), (U, U), &[]),
        case("char", typed("char(40)", &format!("tenant_id = {claim}")), (E, E), SET),
        case("cut", typed("varchar(40)", &format!("tenant_id::varchar(3) = {claim}::varchar(3)")), (U, U), &[]),
        case("restrictive-for-somebody-else", own_only() + &policy(&format!("using (tenant_id = {CLAIM} or is_public);
            create policy narrow on accounts as restrictive to service_role, aloof using (tenant_id = {CLAIM})")), (U, U), &[]),
        case("restrictive-for-writing", own_only() + &policy(&format!("using (tenant_id = {CLAIM} or is_public);
            create policy narrow on accounts as restrictive for update using (tenant_id = {CLAIM})")), (U, U), &[]),
    ]
}

fn ways_around() -> Vec<Case> {
    vec![
        case("child-of-an-open-parent", on(TENANT) + "create table base (id bigint, tenant_id uuid); alter table accounts alter tenant_id drop not null;
            alter table accounts inherit base; grant select on base to anon;".replace("id bigint, ", "").as_str(), (X, E), &["rls.partition", "rls.claims-settable"]),
        case("partition-of-an-open-table", on(TENANT) + &format!("alter table accounts alter id drop identity; create table every (like accounts) partition by list (tenant_id);
            alter table every attach partition accounts for values in ('{A}', '{B}'); grant select on every to authenticated;"), (E, X), &["rls.partition", "rls.claims-settable"]),
        case("view-over-the-parent", on(TENANT) + "create table base (tenant_id uuid); alter table accounts inherit base;
            create view v as select * from base; grant select on v to anon;", (X, E), &["rls.view", "rls.claims-settable"]),
        case("child-with-another-parent", on(TENANT) + "create table other (tenant_id uuid); create table child () inherits (accounts, other);
            insert into child (id, tenant_id) values (7, 'bbbbbbbb-0000-4000-8000-000000000002'); grant select on other to anon;", (X, E), &["rls.partition", "rls.claims-settable"]),
        case("parent-of-a-parent", on(TENANT) + "create table first (tenant_id uuid); create table second () inherits (first); alter table accounts inherit second;
            create materialized view m as select * from first; grant select on m to anon;", (X, E), &["rls.materialized-view", "rls.claims-settable"]),
        case("parent-with-the-same-policy", on(TENANT) + "create table base (tenant_id uuid); alter table accounts inherit base; grant select on base to anon, authenticated;
            alter table base enable row level security; create policy tenant on base using (tenant_id = (auth.jwt() ->> 'tenant_id')::uuid);", (E, E), SET),
        case("another-table-of-that-name", format!("create schema api; grant usage on schema api to public; create table api.accounts (id bigint, tenant_id uuid);
            grant select on api.accounts to public; alter table api.accounts enable row level security; revoke all on accounts from anon, authenticated; {ON}
            create policy open on accounts to visitor using (true);
            do $$ begin execute format('alter role visitor in database %I set search_path = api', current_database()); end $$;"), (U, E), &[]),
        as_login("maker", case("createrole", on(TENANT) + "grant select on accounts to maker;", (U, E), &["key.privileged", "rls.claims-settable"])),
        as_login("filer", case("reads-files", on(TENANT) + "grant select on accounts to filer;", (U, E), &["key.privileged", "rls.claims-settable"])),
        case("definer-function-with-its-rows", on(TENANT) + "create function every() returns setof accounts language sql stable security definer as 'select * from accounts';", (U, U), &["rls.definer-function"]),
        case("view-over-a-definer-function", on(TENANT) + "create function every() returns setof accounts language sql stable security definer as 'select * from accounts';
            revoke execute on function every() from public; create view v as select * from every(); grant select on v to anon;", (U, E), &["rls.view-definer", "rls.claims-settable"]),
        case("rule-that-answers", on(TENANT) + "create table box (n int); create rule r as on insert to box do instead select * from accounts; grant insert on box to anon;", (U, E), &["rls.view-definer", "rls.claims-settable"]),
        case("rule-that-writes", on(TENANT) + "create table box (n int); create rule r as on insert to box do also insert into accounts (tenant_id) values (null); grant select on box to anon;", (E, E), SET),
    ]
}

/// Functions with their owner's rights, by what they return and what they read.
fn definers() -> Vec<Case> {
    let defined = |name: &'static str, what: &str, leaks: bool| {
        let sql =
            on(TENANT) + "create view over_it with (security_invoker) as select * from accounts; " + what;
        if leaks { case(name, sql, (U, U), DEFINER) } else { case(name, sql, (E, E), SET) }
    };
    let sql = |returns: &str, body: &str| {
        format!("create function f() returns {returns} language sql stable security definer as $$ {body} $$;")
    };
    let plpgsql = |returns: &str, body: &str| {
        format!(
            "create function f() returns {returns} language plpgsql stable security definer as $$ begin {body} end $$;"
        )
    };
    vec![
        defined("definer-array", &sql("accounts[]", "select array_agg(a) from accounts a"), true),
        // By what it returns, wherever that comes from.
        defined("definer-array-unread", &plpgsql("accounts[]", "return null;"), true),
        defined("definer-row", &sql("accounts", "select * from accounts limit 1"), true),
        defined("definer-table", &sql("table (a bigint, b uuid)", "select id, tenant_id from accounts"), true),
        defined("definer-table-of-one", &sql("table (b uuid)", "select tenant_id from public.accounts"), true),
        defined("definer-set-of-one", &sql("setof uuid", "select tenant_id from \"accounts\""), true),
        defined("definer-record", &plpgsql("record", "return (select a from ACCOUNTS a limit 1);"), true),
        defined("definer-out", "create function f(out a bigint, out b uuid) language sql stable security definer as
            'select id, tenant_id from accounts limit 1';", true),
        defined("definer-dynamic", &plpgsql("setof record", "return query execute 'select * from accounts';"), true),
        defined("definer-json", &sql("jsonb", "select jsonb_agg(a) from accounts a"), true),
        defined("definer-own-type", &("create type pair as (a bigint, b uuid);".to_owned() + &sql("pair", "select id, tenant_id from accounts limit 1")), true),
        defined("definer-domain", &("create domain list as uuid[];".to_owned() + &sql("list", "select array_agg(tenant_id) from accounts")), true),
        defined("definer-cursor", &plpgsql("refcursor", "return null; /* open c for select * from accounts */"), true),
        defined("definer-over-a-view", &sql("setof uuid", "select tenant_id from over_it"), true),
        defined("definer-parsed", "create function f() returns table (a bigint, b uuid) language sql stable security definer
            begin atomic select id, tenant_id from accounts; end;", true),
        defined("definer-procedure", "create procedure f(inout a accounts[]) language plpgsql security definer as $$ begin select array_agg(x) into a from accounts x; end $$;", true),
        defined("definer-count", &sql("bigint", "select count(*) from accounts"), false),
        defined("definer-yes-or-no", &sql("boolean", "select exists (select from accounts)"), false),
        defined("definer-trigger", "create function f() returns trigger language plpgsql security definer as $$ begin insert into accounts
            values (new.*); return new; end $$;", false),
        defined("definer-of-others", &sql("setof uuid", "select gen_random_uuid() /* my_accounts, accounts2 */"), false),
        defined("definer-of-nobody", &(sql("setof accounts", "select * from accounts") + "revoke execute on function f() from public;"), false),
        // Another table of that name.
        defined("definer-of-another-schema", &format!("create schema other; create table other.accounts (id bigint, tenant_id uuid); {}{}",
            sql("setof uuid", "select x.tenant_id from other.accounts x union select y.tenant_id from other.\"accounts\" y"),
            "create function g() returns setof uuid language sql stable security definer set search_path = other, pg_catalog
               as 'select tenant_id from accounts';"), false),
        defined("definer-of-this-schema", "create schema other; create table other.accounts (id bigint, tenant_id uuid);
            create function other.g() returns setof uuid language sql stable security definer set search_path = other
               as 'select tenant_id from public.accounts'; grant usage on schema other to public;", true),
        defined("definer-by-its-path", &sql("setof uuid", "select tenant_id from accounts").replace("definer as", "definer set search_path = 'public', pg_temp as"), true),
        defined("definer-by-the-users-path", &sql("setof uuid", "select tenant_id from accounts").replace("definer as", "definer set search_path = \"$user\", public as"), true),
        defined("definer-of-any-table", "create function f(t text) returns setof json language plpgsql stable security definer as
            $$ begin return query execute format('select to_json(x) from %I x', t); end $$;", true),
        defined("definer-in-c", "create function f() returns setof record language c security definer as '$libdir/plpgsql', 'plpgsql_call_handler';", true),
        defined("definer-of-an-extension", "create extension dblink;", false),
        defined("invoker-table", "create function f() returns table (a bigint, b uuid) language sql stable as 'select id, tenant_id from accounts';", false),
    ]
}

/// Rules, which read with the rights of the owner of what they are on.
fn rules() -> Vec<Case> {
    let ruled = |name, what: &str, states, codes| case(name, on(TENANT) + what, states, codes);
    let by_rule: &[&str] = &["rls.view-definer"];
    let parted = format!("drop table accounts; create table accounts (id bigint, tenant_id uuid, name text) partition by list (tenant_id);
        create table part partition of accounts default; alter table part enable row level security;
        insert into accounts values (1, '{A}'), (2, '{B}'); grant select on accounts to anon, authenticated, visitor;");
    vec![
        ruled(
            "rule-on-the-table",
            "grant delete on accounts to anon, authenticated;
            create rule leak as on delete to accounts do instead select * from accounts;",
            (U, U),
            &["rls.view-definer", "rls.claims-settable"],
        ),
        ruled(
            "rule-beside-inserting",
            "grant insert on accounts to visitor; create rule leak as on insert to accounts do also select * from accounts;",
            (U, E),
            by_rule,
        ),
        ruled(
            "rule-that-returns",
            "grant delete on accounts to visitor; create table bin (id bigint);
            create rule leak as on delete to accounts do instead update bin set id = 1
              returning id, null::uuid, null::uuid, false, (select string_agg(name, '') from accounts);",
            (U, E),
            by_rule,
        ),
        case(
            "rule-on-a-partition",
            parted
                + &on(TENANT)
                + "grant delete on part to visitor;
            create rule leak as on delete to part do instead select * from accounts;",
            (U, E),
            by_rule,
        ),
        ruled(
            "rule-on-a-child",
            "alter table accounts alter tenant_id drop not null; create table child () inherits (accounts);
            alter table child enable row level security; grant update on child to visitor;
            create rule leak as on update to child do instead select * from accounts;",
            (U, E),
            by_rule,
        ),
        ruled(
            "rule-on-a-view",
            "create view v with (security_invoker) as select * from accounts; grant delete on v to visitor;
            create rule leak as on delete to v do instead select * from accounts;",
            (U, E),
            by_rule,
        ),
        ruled(
            "rule-that-does-nothing",
            "grant delete on accounts to visitor; create rule kept as on delete to accounts do instead nothing;",
            (E, E),
            SET,
        ),
        ruled(
            "rule-that-logs",
            "grant delete on accounts to visitor; create table log (id bigint);
            create rule logs as on delete to accounts do also insert into log values (1);",
            (E, E),
            SET,
        ),
        ruled(
            "rule-that-nobody-sets-off",
            "create rule leak as on delete to accounts do instead select * from accounts;",
            (E, E),
            SET,
        ),
    ]
}

/// What a login reaches past the table, or can change.
fn outside() -> Vec<Case> {
    let reached = |name, what: &str, codes| case(name, on(TENANT) + what, (U, E), codes);
    let privileged: &[&str] = &["key.privileged", "rls.claims-settable"];
    let written: &[&str] = &["rls.open-write"];
    let owned = "create function t() returns uuid language sql stable as $$ select (auth.jwt() ->> 'tenant_id')::uuid $$;";
    let by_own = policy("using (tenant_id = t())");
    vec![
        as_login("reader", reached("reads-all-data", "", privileged)),
        reached("reads-statistics", "grant select on pg_statistic to visitor;", privileged),
        reached("reads-passwords", "grant select on pg_authid to visitor;", privileged),
        as_login("switcher", reached("switches-to-one-who-reads-statistics", "grant select on pg_statistic to hole;", SET)),
        reached("reads-a-file", "grant execute on function pg_read_binary_file(text) to visitor;", privileged),
        reached("imports-a-file", "grant execute on function lo_import(text) to public;", privileged),
        reached("foreign-server", "create foreign data wrapper w; create server s foreign data wrapper w; grant usage on foreign server s to visitor;", SET),
        case("foreign-server-of-others", on(TENANT) + "create foreign data wrapper w; create server s foreign data wrapper w; grant usage on foreign server s to eye;", (E, E), SET),
        case("foreign-table", on(TENANT) + "create foreign data wrapper w; create server s foreign data wrapper w;
            create foreign table far (id bigint, whose uuid) server s options (table_name 'accounts'); grant select on far to anon;", (U, E), SET),
        case("foreign-table-of-something-else", on(TENANT) + "create foreign data wrapper w; create server s foreign data wrapper w;
            create foreign table far (id bigint) server s options (table_name 'countries'); grant select on far to anon;", (E, E), SET),
        // With a function in pg_temp, or one that is there, and pg_notify to whoever listens, it takes no other right.
        reached("trigger", "grant trigger on accounts to visitor;", written),
        reached("trigger-and-a-schema", "grant trigger on accounts to visitor; create schema mine; grant create on schema mine to visitor;
            do $$ begin execute format('revoke temp on database %I from public', current_database()); end $$;", written),
        case("trigger-over-rest", on(TENANT) + "grant trigger on accounts to anon, authenticated;", (E, E), SET),
        case("owner-of-the-function", owned.to_owned() + &by_own + "alter function t() owner to visitor;", (U, E), SET),
        as_login("heir", case("heir-of-the-functions-owner", owned.to_owned() + &by_own + "alter function t() owner to keeper;", (U, E), SET)),
        case("owner-of-the-functions-schema", on(TENANT) + "alter schema auth owner to visitor;", (U, E), SET),
        case("owner-of-a-triggers-function", "create function t() returns trigger language plpgsql as 'begin return new; end';
            create trigger t after update on accounts for each row execute function t(); alter function t() owner to visitor;".to_owned() + &on(TENANT), (U, E), SET),
        case("owner-of-another-triggers-function", "create function t() returns trigger language plpgsql as 'begin return new; end';
            create table other (n int); create trigger t after update on other for each row execute function t(); alter function t() owner to visitor;".to_owned() + &on(TENANT), (E, E), SET),
        // As on Supabase: what helps policies, makes profiles, or belongs to the platform.
        case("usual-functions", on(TENANT) + "create table members (user_id uuid, tenant_id uuid, role text); create schema extensions; create extension pgcrypto schema extensions;
            create function is_admin() returns boolean language sql stable security definer set search_path = '' as $$ select exists (select from public.accounts where owner = auth.uid()) $$;
            create function my_tenant() returns uuid language sql stable security definer as $$ select tenant_id from members where user_id = auth.uid() $$;
            create function my_tenants() returns setof uuid language sql stable security definer as $$ select tenant_id from members where user_id = auth.uid() $$;
            create function my_role(t uuid) returns text language plpgsql stable security definer as $$ begin return (select role from members where user_id = auth.uid() and tenant_id = t); end $$;
            create function my_settings() returns jsonb language sql stable security definer as $$ select jsonb_build_object('accounts_seen', 1) $$;
            create function on_signup() returns trigger language plpgsql security definer as $$ begin insert into public.accounts (tenant_id) values (new.tenant_id); return new; end $$;
            create trigger signup after insert on members for each row execute function on_signup();
            grant select, insert, update, delete on accounts to anon, authenticated;", (E, E), SET),
        case("owner-of-another-function", "create function t() returns int language sql as 'select 1'; alter function t() owner to visitor;".to_owned() + &on(TENANT), (E, E), SET),
        case("owner-of-a-partition", format!("drop table accounts; create table accounts (id bigint, tenant_id uuid, name text) partition by list (tenant_id);
            create table part partition of accounts default; alter table part enable row level security; alter table part force row level security;
            insert into accounts values (1, '{A}'), (2, '{B}'); grant select on accounts to anon, authenticated, visitor;
            alter table part owner to visitor;") + &on(TENANT), (U, E), &["key.privileged", "rls.open-write"]),
        as_login("switcher", case("function-of-whom-it-switches-to", on(TENANT) + "create function every() returns json language sql stable security definer as
            $$ select json_agg(a) from accounts a $$; revoke execute on function every() from public; grant execute on function every() to hole;
            revoke select on accounts from hole;", (U, E), SET)),
        case("copies-by-a-function", on(TENANT) + "create function f() returns table (n bigint, whose uuid) language sql as 'select id, tenant_id from public.accounts';
            create materialized view m as select * from f(); grant select on m to anon;", (U, E), &["rls.materialized-view", "rls.claims-settable"]),
        case("copies-of-something-else", on(TENANT) + "create materialized view m as select now() as at; grant select on m to anon;", (E, E), SET),
        case("invoker-by-one-letter", on(TENANT) + "create view v with (security_invoker = t) as select * from accounts; grant select on v to anon, visitor;", (E, E), SET),
    ]
}

/// What is set for a login when it logs in.
fn settings_of_the_login() -> Vec<Case> {
    let set = |what: &str| {
        format!(
            "do $$ begin execute format('alter role visitor in database %I set {what}', current_database()); end $$;"
        )
    };
    let logins = format!(
        "create table logins (name text, tenant_id uuid); insert into logins values ('visitor', '{A}'); grant select on logins to public;"
    );
    vec![
        case("row-security-off", on(TENANT) + &set("row_security = off"), (E, E), SET),
        case("impatient", on(TENANT) + &set("statement_timeout = 1"), (E, E), SET),
        // The service credential knows nothing of it.
        case(
            "search-path-of-the-login",
            own_only()
                + &on(TENANT)
                + "create schema evil; grant usage on schema evil to public;
                   create function evil.current_setting(text, boolean) returns text language sql stable as
                     $$ select '{\"tenant_id\": \"bbbbbbbb-0000-4000-8000-000000000002\"}' $$;"
                + &set("search_path = evil, pg_catalog, public"),
            (U, E),
            &[],
        ),
        // A login of the tenant's own, which names it: that it sees the tenant's rows and no other is as it should be.
        case(
            "login-of-the-tenant",
            logins.clone()
                + &policy(
                    "using (tenant_id in (select l.tenant_id from logins l where l.name = current_user))",
                ),
            (U, U),
            &[],
        ),
        case(
            "login-of-another-tenant",
            logins
                + "update logins set tenant_id = 'bbbbbbbb-0000-4000-8000-000000000002';"
                + &policy(
                    "using (tenant_id in (select l.tenant_id from logins l where l.name = current_user))",
                ),
            (X, U),
            &["rls.foreign-visible"],
        ),
        case(
            "claims-of-the-login",
            on(TENANT) + &set(&format!("\"request.jwt.claims\" = ''{{\"tenant_id\": \"{A}\"}}''")),
            (U, E),
            &[],
        ),
    ]
}

pub fn attacks() -> Vec<Case> {
    expressions()
        .into_iter()
        .chain(comparisons())
        .chain(ways_around())
        .chain(definers())
        .chain(rules())
        .chain(outside())
        .chain(settings_of_the_login())
        .collect()
}

#[test]
fn nothing_that_can_leak_is_called_enforced() {
    check(Release::Debian, "", &attacks());
}

#[test]
fn of_an_anon_credential_for_another_database_nothing_is_said() {
    let (world, cluster) = (World::postgres(), cluster());
    let [here, there] = [(); 2].map(|()| {
        let database = cluster.create_database("place");
        cluster.psql(&database, &format!("{HOUSE}{ON}{TENANT}"));
        database
    });
    let row = TenantRow::new("torn").tenant_id_in_data_source(A);
    world.database.insert(row.data_source(
        &cluster.url(&here),
        &seal(&cluster.url_as("visitor", &there)),
        &seal("x"),
    ));
    let document = world.test_all(&["--fail-on", "never"]);
    let rls = &result(&document, "torn")["rls"];
    assert_eq!((&rls["anon"], &rls["authenticated"]), (&U.into(), &E.into()), "{rls}");
    assert!(rls["detail"].as_str().unwrap().contains("one database for both would settle it"), "{rls}");
}
