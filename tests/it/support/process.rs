//! Child processes that never outlive the tests, also not those of a test process that was killed with -9.
//!
//! Linux signals a child when the *thread* that spawned it ends (`PR_SET_PDEATHSIG`), and the threads of the test
//! harness are short-lived. So all children are spawned by one thread that lives as long as the process, through
//! `setpriv` (util-linux), which sets the signal and, as root, changes to the user `postgres` for the servers that
//! refuse to run as root.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::process::{ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{OnceLock, mpsc};
use std::thread;
use std::time::{Duration, Instant};

pub use rustix::process::Signal;
use rustix::process::{Pid, kill_process};

pub use super::machine::{find, search_path, server_ids};

type Job = (Command, mpsc::Sender<io::Result<std::process::Child>>);

/// Whose rights a child has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum User {
    /// The user of the tests.
    Own,
    /// The user `postgres` when the tests run as root, else the user of the tests.
    Server,
}

/// A command that gets `at_death` when this process ends, an environment with nothing but a search path and a
/// locale, and a process group of its own. It may be given arguments, variables and streams like any other.
pub fn command(program: impl AsRef<OsStr>, at_death: Signal, user: User) -> Command {
    let mut command = Command::new(find("setpriv"));
    let name = match at_death {
        Signal::KILL => "KILL",
        Signal::QUIT => "QUIT",
        Signal::TERM => "TERM",
        other => panic!("no child is ended with {other:?}"),
    };
    command.arg("--pdeathsig").arg(name).current_dir("/");
    if let (User::Server, Some((uid, gid))) = (user, server_ids()) {
        command.args([format!("--reuid={uid}"), format!("--regid={gid}"), "--init-groups".to_owned()]);
    }
    command.arg("--").arg(program).env_clear().env("PATH", search_path()).env("LC_ALL", "C.UTF-8");
    command.process_group(0);
    command
}

/// Spawns a command made by [`command`] from the thread that lives as long as the process.
pub fn spawn(command: Command) -> Child {
    static SPAWNER: OnceLock<mpsc::Sender<Job>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (jobs, inbox) = mpsc::channel::<Job>();
        let work = move || {
            for (mut command, answer) in inbox {
                // The asker waits for the answer, so it is there to take it.
                let _ = answer.send(command.spawn());
            }
        };
        thread::Builder::new().name("spawner".to_owned()).spawn(work).expect("start the spawning thread");
        jobs
    });
    let (answer, outcome) = mpsc::channel();
    let what = format!("{command:?}");
    spawner.send((command, answer)).expect("the spawning thread never ends");
    let child = outcome.recv().expect("the spawning thread answers");
    Child {
        child: child.unwrap_or_else(|error| panic!("cannot spawn {what}: {error}")),
        at_drop: Signal::KILL,
    }
}

/// Runs a command made by [`command`] to its end, with `input` on its standard input.
///
/// # Panics
/// When it has not ended within `limit`; the message has what it wrote so far.
pub fn run(mut command: Command, input: &[u8], limit: Duration) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let what = format!("{command:?}");
    let mut child = spawn(command);
    let (stdin, stdout, stderr) = child.pipes();
    let (mut stdin, input) = (stdin.expect("a piped standard input"), input.to_vec());
    // Whoever closes its standard input unread has said enough about it.
    thread::spawn(move || drop(stdin.write_all(&input)));
    let readers = (read_all(stdout.expect("a piped stdout")), read_all(stderr.expect("a piped stderr")));
    let status = child.wait_for(limit);
    if status.is_none() {
        child.kill();
    }
    let read = |reader: thread::JoinHandle<Vec<u8>>| reader.join().expect("a reader does not panic");
    let (stdout, stderr) = (read(readers.0), read(readers.1));
    let status = status.unwrap_or_else(|| {
        let [out, err] = [&stdout, &stderr].map(|bytes| String::from_utf8_lossy(bytes));
        panic!("still running after {limit:?}: {what}\nstdout: {out}\nstderr: {err}")
    });
    Output { status, stdout, stderr }
}

