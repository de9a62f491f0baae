//! Runs a database driver apart from everything else, so that no server can hold up or end more than itself.
//!
//! A server decides how often a client hashes its password (SCRAM's iteration count, up to 2³²), and the driver does it
//! within one poll: on the runtime's own threads that would stop the clock, the signals and every other tenant. So a
//! login runs on a thread for blocking work. It ends by its own time limit; only one that hashes goes on behind the
//! back of its caller, who has long been answered, until the process ends. A driver that panics at what a server
//! sent becomes a failure of that server.

use std::cell::Cell;
use std::future::Future;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

thread_local! {
    static WITHIN: Cell<bool> = const { Cell::new(false) };
}

/// Why work that ran apart has no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Apart {
    /// The time was up.
    Late,
    /// The driver panicked.
    Panicked,
}

/// Runs `work` on a thread of its own for at most `limit`.
///
/// # Errors
/// [`Apart::Late`], [`Apart::Panicked`].
pub async fn apart<T, F>(limit: Duration, work: F) -> Result<T, Apart>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let runtime = Handle::current();
    let thread = spawn_blocking(move || {
        WITHIN.set(true);
        let done = runtime.block_on(async { timeout(limit, work).await });
        WITHIN.set(false);
        done
    });
    match timeout(limit, thread).await {
        Ok(Ok(Ok(result))) => Ok(result),
        Ok(Ok(Err(_))) | Err(_) => Err(Apart::Late),
        Ok(Err(_)) => Err(Apart::Panicked),
    }
}

/// Whether this thread is at a driver's work, where a panic is a failure of a server and no bug to be reported.
#[must_use]
pub fn is_within() -> bool {
    WITHIN.get()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_that_never_yields_is_given_up_in_time() {
        let busy = async {
            let start = std::time::Instant::now();
            while start.elapsed() < Duration::from_millis(500) {
                std::hint::spin_loop();
            }
        };
        assert_eq!(apart(Duration::from_millis(20), busy).await, Err(Apart::Late));
        assert_eq!(apart(Duration::from_secs(5), async { 7 }).await, Ok(7));
    }

    #[tokio::test]
    async fn a_panic_is_a_result() {
        let work = async { assert!(!is_within(), "this panics, and the hook may ask where") };
        assert_eq!(apart(Duration::from_secs(5), work).await, Err(Apart::Panicked));
        assert!(!is_within());
    }
}
