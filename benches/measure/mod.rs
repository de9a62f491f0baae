//! What all benchmarks share: a verdict is a row of one table, and `scripts/bench` collects the rows.
//!
//! A missed target is printed and nothing more: time depends on the machine and on what else it does. Only what does
//! not work at all ends a benchmark, with a panic and so with a code that is not 0.

/// What a measured number is compared with.
#[allow(dead_code, reason = "each benchmark needs its half")]
#[derive(Clone, Copy)]
pub enum Target {
    /// No less than this.
    AtLeast(f64),
    /// No more than this.
    AtMost(f64),
}

/// Prints a number beside its target as a row of the table: `| what | measured | target | PASS |`.
pub fn verdict(what: &str, measured: f64, unit: &str, target: Target) {
    let (sign, bound, met) = match target {
        Target::AtLeast(bound) => ('≥', bound, measured >= bound),
        Target::AtMost(bound) => ('≤', bound, measured <= bound),
    };
    let met = if met { "PASS" } else { "MISS" };
    println!("| {what} | {} | {sign} {} | {met} |", number(measured, unit), number(bound, unit));
}

/// Prints a line that explains a row.
pub fn note(text: &str) {
    println!("  {text}");
}

/// The smallest: what the machine can do when nothing else disturbs it.
pub fn best(values: impl IntoIterator<Item = f64>) -> f64 {
    values.into_iter().fold(f64::INFINITY, f64::min)
}

fn number(value: f64, unit: &str) -> String {
    let digits = if value.abs() < 0.095 {
        3
    } else if value.abs() < 10.0 {
        2
    } else {
        1
    };
    format!("{value:.digits$}{unit}")
}
