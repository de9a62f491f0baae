//! Time and processor time of a program with all that it starts, as the shell's `time` reports them.

use std::ffi::OsStr;
use std::time::Duration;

use crate::support::process::{self, Signal, User};

/// How long one run may take.
const LIMIT: Duration = Duration::from_secs(120);

/// What a run took, milliseconds.
#[derive(Clone, Copy)]
pub struct Timed {
    /// From its start to its end.
    pub wall: f64,
    /// Processor time, in user and in kernel mode, with that of its children.
    pub cpu: f64,
}

impl Timed {
    /// The best of each.
    pub fn best(runs: &[Self]) -> Self {
        let best = |of: fn(&Self) -> f64| crate::measure::best(runs.iter().map(of));
        Self { wall: best(|run| run.wall), cpu: best(|run| run.cpu) }
    }
}

/// A count as a number to divide by.
pub fn count(things: usize) -> f64 {
    f64::from(u32::try_from(things).expect("no benchmark counts to four thousand million"))
}

/// Runs a program with these variables and this input; its output goes nowhere.
///
/// # Panics
/// When it fails.
pub fn run<A: AsRef<OsStr>>(words: &[A], variables: &[(&str, String)], input: &str) -> Timed {
    let mut command = process::command(process::find("bash"), Signal::KILL, User::Own);
    command.args(["-c", "TIMEFORMAT='%3R %3U %3S'; time \"$@\" >/dev/null", "timed"]).args(words);
    command.envs(variables.iter().map(|(name, value)| (name, value)));
    let output = process::run(command, input.as_bytes(), LIMIT);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {said}", words[0].as_ref().display());
    let times: Vec<f64> = said
        .lines()
        .last()
        .unwrap_or_default()
        .split(' ')
        .map(|time| time.parse::<f64>().expect("the shell prints seconds") * 1e3)
        .collect();
    let [wall, user, kernel] = times[..] else { panic!("the shell's `time` prints three numbers: {said}") };
    Timed { wall, cpu: user + kernel }
}
