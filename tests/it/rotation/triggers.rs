//! Audit triggers as some installations have them: recognised, named, and nothing changed.

use super::fleet::{Fleet, Under};
use crate::support::fleet::ApplicationDatabase;

const USER: &str = "11111111-2222-4333-8444-555555555555";

/// Replaces the function of the audit trigger by one that inserts this.
fn audit(database: &ApplicationDatabase, columns: &str, values: &str) {
    database.execute(&format!(
        "create or replace function audit_data_source_changes() returns trigger language plpgsql as $$
         begin insert into audit_log (tenant_id, action{columns}) values (new.id, 'data_source_updated'{values}); return new; end $$"
    ));
}

#[track_caller]
fn refused(fleet: &Fleet, args: &[&str], says: &[&str]) {
    for more in [&[][..], &["--dry-run"], &["--batch-size", "2"]] {
        let versions = fleet.versions();
        let ran = fleet.rotate(&[args, more].concat()).run().expect_code(7);
        for says in says {
            assert!(ran.stderr.contains(says), "{says} in {}", ran.stderr);
        }
        assert!(ran.stderr.contains("the trigger `audit_data_source_changes`"), "{}", ran.stderr);
        assert!(ran.stderr.contains("nothing was changed"), "{}", ran.stderr);
        assert_eq!(fleet.versions(), versions);
    }
    fleet.assert_all(Under::Old);
}

#[test]
fn a_column_that_it_inserts_into_is_missing() {
    let fleet = Fleet::postgres(3);
    audit(&fleet.database, ", ip_address", ", null");
    fleet.database.execute("alter table audit_log drop column ip_address");
    refused(&fleet, &[], &["42703", "audit_log.ip_address", "ADD COLUMN"]);
    fleet.database.execute("alter table audit_log add column ip_address inet");
    fleet.rotate(&[]).run().expect_code(0);
}

#[test]
fn an_address_is_written_as_text() {
    let fleet = Fleet::postgres(3);
    audit(&fleet.database, ", ip_address", ", current_setting('app.client_ip', true)");
    refused(&fleet, &[], &["42804", "ip_address", "::inet"]);
    audit(&fleet.database, ", ip_address", ", NULLIF(current_setting('app.client_ip', true), '')::inet");
    fleet.rotate(&[]).run().expect_code(0);
}

#[test]
fn a_check_does_not_know_the_action() {
    let fleet = Fleet::postgres(3);
    fleet.database.execute(
        "alter table audit_log add constraint audit_log_action_check check (action in ('created', 'deleted'))",
    );
    refused(&fleet, &[], &["23514", "ALTER TABLE audit_log DROP CONSTRAINT audit_log_action_check"]);
    fleet.database.execute("alter table audit_log drop constraint audit_log_action_check");
    fleet.rotate(&[]).run().expect_code(0);
}

#[test]
fn an_empty_user_is_cast_and_naming_one_is_the_mend() {
    let fleet = Fleet::postgres(3);
    audit(&fleet.database, ", user_id", ", coalesce(current_setting('app.current_user_id', true), '')::uuid");
    refused(&fleet, &[], &["22P02", "--as-user UUID", "NULLIF"]);
    fleet.rotate(&["--as-user", USER]).run().expect_code(0);
    fleet.assert_all(Under::New);

    let fleet = Fleet::postgres(3);
    fleet.database.break_audit_trigger();
    refused(&fleet, &[], &["42704", "--as-user UUID"]);
    fleet.rotate(&["--as-user", USER, "--batch-size", "1"]).run().expect_code(0);
    fleet.assert_all(Under::New);
}

#[test]
fn one_that_raises_for_a_reason_of_its_own_is_named_too() {
    let fleet = Fleet::postgres(3);
    fleet.database.execute(
        "create or replace function audit_data_source_changes() returns trigger language plpgsql as $$
         begin raise exception 'frozen since %', 'monday'; end $$",
    );
    refused(&fleet, &[], &["frozen since monday", "mend audit_data_source_changes()"]);
}

#[test]
fn one_that_is_deferred_is_heard_before_the_commit() {
    let fleet = Fleet::postgres(3);
    fleet.database.execute(
        "drop trigger audit_data_source_changes on tenants;
         create constraint trigger audit_data_source_changes after update on tenants deferrable initially deferred
           for each row execute function audit_data_source_changes();
         alter table audit_log add constraint audit_log_action_check check (action = 'created')",
    );
    refused(&fleet, &[], &["23514"]);
}

