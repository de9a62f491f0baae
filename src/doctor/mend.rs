//! The statements that mend the schema of the application database. They are printed and run by nobody here: in one
//! transaction, each with the reason why, to be run again without harm.

use super::trigger;
use crate::catalogue::CatalogueError;
use crate::catalogue::facts::Table;
use crate::sanitize::printable;
use crate::secret::Secret;

/// Why it is not known what there is to mend.
#[derive(Debug, thiserror::Error)]
pub enum NothingKnown {
    /// The application database cannot be asked.
    #[error(transparent)]
    Database(#[from] CatalogueError),
}

/// What a column of this type begins with.
const DEFAULT_POOL: &str = " DEFAULT '{\"min\":2,\"max\":10}'";

/// The statements as text, with comments; a comment alone where there is nothing to mend.
///
/// # Errors
/// [`NothingKnown`].
pub async fn schema_sql(url: &Secret) -> Result<String, NothingKnown> {
    let table = Table::read(url).await?;
    if let Some(error) = table.uncounted {
        return Err(error.into());
    }
    let steps = match (table.is_plain, table.is_postgres) {
        (true, true) => postgres(&table),
        (true, false) => sqlite(&table),
        (false, _) => {
            let why = format!(
                "{} is no plain table: mend the table behind it, or take its data into one",
                table.name
            );
            vec![(why, String::new())]
        }
    };
    let mut text = format!("-- The schema of {}, by boothds {}.\n", table.address, env!("CARGO_PKG_VERSION"));
    if steps.is_empty() {
        text.push_str("-- There is nothing to mend.\n");
        return Ok(text);
    }
    text.push_str("BEGIN;\n");
    for (why, statement) in steps {
        // A name from the catalogue must not end the comment.
        text.push_str(&format!("\n-- {}\n", printable(&why)));
        if !statement.is_empty() {
            text.push_str(&statement);
            text.push_str(if statement.ends_with(';') { "\n" } else { ";\n" });
        }
    }
    text.push_str("\nCOMMIT;\n");
    Ok(text)
}

/// Reason and statement; a reason alone where rows must be corrected first.
type Step = (String, String);

fn postgres(table: &Table) -> Vec<Step> {
    let name = &table.name;
    let mut steps = Vec::new();
    for (column, kind) in table.missing() {
        let default = match column {
            "connection_pool_config" => DEFAULT_POOL,
            // Without one the rows that there are could not be told apart.
            "id" => " DEFAULT gen_random_uuid()",
            column => Table::default_of(column),
        };
        steps.push((
            missing(column),
            format!("ALTER TABLE {name} ADD COLUMN IF NOT EXISTS {column} {kind}{default};"),
        ));
    }
    if !table.has_primary_key {
        steps.push(match table.unfit_ids {
            0 => (
                "rows are told apart by their id when keys are rotated".to_owned(),
                // By itself: a constraint that is NOT VALID (since PostgreSQL 18) is validated by it.
                format!("ALTER TABLE {name} ALTER COLUMN id SET NOT NULL;\n")
                    + &once(
                        &format!("ALTER TABLE {name} ADD CONSTRAINT tenants_id_pkey PRIMARY KEY (id)"),
                        &format!("ALTER TABLE {name} ADD CONSTRAINT tenants_id_key UNIQUE (id)"),
                        name,
                    ),
            ),
            rows => (format!("id cannot be a primary key: {rows} rows have no id, or one that others have; correct them"), String::new()),
        });
    }
    if !table.subdomain_is_unique {
        steps.push(match table.shared_subdomains {
            0 => (
                "a subdomain names one tenant".to_owned(),
                format!("CREATE UNIQUE INDEX IF NOT EXISTS tenants_subdomain_unique ON {name} (subdomain);"),
            ),
            shared => (
                format!(
                    "subdomain cannot be unique: {shared} of them are had by several tenants; correct them"
                ),
                String::new(),
            ),
        });
    }
    steps.extend(constraint(table));
    let mends = table.triggers.iter().flat_map(|one| trigger::read(one, &table.relations).mends);
    for step in mends {
        // Two triggers may share a function.
        if !steps.contains(&step) {
            steps.push(step);
        }
    }
    steps
}

/// Why a column is added, and what it then says.
fn missing(column: &str) -> String {
    let more = match column {
        "status" => "; every tenant is active then: correct those that are not",
        _ => "",
    };
    format!("boothds reads the column {column}, which is missing{more}")
}

/// That data sources are complete: a constraint for it, or what there is to be done before.
fn constraint(table: &Table) -> Option<Step> {
    const WHAT: &str = "a data source has a URL and both keys, or nothing of it";
    let (name, half) = (&table.name, table.half_sources);
    let lacks_a_key = table.missing().iter().any(|(column, _)| column.ends_with("_key"));
    match (&table.constraint, half) {
        (Some((_, true)), _) => None,
        // Each change of such a row would be refused from then on, and all of them are such rows.
        (None, 1..) if lacks_a_key => Some((
            format!(
                "{WHAT}; {half} rows would not: fill the column that is added, then print these statements again"
            ),
            String::new(),
        )),
        (Some((known, false)), 0) => Some((
            format!("{WHAT}; the rows that were there before satisfy it too"),
            format!("ALTER TABLE {name} VALIDATE CONSTRAINT {};", quoted(known)),
        )),
        (Some((known, false)), _) => Some((
            format!(
                "{WHAT}; {half} rows do not: correct them, then ALTER TABLE {name} VALIDATE CONSTRAINT {}",
                quoted(known)
            ),
            String::new(),
        )),
        (None, _) => {
            let (validity, why) = match half {
                0 => ("", WHAT.to_owned()),
                rows => (
                    " NOT VALID",
                    format!(
                        "{WHAT}; {rows} rows do not: correct them, then \
                         ALTER TABLE {name} VALIDATE CONSTRAINT check_data_source_complete"
                    ),
                ),
            };
            let statement = format!(
                "ALTER TABLE {name} DROP CONSTRAINT IF EXISTS check_data_source_complete;\n\
                 ALTER TABLE {name} ADD CONSTRAINT check_data_source_complete CHECK (\n  \
                 num_nulls(data_source_url, data_source_anon_key, data_source_service_key) IN (0, 3)){validity};"
            );
            Some((why, statement))
        }
    }
}

/// A name in double quotes.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A statement that PostgreSQL has no `IF NOT EXISTS` for; the other one where there is a primary key already.
fn once(statement: &str, otherwise: &str, table: &str) -> String {
    let table = table.replace('\'', "''");
    format!(
        "DO $do$ BEGIN\n  IF NOT EXISTS (SELECT FROM pg_constraint WHERE conrelid = '{table}'::regclass AND contype = 'p') THEN\n    \
         {statement};\n  ELSIF NOT EXISTS (SELECT FROM pg_constraint WHERE conrelid = '{table}'::regclass AND conname = 'tenants_id_key') THEN\n    \
         {otherwise};\n  END IF;\nEND $do$;"
    )
}

fn sqlite(table: &Table) -> Vec<Step> {
    let mut steps = Vec::new();
    for (column, _) in table.missing() {
        // SQLite takes no default in parentheses here, and none is needed.
        steps.push((
            format!("{} (SQLite has no IF NOT EXISTS: this one fails if it is run again)", missing(column)),
            format!("ALTER TABLE tenants ADD COLUMN {column} text{};", Table::default_of(column)),
        ));
    }
    if !table.subdomain_is_unique && table.shared_subdomains == 0 {
        steps.push((
            "a subdomain names one tenant".to_owned(),
            "CREATE UNIQUE INDEX IF NOT EXISTS tenants_subdomain_unique ON tenants (subdomain);".to_owned(),
        ));
    }
    if !table.has_primary_key && table.unfit_ids > 0 {
        let rows = table.unfit_ids;
        steps.push((
            format!("id cannot be unique: {rows} rows have no id, or one that others have; correct them"),
            String::new(),
        ));
    } else if !table.has_primary_key {
        steps.push((
            "an id names one tenant (SQLite cannot make it the primary key of a table that is there)"
                .to_owned(),
            "CREATE UNIQUE INDEX IF NOT EXISTS tenants_id_unique ON tenants (id);".to_owned(),
        ));
    }
    if let (None, 1.., true) =
        (&table.constraint, table.half_sources, table.missing().iter().any(|(c, _)| c.ends_with("_key")))
    {
        steps.extend(constraint(table));
    } else if table.constraint.is_none() {
        steps.push((
            "SQLite adds no constraint to a table that is there: these triggers keep data sources complete"
                .to_owned(),
            ["INSERT", "UPDATE"].map(complete).join("\n"),
        ));
    }
    steps
}

fn complete(event: &str) -> String {
    let word = event.to_lowercase();
    format!(
        "CREATE TRIGGER IF NOT EXISTS check_data_source_complete_{word} BEFORE {event} ON tenants\nWHEN (NEW.data_source_url IS NULL) \
         + (NEW.data_source_anon_key IS NULL) + (NEW.data_source_service_key IS NULL) NOT IN (0, 3)\nBEGIN SELECT \
         RAISE(ABORT, 'check_data_source_complete'); END;"
    )
}
