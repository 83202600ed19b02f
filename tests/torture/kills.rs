//! promise 1: neto is killed at random times. Each file then has its old or its new content, and the next
//! run works.

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

/// Rounds before a new sandbox starts, because the search for secrets slows down with each run.
const ROUNDS_PER_SANDBOX: usize = 20;

/// Maximum number of temporary files that may remain in a directory after the next write.
const MAX_TEMPORARY_FILES: usize = 16;

fn start(fixture: &VerbFixture) -> Running<'_> {
    fixture.sandbox.neto(fixture.arguments()).stdin(fixture.stdin()).start()
}

/// Measures the usual duration of the command: the shortest of three runs, plus ten percent.
fn measure_usual_time(fixture: &mut VerbFixture) -> Duration {
    let mut time_run = || {
        fixture.prepare();
        let began = Instant::now();
        start(fixture).finish().code(0);
        let elapsed = began.elapsed();
        fixture.check(0);
        elapsed
    };
    let shortest = time_run().min(time_run()).min(time_run());
    shortest + shortest / 10
}

/// Kills runs of the command at random times, until enough kills hit a process that was still running.
fn kill(verb: Verb, full_count: usize) {
    let (target, mut rng) = (rounds(full_count, 6), SeededRng::new());
    let (mut landed, mut tried, mut leftovers) = (0, 0, 0);
    while landed < target {
        let mut fixture = VerbFixture::new(verb);
        let usual_time = measure_usual_time(&mut fixture);
        for _ in 0..ROUNDS_PER_SANDBOX {
            if landed == target {
                break;
            }
            fixture.prepare();
            let run = start(&fixture);
            let micros = usize::try_from(usual_time.as_micros()).expect("a short time");
            std::thread::sleep(Duration::from_micros(rng.below(micros) as u64));
            run.signal(Signal::KILL);
            let code = run.wait_for_exit_code();
            landed += usize::from(code == 137);
            tried += 1;
            fixture.check(code);
        }
        assert!(tried < 100 + 20 * target, "of {tried} kills of {verb:?} only {landed} landed");
        leftovers += fixture.sandbox.temporary_files().len();
        assert_temporary_files_are_cleared(&fixture.sandbox);
    }
    let seed = rng.seed;
    print_summary(&format!(
        "{landed} kills of {verb:?} that landed, of {tried} (seed {seed}): 0 files harmed, 0 stuck; \
         {leftovers} leftovers, all cleared"
    ));
}

/// Asserts that the next successful write in a directory removes stale temporary files.
fn assert_temporary_files_are_cleared(sandbox: &Sandbox) {
    let folders = ["", "tokens", "state", "state/failures", "keys"].map(|folder| sandbox.home(folder));
    for folder in &folders {
        fs::create_dir_all(folder).expect("a folder");
        for number in 0..2 * MAX_TEMPORARY_FILES {
            fs::write(folder.join(format!(".neto-tmp-old{number}")), "half").expect("a leftover");
        }
    }
    sandbox.backdate_temporary_files();
    write_everywhere(sandbox);
    let mut remaining: BTreeMap<PathBuf, usize> = BTreeMap::new();
    for path in sandbox.temporary_files() {
        *remaining.entry(path.parent().map(Path::to_owned).expect("a folder")).or_default() += 1;
    }
    assert!(remaining.values().all(|count| *count <= MAX_TEMPORARY_FILES), "leftovers stay: {remaining:?}");
}

/// Makes neto write a file in every directory.
fn write_everywhere(sandbox: &Sandbox) {
    // These commands write a device key, a token, the current profile, the store, the trust state and a failure.
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
