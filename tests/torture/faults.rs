//! at each file-related system call, neto is killed, or the call fails once or from then on.

use super::scale::{SeededRng, print_summary, rounds};
use super::strace::{self, TracedCall};
use super::verb::{Verb, VerbFixture};
use crate::harness::Sandbox;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

/// Cases before a new sandbox starts, because the search for secrets slows down with each run.
pub(super) const CASES_PER_SANDBOX: usize = 25;

const ERRORS: [&str; 5] = ["EIO", "ENOSPC", "EINTR", "EACCES", "EMFILE"];

/// Permitted exit codes of a run in which system calls fail, including those of `exec`.
const CODES: [i32; 11] = [0, 1, 2, 3, 4, 5, 6, 7, 125, 126, 127];

/// Exit code of a killed process.
const KILLED: i32 = 137;

/// A system call and the fault injected there.
#[derive(Clone, Debug)]
struct Case {
    /// Description of the fault and the system call, for messages.
    description: String,
    options: Vec<String>,
}

impl Case {
    fn kills(&self) -> bool {
        self.description.starts_with("KILL")
    }

    /// Runs the fixture's command with this fault and returns the exit code. Panics if a check fails.
    fn run_and_check(&self, fixture: &VerbFixture) -> i32 {
        let call = strace::traced(&fixture.sandbox, &self.options, env!("CARGO_BIN_EXE_neto"), &fixture.arguments());
        let outcome = call.stdin(fixture.stdin()).run();
        let code = outcome.exit_code();
        // A fault can change which calls follow, so a later injection can hit the write that wakes the event loop. No
        // real system fails that write, so the exit code of this run is not checked.
        let calls = strace::traced_calls(&fixture.sandbox);
        let impossible = |(call, wakes): (&TracedCall, bool)| wakes && call.line.contains(strace::INJECTED);
        if !calls.iter().zip(strace::event_loop_wakes(&calls)).any(impossible) {
            let is_expected = if self.kills() { code == KILLED } else { CODES.contains(&code) };
            assert!(is_expected, "{} ends with {code}: {outcome}", self.description);
            outcome.stderr_lacks("panicked").stderr_lacks("this is a bug");
        }
        fixture.check(code);
        code
    }
}

/// Returns all cases for a run with these calls. Each call from `first` on is killed, fails once, or fails from then
/// on.
fn cases(calls: &[TracedCall], first: usize) -> Vec<Case> {
    let names: BTreeSet<&str> =
        calls[first..].iter().filter(|call| is_injectable(call)).map(|call| call.name.as_str()).collect();
    let wakes = strace::event_loop_wakes(calls);
    let mut cases = Vec::new();
    for index in (first..calls.len()).filter(|index| !wakes[*index] && is_injectable(&calls[*index])) {
        let (name, number) = (calls[index].name.as_str(), occurrence(calls, &calls[index].name, index));
        let mut add = |fault: String, options| {
            cases.push(Case { description: format!("{fault} at {}", calls[index].line), options });
        };
        add("KILL".to_owned(), vec![format!("inject={name}:signal=KILL:when={number}")]);
        for error in ERRORS.into_iter().chain((name == "flock").then_some("ENOLCK")) {
            add(error.to_owned(), vec![format!("inject={name}:error={error}:when={number}")]);
            let all = names.iter().filter_map(|name| from_then_on(calls, &wakes, name, index, error));
            add(format!("{error} from then on"), all.collect());
        }
    }
    cases
}

pub(super) fn is_injectable(call: &TracedCall) -> bool {
    !call.name.starts_with("eventfd")
}

/// Returns the number that strace gives to the call at `index`. strace counts the calls of each name from 1.
pub(super) fn occurrence(calls: &[TracedCall], name: &str, index: usize) -> usize {
    calls[..index].iter().filter(|call| call.name == name).count() + 1
}

