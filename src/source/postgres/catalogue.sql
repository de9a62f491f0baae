-- What the catalogue says of the tables in scope, for each role that is judged: some statements of one message, each of
-- which returns a row: a word and a JSON document, or settings. Planning is most of what they cost a server, and a connection that
-- was just made has nothing in its caches; so they are small, touch as few catalogues as they can, and follow each other
-- by settings of the transaction. Only functions of pg_catalog are called. $TABLE, $COLUMN, $LOGIN are literals. Lines
-- between `--[word` and `--]` are sent only to whom all the words fit: `anon` or `service`; `table` (the probed table
-- alone), `wide` (with what is beneath and above it) and beside it `all` (every table with the tenant column).
SELECT 'who' AS document, pg_catalog.json_build_array(pg_catalog.json_build_array(pg_catalog.pg_postmaster_start_time(),
    pg_catalog.inet_server_addr(), pg_catalog.inet_server_port(), pg_catalog.current_database(),
    pg_catalog.set_config('boothds.table',
      coalesce(pg_catalog.to_regclass($TABLE)::pg_catalog.oid::pg_catalog.text, '0'), true)),
    current_user, session_user)::pg_catalog.text,
--[table
  pg_catalog.set_config('boothds.scope', pg_catalog.concat('{', pg_catalog.current_setting('boothds.table'), '}'), true),
--]
--[catalogue
  -- Before PostgreSQL 16 every member may switch.
  pg_catalog.set_config('boothds.switch', CASE WHEN pg_catalog.current_setting('server_version_num')::pg_catalog.int4
    OPERATOR(pg_catalog.>=) 160000 THEN 'SET' ELSE 'MEMBER' END, true),
--]
  pg_catalog.set_config('search_path', 'pg_catalog', true);
