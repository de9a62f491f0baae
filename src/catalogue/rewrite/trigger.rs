//! Audit triggers that raise at every change of a key: recognised by what the server says, with the mend.
//!
//! A file of its own because this is knowledge of installations in the field, and no part of any protocol. They were made
//! from one template whose `audit_log` lacks columns that the function writes, or has them in another type, or forbids
//! the action; or which reads a setting of the session that only the web application makes.

use sqlx::postgres::PgDatabaseError;

use crate::failure::Failure;
use crate::sanitize::printable;
use crate::sql::postgres_literal;

/// A trigger that raises.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}: {said}", self.mend.what())]
pub struct BrokenTrigger {
    /// Its name; that of its function where the trigger is not known.
    pub name: String,
    /// The function that raised, printable.
    pub function: String,
    /// What is the matter and what mends it.
    pub mend: Mend,
    /// What the server said, safe to show.
    pub said: String,
}

/// The known ways in which they are broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mend {
    /// 42703: it inserts into a column that there is not.
    Column {
        /// `table.column`, as far as the server said.
        column: String,
    },
    /// 42804: it inserts a value of another type.
    Type {
        /// The column.
        column: String,
    },
    /// 23514: a CHECK of the table does not know the action.
    Check {
        /// The constraint.
        constraint: String,
        /// Its table.
        table: String,
    },
    /// 22P02, 42704: it casts a setting of the session that is empty or not there.
    Setting,
    /// 42501: it does what the role may not.
    Grant,
    /// Anything else.
    Other,
}

impl Mend {
    fn what(&self) -> &'static str {
        match self {
            Self::Column { .. } => "its function writes into a column that does not exist",
            Self::Type { .. } => "its function writes a value of the wrong type",
            Self::Check { .. } => "a check of the table that it writes into does not allow what it writes",
            Self::Setting => "its function casts a setting of the session that is empty or missing",
            Self::Grant => "its function does what the role may not",
            Self::Other => "its function fails",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self, function: &str) -> String {
        let function = printable(function);
        match self {
            Self::Column { column } => format!(
                "add the missing column ({column}) with ALTER TABLE … ADD COLUMN, or take it out of the INSERT in \
                 {function}()"
            ),
            Self::Type { column } => format!(
                "cast the value for {column} in {function}(), for an address \
                 NULLIF(current_setting('app.client_ip', true), '')::inet"
            ),
            Self::Check { constraint, table } => format!(
                "allow the action that {function}() writes: ALTER TABLE {table} DROP CONSTRAINT {constraint}, and add \
                 it again with the action in its list"
            ),
            Self::Setting => format!(
                "name who is to be held responsible with --as-user UUID; or mend {function}(): \
                 NULLIF(current_setting('app.current_user_id', true), '')::uuid"
            ),
            Self::Grant => format!(
                "give the role what {function}() needs, such as GRANT INSERT ON audit_log TO the role, or rotate as the \
                 owner; where a policy is in the way, let it allow the role"
            ),
            Self::Other => format!("mend {function}(), then run this again"),
        }
    }
}

impl BrokenTrigger {
    /// The same with the name of the trigger, once the table was asked for it.
    pub(super) fn named(mut self, name: Option<String>) -> Self {
        if let Some(name) = name {
            self.name = printable(&name).into_owned();
        }
        self
    }
}

/// A function as the server names it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Function {
    /// Where the search path does not lead to it.
    schema: Option<String>,
    name: String,
}

