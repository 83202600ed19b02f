//! each file-related system call fails or kills neto, once or from that call on.

use super::scale::{SeededRng, print_summary, rounds};
use super::strace::{self, TracedCall};
use super::verb::{Verb, VerbFixture};
use crate::harness::Sandbox;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

/// Rounds per sandbox.
pub(super) const BATCH: usize = 25;

const ERRORS: [&str; 5] = ["EIO", "ENOSPC", "EINTR", "EACCES", "EMFILE"];

/// Permitted exit codes of a run whose system calls fail: those of the contract and of `exec`.
const CODES: [i32; 11] = [0, 1, 2, 3, 4, 5, 6, 7, 125, 126, 127];

/// Exit code of a killed process.
const KILLED: i32 = 137;

/// One way in which the system fails a run.
#[derive(Clone, Debug)]
struct Case {
    /// Description of the call and the fault.
    what: String,
    options: Vec<String>,
}

impl Case {
    fn kills(&self) -> bool {
        self.what.starts_with("KILL")
    }

    /// Runs the fixture's verb in this case and returns the exit code. Panics if a check fails.
    fn survived(&self, fixture: &VerbFixture) -> i32 {
        let call = strace::traced(&fixture.sandbox, &self.options, env!("CARGO_BIN_EXE_neto"), &fixture.arguments());
        let outcome = call.stdin(fixture.stdin()).run();
        let code = outcome.exit_code();
        // A fault changes the later calls, so an injection can hit a wake of the event loop. That failure is impossible
        // in practice and not judged.
        let calls = strace::traced_calls(&fixture.sandbox);
        let impossible = |(call, wakes): (&TracedCall, bool)| wakes && call.line.contains(strace::INJECTED);
        if !calls.iter().zip(strace::event_loop_wakes(&calls)).any(impossible) {
            let expected = if self.kills() { code == KILLED } else { CODES.contains(&code) };
            assert!(expected, "{} ends with {code}: {outcome}", self.what);
            outcome.stderr_lacks("panicked").stderr_lacks("this is a bug");
        }
        fixture.check(code);
        code
    }
}

/// All cases for a run with these calls: each call from `first` on, once and from then on.
fn cases(calls: &[TracedCall], first: usize) -> Vec<Case> {
    let names: BTreeSet<&str> =
        calls[first..].iter().filter(|call| is_injectable(call)).map(|call| call.name.as_str()).collect();
    let wakes = strace::event_loop_wakes(calls);
    let mut cases = Vec::new();
    for place in (first..calls.len()).filter(|place| !wakes[*place] && is_injectable(&calls[*place])) {
        let (name, number) = (calls[place].name.as_str(), occurrence(calls, &calls[place].name, place));
        let mut add =
            |how: String, options| cases.push(Case { what: format!("{how} at {}", calls[place].line), options });
        add("KILL".to_owned(), vec![format!("inject={name}:signal=KILL:when={number}")]);
        for error in ERRORS.into_iter().chain((name == "flock").then_some("ENOLCK")) {
            add(error.to_owned(), vec![format!("inject={name}:error={error}:when={number}")]);
            let all = names.iter().filter_map(|name| from_then_on(calls, &wakes, name, place, error));
            add(format!("{error} from then on"), all.collect());
        }
    }
    cases
}

pub(super) fn is_injectable(call: &TracedCall) -> bool {
    !call.name.starts_with("eventfd")
}

/// Returns the number by which strace counts this call: 1 for the first call of a name.
pub(super) fn occurrence(calls: &[TracedCall], name: &str, place: usize) -> usize {
    calls[..place].iter().filter(|call| call.name == name).count() + 1
}

