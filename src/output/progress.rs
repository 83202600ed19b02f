//! How far a long work has come: one line on a terminal that is overwritten, and gone when the work is done.

use super::Ui;
use super::ui::Volume;
use std::cell::Cell;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

/// Fewer steps than this are over before anybody reads of them.
const WORTH_IT: usize = 10;
/// The line changes no oftener, so that it costs nothing.
const PAUSE: Duration = Duration::from_millis(100);
/// Nothing is said of the time left before this has gone by.
const KNOWN_AFTER: Duration = Duration::from_secs(1);

/// One work of so many steps.
pub struct Progress<'a> {
    ui: &'a Ui,
    what: &'static str,
    total: usize,
    done: Cell<usize>,
    failed: Cell<usize>,
    began: Instant,
    drawn: Cell<Option<Instant>>,
}

impl Ui {
    /// A work of `total` steps, such as "Sealing".
    pub fn progress(&self, what: &'static str, total: usize) -> Progress<'_> {
        let (done, failed, drawn) = (Cell::new(0), Cell::new(0), Cell::new(None));
        let progress = Progress { ui: self, what, total, done, failed, began: Instant::now(), drawn };
        progress.draw();
        progress
    }
}

impl Progress<'_> {
    /// Whether there is a line, so that not every step has to be told otherwise.
    #[must_use]
    pub fn is_shown(&self) -> bool {
        self.ui.talks_to_terminal() && self.ui.volume() == Volume::Normal && self.total >= WORTH_IT
    }

    /// One step more is done.
    pub fn step(&self) {
        self.done.set(self.done.get() + 1);
        self.draw();
    }

    fn draw(&self) {
        let now = Instant::now();
        if self.is_shown() && self.drawn.get().is_none_or(|drawn| now - drawn >= PAUSE) {
            self.drawn.set(Some(now));
            let (done, failed) = (self.done.get(), self.failed.get());
            self.ui.show_line(&line(self.what, done, failed, self.total, now - self.began));
        }
    }

    /// One step more is done, in vain.
    pub fn failed(&self) {
        self.failed.set(self.failed.get() + 1);
        self.step();
    }
}

impl Drop for Progress<'_> {
    fn drop(&mut self) {
        self.ui.show_line("");
    }
}

/// `Signing in: 512 of 2000, 3 failed, 214 a second, 7 s left`.
fn line(what: &str, done: usize, failed: usize, total: usize, elapsed: Duration) -> String {
    let failed = if failed > 0 { format!(", {failed} failed") } else { String::new() };
    let mut line = format!("{what}: {done} of {total}{failed}");
    if elapsed >= KNOWN_AFTER {
        #[allow(clippy::cast_precision_loss, reason = "a rate to look at")]
        let (rate, rest) = (done as f64 / elapsed.as_secs_f64(), total.saturating_sub(done) as f64);
        let digits = usize::from(rate < 10.0);
        let _ = write!(line, ", {rate:.digits$} a second, {:.0} s left", rest / rate);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_how_far_how_fast_and_how_long() {
        for (done, failed, seconds, told) in [
            (1, 0, 0, "Signing in: 1 of 2000"),
            (12, 1, 0, "Signing in: 12 of 2000, 1 failed"),
            (500, 3, 2, "Signing in: 500 of 2000, 3 failed, 250 a second, 6 s left"),
            (5, 0, 10, "Signing in: 5 of 2000, 0.5 a second, 3990 s left"),
            (2000, 0, 10, "Signing in: 2000 of 2000, 200 a second, 0 s left"),
        ] {
            assert_eq!(line("Signing in", done, failed, 2000, Duration::from_secs(seconds)), told);
        }
    }
}
