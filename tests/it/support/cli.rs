//! The binary as an operator runs it: its arguments and nothing else. The environment is empty but for a search path
//! and an empty home, and it stands in an empty folder.

use std::ffi::OsString;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;

use super::heard::Heard;
use super::process::{self, Child, Signal, User};
use super::scratch;
use super::terminal::Terminal;

/// How long a run may take before it counts as hanging.
const LIMIT: Duration = Duration::from_secs(60);

/// A command line that is being put together. It may be run more than once, in the same home and folder.
#[derive(Clone)]
pub struct Cli {
    args: Vec<OsString>,
    variables: Vec<(OsString, OsString)>,
    stdin: Vec<u8>,
    cwd: PathBuf,
    /// A program and its arguments, which runs the binary.
    before: Vec<OsString>,
    folders: Arc<TempDir>,
}

impl Cli {
    /// The binary with these arguments.
    pub fn new<I: IntoIterator<Item: Into<OsString>>>(args: I) -> Self {
        let folders = scratch::folder("cli");
        let cwd = folders.path().join("work");
        fs::create_dir(&cwd).expect("make a working directory");
        fs::create_dir(folders.path().join("home")).expect("make a home");
        let args = args.into_iter().map(Into::into).collect();
        let (variables, stdin, before) = (Vec::new(), Vec::new(), Vec::new());
        Self { args, variables, stdin, cwd, before, folders: Arc::new(folders) }
    }

    /// Adds an argument.
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Sets a variable of the environment.
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.variables.push((name.into(), value.into()));
        self
    }

    /// What it reads from standard input; at first nothing.
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    /// The folder it runs in, instead of an empty one.
    pub fn cwd(mut self, folder: impl Into<PathBuf>) -> Self {
        self.cwd = folder.into();
        self
    }

    /// How many files it may have open.
    pub fn files(self, most: u32) -> Self {
        self.behind([process::find("prlimit").into(), format!("--nofile={most}:{most}").into(), "--".into()])
    }

    /// The program that runs it, with the arguments before its own.
    pub fn behind(mut self, words: impl Into<Vec<OsString>>) -> Self {
        self.before = words.into();
        self
    }

    /// The folder it will run in.
    pub fn folder(&self) -> &Path {
        &self.cwd
    }

    /// Its home.
    pub fn home(&self) -> PathBuf {
        self.folders.path().join("home")
    }

    /// Runs it to its end.
    ///
    /// # Panics
    /// When that takes a minute; the message has what it wrote.
    pub fn run(&self) -> Ran {
        let output = process::run(self.command(), &self.stdin, LIMIT);
        Ran::new(output.status, &output.stdout, &output.stderr)
    }

    /// Starts it, for signals and for whatever goes on meanwhile.
    pub fn spawn(&self) -> Running {
        let mut command = self.command();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = process::spawn(command);
        let (stdin, stdout, stderr) = child.pipes();
        let mut stdin = stdin.expect("a piped standard input");
        // The caller's input fits a pipe; it may write more, and closes it.
        stdin.write_all(&self.stdin).expect("write to the binary's standard input");
        let stdout = Heard::listen(stdout.expect("a piped stdout"));
        let stderr = Heard::listen(stderr.expect("a piped stderr"));
        Running { child, stdin: Some(stdin), stdout, stderr, _folders: Arc::clone(&self.folders) }
    }

    /// Starts it in a terminal of this size.
    pub fn in_terminal(&self, columns: u16, rows: u16) -> Terminal {
        let mut words = vec![OsString::from(env!("CARGO_BIN_EXE_boothds"))];
        words.extend(self.args.iter().cloned());
        Terminal::start(&words, &self.environment(), &self.cwd, (columns, rows), Arc::clone(&self.folders))
    }

    fn environment(&self) -> Vec<(OsString, OsString)> {
        let own = [("PATH".into(), process::search_path()), ("HOME".into(), self.home().into_os_string())];
        own.into_iter().chain(self.variables.iter().cloned()).collect()
    }

    fn command(&self) -> Command {
        let mut words = self.before.iter().cloned().chain([env!("CARGO_BIN_EXE_boothds").into()]);
        let program = words.next().expect("the binary at least");
        let mut command = process::command(program, Signal::KILL, User::Own);
        command.args(words);
        command.env_clear().envs(self.environment()).args(&self.args).current_dir(&self.cwd);
        command
    }
}

/// What a run left.
#[derive(Debug)]
pub struct Ran {
    /// The exit code; nothing when a signal ended it.
    pub code: Option<i32>,
    /// What it wrote to stdout.
    pub stdout: String,
    /// What it wrote to stderr.
    pub stderr: String,
}

impl Ran {
    fn new(status: ExitStatus, stdout: &[u8], stderr: &[u8]) -> Self {
        let text = |bytes: &[u8]| str::from_utf8(bytes).expect("the binary writes UTF-8").to_owned();
        Self { code: status.code(), stdout: text(stdout), stderr: text(stderr) }
    }

    /// stdout as a JSON document.
    ///
    /// # Panics
    /// When it is not one document; the message has both outputs.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("stdout is no JSON: {error}\n{self:?}"))
    }

    /// stdout as a JSON document a line.
    ///
    /// # Panics
    /// When a line is none.
    pub fn json_lines(&self) -> Vec<serde_json::Value> {
        let value =
            |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("no JSON: {error}\n{self:?}"));
        self.stdout.lines().map(value).collect()
    }

    /// The same run, when it ended with this code.
    ///
    /// # Panics
    /// When it ended otherwise; the message has both outputs.
    pub fn expect_code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }
}

/// A run that goes on; killed when dropped.
pub struct Running {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Heard,
    stderr: Heard,
    _folders: Arc<TempDir>,
}

impl Running {
    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal.
    pub fn signal(&mut self, signal: Signal) {
        self.child.signal(signal);
    }

    /// Writes to its standard input.
    pub fn write(&mut self, bytes: &[u8]) {
        let stdin = self.stdin.as_mut().expect("standard input is open");
        stdin.write_all(bytes).expect("write to the binary's standard input");
    }

    /// Closes its standard input.
    pub fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// Waits until stdout has this text; returns all of it so far.
    pub fn wait_for_stdout(&self, text: &str) -> String {
        self.stdout.wait_for(text)
    }

    /// Waits until stderr has this text; returns all of it so far.
    pub fn wait_for_stderr(&self, text: &str) -> String {
        self.stderr.wait_for(text)
    }

    /// Closes its standard input and waits for its end.
    ///
    /// # Panics
    /// When that takes a minute.
    pub fn wait(mut self) -> Ran {
        self.close_stdin();
        let ended = self.child.wait_for(LIMIT);
        let hangs = ended.is_none();
        let status = ended.unwrap_or_else(|| self.child.kill());
        let (stdout, stderr) = (self.stdout.all(), self.stderr.all());
        let ran = Ran::new(status, &stdout, &stderr);
        assert!(!hangs, "still running after {LIMIT:?}: {ran:#?}");
        ran
    }
}
