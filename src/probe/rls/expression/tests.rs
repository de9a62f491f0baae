use proptest::prelude::{any, proptest};

use super::*;

fn name(text: &str) -> Expression {
    Expression::Name(vec![text.to_owned()])
}

#[test]
fn what_is_not_understood_is_opaque_within_its_parentheses() {
    for text in [
        "",
        "(a",
        "a = b = c",
        "CASE WHEN a THEN b",
        "a COLLATE \"C\"",
        "a -- b",
        "U&'x' = a",
        "a OPERATOR(public.=) b",
        "E'\\x' = a",
        "a = ALL (ARRAY[b])",
        "USER",
        "current_user",
        "a = 'back\\slash'",
    ] {
        assert_eq!(parse(text), Expression::Opaque, "{text}");
    }
    let parts = |text: &str| match parse(text) {
        Expression::Or(parts) => parts,
        other => panic!("{text}: {other:?}"),
    };
    for text in [
        "(true OR (EXISTS ( SELECT 1 FROM t WHERE (t.a OR true))))",
        "(true OR (a COLLATE \"C\"))",
        "(true OR CASE WHEN (a OR b) THEN true ELSE false END)",
        "(true OR (a = ANY (b.c)))",
        "(true OR f(DISTINCT a))",
    ] {
        assert_eq!(parts(text), [Expression::Bool(true), Expression::Opaque], "{text}");
    }
}

#[test]
fn the_usual_forms_are_read() {
    assert_eq!(parse("( SELECT true AS bool)"), Expression::Bool(true));
    assert_eq!(
        parse("((\"Tenant\" IS NOT NULL) AND NOT a)"),
        Expression::And(vec![
            Expression::Not(Box::new(Expression::IsNull(Box::new(name("Tenant"))))),
            Expression::Not(Box::new(name("a"))),
        ])
    );
    let Expression::Binary(_, _, right) =
        parse("(a = ((auth.jwt() ->> 'it''s'::text))::character varying(3))")
    else {
        panic!()
    };
    let Expression::Cast(inner, kind) = *right else { panic!() };
    assert_eq!(kind, "character varying(");
    assert!(matches!(*inner, Expression::Binary(operator, ..) if operator == "->>"));
    assert_eq!(parse_body("\n select\n true as x ;\n"), Expression::Bool(true));
    assert_eq!(parse_body("select true from t"), Expression::Opaque);
    assert_eq!(parse_body("begin; select true"), Expression::Opaque);
}

proptest! {
    #[test]
    fn no_text_brings_the_parser_down(text in any::<String>()) {
        parse(&text);
        parse_body(&text);
    }

    #[test]
    fn no_words_bring_the_parser_down(words in proptest::collection::vec(
        proptest::sample::select(vec![
            "(", ")", "[", "]", ",", ".", "::", "=", "<>", "->>", "AND", "OR", "NOT", "IS", "NULL", "TRUE", "DISTINCT",
            "FROM", "ANY", "ARRAY", "SELECT", "AS", "CASE", "WHEN", "END", "a", "\"b\"", "'c'", "1", "text",
        ]), 0..40)) {
        parse(&words.join(" "));
    }
}

#[test]
fn deep_nesting_ends() {
    parse(&"(".repeat(100_000));
    parse(&("(".repeat(5000) + "a" + &")".repeat(5000)));
    parse(&"NOT ".repeat(100_000));
}
