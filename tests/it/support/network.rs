//! Networks that misbehave: addresses that swallow, refuse, hang up, say nothing or talk nonsense, and one that is
//! far away.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use super::listener::Listener;
use super::process;

/// A port whose connections are never established: the SYN is dropped, as behind a firewall.
pub struct BlackHole {
    port: u16,
    _full: (TcpListener, Vec<TcpStream>),
}

impl BlackHole {
    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }
}

/// Makes a port that swallows connections: a listener that accepts none, with its queue full.
pub fn black_hole() -> BlackHole {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("listen on 127.0.0.1");
    // Linux: listening again shortens the queue; with 0 it holds one connection.
    rustix::net::listen(&listener, 0).expect("shorten the queue of a listener");
    let address = listener.local_addr().expect("the address of a listener");
    let mut waiting = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(100)) {
        waiting.push(stream);
        assert!(waiting.len() < 10, "the queue of a listener does not fill");
    }
    BlackHole { port: address.port(), _full: (listener, waiting) }
}

/// A port that nobody listens on.
pub fn refused_port() -> u16 {
    process::free_port()
}

/// Accepts connections, reads what it is sent and says nothing.
pub fn silent_server() -> Listener {
    Listener::start(|mut stream| drop(io::copy(&mut stream, &mut io::sink())))
}

/// Accepts connections and closes them at once.
pub fn closing_server() -> Listener {
    Listener::start(drop)
}

/// Answers these bytes to whatever is sent first, and closes.
pub fn garbage_server(bytes: impl Into<Vec<u8>>) -> Listener {
    let bytes = bytes.into();
    Listener::start(move |mut stream| {
        if matches!(stream.read(&mut [0; 4096]), Ok(1..)) {
            let _ = stream.write_all(&bytes);
            let _ = stream.shutdown(Shutdown::Write);
            // Closing with something unread would reset the connection, and the bytes could be lost.
            let _ = io::copy(&mut stream, &mut io::sink());
        }
    })
}

/// A way to a local port that takes time in each direction and has no limit of bandwidth.
///
/// Connecting costs a round trip as well: the kernel answers a SYN at once, so the first bytes wait for it.
pub struct DelayProxy {
    listener: Listener,
}

impl DelayProxy {
    /// Starts a proxy to a port of 127.0.0.1. A round trip takes twice `one_way`.
    pub fn start(target: u16, one_way: Duration) -> Self {
        let listener = Listener::start(move |client| {
            let arrived = Instant::now();
            let Ok(server) = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, target))) else {
                return;
            };
            let set = server.set_nodelay(true);
            let (Ok(()), Ok(from), Ok(to)) = (set, client.try_clone(), server.try_clone()) else { return };
            // What the client sends was sent after the handshake; what the server sends, half a trip before its end.
            let up = thread::spawn(move || delay(from, to, arrived + 2 * one_way, one_way));
            delay(server, client, arrived + one_way, one_way);
            up.join().expect("the other direction does not panic");
        });
        Self { listener }
    }

    /// The port to connect to instead of the target.
    pub fn port(&self) -> u16 {
        self.listener.port()
    }

    /// How many connections were accepted so far.
    pub fn connections(&self) -> usize {
        self.listener.connections()
    }
}

/// A way to a local port that counts how often each side has waited for the other.
pub struct TripCounter {
    listener: Listener,
    trips: Arc<Mutex<Vec<usize>>>,
}

impl TripCounter {
    /// Starts a proxy to a port of 127.0.0.1.
    pub fn start(target: u16) -> Self {
        let trips = Arc::new(Mutex::new(Vec::new()));
        let counted = Arc::clone(&trips);
        let listener = Listener::start(move |client| {
            let Ok(server) = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, target))) else {
                return;
            };
            let (Ok(from), Ok(to)) = (client.try_clone(), server.try_clone()) else { return };
            let asked = Arc::new(AtomicBool::new(false));
            let asking = Arc::clone(&asked);
            let up = thread::spawn(move || pass_on(from, to, || asking.store(true, Ordering::SeqCst)));
            let mut trips = 0;
            pass_on(server, client, || trips += usize::from(asked.swap(false, Ordering::SeqCst)));
            counted.lock().unwrap_or_else(PoisonError::into_inner).push(trips);
            up.join().expect("the other direction does not panic");
        });
        Self { listener, trips }
    }

    /// The port to connect to instead of the target.
    pub fn port(&self) -> u16 {
        self.listener.port()
    }

    /// The round trips of each of this many connections, the fewest first, once they have ended.
    pub fn trips_of(self, connections: usize) -> Vec<usize> {
        let start = Instant::now();
        loop {
            let mut trips = self.trips.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if trips.len() >= connections {
                trips.sort_unstable();
                return trips;
            }
            assert!(start.elapsed() < Duration::from_secs(20), "connections end");
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Passes on what is read, and its end, after a word to `each`.
fn pass_on(mut from: TcpStream, mut to: TcpStream, mut each: impl FnMut()) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        each();
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

/// Passes on what is read, and its end, `one_way` after it was sent; nothing was sent before `earliest`.
fn delay(mut from: TcpStream, mut to: TcpStream, earliest: Instant, one_way: Duration) {
    let (flight, arrivals) = mpsc::channel::<(Instant, Vec<u8>)>();
    let landing = thread::spawn(move || {
        for (due, bytes) in arrivals {
            wait_until(due);
            let landed = if bytes.is_empty() { to.shutdown(Shutdown::Write) } else { to.write_all(&bytes) };
            if landed.is_err() {
                // The receiver has gone: the sender learns it as from a reset.
                let _ = to.shutdown(Shutdown::Both);
                return;
            }
        }
    });
    let mut buffer = vec![0; 64 * 1024];
    loop {
        // A reset is passed on as an end.
        let length = from.read(&mut buffer).unwrap_or(0);
        let due = earliest.max(Instant::now()) + one_way;
        if flight.send((due, buffer[..length].to_vec())).is_err() || length == 0 {
            break;
        }
    }
    drop(flight);
    landing.join().expect("the landing side does not panic");
}

/// Sleeps for the most of it: the kernel wakes a sleeper some 100 µs late, and many round trips would add that up.
fn wait_until(due: Instant) {
    thread::sleep(due.saturating_duration_since(Instant::now()).saturating_sub(Duration::from_micros(200)));
    while Instant::now() < due {
        thread::yield_now();
    }
}
