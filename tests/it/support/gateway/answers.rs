//! The texts that Supabase's gateway answers with itself. They have a `message` and no `code`.

use serde_json::json;

use crate::support::http::Answer;

const JSON: &str = "application/json; charset=utf-8";

pub(super) fn no_key() -> Answer {
    refusal("No API key found in request", "No `apikey` request header or url param was found.")
}

pub(super) fn invalid_key() -> Answer {
    refusal("Invalid API key", "Double check your Supabase `anon` or `service_role` API key.")
}

pub(super) fn legacy_keys_disabled() -> Answer {
    let hint = "Your legacy API keys (anon, service_role) were disabled. Re-enable them in the Supabase dashboard, or \
                use the new publishable and secret API keys.";
    refusal("Legacy API keys are disabled", hint)
}

pub(super) fn in_browser() -> Answer {
    let hint = "Secret API keys can only be used in a protected environment.";
    refusal("Forbidden use of secret API key in browser", hint)
}

pub(super) fn no_route() -> Answer {
    json(404, &json!({"message": "no Route matched with those values"}))
}

pub(super) fn bad_upstream() -> Answer {
    json(502, &json!({"message": "An invalid response was received from the upstream server"}))
}

pub(super) fn empty_list() -> Answer {
    answer(200, &[("Content-Type", JSON), ("Content-Range", "*/*")], "[]".to_owned())
}

pub(super) fn html(status: u16) -> Answer {
    let body = format!("<!DOCTYPE html><html><title>{status}</title><body>Error {status}</body></html>");
    answer(status, &[("Content-Type", "text/html; charset=UTF-8")], body)
}

pub(super) fn json(status: u16, body: &serde_json::Value) -> Answer {
    answer(status, &[("Content-Type", JSON)], body.to_string())
}

pub(super) fn answer(status: u16, headers: &[(&str, &str)], body: String) -> Answer {
    let headers = headers.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
    Answer { status, headers, body: body.into_bytes() }
}

fn refusal(message: &str, hint: &str) -> Answer {
    json(401, &json!({"message": message, "hint": hint}))
}
