//! a signal ends neto at any system call. Every file then has its old or its new content, and no temporary
//! file remains.

use super::faults::{BATCH, Snapshot, calls_of, is_injectable, occurrence};
use super::scale::{SeededRng, print_summary, rounds};
use super::strace::{self, TracedCall};
use super::verb::{Verb, VerbFixture};
use crate::harness::Outcome;

/// Signals that end a run, and the exit codes.
const ENDS: [(&str, i32); 3] = [("INT", 130), ("TERM", 143), ("HUP", 129)];

/// Indexes of the calls between the creation of each temporary file and its rename. A signal there finds a half-written
/// file.
fn half_done(calls: &[TracedCall]) -> Vec<usize> {
    let mut found = Vec::new();
    let mut open = false;
    for (place, call) in calls.iter().enumerate() {
        let temporary = call.line.contains(".neto-tmp-");
        open = if temporary { call.line.contains("O_EXCL") } else { open };
        if open {
            found.push(place);
        }
    }
    found
}

/// Runs the fixture's verb with this signal at this call.
fn interrupted(fixture: &VerbFixture, calls: &[TracedCall], place: usize, signal: &str) -> Outcome {
    let name = &calls[place].name;
    let inject = format!("inject={name}:signal={signal}:when={}", occurrence(calls, name, place));
    let neto = env!("CARGO_BIN_EXE_neto");
    strace::traced(&fixture.sandbox, &[inject], neto, &fixture.arguments()).stdin(fixture.stdin()).run()
}

/// Ends the verb by each signal at each call, or at the share of cases that the scale selects. Calls with a
/// half-written file are preferred.
fn interrupt(verb: Verb) {
    if !strace::works() {
        return;
    }
    let (calls, first) = calls_of(&mut VerbFixture::new(verb));
    let half_done = half_done(&calls);
    assert!(!half_done.is_empty(), "{verb:?} makes no file");
    let others = (first..calls.len()).filter(|place| !half_done.contains(place) && is_injectable(&calls[*place]));
    let with_each = |place: usize| ENDS.map(|end| (place, end));
    let mut rng = SeededRng::new();
    let (critical, others): (Vec<_>, Vec<_>) =
        (half_done.iter().copied().flat_map(with_each).collect(), others.flat_map(with_each).collect());
    let total = critical.len() + others.len();
    // From a scale of 0.1 on, all critical cases are run.
    let some = rounds(10 * critical.len(), half_done.len()).min(critical.len());
    let few = rounds(others.len(), 3);
    let drawn = [rng.sample(critical, some), rng.sample(others, few)].concat();
    let mut landed = 0;
    for batch in drawn.chunks(BATCH) {
        let mut fixture = VerbFixture::new(verb);
        let snapshot = Snapshot::capture(&fixture.sandbox);
        for (place, (signal, code)) in batch {
            snapshot.restore(&fixture.sandbox);
            fixture.prepare();
            let outcome = interrupted(&fixture, &calls, *place, signal);
            let line = &calls[*place].line;
            // A run with fewer calls may end before the signal.
            let came = strace::received_signal(&fixture.sandbox, signal);
            let code = if came { *code } else { 0 };
            assert_eq!(outcome.exit_code(), code, "{signal} at {line}: {outcome}");
            landed += usize::from(came);
            assert_eq!(fixture.sandbox.leftovers(), [""; 0].map(std::path::PathBuf::from), "{signal} at {line}");
            fixture.check(code);
        }
    }
    // SIGKILL cannot be caught and acts before the call. It shows that these calls can leave a temporary file.
    let mut fixture = VerbFixture::new(verb);
    fixture.prepare();
    interrupted(&fixture, &calls, half_done[1], "KILL").code(137);
    assert_eq!(fixture.sandbox.leftovers().len(), 1, "{verb:?}, killed at {}", calls[half_done[1]].line);
    fixture.check(137);
    assert!(landed > drawn.len() / 2, "of {} signals only {landed} came in time", drawn.len());
    let seed = rng.seed;
    print_summary(&format!(
        "{verb:?}: {landed} interruptions of {total} (seed {seed}) by SIGINT, SIGTERM and SIGHUP, {some} of them aimed at \
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
