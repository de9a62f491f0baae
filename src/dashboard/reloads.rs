//! Whether the settings could be read anew when they were to be, for the page and the metrics.

use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use crate::sanitize::printable;

/// That the settings cannot be read any more: what was read before is in force.
#[derive(Clone, Debug)]
pub struct Unread {
    /// What is wrong with them, with its causes, printable.
    pub message: String,
    /// What to do about it; empty if nobody knows.
    pub hint: String,
    /// Since when, without an attempt in between that was good.
    pub since: Timestamp,
}

/// The most characters of a text that are kept.
const TEXT: usize = 1000;

/// How the last attempts went.
#[derive(Debug, Default)]
pub(super) struct Reloads(Mutex<(Option<Timestamp>, Option<Unread>)>);

impl Reloads {
    /// They were read.
    pub(super) fn good(&self, now: Timestamp) {
        *self.last() = (Some(now), None);
    }

    /// They could not be read.
    pub(super) fn bad(&self, message: &str, hint: &str, now: Timestamp) {
        let mut last = self.last();
        let since = last.1.as_ref().map_or(now, |unread| unread.since);
        let [message, hint] = [message, hint].map(|text| printable(text).chars().take(TEXT).collect());
        last.1 = Some(Unread { message, hint, since });
    }

    /// What is wrong with them, if the last attempt was no good.
    pub(super) fn unread(&self) -> Option<Unread> {
        self.last().1.clone()
    }

    /// When the last good one was, if there was one.
    pub(super) fn last_good(&self) -> Option<Timestamp> {
        self.last().0
    }

    fn last(&self) -> MutexGuard<'_, (Option<Timestamp>, Option<Unread>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trouble_lasts_from_its_first_attempt_to_the_next_good_one() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let reloads = Reloads::default();
        assert!(reloads.unread().is_none() && reloads.last_good().is_none());
        reloads.bad("one", "", at(1));
        reloads.bad("an\u{1b}other", "do", at(2));
        let unread = reloads.unread().unwrap();
        assert_eq!(
            (unread.message.as_str(), unread.hint.as_str(), unread.since),
            ("an\\u{1b}other", "do", at(1))
        );
        reloads.good(at(3));
        assert_eq!((reloads.unread().is_none(), reloads.last_good()), (true, Some(at(3))));
    }
}
