-- Looks with the eyes of each role and notes what is to be seen. Each look is a subtransaction that is always undone, and
-- with it role and claims. $LOOKS is a literal: what to look at as whom, with the settings to be made before.
DECLARE
  seen pg_catalog.json[] := '{}';
  target record;
  setting record;
  answer pg_catalog.text;
  code pg_catalog.text;
BEGIN
  FOR target IN
    SELECT value OPERATOR(pg_catalog.->) 'settings' AS settings, value OPERATOR(pg_catalog.->>) 'query' AS query
    FROM pg_catalog.json_array_elements($LOOKS)
  LOOP
    answer := NULL; code := NULL;
    BEGIN
      FOR setting IN SELECT key, value FROM pg_catalog.json_each_text(target.settings) LOOP
        PERFORM pg_catalog.set_config(setting.key, setting.value, true);
      END LOOP;
      EXECUTE target.query INTO answer;
      RAISE EXCEPTION SQLSTATE 'BTHDS';
    EXCEPTION
      WHEN SQLSTATE 'BTHDS' THEN NULL;
      WHEN OTHERS THEN code := SQLSTATE;
    END;
    seen := pg_catalog.array_append(seen, pg_catalog.json_build_object('seen', answer::pg_catalog.json, 'code', code));
  END LOOP;
  PERFORM pg_catalog.set_config('boothds.seen', pg_catalog.array_to_json(seen)::pg_catalog.text, true);
END
