//! How far a long work has come: one line on a terminal that is overwritten, and gone when the work is done.

use super::Ui;
use super::ui::Volume;
use std::cell::Cell;

/// Fewer steps than this are over before anybody reads of them.
const WORTH_IT: usize = 100;

/// So many steps pass between two looks of the line.
const STRIDE: usize = 25;

/// One work of so many steps.
pub struct Progress<'a> {
    ui: &'a Ui,
    what: &'static str,
    total: usize,
    done: Cell<usize>,
    shown: Cell<usize>,
}

impl Ui {
    /// A work of `total` steps, such as "Sealing".
    pub fn progress(&self, what: &'static str, total: usize) -> Progress<'_> {
        Progress { ui: self, what, total, done: Cell::new(0), shown: Cell::new(0) }
    }
}

impl Progress<'_> {
    /// One step more is done.
    pub fn step(&self) {
        let done = self.done.get() + 1;
        self.done.set(done);
        let watched = self.ui.talks_to_terminal() && self.ui.volume() > Volume::Quiet;
        if watched && self.total >= WORTH_IT && done.is_multiple_of(STRIDE) {
            let line = format!("{}: {done} of {}", self.what, self.total);
            self.ui.overwrite(&line);
            self.shown.set(line.len());
        }
    }
}

impl Drop for Progress<'_> {
    fn drop(&mut self) {
        if self.shown.get() > 0 {
            self.ui.overwrite(&" ".repeat(self.shown.get()));
            self.ui.overwrite("");
        }
    }
}
