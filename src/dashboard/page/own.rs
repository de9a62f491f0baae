//! What somebody has to mend of the service itself that shows the page: its settings and its
//! certificate.
//!
//! A file of its own because everything else on the page is about the tenants and the services that serve them.

use jiff::Timestamp;
use maud::{Markup, html};

use super::View;
use super::marks::icon;
use super::standing::sentence;
use super::words::{ago, since, until};
use crate::dashboard::{Standing, Unread, Validity};

/// The notices, if there are any.
pub(super) fn notices(view: &View<'_>) -> Markup {
    html! {
        @if let Some(unread) = view.unread { (settings(unread)) }
        @if let Some(validity) = view.process.certificate { (certificate(validity, view.now)) }
    }
}

fn settings(unread: &Unread) -> Markup {
    html! {
        section .notice.bad data-key="unread" aria-labelledby="unread" {
            (icon("triangle"))
            div {
                h2 #unread { "The settings cannot be read any more" }
                p { (sentence(&unread.message)) @if !unread.hint.is_empty() { " " (sentence(&unread.hint)) } }
                p { "What was read before stays in force, " (since(unread.since)) ". Reading is tried again every half a minute." }
            }
        }
    }
}

fn certificate(validity: Validity, now: Timestamp) -> Markup {
    let (tone, heading) = match validity.standing(now) {
        Standing::Good => return html! {},
        Standing::Expiring => ("warning", "The certificate of this page expires soon"),
        Standing::Expired => ("bad", "The certificate of this page has expired"),
        Standing::NotYet => ("bad", "The certificate of this page is not valid yet"),
    };
    html! {
        section class={ "notice " (tone) } data-key="certificate" aria-labelledby="certificate" {
            (icon("clock"))
            div {
                h2 #certificate { (heading) }
                p {
                    @match validity.standing(now) {
                        Standing::NotYet => { "It will be valid " (until(validity.from)) "." },
                        Standing::Expired => { "It expired " (ago(validity.until)) "." },
                        _ => { "It expires " (until(validity.until)) "." },
                    }
                    " Put another one in the place of its files: it is shown within two seconds."
                }
            }
        }
    }
}