/// Builds the strace option that fails the calls with this name from `index` on. The range ends before the next wake of
/// the event loop. Returns `None` if no call is left in that range.
fn from_then_on(calls: &[TracedCall], wakes: &[bool], name: &str, index: usize, error: &str) -> Option<String> {
    let first = occurrence(calls, name, index);
    let wake = (index..calls.len()).find(|index| wakes[*index] && calls[*index].name == name);
    let last = match wake.map(|wake| occurrence(calls, name, wake) - 1) {
        Some(last) if last < first => return None,
        // neto retries an interrupted call, so at most five interruptions are injected.
        Some(last) if error == "EINTR" => format!("..{}", last.min(first + 4)),
        None if error == "EINTR" => format!("..{}", first + 4),
        Some(last) => format!("..{last}"),
        None => "+".to_owned(),
    };
    Some(format!("inject={name}:error={error}:when={first}{last}"))
}

/// Copy of all files below `NETO_HOME` except tokens, to be restored later. Restoring a token file could bring back a
/// used refresh token.
pub(super) struct Snapshot(Vec<(PathBuf, Vec<u8>)>);

impl Snapshot {
    pub(super) fn capture(sandbox: &Sandbox) -> Self {
        let files = sandbox
            .home_files()
            .into_iter()
            .filter(|path| path.extension().is_none_or(|extension| extension != "token"));
        Self(files.map(|path| (path.clone(), fs::read(path).expect("a file"))).collect())
    }

    pub(super) fn restore(&self, sandbox: &Sandbox) {
        fs::remove_dir_all(sandbox.home("")).expect("a folder to be gone");
        for (path, bytes) in &self.0 {
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(path, bytes).expect("a file");
            fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("its mode");
        }
        for folder in ["", "keys", "tokens", "state", "state/locks"].map(|folder| sandbox.home(folder)) {
            if folder.exists() {
                fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).expect("its mode");
            }
        }
    }
}

/// Runs the fixture's command once under strace. Returns its calls, and the index of the first call in `main`.
pub(super) fn calls_of(fixture: &mut VerbFixture) -> (Vec<TracedCall>, usize) {
    fixture.prepare();
    let neto = env!("CARGO_BIN_EXE_neto");
    strace::traced(&fixture.sandbox, &[], neto, &fixture.arguments()).stdin(fixture.stdin()).run().code(0);
    let calls = strace::traced_calls(&fixture.sandbox);
    let main = calls.iter().position(|call| call.line.contains("PR_SET_DUMPABLE")).expect("the start of main");
    (calls, main + 1)
}

/// Runs the command with each fault at each call, or with a random share of these cases (see `scale`).
fn fail_at_each_call(verb: Verb) {
    if !strace::works() {
        return;
    }
    let (calls, first) = calls_of(&mut VerbFixture::new(verb));
    let (all, mut rng) = (cases(&calls, first), SeededRng::new());
    let (calls, total) = (calls.len() - first, all.len());
    let (kills, errors): (Vec<_>, Vec<_>) = all.into_iter().partition(Case::kills);
    let (kill_count, error_count) = (rounds(kills.len(), 2), rounds(errors.len(), 5));
    let sampled = [rng.sample(kills, kill_count), rng.sample(errors, error_count)].concat();
    let (mut failed, mut killed, mut failed_cases) = (0, 0, Vec::new());
    for batch in sampled.chunks(CASES_PER_SANDBOX) {
        let mut fixture = VerbFixture::new(verb);
        let snapshot = Snapshot::capture(&fixture.sandbox);
        for case in batch {
            snapshot.restore(&fixture.sandbox);
            fixture.prepare();
            let result = catch_unwind(AssertUnwindSafe(|| case.run_and_check(&fixture)));
            let calls = strace::traced_calls(&fixture.sandbox);
            failed += calls.iter().filter(|call| call.line.contains(strace::INJECTED)).count();
            match result {
                Ok(code) => killed += usize::from(code == KILLED),
                // The panic already printed the reason.
                Err(_) => failed_cases.push(case.description.as_str()),
            }
        }
    }
    assert!(
        failed_cases.is_empty(),
        "{verb:?} does not survive {} faults:\n{}",
        failed_cases.len(),
        failed_cases.join("\n")
    );
    assert!(failed > 0 && killed > 0, "no fault came about");
    let seed = rng.seed;
    print_summary(&format!(
        "{verb:?}: {} of {total} faults (seed {seed}) over {calls} calls: {failed} calls failed, {killed} kills: \
         0 files harmed, 0 panics, the next run works",
        sampled.len()
    ));
}

