//! A way to PostgreSQL that is cut at a COMMIT: before the server hears it, after it has answered, or in between. Nothing
//! may be encrypted on it (`sslmode=disable`).

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use super::listener::Listener;

/// The message, as it is sent without parameters.
const COMMIT: &[u8] = b"COMMIT\0";

/// What happens at the COMMIT that is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// The server never hears it.
    Before,
    /// The server carries it out, and its answer is lost.
    After,
    /// The client's side is cut at once, and the server hears the COMMIT only this much later.
    Late(Duration),
    /// As `After`, and from then on nothing gets through any more.
    AfterForGood,
    /// As `Before`, and from then on nothing gets through any more.
    BeforeForGood,
}

/// A running proxy.
pub struct CommitCut {
    listener: Listener,
    commits: Arc<AtomicUsize>,
}

impl CommitCut {
    /// Starts one to a port of 127.0.0.1 that cuts the COMMIT of this number, from 1.
    pub fn start(target: u16, cut: Cut, number: usize) -> Self {
        let commits = Arc::new(AtomicUsize::new(0));
        let (count, dead) = (Arc::clone(&commits), AtomicBool::new(false));
        let listener = Listener::start(move |mut client| {
            if dead.load(Ordering::SeqCst) {
                return;
            }
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, target));
            let Ok(mut server) = TcpStream::connect(address) else { return };
            server.set_nodelay(true).expect("set TCP_NODELAY");
            let (Ok(mut from), Ok(mut to)) = (server.try_clone(), client.try_clone()) else { return };
            let mute = Arc::new(AtomicBool::new(false));
            let muted = Arc::clone(&mute);
            let down = thread::spawn(move || {
                let mut buffer = [0; 64 * 1024];
                while let Ok(length @ 1..) = from.read(&mut buffer) {
                    if muted.load(Ordering::SeqCst) {
                        // The answer to COMMIT has come, and is lost.
                        break;
                    }
                    if to.write_all(&buffer[..length]).is_err() {
                        break;
                    }
                }
                let _ = to.shutdown(Shutdown::Both);
            });
            let mut buffer = [0; 64 * 1024];
            while let Ok(length @ 1..) = client.read(&mut buffer) {
                let bytes = &buffer[..length];
                let is_commit = bytes.windows(COMMIT.len()).any(|window| window == COMMIT);
                if is_commit && count.fetch_add(1, Ordering::SeqCst) + 1 == number {
                    mute.store(true, Ordering::SeqCst);
                    dead.store(matches!(cut, Cut::AfterForGood | Cut::BeforeForGood), Ordering::SeqCst);
                    match cut {
                        Cut::Before | Cut::BeforeForGood => {}
                        Cut::After | Cut::AfterForGood => {
                            let _ = server.write_all(bytes);
                            down.join().expect("the other direction does not panic");
                            return;
                        }
                        Cut::Late(pause) => {
                            let _ = client.shutdown(Shutdown::Both);
                            thread::sleep(pause);
                            let _ = server.write_all(bytes);
                            let _ = server.read(&mut buffer);
                        }
                    }
                    let _ = client.shutdown(Shutdown::Both);
                    break;
                }
                if server.write_all(bytes).is_err() {
                    break;
                }
            }
            let _ = server.shutdown(Shutdown::Both);
            let _ = down.join();
        });
        Self { listener, commits }
    }

    /// The port to connect to instead of the server's.
    pub fn port(&self) -> u16 {
        self.listener.port()
    }

    /// How many COMMITs have come by.
    pub fn commits(&self) -> usize {
        self.commits.load(Ordering::SeqCst)
    }
}
