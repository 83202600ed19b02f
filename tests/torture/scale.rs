//! The number of rounds of a test, its random choices and its summary line.

use std::io::Write as _;
use std::process::Command;

/// Share of the full number of rounds that an ordinary test run covers.
const ORDINARY: f64 = 0.003;

/// Returns the scaled share of `full`, but at least `least`.
pub(super) fn rounds(full: usize, least: usize) -> usize {
    let scale = match std::env::var("NETO_TORTURE") {
        Ok(text) => text.parse().expect("NETO_TORTURE is a number: 1.0 is the whole of it"),
        Err(_) => ORDINARY,
    };
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
    let part = (full as f64 * f64::max(scale, 0.0)).ceil() as usize;
    part.clamp(least.min(full), full)
}

/// Prints a line even if the test output is captured, because reports quote it.
pub(crate) fn print_summary(line: &str) {
    let _ = writeln!(std::io::stderr(), "torture: {line}");
}

/// Prints that a test was skipped because a tool is missing; fails in CI.
pub(crate) fn report_skipped(what: &str) {
    print_summary(&format!("NOT TESTED: {what}"));
    assert!(std::env::var_os("CI").is_none(), "{what}; where CI is set nothing may be left out");
}

/// Returns whether faketime, which changes a program's clock, is installed. Prints a line if not.
pub(crate) fn faketime_works() -> bool {
    let works = Command::new("faketime").arg("--version").output().is_ok_and(|output| output.status.success());
    if !works {
        report_skipped("there is no faketime (Debian's package of that name), so no clock is turned");
    }
    works
}

/// Reproducible random numbers. The seed is printed, and `NETO_TORTURE_SEED` sets it.
pub(super) struct SeededRng {
    state: u64,
    pub(super) seed: u64,
}

impl SeededRng {
    pub(super) fn new() -> Self {
        let given = std::env::var("NETO_TORTURE_SEED").ok();
        let seed = given.map_or(20_261_123, |text| text.parse().expect("NETO_TORTURE_SEED is a number"));
        Self { state: seed, seed }
    }

    /// Returns a number below `end` (splitmix64).
    pub(super) fn below(&mut self, end: usize) -> usize {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        usize::try_from(mixed % u64::try_from(end.max(1)).expect("a count")).expect("below a count")
    }

    /// Returns `count` elements in random order, none of them twice.
    pub(super) fn sample<T>(&mut self, mut all: Vec<T>, count: usize) -> Vec<T> {
        for place in (1..all.len()).rev() {
            all.swap(place, self.below(place + 1));
        }
        all.truncate(count);
        all
    }
}
