//! The progress bar: on standard error, and only where that is a terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Shows how far a survey is.
pub(in crate::cli) struct Progress(ProgressBar);

impl Progress {
    /// Whether anybody would see one.
    pub(in crate::cli) fn is_visible() -> bool {
        use std::io::IsTerminal as _;
        std::io::stderr().is_terminal()
    }

    pub(in crate::cli) fn new(total: u64) -> Self {
        let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
        // The templates are constant; should one not parse, the plain bar serves.
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} tested {msg} {elapsed}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        Self(bar)
    }

    /// A bar of a rotation, with its rate and the time it will take, where somebody sees it.
    pub(in crate::cli) fn of_rotation_if_visible(total: u64) -> Self {
        if !Self::is_visible() {
            return Self::hidden();
        }
        let bar = Self::new(total);
        let template = "{bar:30} {pos}/{len} tenants {per_sec} {eta} left {msg}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.0.set_style(style);
        }
        bar
    }

    /// How many there are, once that is known.
    pub(in crate::cli) fn expect(&self, total: u64) {
        self.0.set_length(total);
    }

    /// So many more are done.
    pub(in crate::cli) fn advance_by(&self, count: u64) {
        self.0.inc(count);
    }

    /// Says what is being done now.
    pub(in crate::cli) fn say(&self, text: &'static str) {
        self.0.set_message(text);
    }

    /// Begins again.
    pub(in crate::cli) fn reset(&self) {
        self.0.reset();
    }

    /// Writes a line without disturbing the bar.
    pub(in crate::cli) fn while_away<T>(&self, work: impl FnOnce() -> T) -> T {
        self.0.suspend(work)
    }

    /// No bar at all.
    pub(in crate::cli) fn hidden() -> Self {
        Self(ProgressBar::hidden())
    }

    pub(in crate::cli) fn advance(&self, failed: usize) {
        if failed > 0 {
            self.0.set_message(format!("{failed} failed"));
        }
        self.0.inc(1);
    }

    /// Removes the bar, so that what follows stands on a clean line.
    pub(in crate::cli) fn finish(&self) {
        self.0.finish_and_clear();
    }
}
