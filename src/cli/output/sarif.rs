//! The SARIF 2.1.0 report of a survey: findings and failed tests as results, for the code-scanning pages of CI services.
//!
//! A data source is no file. Such pages want one for every result, so each tenant stands as `tenants/<subdomain>`, and by
//! its proper name as a logical location.

use serde_json::{Value, json};

use crate::failure::FailureClass;
use crate::finding::{Finding, FindingCode};
use crate::probe::Report;
use crate::sanitize::printable;
use crate::survey::Survey;

/// The report as JSON.
pub(in crate::cli) fn document(survey: &Survey) -> String {
    let mut results = Vec::new();
    for report in &survey.results {
        if let (Some(error), Some(class)) = (&report.error, report.failure) {
            results.push(json!({
                "ruleId": rule_of(class), "level": "error",
                "message": { "text": format!("{}: {}", printable(&report.tenant.subdomain), printable(error)) },
                "locations": [location(report)],
            }));
        }
        results.extend(report.findings.iter().map(|finding| result(finding, Some(report))));
    }
    results.extend(survey.findings.iter().map(|finding| result(finding, None)));
    let document = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": { "name": "boothds", "version": env!("CARGO_PKG_VERSION"), "rules": rules() } },
            "invocations": [{ "executionSuccessful": survey.complete }],
            "results": results,
        }],
    });
    format!("{document:#}\n")
}

fn rule_of(class: FailureClass) -> String {
    format!("failure.{}", class.slug())
}

/// Every rule, also those without a result: what was looked for is part of the report.
fn rules() -> Vec<Value> {
    let rule = |id: &str, meaning: &str, hint: &str, level: &str| {
        json!({
            "id": id, "shortDescription": { "text": meaning }, "help": { "text": hint },
            "defaultConfiguration": { "level": level },
        })
    };
    let findings = FindingCode::ALL
        .iter()
        .map(|code| rule(code.code(), code.meaning(), code.hint(), code.severity().as_str()));
    let failures =
        FailureClass::ALL.iter().map(|class| rule(&rule_of(*class), class.sentence(), class.hint(), "error"));
    findings.chain(failures).collect()
}

fn result(finding: &Finding, report: Option<&Report>) -> Value {
    let message = match report {
        Some(report) => format!("{}: {}", printable(&report.tenant.subdomain), printable(&finding.message)),
        None => printable(&finding.message).into_owned(),
    };
    let mut result = json!({
        "ruleId": finding.code.code(), "level": finding.severity.as_str(), "message": { "text": message },
        "locations": report.map(location).into_iter().collect::<Vec<_>>(),
    });
    if let Some(reason) = &finding.ignored {
        result["suppressions"] = json!([{ "kind": "external", "justification": reason }]);
    }
    result
}

fn location(report: &Report) -> Value {
    let name = printable(&report.tenant.subdomain);
    json!({
        "physicalLocation": { "artifactLocation": { "uri": format!("tenants/{}", encoded(&report.tenant.subdomain)) } },
        "logicalLocations": [{ "fullyQualifiedName": name, "kind": "resource" }],
    })
}

/// A segment of a URI.
fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
