//! Limits of every run: 100 MB of memory and 35 seconds. A control checks that they take effect.

use crate::harness::{Call, Outcome, Running, Sandbox};
use crate::torture::scale::print_summary;
use std::ffi::OsStr;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// Time limit of every run.
const RUN_TIMEOUT: Duration = Duration::from_secs(35);

/// Limit of a run's address space in KiB (100 MB), which also limits its resident memory.
#[cfg(target_os = "linux")]
const MEMORY_LIMIT_KIB: &str = "97656";

/// Maximum time and memory of the runs in a list.
#[derive(Clone, Copy, Default)]
pub(super) struct PeakUsage {
    time: Duration,
    /// Peak resident memory in KiB, as last read before the end.
    memory: u64,
}

impl PeakUsage {
    pub(super) fn max(self, other: Self) -> Self {
        Self { time: self.time.max(other.time), memory: self.memory.max(other.memory) }
    }
}

impl fmt::Display for PeakUsage {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "at most {:.1} s", self.time.as_secs_f64())?;
        if self.memory > 0 {
            write!(out, " and {} MB", self.memory.div_ceil(1000))?;
        }
        Ok(())
    }
}

/// Prepares a run of a program limited to 100 MB.
pub(super) fn limited<'a>(sandbox: &'a Sandbox, program: &str, arguments: &[&str]) -> Call<'a> {
    // Other systems have no such limit.
    #[cfg(not(target_os = "linux"))]
    return sandbox.program(program, arguments);
    #[cfg(target_os = "linux")]
    // The path of the shell is absolute. To look up a name, Rust would fork this whole process.
    sandbox.program(
        "/bin/sh",
        ["-c", "ulimit -v \"$0\" && exec \"$@\"", MEMORY_LIMIT_KIB, program].iter().chain(arguments).map(OsStr::new),
    )
}

/// Waits for all runs of a program. Returns the outcomes (`None` if the run printed a secret, already reported) and the
/// peak usage.
pub(super) fn finish(program: &str, mut runs: Vec<Running<'_>>) -> (Vec<Option<Outcome>>, PeakUsage) {
    let (started, mut peak) = (Instant::now(), PeakUsage::default());
    while !runs.iter_mut().map(Running::has_ended).fold(true, |all, one| all & one) {
        let memory = runs.iter().filter_map(|run| peak_memory(program, run.id())).max().unwrap_or_default();
        peak = peak.max(PeakUsage { time: started.elapsed(), memory });
        assert!(peak.time < RUN_TIMEOUT, "a run takes longer than {} s", RUN_TIMEOUT.as_secs());
        std::thread::sleep(Duration::from_millis(5));
    }
    let outcomes = runs.into_iter().map(|run| catch_unwind(AssertUnwindSafe(|| run.finish())).ok());
    (outcomes.collect(), peak)
}

/// Returns the peak resident memory of a living process in KiB, once the process has become `program`.
#[cfg(target_os = "linux")]
fn peak_memory(program: &str, id: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    status.lines().find(|line| line.strip_prefix("Name:").is_some_and(|name| name.trim() == program))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

#[cfg(not(target_os = "linux"))]
fn peak_memory(_: &str, _: u32) -> Option<u64> {
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
    let (outcomes, peak) = finish("dd", vec![takes("60M").start()]);
    assert!(outcomes.iter().flatten().all(|outcome| outcome.exit_code() == 0));
    // The last sample may come before the end.
    print_summary(&format!(
        "answers: control, a program that takes 200 MB fails under the limit; one with 60 MB was seen with {peak}"
    ));
}
