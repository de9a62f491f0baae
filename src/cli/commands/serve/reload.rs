//! Reading everything anew: on SIGHUP, and when one of the files has changed.
//!
//! What was read as a whole takes the place of what was; what could not be read leaves it in force, and is an error in
//! the log; it is tried again every half a minute, since of several files that change the last may come late. A change of
//! the certificate alone touches nothing else.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::signal::unix::Signal;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::files::Sources;
use super::load::{Loaded, certificate_of, load};
use super::supervisor;
use crate::cli::args::{GlobalArgs, ServeArgs};
use crate::cli::error::CliError;
use crate::cli::output::Output;
use crate::dashboard::{Certificate, Dashboard};

/// How often files are looked at.
const LOOK: Duration = Duration::from_secs(2);
/// After so many looks what failed is tried again.
const RETRY: u32 = 15;
/// How long it may take to read everything; a command that prints a key may have to ask somewhere.
const LONGEST: Duration = Duration::from_secs(20);
/// Reads that took longer and may still be under way, each on a thread, before no other is begun.
const STUCK: usize = 8;

/// What is needed to read everything anew.
pub(super) struct Reloading {
    pub(super) args: ServeArgs,
    pub(super) global: GlobalArgs,
    pub(super) sources: Sources,
    /// What failed when it was read last, and how many looks ago.
    failed: Option<(String, u32)>,
    /// Whether there is a certificate that was not read yet. Settings that cannot be read must not let it expire.
    due: bool,
    /// Reads that have not ended yet.
    reading: Arc<AtomicUsize>,
}

/// Counts a read for as long as it lasts.
struct Counted(Arc<AtomicUsize>);

