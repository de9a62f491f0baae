//! The watch: every tenant is tested again and again, and what came of it goes into the [`Fleet`](super::fleet::Fleet).
//!
//! One task, so that rounds never overlap. The first round begins at once. The pause between two rounds is the interval,
//! lengthened or shortened by up to a tenth at random, so that several of these processes do not fall into step; after a
//! round that could not be brought to its end it is shorter, five seconds that double up to the interval. A round goes
//! through the survey: at most [`CONCURRENCY`] tenants at a time, each with its own time limit, none through the pool of
//! a manager. It reads the application database and the data sources and writes nothing, not even to the state store.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::watch::Receiver;
use tokio::time::{Instant, sleep, sleep_until};

use super::Inner;
use super::database::sentence;
use super::setup::Setup;
use crate::catalogue::CatalogueError;
use crate::clock::after_milliseconds;
use crate::survey::{DEFAULT_CONCURRENCY, Selection, Survey, Tester, survey};
use crate::tenant::{Status, TenantFilter};

/// How many tenants are tested at a time.
const CONCURRENCY: usize = DEFAULT_CONCURRENCY;
/// The first pause after a round that failed.
const FIRST_PAUSE: Duration = Duration::from_secs(5);

/// Watches until its future is dropped. A bug in a round ends that round; it was reported by the hook.
pub(super) async fn keep_watching(inner: Arc<Inner>) {
    while AssertUnwindSafe(watch(Arc::clone(&inner))).catch_unwind().await.is_err() {
        finish(&inner, Some(Err(Broken::Bug)), FIRST_PAUSE, 1);
        sleep(FIRST_PAUSE).await;
    }
}

async fn watch(inner: Arc<Inner>) {
    let mut failures = 0;
    let mut changed = inner.changed.subscribe();
    loop {
        let outcome = tokio::select! {
            outcome = round(&inner) => Some(outcome),
            // What is under way is of the old settings.
            () = differs(&mut changed) => None,
        };
        let pause = match outcome {
            Some(Ok(())) => {
                failures = 0;
                jittered(inner.options.interval)
            }
            Some(Err(_)) => {
                failures += 1;
                jittered(pause_after(failures, inner.options.interval))
            }
            None => Duration::ZERO,
        };
        finish(&inner, outcome, pause, failures);
        tokio::select! {
            () = sleep_until(Instant::now() + pause) => {}
            () = differs(&mut changed) => failures = 0,
        }
    }
}

async fn differs(changed: &mut Receiver<u64>) {
    // The sender lives as long as `Inner`.
    let _ = changed.changed().await;
}

/// Why a round did not come to its end.
enum Broken {
    Catalogue(CatalogueError),
    /// It, or the reader of the application database, ended without a word.
    Bug,
}

/// Notes how the round ended, and when the next one begins.
fn finish(inner: &Inner, outcome: Option<Result<(), Broken>>, pause: Duration, failures: u32) {
    let now = inner.clock.now();
    let next = after_milliseconds(now, u64::try_from(pause.as_millis()).unwrap_or(u64::MAX));
    let message = match outcome {
        Some(Ok(())) => return inner.fleet_mut().due(next),
        Some(Err(Broken::Catalogue(error))) => sentence(&error),
        Some(Err(Broken::Bug)) => "a bug ended the round".to_owned(),
        None => return inner.fleet_mut().give_up(next),
    };
    tracing::error!(
        attempt = failures,
        retry_in_s = pause.as_secs(),
        "the tenants were not all tested: {message}"
    );
    inner.traffic.failed_rounds.inc();
    inner.fleet_mut().fail(&message, now, next);
}

/// One round.
async fn round(inner: &Inner) -> Result<(), Broken> {
    let setup: Arc<Setup> = inner.setup();
    inner.fleet_mut().begin(inner.clock.now());
    let catalogue = inner.database.reopen(&setup).await.map_err(Broken::Catalogue)?;
    let filter = TenantFilter { statuses: vec![Status::Active], ..TenantFilter::default() };
    let expected = catalogue.count(&filter).await.map_err(Broken::Catalogue)?;
    inner.fleet_mut().expect(expected);

    let tester = Tester::Fresh(setup.prober(inner.clock));
    let note = |report: &crate::probe::Report| {
        inner.traffic.tested(report);
        inner.fleet_mut().add(report, inner.clock.now());
        // The fleet keeps what is wanted of it.
        false
    };
    let selection = Selection::All(catalogue, filter);
    let mut outcome = survey(&tester, selection, None, CONCURRENCY, std::future::pending(), note).await;
    outcome.ignore(&setup.options.ignored);
    let Survey { complete, summary, findings, error, .. } = outcome;
    if let Some(error) = error {
        return Err(Broken::Catalogue(error));
    }
    if !complete {
        return Err(Broken::Bug);
    }
    tracing::info!(
        tenants = summary.total,
        passed = summary.passed,
        failed = summary.failed,
        skipped = summary.skipped,
        duration_ms = summary.duration_ms,
        "every tenant was tested"
    );
    inner.fleet_mut().end(findings, inner.clock.now());
    Ok(())
}

/// The pause after so many rounds in a row that failed.
fn pause_after(failures: u32, interval: Duration) -> Duration {
    FIRST_PAUSE.saturating_mul(2u32.saturating_pow(failures.saturating_sub(1).min(10))).min(interval)
}

/// Up to a tenth more or less.
fn jittered(pause: Duration) -> Duration {
    pause.mul_f64(rand::random_range(0.9..=1.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_after_failures_double_up_to_the_interval() {
        let pauses: Vec<u64> =
            (1..=8).map(|failures| pause_after(failures, Duration::from_secs(300)).as_secs()).collect();
        assert_eq!(pauses, [5, 10, 20, 40, 80, 160, 300, 300]);
        assert_eq!(pause_after(40, Duration::from_secs(2)).as_secs(), 2);
    }

    #[test]
    fn an_interval_is_jittered_by_a_tenth_at_the_most() {
        for _ in 0..1000 {
            let pause = jittered(Duration::from_secs(300)).as_secs_f64();
            assert!((269.9..=330.1).contains(&pause), "{pause}");
        }
    }
}
