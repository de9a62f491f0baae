-- The audit trigger of some installations: it reads the settings without `missing_ok`, so that every update raises
-- 42704 in a session that has not set them.
create or replace function audit_data_source_changes() returns trigger language plpgsql as $$
begin
  insert into audit_log (tenant_id, user_id, action) values (
    new.id, current_setting('app.current_user_id')::uuid, 'data_source_updated');
  return new;
end $$;
