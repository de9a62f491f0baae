-- The application database of the field on PostgreSQL. The audit trigger reads the session settings leniently, as
-- it does where it works.
create table tenants (
  id uuid primary key default gen_random_uuid(),
  name text not null,
  subdomain text not null unique,
  plan text not null default 'free',
  status text not null default 'active' check (status in ('active', 'suspended', 'cancelled')),
  settings jsonb default '{}',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  data_source_url text,
  data_source_anon_key text,
  data_source_service_key text,
  data_source_region text,
  connection_pool_config jsonb default '{"min":2,"max":10}',
  data_source_notes text,
  tenant_id_in_data_source text,
  constraint check_data_source_complete check (
    (data_source_url is null and data_source_anon_key is null and data_source_service_key is null) or
    (data_source_url is not null and data_source_anon_key is not null and data_source_service_key is not null))
);
create table audit_log (
  id bigint generated always as identity primary key,
  tenant_id uuid not null,
  user_id uuid,
  action text not null,
  old_values jsonb,
  new_values jsonb,
  ip_address inet,
  user_agent text,
  created_at timestamptz not null default now()
);
create function audit_data_source_changes() returns trigger language plpgsql as $$
begin
  if old.data_source_url is distinct from new.data_source_url
    or old.data_source_anon_key is distinct from new.data_source_anon_key
    or old.data_source_service_key is distinct from new.data_source_service_key then
    insert into audit_log (tenant_id, user_id, action, old_values, new_values, ip_address, user_agent) values (
      new.id,
      nullif(current_setting('app.current_user_id', true), '')::uuid,
      'data_source_updated',
      jsonb_build_object('data_source_url', old.data_source_url),
      jsonb_build_object('data_source_url', new.data_source_url),
      nullif(current_setting('app.client_ip', true), '')::inet,
      nullif(current_setting('app.user_agent', true), ''));
  end if;
  return new;
end $$;
create trigger audit_data_source_changes after update on tenants
  for each row execute function audit_data_source_changes();
