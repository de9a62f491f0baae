//! The table of tenants: search, filter by state, pages, and a row for each tenant with what somebody needs who has to
//! mend it.
//!
//! What a row shows is bounded, so that a page of fifty tenants whose texts are as long as they may be stays small;
//! a tenant's own page shows the rest.

use maud::{Markup, html};
use url::form_urlencoded::Serializer;

use super::View;
use super::charts::sparkline;
use super::marks::{self, Tone};
use super::standing;
use super::words::{ago, milliseconds, outside, plural, short, size};
use crate::dashboard::fleet::{Row, State};
use crate::dashboard::rows::{Query, ROWS, Rows};
use crate::finding::{Finding, FindingCode, Severity};

/// The most characters of a name or an address in the table.
const NAME: usize = 60;
const ADDRESS: usize = 80;
/// The most characters of a sentence in the table.
const SENTENCE: usize = 160;
/// The most findings of a tenant in the table.
const FINDINGS: usize = 3;

/// The section of the table.
pub(super) fn section(view: &View<'_>) -> Markup {
    let rows = view.rows;
    html! {
        section #tenants-section data-key="tenants" aria-labelledby="tenants" {
            div .heading {
                h2 #tenants { "Tenants" }
                (filters(view))
                (search(view))
            }
            @if rows.rows.is_empty() {
                div .panel.empty data-key="empty" { (nothing(view)) }
            } @else {
                @let stale = standing::is_stale(view);
                div class={ "table" @if stale { " stale" } } data-key="table" { (table(rows, stale)) }
            }
            (pages(view))
        }
    }
}

/// A link that keeps the rest of the query.
fn link(view: &View<'_>, query: &Query) -> String {
    let mut text = Serializer::new(String::new());
    if !query.search.is_empty() {
        text.append_pair("q", &query.search);
    }
    if let Some(state) = query.state {
        text.append_pair("state", state.as_str());
    }
    if query.page > 1 {
        text.append_pair("page", &query.page.to_string());
    }
    let text = text.finish();
    if text.is_empty() { view.path.to_owned() } else { format!("{}?{text}", view.path) }
}

fn filters(view: &View<'_>) -> Markup {
    let query = &view.rows.query;
    let totals = &view.fleet.totals;
    let to = |state| link(view, &Query { state, page: 1, ..query.clone() });
    let all = totals.total.max(State::ALL.iter().map(|state| totals.of(*state)).sum());
    html! {
        nav .filters aria-label="Tenants by state" {
            a href=(to(None)) aria-current=[query.state.is_none().then_some("page")] { "All " span .count { (size(all)) } }
            @for state in State::ALL {
                a href=(to(Some(state))) aria-current=[(query.state == Some(state)).then_some("page")] {
                    (capital(state.as_str())) " " span .count { (size(totals.of(state))) }
                }
            }
        }
    }
}

fn capital(word: &str) -> String {
    let (first, rest) = word.split_at(word.len().min(1));
    first.to_ascii_uppercase() + rest
}

fn search(view: &View<'_>) -> Markup {
    let query = &view.rows.query;
    html! {
        form .search method="get" action=(view.path) role="search" {
            label .unseen for="q" { "Search tenants by name, subdomain, id or endpoint" }
            input #q type="search" name="q" value=(query.search) placeholder="Name, id or endpoint" maxlength="100" autocomplete="off" spellcheck="false";
            @if let Some(state) = query.state { input type="hidden" name="state" value=(state.as_str()); }
            button type="submit" { "Search" }
        }
    }
}

fn nothing(view: &View<'_>) -> Markup {
    let query = &view.rows.query;
    let all = link(view, &Query { page: 1, ..Query::default() });
    html! {
        @if !query.search.is_empty() || query.state.is_some() {
            p { "No tenant fits" @if !query.search.is_empty() { " “" (outside(&query.search)) "”" } @if let Some(state) = query.state { ", " (state.as_str()) } ". " a href=(all) { "Show all" } "." }
        } @else if view.fleet.round.completed == 0 {
            p { "No tenant was tested yet." }
        } @else {
            p { "There are no active tenants in the application database." }
        }
    }
}

fn table(rows: &Rows, stale: bool) -> Markup {
    let columns =
        ["Tenant", "Result and findings", "Row-level security", "Response time", "Data source", "Tested"];
    html! {
        table .tenants role="table" aria-labelledby="tenants" aria-describedby="tenants-order" {
            caption #tenants-order { "Those first that need somebody. A bar is a test, the newest at the right; its height is the response time, a failure is marked beneath." }
            thead role="rowgroup" { tr role="row" { @for column in columns { th role="columnheader" scope="col" { (column) } } } }
            tbody role="rowgroup" { @for row in &rows.rows { (line(row, stale)) } }
        }
    }
}

