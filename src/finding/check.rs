//! What `doctor` looks at: the one table of its checks.
//!
//! A file of its own because scripts and suppressions know checks by their codes, as they know findings; what a check
//! does stands five floors up. Checks that judge credentials have the codes of the findings.

use super::Severity;

codes! {
    /// The code of a check, in the order of the report.
    CheckCode:
    SettingsRead "settings.read" Error "settings cannot be read"
        "correct the file or the variable that is named"
    SettingsValue "settings.value" Error "a setting has a value that it cannot take"
        "correct or remove it; a service that shares it reads something else than was meant, or nothing"
    SettingsUnknown "settings.unknown" Warning "a variable looks like a setting and is none"
        "is its name spelt right? `boothds man` lists them"
    SettingsOverruled "settings.overruled" Warning "a variable has another value than the one in effect"
        "remove one of the two, or name the right one with a flag"
    SettingsDatabaseUrl "settings.database-url" Warning "DATABASE_URL names another database than the one in effect"
        "make both name one database, or unset one: services that read DATABASE_URL work with another database than boothds"
    SettingsMode "settings.mode" Warning "a file that holds secrets can be read by other users"
        "chmod 600 the file; if others may have read it, change what is in it"
    EncryptionKeySet "encryption-key.set" Error "there is no encryption key to work with"
        "set ENCRYPTION_KEY or ENCRYPTION_KEY_FILE to 64 hexadecimal digits; `boothds keygen` makes them"
    EncryptionKeyWeak "encryption-key.weak" Warning "the encryption key can be guessed"
        "make another with `boothds keygen`, and rotate to it with `boothds rotate-key`"
    EncryptionKeySpelling "encryption-key.spelling" Warning "there is something around the digits of the encryption key"
        "remove it: boothds reads past blanks, other programs do not"
    EncryptionKeyEarlier "encryption-key.earlier" Warning "an earlier encryption key is superfluous"
        "remove it from ENCRYPTION_KEY_PREVIOUS; is the key there that was meant?"
    StateReachable "state.reachable" Error "the state store cannot be used"
        "is it running and reachable, and is BOOTHDS_STATE_URL its place? docs/state.md says how to start anew"
    StateWritable "state.writable" Error "the state store cannot be written"
        "check the permissions of the file and its folder, or the memory and the role of the server"
    StateMode "state.mode" Warning "the file of the state store could be read by other users"
        "look at who made it so; whoever opens it for boothds narrows it to its owner"
    StateTls "state.tls" Warning "the connection to the state store on another machine is not encrypted"
        "use rediss:// in BOOTHDS_STATE_URL"
    StateEviction "state.eviction" Warning "the state store may evict what is in it"
        "set maxmemory-policy to noeviction, or give it more memory; evicted counts begin at zero again"
    StateLag "state.lag" Warning "the state store answers slowly"
        "services wait for it at every miss of their own cache: is it near them, or overloaded?"
    StateClock "state.clock" Warning "the clock of the state store's server differs from this machine's"
        "synchronise both clocks (chrony, systemd-timesyncd)"
    StateInstances "state.instances" Warning "the processes that use the state store cannot be told"
        "see the checks of the state store"
    DatabaseReachable "database.reachable" Error "the application database cannot be used"
        "set DATABASE_URL, and check that the database is running and reachable"
    DatabaseTls "database.tls" Warning "the connection to the application database on another machine is not encrypted"
        "add sslmode=verify-full, or sslmode=require, to its URL"
    DatabaseVersion "database.version" Warning "the application database is of a version that boothds is not made for"
        "upgrade it: PostgreSQL 13 and newer, SQLite 3.35 and newer"
    DatabasePooler "database.pooler" Warning "a pooler in transaction mode stands before the application database"
        "boothds works through it; services that share the URL must not use named prepared statements, nor settings of a session"
    DatabaseReadOnly "database.read-only" Warning "the application database takes no changes"
        "name the primary server in the URL; on a standby no key can be stored or rotated"
    DatabaseRole "database.role" Warning "the role of the application database is a superuser"
        "use a role that owns `tenants` and nothing else"
    DatabaseSelect "database.select" Error "the role may not read `tenants`"
        "GRANT SELECT ON tenants TO the role"
    DatabaseUpdate "database.update" Warning "the role may not change the key columns of `tenants`"
        "to rotate keys with it, GRANT SELECT, UPDATE ON tenants TO the role; a role that only reads is fine otherwise"
    DatabaseRows "database.rows" Error "rows of `tenants` are not to be seen"
        "use the owner of the table or a role with BYPASSRLS: what policies hide is not tested, and not rotated"
    DatabaseClock "database.clock" Warning "the clock of the application database's server differs from this machine's"
        "synchronise both clocks (chrony, systemd-timesyncd): JWTs seem expired or issued in the future"
    TenantsColumns "tenants.columns" Error "columns of `tenants` are missing"
        "`boothds doctor --print-sql` prints the statements that add them"
    TenantsTypes "tenants.types" Warning "columns of `tenants` have another type than they should"
        "change the type with ALTER TABLE, when nobody writes to the table"
    TenantsConstraint "tenants.constraint" Warning "`tenants` takes rows with half a data source"
        "`boothds doctor --print-sql` prints the constraint check_data_source_complete"
    TenantsSubdomain "tenants.subdomain" Warning "two tenants can have one subdomain"
        "`boothds doctor --print-sql` prints the unique index; a name that two tenants share leads to either"
    TenantsPrimaryKey "tenants.primary-key" Error "the column `id` of `tenants` is no primary key"
        "`boothds doctor --print-sql` prints the statement; without it no key can be rotated"
    TenantsStatus "tenants.status" Warning "tenants with a data source have a status that is not known"
        "set it to active, suspended or cancelled: a tenant of another status counts as not active, and is not tested"
    TenantsTrigger "tenants.trigger" Error "a trigger raises when a key is changed"
        "`boothds doctor --print-sql` prints the mend; until then no key can be stored or rotated"
    TenantsRehearsal "tenants.rehearsal" Error "a key cannot be changed"
        "see the message; until then no key can be stored or rotated"
    StoredSealed "stored.sealed" Error "stored keys were not read"
        "see the checks of the application database and the encryption key"
    StoredPlaintext "stored.plaintext" Error "keys are stored as plaintext, which the application cannot open"
        "treat them as leaked: make new ones at the provider, and store them sealed with `boothds encrypt`"
    StoredHex "stored.hex" Error "keys are stored as hexadecimal parts instead of base64"
        "seal them again with `boothds encrypt`"
    StoredUnreadable "stored.unreadable" Error "stored keys do not open with any of the encryption keys"
        "name the key they were sealed with in ENCRYPTION_KEY_PREVIOUS, or seal them again with `boothds encrypt`"
    StoredMissing "stored.missing" Error "tenants have a data source and lack one of its keys"
        "store the key, sealed with `boothds encrypt`"
    StoredStray "stored.stray" Warning "keys are stored for tenants without a data_source_url"
        "complete the row or clear its keys: nobody uses them, and rotations carry them on"
    StoredCopied "stored.copied" Warning "one sealed text is stored in two places"
        "a row or key was copied: look whether each tenant has its own key"
    SourceUsable "source.usable" Error "a data source cannot be used as its row says"
        "correct the row; docs/failures.md has each class"
    Credentials "source.credentials" Error "the credentials of tenants were not judged"
        "see the checks of the application database and the encryption key"
    Duplicates "source.duplicates" Error "tenants were not compared with each other"
        "see the checks of the application database and the encryption key"
    CacheGone "cache.gone" Warning "rows of tenants are cached that are no longer there"
        "`boothds clear-cache ID`; a service would serve such a tenant on"
    CacheRefused "cache.refused" Warning "cached rows are not believed"
        "somebody else writes to the state store, or with another encryption key: `boothds clear-cache --all`"
    CacheSame "cache.same" Error "cached rows were not compared"
        "see the checks of the state store, the application database and the encryption key"
    SourceTest "source.test" Error "a data source failed its test"
        "`boothds test-connection TENANT` has more; docs/failures.md has each class"
    SourceRls "source.rls" Warning "row-level security is not shown to be enforced"
        "`boothds test-connection TENANT` says why, and what would settle it"
}

