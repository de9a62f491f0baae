use super::{Reading, read};
use crate::catalogue::facts::{Relation, Trigger};

fn relation() -> Relation {
    let column = |name: &str, kind: &str| (name.to_owned(), kind.to_owned());
    Relation {
        name: "audit_log".to_owned(),
        schema: "public".to_owned(),
        full_name: "public.audit_log".to_owned(),
        is_visible: true,
        columns: vec![
            column("tenant_id", "uuid"),
            column("user_id", "uuid"),
            column("action", "text"),
            column("ip_address", "inet"),
        ],
        checks: vec![(
            "audit_log_action_check".to_owned(),
            "CHECK ((action = ANY (ARRAY['created'::text, 'updated'::text])))".to_owned(),
        )],
    }
}

fn reading(body: &str) -> Reading {
    let body = format!("\nbegin\n  {body}\n  return new;\nend ");
    let trigger = Trigger {
        name: "audit".to_owned(),
        function: "public.audit".to_owned(),
        language: "plpgsql".to_owned(),
        definition: format!("CREATE OR REPLACE FUNCTION public.audit()\nAS $function${body}$function$\n"),
        body,
    };
    read(&trigger, &[relation()])
}

#[test]
fn what_is_sound_has_neither_fault_nor_doubt() {
    for body in [
        "insert into audit_log (tenant_id, action) values (new.id, 'updated');",
        "INSERT INTO public.Audit_Log (tenant_id, user_id, action) VALUES (new.id, \
         NULLIF(current_setting('app.current_user_id', true), '')::uuid, 'created');",
        "insert into audit_log as a (ip_address) select nullif(current_setting('app.client_ip', true), '')::inet;",
        "insert into audit_log (action) values (current_setting('app.action', true)); -- current_setting('a.b')",
        "perform current_setting('server_version');",
        "perform pg_notify('x', $$ insert into audit_log (nothing) values (1) $$);",
    ] {
        let found = reading(body);
        assert!(
            found.faults.is_empty() && found.doubts.is_empty() && found.mends.is_empty(),
            "{body}: {found:?}"
        );
    }
}

#[test]
fn each_known_fault_is_read_with_its_mend() {
    for (body, fault, mend) in [
        (
            "insert into audit_log (tenant_id, user_agent) values (new.id, 'x');",
            "it inserts into public.audit_log.user_agent, which does not exist",
            "ALTER TABLE public.audit_log ADD COLUMN IF NOT EXISTS user_agent text;",
        ),
        (
            "insert into audit_log (old_values) values (jsonb_build_object('a', old.name));",
            "it inserts into public.audit_log.old_values, which does not exist",
            "ADD COLUMN IF NOT EXISTS old_values jsonb;",
        ),
        (
            "insert into audit_log (tenant_id, action) values (new.id, 'rotated');",
            "it inserts 'rotated' into public.audit_log.action, which the check audit_log_action_check does not allow",
            "CHECK (((action = ANY (ARRAY['created'::text, 'updated'::text]))) OR action = 'rotated');",
        ),
        (
            "insert into audit_log (ip_address) values (current_setting('app.client_ip', true));",
            "it inserts a text into public.audit_log.ip_address, which is of type inet",
            "values (NULLIF(current_setting('app.client_ip', true), '')::inet);",
        ),
        (
            "insert into audit_log (user_id) values (current_setting('app.current_user_id')::uuid);",
            "it reads app.current_user_id, which is not set in every session, without `true`",
            "values (NULLIF(current_setting('app.current_user_id', true), '')::uuid);",
        ),
        (
            "insert into audit_log (user_id) values (coalesce(current_setting('app.u', true), '')::uuid);",
            "it casts app.u, which may be empty, without NULLIF",
            "values (NULLIF(current_setting('app.u', true), '')::uuid);",
        ),
    ] {
        let found = reading(body);
        assert_eq!(found.faults, [fault], "{body}");
        assert_eq!(found.mends.len(), 1, "{body}: {found:?}");
        assert!(found.mends[0].1.contains(mend), "{body}: {}", found.mends[0].1);
    }
}

#[test]
fn what_raises_in_some_sessions_alone_is_a_risk() {
    let found = reading("insert into audit_log (user_id) values (current_setting('app.u', true)::uuid);");
    assert_eq!(found.risks, ["it casts app.u, which may be empty, without NULLIF"]);
    assert!(found.faults.is_empty() && found.doubts.is_empty(), "{found:?}");
    assert!(found.mends[0].1.contains("values (NULLIF(current_setting('app.u', true), '')::uuid);"));
}

#[test]
fn what_is_not_understood_is_a_doubt_and_not_sound() {
    for body in [
        "execute format('insert into %I', 'x');",
        "raise exception 'no';",
        "insert into elsewhere.log (a) values (1);",
    ] {
        assert_eq!(reading(body).doubts.len(), 1, "{body}");
    }
}

#[test]
fn any_text_is_read_without_a_panic() {
    for body in [
        "insert into",
        "insert into a.",
        "insert into a (",
        "'",
        "\"",
        "$x",
        "$$",
        "/*",
        "current_setting('a.b'",
        "ä::",
    ] {
        let _ = reading(body);
        let trigger = Trigger {
            name: String::new(),
            function: String::new(),
            language: "sql".to_owned(),
            body: body.to_owned(),
            definition: String::new(),
        };
        let _ = read(&trigger, &[]);
    }
}
