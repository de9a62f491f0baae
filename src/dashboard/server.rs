//! Connections: accepted, limited, spoken to in HTTP/1.1, and ended in good order.
//!
//! A task each, on the list of [`open`]. What a client may take is bounded here: [`HANDSHAKE`] for TLS, [`HEAD`] for the lines of a request and
//! for idleness between two, [`WRITE`] for taking any part of an answer, [`HEAD_BYTES`] and [`HEADERS`] for what it says.
//! At the limit of connections the one that has waited longest without asking anything gives way to the new one: a
//! thousand that are idle or slow keep nobody out.

use std::error::Error as StdError;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_io_timeout::TimeoutStream;
use tokio_rustls::TlsAcceptor;

use super::{Dashboard, Inner, guard, routes, watch};

mod asking;
mod open;

use asking::Asking;
use open::{Open, Progress};

/// Connections at a time, at the most.
pub const CONNECTIONS: usize = 4096;
/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long the lines of a request may take, idleness before them included.
const HEAD: Duration = Duration::from_secs(15);
/// How long an answer may stand still because the client does not take it.
const WRITE: Duration = Duration::from_secs(15);
/// The most header lines of a request.
const HEADERS: usize = 64;
/// The most bytes of the lines of a request.
const HEAD_BYTES: usize = 16 * 1024;
/// How long requests that are under way at the end are waited for: as long as one may take.
const GRACE: Duration = Duration::from_secs(15);
/// What the end of a task may take beyond that: a client that does not take its answer is given up after the same time.
const LAST_WORD: Duration = Duration::from_millis(500);
/// How long whoever has not said all of what it wants is waited for at the end.
const HALF: Duration = Duration::from_secs(1);

/// How a dashboard ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Every request was answered.
    Clean,
    /// Some were cut off, because they took too long, or their clients did not take the answer.
    Cut,
}

/// Between whom a connection is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer {
    pub(super) remote: SocketAddr,
    pub(super) local: SocketAddr,
}

impl Dashboard {
    /// Serves and watches until `stop` completes; then answers what was asked, within fifteen seconds. What was only half
    /// asked is cut off after one.
    pub async fn serve(&self, listener: TcpListener, stop: impl Future<Output = ()>) -> End {
        let mut watching = JoinSet::new();
        watching.spawn(watch::keep_watching(Arc::clone(&self.0)));
        let graceful = GracefulShutdown::new();
        let service = TowerToHyperService::new(routes::router(Arc::clone(&self.0)));
        let open = Arc::new(Open::default());
        tokio::pin!(stop);
        loop {
            tokio::select! {
                biased;
                () = &mut stop => break,
                accepted = listener.accept() => match accepted {
                    Ok((stream, remote)) => {
                        let displaced = open.make_room(self.0.options.connections);
                        self.0.traffic.displaced.inc_by(displaced);
                        let watcher = graceful.watcher();
                        open.begin(|progress| accept(Arc::clone(&self.0), stream, remote, service.clone(), watcher, progress));
                    }
                    Err(error) => {
                        // Out of files, or a client that went away: neither may end the service, nor keep it spinning.
                        if guard::is_written(&self.0, &self.0.unserved) {
                            tracing::warn!("cannot accept a connection: {error}");
                        }
                        sleep(Duration::from_millis(100)).await;
                    }
                }
            }
        }
        drop(listener);
        watching.shutdown().await;
        let in_time = open.cut_off();
        let answered = async {
            tokio::select! {
                () = graceful.shutdown() => {}
                // Whoever has only half said what it wants, or nothing, is not waited for.
                () = async {
                    sleep(HALF).await;
                    open.send_away();
                    std::future::pending().await
                } => {}
            }
            // Who is in a handshake is not told, and goes; of who was told it is known how it ended when its task has.
            open.send_away();
            open.all_gone().await;
        };
        let ended = timeout(GRACE + LAST_WORD, answered).await;
        guard::say_left_out(&self.0);
        if ended.is_ok() && open.cut_off() == in_time { End::Clean } else { End::Cut }
    }
}

async fn accept(
    inner: Arc<Inner>,
    stream: TcpStream,
    remote: SocketAddr,
    service: TowerToHyperService<Router>,
    watcher: Watcher,
    progress: Progress,
) {
    let Ok(local) = stream.local_addr() else { return };
    // Answers are small: waiting for more to send would only delay them. A connection is as good without.
    let _ = stream.set_nodelay(true);
    let peer = Peer { remote, local };
    match inner.certificate() {
        None => talk(stream, peer, service, watcher, progress).await,
        Some(certificate) => {
            let handshake = TlsAcceptor::from(certificate.config()).accept(stream);
            match timeout(HANDSHAKE, handshake).await {
                Ok(Ok(stream)) => talk(stream, peer, service, watcher, progress).await,
                Ok(Err(error)) => tracing::debug!(peer = %remote.ip(), "no TLS: {error}"),
                Err(_) => tracing::debug!(peer = %remote.ip(), "no TLS in time"),
            }
        }
    }
}

/// Speaks HTTP/1.1 until one of the two has enough.
async fn talk<S>(
    stream: S,
    peer: Peer,
    service: TowerToHyperService<Router>,
    watcher: Watcher,
    progress: Progress,
) where
    S: AsyncRead + AsyncWrite + Send + 'static,
{
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(WRITE));
    let asked = progress.clone();
    let answer = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        let progress = asked.clone();
        let answer = service.call(request.map(|body| Asking::new(body, progress.clone())));
        async move {
            let answer = answer.await;
            progress.answered();
            answer
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_headers(HEADERS)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(Box::pin(stream)), answer);
    if let Err(error) = watcher.watch(connection).await {
        if is_late(&error) {
            progress.cut_off();
        }
        tracing::debug!(peer = %peer.remote.ip(), "a connection ended badly: {error}");
    }
}

/// Whether a connection ended because its client did not take what it was answered.
fn is_late(error: &hyper::Error) -> bool {
    let cause = error.source().and_then(|cause| cause.downcast_ref::<io::Error>());
    cause.is_some_and(|cause| cause.kind() == io::ErrorKind::TimedOut)
}