impl CheckCode {
    /// The code with that word.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.code() == word)
    }
}

/// The table as a page of documentation: `docs/checks.md`.
#[must_use]
pub fn as_markdown() -> String {
    let mut page = String::from(
        "# Checks\n\nWhat `boothds doctor` looks at. Generated from `src/finding/check.rs`; renew it with \
         `scripts/generate`.\n\nEvery check is in every report: as `ok`, as a `warning` or an `error`, as `skipped` with \
         the reason why it could not be made or was not asked for, or as `ignored`. Credentials and data sources are \
         judged under the codes of [findings.md](findings.md) as well. A check that is known and accepted is named \
         with `--ignore CODE[@TENANT]`, or with its reason in `boothds.toml`.\n\n| code | when it does not hold | what \
         that means | what to do |\n|---|---|---|---|\n",
    );
    for code in CheckCode::ALL {
        page.push_str(&format!(
            "| `{}` | {} | {} | {} |\n",
            code.code(),
            code.severity().as_str(),
            code.meaning(),
            code.hint()
        ));
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::FindingCode;

    #[test]
    fn codes_are_distinct_words_also_from_those_of_findings() {
        for (number, code) in CheckCode::ALL.iter().enumerate() {
            assert_eq!(CheckCode::of(code.code()), Some(*code), "{number}");
            assert!(code.code().bytes().all(|b| b.is_ascii_lowercase() || b == b'.' || b == b'-'));
            assert_eq!(FindingCode::of(code.code()), None, "{}", code.code());
        }
    }
}
