//! The marks that say how something is: a shape, a word and a colour together, so that none of them is needed alone.
//!
//! The shapes are drawn once, outside what the refresh replaces, and used by name.

use maud::{Markup, html};

use crate::dashboard::fleet::{Row, State};
use crate::finding::Severity;
use crate::health::Grade;
use crate::probe::RlsState;

/// How something is, as its colour says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    Well,
    Warning,
    Bad,
    /// Nothing is known, or there is nothing to judge.
    Quiet,
}

impl Tone {
    /// The class in the style sheet.
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Well => "well",
            Self::Warning => "warning",
            Self::Bad => "bad",
            Self::Quiet => "quiet",
        }
    }

    fn shape(self) -> &'static str {
        match self {
            Self::Well => "check",
            Self::Warning => "triangle",
            Self::Bad => "cross",
            Self::Quiet => "dash",
        }
    }

    pub(super) fn of_state(state: State) -> Self {
        match state {
            State::Failed => Self::Bad,
            State::Passed => Self::Well,
            State::Pending | State::Skipped => Self::Quiet,
        }
    }
    /// Of a tenant: what answers and shows its rows to others is not well.
    pub(super) fn of_tenant(row: &Row) -> Self {
        match row.state {
            State::Failed => Self::Bad,
            _ if row.counting(Severity::Error) > 0 || row.rls == Some(RlsState::Exposed) => Self::Bad,
            _ if row.counting(Severity::Warning) > 0 => Self::Warning,
            State::Passed => Self::Well,
            State::Pending | State::Skipped => Self::Quiet,
        }
    }

    /// Of the letter of a grade.
    pub(super) fn of_grade(letter: Option<&str>) -> Self {
        match letter {
            Some("A" | "B") => Self::Well,
            Some("C" | "D") => Self::Warning,
            Some(_) => Self::Bad,
            None => Self::Quiet,
        }
    }
}

/// The shapes, to be used by [`icon`]. Each in a square of 16.
pub(super) fn shapes() -> Markup {
    let filled = [
        ("check", "M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1Zm3.6 5.2-4.3 4.9-2.9-2.7 1-1.1 1.8 1.6 3.3-3.7Z"),
        (
            "cross",
            "M4.9 1h6.2L15 4.9v6.2L11.1 15H4.9L1 11.1V4.9ZM8 6.9 6 5 5 6l1.9 2L5 10l1 1 2-1.9 2 1.9 1-1-1.9-2L11 6l-1-1Z",
        ),
        ("triangle", "M8 1.2 15.4 14.5H.6ZM7.2 6v4h1.6V6Zm0 5.2v1.6h1.6v-1.6Z"),
        (
            "dash",
            "M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1Zm0 1.5a5.5 5.5 0 1 1 0 11 5.5 5.5 0 0 1 0-11ZM5 7.2v1.6h6V7.2Z",
        ),
        (
            "clock",
            "M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1Zm0 1.5a5.5 5.5 0 1 1 0 11 5.5 5.5 0 0 1 0-11ZM7.2 4.2v4.3l3 1.8.8-1.3-2.3-1.4V4.2Z",
        ),
        (
            "shield",
            "M8 .8 14 3v4.6c0 3.6-2.5 6.3-6 7.6-3.5-1.3-6-4-6-7.6V3Zm3.3 4.9-1-1-3.1 3.6-1.7-1.6-1 1.1 2.8 2.6Z",
        ),
        (
            "open",
            "M8 .8 14 3v4.6c0 3.6-2.5 6.3-6 7.6-3.5-1.3-6-4-6-7.6V3Zm0 1.6L3.5 4v3.6c0 2.8 1.8 4.8 4.5 6 2.7-1.2 4.5-3.2 4.5-6V4ZM7.2 5v4h1.6V5Zm0 5.2v1.6h1.6v-1.6Z",
        ),
        (
            "unplugged",
            "M5 1v3H3.5v3.5A3.5 3.5 0 0 0 7 11v4h2v-4a3.5 3.5 0 0 0 3.5-3.5V4H11V1H9.5v3h-3V1Zm9.5 12.4L2.6 1.5 1.5 2.6l11.9 11.9Z",
        ),
    ];
    html! {
        svg .shapes width="0" height="0" aria-hidden="true" focusable="false" {
            @for (name, path) in filled {
                symbol id={ "i-" (name) } viewBox="0 0 16 16" { path fill-rule="evenodd" d=(path) {} }
            }
        }
    }
}

/// A shape; the word beside it says the same.
pub(super) fn icon(shape: &str) -> Markup {
    html! { svg .icon width="16" height="16" aria-hidden="true" focusable="false" { use href={ "#i-" (shape) } {} } }
}

/// The shape of a tone.
pub(super) fn tone_icon(tone: Tone) -> Markup {
    icon(tone.shape())
}

/// A badge: shape, word, colour.
pub(super) fn badge(tone: Tone, shape: &str, word: &str) -> Markup {
    html! { span class={ "badge " (tone.class()) } { (icon(shape)) (word) } }
}

/// What came of a tenant's last test. What is too old to go by says so, and is never green.
pub(super) fn state(state: State, stale: bool) -> Markup {
    let (shape, word) = match (state, stale) {
        (State::Failed, false) => ("cross", "Failed"),
        (State::Failed, true) => ("cross", "Failed, not up to date"),
        (State::Pending, _) => ("clock", "Pending"),
        (State::Passed, false) => ("check", "Passed"),
        (State::Passed, true) => return badge(Tone::Quiet, "clock", "Passed, not up to date"),
        (State::Skipped, _) => ("dash", "Skipped"),
    };
    badge(Tone::of_state(state), shape, word)
}

/// What is known of row-level security. Only what is established to hold, and not long ago, looks well.
pub(super) fn row_level_security(state: Option<RlsState>, stale: bool) -> Markup {
    let (tone, shape, word) = match state {
        Some(RlsState::Enforced) if stale => (Tone::Quiet, "clock", "Enforced, not up to date"),
        Some(RlsState::Enforced) => (Tone::Well, "shield", "Enforced"),
        Some(RlsState::Exposed) => (Tone::Bad, "open", "Exposed"),
        Some(RlsState::Disabled) => (Tone::Warning, "open", "Disabled"),
        Some(RlsState::Unknown) => (Tone::Quiet, "dash", "Unknown"),
        Some(RlsState::Unsupported) => (Tone::Quiet, "dash", "Unsupported"),
        Some(RlsState::Untested) | None => (Tone::Quiet, "dash", "Untested"),
    };
    badge(tone, shape, word)
}

/// How much a finding matters, or that it does not count.
pub(super) fn severity(severity: Severity, ignored: bool) -> Markup {
    match (ignored, severity) {
        (true, _) => badge(Tone::Quiet, "dash", "Ignored"),
        (false, Severity::Error) => badge(Tone::Bad, "cross", "Error"),
        (false, Severity::Warning) => badge(Tone::Warning, "triangle", "Warning"),
    }
}

/// The letter of a grade.
pub(super) fn letter(grade: Grade) -> &'static str {
    match grade {
        Grade::A => "A",
        Grade::B => "B",
        Grade::C => "C",
        Grade::D => "D",
        Grade::F => "F",
    }
}
