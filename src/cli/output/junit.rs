//! The JUnit report of a survey: one test case for each tenant, failures equal to `summary.failed`.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Report as Document, TestCase, TestCaseStatus, TestSuite};

use crate::probe::Report;
use crate::sanitize::printable;

/// The report as XML.
pub(in crate::cli) fn document(
    results: &[Report],
    complete: bool,
) -> Result<String, quick_junit::SerializeError> {
    let mut suite = TestSuite::new("test-connection");
    suite.add_property(("complete", if complete { "true" } else { "false" }));
    for report in results {
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
        let findings: Vec<String> = report
            .findings
            .iter()
            .map(|finding| format!("{}: {}", finding.code.code(), printable(&finding.message)))
            .collect();
        if !findings.is_empty() {
            case.set_system_out(findings.join("\n"));
        }
        suite.add_test_case(case);
    }
    let mut document = Document::new("boothds");
    document.add_test_suite(suite);
    document.to_string()
}
