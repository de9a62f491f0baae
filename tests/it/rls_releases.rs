//! The truth about row-level security on newer releases of PostgreSQL: what holds on the oldest holds on them, and what
//! they have brought besides. Since 16 a membership may be without inheriting, and without `SET ROLE`; since 17 there is
//! `MAINTAIN`; since 18 there are generated columns that are computed when they are read.

use crate::rls_attacks::attacks;
use crate::rls_postgres::{A, Case, E, ON, SET, TENANT, U, X, as_login, case, check, on, policy, truths};
use crate::support::postgres::Release;

const CLAIM: &str = "((auth.jwt() ->> 'tenant_id')::uuid)";

/// Logins that are members of `hole`, and of one another, in every way there is.
const MEMBERS: &str = "
    create role set_alone login; grant hole to set_alone with inherit false, set true;
    create role inherit_alone login; grant hole to inherit_alone with inherit true, set false;
    create role nothing login; grant hole to nothing with inherit false, set false;
    create role warden login; grant hole to warden with admin true, inherit false, set false;
    create role between nologin; grant hole to between with inherit false, set true;
    create role far_warden login; grant between to far_warden with admin true, inherit false, set false;
    create role sees_not login; grant seer to sees_not with inherit true, set false;
    create role sees login; grant seer to sees with inherit false, set true;
    create role far login; grant between to far with inherit true, set false;
    create role was_made login createrole; alter role was_made nocreaterole; grant hole to was_made with inherit false, set false;
    create role reads_all login in role pg_read_all_data;
    create role lent nologin; grant lent to anon with inherit false, set true;
    create role given nologin; grant given to authenticated with inherit true, set false;";

const WIDE: &str = "create policy wide on accounts to hole using (true);";

fn memberships() -> Vec<Case> {
    let hole = || {
        on(&format!("{TENANT} {WIDE}"))
            + "grant select on accounts to set_alone, inherit_alone, nothing, warden, far_warden, far, between, was_made, sees, sees_not;"
    };
    let to = |role: &str| on(&format!("{TENANT} create policy wide on accounts to {role} using (true);"));
    let switches: &[&str] = &["rls.set-role", "rls.claims-settable"];
    let revoke = "revoke all on accounts from public, anon, authenticated, visitor, leaky, aloof;";
    vec![
        as_login("set_alone", case("set-without-inherit", hole(), (X, E), switches)),
        as_login(
            "inherit_alone",
            case("inherit-without-set", hole(), (X, E), &["rls.always-true", "rls.foreign-visible"]),
        ),
        as_login("nothing", case("neither", hole(), (E, E), SET)),
        // Who administers a role gives itself what is missing.
        as_login("warden", case("admin-alone", hole(), (X, E), switches)),
        as_login("far_warden", case("admin-of-one-between", hole(), (X, E), switches)),
        // To inherit from somebody who can switch is not to be able to switch.
        as_login("far", case("inherits-from-one-who-can", hole(), (E, E), SET)),
        as_login(
            "sees",
            case("set-to-bypassrls", on(TENANT) + "grant select on accounts to sees;", (X, E), switches),
        ),
        as_login(
            "sees_not",
            case(
                "bypassrls-is-not-inherited",
                on(TENANT) + "grant select on accounts to sees_not;",
                (E, E),
                SET,
            ),
        ),
        as_login(
            "reads_all",
            case(
                "read-all-data",
                ON.to_owned() + TENANT + revoke,
                (U, E),
                &["key.privileged", "rls.claims-settable"],
            ),
        ),
        as_login(
            "reads_all",
            case(
                "read-all-data-no-rls",
                revoke,
                (X, "disabled"),
                &["rls.off", "rls.foreign-visible", "rls.off-ungranted", "key.privileged"],
            ),
        ),
        as_login(
            "reads_all",
            case(
                "read-all-data-view",
                on(TENANT) + revoke + "create view v as select * from accounts;",
                (X, E),
                &["rls.view", "key.privileged"],
            ),
        ),
        // The role `anon` is judged as PostgREST uses it, where nobody switches further: as with NOINHERIT before.
        case("lent-to-anon", to("lent"), (E, E), SET),
        case(
            "given-to-authenticated",
            to("given"),
            (E, X),
            &["rls.always-true", "rls.foreign-visible", "rls.claims-settable"],
        ),
        as_login(
            "maker",
            case(
                "createrole-that-administers",
                on(TENANT) + "grant select on accounts to maker;",
                (U, E),
                &["key.privileged", "rls.claims-settable"],
            ),
        ),
    ]
}

fn since_17_and_18() -> Vec<Case> {
    let whose = |rest: &str| {
        format!("alter table accounts add whose uuid generated always as (tenant_id) virtual; {rest}")
    };
    let virtual_tenant = |rest: &str| {
        format!(
        "drop table accounts; create table accounts (id bigint, held uuid, tenant_id uuid generated always as (held) virtual);
         insert into accounts (id, held) values (1, '{A}'), (2, 'bbbbbbbb-0000-4000-8000-000000000002');
         grant select on accounts to anon, authenticated, visitor; {rest}"
    )
    };
    vec![
        case("maintain", on(TENANT) + "grant maintain on accounts to visitor, anon;", (E, E), SET),
        as_login(
            "keeps",
            case("maintains-all", on(TENANT) + "grant select on accounts to keeps;", (E, E), SET),
        ),
        case("virtual-copy", whose(&policy(&format!("using (whose = {CLAIM})"))), (U, U), &[]),
        case(
            "virtual-copy-beside",
            whose(&policy(&format!("using (tenant_id = {CLAIM} and whose = {CLAIM})"))),
            (E, E),
            SET,
        ),
        case(
            "virtual-copy-or",
            whose(&policy(&format!("using (tenant_id = {CLAIM} or whose = {CLAIM})"))),
            (U, U),
            &[],
        ),
        case(
            "virtual-true",
            "alter table accounts add yes boolean generated always as (true) virtual;".to_owned()
                + &policy("using (yes)"),
            (X, X),
            &["rls.foreign-visible"],
        ),
        case(
            "virtual-true-own-rows-only",
            format!(
                "delete from accounts where tenant_id <> '{A}';
            alter table accounts add yes boolean generated always as (true) virtual;"
            ) + &policy("using (yes)"),
            (X, X),
            &["rls.visible-without-claims"],
        ),
        case(
            "virtual-other",
            format!(
                "delete from accounts where tenant_id <> '{A}';
            alter table accounts add other boolean generated always as (name is not null) virtual;"
            ) + &policy(&format!("using (tenant_id = {CLAIM} or other)")),
            (U, U),
            &[],
        ),
        case("virtual-tenant", virtual_tenant(&on(TENANT)), (E, E), SET),
        case(
            "virtual-tenant-true",
            virtual_tenant(&policy("using (tenant_id = tenant_id or tenant_id is null)")),
            (X, X),
            &["rls.always-true", "rls.foreign-visible"],
        ),
    ]
}

#[test]
fn the_truth_table_of_postgresql_16() {
    let cases: Vec<Case> = truths().chain(memberships()).collect();
    check(Release::Sixteen, MEMBERS, &cases);
}

#[test]
fn the_truth_table_of_postgresql_18() {
    let roles = format!("{MEMBERS} create role keeps login in role pg_maintain;");
    let cases: Vec<Case> = truths().chain(memberships()).chain(since_17_and_18()).collect();
    check(Release::Eighteen, &roles, &cases);
}

#[test]
fn nothing_that_can_leak_is_called_enforced_on_postgresql_18() {
    check(Release::Eighteen, "", &attacks());
}
