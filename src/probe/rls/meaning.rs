//! What a policy's expression comes to for a row of another tenant, by the claims of who asks.
//!
//! Values are not computed but followed: the tenant column of a foreign row is [`Value::Foreign`], a claim that names
//! the tenant is [`Value::Own`] where it is present (for a stranger and a row of this tenant the other way round), and
//! everything that is not known is [`Value::Unknown`]. A truth is the set of what may come out; "no row is let through"
//! holds only if true is not in it, whatever the unknown parts are. An expression is looked at for every combination of present and missing claims: callers differ in them.

use super::expression::{Expression, parse_body};
use super::truth::Truth;
use crate::source::evidence::Function;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Value {
    Unknown,
    Null,
    /// A setting that nobody has set: null or the empty text, by what happened on the connection before.
    Unset,
    /// Another tenant's id, and not null.
    Foreign,
    /// This tenant's id.
    Own,
    Text(String),
    Number(String),
    /// The text of the claims, or of a part of them, before it is taken for JSON.
    Raw(Vec<String>),
    /// The claims, or a part of them.
    Claims(Vec<String>),
    Truth(Truth),
}

/// What is known besides the expression.
#[derive(Debug)]
pub(super) struct Context<'a> {
    /// The table's name, which may precede a column.
    pub(super) table: &'a str,
    /// The tenant column.
    pub(super) column: &'a str,
    /// Its type, as `format_type` writes it.
    pub(super) column_type: &'a str,
    /// This tenant's id.
    pub(super) tenant: &'a str,
    /// The claims that name the tenant.
    pub(super) paths: Vec<Vec<&'a str>>,
    /// The role in the claims, where it is sure to be there.
    pub(super) role: Option<&'a str>,
    /// Functions whose bodies may be read.
    pub(super) functions: &'a [Function],
}

/// Which of [`Context::paths`] are present, a bit each; and in the bit above them whether the settings of one claim each
/// (`request.jwt.claim.…`) are set too, as PostgREST did before release 12.
pub(super) type Present = u32;

/// More claims than this are not combined with each other.
const PATHS: usize = 6;
/// How deep functions that call functions are followed.
const CALLS: u8 = 3;

impl Context<'_> {
    /// Every combination of present claims, the one without any first; `None` when there are too many.
    pub(super) fn combinations(&self) -> Option<std::ops::Range<Present>> {
        (self.paths.len() <= PATHS).then(|| 0..2 << self.paths.len())
    }

    /// What the condition comes to for a row of another tenant.
    pub(super) fn truth(&self, expression: &Expression, present: Present) -> Truth {
        World { context: self, present, row: Value::Foreign, caller: Value::Own }.truth(expression, CALLS)
    }

    /// What the condition comes to for a row of this tenant and somebody of another one, or of none: the same turned
    /// round, but for constants.
    pub(super) fn truth_for_strangers(&self, expression: &Expression, present: Present) -> Truth {
        World { context: self, present, row: Value::Own, caller: Value::Foreign }.truth(expression, CALLS)
    }
}

struct World<'a> {
    context: &'a Context<'a>,
    present: Present,
    /// Whose row it is.
    row: Value,
    /// Whom the claims name, where they do.
    caller: Value,
}