impl Counted {
    /// `None` when there are [`STUCK`] already.
    fn new(reading: &Arc<AtomicUsize>) -> Option<Self> {
        let counted = Self(Arc::clone(reading));
        (reading.fetch_add(1, Ordering::AcqRel) < STUCK).then_some(counted)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// What is to be read.
#[derive(Clone, Copy)]
enum Wanted {
    Everything,
    Certificate,
}

/// What was read.
enum Read {
    Everything(Box<Loaded>),
    Certificate(Certificate),
}

impl Reloading {
    pub(super) fn new(args: &ServeArgs, global: &GlobalArgs, sources: Sources) -> Self {
        Self {
            args: args.clone(),
            global: global.clone(),
            sources,
            failed: None,
            due: false,
            reading: Arc::default(),
        }
    }

    /// Goes on until its task is ended.
    pub(super) async fn go_on(mut self, dashboard: Dashboard, mut hangup: Signal) {
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let wanted = tokio::select! {
                Some(()) = hangup.recv() => {
                    tracing::info!("told to read the settings anew");
                    Some(Wanted::Everything)
                }
                _ = looks.tick() => match self.look().await {
                    Some(seen) => {
                        self = seen.0;
                        seen.1
                    }
                    // A bug, which the hook has reported; the next look may be luckier.
                    None => None,
                },
            };
            if let Some(wanted) = wanted {
                supervisor::reloading();
                if let Some(after) = self.reload(&dashboard, wanted).await {
                    self = after;
                }
                supervisor::ready();
            }
        }
    }

    /// Looks at the files, on a thread that may block; `None` after a bug.
    async fn look(&self) -> Option<(Self, Option<Wanted>)> {
        let mut this = self.copied();
        let look = move || {
            let changed = this.sources.look();
            if changed.settings || changed.tls {
                tracing::info!("a file has changed");
            }
            if let Some((_, looks)) = &mut this.failed {
                *looks += 1;
            }
            let again = this.failed.as_ref().is_some_and(|(_, looks)| *looks >= RETRY);
            this.due |= changed.tls;
            let wanted = match (changed.settings || again, this.due) {
                (true, _) => Some(Wanted::Everything),
                (false, true) => Some(Wanted::Certificate),
                (false, false) => None,
            };
            (this, wanted)
        };
        tokio::task::spawn_blocking(look).await.ok()
    }

    async fn reload(&self, dashboard: &Dashboard, wanted: Wanted) -> Option<Self> {
        let mut this = self.copied();
        let read = match Counted::new(&self.reading) {
            None => None,
            Some(counted) => {
                let this = self.copied();
                let read = move || {
                    let read = this.read(wanted);
                    drop(counted);
                    read
                };
                timeout(LONGEST, tokio::task::spawn_blocking(read)).await.ok()
            }
        };
        let read = match read {
            // A bug, which the hook has reported.
            Some(Err(_)) => return None,
            Some(Ok(read)) => read,
            // A pipe in the place of a file, or a command that hangs. Nothing can end that from here; it is left alone.
            None => {
                let what = format!("it takes longer than {} s", LONGEST.as_secs());
                Err(CliError::settings(what)
                    .hint("look at the files that the settings name, and at encryption_key_command"))
            }
        };
        match read {
            // A file that is away for a moment must not let everybody in.
            Ok(Read::Everything(loaded)) if loaded.setup.token.is_none() && dashboard.has_token() => {
                let what = "no token is set any more, and this service began with one";
                let error = CliError::settings(what).hint("to serve without a token, start it anew");
                this.complain(&error, dashboard);
            }
            Ok(Read::Everything(loaded)) => {
                let Loaded { setup, certificate, database, sources } = *loaded;
                (this.sources, this.failed, this.due) = (sources, None, false);
                dashboard.apply(setup.clone()).await;
                if let Some(certificate) = certificate {
                    dashboard.renew(certificate);
                }
                dashboard.reloaded();
                // Said when it is so.
                tracing::info!(
                    application_database = %database,
                    key_id = %setup.ring.current().id(),
                    state_store = %setup.location.address(),
                    token = setup.token.is_some(),
                    "settings, keys and certificate were read anew; what stands in the environment of the process, or \
                     in its arguments, cannot change"
                );
            }
            Ok(Read::Certificate(certificate)) => {
                this.due = false;
                dashboard.renew(certificate);
                tracing::info!("the certificate was read anew");
                match &mut this.failed {
                    None => dashboard.reloaded(),
                    // It may have been what was wrong: the next look tries everything.
                    Some((_, looks)) => *looks = RETRY,
                }
            }
            Err(error) => {
                // After everything the certificate is tried alone; after that its next change is waited for.
                this.due &= matches!(wanted, Wanted::Everything);
                this.complain(&error, dashboard);
            }
        }
        Some(this)
    }

    /// Says what is wrong: once in the log, and on the page until it is mended.
    fn complain(&mut self, error: &CliError, dashboard: &Dashboard) {
        let text = [&error.message].into_iter().chain(&error.causes).cloned().collect::<Vec<_>>().join(": ");
        let hint = error.hint.as_deref().unwrap_or_default();
        dashboard.not_reloaded(&text, hint);
        if self.failed.as_ref().is_none_or(|(before, _)| *before != text) {
            tracing::error!(hint, "what was read before stays in force: {text}");
        }
        self.failed = Some((text, 0));
    }

    fn read(&self, wanted: Wanted) -> Result<Read, CliError> {
        let mut output = Output::to_log();
        match (wanted, &self.args.tls_cert, &self.args.tls_key) {
            (Wanted::Certificate, Some(certificate), Some(key)) => {
                certificate_of(certificate, key, &mut output).map(Read::Certificate)
            }
            _ => load(&self.args, &self.global, &mut output).map(Box::new).map(Read::Everything),
        }
    }

    fn copied(&self) -> Self {
        Self {
            args: self.args.clone(),
            global: self.global.clone(),
            sources: self.sources.clone(),
            failed: self.failed.clone(),
            due: self.due,
            reading: Arc::clone(&self.reading),
        }
    }
}
