//! promise 1: killed at any instant, neto leaves each file as it was or as it is after, and the next run works.

use super::scale::{Dice, rounds, say};
use super::verb::{Scene, Verb};
use super::whole::LISTED;
use crate::fusion::{Fault, TOKEN};
use crate::harness::{Running, Sandbox};
use rustix::process::Signal;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Rounds in one sandbox.
const BATCH: usize = 20;

/// The most that may be left in a folder.
const LEFT: usize = 16;

fn start(scene: &Scene) -> Running<'_> {
    scene.sandbox.neto(scene.arguments()).stdin(scene.stdin()).start()
}

/// How long the verb takes when nobody kills it: the shortest of some, and a tenth.
fn usual_time(scene: &mut Scene) -> Duration {
    let mut time = || {
        scene.prepare();
        let began = Instant::now();
        start(scene).finish().code(0);
        let time = began.elapsed();
        scene.check(0);
        time
    };
    let shortest = time().min(time()).min(time());
    shortest + shortest / 10
}

/// Kills runs of a verb at random instants until so many were hit while they ran.
fn kill(verb: Verb, full: usize) {
    let (target, mut dice) = (rounds(full, 6), Dice::new());
    let (mut landed, mut tried, mut leftovers) = (0, 0, 0);
    while landed < target {
        let mut scene = Scene::new(verb);
        let usual = usual_time(&mut scene);
        for _ in 0..BATCH {
            if landed == target {
                break;
            }
            scene.prepare();
            let run = start(&scene);
            let micros = usize::try_from(usual.as_micros()).expect("a short time");
            std::thread::sleep(Duration::from_micros(dice.below(micros) as u64));
            run.signal(Signal::KILL);
            let code = run.end();
            landed += usize::from(code == 137);
            tried += 1;
            scene.check(code);
        }
        assert!(tried < 100 + 20 * target, "of {tried} kills of {verb:?} only {landed} landed");
        leftovers += scene.sandbox.leftovers().len();
        leftovers_are_cleared(&scene.sandbox);
    }
    let seed = dice.seed;
    say(&format!(
        "{landed} kills of {verb:?} that landed, of {tried} (seed {seed}): 0 files harmed, 0 stuck; \
         {leftovers} leftovers, all cleared"
    ));
}

/// Old leftovers go with the next successful write in their folder.
fn leftovers_are_cleared(sandbox: &Sandbox) {
    let folders = ["", "tokens", "state", "state/failures", "keys"].map(|folder| sandbox.home(folder));
    for folder in &folders {
        fs::create_dir_all(folder).expect("a folder");
        for number in 0..2 * LEFT {
            fs::write(folder.join(format!(".neto-tmp-old{number}")), "half").expect("a leftover");
        }
    }
    sandbox.age_leftovers();
    write_everywhere(sandbox);
    let mut left: BTreeMap<PathBuf, usize> = BTreeMap::new();
    for path in sandbox.leftovers() {
        *left.entry(path.parent().map(Path::to_owned).expect("a folder")).or_default() += 1;
    }
    assert!(left.values().all(|count| *count <= LEFT), "leftovers stay: {left:?}");
}

/// A successful write in every folder.
fn write_everywhere(sandbox: &Sandbox) {
    // A new device key, a token, the current profile, the store and the memory, a failure.
    fs::remove_file(sandbox.home("keys/device.key")).expect("a device key");
    sandbox.neto(["login", "acme", "--force"]).run().code(0);
    for profile in LISTED {
        sandbox.neto(["use", profile]).run().code(0);
    }
    sandbox.add("last");
    sandbox.server().fault(Fault::at(TOKEN).once().error(401, "not today"));
    sandbox.neto(["login", "acme", "--force"]).run().code(4);
}

#[test]
fn r6_a_login_that_is_killed_harms_nothing() {
    kill(Verb::Login, 2_000);
}

#[test]
fn r6_a_refresh_that_is_killed_harms_nothing() {
    kill(Verb::Refresh, 2_000);
}

#[test]
fn r6_an_addition_that_is_killed_harms_nothing() {
    kill(Verb::Add, 2_000);
}

#[test]
fn r6_a_seal_that_is_killed_harms_nothing() {
    kill(Verb::Seal, 2_000);
}

#[test]
fn r6_a_switch_that_is_killed_harms_nothing() {
    kill(Verb::Use, 1_000);
}

#[test]
fn r6_a_logout_that_is_killed_harms_nothing() {
    kill(Verb::Logout, 1_000);
}

#[test]
fn r15_a_change_of_the_recipients_that_is_killed_is_whole_or_not_at_all() {
    kill(Verb::Share, 1_000);
}