impl World<'_> {
    fn truth(&self, expression: &Expression, calls: u8) -> Truth {
        match self.value(expression, calls) {
            Value::Truth(truth) => truth,
            Value::Null => Truth::NULL,
            _ => Truth::ANY,
        }
    }

    fn value(&self, expression: &Expression, calls: u8) -> Value {
        let truths = |parts: &[Expression], start, with: fn(Truth, Truth) -> Truth| {
            parts.iter().fold(start, |sum, part| with(sum, self.truth(part, calls)))
        };
        match expression {
            Expression::Opaque => Value::Unknown,
            Expression::Bool(value) => Value::Truth(Truth::of(*value)),
            Expression::Null => Value::Null,
            Expression::Text(text) => Value::Text(text.clone()),
            Expression::Number(number) => Value::Number(number.clone()),
            Expression::Name(parts) => self.name(parts),
            Expression::Call(name, arguments) => self.call(name, arguments, calls),
            Expression::Cast(inner, kind) => self.cast(self.value(inner, calls), kind),
            Expression::Binary(operator, left, right) => {
                let values = (self.value(left, calls), self.value(right, calls));
                self.binary(operator, &values.0, &values.1)
            }
            Expression::AnyOf(left, list) => {
                let left = self.value(left, calls);
                let equal = |part| self.equal(&left, &self.value(part, calls));
                Value::Truth(list.iter().map(equal).fold(Truth::FALSE, Truth::or))
            }
            Expression::IsNull(inner) => Value::Truth(match self.value(inner, calls) {
                Value::Null => Truth::TRUE,
                Value::Foreign | Value::Own | Value::Text(_) | Value::Number(_) => Truth::FALSE,
                Value::Truth(truth) if !truth.may_be_null() => Truth::FALSE,
                _ => Truth::KNOWN,
            }),
            Expression::IsTrue(inner) => Value::Truth(match self.truth(inner, calls) {
                Truth::TRUE => Truth::TRUE,
                truth if !truth.may_pass() => Truth::FALSE,
                _ => Truth::KNOWN,
            }),
            Expression::Distinct(left, right) => {
                Value::Truth(match (self.value(left, calls), self.value(right, calls)) {
                    (Value::Null, Value::Null) => Truth::FALSE,
                    (Value::Null, Value::Foreign | Value::Own)
                    | (Value::Foreign | Value::Own, Value::Null) => Truth::TRUE,
                    (left, right) => {
                        let equal = self.equal(&left, &right);
                        if !equal.may_be_null() { equal.not() } else { Truth::KNOWN }
                    }
                })
            }
            Expression::Not(inner) => Value::Truth(self.truth(inner, calls).not()),
            Expression::And(parts) => Value::Truth(truths(parts, Truth::TRUE, Truth::and)),
            Expression::Or(parts) => Value::Truth(truths(parts, Truth::FALSE, Truth::or)),
        }
    }

    /// A column: the tenant's, or one of which nothing is known.
    fn name(&self, parts: &[String]) -> Value {
        let is_tenant = match parts {
            [column] => column == self.context.column,
            [table, column] => table == self.context.table && column == self.context.column,
            _ => false,
        };
        if is_tenant { self.row.clone() } else { Value::Unknown }
    }

    fn call(&self, name: &[String], arguments: &[Expression], calls: u8) -> Value {
        let parts: Vec<&str> = name.iter().map(String::as_str).collect();
        match (parts.as_slice(), arguments) {
            (["current_setting"] | ["pg_catalog", "current_setting"], [name, ..]) => {
                match self.value(name, calls) {
                    Value::Text(name) => self.setting(&name.to_ascii_lowercase()),
                    _ => Value::Unknown,
                }
            }
            (["nullif"], [value, other]) => match (self.value(value, calls), self.value(other, calls)) {
                // A claim that is there is not empty: an empty one would name nobody.
                (Value::Unset, Value::Text(empty)) if empty.is_empty() => Value::Null,
                (value @ (Value::Null | Value::Own | Value::Raw(_)), Value::Text(empty))
                    if empty.is_empty() =>
                {
                    value
                }
                (Value::Foreign, Value::Text(empty)) if empty.is_empty() && self.caller == Value::Foreign => {
                    Value::Foreign
                }
                (Value::Text(text), Value::Text(empty)) if empty.is_empty() && !text.is_empty() => {
                    Value::Text(text)
                }
                _ => Value::Unknown,
            },
            (["coalesce"], arguments) => {
                let values: Vec<Value> = arguments
                    .iter()
                    .map(|one| self.value(one, calls))
                    .filter(|one| *one != Value::Null)
                    .collect();
                match values.as_slice() {
                    [] => Value::Null,
                    [Value::Raw(path)] => Value::Raw(path.clone()),
                    // Claims that are missing have no tenant, as the empty ones.
                    [Value::Raw(path), Value::Text(empty)] if empty == "{}" => Value::Raw(path.clone()),
                    [Value::Claims(path), Value::Text(empty)] if empty == "{}" => Value::Claims(path.clone()),
                    [first @ (Value::Own | Value::Foreign | Value::Text(_) | Value::Number(_)), ..] => {
                        first.clone()
                    }
                    [only @ (Value::Claims(_) | Value::Truth(_))] => only.clone(),
                    _ => Value::Unknown,
                }
            }
            (_, []) if calls > 0 => {
                let full = parts.join(".");
                let mut found = self.context.functions.iter().filter(|function| function.name == full);
                match (found.next(), found.next()) {
                    (Some(function), None) if function.language == "sql" => {
                        // What comes out is made to fit, which can make one of two ids.
                        self.cast(self.value(&parse_body(&function.body), calls - 1), &function.returns)
                    }
                    _ => Value::Unknown,
                }
            }
            _ => Value::Unknown,
        }
    }

    fn setting(&self, name: &str) -> Value {
        match name {
            "request.jwt.claims" => Value::Raw(Vec::new()),
            // Of an old release; PostgREST sets it no more.
            "request.jwt.claim" => Value::Unset,
            _ => match name.strip_prefix("request.jwt.claim.") {
                None => Value::Unknown,
                Some(_) if self.present & (1 << self.context.paths.len()) == 0 => Value::Unset,
                Some(claim) => {
                    let path = [claim.to_owned()];
                    match self.leaf(&path) {
                        Value::Null => Value::Unset,
                        Value::Unknown if self.leads_to_a_claim(&path) => Value::Raw(path.to_vec()),
                        other => other,
                    }
                }
            },
        }
    }

    fn leads_to_a_claim(&self, path: &[String]) -> bool {
        self.context
            .paths
            .iter()
            .any(|known| known.len() > path.len() && known.iter().zip(path).all(|(a, b)| a == b))
    }

    /// The text at a path of the claims.
    fn leaf(&self, path: &[String]) -> Value {
        // Users change these themselves: what they say proves nothing.
        if path.first().is_some_and(|first| first == USER_METADATA) {
            return Value::Unknown;
        }
        if let ([claim], Some(role)) = (path, self.context.role)
            && claim == "role"
        {
            return Value::Text(role.to_owned());
        }
        match self.context.paths.iter().position(|known| known == path) {
            Some(at) if self.present & (1 << at) != 0 => self.caller.clone(),
            Some(_) => Value::Null,
            None => Value::Unknown,
        }
    }

    fn cast(&self, value: Value, kind: &str) -> Value {
        let text = matches!(kind, "text" | "character varying" | "varchar");
        match value {
            // PostgreSQL compares neither with the other, and a cast of one raises or is null.
            Value::Null => Value::Null,
            Value::Unset if text => Value::Unset,
            Value::Unset if matches!(kind, "uuid" | "bigint" | "integer" | "smallint" | "json" | "jsonb") => {
                Value::Null
            }
            Value::Raw(path) if matches!(kind, "json" | "jsonb") => Value::Claims(path),
            Value::Raw(path) if text => Value::Raw(path),
            Value::Claims(path) if matches!(kind, "json" | "jsonb") => Value::Claims(path),
            // Two ids must not become one: `'01'::bigint` and `'1'::bigint` are.
            Value::Foreign if text && self.is_plain() || self.keeps_apart(kind) => Value::Foreign,
            Value::Own if text && self.is_plain() || self.keeps_apart(kind) => Value::Own,
            // The keys of a path, which only `#>>` takes.
            Value::Text(id) if text || kind == "text[" => Value::Text(id),
            Value::Text(id) if kind == "uuid" && is_hyphenated(&id) => Value::Text(id.to_ascii_lowercase()),
            Value::Text(number) if matches!(kind, "bigint" | "integer") => Value::Number(number),
            Value::Text(word) if kind == "boolean" => match word.as_str() {
                "true" | "t" => Value::Truth(Truth::TRUE),
                "false" | "f" => Value::Truth(Truth::FALSE),
                _ => Value::Unknown,
            },
            Value::Truth(truth) if kind == "boolean" => Value::Truth(truth),
            Value::Number(number) if matches!(kind, "bigint" | "integer") => Value::Number(number),
            _ => Value::Unknown,
        }
    }

    /// Whether the column is of a type of which two ids are never the same to a comparison, nor in their text. They can
    /// be in a collation or type that does not tell `a` from `A`, and in a type with a cast of its owner's.
    fn is_plain(&self) -> bool {
        let kind = self.context.column_type;
        let plain = ["uuid", "text", "bigint", "integer", "smallint", "numeric", "character varying"];
        plain.contains(&kind)
            || ["numeric(", "character varying(", "character("].iter().any(|start| kind.starts_with(start))
    }

    fn keeps_apart(&self, kind: &str) -> bool {
        let whole = |kind: &str| matches!(kind, "bigint" | "integer" | "smallint");
        kind == self.context.column_type && matches!(kind, "uuid" | "bigint" | "integer" | "smallint")
            || whole(kind) && whole(self.context.column_type)
    }

    fn binary(&self, operator: &str, left: &Value, right: &Value) -> Value {
        match (operator, left, right) {
            ("->" | "->>" | "#>" | "#>>", Value::Null, _) => Value::Null,
            ("->", Value::Claims(path), Value::Text(key)) => {
                Value::Claims(path.iter().chain([key]).cloned().collect())
            }
            ("->>", Value::Claims(path), Value::Text(key)) => {
                self.leaf(&path.iter().chain([key]).cloned().collect::<Vec<_>>())
            }
            ("#>>", Value::Claims(path), Value::Text(keys)) => {
                let Some(keys) = keys.strip_prefix('{').and_then(|keys| keys.strip_suffix('}')) else {
                    return Value::Unknown;
                };
                if keys.contains(['"', '\\', '{', ' ']) {
                    return Value::Unknown;
                }
                let keys = keys.split(',').map(str::to_owned);
                self.leaf(&path.iter().cloned().chain(keys).collect::<Vec<_>>())
            }
            ("=", left, right) => Value::Truth(self.equal(left, right)),
            ("<>", left, right) => Value::Truth(self.equal(left, right).not()),
            ("<=" | ">=", Value::Foreign, Value::Foreign) if self.row == Value::Foreign => {
                Value::Truth(Truth::TRUE)
            }
            ("<" | ">", Value::Foreign, Value::Foreign) if self.row == Value::Foreign => {
                Value::Truth(Truth::FALSE)
            }
            ("<" | ">" | "<=" | ">=", Value::Null, _) | ("<" | ">" | "<=" | ">=", _, Value::Null) => {
                Value::Null
            }
            ("<" | ">" | "<=" | ">=", Value::Number(left), Value::Number(right)) => {
                let (Ok(left), Ok(right)) = (left.parse::<i64>(), right.parse::<i64>()) else {
                    return Value::Unknown;
                };
                Value::Truth(Truth::of(match operator {
                    "<" => left < right,
                    ">" => left > right,
                    "<=" => left <= right,
                    _ => left >= right,
                }))
            }
            _ => Value::Unknown,
        }
    }

    fn equal(&self, left: &Value, right: &Value) -> Truth {
        match (left, right) {
            (Value::Null, _) | (_, Value::Null) => Truth::NULL,
            // The column and itself.
            (Value::Foreign, Value::Foreign) if self.row == Value::Foreign => Truth::TRUE,
            // A claim and another, or one that is spelt in another way.
            (Value::Foreign, Value::Foreign) | (Value::Own, Value::Own) => Truth::KNOWN,
            (Value::Foreign, Value::Own) | (Value::Own, Value::Foreign) if self.is_plain() => Truth::FALSE,
            (Value::Foreign, Value::Text(id) | Value::Number(id))
            | (Value::Text(id) | Value::Number(id), Value::Foreign)
                if self.is_own(id) && self.is_plain() =>
            {
                Truth::FALSE
            }
            (Value::Own, Value::Text(empty)) | (Value::Text(empty), Value::Own) if empty.is_empty() => {
                Truth::FALSE
            }
            (Value::Text(left), Value::Text(right)) => Truth::of(left == right),
            (Value::Number(left), Value::Number(right)) => {
                match (left.parse::<i64>(), right.parse::<i64>()) {
                    (Ok(left), Ok(right)) => Truth::of(left == right),
                    _ => Truth::ANY,
                }
            }
            (Value::Truth(left), Value::Truth(right)) => left.pairs(*right, |a, b| match (a, b) {
                (Truth::NULL, _) | (_, Truth::NULL) => Truth::NULL,
                (a, b) => Truth::of(a == b),
            }),
            _ => Truth::ANY,
        }
    }

    /// Whether a constant is this tenant's id.
    fn is_own(&self, id: &str) -> bool {
        let tenant = self.context.tenant;
        id == tenant || self.context.column_type == "uuid" && id.eq_ignore_ascii_case(tenant)
    }
}

