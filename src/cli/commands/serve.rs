//! `boothds serve`: the dashboard as a service.
//!
//! SIGTERM is how a service is stopped: when every request was answered the exit code is 0. Ctrl-C answers them too, and
//! is 130 as with every command. Either a second time ends it at once.

use std::io::ErrorKind;
use std::net::SocketAddr;

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::args::{GlobalArgs, ServeArgs};
use crate::cli::block_on;
use crate::cli::error::CliError;
use crate::cli::exit_code::ExitCode;
use crate::cli::interrupt::Interrupt;
use crate::cli::output::Output;
use crate::clock::Clock;
use crate::dashboard::{CONNECTIONS, Dashboard, End, Options};

mod files;
mod load;
mod log;
mod reload;
mod supervisor;

use load::{Loaded, load};

/// Open files that are kept for what is no connection of a visitor: data sources under test, stores, the log.
const RESERVED_FILES: usize = 512;

pub(in crate::cli) fn run(args: &ServeArgs, global: &GlobalArgs) -> Result<ExitCode, CliError> {
    // First: warnings and notes about the settings are lines of the log, in its form.
    let _log = log::begin(args.log_format, global.verbose);
    let loaded = load(args, global, &mut Output::to_log())?;
    block_on(async |interrupt| serve(args, global, loaded, interrupt).await)
}

async fn serve(
    args: &ServeArgs,
    global: &GlobalArgs,
    loaded: Loaded,
    interrupt: &mut Interrupt,
) -> Result<ExitCode, CliError> {
    // Before anybody learns that we are here: until then it would end the process.
    let hangup =
        signal(SignalKind::hangup()).map_err(|source| CliError::io("cannot listen for signals", &source))?;
    let listener = TcpListener::bind(args.listen).await.map_err(|source| {
        let hint = match source.kind() {
            ErrorKind::AddrInUse => "end what listens there, or choose another port with --listen",
            ErrorKind::PermissionDenied => "ports below 1024 need a privilege: choose another with --listen",
            _ => "choose an address of this machine with --listen",
        };
        CliError::io(format!("cannot listen on {}", args.listen), &source).hint(hint)
    })?;
    let listen = listener.local_addr().map_err(|source| CliError::io("cannot tell the address", &source))?;
    let options = Options {
        allowed_hosts: args.allowed_host.clone(),
        interval: args.interval,
        connections: connections(),
    };
    announce(listen, &options, &loaded);
    let Loaded { setup, certificate, sources, .. } = loaded;
    let dashboard = Dashboard::new(options, setup, certificate, Clock::System);
    let reloading = reload::Reloading::new(args, global, sources);
    let reloading = tokio::spawn(reloading.go_on(dashboard.clone(), hangup));
    let alive = tokio::spawn(supervisor::keep_alive());
    supervisor::ready();
    let mut signal = ExitCode::Terminated;
    let stop = async {
        signal = interrupt.received().await;
        supervisor::stopping();
        tracing::info!("stopping: what was asked is answered first");
    };
    let end = dashboard.serve(listener, stop).await;
    reloading.abort();
    alive.abort();
    match end {
        End::Clean => tracing::info!("stopped"),
        End::Cut => tracing::warn!("stopped: requests that took too long were cut off"),
    }
    Ok(match (end, signal) {
        (End::Clean, ExitCode::Terminated) => ExitCode::Ok,
        (_, signal) => signal,
    })
}

/// Says what is served, and from what.
fn announce(listen: SocketAddr, options: &Options, loaded: &Loaded) {
    let scheme = if loaded.certificate.is_some() { "https" } else { "http" };
    tracing::info!(
        address = %format!("{scheme}://{listen}"),
        token = loaded.setup.token.is_some(),
        interval_s = options.interval.as_secs(),
        connections = options.connections,
        "listening"
    );
    tracing::info!(
        application_database = %loaded.database,
        key_id = %loaded.setup.ring.current().id(),
        state_store = %loaded.setup.location.address(),
        "watching"
    );
}

/// Raises the limit of open files as far as we may; answers how many connections that leaves.
fn connections() -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    if let Err(error) = raised {
        tracing::warn!("the limit of open files cannot be raised: {error}");
    }
    let files = getrlimit(Resource::Nofile).current.and_then(|files| usize::try_from(files).ok());
    let most = files.map_or(CONNECTIONS, |files| files.saturating_sub(RESERVED_FILES).clamp(16, CONNECTIONS));
    if most < CONNECTIONS {
        tracing::warn!(
            connections = most,
            "the limit of open files permits fewer connections than {CONNECTIONS}"
        );
    }
    most
}
