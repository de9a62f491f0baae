//! The checks of an installation for people: all of them by group, a line each; then what is wrong and what to do, the
//! worst last, where the eye is when the run has ended; the counts.

use anstyle::{AnsiColor, Style};

use crate::doctor::{Check, Status, Summary};
use crate::sanitize::printable;

/// The narrowest line that a message is cut to.
const NARROWEST: usize = 40;

const HEADING: Style = Style::new().bold();

/// Everything that goes to standard output.
pub(in crate::cli) fn table(checks: &[Check], summary: Summary, complete: bool) -> String {
    let mut text = String::new();
    let width = super::terminal_width().map(usize::from);
    let longest = checks.iter().map(|check| check.code.code().len()).max().unwrap_or(0);
    let mut group = "";
    for check in by_group(checks) {
        let own = group_of(check);
        if own != group {
            let space = if group.is_empty() { "" } else { "\n" };
            text.push_str(&format!("{space}{HEADING}{}{HEADING:#}\n", own.to_uppercase()));
            group = own;
        }
        let style = style_of(check.status);
        let status = format!("{:8}", check.status.as_str());
        let code = format!("{:longest$}", check.code.code());
        let room = width.map(|width| width.saturating_sub(longest + 14).max(NARROWEST));
        text.push_str(&format!("  {style}{status}{style:#} {code}  {}\n", cut(&message(check), room)));
    }
    text.push('\n');
    let mut wrong: Vec<&Check> = checks.iter().filter(|check| check.status != Status::Ok).collect();
    wrong.sort_by_key(|check| check.status);
    for check in wrong {
        details(check, &mut text);
    }
    text.push_str(&counts(summary, complete));
    text
}

/// The checks in the order of their groups, which is that of the table of codes: findings beside the checks of their kind.
fn by_group(checks: &[Check]) -> Vec<&Check> {
    const ORDER: [&str; 8] = [
        "settings",
        "encryption key",
        "state store",
        "application database",
        "stored keys",
        "caches",
        "data sources",
        "",
    ];
    let mut sorted: Vec<&Check> = checks.iter().collect();
    sorted.sort_by_key(|check| ORDER.iter().position(|group| *group == group_of(check)));
    sorted
}

fn group_of(check: &Check) -> &'static str {
    match check.code.code().split('.').next().unwrap_or_default() {
        "settings" => "settings",
        "encryption-key" => "encryption key",
        "state" => "state store",
        "database" | "tenants" => "application database",
        "stored" | "key" | "jwt" | "url" => "stored keys",
        "cache" => "caches",
        _ => "data sources",
    }
}

fn message(check: &Check) -> String {
    let message = printable(&check.message);
    match &check.tenant {
        Some(tenant) => format!("{}: {message}", printable(tenant)),
        None => message.into_owned(),
    }
}

fn cut(text: &str, room: Option<usize>) -> String {
    match room.and_then(|room| text.char_indices().nth(room)) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

fn style_of(status: Status) -> Style {
    match status {
        Status::Ok => AnsiColor::Green.on_default(),
        Status::Skipped | Status::Ignored => AnsiColor::BrightBlack.on_default(),
        Status::Warning => AnsiColor::Yellow.on_default().bold(),
        Status::Error => AnsiColor::Red.on_default().bold(),
    }
}

/// What is wrong, whole, and what to do. What was skipped for a reason that stands above needs no word more.
fn details(check: &Check, text: &mut String) {
    if check.status == Status::Skipped && check.hint.is_none() {
        return;
    }
    let style = style_of(check.status);
    let status = check.status.as_str();
    text.push_str(&format!("{style}{status}{style:#}: {} ({})\n", message(check), check.code.code()));
    if let Some(why) = &check.ignored {
        text.push_str(&format!("  ignored: {}\n", printable(why)));
    }
    if let Some(hint) = &check.hint {
        text.push_str(&format!("  hint: {}\n", printable(hint)));
    }
}

fn counts(summary: Summary, complete: bool) -> String {
    let plural = |number: usize, what: &str| {
        let ending = if number == 1 { "" } else { "s" };
        format!("{number} {what}{ending}")
    };
    let (errors, warnings) = (plural(summary.errors, "error"), plural(summary.warnings, "warning"));
    let style = match (summary.errors, summary.warnings) {
        (0, 0) => style_of(Status::Ok),
        (0, _) => style_of(Status::Warning),
        _ => style_of(Status::Error),
    };
    let incomplete = if complete { "" } else { "; INCOMPLETE, not every check was made" };
    format!(
        "{style}{errors}, {warnings}{style:#}, {} ok, {} skipped, {} ignored{incomplete}\n",
        summary.ok, summary.skipped, summary.ignored
    )
}
