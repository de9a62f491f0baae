//! The performance document for people. It is read as JSON, because it may be that of an older service, which leaves
//! parts out; what is not there is a dash.

use serde_json::Value;

use super::Output;
use super::table::{Rows, Tone};
use crate::sanitize::printable;

/// The document as a table.
pub(in crate::cli) fn table(document: &Value) -> String {
    let doc = Document(document);
    let of = |pointers: &[&str]| pointers.iter().map(|pointer| doc.text(pointer)).collect::<Vec<_>>();
    let cache = of(&[
        "/dataSourceManager/cache/hitRate/formatted",
        "/dataSourceManager/cache/hits/count",
        "/dataSourceManager/cache/misses/count",
        "/dataSourceManager/cache/config/size",
        "/dataSourceManager/cache/clients/size",
    ]);
    let pool = of(&[
        "/dataSourceManager/connectionPool/active",
        "/dataSourceManager/connectionPool/max",
        "/dataSourceManager/connectionPool/utilization/formatted",
        "/dataSourceManager/connectionPool/totalCreated",
        "/dataSourceManager/connectionPool/exhaustedCount",
    ]);
    let memory = match of(&["/system/memory/rss/mb", "/system/memory/usedPercent"]).as_slice() {
        [resident, used] if resident != "-" => {
            format!("{resident} MB, {used} % of the limit{}", doc.grade("memory"))
        }
        _ => "-".to_owned(),
    };
    let shared = of(&["/cacheStats/sharedHits", "/cacheStats/sharedMisses"]);
    let overall = doc.text("/performance/summary");
    let lines = [
        ("Health", format!("{} ({}/100)", doc.text("/health/status"), doc.text("/health/score"))),
        ("Hit rate", format!("{}{}, {} hits, {} misses", cache[0], doc.grade("caching"), cache[1], cache[2])),
        ("Tier 2", format!("{} hits, {} misses", shared[0], shared[1])),
        ("Cached", format!("{} rows, {} clients", cache[3], cache[4])),
        (
            "Pool",
            format!(
                "{} of {} clients, {}{}; {} made, {} times exhausted",
                pool[0],
                pool[1],
                pool[2],
                doc.grade("pooling"),
                pool[3],
                pool[4]
            ),
        ),
        ("Memory", memory),
        ("Uptime", doc.text("/system/uptime/formatted")),
        ("Overall", overall.trim_start_matches("Overall Grade: ").to_owned()),
    ];
    let notes = |label: &'static str, pointer| {
        let text = |note: &Value| (label, printable(note.as_str().unwrap_or_default()).into_owned());
        doc.list(pointer).iter().map(text).collect::<Vec<_>>()
    };
    let alerts = notes("Alert", "/metrics/alerts");
    let advice = notes("Advice", "/metrics/recommendations");
    let lines = lines.into_iter().chain(alerts).chain(advice);
    let text: String = lines.map(|(label, value)| format!("{label:<12} {value}\n")).collect();
    text + "\n" + &instances(&doc)
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
        let mut shown = String::new();
        if self.lines > 0 {
            // Up to the first line of the last text.
            shown.push_str(&format!("\u{1b}[{}A", self.lines));
        }
        // More than the screen is high could not be drawn over: its first lines are gone.
        let room =
            super::terminal_height().map_or(usize::MAX, |rows| usize::from(rows).saturating_sub(1)).max(1);
        let width = super::terminal_width().map_or(usize::MAX, usize::from);
        self.lines = 0;
        for line in text.lines() {
            let long = line.chars().count();
            let high = long.div_ceil(width.max(1)).max(1);
            if self.lines + high > room {
                break;
            }
            shown.push_str(line);
            // The rest of the line away: some terminals keep a screen that is wiped as a whole, and it would flicker. At
            // the right edge there is no rest, and the last character would go.
            shown.push_str(if long > 0 && long % width.max(1) == 0 { "\n" } else { "\u{1b}[K\n" });
            self.lines += high;
        }
        shown.push_str("\u{1b}[J");
        output.print(&shown);
    }
}
