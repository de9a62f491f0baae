//! What is known of a value in a check, and what follows from it: SQL's logic of three values, with a fourth for what is not
//! understood.

/// What is known of a value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Int(i64),
    /// Something that is no null.
    Present,
    /// Nobody knows what.
    Any,
    List(Vec<Value>),
}

pub(super) fn called(name: &str, arguments: Vec<Value>) -> Value {
    let arguments = match arguments.as_slice() {
        [Value::List(all)] => all.clone(),
        _ => arguments,
    };
    if !["num_nulls", "num_nonnulls"].contains(&name) || arguments.contains(&Value::Any) {
        return Value::Any;
    }
    let counted = arguments.iter().filter(|value| (**value == Value::Null) == (name == "num_nulls")).count();
    i64::try_from(counted).map_or(Value::Any, Value::Int)
}

/// `OR`, and with `false` `AND`: the one side that settles it, else what both say.
pub(super) fn either(a: &Value, b: &Value, settles: bool) -> Value {
    let settled = Value::Bool(settles);
    match (a, b) {
        _ if *a == settled || *b == settled => settled,
        (Value::Bool(_), Value::Bool(_)) => Value::Bool(!settles),
        (Value::Null | Value::Bool(_), Value::Null | Value::Bool(_)) => Value::Null,
        _ => Value::Any,
    }
}

pub(super) fn not(value: Value) -> Value {
    match value {
        Value::Bool(is) => Value::Bool(!is),
        Value::Null => Value::Null,
        _ => Value::Any,
    }
}

pub(super) fn is_null(value: &Value) -> Value {
    match value {
        Value::Any => Value::Any,
        value => Value::Bool(*value == Value::Null),
    }
}

pub(super) fn same(a: &Value, b: &Value) -> Value {
    match (a, b) {
        (Value::Null, _) | (_, Value::Null) => Value::Null,
        (Value::Int(a), Value::Int(b)) => Value::Bool(a == b),
        (Value::Bool(a), Value::Bool(b)) => Value::Bool(a == b),
        _ => Value::Any,
    }
}

pub(super) fn among(value: &Value, several: &[Value]) -> Value {
    let any = several.iter().map(|one| same(value, one));
    any.reduce(|a, b| either(&a, &b, true)).unwrap_or(Value::Any)
}
