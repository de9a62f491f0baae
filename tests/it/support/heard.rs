//! What a running program has written so far, to be waited on.

use std::io::Read;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

#[derive(Default)]
struct Shared {
    text: Mutex<(Vec<u8>, bool)>,
    more: Condvar,
}

/// An output that is read as it comes.
pub struct Heard(Arc<Shared>);

impl Heard {
    /// Reads a pipe to its end, on a thread of its own.
    pub fn listen(mut pipe: impl Read + Send + 'static) -> Self {
        let shared = Arc::new(Shared::default());
        let writer = Arc::clone(&shared);
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            loop {
                let length = pipe.read(&mut buffer).unwrap_or(0);
                let mut text = writer.text.lock().unwrap_or_else(PoisonError::into_inner);
                text.0.extend_from_slice(&buffer[..length]);
                text.1 = length == 0;
                writer.more.notify_all();
                if length == 0 {
                    return;
                }
            }
        });
        Self(shared)
    }

    /// Waits until it has this text; returns all of it so far.
    ///
    /// # Panics
    /// When it ends, or half a minute passes, without it.
    pub fn wait_for(&self, wanted: &str) -> String {
        let found = |text: &[u8]| String::from_utf8_lossy(text).contains(wanted);
        let (text, in_time) = self.wait_until(Duration::from_secs(30), found);
        let text = String::from_utf8_lossy(&text).into_owned();
        assert!(text.contains(wanted), "no {wanted:?} (in time: {in_time}) in:\n{text}");
        text
    }

    /// Waits for its end; returns all of it.
    pub fn all(&self) -> Vec<u8> {
        // A grandchild may hold the pipe open.
        self.wait_until(Duration::from_secs(5), |_| false).0
    }

    fn wait_until(&self, limit: Duration, done: impl Fn(&[u8]) -> bool) -> (Vec<u8>, bool) {
        let start = Instant::now();
        let mut text = self.0.text.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let left = limit.saturating_sub(start.elapsed());
            if text.1 || left.is_zero() || done(&text.0) {
                return (text.0.clone(), !left.is_zero());
            }
            text = self.0.more.wait_timeout(text, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}
