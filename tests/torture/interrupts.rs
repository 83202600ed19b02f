//! a signal that ends neto at any system call leaves every file as it was or as it is after, and nothing
//! beside them.

use super::faults::{BATCH, Snapshot, calls_of, is_of_files, number};
use super::scale::{Dice, rounds, say};
use super::strace::{self, Listed};
use super::verb::{Scene, Verb};
use crate::harness::Outcome;

/// The signals that end a run, and its exit code.
const ENDS: [(&str, i32); 3] = [("INT", 130), ("TERM", 143), ("HUP", 129)];

/// The places from the making of each temporary file up to the call before its rename: a signal at one of them finds
/// a file that is half done.
fn half_done(calls: &[Listed]) -> Vec<usize> {
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

/// Runs the scene's verb with this signal at this place.
fn interrupted(scene: &Scene, calls: &[Listed], place: usize, signal: &str) -> Outcome {
    let name = &calls[place].name;
    let inject = format!("inject={name}:signal={signal}:when={}", number(calls, name, place));
    let neto = env!("CARGO_BIN_EXE_neto");
    strace::under(&scene.sandbox, &[inject], neto, &scene.arguments()).stdin(scene.stdin()).run()
}

/// Ends the verb by each signal at each call, or at as many as the scale says, those where a file is half done first.
fn interrupt(verb: Verb) {
    if !strace::works() {
        return;
    }
    let (calls, first) = calls_of(&mut Scene::new(verb));
    let half_done = half_done(&calls);
    assert!(!half_done.is_empty(), "{verb:?} makes no file");
    let others = (first..calls.len()).filter(|place| !half_done.contains(place) && is_of_files(&calls[*place]));
    let with_each = |place: usize| ENDS.map(|end| (place, end));
    let mut dice = Dice::new();
    let (critical, others): (Vec<_>, Vec<_>) =
        (half_done.iter().copied().flat_map(with_each).collect(), others.flat_map(with_each).collect());
    let total = critical.len() + others.len();
    // A tenth of the rest is as good as all of these.
    let some = rounds(10 * critical.len(), half_done.len()).min(critical.len());
    let few = rounds(others.len(), 3);
    let drawn = [dice.draw(critical, some), dice.draw(others, few)].concat();
    let mut landed = 0;
    for batch in drawn.chunks(BATCH) {
        let mut scene = Scene::new(verb);
        let snapshot = Snapshot::of(&scene.sandbox);
        for (place, (signal, code)) in batch {
            snapshot.restore(&scene.sandbox);
            scene.prepare();
            let outcome = interrupted(&scene, &calls, *place, signal);
            let line = &calls[*place].line;
            // A run that had less to do was over before.
            let came = strace::signalled(&scene.sandbox, signal);
            let code = if came { *code } else { 0 };
            assert_eq!(outcome.exit_code(), code, "{signal} at {line}: {outcome}");
            landed += usize::from(came);
            assert_eq!(scene.sandbox.leftovers(), [""; 0].map(std::path::PathBuf::from), "{signal} at {line}");
            scene.check(code);
        }
    }
    // A signal that nobody can hold back, which acts before the call, shows that these are the places where something could be left.
    let mut scene = Scene::new(verb);
    scene.prepare();
    interrupted(&scene, &calls, half_done[1], "KILL").code(137);
    assert_eq!(scene.sandbox.leftovers().len(), 1, "{verb:?}, killed at {}", calls[half_done[1]].line);
    scene.check(137);
    assert!(landed > drawn.len() / 2, "of {} signals only {landed} came in time", drawn.len());
    let seed = dice.seed;
    say(&format!(
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
