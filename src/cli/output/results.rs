//! The results of a survey for people: a table, then what failed and what to do, the findings, the counts.

use super::table::{Rows, Tone};
use crate::finding::Finding;
use crate::probe::{Report, RlsState, RoleReport};
use crate::sanitize::printable;
use crate::survey::Survey;

/// Everything that goes to standard output.
pub(in crate::cli) fn table(survey: &Survey) -> String {
    let mut text = String::new();
    if !survey.results.is_empty() {
        let mut rows = Rows::new(["TENANT", "KIND", "ENDPOINT", "SERVICE", "ANON", "RLS", "TIME", "RESULT"]);
        for report in &survey.results {
            add(&mut rows, report);
        }
        text.push_str(&rows.finish());
        text.push('\n');
    }
    for report in &survey.results {
        failure(report, &mut text);
    }
    for report in &survey.results {
        reason(report, &mut text);
    }
    for report in &survey.results {
        let tenant = printable(&report.tenant.subdomain);
        for found in &report.findings {
            finding(Some(&tenant), found, &mut text);
        }
    }
    for found in &survey.findings {
        finding(None, found, &mut text);
    }
    let summary = survey.summary;
    let tenants = if summary.total == 1 { "tenant" } else { "tenants" };
    let ignored = match summary.ignored {
        0 => String::new(),
        1 => "; 1 finding ignored".to_owned(),
        n => format!("; {n} findings ignored"),
    };
    let incomplete = if survey.complete { "" } else { "; INCOMPLETE, not every tenant was tested" };
    text.push_str(&format!(
        "{} {tenants}: {} passed, {} failed, {} skipped in {} ms{ignored}{incomplete}\n",
        summary.total, summary.passed, summary.failed, summary.skipped, summary.duration_ms
    ));
    text
}

fn add(rows: &mut Rows, report: &Report) {
    let source = report.data_source.as_ref();
    let kind = source.and_then(|source| source.kind).map_or("-", |kind| kind.as_str());
    let role = |role: &Option<RoleReport>| match role {
        None => ("-", Tone::Dim),
        Some(role) => match role.failure {
            None => ("ok", Tone::Good),
            Some(class) => (class.slug(), Tone::Bad),
        },
    };
    let result = match (report.skipped, report.success) {
        (true, _) => ("skipped", Tone::Dim),
        (false, true) => ("passed", Tone::Good),
        (false, false) => ("FAILED", Tone::Bad),
    };
    let time = if report.skipped { "-".to_owned() } else { format!("{} ms", report.response_time_ms) };
    rows.add([
        (&report.tenant.subdomain, Tone::Plain),
        (kind, Tone::Plain),
        (source.map_or("-", |source| source.endpoint.as_str()), Tone::Plain),
        role(&report.roles.service),
        role(&report.roles.anon),
        rls(report),
        (&time, Tone::Plain),
        result,
    ]);
}

fn rls(report: &Report) -> (&'static str, Tone) {
    match report.rls.state {
        _ if report.skipped => ("-", Tone::Dim),
        RlsState::Enforced => ("enforced", Tone::Good),
        state @ (RlsState::Exposed | RlsState::Disabled) => (state.as_str(), Tone::Bad),
        state => (state.as_str(), Tone::Dim),
    }
}

/// Why row-level security is not what it should be.
fn reason(report: &Report, text: &mut String) {
    if report.skipped
        || matches!(report.rls.state, RlsState::Enforced | RlsState::Unsupported | RlsState::Untested)
    {
        return;
    }
    // A test that failed says why it knows nothing.
    if report.rls.state == RlsState::Unknown && !report.success {
        return;
    }
    let tenant = printable(&report.tenant.subdomain);
    let state = report.rls.state.as_str();
    text.push_str(&format!("{tenant}: row-level security is {state}: {}\n", printable(&report.rls.detail)));
}

fn failure(report: &Report, text: &mut String) {
    let (Some(error), Some(class)) = (&report.error, report.failure) else { return };
    let tenant = printable(&report.tenant.subdomain);
    text.push_str(&format!("{tenant}: {} ({})\n", printable(error), class.slug()));
    if let Some(hint) = report.hint {
        text.push_str(&format!("  hint: {hint}\n"));
    }
    // The anonymous role may have failed for a reason of its own.
    if let Some(RoleReport { error: Some(other), failure: Some(other_class), .. }) = &report.roles.anon
        && *other_class != class
    {
        text.push_str(&format!("  as anon: {} ({})\n", printable(other), other_class.slug()));
    }
}

fn finding(tenant: Option<&str>, finding: &Finding, text: &mut String) {
    let severity = finding.severity.as_str();
    let tenant = tenant.map(|tenant| format!("{tenant}: ")).unwrap_or_default();
    text.push_str(&format!(
        "{tenant}{} ({severity}, {})\n",
        printable(&finding.message),
        finding.code.code()
    ));
    match &finding.ignored {
        Some(reason) => text.push_str(&format!("  ignored: {}\n", printable(reason))),
        None => text.push_str(&format!("  hint: {}\n", finding.hint)),
    }
}