fn read_all(mut pipe: impl Read + Send + 'static) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).expect("read a child's output");
        bytes
    })
}

/// A running child: signalled and waited for when dropped.
pub struct Child {
    child: std::process::Child,
    at_drop: Signal,
}

impl Child {
    /// The signal that a drop sends, instead of SIGKILL.
    pub fn ending_with(mut self, signal: Signal) -> Self {
        self.at_drop = signal;
        self
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The child's ends of those streams that are pipes, once.
    pub fn pipes(&mut self) -> (Option<ChildStdin>, Option<ChildStdout>, Option<ChildStderr>) {
        (self.child.stdin.take(), self.child.stdout.take(), self.child.stderr.take())
    }

    /// Sends a signal; a child that has ended does not mind.
    pub fn signal(&mut self, signal: Signal) {
        if self.try_wait().is_none() {
            // The process is not reaped yet, so the id is still its own.
            let _ = kill_process(Pid::from_child(&self.child), signal);
        }
    }

    /// SIGKILL, and waits.
    pub fn kill(&mut self) -> ExitStatus {
        self.signal(Signal::KILL);
        self.wait()
    }

    /// SIGTERM, and waits; SIGKILL when it has not ended after ten seconds.
    pub fn terminate(&mut self) -> ExitStatus {
        self.end_with(Signal::TERM)
    }

    /// Waits for the end.
    pub fn wait(&mut self) -> ExitStatus {
        self.child.wait().expect("wait for a child")
    }

    /// How it ended, if it has.
    pub fn try_wait(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("ask for the state of a child")
    }

    /// Waits up to `limit` for the end.
    pub fn wait_for(&mut self, limit: Duration) -> Option<ExitStatus> {
        let start = Instant::now();
        let mut pause = Duration::from_micros(200);
        loop {
            match self.try_wait() {
                None if start.elapsed() < limit => thread::sleep(pause),
                state => return state,
            }
            pause = (pause * 2).min(Duration::from_millis(10));
        }
    }

    fn end_with(&mut self, signal: Signal) -> ExitStatus {
        self.signal(signal);
        self.wait_for(Duration::from_secs(10)).unwrap_or_else(|| self.kill())
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.end_with(self.at_drop);
    }
}

/// Sends a signal to a process of ours that is not a child; one that has ended does not mind.
pub fn signal(id: u32, signal: Signal) {
    let id = i32::try_from(id).ok().and_then(Pid::from_raw).expect("a process id");
    let _ = kill_process(id, signal);
}

/// The ids of the children of a process.
pub fn children_of(parent: u32) -> Vec<u32> {
    // After the name, which ends with the last bracket, come the state and the parent's id (proc(5)).
    let parent_of = |id: u32| {
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse::<u32>().ok()
    };
    let processes = fs::read_dir("/proc").expect("list the processes").flatten();
    let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.filter(|&id| parent_of(id) == Some(parent)).collect()
}

/// A port on 127.0.0.1 that nobody listens on, below those the kernel gives to outgoing connections: a server may
/// stop and start on it again, and no other call here returns it.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Test processes side by side begin in different places.
    let first = u16::try_from(std::process::id().wrapping_mul(97) % 20_000).expect("below 20,000");
    (0..20_000)
        .map(|_| 10_000 + (first + NEXT.fetch_add(1, Ordering::Relaxed) % 20_000) % 20_000)
        .find(|&port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok())
        .expect("a free port")
}

/// Waits until something accepts connections on the port.
///
/// # Panics
/// When nothing does within `limit`.
pub fn wait_for_port(port: u16, limit: Duration) {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let start = Instant::now();
    while TcpStream::connect_timeout(&address, limit).is_err() {
        assert!(start.elapsed() < limit, "nothing listens on port {port} after {limit:?}");
        thread::sleep(Duration::from_millis(2));
    }
}