#[test]
fn what_a_trigger_makes_of_the_new_value_is_noticed() {
    for (body, says) in [
        ("new.data_source_anon_key := old.data_source_anon_key; return new;", "the new key does not open it"),
        (
            "new.data_source_anon_key := lower(new.data_source_anon_key); return new;",
            "the new key does not open it",
        ),
        ("new.data_source_anon_key := new.data_source_service_key; return new;", "opens to something else"),
        ("if new.subdomain = 't00002' then return null; end if; return new;", "the row was not written"),
    ] {
        let fleet = Fleet::postgres(5);
        fleet.database.execute(&format!(
            "create function meddle() returns trigger language plpgsql as $$ begin {body} end $$;
             create trigger meddle before update on tenants for each row execute function meddle()"
        ));
        let versions = fleet.versions();
        for more in [&[][..], &["--dry-run"], &["--batch-size", "5"]] {
            let ran = fleet.rotate(more).run().expect_code(7);
            assert!(ran.stderr.contains(says) && ran.stderr.contains("does not hold"), "{}", ran.stderr);
        }
        assert_eq!(fleet.versions(), versions);
    }
}

/// After the read-back: the row that was just written is written again, by a trigger that nobody sees.
#[test]
fn what_a_trigger_writes_behind_the_back_of_the_update_is_noticed() {
    let fleet = Fleet::postgres(5);
    let stale = fleet.values()[&("t00003".to_owned(), "anon")].clone();
    fleet.database.execute(&format!(
        "create function undo() returns trigger language plpgsql as $$ begin
           if pg_trigger_depth() = 1 and new.subdomain = 't00003' then
             update tenants set data_source_anon_key = '{stale}' where id = new.id; end if; return null; end $$;
         create trigger undo after update on tenants for each row execute function undo()"
    ));
    let ran = fleet.rotate(&[]).run().expect_code(7);
    assert!(ran.stderr.contains("are left after"), "{}", ran.stderr);
    fleet.assert_all(Under::Old);
}

/// Raised within a trigger as it may be anywhere: a batch is tried again.
#[test]
fn a_collision_within_a_trigger_is_no_broken_trigger() {
    let fleet = Fleet::postgres(4);
    fleet.database.execute(
        "create sequence visits; create function collide() returns trigger language plpgsql as $$ begin
           if nextval('visits') = 3 then raise exception 'in the way' using errcode = '40001'; end if;
           return new; end $$;
         create trigger collide before update on tenants for each row execute function collide()",
    );
    fleet.rotate(&["--batch-size", "2"]).run().expect_code(0);
    fleet.assert_all(Under::New);
}

#[test]
fn one_that_does_what_the_role_may_not_names_the_grant() {
    let fleet = Fleet::postgres(3);
    let role = format!("rotation_mute_{}", rand::random::<u32>());
    fleet.database.execute(&format!(
        "create role {role} login; grant select, update on tenants to {role}; revoke all on audit_log from {role}"
    ));
    let url = crate::support::postgres::cluster().url_as(&role, fleet.database.database());
    let ran = fleet.cli_at(&url, &["--to", "file:new.key", "--yes"]).run().expect_code(7);
    for says in ["42501", "GRANT INSERT ON audit_log", "audit_data_source_changes()"] {
        assert!(ran.stderr.contains(says), "{says} in {}", ran.stderr);
    }
    fleet.assert_all(Under::Old);
}

#[test]
fn a_stored_value_that_a_trigger_casts_is_not_repeated() {
    let plain = "sb_secret_hunter2hunter2";
    for cast in ["old.data_source_anon_key::int", "new.data_source_anon_key::int"] {
        let fleet = Fleet::postgres(3);
        fleet.database.execute(&format!(
            "update tenants set data_source_anon_key = '{plain}' where subdomain = 't00001';
             create function caster() returns trigger language plpgsql as $$ begin
               if new.subdomain = 't00001' then perform {cast}; end if; return new; end $$;
             create trigger caster before update on tenants for each row execute function caster()"
        ));
        let ran = fleet.rotate(&["--seal-plaintext"]).run().expect_code(7);
        let says = "invalid input syntax for type integer: \"«redacted»\"";
        assert!(ran.stderr.contains(says) && ran.stderr.contains("`caster`"), "{}", ran.stderr);
        assert!(!ran.stderr.contains("hunter2") && ran.stdout.is_empty(), "{}", ran.stderr);
    }
}