/// Whether it is a UUID as PostgreSQL writes it; it reads it in braces and with other hyphens too.
fn is_hyphenated(id: &str) -> bool {
    id.len() == 36
        && id.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// The claim that Supabase lets users change themselves.
pub(super) const USER_METADATA: &str = "user_metadata";

#[cfg(test)]
mod tests {
    use super::super::expression::parse;
    use super::*;

    /// What a condition comes to without claims and with all of them, for a foreign row, of a `uuid` column.
    fn truths(text: &str) -> (Truth, Truth) {
        truths_for(text, "uuid", "aaaaaaaa-0000-4000-8000-000000000001")
    }

    fn truths_for(text: &str, column_type: &str, tenant: &str) -> (Truth, Truth) {
        let function = |name: &str, body: &str| Function {
            name: name.to_owned(),
            language: "sql".to_owned(),
            returns: match name {
                "auth.jwt" | "supabase.jwt" => "jsonb".to_owned(),
                "public.first_letter" => "\"char\"".to_owned(),
                _ => "text".to_owned(),
            },
            body: body.to_owned(),
            owned: false,
        };
        let functions = [
            function("auth.jwt", " select nullif(current_setting('request.jwt.claims', true), '')::jsonb "),
            function(
                "supabase.jwt",
                "select coalesce(nullif(current_setting('request.jwt.claim', true), ''),
                   nullif(current_setting('request.jwt.claims', true), ''))::jsonb",
            ),
            function(
                "auth.role",
                "select coalesce(nullif(current_setting('request.jwt.claim.role', true), ''),
                   (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'role'))::text",
            ),
            function("public.sneaky", "select coalesce(auth.jwt() ->> 'tenant_id', 'someone')"),
            function("public.tenant", "select auth.jwt() ->> 'tenant_id'"),
            function("public.first_letter", "select auth.jwt() ->> 'tenant_id'"),
            function("public.recursive", "select public.recursive()"),
        ];
        let context = Context {
            table: "accounts",
            column: "tenant_id",
            column_type,
            tenant,
            paths: vec![vec!["tenant_id"], vec!["app_metadata", "tenant_id"]],
            role: Some("anon"),
            functions: &functions,
        };
        let expression = parse(text);
        (context.truth(&expression, 0), context.truth(&expression, 3))
    }

    #[test]
    fn everybody_is_let_through_by_these() {
        for text in [
            "true",
            "( SELECT true AS bool)",
            "(1 = 1)",
            "(true OR (tenant_id = auth.uid()))",
            "(tenant_id = tenant_id)",
            "(accounts.tenant_id = tenant_id)",
            "(tenant_id IS NOT NULL)",
            "(NOT false)",
            "('a'::text = 'a'::text)",
            "(2 > 1)",
            "(NOT (tenant_id IS NULL))",
            "((tenant_id IS NULL) OR (tenant_id IS NOT NULL))",
            "(true IS TRUE)",
            "COALESCE(true)",
            "((is_public = true) OR true)",
        ] {
            assert_eq!(truths(text), (Truth::TRUE, Truth::TRUE), "{text}");
        }
        let (without, with) = truths(
            "(((auth.jwt() ->> 'tenant_id'::text) IS NULL) OR (tenant_id = ((auth.jwt() ->> 'tenant_id'::text))::uuid))",
        );
        assert!(without.passes() && !with.may_pass());
        assert!(truths("(tenant_id IS DISTINCT FROM ((auth.jwt() ->> 'tenant_id'::text))::uuid)").0.passes());
        assert!(truths("(tenant_id <> ((auth.jwt() ->> 'tenant_id'::text))::uuid)").1.passes());
    }

    #[test]
    fn no_foreign_row_is_let_through_by_these() {
        for text in [
            "false",
            "(tenant_id = ((auth.jwt() ->> 'tenant_id'::text))::uuid)",
            "(tenant_id = ( SELECT ((auth.jwt() ->> 'tenant_id'::text))::uuid AS uuid))",
            "((tenant_id)::text = (supabase.jwt() ->> 'tenant_id'::text))",
            "(tenant_id = (((auth.jwt() -> 'app_metadata'::text) ->> 'tenant_id'::text))::uuid)",
            "(tenant_id = ((auth.jwt() #>> '{app_metadata,tenant_id}'::text[]))::uuid)",
            "(tenant_id = (((NULLIF(current_setting('request.jwt.claims'::text, true), ''::text))::json ->> 'tenant_id'::text))::uuid)",
            "(tenant_id = (NULLIF(current_setting('request.jwt.claim.tenant_id'::text, true), ''::text))::uuid)",
            "(tenant_id = (current_setting('request.jwt.claim.tenant_id'::text, true))::uuid)",
            "((tenant_id = ((auth.jwt() ->> 'tenant_id'::text))::uuid) AND (owner = auth.uid()))",
            "((tenant_id IS NULL) OR (tenant_id = ((auth.jwt() ->> 'tenant_id'::text))::uuid))",
            "(auth.role() = 'service_role'::text)",
            "((tenant_id)::text = ( SELECT public.tenant() AS tenant))",
            "(tenant_id = 'aaaaaaaa-0000-4000-8000-000000000001'::uuid)",
            "(tenant_id = COALESCE(((auth.jwt() ->> 'tenant_id'::text))::uuid, (((auth.jwt() -> 'app_metadata'::text) ->> 'tenant_id'::text))::uuid))",
            "(tenant_id <> tenant_id)",
        ] {
            let (without, with) = truths(text);
            assert!(!without.may_pass() && !with.may_pass(), "{text}: {without:?} {with:?}");
        }
    }

    #[test]
    fn nothing_is_concluded_from_these() {
        for text in [
            "is_public",
            "(owner = auth.uid())",
            "((tenant_id = ((auth.jwt() ->> 'tenant_id'::text))::uuid) OR is_public)",
            "(tenant_id = public.current_tenant())",
            "((tenant_id)::text = public.sneaky())",
            "((tenant_id)::text = public.first_letter())",
            "((tenant_id)::text = public.recursive())",
            "(tenant_id = 'bbbbbbbb-0000-4000-8000-000000000002'::uuid)",
            "(tenant_id = COALESCE(((auth.jwt() ->> 'tenant_id'::text))::uuid, 'bbbbbbbb-0000-4000-8000-000000000002'::uuid))",
            "((tenant_id)::character varying(3) = ((auth.jwt() ->> 'tenant_id'::text))::character varying(3))",
            "(lower((tenant_id)::text) = (auth.jwt() ->> 'tenant_id'::text))",
            "(tenant_id = (current_setting('app.tenant'::text, true))::uuid)",
            "(tenant_id = (((auth.jwt() -> 'user_metadata'::text) ->> 'tenant_id'::text))::uuid)",
            "(tenant_id IN ( SELECT m.tenant_id FROM members m WHERE (m.user_id = auth.uid())))",
            "(tenant_id = ANY (ARRAY[((auth.jwt() ->> 'tenant_id'::text))::uuid, owner]))",
            "(tenant_id OPERATOR(public.=) ((auth.jwt() ->> 'tenant_id'::text))::uuid)",
            "((auth.jwt() ->> 'plan'::text) = 'gold'::text)",
            "(tenant_id >= ((auth.jwt() ->> 'tenant_id'::text))::uuid)",
        ] {
            let (without, with) = truths(text);
            assert!(without.may_pass() || with.may_pass(), "{text}");
            assert!(!without.passes() && !with.passes(), "{text}");
        }
    }

    #[test]
    fn two_ids_that_a_cast_makes_one_are_not_kept_apart() {
        let passes = |text: &str, column: &str| truths_for(text, column, "1").1.may_pass();
        let claim = "(auth.jwt() ->> 'tenant_id'::text)";
        assert!(!passes(&format!("(tenant_id = ({claim})::bigint)"), "bigint"));
        assert!(!passes(&format!("((tenant_id)::text = {claim})"), "bigint"));
        assert!(!passes(&format!("(tenant_id = {claim})"), "text"));
        assert!(passes(&format!("((tenant_id)::bigint = ({claim})::bigint)"), "text"));
        assert!(passes(&format!("(tenant_id = (({claim})::bigint)::text)"), "text"));
        assert!(passes(&format!("((tenant_id)::uuid = ({claim})::uuid)"), "text"));
        // An unset claim of the old kind is null or empty, and a tenant may be called ''.
        let old = "(tenant_id = current_setting('request.jwt.claim.tenant_id'::text, true))";
        assert!(truths_for(old, "text", "1").0.may_pass());
    }

    #[test]
    fn a_claim_that_only_some_callers_have_is_looked_at_missing_too() {
        let text = "(((auth.jwt() ->> 'tenant_id'::text) IS NOT NULL) AND (((auth.jwt() -> 'app_metadata'::text) ->> 'tenant_id'::text) IS NULL))";
        let context = Context {
            table: "accounts",
            column: "tenant_id",
            column_type: "uuid",
            tenant: "x",
            paths: vec![vec!["tenant_id"], vec!["app_metadata", "tenant_id"]],
            role: None,
            functions: &[Function {
                name: "auth.jwt".to_owned(),
                language: "sql".to_owned(),
                returns: "jsonb".to_owned(),
                body: "select current_setting('request.jwt.claims', true)::jsonb".to_owned(),
                owned: false,
            }],
        };
        let passing: Vec<Present> = context
            .combinations()
            .unwrap()
            .filter(|present| context.truth(&parse(text), *present).passes())
            .collect();
        assert_eq!(passing, [1, 5]);
    }
}
