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

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

thread_local! {
    static WITHIN: Cell<bool> = const { Cell::new(false) };
    /// The runtime of [`alone`], made once for each thread, which the pool uses again and again.
    static RUNTIME: Cell<Option<Runtime>> = const { Cell::new(None) };
}

/// Why work that ran apart has no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Apart {
    /// The time was up.
    Late,
    /// The driver panicked.
    Panicked,
    /// The system has no room for another runtime: its files are used up.
    NoRoom,
}

/// Runs `work` on a thread of its own for at most `limit`. A connection may outlive it: its sockets belong to the
/// caller's runtime.
///
/// # Errors
/// [`Apart::Late`], [`Apart::Panicked`].
pub async fn apart<T, F>(limit: Duration, work: F) -> Result<T, Apart>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let runtime = Handle::current();
    on_a_thread(limit, move || {
        runtime.block_on(async { timeout(limit, work).await }).map_err(|_| Apart::Late)
    })
    .await
}

/// Runs `work` on a thread and a runtime of its own for at most `limit`. No connection may outlive it. Each answer of
/// the server then wakes the thread that waits for it and no other in between, which a TLS login feels nine times.
///
/// # Errors
/// [`Apart::Late`], [`Apart::Panicked`], [`Apart::NoRoom`].
pub async fn alone<T, F>(limit: Duration, work: F) -> Result<T, Apart>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    on_a_thread(limit, move || {
        // Taken out, so that one a panic went through is not used again.
        let runtime = match RUNTIME.take() {
            Some(runtime) => runtime,
            None => Builder::new_current_thread().enable_all().build().map_err(|_| Apart::NoRoom)?,
        };
        let done = runtime.block_on(async { timeout(limit, work).await });
        RUNTIME.set(Some(runtime));
        done.map_err(|_| Apart::Late)
    })
    .await
}

/// Runs `work` on a thread and a runtime of its own until it ends by itself, for a connection that is asked again and
/// again for large answers: each piece of them wakes one thread, and none in between.
///
/// # Errors
/// What the system refused.
pub fn reside(work: impl Future<Output = ()> + Send + 'static) -> std::io::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let thread = std::thread::Builder::new().name("connection".to_owned());
    let live = move || {
        let _within = Within::enter();
        runtime.block_on(work);
    };
    thread.spawn(live).map(drop)
}

async fn on_a_thread<T: Send + 'static>(
    limit: Duration,
    work: impl FnOnce() -> Result<T, Apart> + Send + 'static,
) -> Result<T, Apart> {
    let thread = spawn_blocking(move || {
        let _within = Within::enter();
        work()
    });
    match timeout(limit, thread).await {
        Ok(Ok(done)) => done,
        Ok(Err(_)) => Err(Apart::Panicked),
        Err(_) => Err(Apart::Late),
    }
}

/// Marks this thread for as long as it lives, also when the driver panics.
struct Within;

impl Within {
    fn enter() -> Self {
        WITHIN.set(true);
        Self
    }
}

impl Drop for Within {
    fn drop(&mut self) {
        WITHIN.set(false);
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
        assert_eq!(alone(Duration::from_secs(5), async { 8 }).await, Ok(8));
        assert_eq!(alone(Duration::from_millis(20), std::future::pending::<()>()).await, Err(Apart::Late));
    }

    #[tokio::test]
    async fn a_panic_is_a_result() {
        let work = async { assert!(!is_within(), "this panics, and the hook may ask where") };
        assert_eq!(apart(Duration::from_secs(5), work).await, Err(Apart::Panicked));
        assert!(!is_within());
    }
}
