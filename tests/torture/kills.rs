//! promise 1: neto is killed at any time. Each file then has its old or its new content, and the next run
//! works.

use super::invariants::SURVIVING_PROFILES;
use super::scale::{SeededRng, print_summary, rounds};
use super::verb::{Verb, VerbFixture};
use crate::fusion::{Fault, TOKEN};
use crate::harness::{Running, Sandbox};
use rustix::process::Signal;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Rounds per sandbox.
const BATCH: usize = 20;

/// Maximum number of leftovers in a directory.
const MAX_LEFTOVERS: usize = 16;

fn start(fixture: &VerbFixture) -> Running<'_> {
    fixture.sandbox.neto(fixture.arguments()).stdin(fixture.stdin()).start()
}

/// Usual duration of the verb: the shortest of three runs, plus a tenth.
fn usual_time(fixture: &mut VerbFixture) -> Duration {
    let mut time = || {
        fixture.prepare();
        let began = Instant::now();
        start(fixture).finish().code(0);
        let time = began.elapsed();
        fixture.check(0);
        time
    };
    let shortest = time().min(time()).min(time());
    shortest + shortest / 10
}

/// Kills runs of a verb at random times until enough of them were still running.
fn kill(verb: Verb, full: usize) {
    let (target, mut rng) = (rounds(full, 6), SeededRng::new());
    let (mut landed, mut tried, mut leftovers) = (0, 0, 0);
    while landed < target {
        let mut fixture = VerbFixture::new(verb);
        let usual = usual_time(&mut fixture);
        for _ in 0..BATCH {
            if landed == target {
                break;
            }
            fixture.prepare();
            let run = start(&fixture);
            let micros = usize::try_from(usual.as_micros()).expect("a short time");
            std::thread::sleep(Duration::from_micros(rng.below(micros) as u64));
            run.signal(Signal::KILL);
            let code = run.wait_for_exit_code();
            landed += usize::from(code == 137);
            tried += 1;
            fixture.check(code);
        }
        assert!(tried < 100 + 20 * target, "of {tried} kills of {verb:?} only {landed} landed");
        leftovers += fixture.sandbox.leftovers().len();
        leftovers_are_cleared(&fixture.sandbox);
    }
    let seed = rng.seed;
    print_summary(&format!(
        "{landed} kills of {verb:?} that landed, of {tried} (seed {seed}): 0 files harmed, 0 stuck; \
         {leftovers} leftovers, all cleared"
    ));
}

/// Asserts that the next successful write in a directory removes old leftovers.
fn leftovers_are_cleared(sandbox: &Sandbox) {
    let folders = ["", "tokens", "state", "state/failures", "keys"].map(|folder| sandbox.home(folder));
    for folder in &folders {
        fs::create_dir_all(folder).expect("a folder");
        for number in 0..2 * MAX_LEFTOVERS {
            fs::write(folder.join(format!(".neto-tmp-old{number}")), "half").expect("a leftover");
        }
    }
    sandbox.backdate_leftovers();
    write_everywhere(sandbox);
    let mut left: BTreeMap<PathBuf, usize> = BTreeMap::new();
    for path in sandbox.leftovers() {
        *left.entry(path.parent().map(Path::to_owned).expect("a folder")).or_default() += 1;
    }
    assert!(left.values().all(|count| *count <= MAX_LEFTOVERS), "leftovers stay: {left:?}");
}

/// Writes successfully in every directory.
fn write_everywhere(sandbox: &Sandbox) {
    // A new device key, a token, the current profile, the store and the trust state, a failure.
    fs::remove_file(sandbox.home("keys/device.key")).expect("a device key");
    sandbox.neto(["login", "acme", "--force"]).run().code(0);
    for profile in SURVIVING_PROFILES {
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