#[test]
fn r8_r17_a_login_survives_every_fault() {
    fail_at_each_call(Verb::Login);
}

#[test]
fn r8_r17_a_refresh_survives_every_fault() {
    fail_at_each_call(Verb::Refresh);
}

#[test]
fn r8_r17_an_addition_survives_every_fault() {
    fail_at_each_call(Verb::Add);
}

#[test]
fn r8_r17_a_seal_survives_every_fault() {
    fail_at_each_call(Verb::Seal);
}

#[test]
fn r8_r17_exec_survives_every_fault() {
    fail_at_each_call(Verb::Exec);
}

/// Makes the write that wakes the event loop fail, which no real system does. No other fault from outside makes neto
/// panic.
#[test]
fn r57_a_bug_is_told_by_its_place_alone() {
    if !strace::works() {
        return;
    }
    let mut fixture = VerbFixture::new(Verb::Login);
    let (calls, _) = calls_of(&mut fixture);
    let wake = strace::event_loop_wakes(&calls).iter().position(|wakes| *wakes).expect("the event loop is woken");
    let inject = format!("inject=write:error=EIO:when={}", occurrence(&calls, "write", wake));
    fixture.prepare();
    let run = strace::traced(&fixture.sandbox, &[inject], env!("CARGO_BIN_EXE_neto"), &fixture.arguments());
    let outcome = run.env("RUST_BACKTRACE", "full").env("RUST_LOG", "trace").run();
    outcome.code(1).stdout("").stderr_has("error: this is a bug in neto ").stderr_has(".rs:").stderr_has("\n  hint: ");
    assert_eq!(outcome.stderr.lines().count(), 2, "{outcome}");
    outcome.stderr_lacks("panicked").stderr_lacks("failed to wake").stderr_lacks("backtrace");
    fixture.check(1);
}

#[test]
fn r17_a_program_that_writes_in_place_is_caught() {
    if !strace::works() {
        return;
    }
    let fixture = VerbFixture::new(Verb::Use);
    let sandbox = &fixture.sandbox;
    let store = sandbox.home("profiles.toml").display().to_string();
    let script = "printf '%s\\n' \"# edited in place\" \"$TEXT\" > \"$0\"";
    let arguments = ["-c", script, &store].map(str::to_owned);
    let text = sandbox.store();
    let in_place = |options: &[String]| strace::traced(sandbox, options, "sh", &arguments).env("TEXT", &text).run();
    in_place(&[]).code(0);
    let calls = strace::traced_calls(sandbox);
    let first = calls.iter().position(|call| call.line.contains(&store)).expect("the store is opened");
    let (all, snapshot, mut caught) = (cases(&calls, first), Snapshot::capture(sandbox), 0);
    for case in &all {
        snapshot.restore(sandbox);
        in_place(&case.options);
        caught += usize::from(
            catch_unwind(AssertUnwindSafe(|| sandbox.assert_intact(&super::invariants::SURVIVING_PROFILES))).is_err(),
        );
    }
    snapshot.restore(sandbox);
    assert!(caught > 0, "no fault harms a store that is written in place");
    print_summary(&format!(
        "control, a program that writes in place: {caught} of {} faults harmed the store",
        all.len()
    ));
}
