//! How numbers, times and long texts are written on the page.
//!
//! A time is written as `<time data-…>` with the date that anybody can read; the script turns it into an age, which
//! would change by itself and make every refresh differ from the one before.

use std::borrow::Cow;
use std::time::Duration;

use jiff::Timestamp;
use maud::{Markup, html};
use serde_json::Value;

use crate::sanitize::printable;

/// The performance document, read by pointer. What is not there is nothing, not zero.
#[derive(Clone, Copy, Debug)]
pub(super) struct Document<'a>(pub(super) &'a Value);

impl<'a> Document<'a> {
    pub(super) fn text(self, pointer: &str) -> Option<&'a str> {
        self.0.pointer(pointer).and_then(Value::as_str)
    }

    pub(super) fn number(self, pointer: &str) -> Option<f64> {
        self.0.pointer(pointer).and_then(Value::as_f64)
    }

    /// A count, with its thousands parted; a dash where there is none.
    pub(super) fn count(self, pointer: &str) -> String {
        self.0.pointer(pointer).and_then(Value::as_u64).map_or_else(|| "–".to_owned(), count)
    }

    pub(super) fn time(self, pointer: &str) -> Option<Timestamp> {
        self.text(pointer)?.parse().ok()
    }

    pub(super) fn list(self, pointer: &str) -> &'a [Value] {
        self.0.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    pub(super) fn texts(self, pointer: &str) -> Vec<&'a str> {
        self.list(pointer).iter().filter_map(Value::as_str).collect()
    }
}

/// `12,345`.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The same, of things in memory.
pub(super) fn size(number: usize) -> String {
    count(u64::try_from(number).unwrap_or(u64::MAX))
}

/// `1 tenant`, `2 tenants`.
pub(super) fn plural(number: usize, one: &str) -> String {
    format!("{} {one}{}", size(number), if number == 1 { "" } else { "s" })
}

/// A number of percent, with two decimals; a dash where there is none.
pub(super) fn percent(number: Option<f64>) -> String {
    number.map_or_else(|| "–".to_owned(), |number| format!("{number:.2}%"))
}

/// `3.1 ms`, `250 ms`, `1.25 s`.
pub(super) fn milliseconds(number: f64) -> String {
    match number {
        ms if ms < 10.0 => format!("{ms:.1} ms"),
        ms if ms < 1_000.0 => format!("{ms:.0} ms"),
        ms => format!("{:.2} s", ms / 1_000.0),
    }
}

/// Bytes in whole MiB, as the document says them; what changes less is left out.
pub(super) fn mebibytes(bytes: u64) -> String {
    format!("{} MB", count(bytes >> 20))
}

/// `5 min`, in the largest units that say something.
pub(super) fn span(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match (seconds / 3_600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, 0) => format!("{minutes} min"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, 0, _) => format!("{hours} h"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

/// The beginning of a text, at most so many characters.
pub(super) fn short(text: &str, most: usize) -> Cow<'_, str> {
    match text.char_indices().nth(most) {
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
        None => Cow::Borrowed(text),
    }
}

/// A text from outside that was not made printable yet.
pub(super) fn outside(text: &str) -> Cow<'_, str> {
    printable(text)
}

/// A moment in the past: with scripts, `3 min ago`.
pub(super) fn ago(at: Timestamp) -> Markup {
    time("ago", "", at)
}

/// A moment in the future, `at …`: with scripts, `in 3 min`.
pub(super) fn until(at: Timestamp) -> Markup {
    time("in", "at ", at)
}

/// The beginning of what goes on, `since …`: with scripts, `for 3 min`.
pub(super) fn since(at: Timestamp) -> Markup {
    time("for", "since ", at)
}

fn time(kind: &str, word: &str, at: Timestamp) -> Markup {
    html! { time datetime=(at.strftime("%Y-%m-%dT%H:%M:%SZ")) data-time=(kind) { (word) (moment(at)) } }
}

/// `23 Nov 2026, 10:53:36 UTC`.
pub(super) fn moment(at: Timestamp) -> String {
    at.strftime("%-d %b %Y, %H:%M:%S UTC").to_string()
}

/// `10:53:36 UTC`.
pub(super) fn clock(at: Timestamp) -> String {
    at.strftime("%H:%M:%S UTC").to_string()
}
