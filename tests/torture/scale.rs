//! How much of a round is run, and what it says at its end.

use std::io::Write as _;
use std::process::Command;

/// Of the full numbers, what the ordinary suite runs.
const ORDINARY: f64 = 0.003;

/// So much of `full`, at least `least`.
pub(super) fn rounds(full: usize, least: usize) -> usize {
    let scale = match std::env::var("NETO_TORTURE") {
        Ok(text) => text.parse().expect("NETO_TORTURE is a number: 1.0 is the whole of it"),
        Err(_) => ORDINARY,
    };
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
    let part = (full as f64 * f64::max(scale, 0.0)).ceil() as usize;
    part.clamp(least.min(full), full)
}

/// Says it even where the tests' output is captured: what was run is part of what is promised.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "torture: {line}");
}

/// Something that a test needs is not here. Aloud; where CI runs, it fails.
pub(crate) fn say_not_tested(what: &str) {
    say(&format!("NOT TESTED: {what}"));
    assert!(std::env::var_os("CI").is_none(), "{what}; where CI is set nothing may be left out");
}

/// Whether there is a faketime, which turns a program's clock; says so if not.
pub(crate) fn faketime_works() -> bool {
    let works = Command::new("faketime").arg("--version").output().is_ok_and(|output| output.status.success());
    if !works {
        say_not_tested("there is no faketime (Debian's package of that name), so no clock is turned");
    }
    works
}

/// Chance that can be had again: its seed is said, and `NETO_TORTURE_SEED` sets it.
pub(super) struct Dice {
    state: u64,
    pub(super) seed: u64,
}

impl Dice {
    pub(super) fn new() -> Self {
        let given = std::env::var("NETO_TORTURE_SEED").ok();
        let seed = given.map_or(20_261_123, |text| text.parse().expect("NETO_TORTURE_SEED is a number"));
        Self { state: seed, seed }
    }

    /// A number below `end` (splitmix64).
    pub(super) fn below(&mut self, end: usize) -> usize {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        usize::try_from(mixed % u64::try_from(end.max(1)).expect("a count")).expect("below a count")
    }

    /// So many of them, none twice, in any order.
    pub(super) fn draw<T>(&mut self, mut all: Vec<T>, count: usize) -> Vec<T> {
        for place in (1..all.len()).rev() {
            all.swap(place, self.below(place + 1));
        }
        all.truncate(count);
        all
    }
}
