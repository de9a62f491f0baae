//! Connections: accepted, limited, spoken to in HTTP/1.1, and ended in good order.
//!
//! A task each. What a client may take is bounded here: [`HANDSHAKE`] for TLS, [`HEAD`] for the lines of a request and
//! for idleness between two, [`WRITE`] for taking any part of an answer, [`HEAD_BYTES`] and [`HEADERS`] for what it says.
//! At the limit of connections the one that has waited longest without asking anything gives way to the new one: a
//! thousand that are idle or slow keep nobody out.

use std::collections::BTreeMap;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
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
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{sleep, timeout};
use tokio_io_timeout::TimeoutStream;
use tokio_rustls::TlsAcceptor;

use super::{Dashboard, Inner, routes, watch};

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
/// How long nothing has to be asked before connections that would not end are cut: what was answered is with the client
/// by then.
const CALM: Duration = Duration::from_secs(1);

/// How a dashboard ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Every request was answered.
    Clean,
    /// Some were cut off, because they took too long.
    Cut,
}

/// Between whom a connection is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer {
    pub(super) remote: SocketAddr,
    pub(super) local: SocketAddr,
}

impl Dashboard {
    /// Serves and watches until `stop` completes; then answers what was asked, within fifteen seconds.
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
                        open.make_room(self.0.options.connections, &self.0);
                        let watcher = graceful.watcher();
                        open.begin(|busy| accept(Arc::clone(&self.0), stream, remote, service.clone(), watcher, busy));
                    }
                    Err(error) => {
                        // Out of files, or a client that went away: neither may end the service, nor keep it spinning.
                        tracing::warn!("cannot accept a connection: {error}");
                        sleep(Duration::from_millis(100)).await;
                    }
                }
            }
        }
        drop(listener);
        watching.shutdown().await;
        // Whoever has only half said what it wants, or nothing, is not waited for.
        let answered = async {
            tokio::select! {
                () = graceful.shutdown() => {}
                () = open.calm() => {}
            }
        };
        if timeout(GRACE, answered).await.is_ok() { End::Clean } else { End::Cut }
    }
}

/// The connections that are open, in the order in which they came.
#[derive(Debug, Default)]
struct Open {
    connections: Mutex<(u64, BTreeMap<u64, Connection>)>,
}

#[derive(Debug)]
struct Connection {
    /// Whether a request of it is being answered.
    busy: Arc<AtomicBool>,
    task: AbortHandle,
}

/// Takes a connection off the list when its task ends, however it does.
struct Listed(Arc<Open>, u64);

impl Drop for Listed {
    fn drop(&mut self) {
        self.0.connections.lock().unwrap_or_else(PoisonError::into_inner).1.remove(&self.1);
    }
}

impl Open {
    /// Begins the task of a connection.
    fn begin<F>(self: &Arc<Self>, task: impl FnOnce(Arc<AtomicBool>) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let busy = Arc::new(AtomicBool::new(false));
        let work = task(Arc::clone(&busy));
        // Held until the connection is on the list, so that it cannot be taken off before.
        let mut connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        connections.0 += 1;
        let number = connections.0;
        let listed = Listed(Arc::clone(self), number);
        let task = tokio::spawn(async move {
            let _listed = listed;
            work.await;
        });
        connections.1.insert(number, Connection { busy, task: task.abort_handle() });
    }

    /// Ends the oldest connections that ask nothing, until there is room for one more.
    fn make_room(&self, most: usize, inner: &Inner) {
        let mut connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        while connections.1.len() >= most.max(1) {
            let idle = connections.1.iter().find(|(_, one)| !one.busy.load(Ordering::Acquire));
            let oldest = connections.1.keys().next();
            let Some(number) = idle.map(|(number, _)| *number).or_else(|| oldest.copied()) else { return };
            if let Some(connection) = connections.1.remove(&number) {
                connection.task.abort();
                inner.traffic.displaced.inc();
            }
        }
    }

    /// Waits until nothing has been asked for a moment.
    async fn calm(&self) {
        let step = CALM / 10;
        let mut calm = Duration::ZERO;
        while calm < CALM {
            sleep(step).await;
            calm = if self.is_busy() { Duration::ZERO } else { calm + step };
        }
    }

    fn is_busy(&self) -> bool {
        let connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        connections.1.values().any(|one| one.busy.load(Ordering::Acquire))
    }
}

async fn accept(
    inner: Arc<Inner>,
    stream: TcpStream,
    remote: SocketAddr,
    service: TowerToHyperService<Router>,
    watcher: Watcher,
    busy: Arc<AtomicBool>,
) {
    let Ok(local) = stream.local_addr() else { return };
    // Answers are small: waiting for more to send would only delay them. A connection is as good without.
    let _ = stream.set_nodelay(true);
    let peer = Peer { remote, local };
    match inner.certificate() {
        None => talk(stream, peer, service, watcher, busy).await,
        Some(certificate) => {
            let handshake = TlsAcceptor::from(certificate.config()).accept(stream);
            match timeout(HANDSHAKE, handshake).await {
                Ok(Ok(stream)) => talk(stream, peer, service, watcher, busy).await,
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
    busy: Arc<AtomicBool>,
) where
    S: AsyncRead + AsyncWrite + Send + 'static,
{
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(WRITE));
    let answer = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        busy.store(true, Ordering::Release);
        let (answer, busy) = (service.call(request), Arc::clone(&busy));
        async move {
            let answer = answer.await;
            busy.store(false, Ordering::Release);
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
        tracing::debug!(peer = %peer.remote.ip(), "a connection ended badly: {error}");
    }
}
