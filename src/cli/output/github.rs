//! Annotations for GitHub Actions: workflow commands, which the runner picks out of either stream.

use crate::finding::Finding;
use crate::probe::Report;
use crate::sanitize::printable;

/// The annotations of a survey, a line each.
pub(in crate::cli) fn annotations(results: &[Report], fleet: &[Finding]) -> String {
    let mut text = String::new();
    for report in results {
        let tenant = printable(&report.tenant.subdomain);
        if let (Some(error), Some(class)) = (&report.error, report.failure) {
            text.push_str(&line("error", &format!("{tenant}: {}", class.slug()), error));
        }
        for finding in &report.findings {
            text.push_str(&line(
                level(finding),
                &format!("{tenant}: {}", finding.code.code()),
                &finding.message,
            ));
        }
    }
    for finding in fleet {
        text.push_str(&line(level(finding), finding.code.code(), &finding.message));
    }
    text
}

/// An ignored finding is shown, and marks nothing as wrong.
fn level(finding: &Finding) -> &'static str {
    if finding.ignored.is_some() { "notice" } else { finding.severity.as_str() }
}

/// One command. Line breaks, and in a property colons and commas, are escaped as the runner's toolkit does, so that
/// a text cannot begin a command of its own.
fn line(level: &str, title: &str, message: &str) -> String {
    let data = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let title = data(title).replace(':', "%3A").replace(',', "%2C");
    format!("::{level} title={title}::{}\n", data(message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_cannot_begin_a_command_of_its_own() {
        assert_eq!(
            line("error", "a: b,c", "x\n::set-env::y%"),
            "::error title=a%3A b%2Cc::x%0A::set-env::y%25\n"
        );
    }
}
