//! A program in a terminal, driven like a person does: keys in, a screen out. A tmux server of its own plays the
//! terminal; it stays in the foreground, so that it ends with the tests.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::process::{self, Child, Signal, User};
use super::scratch;

/// A running program and its screen; both are gone with the handle.
pub struct Terminal {
    socket: PathBuf,
    _server: Child,
    folders: (TempDir, Arc<TempDir>),
}

impl Terminal {
    /// Starts a program with these variables only, and `TERM`, in a terminal of this size (columns, rows).
    pub fn start(
        words: &[OsString],
        variables: &[(OsString, OsString)],
        cwd: &Path,
        size: (u16, u16),
        kept: Arc<TempDir>,
    ) -> Self {
        let folder = scratch::folder("terminal");
        let socket = folder.path().join("socket");
        let script = folder.path().join("run");
        fs::write(&script, script_of(words, variables, cwd, &folder.path().join("code")))
            .expect("write the program's script");
        let settings = folder.path().join("tmux.conf");
        let text = "set -g exit-empty off\nset -g status off\nset -g escape-time 0\n";
        fs::write(&settings, text).expect("write the settings of tmux");
        let mut server = process::command(process::find("tmux"), Signal::TERM, User::Own);
        server.arg("-D").arg("-S").arg(&socket).arg("-f").arg(&settings);
        server.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let server = process::spawn(server).ending_with(Signal::TERM);
        let start = Instant::now();
        while !socket.exists() {
            assert!(start.elapsed() < Duration::from_secs(10), "tmux does not start");
            thread::sleep(Duration::from_millis(2));
        }
        let terminal = Self { socket, _server: server, folders: (folder, kept) };
        let (columns, rows) = (size.0.to_string(), size.1.to_string());
        let run = quoted(script.as_os_str());
        let run = [OsStr::new("exec sh "), OsStr::from_bytes(&run)].map(OsStr::as_bytes).concat();
        let new = ["new-session", "-d", "-x", &columns, "-y", &rows].map(OsStr::new);
        terminal.tmux(&[&new[..], &[OsStr::from_bytes(&run)]].concat());
        terminal
    }

    /// Presses keys, by tmux's names (`Enter`, `C-c`, `Escape`, `Up`); what is no name is typed.
    pub fn send_keys(&self, keys: &[&str]) {
        self.tmux(&[&["send-keys", "--"], keys].concat());
    }

    /// Types text as it is, whatever it looks like.
    pub fn type_text(&self, text: &str) {
        self.tmux(&["send-keys", "-l", "--", text]);
    }

    /// What the screen shows, without trailing blanks.
    pub fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p"]).trim_end().to_owned()
    }

    /// Whether the cursor is to be seen.
    pub fn shows_cursor(&self) -> bool {
        self.tmux(&["display-message", "-p", "#{cursor_flag}"]).trim() == "1"
    }

    /// What the screen shows, with the escape sequences of its colours.
    pub fn coloured_screen(&self) -> String {
        self.tmux(&["capture-pane", "-p", "-e"]).trim_end().to_owned()
    }

    /// All that the screen has shown, with what has scrolled off.
    pub fn history(&self) -> String {
        self.tmux(&["capture-pane", "-p", "-S", "-"]).trim_end().to_owned()
    }

    /// Waits until the screen shows this text; returns the screen.
    ///
    /// # Panics
    /// When it does not within half a minute.
    pub fn wait_for(&self, text: &str) -> String {
        let start = Instant::now();
        loop {
            let screen = self.screen();
            if screen.contains(text) {
                return screen;
            }
            assert!(start.elapsed() < Duration::from_secs(30), "no {text:?} on the screen:\n{screen}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Changes the size of the terminal.
    pub fn resize(&self, columns: u16, rows: u16) {
        self.tmux(&["resize-window", "-x", &columns.to_string(), "-y", &rows.to_string()]);
    }

    /// Waits for the program's end; returns its exit code, 128 + N after signal N.
    ///
    /// # Panics
    /// When it runs for another minute.
    pub fn wait_for_exit(&self) -> i32 {
        let start = Instant::now();
        let file = self.folders.0.path().join("code");
        loop {
            // The line is whole once it has its end.
            let text = fs::read_to_string(&file).unwrap_or_default();
            if let Some(code) = text.strip_suffix('\n') {
                return code.parse().expect("the script writes a number");
            }
            assert!(start.elapsed() < Duration::from_secs(60), "still running:\n{}", self.screen());
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn tmux(&self, args: &[impl AsRef<OsStr>]) -> String {
        let mut command = process::command(process::find("tmux"), Signal::KILL, User::Own);
        command.arg("-S").arg(&self.socket).args(args);
        let output = process::run(command, b"", Duration::from_secs(10));
        assert!(output.status.success(), "tmux: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("tmux writes UTF-8")
    }
}

/// A shell script that runs the program and writes its exit code to a file: tmux 3.3 at times forgets the code, and
/// the last lines of a program that ends quickly. So the terminal stays open until it is hung up. No secret of the
/// program stands in tmux's own arguments or environment.
fn script_of(words: &[OsString], variables: &[(OsString, OsString)], cwd: &Path, code: &Path) -> Vec<u8> {
    // A handler, unlike an ignored signal, is not passed on to the program.
    let start = [b"trap : INT QUIT\ncd ", &quoted(cwd.as_os_str())[..], b" && env -i TERM=screen-256color"];
    let mut script = start.concat();
    for (name, value) in variables {
        let variable = [name.as_bytes(), b"=", value.as_bytes()].concat();
        script.push(b' ');
        script.extend(quoted(OsStr::from_bytes(&variable)));
    }
    for word in words {
        script.push(b' ');
        script.extend(quoted(word));
    }
    script.extend([b"\necho $? >", &quoted(code.as_os_str())[..], b"\nexec sleep infinity\n"].concat());
    script
}

/// In single quotes, for the shell.
fn quoted(word: &OsStr) -> Vec<u8> {
    let inner = word.as_bytes().split(|&byte| byte == b'\'').collect::<Vec<_>>().join(&b"'\\''"[..]);
    [b"'", &inner[..], b"'"].concat()
}
