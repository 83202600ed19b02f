//! a signal interrupts neto at any file-related system call. Every file then has its old or its new content,
//! and no temporary file remains.

use super::faults::{CASES_PER_SANDBOX, Snapshot, calls_of, is_injectable, occurrence};
use super::scale::{SeededRng, print_summary, rounds};
use super::strace::{self, TracedCall};
use super::verb::{Verb, VerbFixture};
use crate::harness::Outcome;

/// Signals that end a run, and the exit code after each.
const ENDS: [(&str, i32); 3] = [("INT", 130), ("TERM", 143), ("HUP", 129)];

/// Returns the indexes of the calls between the creation of a temporary file and its rename. A signal at these calls
/// interrupts neto while a file is half-written.
fn half_written(calls: &[TracedCall]) -> Vec<usize> {
    let mut indexes = Vec::new();
    let mut is_half_written = false;
    for (index, call) in calls.iter().enumerate() {
        let temporary = call.line.contains(".neto-tmp-");
        is_half_written = if temporary { call.line.contains("O_EXCL") } else { is_half_written };
        if is_half_written {
            indexes.push(index);
        }
    }
    indexes
}

/// Runs the fixture's command and sends this signal at the call with this index.
fn run_with_signal(fixture: &VerbFixture, calls: &[TracedCall], index: usize, signal: &str) -> Outcome {
    let name = &calls[index].name;
    let inject = format!("inject={name}:signal={signal}:when={}", occurrence(calls, name, index));
    let neto = env!("CARGO_BIN_EXE_neto");
    strace::traced(&fixture.sandbox, &[inject], neto, &fixture.arguments()).stdin(fixture.stdin()).run()
}

/// Interrupts the command with each signal at each call, or in a random share of these cases (see `scale`). Cases with
/// a half-written file have a larger share.
fn interrupt(verb: Verb) {
    if !strace::works() {
        return;
    }
    let (calls, first) = calls_of(&mut VerbFixture::new(verb));
    let half_written = half_written(&calls);
    assert!(!half_written.is_empty(), "{verb:?} makes no file");
    let others = (first..calls.len()).filter(|index| !half_written.contains(index) && is_injectable(&calls[*index]));
    let with_each = |index: usize| ENDS.map(|end| (index, end));
    let mut rng = SeededRng::new();
    let (critical, others): (Vec<_>, Vec<_>) =
        (half_written.iter().copied().flat_map(with_each).collect(), others.flat_map(with_each).collect());
    let total = critical.len() + others.len();
    // With a scale of 0.1 or more, all critical cases run.
    let critical_count = rounds(10 * critical.len(), half_written.len()).min(critical.len());
    let other_count = rounds(others.len(), 3);
    let sampled = [rng.sample(critical, critical_count), rng.sample(others, other_count)].concat();
    let mut landed = 0;
    for batch in sampled.chunks(CASES_PER_SANDBOX) {
        let mut fixture = VerbFixture::new(verb);
        let snapshot = Snapshot::capture(&fixture.sandbox);
        for (index, (signal, code)) in batch {
            snapshot.restore(&fixture.sandbox);
            fixture.prepare();
            let outcome = run_with_signal(&fixture, &calls, *index, signal);
            let line = &calls[*index].line;
            // A run that makes fewer calls than the traced run can end before the signal.
            let received = strace::received_signal(&fixture.sandbox, signal);
            let code = if received { *code } else { 0 };
            assert_eq!(outcome.exit_code(), code, "{signal} at {line}: {outcome}");
            landed += usize::from(received);
            assert_eq!(fixture.sandbox.temporary_files(), [""; 0].map(std::path::PathBuf::from), "{signal} at {line}");
            fixture.check(code);
        }
    }
    // Control: SIGKILL cannot be caught, so a kill at one of these calls leaves a temporary file.
    let mut fixture = VerbFixture::new(verb);
    fixture.prepare();
    run_with_signal(&fixture, &calls, half_written[1], "KILL").code(137);
    assert_eq!(fixture.sandbox.temporary_files().len(), 1, "{verb:?}, killed at {}", calls[half_written[1]].line);
    fixture.check(137);
    assert!(landed > sampled.len() / 2, "of {} signals only {landed} came in time", sampled.len());
    let seed = rng.seed;
    print_summary(&format!(
        "{verb:?}: {landed} interruptions of {total} (seed {seed}) by SIGINT, SIGTERM and SIGHUP, {critical_count} of them aimed at \
         a file half done: 0 leftovers, 0 files harmed, the next run works"
    ));
}

#[test]
fn r6_r18_a_login_that_is_interrupted_leaves_nothing() {
    interrupt(Verb::Login);
}

#[test]
fn r6_r18_a_refresh_that_is_interrupted_leaves_nothing() {
    interrupt(Verb::Refresh);
}

#[test]
fn r6_r18_an_addition_that_is_interrupted_leaves_nothing() {
    interrupt(Verb::Add);
}

#[test]
fn r6_r18_a_seal_that_is_interrupted_leaves_nothing() {
    interrupt(Verb::Seal);
}

#[test]
fn r6_r18_a_switch_that_is_interrupted_leaves_nothing() {
    interrupt(Verb::Use);
}
