//! The JUnit report of a survey: one test case for each tenant, failures equal to `summary.failed`.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Report as Document, TestCase, TestCaseStatus, TestSuite};

use crate::finding::Finding;
use crate::sanitize::printable;
use crate::survey::Survey;

/// The report as XML.
pub(in crate::cli) fn document(survey: &Survey) -> Result<String, quick_junit::SerializeError> {
    let mut suite = TestSuite::new("test-connection");
    suite.add_property(("complete", if survey.complete { "true" } else { "false" }));
    if !survey.findings.is_empty() {
        suite.set_system_out(lines_of(&survey.findings));
    }
    for report in &survey.results {
        let status = match (&report.error, report.skipped) {
            (_, true) => {
                let mut status = TestCaseStatus::skipped();
                status.set_message("no data source is configured");
                status
            }
            (Some(error), _) => {
                let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
                status.set_message(printable(error));
                if let Some(class) = report.failure {
                    status.set_type(class.slug());
                }
                if let Some(hint) = report.hint {
                    status.set_description(hint);
                }
                status
            }
            (None, _) => TestCaseStatus::success(),
        };
        let mut case = TestCase::new(printable(&report.tenant.subdomain), status);
        case.set_classname("boothds.test-connection");
        case.set_time(Duration::from_secs_f64(report.response_time_ms.max(0.0) / 1000.0));
        if !report.findings.is_empty() {
            case.set_system_out(lines_of(&report.findings));
        }
        suite.add_test_case(case);
    }
    let mut document = Document::new("boothds");
    document.add_test_suite(suite);
    document.to_string()
}

fn lines_of(findings: &[Finding]) -> String {
    let line = |finding: &Finding| {
        let ignored = if finding.ignored.is_some() { " (ignored)" } else { "" };
        format!("{}{ignored}: {}", finding.code.code(), printable(&finding.message))
    };
    findings.iter().map(line).collect::<Vec<_>>().join("\n")
}
