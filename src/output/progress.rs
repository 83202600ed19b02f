//! Progress line on stderr for long tasks. Each update overwrites the line. The end of the task erases the line.

use super::Ui;
use super::ui::Volume;
use std::cell::Cell;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

/// Minimum number of steps for which a progress line is shown. Shorter tasks end before anybody can read the line.
const MIN_STEPS: usize = 10;
/// Minimum time between two updates, so that drawing takes little time.
const REDRAW_INTERVAL: Duration = Duration::from_millis(100);
/// Elapsed time after which the line shows the rate and the remaining time.
const RATE_AFTER: Duration = Duration::from_secs(1);

/// Progress of a task with a known number of steps. Dropping the value erases the line.
pub struct ProgressLine<'a> {
    ui: &'a Ui,
    label: &'static str,
    total: usize,
    done: Cell<usize>,
    failed: Cell<usize>,
    started: Instant,
    last_drawn: Cell<Option<Instant>>,
}

impl Ui {
    /// Starts the progress line of a task with `total` steps; `label` names the task, for example "Sealing".
    pub fn progress(&self, label: &'static str, total: usize) -> ProgressLine<'_> {
        let (done, failed, last_drawn) = (Cell::new(0), Cell::new(0), Cell::new(None));
        let progress = ProgressLine { ui: self, label, total, done, failed, started: Instant::now(), last_drawn };
        progress.draw();
        progress
    }
}

impl ProgressLine<'_> {
    /// Returns whether the line is shown: stderr is a terminal, the volume is normal, and the task has `MIN_STEPS`
    /// steps or more. If the line is shown, callers must not print a message for each step.
    #[must_use]
    pub fn is_visible(&self) -> bool {
        self.ui.is_stderr_terminal() && self.ui.volume() == Volume::Normal && self.total >= MIN_STEPS
    }

    /// Counts a successful step.
    pub fn step_done(&self) {
        self.done.set(self.done.get() + 1);
        self.draw();
    }

    fn draw(&self) {
        let now = Instant::now();
        if self.is_visible() && self.last_drawn.get().is_none_or(|last_drawn| now - last_drawn >= REDRAW_INTERVAL) {
            self.last_drawn.set(Some(now));
            let (done, failed) = (self.done.get(), self.failed.get());
            self.ui.show_status_line(&progress_text(self.label, done, failed, self.total, now - self.started));
        }
    }

    /// Counts a failed step, which is also a completed step.
    pub fn step_failed(&self) {
        self.failed.set(self.failed.get() + 1);
        self.step_done();
    }
}

impl Drop for ProgressLine<'_> {
    fn drop(&mut self) {
        self.ui.show_status_line("");
    }
}

/// Formats the line, such as `Signing in: 512 of 2000, 3 failed, 214 a second, 7 s left`.
fn progress_text(label: &str, done: usize, failed: usize, total: usize, elapsed: Duration) -> String {
    let failed = if failed > 0 { format!(", {failed} failed") } else { String::new() };
    let mut text = format!("{label}: {done} of {total}{failed}");
    if elapsed >= RATE_AFTER {
        #[allow(clippy::cast_precision_loss, reason = "a rate to look at")]
        let (rate, remaining) = (done as f64 / elapsed.as_secs_f64(), total.saturating_sub(done) as f64);
        let digits = usize::from(rate < 10.0);
        let _ = write!(text, ", {rate:.digits$} a second, {:.0} s left", remaining / rate);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_shows_progress_rate_and_remaining_time() {
        for (done, failed, seconds, expected) in [
            (1, 0, 0, "Signing in: 1 of 2000"),
            (12, 1, 0, "Signing in: 12 of 2000, 1 failed"),
            (500, 3, 2, "Signing in: 500 of 2000, 3 failed, 250 a second, 6 s left"),
            (5, 0, 10, "Signing in: 5 of 2000, 0.5 a second, 3990 s left"),
            (2000, 0, 10, "Signing in: 2000 of 2000, 200 a second, 0 s left"),
        ] {
            assert_eq!(progress_text("Signing in", done, failed, 2000, Duration::from_secs(seconds)), expected);
        }
    }
}
