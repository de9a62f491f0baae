-- Looks with the eyes of each role, first without claims, then with this tenant's, and notes whether any row is to be
-- seen, an own one, a foreign one. Each look is a subtransaction that is always undone, and with it role and claims.
-- $COLUMN, $ID, $APPLICATION_ID, $CLAIMS are literals, $ANON is true or false.
DECLARE
  facts pg_catalog.jsonb := pg_catalog.current_setting('boothds.facts')::pg_catalog.jsonb;
  path pg_catalog.text := pg_catalog.current_setting('boothds.path');
  seen pg_catalog.jsonb := '[]';
  claims pg_catalog.jsonb;
  target record;
  legacy record;
  any_row boolean;
  own_row boolean;
  foreign_row boolean;
  application_row boolean;
  code pg_catalog.text;
BEGIN
  FOR target IN
    SELECT rel.number - 1 AS relation, (acc.value ->> 'actor')::int AS actor, (act.value ->> 'isSelf')::boolean AS self,
      act.value ->> 'name' AS role, format('%I.%I', rel.value ->> 'schema', rel.value ->> 'name') AS name,
      (acc.value ->> 'column')::boolean AS col, mode
    FROM jsonb_array_elements(facts -> 'relations') WITH ORDINALITY rel(value, number),
      jsonb_array_elements(rel.value -> 'access') acc,
      jsonb_array_elements(facts -> 'actors') WITH ORDINALITY act(value, number),
      generate_series(0, 1) mode
    WHERE act.number - 1 = (acc.value ->> 'actor')::int AND (act.value ->> 'settable')::boolean
      AND rel.value ->> 'kind' <> 'f' AND (acc.value ->> 'read')::boolean
      AND ((rel.value ->> 'rank')::int < 2 OR (acc.value ->> 'column')::boolean)
      -- As the service itself only how things are.
      AND ($ANON OR NOT (act.value ->> 'isSelf')::boolean OR mode = 0 AND (acc.value ->> 'column')::boolean)
    ORDER BY rel.number, act.number, mode
  LOOP
    any_row := NULL; own_row := NULL; foreign_row := NULL; application_row := NULL; code := NULL;
    BEGIN
      claims := CASE WHEN target.mode = 1 THEN $CLAIMS::pg_catalog.jsonb ELSE '{}' END;
      IF NOT target.self THEN
        claims := pg_catalog.jsonb_set(claims, '{role}', pg_catalog.to_jsonb(target.role));
      END IF;
      IF target.mode = 1 OR NOT target.self THEN
        PERFORM pg_catalog.set_config('request.jwt.claims', claims::pg_catalog.text, true);
        FOR legacy IN SELECT * FROM pg_catalog.jsonb_each_text(claims) LOOP
          IF legacy.key OPERATOR(pg_catalog.~) '^[A-Za-z_][A-Za-z0-9_]*$' THEN
            PERFORM pg_catalog.set_config('request.jwt.claim.' OPERATOR(pg_catalog.||) legacy.key, legacy.value, true);
          END IF;
        END LOOP;
      END IF;
      IF NOT target.self THEN
        PERFORM pg_catalog.set_config('role', target.role, true);
      END IF;
      PERFORM pg_catalog.set_config('search_path', path, true);
      -- A second look only where the first saw something: each reads the whole table if there is nothing to be seen.
      IF target.col THEN
        EXECUTE pg_catalog.format('SELECT saw, saw AND EXISTS (SELECT FROM %1$s WHERE %2$I <> %3$L), saw AND EXISTS '
          '(SELECT FROM %1$s WHERE %2$I = %3$L) FROM (SELECT EXISTS (SELECT FROM %1$s WHERE %2$I IS NOT NULL) AS saw OFFSET 0) s',
          target.name, $COLUMN, $ID) INTO any_row, foreign_row, own_row;
      ELSE
        EXECUTE pg_catalog.format('SELECT EXISTS (SELECT FROM %s)', target.name) INTO any_row;
      END IF;
      RAISE EXCEPTION SQLSTATE 'BTHDS';
    EXCEPTION
      WHEN SQLSTATE 'BTHDS' THEN NULL;
      WHEN OTHERS THEN code := SQLSTATE;
    END;
    IF target.self AND NOT $ANON AND target.relation = 0 AND own_row IS NOT TRUE THEN
      BEGIN
        PERFORM pg_catalog.set_config('search_path', path, true);
        EXECUTE pg_catalog.format('SELECT EXISTS (SELECT FROM %s WHERE %I = %L)', target.name, $COLUMN, $APPLICATION_ID)
          INTO application_row;
        RAISE EXCEPTION SQLSTATE 'BTHDS';
      EXCEPTION WHEN OTHERS THEN NULL;
      END;
    END IF;
    seen := seen || jsonb_build_array(jsonb_build_object('relation', target.relation, 'actor', target.actor,
      'claims', target.mode = 1, 'any', any_row, 'own', own_row, 'foreign', foreign_row, 'application', application_row,
      'code', code));
  END LOOP;
  PERFORM set_config('boothds.seen', seen::text, true);
END
