//! `boothds serve`: the dashboard as a service.

use std::path::Path;
use std::sync::Arc;

use tokio::net::TcpListener;

use crate::cli::args::{GlobalArgs, ServeArgs};
use crate::cli::block_on;
use crate::cli::error::CliError;
use crate::cli::exit_code::ExitCode;
use crate::cli::interrupt::Interrupt;
use crate::cli::output::Output;
use crate::cli::resolve::Resolved;
use crate::cli::stores::Place;
use crate::clock::Clock;
use crate::dashboard::{CONNECTIONS, Certificate, Dashboard, End, Options, Setup, TlsError, Token};
use crate::manager::PoolSettings;
use crate::probe::ProbeOptions;

mod log;

pub(in crate::cli) fn run(
    args: &ServeArgs,
    global: &GlobalArgs,
    output: &mut Output,
) -> Result<ExitCode, CliError> {
    let setup = load(args, global, output)?;
    let certificate = certificate(args)?;
    log::begin(args.log_format, global.verbose);
    block_on(async |interrupt| serve(args, setup, certificate, interrupt).await)
}

async fn serve(
    args: &ServeArgs,
    setup: Setup,
    certificate: Option<Certificate>,
    interrupt: &mut Interrupt,
) -> Result<ExitCode, CliError> {
    let listener = TcpListener::bind(args.listen).await.map_err(|source| {
        CliError::io(format!("cannot listen on {}", args.listen), &source)
            .hint("stop what listens there, or choose another address with --listen")
    })?;
    let listen = listener.local_addr().map_err(|source| CliError::io("cannot tell the address", &source))?;
    let scheme = if certificate.is_some() { "https" } else { "http" };
    let token = setup.token.is_some();
    let options = Options {
        listen,
        allowed_hosts: args.allowed_host.clone(),
        interval: args.interval,
        connections: CONNECTIONS,
    };
    let dashboard = Dashboard::new(options, setup, certificate, Clock::System);
    tracing::info!(address = %format!("{scheme}://{listen}"), token, "listening");
    let mut signal = ExitCode::Terminated;
    let end = dashboard.serve(listener, async { signal = interrupt.received().await }).await;
    Ok(match (end, signal) {
        (End::Clean, ExitCode::Terminated) => ExitCode::Ok,
        (_, signal) => signal,
    })
}

/// Everything that the dashboard needs to know, checked without asking anybody.
fn load(args: &ServeArgs, global: &GlobalArgs, output: &mut Output) -> Result<Setup, CliError> {
    let resolved = Resolved::new(global, Vec::new(), output)?;
    let settings = &resolved.settings;
    let database = resolved.database_url()?.value.clone();
    let place = Place::new(&resolved)?;
    let token = token(&resolved)?;
    if token.is_none() && !args.listen.ip().is_loopback() {
        return Err(CliError::settings(format!(
            "{} is reached from other machines, and there is no token",
            args.listen
        ))
        .hint("set BOOTHDS_SERVE_TOKEN or BOOTHDS_SERVE_TOKEN_FILE, for example to the output of `openssl rand -hex 32`; or listen on 127.0.0.1"));
    }
    let ring = Arc::new(resolved.key_ring()?);
    let options = ProbeOptions { named: false, ..ProbeOptions::from_settings(settings) };
    Ok(Setup {
        database,
        ring,
        options,
        location: place.location().clone(),
        namespace: place.namespace().to_owned(),
        pool: PoolSettings::from_settings(settings),
        token,
    })
}

fn token(resolved: &Resolved) -> Result<Option<Token>, CliError> {
    let Some(text) = resolved.serve_token()? else { return Ok(None) };
    let origin = resolved.settings.serve_token.as_ref().map(|token| token.origin.to_string());
    let refused = |error| {
        CliError::of(ExitCode::Settings, &error)
            .about(&format!("the token named by {} cannot be used", origin.unwrap_or_default()))
            .hint("make one with `openssl rand -hex 32`")
    };
    Token::new(&text).map(Some).map_err(refused)
}

fn certificate(args: &ServeArgs) -> Result<Option<Certificate>, CliError> {
    let (Some(certificate), Some(key)) = (&args.tls_cert, &args.tls_key) else { return Ok(None) };
    load_certificate(certificate, key).map(Some)
}

fn load_certificate(certificate: &Path, key: &Path) -> Result<Certificate, CliError> {
    Certificate::load(certificate, key).map_err(|error| {
        let (code, hint) = match &error {
            TlsError::File { .. } => (ExitCode::Io, "check the path and the permissions of the file"),
            TlsError::Content { .. } => (ExitCode::Settings, "both files are PEM: -----BEGIN …-----"),
            TlsError::Unfit { .. } => {
                (ExitCode::Settings, "the key has to be that of the first certificate in the file")
            }
        };
        CliError::of(code, &error).hint(hint)
    })
}
