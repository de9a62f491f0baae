//! The peak of the memory that one run of the binary takes.

use std::fs;
use std::thread;
use std::time::Duration;

use crate::support::cli::Cli;

/// Megabytes of one run at its most, by the kernel's own high-water mark, read until the process has none.
pub fn peak(cli: &Cli) -> f64 {
    let running = cli.spawn();
    let file = format!("/proc/{}/status", running.id());
    let mut peak = 0;
    loop {
        let status = fs::read_to_string(&file).unwrap_or_default();
        let mark = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let Some(kilobytes) = mark.and_then(|mark| mark.trim().strip_suffix(" kB")) else { break };
        peak = peak.max(kilobytes.parse::<u32>().expect("a number of kB"));
        thread::sleep(Duration::from_micros(300));
    }
    running.wait().expect_code(0);
    assert!(peak > 0, "the high-water mark was read");
    f64::from(peak) / 1000.0
}
