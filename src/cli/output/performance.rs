//! The performance document for people. It is read as JSON, because it may be that of an older service, which leaves
//! parts out; what is not there is a dash.

use serde_json::Value;

use super::Output;
use super::table::{Rows, Tone};
use crate::sanitize::printable;

/// The document as a table.
pub(in crate::cli) fn table(document: &Value) -> String {
    let doc = Document(document);
    let mut text = String::new();
    let mut line = |label: &str, value: String| text.push_str(&format!("{label:<12} {value}\n"));
    line("Health", format!("{} ({}/100)", doc.text("/health/status"), doc.text("/health/score")));
    line(
        "Hit rate",
        format!(
            "{}{}, {} hits, {} misses",
            doc.text("/dataSourceManager/cache/hitRate/formatted"),
            doc.grade("caching"),
            doc.text("/dataSourceManager/cache/hits/count"),
            doc.text("/dataSourceManager/cache/misses/count"),
        ),
    );
    line(
        "Tier 2",
        format!(
            "{} hits, {} misses",
            doc.text("/cacheStats/sharedHits"),
            doc.text("/cacheStats/sharedMisses")
        ),
    );
    line(
        "Cached",
        format!(
            "{} rows, {} clients",
            doc.text("/dataSourceManager/cache/config/size"),
            doc.text("/dataSourceManager/cache/clients/size"),
        ),
    );
    line(
        "Pool",
        format!(
            "{} of {} clients, {}{}; {} made, {} times exhausted",
            doc.text("/dataSourceManager/connectionPool/active"),
            doc.text("/dataSourceManager/connectionPool/max"),
            doc.text("/dataSourceManager/connectionPool/utilization/formatted"),
            doc.grade("pooling"),
            doc.text("/dataSourceManager/connectionPool/totalCreated"),
            doc.text("/dataSourceManager/connectionPool/exhaustedCount"),
        ),
    );
    line(
        "Memory",
        format!(
            "{} MB, {} % of the limit{}",
            doc.text("/system/memory/rss/mb"),
            doc.text("/system/memory/usedPercent"),
            doc.grade("memory"),
        ),
    );
    line("Uptime", doc.text("/system/uptime/formatted"));
    line("Overall", doc.text("/performance/summary").trim_start_matches("Overall Grade: ").to_owned());
    for (label, pointer) in [("Alert", "/metrics/alerts"), ("Advice", "/metrics/recommendations")] {
        for note in doc.list(pointer) {
            line(label, printable(note.as_str().unwrap_or_default()).into_owned());
        }
    }
    text.push('\n');
    text.push_str(&instances(&doc));
    text
}

/// Which processes were measured.
fn instances(doc: &Document<'_>) -> String {
    let list = doc.list("/instances");
    if list.is_empty() {
        return match doc.0.get("instances") {
            Some(_) => "No process has reported of late.\n".to_owned(),
            None => String::new(),
        };
    }
    let mut rows = Rows::new(["PROCESS", "HOST", "STARTED", "LAST SEEN", "CLIENTS", "HITS", "MISSES"]);
    for instance in list {
        let one = Document(instance);
        let text = |pointer: &str| one.text(pointer);
        rows.add([
            (&text("/pid"), Tone::Plain),
            (&text("/host"), Tone::Plain),
            (&text("/startedAt"), Tone::Dim),
            (&text("/lastSeen"), Tone::Dim),
            (&text("/cacheStats/clientCacheSize"), Tone::Plain),
            (&text("/cacheStats/cacheHits"), Tone::Plain),
            (&text("/cacheStats/cacheMisses"), Tone::Plain),
        ]);
    }
    rows.finish()
}

/// The document in one line, for a log.
pub(in crate::cli) fn line(document: &Value) -> String {
    let doc = Document(document);
    format!(
        "{} {} {}/100, hit rate {}, {} hits, {} misses, {}/{} clients, {} times exhausted, {} processes",
        doc.text("/timestamp"),
        doc.text("/health/status"),
        doc.text("/health/score"),
        doc.text("/dataSourceManager/cache/hitRate/formatted"),
        doc.text("/dataSourceManager/cache/hits/count"),
        doc.text("/dataSourceManager/cache/misses/count"),
        doc.text("/dataSourceManager/connectionPool/active"),
        doc.text("/dataSourceManager/connectionPool/max"),
        doc.text("/dataSourceManager/connectionPool/exhaustedCount"),
        doc.list("/instances").len(),
    )
}

struct Document<'a>(&'a Value);

impl Document<'_> {
    /// A value in words, safe to show; a dash for what is not there.
    fn text(&self, pointer: &str) -> String {
        match self.0.pointer(pointer) {
            Some(Value::String(text)) => printable(text).into_owned(),
            Some(Value::Number(number)) => number.to_string(),
            Some(Value::Bool(value)) => value.to_string(),
            _ => "-".to_owned(),
        }
    }

    fn list(&self, pointer: &str) -> &[Value] {
        self.0.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    fn grade(&self, of: &str) -> String {
        match self.0.pointer(&format!("/performance/scores/{of}/grade")) {
            Some(Value::String(grade)) => format!(", grade {}", printable(grade)),
            _ => String::new(),
        }
    }
}

/// What stands on the terminal and is to be drawn over.
#[derive(Default)]
pub(in crate::cli) struct Screen {
    lines: usize,
}

impl Screen {
    /// Draws a text in the place of the last one.
    pub(in crate::cli) fn draw(&mut self, text: &str, output: &mut Output) {
        if self.lines > 0 {
            // Up to the first line of the last text, and everything from there to the end of the screen away.
            output.print(&format!("\u{1b}[{}A\u{1b}[J", self.lines));
        }
        // More than the screen is high could not be drawn over: its first lines are gone.
        let room =
            super::terminal_height().map_or(usize::MAX, |rows| usize::from(rows).saturating_sub(1)).max(1);
        let width = super::terminal_width().map_or(usize::MAX, usize::from);
        let mut shown = String::new();
        self.lines = 0;
        for line in text.lines() {
            let high = line.chars().count().div_ceil(width.max(1)).max(1);
            if self.lines + high > room {
                break;
            }
            shown.push_str(line);
            shown.push('\n');
            self.lines += high;
        }
        output.print(&shown);
    }
}
