//! No run may take more than 100 MB of memory or 35 seconds, and the control that such a run would be caught.

use crate::harness::{Call, Outcome, Running, Sandbox};
use crate::torture::scale::say;
use std::ffi::OsStr;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// No run takes longer.
const LONGEST: Duration = Duration::from_secs(35);

/// The address space of a run, in KiB: 100 MB. What is resident cannot be more.
#[cfg(target_os = "linux")]
const MEMORY: &str = "97656";

/// What the runs of a list took at most.
#[derive(Clone, Copy, Default)]
pub(super) struct Most {
    time: Duration,
    /// Resident, in KiB, as last seen before the end: the system keeps the highest.
    memory: u64,
}

impl Most {
    pub(super) fn or(self, other: Self) -> Self {
        Self { time: self.time.max(other.time), memory: self.memory.max(other.memory) }
    }
}

impl fmt::Display for Most {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "at most {:.1} s", self.time.as_secs_f64())?;
        if self.memory > 0 {
            write!(out, " and {} MB", self.memory.div_ceil(1000))?;
        }
        Ok(())
    }
}

/// A run of a program that gets no more than 100 MB.
pub(super) fn limited<'a>(sandbox: &'a Sandbox, program: &str, arguments: &[&str]) -> Call<'a> {
    // Where the system knows no such limit, the run is made without.
    #[cfg(not(target_os = "linux"))]
    return sandbox.program(program, arguments);
    #[cfg(target_os = "linux")]
    // By its path: a program that must be looked for is started by a copy of this whole process.
    sandbox.program(
        "/bin/sh",
        ["-c", "ulimit -v \"$0\" && exec \"$@\"", MEMORY, program].iter().chain(arguments).map(OsStr::new),
    )
}

/// Waits for all runs of a program; what came of each (None: it showed a secret, which was said), and what they took.
pub(super) fn finish(program: &str, mut runs: Vec<Running<'_>>) -> (Vec<Option<Outcome>>, Most) {
    let (started, mut most) = (Instant::now(), Most::default());
    while !runs.iter_mut().map(Running::is_over).fold(true, |all, one| all & one) {
        let memory = runs.iter().filter_map(|run| resident(program, run.id())).max().unwrap_or_default();
        most = most.or(Most { time: started.elapsed(), memory });
        assert!(most.time < LONGEST, "a run takes longer than {} s", LONGEST.as_secs());
        std::thread::sleep(Duration::from_millis(5));
    }
    let outcomes = runs.into_iter().map(|run| catch_unwind(AssertUnwindSafe(|| run.finish())).ok());
    (outcomes.collect(), most)
}

/// The most that a living process had in memory at once, in KiB, once it has become the program that was meant.
#[cfg(target_os = "linux")]
fn resident(program: &str, id: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    status.lines().find(|line| line.strip_prefix("Name:").is_some_and(|name| name.trim() == program))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

#[cfg(not(target_os = "linux"))]
fn resident(_: &str, _: u32) -> Option<u64> {
    None
}

#[cfg(target_os = "linux")]
#[test]
fn control_a_program_that_takes_200_mb_is_caught() {
    let sandbox = Sandbox::new();
    let takes =
        |size: &str| limited(&sandbox, "dd", &["if=/dev/zero", "of=/dev/null", &format!("bs={size}"), "count=1"]);
    takes("20M").run().code(0);
    takes("200M").run().code(1).stderr_has("memory");
    let (outcomes, most) = finish("dd", vec![takes("60M").start()]);
    assert!(outcomes.iter().flatten().all(|outcome| outcome.exit_code() == 0));
    // The last look may come before the end.
    say(&format!(
        "answers: control, a program that takes 200 MB fails under the limit; one with 60 MB was seen with {most}"
    ));
}
