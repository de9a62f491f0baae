-- The application database on SQLite: the same table, with texts for what SQLite has no type for.
create table tenants (
  id text primary key,
  name text not null,
  subdomain text not null unique,
  plan text not null default 'free',
  status text not null default 'active' check (status in ('active', 'suspended', 'cancelled')),
  settings text default '{}',
  created_at text not null default current_timestamp,
  updated_at text not null default current_timestamp,
  data_source_url text,
  data_source_anon_key text,
  data_source_service_key text,
  data_source_region text,
  connection_pool_config text default '{"min":2,"max":10}',
  data_source_notes text,
  tenant_id_in_data_source text,
  constraint check_data_source_complete check (
    (data_source_url is null and data_source_anon_key is null and data_source_service_key is null) or
    (data_source_url is not null and data_source_anon_key is not null and data_source_service_key is not null))
);
