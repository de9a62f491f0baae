//! `--rehearse`: what becomes of a key on its way into the row, seen as a rotation would see it.

use super::patient::{Patient, messages, of};
use crate::fixture::seal;
use crate::support::fleet::TenantRow;

/// A function of a trigger for PostgreSQL, and the trigger; then what the rehearsal says.
const SPOILERS: [(&str, &str); 9] = [
    (
        "create function f() returns trigger language plpgsql as $$ begin
         new.data_source_anon_key = old.data_source_anon_key; return new; end $$;
         create trigger zz before update on tenants for each row execute function f()",
        "something else than the written key was stored in data_source_anon_key",
    ),
    (
        "create function f() returns trigger language plpgsql as $$ begin
         new.data_source_service_key = left(new.data_source_service_key, 20); return new; end $$;
         create trigger zz before update of data_source_service_key on tenants for each row execute function f()",
        "something else than the written key was stored in data_source_service_key",
    ),
    (
        "create function f() returns trigger language plpgsql as $$ begin return null; end $$;
         create trigger zz before update on tenants for each row execute function f()",
        "the row was not written",
    ),
    (
        "create function f() returns trigger language plpgsql as $$ begin
         delete from tenants where id = new.id; return new; end $$;
         create trigger zz after update on tenants for each row execute function f()",
        "after the change the row is gone",
    ),
    (
        "create function f() returns trigger language plpgsql as $$ begin
         delete from tenants where id = new.id; return null; end $$;
         create constraint trigger zz after update on tenants deferrable initially deferred
         for each row execute function f()",
        "after the change the row is gone",
    ),
    (
        "create function f() returns trigger language plpgsql as $$ begin truncate tenants; return null; end $$;
         create constraint trigger zz after update on tenants deferrable initially deferred
         for each row execute function f()",
        "cannot TRUNCATE",
    ),
    (
        "create function f() returns trigger language plpgsql as $$ begin if pg_trigger_depth() < 2 then
         update tenants set data_source_anon_key = old.data_source_anon_key where id = new.id; end if;
         return new; end $$;
         create trigger zz after update on tenants for each row execute function f()",
        "after the change data_source_anon_key holds something else than the written key",
    ),
    (
        "create function f() returns trigger language plpgsql as $$ begin
         new.status = 'suspended'; new.data_source_url = 'https://elsewhere.example'; return new; end $$;
         create trigger zz before update on tenants for each row execute function f()",
        "with the keys status, data_source_url changed",
    ),
    (
        "create rule zz as on update to tenants do instead nothing",
        "cannot perform UPDATE RETURNING",
    ),
];

#[test]
fn a_key_that_does_not_stay_as_it_was_written_is_no_success() {
    for (spoils, says) in SPOILERS {
        let patient = Patient::postgres();
        patient.database.execute(spoils);
        let before = patient.database.execute("select xmin, * from tenants order by id");
        let found = patient.checks(&["--rehearse"], 1);
        let said = messages(&found, "tenants.rehearsal", "error");
        assert!(
            said.len() == 1 && said[0].contains(says),
            "{spoils}: {:#?}",
            of(&found, "tenants.rehearsal")
        );
        assert!(said[0].starts_with("with "), "{said:?}");
        assert_eq!(patient.database.execute("select xmin, * from tenants order by id"), before);
    }
}

#[test]
fn the_same_is_seen_in_a_file() {
    for (does, says) in [
        (
            "update tenants set data_source_anon_key = old.data_source_anon_key where id = new.id",
            "after the change data_source_anon_key holds something else than the written key",
        ),
        ("delete from tenants where id = new.id", "after the change the row is gone"),
        ("update tenants set status = 'cancelled' where id = new.id", "with the keys status changed"),
    ] {
        let patient = Patient::sqlite();
        patient.database.execute(&format!(
            "create trigger zz after update of data_source_anon_key on tenants begin {does}; end;"
        ));
        let before = patient.database.execute("select * from tenants order by id");
        let found = patient.checks(&["--rehearse"], 1);
        let said = messages(&found, "tenants.rehearsal", "error");
        assert!(said.len() == 1 && said[0].contains(says), "{:#?}", of(&found, "tenants.rehearsal"));
        assert_eq!(patient.database.execute("select * from tenants order by id"), before);
    }
}