/// Builds the option that fails this call and all later ones of its name. The range ends before the next wake of the
/// event loop.
fn from_then_on(calls: &[TracedCall], wakes: &[bool], name: &str, place: usize, error: &str) -> Option<String> {
    let first = occurrence(calls, name, place);
    let wake = (place..calls.len()).find(|place| wakes[*place] && calls[*place].name == name);
    let last = match wake.map(|wake| occurrence(calls, name, wake) - 1) {
        Some(last) if last < first => return None,
        // An interrupted call is retried, so only five interruptions are injected.
        Some(last) if error == "EINTR" => format!("..{}", last.min(first + 4)),
        None if error == "EINTR" => format!("..{}", first + 4),
        Some(last) => format!("..{last}"),
        None => "+".to_owned(),
    };
    Some(format!("inject={name}:error={error}:when={first}{last}"))
}

/// All files below `NETO_HOME` except tokens, to be restored later. A used refresh token must not return.
pub(super) struct Snapshot(Vec<(PathBuf, Vec<u8>)>);

impl Snapshot {
    pub(super) fn capture(sandbox: &Sandbox) -> Self {
        let files = sandbox.own_files().into_iter().filter(|path| path.extension().is_none_or(|end| end != "token"));
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

/// Returns the calls of the fixture's verb, and the index of the first call in `main`.
pub(super) fn calls_of(fixture: &mut VerbFixture) -> (Vec<TracedCall>, usize) {
    fixture.prepare();
    let neto = env!("CARGO_BIN_EXE_neto");
    strace::traced(&fixture.sandbox, &[], neto, &fixture.arguments()).stdin(fixture.stdin()).run().code(0);
    let calls = strace::traced_calls(&fixture.sandbox);
    let main = calls.iter().position(|call| call.line.contains("PR_SET_DUMPABLE")).expect("the start of main");
    (calls, main + 1)
}

/// Fails the verb at each call in each way, or at the share of cases that the scale selects.
fn fail(verb: Verb) {
    if !strace::works() {
        return;
    }
    let (calls, first) = calls_of(&mut VerbFixture::new(verb));
    let (all, mut rng) = (cases(&calls, first), SeededRng::new());
    let (calls, total) = (calls.len() - first, all.len());
    let (kills, errors): (Vec<_>, Vec<_>) = all.into_iter().partition(Case::kills);
    let (some_kills, some_errors) = (rounds(kills.len(), 2), rounds(errors.len(), 5));
    let drawn = [rng.sample(kills, some_kills), rng.sample(errors, some_errors)].concat();
    let (mut failed, mut killed, mut wrong) = (0, 0, Vec::new());
    for batch in drawn.chunks(BATCH) {
        let mut fixture = VerbFixture::new(verb);
        let snapshot = Snapshot::capture(&fixture.sandbox);
        for case in batch {
            snapshot.restore(&fixture.sandbox);
            fixture.prepare();
            let survived = catch_unwind(AssertUnwindSafe(|| case.survived(&fixture)));
            let calls = strace::traced_calls(&fixture.sandbox);
            failed += calls.iter().filter(|call| call.line.contains(strace::INJECTED)).count();
            match survived {
                Ok(code) => killed += usize::from(code == KILLED),
                // The panic already printed the reason.
                Err(_) => wrong.push(case.what.as_str()),
            }
        }
    }
    assert!(wrong.is_empty(), "{verb:?} does not survive {} faults:\n{}", wrong.len(), wrong.join("\n"));
    assert!(failed > 0 && killed > 0, "no fault came about");
    let seed = rng.seed;
    print_summary(&format!(
        "{verb:?}: {} of {total} faults (seed {seed}) over {calls} calls: {failed} calls failed, {killed} kills: \
         0 files harmed, 0 panics, the next run works",
        drawn.len()
    ));
}

#[test]
fn r8_r17_a_login_survives_every_fault() {
    fail(Verb::Login);
}

#[test]
fn r8_r17_a_refresh_survives_every_fault() {
    fail(Verb::Refresh);
}

#[test]
fn r8_r17_an_addition_survives_every_fault() {
    fail(Verb::Add);
}

#[test]
fn r8_r17_a_seal_survives_every_fault() {
    fail(Verb::Seal);
}

#[test]
fn r8_r17_exec_survives_every_fault() {
    fail(Verb::Exec);
}

/// Fails the wake of the event loop, which no real system does. This is the only external way to cause a panic.
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
