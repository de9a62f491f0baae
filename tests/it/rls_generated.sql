-- Puts rows of every kind into every table, then looks as everybody, at whatever shows rows, with all kinds of claims that
-- users of two tenants may have. Returns the names of the schemas, each with a role that sees a row of another tenant, or
-- any tenant's row without a tenant's claim; and where, and with which claims. Settings of single claims are as releases of
-- PostgREST before 12 leave them, and, first, as those after that: never set.
create function leaks() returns setof text language plpgsql as $$
declare
  tenants constant text[] := array['aaaaaaaa-0000-4000-8000-000000000001', 'bbbbbbbb-0000-4000-8000-000000000002'];
  s text; r text; source text; c jsonb; t text; seen boolean; old boolean; found text;
begin
  for s in select nspname from pg_namespace where nspname like 'case%' loop
    execute format('insert into %1$I.accounts (tenant_id, owner, is_public)
      select t::uuid, o::uuid, p from unnest(%2$L::text[] || array[''cccccccc-0000-4000-8000-000000000003'', null]) t,
        unnest(array[null, ''11111111-0000-4000-8000-000000000001'']) o, unnest(array[true, false]) p', s, tenants);
    if to_regclass(s || '.child') is not null then
      execute format('insert into %1$I.child select * from %1$I.accounts', s);
    end if;
  end loop;
  foreach old in array array[false, true] loop
    for s in select nspname from pg_namespace where nspname like 'case%' loop
      perform set_config('search_path', s || ', public', true);
      foreach r in array array['anon', 'authenticated', 'passer_by'] loop
        found := null;
        for source in
          select format('%I.%I', s, relname) from pg_class where relnamespace = s::regnamespace and relkind in ('r', 'v')
            and relname <> 'members'
          union all select s || '.every()' from pg_proc where pronamespace = s::regnamespace and proname = 'every'
        loop
          for t, c in
            select x, y || z || u || m
            from unnest(tenants || array[null]) x, lateral (
                select jsonb_build_object('tenant_id', x) where x is not null
                union all select jsonb_build_object('app_metadata', jsonb_build_object('tenant_id', x)) where x is not null
                union all select jsonb_build_object('tenant_id', x, 'app_metadata', jsonb_build_object('tenant_id', x)) where x is not null
                union all select '{}' where x is null) y(y),
              unnest(array['{}', '{"plan": "gold", "other": "bbbbbbbb-0000-4000-8000-000000000002"}']::jsonb[]) z,
              unnest(array['{}', '{"sub": "11111111-0000-4000-8000-000000000001"}']::jsonb[]) u,
              unnest(array['{}', '{"user_metadata": {"tenant_id": "cccccccc-0000-4000-8000-000000000003"}}',
                jsonb_build_object('user_metadata', jsonb_build_object('tenant_id', x))]::jsonb[]) m
          loop
            seen := false;
            begin
              if r <> 'passer_by' then c := c || jsonb_build_object('role', r); end if;
              perform set_config('request.jwt.claims', c::text, true),
                set_config('request.headers', '{"x-tenant": "cccccccc-0000-4000-8000-000000000003"}', true);
              if old then
                perform set_config('request.jwt.claim.tenant_id', coalesce(c ->> 'tenant_id', ''), true),
                  set_config('request.jwt.claim.role', coalesce(c ->> 'role', ''), true);
              end if;
              perform set_config('role', r, true);
              execute format('select exists (select from %s where tenant_id <> %L or %3$L and tenant_id is not null)',
                source, t, t is null) into seen;
              raise exception sqlstate 'DONE0';
            exception when others then null;
            end;
            if seen then found := source || ' ' || c || case when old then ' old' else '' end; exit; end if;
          end loop;
          exit when found is not null;
        end loop;
        if found is not null then return next s || ' ' || r || ' ' || found; end if;
      end loop;
    end loop;
  end loop;
end $$;
select * from leaks();