--[catalogue wide
WITH RECURSIVE
family AS (
  SELECT current_setting('boothds.table')::oid AS oid
  UNION
  SELECT i.inhrelid FROM family f JOIN pg_inherits i ON i.inhparent = f.oid
),
above AS (
  SELECT oid FROM family
  UNION
  SELECT w.ev_class FROM above a
  JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = a.oid AND d.classid = 'pg_rewrite'::regclass
  JOIN pg_rewrite w ON w.oid = d.objid
),
scope AS (
  SELECT oid FROM above
--]
--[catalogue wide all
  UNION
  SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
    AND (c.relkind = 'm' OR c.relkind IN ('r', 'p', 'f', 'v') AND EXISTS (
      SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = $COLUMN AND NOT a.attisdropped))
--]
--[catalogue wide
)
SELECT set_config('boothds.family', ARRAY(SELECT oid FROM family)::text, true),
  set_config('boothds.above', ARRAY(SELECT oid FROM above)::text, true),
  set_config('boothds.scope', ARRAY(SELECT oid FROM scope)::text, true);
--]
--[catalogue
-- The roles that are judged: this login; for the service credential the audiences by name, and the login of the anon
-- credential; and whatever the anon credential may switch to.
SELECT 'actors' AS document, json_agg(x)::text, set_config('boothds.actors', array_agg(x.oid)::text, true) FROM (
  SELECT oid, rolname AS name, rolname = current_user AS "isSelf", rolsuper AS super, rolbypassrls AS bypass,
    rolcreaterole OR rolreplication AS powers,
    rolname = current_user OR pg_has_role(session_user, oid, current_setting('boothds.switch')) AS settable,
--]
--[catalogue anon
    true AS switch
  FROM pg_roles
  WHERE rolname = current_user OR pg_has_role(session_user, oid, current_setting('boothds.switch'))
  ORDER BY rolname = current_user DESC, rolname LIMIT 25
--]
--[catalogue service
    coalesce(pg_has_role(to_regrole(quote_ident($LOGIN))::oid, oid, current_setting('boothds.switch')), false) AS switch
  FROM pg_roles
  WHERE rolname = ANY (ARRAY[current_user, 'anon', 'authenticated', $LOGIN::name])
    OR pg_has_role(to_regrole(quote_ident($LOGIN))::oid, oid, current_setting('boothds.switch'))
  ORDER BY rolname = current_user DESC, rolname = ANY (ARRAY['anon', 'authenticated', $LOGIN::name]) DESC, rolname LIMIT 28
--]
--[catalogue
) x;
SELECT 'relations' AS document, coalesce(json_agg(x), '[]')::text FROM (
  SELECT c.oid::text AS oid, n.nspname AS schema, c.relname AS name, c.relkind AS kind, c.relrowsecurity AS rls,
    c.relforcerowsecurity AS force, c.reloptions AS options, c.relhassubclass AS "hasChildren",
    a.attnum IS NOT NULL AS "hasColumn", format_type(a.atttypid, a.atttypmod) AS type,
--]
--[catalogue table
    0 AS rank,
--]
--[catalogue wide
    CASE WHEN c.oid = current_setting('boothds.table')::oid THEN 0
      WHEN c.oid = ANY (current_setting('boothds.family')::oid[]) THEN 1
      WHEN c.oid = ANY (current_setting('boothds.above')::oid[]) OR c.relkind IN ('v', 'm') THEN 2 ELSE 3 END AS rank,
--]
--[catalogue
    (SELECT json_agg(y) FROM (
      SELECT number - 1 AS actor,
        usage AND has_any_column_privilege(b.oid, c.oid, 'SELECT') AS read,
        usage AND coalesce(has_column_privilege(b.oid, c.oid, a.attnum, 'SELECT'), false) AS column,
        pg_has_role(b.oid, c.relowner, 'USAGE') AS owner,
        usage AND has_any_column_privilege(b.oid, c.oid, 'INSERT') AS insert,
        usage AND has_any_column_privilege(b.oid, c.oid, 'UPDATE') AS update,
        usage AND has_table_privilege(b.oid, c.oid, 'DELETE') AS delete,
        usage AND c.relkind IN ('r', 'p') AND has_table_privilege(b.oid, c.oid, 'TRUNCATE') AS truncate
      FROM unnest(current_setting('boothds.actors')::oid[]) WITH ORDINALITY b(oid, number),
        has_schema_privilege(b.oid, c.relnamespace, 'USAGE') usage
    ) y) AS access
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = $COLUMN AND NOT a.attisdropped AND a.attnum > 0
  WHERE c.oid = ANY (current_setting('boothds.scope')::oid[]) AND c.relkind IN ('r', 'p', 'f', 'v', 'm')
  ORDER BY rank, nspname, relname LIMIT 301
) x;
SELECT 'policies' AS document, coalesce(json_agg(x), '[]')::text FROM (
  SELECT polrelid::text AS relation, polname AS name, polpermissive AS permissive, polcmd AS command,
    ARRAY(SELECT number - 1 FROM unnest(current_setting('boothds.actors')::oid[]) WITH ORDINALITY b(oid, number)
      WHERE EXISTS (SELECT FROM unnest(polroles) role WHERE role = 0 OR pg_has_role(b.oid, role, 'USAGE'))) AS applies,
    pg_get_expr(polqual, polrelid) AS using, pg_get_expr(polwithcheck, polrelid) AS check
  FROM pg_policy WHERE polrelid = ANY (current_setting('boothds.scope')::oid[]) ORDER BY polname
) x;
--]
--[functions
-- The bodies of the functions that policies call, to be read, not called.
SELECT 'functions' AS document, coalesce(json_agg(x), '[]')::text FROM (
  SELECT n.nspname || '.' || f.proname AS name, CASE f.prolang WHEN 14 THEN 'sql' ELSE 'another' END AS language,
    format_type(f.prorettype, NULL) AS returns, left(f.prosrc, 4000) AS body
  FROM pg_proc f JOIN pg_namespace n ON n.oid = f.pronamespace
  WHERE f.pronargs = 0 AND NOT f.proretset AND f.oid = ANY (ARRAY(
    SELECT refobjid FROM pg_depend WHERE classid = 'pg_policy'::regclass AND refclassid = 'pg_proc'::regclass
      AND objid = ANY (ARRAY(SELECT oid FROM pg_policy WHERE polrelid = ANY (current_setting('boothds.scope')::oid[])))
    UNION ALL
    SELECT oid FROM pg_proc WHERE proname IN ('jwt', 'role', 'uid') AND pronamespace = to_regnamespace('auth')))
) x;
--]
--[catalogue table
-- Whether a view or a rule stands above the table.
SELECT 'above' AS document, EXISTS (SELECT FROM pg_depend WHERE refclassid = 'pg_class'::regclass
  AND refobjid = current_setting('boothds.table')::oid AND classid = 'pg_rewrite'::regclass)::text;
--]
--[catalogue wide all
SELECT 'definers' AS document, coalesce(json_agg(x), '[]')::text FROM (
  SELECT n.nspname || '.' || f.proname AS name, json_agg(DISTINCT b.number - 1) AS actors
  FROM pg_proc f JOIN pg_namespace n ON n.oid = f.pronamespace,
    unnest(current_setting('boothds.actors')::oid[]) WITH ORDINALITY b(oid, number)
  WHERE f.prosecdef AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
    AND f.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype)
--]
--[catalogue wide all service
    AND b.number > 1
--]
--[catalogue wide all
    AND has_schema_privilege(b.oid, n.oid, 'USAGE') AND has_function_privilege(b.oid, f.oid, 'EXECUTE')
  GROUP BY 1 ORDER BY 1 LIMIT 100
) x;
--]
