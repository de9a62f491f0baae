-- Puts rows of every kind into every table, then looks as everybody with all kinds of claims that users of this tenant
-- may have. Returns the names of the schemas, each with a role that sees a foreign row, or any row without a tenant's claim.
create function leaks() returns setof text language plpgsql as $$
declare
  a constant text := 'aaaaaaaa-0000-4000-8000-000000000001';
  s text; r text; c jsonb; seen boolean;
begin
  for s in select nspname from pg_namespace where nspname like 'case%' loop
    execute format('insert into %I.accounts (tenant_id, owner, is_public)
      select t::uuid, o::uuid, p from unnest(array[%L, ''bbbbbbbb-0000-4000-8000-000000000002'',
        ''cccccccc-0000-4000-8000-000000000003'', null]) t,
        unnest(array[null, ''11111111-0000-4000-8000-000000000001'']) o, unnest(array[true, false]) p', s, a);
    execute format('insert into %I.members select ''cccccccc-0000-4000-8000-000000000003''', s);
    foreach r in array array['anon', 'authenticated', 'passer_by'] loop
      for c in
        select x || y || z || u
        from unnest(array['{}', jsonb_build_object('tenant_id', a)]::jsonb[]) x,
          unnest(array['{}', jsonb_build_object('app_metadata', jsonb_build_object('tenant_id', a))]::jsonb[]) y,
          unnest(array['{}', '{"plan": "gold", "other": "bbbbbbbb-0000-4000-8000-000000000002"}']::jsonb[]) z,
          unnest(array['{}', '{"sub": "11111111-0000-4000-8000-000000000001"}']::jsonb[]) u
      loop
        seen := false;
        begin
          if r <> 'passer_by' then c := c || jsonb_build_object('role', r); end if;
          perform set_config('request.jwt.claims', c::text, true);
          perform set_config('request.jwt.claim.tenant_id', coalesce(c ->> 'tenant_id', ''), true);
          perform set_config('role', r, true);
          execute format('select exists (select from %I.accounts where tenant_id is not null and (%L or tenant_id <> %L))',
            s, not (c ? 'tenant_id' or c ? 'app_metadata'), a) into seen;
          raise exception sqlstate 'DONE0';
        exception when others then null;
        end;
        if seen then
          return next s || ' ' || r;
          exit;
        end if;
      end loop;
    end loop;
  end loop;
end $$;
select * from leaks();
