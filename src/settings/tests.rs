use super::*;

fn vars(pairs: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    Settings::from_vars(pairs.iter().copied())
}

#[test]
fn the_defaults_are_those_of_the_contract() {
    let s = vars(&[]).unwrap();
    assert_eq!((s.max_clients.value, s.enable_metrics.value, s.use_shared_cache.value), (50, true, true));
    assert_eq!(s.config_cache_ttl_ms.value, 300_000);
    assert_eq!(s.client_cache_ttl_ms.value, 3_600_000);
    assert_eq!(s.cache_cleanup_interval_ms.value, 600_000);
    assert_eq!(
        (s.probe_table.value.to_string(), s.probe_tenant_column.value.as_str()),
        ("accounts".into(), "tenant_id")
    );
    assert_eq!(s.probe_claims.value, ["tenant_id", "app_metadata.tenant_id", "user_metadata.tenant_id"]);
    assert_eq!(s.max_clients.origin, Origin::Default);
    assert!(s.database_url.is_none() && s.encryption_key.is_none() && s.state_url.is_none());
}

#[test]
fn a_value_that_is_not_wholly_a_value_is_an_error_that_names_it() {
    for (name, text) in [
        ("DATA_SOURCE_MAX_CLIENTS", "50abc"),
        ("DATA_SOURCE_MAX_CLIENTS", "NaN"),
        ("DATA_SOURCE_MAX_CLIENTS", "0"),
        ("DATA_SOURCE_MAX_CLIENTS", "10001"),
        ("DATA_SOURCE_MAX_CLIENTS", "+5"),
        ("DATA_SOURCE_MAX_CLIENTS", " 5"),
        ("DATA_SOURCE_MAX_CLIENTS", ""),
        ("DATA_SOURCE_MAX_CLIENTS", "99999999999999999999999"),
        ("DATA_SOURCE_ENABLE_METRICS", "yes"),
        ("DATA_SOURCE_USE_NEXTJS_CACHE", "TRUE"),
        ("DATA_SOURCE_CONFIG_CACHE_TTL", "0"),
        ("DATA_SOURCE_CLIENT_CACHE_TTL", "604800001"),
        ("DATA_SOURCE_CACHE_CLEANUP_INTERVAL", "1e3"),
        ("BOOTHDS_PROBE_TABLE", "a.b\u{0}"),
        ("BOOTHDS_PROBE_TABLE", "a."),
        ("BOOTHDS_PROBE_CLAIMS", "a..b"),
        ("BOOTHDS_PROBE_CLAIMS", "a,,b"),
        ("BOOTHDS_NAMESPACE", "a b"),
        ("BOOTHDS_STATE_URL", "memcached://hunter2@x"),
        ("DATABASE_URL", "mysql://u:hunter2@h/db"),
        ("DATABASE_URL", ""),
    ] {
        let error = vars(&[(name, text)]).expect_err(name).to_string();
        assert!(error.contains(name) && error.contains("it takes"), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
    for (name, text) in [("DATA_SOURCE_MAX_CLIENTS", "10000"), ("DATA_SOURCE_CONFIG_CACHE_TTL", "604800000")]
    {
        assert!(vars(&[(name, text)]).is_ok(), "{name}={text}");
    }
}

#[test]
fn the_preferred_name_of_a_variable_decides_in_either_order() {
    for pairs in [
        [("DATABASE_URL", "postgres://b/"), ("BOOTHDS_DATABASE_URL", "postgres://a/")],
        [("BOOTHDS_DATABASE_URL", "postgres://a/"), ("DATABASE_URL", "postgres://b/")],
    ] {
        let url = vars(&pairs).unwrap().database_url.unwrap();
        assert_eq!(url.value.expose(), "postgres://a/");
        assert_eq!(url.origin, Origin::Environment("BOOTHDS_DATABASE_URL".to_owned()));
    }
}

#[test]
fn a_wrong_value_in_a_higher_layer_does_not_fall_back_to_a_lower_one() {
    let layer = |text: &str| {
        Layer::from_vars([("DATA_SOURCE_MAX_CLIENTS", text)], None, |n| Origin::Environment(n.to_owned()))
    };
    assert!(Settings::resolve(&[layer("x"), layer("7")]).is_err());
    assert_eq!(Settings::resolve(&[layer("8"), layer("7")]).unwrap().max_clients.value, 8);
}

#[test]
fn a_key_given_in_two_ways_at_one_place_is_a_contradiction() {
    let error = vars(&[("ENCRYPTION_KEY", "a"), ("ENCRYPTION_KEY_FILE", "f")]).unwrap_err();
    assert!(matches!(error, SettingsError::Conflict { .. }));
}

#[test]
fn a_relative_path_is_relative_to_the_folder_of_the_file_that_names_it() {
    let layer = Layer::from_vars([("ENCRYPTION_KEY_FILE", "k")], Some("/etc/booth".into()), |n| {
        Origin::Environment(n.into())
    });
    let Some(Sourced { value: KeySource::Files(files), .. }) =
        Settings::resolve(&[layer]).unwrap().encryption_key
    else {
        panic!("no file")
    };
    assert_eq!(files, [PathBuf::from("/etc/booth/k")]);
}

#[test]
fn debug_of_settings_shows_no_secret() {
    let s = vars(&[("DATABASE_URL", "postgres://u:hunter2@h/db"), ("ENCRYPTION_KEY", "hunter2")]).unwrap();
    assert!(!format!("{s:?}").contains("hunter2"));
}

#[test]
fn an_identifier_is_quoted_whatever_it_holds() {
    assert_eq!(Identifier::parse("a\"; drop").unwrap().quoted(), "\"a\"\"; drop\"");
    assert_eq!(ProbeTable::parse("app.Accounts").unwrap().quoted(), "\"app\".\"Accounts\"");
}
