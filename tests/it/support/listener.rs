//! A TCP server of one closure: a thread for each connection, all of them cut when the handle is dropped. What the
//! gateway and the misbehaving servers stand on.

use std::io;
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

/// A listening port on 127.0.0.1, closed when dropped.
pub struct Listener {
    port: u16,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    closed: AtomicBool,
    accepted: AtomicUsize,
    open: Mutex<Vec<TcpStream>>,
}

impl Listener {
    /// Listens on a port of the kernel's choice; `serve` has a connection until it returns, which closes it.
    pub fn start(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("listen on 127.0.0.1");
        let port = listener.local_addr().expect("the address of a listener").port();
        let shared = Arc::new(Shared::default());
        let (state, serve) = (Arc::clone(&shared), Arc::new(serve));
        let accepting = thread::spawn(move || {
            for stream in listener.incoming() {
                if state.closed.load(Ordering::SeqCst) {
                    return;
                }
                if let Ok(stream) = stream {
                    state.accept(stream, Arc::clone(&serve)).expect("take a connection");
                }
            }
        });
        Self { port, shared, accepting: Some(accepting) }
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// How many connections were accepted so far.
    pub fn connections(&self) -> usize {
        self.shared.accepted.load(Ordering::SeqCst)
    }

    /// Cuts the connections that are open now; new ones are accepted.
    pub fn cut(&self) {
        for stream in self.shared.open.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            // The other side may have cut it already.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Shared {
    fn accept(
        &self,
        stream: TcpStream,
        serve: Arc<impl Fn(TcpStream) + Send + Sync + 'static>,
    ) -> io::Result<()> {
        self.accepted.fetch_add(1, Ordering::SeqCst);
        stream.set_nodelay(true)?;
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        // Forget those that have ended: their peer's address is gone.
        open.retain(|stream| stream.peer_addr().is_ok());
        let handle = stream.try_clone()?;
        open.push(stream.try_clone()?);
        drop(open);
        thread::spawn(move || {
            serve(stream);
            // The clones keep the descriptor open; the peer must see the end now.
            let _ = handle.shutdown(Shutdown::Both);
        });
        Ok(())
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::SeqCst);
        // Wakes the accepting thread, which then ends and closes the port.
        drop(TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)));
        if let Some(accepting) = self.accepting.take() {
            // If it has panicked, the test has failed without this drop.
            let _ = accepting.join();
        }
        self.cut();
    }
}
