//! Who is logged in: sessions of the login form, in memory, bounded, and gone with the process.
//!
//! The cookie is 256 random bits. Of it only the digest is kept, so that what is in memory lets nobody in.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::clock::Ticks;
use crate::secret::Secret;

/// How long a session lasts.
pub(super) const LIFE: Duration = Duration::from_secs(12 * 60 * 60);
/// The most sessions; beyond them the oldest ends.
const SESSIONS: usize = 1000;

/// The sessions.
pub(super) struct Sessions {
    /// The digest of the cookie, and when it was given.
    begun: Mutex<HashMap<[u8; 32], u64>>,
    ticks: Ticks,
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sessions")
    }
}

impl Sessions {
    pub(super) fn new(ticks: Ticks) -> Self {
        Self { begun: Mutex::default(), ticks }
    }

    /// Begins a session; answers the cookie's value.
    pub(super) fn begin(&self) -> Secret {
        let bytes: [u8; 32] = rand::random();
        let cookie = Secret::new(base64_simd::URL_SAFE_NO_PAD.encode_to_string(bytes));
        let now = self.ticks.now();
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        begun.retain(|_, at| is_alive(*at, now));
        if begun.len() >= SESSIONS
            && let Some(oldest) = begun.iter().min_by_key(|(_, at)| **at).map(|(digest, _)| *digest)
        {
            begun.remove(&oldest);
        }
        begun.insert(digest(cookie.expose()), now);
        cookie
    }

    /// Whether a cookie is of a session that lasts. Looked up by its digest, whose bits tell nothing of a cookie that
    /// would be right.
    pub(super) fn knows(&self, cookie: &str) -> bool {
        let begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        begun.get(&digest(cookie)).is_some_and(|at| is_alive(*at, self.ticks.now()))
    }

    /// Ends a session.
    pub(super) fn end(&self, cookie: &str) {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner).remove(&digest(cookie));
    }

    /// Ends all sessions.
    pub(super) fn clear(&self) {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

fn is_alive(begun: u64, now: u64) -> bool {
    u128::from(now.saturating_sub(begun)) < LIFE.as_millis()
}

fn digest(cookie: &str) -> [u8; 32] {
    Sha256::digest(cookie.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    fn sessions() -> (Sessions, Arc<AtomicU64>) {
        let passed = Arc::new(AtomicU64::new(0));
        (Sessions::new(Ticks::Manual(Arc::clone(&passed))), passed)
    }

    #[test]
    fn a_session_lasts_twelve_hours() {
        let (sessions, passed) = sessions();
        let cookie = sessions.begin();
        assert_eq!(cookie.expose().len(), 43);
        passed.store(12 * 60 * 60 * 1000 - 1, Ordering::Release);
        assert!(sessions.knows(cookie.expose()));
        passed.store(12 * 60 * 60 * 1000, Ordering::Release);
        assert!(!sessions.knows(cookie.expose()));
    }

    #[test]
    fn a_session_ends_alone_or_with_all() {
        let (sessions, _) = sessions();
        let (one, other) = (sessions.begin(), sessions.begin());
        sessions.end(one.expose());
        assert!(!sessions.knows(one.expose()) && sessions.knows(other.expose()));
        sessions.clear();
        assert!(!sessions.knows(other.expose()));
        assert!(!sessions.knows(""));
    }

    #[test]
    fn beyond_the_bound_the_oldest_session_ends() {
        let (sessions, passed) = sessions();
        let first = sessions.begin();
        for moment in 1..=SESSIONS {
            assert_eq!(sessions.knows(first.expose()), moment <= SESSIONS, "{moment}");
            passed.store(moment.try_into().unwrap(), Ordering::Release);
            sessions.begin();
        }
        assert!(!sessions.knows(first.expose()));
        assert_eq!(sessions.begun.lock().unwrap().len(), SESSIONS);
    }
}