/// A row. What is too old to go by says so in words, in the row itself.
fn line(row: &Row, stale: bool) -> Markup {
    html! {
        tr role="row" class=[(Tone::of_tenant(row) == Tone::Bad).then_some("wrong")] data-key=(short(row.id.as_str(), 300)) {
            th role="rowheader" scope="row" { (name(row)) }
            td role="cell" .result {
                p .badges { (marks::state(row.state, stale)) @if let Some(class) = row.failure { " " code { (class.slug()) } } }
                @if let Some(error) = &row.error { p .error { (short(error, SENTENCE)) } }
                @if let Some(hint) = row.hint { p .mend { (hint) } }
                (findings(row))
            }
            td role="cell" data-label="Row-level security" { (marks::row_level_security(row.rls, stale)) }
            td role="cell" .time data-label="Response time" {
                (sparkline(row))
                span .ms { @match row.response_time_ms { Some(ms) => (milliseconds(ms)), None => "–" } }
            }
            td role="cell" data-label="Data source" { (source(row, ADDRESS)) }
            td role="cell" data-label="Tested" { @match row.tested_at { Some(at) => (ago(at)), None => "not yet" } }
        }
    }
}

/// The names of a tenant, the first of them as a link to its page.
fn name(row: &Row) -> Markup {
    let id = outside(row.id.as_str());
    let names = [row.name.as_str(), row.subdomain.as_str(), &id];
    let mut names = names.into_iter().filter(|name| !name.trim().is_empty());
    let first = names.next().unwrap_or("(no name)");
    html! {
        a href=(row.path()) { bdi { (short(first, NAME)) } }
        @if let Some(second) = names.next() { " " span .sub { bdi { (short(second, NAME)) } } }
    }
}

/// Where a tenant's data is.
pub(super) fn source(row: &Row, most: usize) -> Markup {
    html! {
        @match (&row.kind, &row.endpoint) {
            (None, None) => span .muted { "none" },
            (kind, endpoint) => {
                span .kind { (kind.map_or("unknown kind", |kind| kind.as_str())) } " "
                @if let Some(endpoint) = endpoint { code .endpoint { bdi { (short(place(endpoint), most)) } } }
            }
        }
    }
}

/// An endpoint without the scheme that its kind says already. That of `http:` is no matter of course.
fn place(endpoint: &str) -> &str {
    let rest = ["postgres://", "postgresql://", "https://", "sqlite://", "sqlite:"];
    rest.into_iter().find_map(|scheme| endpoint.strip_prefix(scheme)).unwrap_or(endpoint)
}

fn findings(row: &Row) -> Markup {
    let all = row.findings.len() + row.more_findings;
    if all == 0 {
        return html! {};
    }
    let (errors, warnings) = (row.counting(Severity::Error), row.counting(Severity::Warning));
    let others = all - errors - warnings;
    let mut words = Vec::new();
    if errors > 0 {
        words.push(plural(errors, "error"));
    }
    if warnings > 0 {
        words.push(plural(warnings, "warning"));
    }
    if others > 0 {
        words.push(format!("{} more", size(others)));
    }
    let tone = if errors > 0 {
        "bad"
    } else if warnings > 0 {
        "warning"
    } else {
        "quiet"
    };
    html! {
        details class={ "more " (tone) } {
            summary { (words.join(", ")) span .unseen { " found" } }
            ul .findings { (list(telling(&row.findings), SENTENCE)) }
            @if all > FINDINGS { p { a href=(row.path()) { "All " (size(all)) " findings" } } }
        }
    }
}

/// The findings that tell most: of each code the first, then the others.
fn telling(findings: &[Finding]) -> Vec<&Finding> {
    let is_first = |at: usize| findings[..at].iter().all(|earlier| earlier.code != findings[at].code);
    let (first, others): (Vec<usize>, Vec<usize>) = (0..findings.len()).partition(|at| is_first(*at));
    first.into_iter().chain(others).take(FINDINGS).map(|at| &findings[at]).collect()
}

/// Findings with what they mean and how they are mended; that is said of each code once.
pub(super) fn list<'a>(findings: impl IntoIterator<Item = &'a Finding>, most: usize) -> Markup {
    let mut explained: Vec<FindingCode> = Vec::new();
    html! {
        @for one in findings {
            @let is_new = !explained.contains(&one.code);
            @if is_new { @let () = explained.push(one.code); }
            (finding(one, most, is_new))
        }
    }
}

fn finding(one: &Finding, most: usize, explain: bool) -> Markup {
    let meaning = one.code.meaning();
    html! {
        li .finding {
            p .badges { (marks::severity(one.severity, one.ignored.is_some())) " " code { (one.code.code()) } }
            p { (short(&one.message, most)) }
            @if explain && !one.message.contains(meaning) { p .muted { "Meaning: " (meaning) "." } }
            @if explain { p .mend { (one.hint) } }
            @if let Some(reason) = &one.ignored { p .muted { "Does not count: " (short(reason, most)) } }
        }
    }
}

fn pages(view: &View<'_>) -> Markup {
    let rows = view.rows;
    let to = |page| link(view, &Query { page, ..rows.query.clone() });
    let first = (rows.page - 1) * ROWS + 1;
    let shown = rows.rows.len();
    html! {
        @if shown > 0 {
            nav .pages data-key="pages" aria-label="Pages of tenants" {
                @if rows.page > 1 { a rel="prev" href=(to(rows.page - 1)) { "Previous" } }
                p { (size(first)) "–" (size(first + shown - 1)) " of " (plural(rows.matching, "tenant")) @if rows.pages > 1 { ", page " (size(rows.page)) " of " (size(rows.pages)) } }
                @if rows.page < rows.pages { a rel="next" href=(to(rows.page + 1)) { "Next" } }
            }
        }
    }
}
