//! The number of rounds of a stress test, reproducible random numbers, and the summary line.

use std::io::Write as _;
use std::process::Command;

/// Share of the full number of rounds that a test run executes if `NETO_TORTURE` is unset.
const DEFAULT_SCALE: f64 = 0.003;

/// Returns the scaled number of rounds: at least `minimum`, at most `full_count`. `NETO_TORTURE` sets the scale.
pub(super) fn rounds(full_count: usize, minimum: usize) -> usize {
    let scale = match std::env::var("NETO_TORTURE") {
        Ok(text) => text.parse().expect("NETO_TORTURE is a number: 1.0 is the whole of it"),
        Err(_) => DEFAULT_SCALE,
    };
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
    let scaled = (full_count as f64 * f64::max(scale, 0.0)).ceil() as usize;
    scaled.clamp(minimum.min(full_count), full_count)
}

/// Prints a summary line to standard error, even if the test harness captures output.
pub(crate) fn print_summary(line: &str) {
    let _ = writeln!(std::io::stderr(), "torture: {line}");
}

/// Prints why a test is skipped. Fails the test if `CI` is set, because CI must skip no test.
pub(crate) fn report_skipped(reason: &str) {
    print_summary(&format!("NOT TESTED: {reason}"));
    assert!(std::env::var_os("CI").is_none(), "{reason}; where CI is set nothing may be left out");
}

/// Returns whether faketime, which changes a program's clock, is installed. Reports a skipped test if not.
pub(crate) fn faketime_works() -> bool {
    let works = Command::new("faketime").arg("--version").output().is_ok_and(|output| output.status.success());
    if !works {
        report_skipped("there is no faketime (Debian's package of that name), so no clock is turned");
    }
    works
}

/// Reproducible random numbers. `NETO_TORTURE_SEED` sets the seed, and the tests print it in their summary.
pub(super) struct SeededRng {
    state: u64,
    pub(super) seed: u64,
}

impl SeededRng {
    pub(super) fn new() -> Self {
        let seed_text = std::env::var("NETO_TORTURE_SEED").ok();
        let seed = seed_text.map_or(20_261_123, |text| text.parse().expect("NETO_TORTURE_SEED is a number"));
        Self { state: seed, seed }
    }

    /// Returns a random number below `end`, computed by splitmix64. Returns 0 if `end` is 0.
    pub(super) fn below(&mut self, end: usize) -> usize {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        usize::try_from(mixed % u64::try_from(end.max(1)).expect("a count")).expect("below a count")
    }

    /// Returns at most `count` random elements in random order, each element at most once.
    pub(super) fn sample<T>(&mut self, mut all: Vec<T>, count: usize) -> Vec<T> {
        for index in (1..all.len()).rev() {
            all.swap(index, self.below(index + 1));
        }
        all.truncate(count);
        all
    }
}
