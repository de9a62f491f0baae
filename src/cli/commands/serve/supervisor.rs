//! Word to systemd: ready, reading anew, stopping, still alive. Without it nothing happens here.

use std::time::Duration;

use sd_notify::{NotifyState, notify, watchdog_enabled};

/// Says that we serve.
pub(super) fn ready() {
    say(&[NotifyState::Ready]);
}

/// Says that we read our settings anew, until the next [`ready`].
pub(super) fn reloading() {
    // systemd wants to know since when, to tell this from an earlier one.
    if let Ok(now) = NotifyState::monotonic_usec_now() {
        say(&[NotifyState::Reloading, now]);
    }
}

/// Says that we end.
pub(super) fn stopping() {
    say(&[NotifyState::Stopping]);
}

/// Says that we are alive, twice as often as it is wanted. A runtime that has come to a standstill does not.
pub(super) async fn keep_alive() {
    let Some(every) = watchdog_enabled().map(|limit| limit / 2).filter(|every| *every > Duration::ZERO)
    else {
        return;
    };
    let mut ticks = tokio::time::interval(every);
    loop {
        ticks.tick().await;
        say(&[NotifyState::Watchdog]);
    }
}

fn say(state: &[NotifyState<'_>]) {
    if let Err(error) = notify(state) {
        tracing::debug!("systemd cannot be told: {error}");
    }
}
