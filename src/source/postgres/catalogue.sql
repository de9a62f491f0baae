-- What the catalogue says of the tables in scope, for each role that is judged: some statements of one message, each of
-- which returns a row: a word and a JSON document, or settings. Planning is most of what they cost a server, and a connection that
-- was just made has nothing in its caches; so they are small, touch as few catalogues as they can, and follow each other
-- by settings of the transaction. Only functions of pg_catalog are called. $TABLE, $COLUMN, $LOGIN, $PATTERN are literals. Lines
-- between `--[word` and `--]` are sent only to whom all the words fit: `anon` or `service`; `table` (the probed table
-- alone), `wide` (with what is beneath and above it) and beside it `all` (every table with the tenant column) or `near`
-- (no other).
SELECT 'who' AS document, pg_catalog.json_build_array(pg_catalog.json_build_array(pg_catalog.pg_postmaster_start_time(),
    pg_catalog.inet_server_addr(), pg_catalog.inet_server_port(), pg_catalog.current_database(),
    pg_catalog.set_config('boothds.table',
      coalesce(pg_catalog.to_regclass($TABLE)::pg_catalog.oid::pg_catalog.text, '0'), true),
    -- Whether other functions may take the place of those of pg_catalog.
    pg_catalog.set_config('boothds.shadows', (pg_catalog.current_setting('search_path')
      OPERATOR(pg_catalog.~*) ',.*pg_catalog')::pg_catalog.text, true)),
    current_user, session_user)::pg_catalog.text,
--[table
  pg_catalog.set_config('boothds.scope', pg_catalog.concat('{', pg_catalog.current_setting('boothds.table'), '}'), true),
--]
--[catalogue
  -- Before PostgreSQL 16 every member may switch. Since then it takes a membership WITH SET.
  pg_catalog.set_config('boothds.set', CASE WHEN pg_catalog.current_setting('server_version_num')::pg_catalog.int4
    OPERATOR(pg_catalog.>=) 160000 THEN 'SET' ELSE 'MEMBER' END, true),
--]
  pg_catalog.set_config('search_path', 'pg_catalog', true);
