-- What the catalogue says of the tables in scope, for each role that is judged, as one JSON document. Only functions
-- of pg_catalog are called. $COLUMN is a literal. Planning is most of what it costs a server, so that lines between
-- `--[word` and `--]` are sent only to whom the word fits: `all` or `table`, `anon` or `service`.
SELECT set_config('boothds.facts', (
WITH RECURSIVE
me AS (
  SELECT oid, rolsuper, CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 'SET' ELSE 'MEMBER' END AS switch
  FROM pg_roles WHERE rolname = current_user
),
-- The roles that are judged: this login; for the service credential the audiences by name, for the anon credential
-- whatever it may switch to. Before PostgreSQL 16 every member may.
actors AS (
  SELECT r.oid, r.rolname AS name, r.oid = me.oid AS self, r.rolsuper AS super, r.rolbypassrls AS bypass,
    r.rolcreaterole OR r.rolreplication OR EXISTS (SELECT FROM pg_roles p
      WHERE p.rolname IN ('pg_read_server_files', 'pg_write_server_files', 'pg_execute_server_program')
        AND pg_has_role(r.oid, p.oid, 'MEMBER')) AS powers,
    row_number() OVER (ORDER BY r.oid = me.oid DESC, r.rolname) - 1 AS number,
    r.oid = me.oid OR pg_has_role(session_user, r.oid, me.switch) AS settable
  FROM pg_roles r, me
  WHERE r.oid = me.oid
--[anon
    OR NOT me.rolsuper AND pg_has_role(session_user, r.oid, me.switch)
--]
--[service
    OR r.rolname IN ('anon', 'authenticated')
--]
  ORDER BY number LIMIT 25
),
-- Down to partitions and children; and from all of these up, to whatever shows their rows under its own policies.
family AS (
  SELECT current_setting('boothds.table')::oid AS oid, 'probed' AS why WHERE current_setting('boothds.table') <> '0'
  UNION
  SELECT CASE f.oid WHEN i.inhrelid THEN i.inhparent ELSE i.inhrelid END, CASE f.oid WHEN i.inhrelid THEN 'parent' ELSE 'partition' END
  FROM family f JOIN pg_inherits i ON i.inhparent = f.oid AND f.why <> 'parent' OR i.inhrelid = f.oid
),
above AS (
  SELECT oid FROM family
  UNION
  SELECT w.ev_class FROM above a
  JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = a.oid AND d.classid = 'pg_rewrite'::regclass
  JOIN pg_rewrite w ON w.oid = d.objid
),
scope AS (
  SELECT oid, min(rank) AS rank FROM (
    SELECT oid, CASE why WHEN 'probed' THEN 0 ELSE 1 END AS rank FROM family
    UNION ALL SELECT oid, 2 FROM above
--[all
    UNION ALL
    SELECT c.oid, CASE WHEN c.relkind IN ('v', 'm') THEN 2 ELSE 3 END FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
      AND (c.relkind = 'm' OR c.relkind IN ('r', 'p', 'f', 'v') AND EXISTS (
        SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = $COLUMN AND NOT a.attisdropped))
--]
  ) every GROUP BY oid
),
relations AS (
  SELECT c.oid, s.rank, c.relkind, c.relrowsecurity, c.relforcerowsecurity, c.relowner, c.reltype, c.relnamespace, n.nspname, c.relname,
    a.attnum, (SELECT CASE WHEN to_jsonb(k) -> 'collisdeterministic' = 'false' THEN 'nondeterministic ' ELSE '' END FROM pg_collation k
      WHERE k.oid = a.attcollation) AS collation, format_type(a.atttypid, a.atttypmod) AS type,
    c.reloptions::text ~* '[{",]security_invoker=(true|on|1|yes)' AS invoker,
    row_number() OVER (ORDER BY s.rank, n.nspname, c.relname) - 1 AS number
  FROM scope s JOIN pg_class c ON c.oid = s.oid JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = $COLUMN AND NOT a.attisdropped AND a.attnum > 0
  WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm')
  ORDER BY number LIMIT 301
),
access AS (
  SELECT r.number AS relation, jsonb_agg(jsonb_build_object(
    'actor', a.number,
    'read', usage AND has_any_column_privilege(a.oid, r.oid, 'SELECT'),
    'column', usage AND coalesce(has_column_privilege(a.oid, r.oid, r.attnum, 'SELECT'), false),
    'owner', pg_has_role(a.oid, r.relowner, 'USAGE'),
    'insert', usage AND has_any_column_privilege(a.oid, r.oid, 'INSERT'),
    'update', usage AND has_any_column_privilege(a.oid, r.oid, 'UPDATE'),
    'delete', usage AND has_table_privilege(a.oid, r.oid, 'DELETE'),
    'truncate', usage AND r.relkind IN ('r', 'p') AND has_table_privilege(a.oid, r.oid, 'TRUNCATE')
  ) ORDER BY a.number) AS access
  FROM relations r, actors a, LATERAL (SELECT has_schema_privilege(a.oid, r.relnamespace, 'USAGE') AS usage) u
  GROUP BY r.number
),
policies AS (
  SELECT r.number AS relation, jsonb_agg(jsonb_build_object(
    'name', p.polname, 'permissive', p.polpermissive, 'command', p.polcmd,
    'applies', (SELECT coalesce(jsonb_agg(a.number), '[]') FROM actors a
      WHERE EXISTS (SELECT FROM unnest(p.polroles) role WHERE role = 0 OR pg_has_role(a.oid, role, 'USAGE'))),
    'using', pg_get_expr(p.polqual, p.polrelid), 'check', pg_get_expr(p.polwithcheck, p.polrelid),
    -- IS DISTINCT FROM and NULLIF are written without their operator. What PostgreSQL brings along is not in pg_depend.
    'opaque', EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_policy'::regclass AND d.objid = p.oid
      AND CASE d.refclassid WHEN 'pg_operator'::regclass THEN (SELECT oprname = '=' FROM pg_operator o WHERE o.oid = d.refobjid)
        WHEN 'pg_proc'::regclass THEN EXISTS (SELECT FROM pg_cast c WHERE c.castfunc = d.refobjid) END)
  ) ORDER BY p.polname) AS policies
  FROM relations r JOIN pg_policy p ON p.polrelid = r.oid GROUP BY r.number
),
-- The bodies of the functions that policies call, to be read, not called; without a body where more than that decides.
functions AS (
  SELECT jsonb_agg(jsonb_build_object('name', n.nspname || '.' || f.proname, 'language', l.lanname,
    'returns', format_type(f.prorettype, NULL), 'body', CASE WHEN f.pronargs = 0
      AND length(f.prosrc) <= 4000 AND NOT EXISTS (SELECT FROM unnest(f.proconfig) c WHERE c !~ '^search_path=' OR c ~ ',.*pg_catalog')
      AND current_setting('boothds.path') !~ ',.*pg_catalog' THEN f.prosrc ELSE '' END))
    AS functions
  FROM (
    SELECT d.refobjid AS oid FROM relations r JOIN pg_policy p ON p.polrelid = r.oid
    JOIN pg_depend d ON d.classid = 'pg_policy'::regclass AND d.objid = p.oid AND d.refclassid = 'pg_proc'::regclass
    UNION
    SELECT oid FROM pg_proc WHERE proname IN ('jwt', 'role', 'uid') AND pronamespace = to_regnamespace('auth')
  ) used JOIN pg_proc f ON f.oid = used.oid JOIN pg_namespace n ON n.oid = f.pronamespace JOIN pg_language l ON l.oid = f.prolang
),
definers AS (
  SELECT jsonb_agg(jsonb_build_object('name', name, 'actors', actors, 'rows', rows)) AS definers FROM (
    SELECT name, rows, actors FROM (
      SELECT f.oid::regproc::text AS name, f.prorettype IN (SELECT reltype FROM relations) AS rows,
        (SELECT jsonb_agg(a.number) FROM actors a WHERE has_schema_privilege(a.oid, f.pronamespace, 'USAGE')
--[service
          AND NOT a.self
--]
          AND has_function_privilege(a.oid, f.oid, 'EXECUTE')) AS actors
      FROM pg_proc f WHERE f.prosecdef
--[table
        AND f.oid IN (SELECT d.objid FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.refclassid = 'pg_type'::regclass
          AND d.refobjid IN (SELECT reltype FROM relations))
--]
--[all
        AND f.pronamespace::regnamespace::text !~ '^"?pg_|^information_schema$'
        AND f.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype)
--]
    ) every WHERE actors IS NOT NULL
--[table
      AND rows
--]
    ORDER BY rows DESC, name LIMIT 100) found
)
SELECT jsonb_build_object(
  'database', current_database(),
  'actors', (SELECT jsonb_agg(jsonb_build_object('name', name, 'isSelf', self, 'super', super, 'bypass', bypass, 'powers', powers, 'settable', settable)
    ORDER BY number) FROM actors),
  'relations', coalesce((SELECT jsonb_agg(jsonb_build_object(
      'schema', r.nspname, 'name', r.relname, 'rank', r.rank, 'kind', r.relkind, 'rls', r.relrowsecurity,
      'force', r.relforcerowsecurity, 'invoker', coalesce(r.invoker, false), 'hasColumn', r.attnum IS NOT NULL, 'type', coalesce(r.collation, '') || r.type,
      'access', a.access, 'policies', coalesce(p.policies, '[]')) ORDER BY r.number)
    FROM relations r JOIN access a ON a.relation = r.number LEFT JOIN policies p ON p.relation = r.number), '[]'),
  'definers', coalesce((SELECT definers FROM definers), '[]'),
  'functions', coalesce((SELECT functions FROM functions), '[]'))
)::text, true)
