//! Connections that only stand there: some say nothing, some say a byte of a request each second. The server ends them
//! after a while, and each is opened anew at once.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::time::sleep;

use crate::PATH;

/// Between two bytes of the slow.
const PAUSE: Duration = Duration::from_secs(1);
/// Between two looks at how many there are.
const SAMPLE: Duration = Duration::from_millis(100);
/// How long a crowd may take to gather.
const GATHER: Duration = Duration::from_secs(30);

#[derive(Default)]
struct Counts {
    open: AtomicUsize,
    opened: AtomicUsize,
    fewest: AtomicUsize,
}

/// A crowd at one server.
pub struct Crowd {
    counts: Arc<Counts>,
    size: usize,
    _runtime: Runtime,
}

/// What became of a crowd.
pub struct Seen {
    /// The fewest connections that were open at any look since all had come.
    pub fewest: usize,
    /// How many were opened again.
    pub renewed: usize,
}

impl Crowd {
    /// Opens the connections and returns when all are open.
    ///
    /// # Panics
    /// When they are not after half a minute.
    pub fn gather(port: u16, idle: usize, slow: usize) -> Self {
        let runtime =
            Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("start a runtime");
        let counts = Arc::new(Counts::default());
        for number in 0..idle + slow {
            let (counts, slow) = (Arc::clone(&counts), number >= idle);
            runtime.spawn(async move {
                loop {
                    match TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await {
                        Ok(stream) => stand(stream, slow, &counts, port).await,
                        Err(_) => sleep(Duration::from_millis(10)).await,
                    }
                }
            });
        }
        let (start, size) = (Instant::now(), idle + slow);
        while counts.open.load(Ordering::SeqCst) < size {
            assert!(start.elapsed() < GATHER, "{size} connections could not be opened");
            thread::sleep(Duration::from_millis(10));
        }
        counts.fewest.store(size, Ordering::SeqCst);
        let watched = Arc::clone(&counts);
        runtime.spawn(async move {
            loop {
                watched.fewest.fetch_min(watched.open.load(Ordering::SeqCst), Ordering::SeqCst);
                sleep(SAMPLE).await;
            }
        });
        Self { counts, size, _runtime: runtime }
    }

    /// What became of it so far.
    pub fn seen(&self) -> Seen {
        let load = |count: &AtomicUsize| count.load(Ordering::SeqCst);
        Seen { fewest: load(&self.counts.fewest), renewed: load(&self.counts.opened) - self.size }
    }
}

/// Stands there until the server ends it.
async fn stand(mut stream: TcpStream, slow: bool, counts: &Counts, port: u16) {
    counts.opened.fetch_add(1, Ordering::SeqCst);
    counts.open.fetch_add(1, Ordering::SeqCst);
    let (mut reader, mut writer) = stream.split();
    let ended = async {
        let mut answer = [0; 256];
        while reader.read(&mut answer).await.is_ok_and(|bytes| bytes > 0) {}
    };
    let speak = async {
        let request =
            format!("GET {PATH} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nX-Slow: {}\r\n\r\n", "x".repeat(4096));
        for byte in request.bytes() {
            if !slow || writer.write_all(&[byte]).await.is_err() {
                break;
            }
            sleep(PAUSE).await;
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = ended => {}
        () = speak => {}
    }
    counts.open.fetch_sub(1, Ordering::SeqCst);
}