--[catalogue wide
-- Down to partitions and children; and from all of these up, to whatever shows their rows under its own policies.
WITH RECURSIVE
family AS (
  SELECT current_setting('boothds.table')::oid AS oid, false AS parent
  UNION
  SELECT CASE f.oid WHEN i.inhrelid THEN i.inhparent ELSE i.inhrelid END, f.oid = i.inhrelid
  FROM family f JOIN pg_inherits i ON i.inhparent = f.oid AND NOT f.parent OR i.inhrelid = f.oid
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
--[catalogue wide near
  -- Copies by way of a function that names the table, and tables of another server that lead to one of this name.
  UNION
  SELECT c.oid FROM pg_class c JOIN pg_rewrite w ON w.ev_class = c.oid
  JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid AND d.refclassid = 'pg_proc'::regclass
  JOIN pg_proc f ON f.oid = d.refobjid
  WHERE c.relkind = 'm' AND (f.prosrc = '' OR f.prosrc ~* $PATTERN)
  UNION
  SELECT ftrelid FROM pg_foreign_table JOIN pg_class c ON c.oid = current_setting('boothds.table')::oid
  WHERE 'table_name=' || c.relname = ANY (ftoptions)
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
-- Who administers a role can give itself a membership WITH SET, so of such a login every membership counts.
-- The roles that are judged: this login; for the service credential the audiences by name, and the login of the anon
-- credential; and whatever the anon credential may switch to.
SELECT 'actors' AS document, json_agg(x)::text, set_config('boothds.actors', array_agg(x.oid)::text, true) FROM (
  SELECT oid, rolname AS name, rolname = current_user AS "isSelf", rolsuper AS super, rolbypassrls AS bypass,
    -- pg_read_server_files, pg_write_server_files, pg_execute_server_program.
    rolcreaterole OR rolreplication OR pg_has_role(oid, 4569::oid, 'MEMBER') OR pg_has_role(oid, 4570::oid, 'MEMBER')
      OR pg_has_role(oid, 4571::oid, 'MEMBER') AS powers,
    -- pg_read_all_data, which reads pg_statistic as well.
    pg_has_role(oid, 6181::oid, 'USAGE')
--]
--[catalogue wide
      -- Values of every table are in pg_statistic, pg_statistic_ext_data; passwords in pg_authid, pg_user_mapping,
      -- pg_subscription. The same list stands below.
      OR EXISTS (SELECT FROM unnest('{2619,3429,1260,1418,6100}'::oid[]) c WHERE has_table_privilege(r.oid, c, 'SELECT'))
--]
--[catalogue
      AS catalog,
--]
--[catalogue wide
    -- As a server is set up, the list of each of these has one entry: that of its owner. The same list stands below.
    (SELECT c::regproc::text FROM unnest(ARRAY(SELECT oid FROM pg_proc WHERE proname = ANY ('{pg_read_file,pg_read_binary_file,
        lo_import,dblink_connect_u,pg_get_wal_block_info,pg_get_wal_fpi_info}') AND (proacl IS NULL OR cardinality(proacl) > 1))) c
      WHERE has_function_privilege(r.oid, c, 'EXECUTE') LIMIT 1) AS calls,
    (SELECT srvname FROM pg_foreign_server s WHERE has_server_privilege(r.oid, s.oid, 'USAGE') LIMIT 1) AS server,
--]
--[catalogue
    rolname = current_user OR pg_has_role(session_user, oid, current_setting('boothds.set')) AS settable,
--]
--[catalogue anon
    true AS switch
  FROM (SELECT *, bool_or(pg_has_role(session_user, oid, 'MEMBER WITH ADMIN OPTION')) OVER () AS administers FROM pg_roles) r
  WHERE rolname = current_user OR pg_has_role(session_user, oid, current_setting('boothds.set'))
    OR administers AND pg_has_role(session_user, oid, 'MEMBER')
  ORDER BY rolname = current_user DESC, rolname LIMIT 25
--]
--[catalogue service
    switch
  FROM (SELECT *, coalesce(pg_has_role(login, oid, current_setting('boothds.set'))
      OR pg_has_role(login, oid, 'MEMBER') AND bool_or(pg_has_role(login, oid, 'MEMBER WITH ADMIN OPTION')) OVER (), false) AS switch
    FROM pg_roles, CAST(to_regrole(quote_ident($LOGIN)) AS oid) login) r
  WHERE rolname = ANY (ARRAY[current_user, 'anon', 'authenticated', $LOGIN::name]) OR switch
  ORDER BY rolname = current_user DESC, rolname = ANY (ARRAY['anon', 'authenticated', $LOGIN::name]) DESC, rolname LIMIT 28
--]
--[catalogue
) x;
SELECT 'relations' AS document, coalesce(json_agg(x), '[]')::text FROM (
  SELECT c.oid::text AS oid, n.nspname AS schema, c.relname AS name, c.relkind AS kind, c.relrowsecurity AS rls,
    c.relforcerowsecurity AS force, c.reloptions AS options, c.relhassubclass AS "hasChildren",
    a.attnum IS NOT NULL AS "hasColumn",
--]
--[catalogue table
    -- One of somebody's own may take different texts for equal.
    a.attcollation >= 16384 AS collated, format_type(a.atttypid, a.atttypmod) AS type,
--]
--[catalogue wide
    -- Rules that read: with SELECT, UPDATE, MERGE, or RETURNING. To insert values, to delete and to do nothing shows nothing.
    c.relhasrules AND EXISTS (SELECT FROM pg_rewrite w WHERE w.ev_class = c.oid AND w.ev_type <> '1'
      AND concat(w.ev_action, w.ev_qual) ~ ':commandType [125]|:returningList [(]') AS rules,
    CASE WHEN (SELECT to_jsonb(k) -> 'collisdeterministic' = 'false' FROM pg_collation k WHERE k.oid = a.attcollation)
      THEN 'nondeterministic ' ELSE '' END || format_type(a.atttypid, a.atttypmod) AS type,
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
        usage AND c.relkind IN ('r', 'p') AND has_table_privilege(b.oid, c.oid, 'TRUNCATE') AS truncate,
        usage AND c.relkind IN ('r', 'p') AND has_table_privilege(b.oid, c.oid, 'TRIGGER') AS trigger
      FROM unnest(current_setting('boothds.actors')::oid[]) WITH ORDINALITY b(oid, number),
        has_schema_privilege(b.oid, c.relnamespace, 'USAGE') usage
    ) y) AS access
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = $COLUMN AND CASE WHEN NOT a.attisdropped THEN a.attnum > 0 END
  WHERE c.oid = ANY (current_setting('boothds.scope')::oid[]) AND CASE WHEN c.relkind IN ('r', 'p', 'f', 'v', 'm') THEN true END
  ORDER BY rank, nspname, relname LIMIT 301
) x;
SELECT 'policies' AS document, coalesce(json_agg(x), '[]')::text FROM (
  SELECT polrelid::text AS relation, polname AS name, polpermissive AS permissive, polcmd AS command,
    ARRAY(SELECT number - 1 FROM unnest(current_setting('boothds.actors')::oid[]) WITH ORDINALITY b(oid, number)
      WHERE EXISTS (SELECT FROM unnest(polroles) role WHERE role = 0 OR pg_has_role(b.oid, role, 'USAGE'))) AS applies,
    pg_get_expr(polqual, polrelid) AS using, pg_get_expr(polwithcheck, polrelid) AS check,
    -- IS DISTINCT FROM and NULLIF are written without their operator. What PostgreSQL brings along is not in pg_depend.
    EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_policy'::regclass AND d.objid = p.oid
      AND CASE d.refclassid WHEN 'pg_operator'::regclass THEN d.refobjid::regoper::text ~ '(^|[.])=$'
        WHEN 'pg_proc'::regclass THEN EXISTS (SELECT FROM pg_depend c WHERE c.refclassid = 'pg_proc'::regclass
          AND c.refobjid = d.refobjid AND c.classid = 'pg_cast'::regclass) END) AS opaque
  FROM pg_policy p WHERE polrelid = ANY (current_setting('boothds.scope')::oid[]) ORDER BY polname
) x;
--]
--[functions
-- The bodies of the functions that policies call, to be read, not called; without a body where more than that decides. And
-- the functions of triggers, for whom they belong to.
SELECT 'functions' AS document, coalesce(json_agg(x), '[]')::text FROM (
  SELECT n.nspname || '.' || f.proname AS name, CASE f.prolang WHEN 14 THEN 'sql' ELSE 'another' END AS language,
    format_type(f.prorettype, NULL) AS returns,
    CASE WHEN f.pronargs = 0 AND length(f.prosrc) <= 4000 AND current_setting('boothds.shadows') = 'false' AND NOT EXISTS (
      SELECT FROM unnest(f.proconfig) c WHERE c !~ '^search_path=' OR c ~* ',.*pg_catalog') THEN f.prosrc ELSE '' END AS body,
--]
--[functions anon
    pg_has_role(session_user, f.proowner, 'MEMBER') OR pg_has_role(session_user, n.nspowner, 'MEMBER') AS owned
--]
--[functions service
    coalesce(pg_has_role(to_regrole(quote_ident($LOGIN))::oid, f.proowner, 'MEMBER')
      OR pg_has_role(to_regrole(quote_ident($LOGIN))::oid, n.nspowner, 'MEMBER'), false) AS owned
--]
--[functions
  FROM pg_proc f JOIN pg_namespace n ON n.oid = f.pronamespace
  WHERE f.oid = ANY (ARRAY(
    SELECT refobjid FROM pg_depend WHERE classid = 'pg_policy'::regclass AND refclassid = 'pg_proc'::regclass
      AND objid = ANY (ARRAY(SELECT oid FROM pg_policy WHERE polrelid = ANY (current_setting('boothds.scope')::oid[])))
    UNION ALL
    SELECT oid FROM pg_proc WHERE proname IN ('jwt', 'role', 'uid') AND pronamespace = to_regnamespace('auth')
--]
--[functions wide
    UNION ALL
    SELECT tgfoid FROM pg_trigger WHERE tgrelid = ANY (current_setting('boothds.scope')::oid[]) AND NOT tgisinternal
--]
--[functions
    ))
) x;
--]
--[catalogue table
-- Whether something else may show its rows: a view or rule above it, what it is a part of, a definer function that may return
-- them, by the name in its text or by a type of somebody's own. It may be too many: then more is asked. The range of an
-- index leaves PostgreSQL's own functions out; within a CASE, the planner looks up no statistics. What returns boolean, void or to a trigger returns no row.
SELECT 'above' AS document, (
  EXISTS (SELECT FROM pg_depend WHERE refclassid = 'pg_class'::regclass
    AND refobjid = current_setting('boothds.table')::oid AND classid = 'pg_rewrite'::regclass)
  OR EXISTS (SELECT FROM pg_inherits WHERE inhrelid = current_setting('boothds.table')::oid)
  OR EXISTS (SELECT FROM pg_class WHERE CASE WHEN oid >= 16384 THEN relkind IN ('m', 'f')
    WHEN cardinality(relacl) > 1 THEN oid = ANY ('{2619,3429,1260,1418,6100}') END)
  -- pg_foreign_server.
  OR pg_relation_size(1417) > 0
  OR EXISTS (SELECT FROM pg_proc WHERE proname = ANY ('{pg_read_file,pg_read_binary_file,lo_import,dblink_connect_u,
    pg_get_wal_block_info,pg_get_wal_fpi_info}') AND CASE WHEN proacl IS NOT NULL THEN cardinality(proacl) > 1 ELSE true END)
  OR EXISTS (SELECT FROM pg_proc WHERE oid >= 16384 AND CASE
    -- Who owns a trigger's function is shown what is written.
    WHEN prorettype = 2279 THEN
--]
--[catalogue table anon
      pg_has_role(session_user, proowner, 'MEMBER')
--]
--[catalogue table service
      pg_has_role(to_regrole(quote_ident($LOGIN))::oid, proowner, 'MEMBER')
--]
--[catalogue table
    WHEN prosecdef AND prorettype NOT IN (16, 2278, 2279, 3838)
    THEN prorettype >= 16384 OR prolang = 13 OR prolang >= 16384 OR prosrc = '' OR prosrc ~* $PATTERN
      OR pronargs > 0 AND prosrc ~* 'execute' END))::text;
--]
--[catalogue wide
-- Functions that run with their owner's rights; `rows` if they return rows of a table in scope, by their type, or by what
-- they read and that it can be returned: a set, a row, a list, a document, a cursor. A name without its schema is that of
-- the table wherever the function's own search_path leads to it; without one of its own the caller decides that.
WITH scope AS (SELECT c.oid, reltype, relname, regexp_replace(relname, E'(\\W)', E'\\\\\\1', 'g') AS name,
    regexp_replace(nspname, E'(\\W)', E'\\\\\\1', 'g') AS schema
  FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE c.oid = ANY (current_setting('boothds.scope')::oid[]))
SELECT 'definers' AS document, coalesce(json_agg(x), '[]')::text FROM (
  SELECT name, actors, rows FROM (
    SELECT f.oid::regproc::text AS name,
      t.oid IN (SELECT reltype FROM scope) OR t.typelem IN (SELECT reltype FROM scope)
        OR (f.proretset OR t.typtype = 'c' OR t.typcategory = 'A' OR t.oid IN (2249, 2287, 114, 3802, 142, 1790))
          AND (EXISTS (SELECT FROM scope s, coalesce((SELECT c FROM unnest(f.proconfig) c WHERE c ~ '^search_path='), '$user') path
              WHERE CASE WHEN position(lower(s.relname) IN lower(f.prosrc)) > 0 THEN
                f.prosrc ~* (s.schema || E'"?\\s*\\.\\s*"?' || s.name || E'(?!\\w)')
                OR f.prosrc ~* (E'(?<![\\w$.])(?<!\\.")' || s.name || E'(?!\\w)')
                  AND path ~* (E'\\$user|(^|\\W)' || s.schema || E'(\\W|$)') END)
            OR EXISTS (SELECT FROM pg_depend d JOIN scope ON d.refobjid = scope.oid WHERE d.classid = 'pg_proc'::regclass
              AND d.objid = f.oid AND d.refclassid = 'pg_class'::regclass)
            -- What cannot be read: C and what came later than PL/pgSQL, and a text made up from arguments. Not of an extension.
            OR (f.prolang = 13 OR f.prolang >= 16384 OR f.pronargs > 0 AND f.prosrc ~* E'\\mexecute\\M')
              AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = f.oid AND d.deptype = 'e')) AS rows,
      (SELECT json_agg(b.number - 1) FROM unnest(current_setting('boothds.actors')::oid[]) WITH ORDINALITY b(oid, number)
        WHERE has_schema_privilege(b.oid, f.pronamespace, 'USAGE') AND has_function_privilege(b.oid, f.oid, 'EXECUTE')
--]
--[catalogue wide service
          AND b.number > 1
--]
--[catalogue wide
      ) AS actors
    FROM pg_proc f JOIN pg_type r ON r.oid = f.prorettype JOIN pg_type t ON t.oid = coalesce(nullif(r.typbasetype, 0), r.oid)
    WHERE f.prosecdef AND f.prorettype NOT IN (2279, 3838)
--]
--[catalogue wide near
      AND f.oid >= 16384 AND f.prorettype NOT IN (16, 2278)
--]
--[catalogue wide all
      AND f.pronamespace::regnamespace::text !~ '^"?pg_|^information_schema$'
--]
--[catalogue wide
  ) every WHERE actors IS NOT NULL
--]
--[catalogue wide near
    AND rows
--]
--[catalogue wide
  ORDER BY rows DESC, name LIMIT 101
) x;
--]
