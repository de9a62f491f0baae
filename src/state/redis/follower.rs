//! Following the log of a namespace in Redis.
//!
//! A message wakes, the log tells. The subscription stands before the log is read, so that an entry made in between
//! is followed by a message. Who gets no message for 2 seconds asks the server for a sign of life on the listening
//! connection and reads the log: a connection that a firewall forgot, a log that was evicted and a server that was
//! emptied are noticed then. Messages have no content that counts.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ::redis::aio::PubSub;
use futures_util::{FutureExt as _, StreamExt as _};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout, timeout_at};

use super::RedisStore;
use super::line::ANSWER_LIMIT;
use crate::state::error::StateError;
use crate::state::{Changes, HEARTBEAT, Position};

/// How long silence is trusted. With the time for the answer it is shorter than the heartbeat of an instance, which ends
/// each wait; and it is counted from the last sign of life, not from the beginning of a wait.
const SILENCE_LIMIT: Duration = Duration::from_secs(2);
const _: () = assert!(SILENCE_LIMIT.as_secs() + ANSWER_LIMIT.as_secs() < HEARTBEAT.as_secs());

/// The subscription, kept from call to call. Followers of one store take turns.
#[derive(Default)]
pub(super) struct Follower {
    slot: Mutex<Option<Subscription>>,
    is_listening: AtomicBool,
}

struct Subscription {
    listener: PubSub,
    /// Whether a message came, or could have been missed, since the log was last looked at.
    is_news: bool,
    /// The last sign of life on this connection.
    heard: Instant,
}

impl Subscription {
    /// Waits for a message or for the time to look at the log without one; false when the connection is broken.
    async fn wait(&mut self) -> bool {
        let message = timeout_at(self.heard + SILENCE_LIMIT, self.listener.on_message().next()).await;
        match message {
            Ok(Some(_)) => {
                self.heard = Instant::now();
                self.is_news = true;
                // Those that wait already are answered by the same look at the log.
                while let Some(Some(_)) = self.listener.on_message().next().now_or_never() {}
                true
            }
            Ok(None) => false,
            Err(_) => {
                let asked = timeout(ANSWER_LIMIT, self.listener.ping::<::redis::Value>()).await;
                self.heard = Instant::now();
                matches!(asked, Ok(Ok(_)))
            }
        }
    }
}

impl std::fmt::Debug for Follower {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Follower")
    }
}

impl Follower {
    /// Whether a message reaches this store too.
    pub(super) fn is_listening(&self) -> bool {
        self.is_listening.load(Ordering::Relaxed)
    }

    /// See [`crate::state::StateStore::follow`].
    pub(super) async fn follow(&self, store: &RedisStore, after: Position) -> Result<Changes, StateError> {
        let mut slot = self.slot.lock().await;
        loop {
            let subscription = match &mut *slot {
                Some(subscription) => subscription,
                empty => {
                    self.is_listening.store(false, Ordering::Relaxed);
                    let listener = store.line.listen(&store.channel()).await?;
                    self.is_listening.store(true, Ordering::Relaxed);
                    empty.insert(Subscription { listener, is_news: true, heard: Instant::now() })
                }
            };
            let log = store.behind(after).await?;
            // Where the server cannot keep a log there is no position, and every message is a gap.
            let is_lost = after == Position::default() && log.position == after;
            if !log.list.is_empty() || log.gap && (!is_lost || subscription.is_news) {
                subscription.is_news = false;
                return Ok(Changes { list: log.list, position: log.position, gap: log.gap });
            }
            subscription.is_news = false;
            if !subscription.wait().await {
                *slot = None;
            }
        }
    }
}