#[test]
fn a_trigger_may_keep_its_own_books_in_the_row() {
    let patient = Patient::postgres();
    patient.database.execute(
        "create function f() returns trigger language plpgsql as $$ begin
         new.updated_at = now(); new.data_source_notes = 'rotated'; return new; end $$;
         create trigger zz before update on tenants for each row execute function f()",
    );
    let found = patient.checks(&["--rehearse"], 0);
    assert_eq!(messages(&found, "tenants.rehearsal", "ok").len(), 1, "{found:#?}");
}

#[test]
fn a_tenant_of_each_status_is_tried() {
    for patient in [Patient::postgres(), Patient::sqlite()] {
        let row = TenantRow::new("rest").status("suspended");
        patient.database.insert(row.data_source(
            "sqlite:/no/such.db",
            &seal("a"),
            "neither sealed nor a key",
        ));
        let found = patient.checks(&["--rehearse"], 1);
        let said = messages(&found, "tenants.rehearsal", "ok");
        assert!(said[0].contains("(active), rest (suspended) were sealed anew"), "{said:?}");
        // Nobody would see this one at a tenant that is active.
        patient.database.execute(if patient.role.is_empty() {
            "create trigger zz before update on tenants when new.status = 'suspended'
             begin select raise(abort, 'not while suspended'); end;"
        } else {
            "create function f() returns trigger language plpgsql as $$ begin raise 'not while suspended'; end $$;
             create trigger zz before update on tenants for each row when (new.status = 'suspended')
             execute function f()"
        });
        let found = patient.checks(&["--rehearse"], 1);
        let said = messages(&found, "tenants.rehearsal", "error");
        assert!(said[0].starts_with("with rest (suspended): "), "{said:?}");
        assert!(said[0].contains("not while suspended"), "{said:?}");
    }
}

#[test]
fn the_server_ends_a_statement_that_takes_too_long_and_frees_the_row() {
    let patient = Patient::postgres();
    patient.database.execute(
        "create or replace function audit_data_source_changes() returns trigger language plpgsql as $$
         begin perform pg_sleep(300); return new; end $$",
    );
    let found = patient.checks(&["--rehearse"], 1);
    let said = messages(&found, "tenants.rehearsal", "error");
    assert!(said[0].contains("a statement took longer than 5 s, and was ended"), "{said:?}");
    // Nothing waits for it: whoever still had the row would be in the way here.
    patient.database.execute("select id from tenants for update nowait");
    let busy = "select count(*) from pg_stat_activity where datname = current_database() \
                and pid <> pg_backend_pid() and query ~ 'UPDATE' and state = 'active'";
    assert_eq!(patient.database.execute(busy), "0");
}

#[test]
fn a_trigger_that_repeats_a_key_is_told_without_it() {
    let patient = Patient::postgres();
    patient.database.execute(
        "update tenants set data_source_service_key = 'a key in the clear 47110815';
         create function f() returns trigger language plpgsql as $$ begin
         raise 'no: % %', old.data_source_service_key, new.data_source_service_key; end $$;
         create constraint trigger zz after update on tenants deferrable initially deferred
         for each row execute function f()",
    );
    let found = patient.checks(&["--rehearse"], 1);
    let said = messages(&found, "tenants.rehearsal", "error");
    assert!(said[0].contains("no: «redacted» «redacted»"), "{said:?}");
    assert!(!said[0].contains("47110815"), "{said:?}");
}

#[test]
fn a_trigger_is_named_as_it_is_whatever_its_name() {
    for (name, shown) in
        [("odd; name", "odd; name"), ("odd\nname", "odd\\nname"), ("odd \"(name)", "odd \"(name)")]
    {
        let patient = Patient::postgres();
        let quoted = name.replace('"', "\"\"");
        patient.database.execute(&format!(
            "create schema \"s. x\"; grant usage on schema \"s. x\" to public;
             create function \"s. x\".\"f {quoted}\"() returns trigger language plpgsql as $$ begin raise 'frozen'; end $$;
             create trigger \"t {quoted}\" before update on tenants for each row execute function \"s. x\".\"f {quoted}\"()"
        ));
        let found = patient.checks(&["--rehearse"], 1);
        let said = messages(&found, "tenants.rehearsal", "error");
        assert!(said[0].contains(&format!("the trigger `t {shown}` on `tenants` raises")), "{said:?}");
        let hint = of(&found, "tenants.rehearsal")[0]["hint"].as_str().unwrap();
        assert!(hint.contains(&format!("mend s. x.f {shown}()")), "{hint}");
    }
}