/// Whether an error was raised in a trigger's function, in which, and what it means. A statement of ours calls no function, so
/// the first function of the context is one of a trigger.
pub(super) fn recognise(error: &PgDatabaseError, said: &Failure) -> Option<(BrokenTrigger, Function)> {
    // Collisions, exhaustion, an operator and the system itself: no fault of the function that they came upon.
    if ["40", "53", "57", "58"].iter().any(|class| error.code().starts_with(class)) {
        return None;
    }
    let own = function_of(error.r#where()?)?;
    let unknown = || "its name is in the message".to_owned();
    let name = |text: Option<&str>| text.map(|text| printable(text).into_owned());
    let mend = match error.code() {
        "42703" => Mend::Column { column: quoted(error.message()).unwrap_or_else(unknown) },
        "42804" => Mend::Type { column: quoted(error.message()).unwrap_or_else(unknown) },
        "23514" => Mend::Check {
            constraint: name(error.constraint()).unwrap_or_else(unknown),
            table: name(error.table()).unwrap_or_else(|| "audit_log".to_owned()),
        },
        "22P02" | "42704" => Mend::Setting,
        "42501" => Mend::Grant,
        _ => Mend::Other,
    };
    let schema = own.schema.as_ref().map(|schema| format!("{schema}.")).unwrap_or_default();
    let function = printable(&format!("{schema}{}", own.name)).into_owned();
    let said = said.detail.clone().unwrap_or_else(|| said.to_string());
    Some((BrokenTrigger { name: function.clone(), function, mend, said }, own))
}

/// The outermost function of an error's context: `PL/pgSQL function audit() line 3 at SQL statement`, or
/// `SQL function "audit" statement 1`. The innermost stands first. A name in quotes may hold anything, also line breaks.
fn function_of(context: &str) -> Option<Function> {
    const WORD: &str = " function ";
    context.rmatch_indices(WORD).find_map(|(at, _)| {
        let line = context[..at].rsplit('\n').next().unwrap_or_default();
        // Behind a quote, or without a language before it, it is part of a name or a statement.
        if line.is_empty() || line.contains('"') {
            return None;
        }
        let rest = &context[at + WORD.len()..];
        let (first, rest) = identifier(rest)?;
        let (schema, name) = match rest.strip_prefix('.').and_then(identifier) {
            Some((name, _)) => (Some(first), name),
            None => (None, first),
        };
        (!name.is_empty()).then_some(Function { schema, name })
    })
}

/// A name at the beginning of a text, and what comes behind it.
fn identifier(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(['(', '.', ' ', '\n']).unwrap_or(text.len());
        return Some((text[..end].to_owned(), &text[end..]));
    };
    let mut name = String::new();
    let mut rest = quoted;
    loop {
        let end = rest.find('"')?;
        name.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('"') {
            Some(more) => {
                name.push('"');
                rest = more;
            }
            None => return Some((name, rest)),
        }
    }
}

/// What the message names first, in double quotes.
fn quoted(message: &str) -> Option<String> {
    let mut parts = message.split('"');
    let first = parts.nth(1)?;
    // `column "x" of relation "y" does not exist`
    let named = match parts.nth(1) {
        Some(relation) if message.contains("of relation") => format!("{relation}.{first}"),
        _ => first.to_owned(),
    };
    Some(printable(&named).into_owned())
}

/// The triggers of the table that call a function of this name.
pub(super) fn of_function(function: &Function) -> String {
    let schema = match &function.schema {
        Some(schema) => format!(" AND n.nspname = {}", postgres_literal(schema)),
        None => String::new(),
    };
    format!(
        "SELECT string_agg(t.tgname::text, ', ' ORDER BY t.tgname) FROM pg_trigger t \
         JOIN pg_proc p ON p.oid = t.tgfoid JOIN pg_namespace n ON n.oid = p.pronamespace \
         WHERE t.tgrelid = to_regclass('tenants') AND NOT t.tgisinternal AND p.proname = {}{schema}",
        postgres_literal(&function.name)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_function_of_the_trigger_is_found_beneath_those_it_calls() {
        let context = "PL/pgSQL function app.cast_user(text) line 2 at RETURN\nSQL statement \"INSERT …\"\n\
                       PL/pgSQL function audit_changes() line 4 at SQL statement";
        let found = |schema: Option<&str>, name: &str| {
            Some(Function { schema: schema.map(str::to_owned), name: name.to_owned() })
        };
        assert_eq!(function_of(context), found(None, "audit_changes"));
        assert_eq!(function_of("SQL function \"log it\" statement 1"), found(None, "log it"));
        assert_eq!(function_of("while locking tuple (0,1)"), None);
        let odd = "SQL statement \"SELECT a function b\"\nPL/pgSQL function \"s. x\".\"f \"\"(;\n function y\"() line 1 at RAISE";
        assert_eq!(function_of(odd), found(Some("s. x"), "f \"(;\n function y"));
    }

    #[test]
    fn a_column_is_named_with_its_table() {
        let said = "column \"ip_address\" of relation \"audit_log\" does not exist";
        assert_eq!(quoted(said).as_deref(), Some("audit_log.ip_address"));
        assert_eq!(quoted("column \"ip\" is of type inet").as_deref(), Some("ip"));
        assert_eq!(quoted("nothing"), None);
    }
}
