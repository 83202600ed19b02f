//! every system call that has to do with files fails, or kills, once and from then on.

use super::scale::{Dice, rounds, say};
use super::strace::{self, Listed};
use super::verb::{Scene, Verb};
use crate::harness::Sandbox;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

/// Rounds in one sandbox.
pub(super) const BATCH: usize = 25;

const ERRORS: [&str; 5] = ["EIO", "ENOSPC", "EINTR", "EACCES", "EMFILE"];

/// What a run may end with, whatever the system does to it: the contract's codes, and those of `exec`.
const CODES: [i32; 11] = [0, 1, 2, 3, 4, 5, 6, 7, 125, 126, 127];

/// The exit code of who was killed.
const KILLED: i32 = 137;

/// One way for the system to fail a run.
#[derive(Clone, Debug)]
struct Case {
    /// For a person: which call, how.
    what: String,
    options: Vec<String>,
}

impl Case {
    fn kills(&self) -> bool {
        self.what.starts_with("KILL")
    }

    /// Runs the scene's verb in this case; its exit code. Panics unless all is well.
    fn survived(&self, scene: &Scene) -> i32 {
        let call = strace::under(&scene.sandbox, &self.options, env!("CARGO_BIN_EXE_neto"), &scene.arguments());
        let outcome = call.stdin(scene.stdin()).run();
        let code = outcome.exit_code();
        // A fault moves what comes after it, and may so come to strike a call that cannot fail.
        let calls = strace::listed(&scene.sandbox);
        let impossible = |(call, wakes): (&Listed, bool)| wakes && call.line.contains(strace::INJECTED);
        if !calls.iter().zip(strace::wakes(&calls)).any(impossible) {
            let wanted = if self.kills() { code == KILLED } else { CODES.contains(&code) };
            assert!(wanted, "{} ends with {code}: {outcome}", self.what);
            outcome.stderr_lacks("panicked").stderr_lacks("this is a bug");
        }
        scene.check(code);
        code
    }
}

/// All ways to fail a run that makes these calls: each call from `first` on, once and from then on.
fn cases(calls: &[Listed], first: usize) -> Vec<Case> {
    let names: BTreeSet<&str> =
        calls[first..].iter().filter(|call| is_of_files(call)).map(|call| call.name.as_str()).collect();
    let wakes = strace::wakes(calls);
    let mut cases = Vec::new();
    for place in (first..calls.len()).filter(|place| !wakes[*place] && is_of_files(&calls[*place])) {
        let (name, number) = (calls[place].name.as_str(), number(calls, &calls[place].name, place));
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

pub(super) fn is_of_files(call: &Listed) -> bool {
    !call.name.starts_with("eventfd")
}

/// strace counts the calls of each name, from 1: the number that a call of this name has at this place.
pub(super) fn number(calls: &[Listed], name: &str, place: usize) -> usize {
    calls[..place].iter().filter(|call| call.name == name).count() + 1
}

/// Fails all calls of this name from this place on, until one of them wakes the event loop.
fn from_then_on(calls: &[Listed], wakes: &[bool], name: &str, place: usize, error: &str) -> Option<String> {
    let first = number(calls, name, place);
    let wake = (place..calls.len()).find(|place| wakes[*place] && calls[*place].name == name);
    let last = match wake.map(|wake| number(calls, name, wake) - 1) {
        Some(last) if last < first => return None,
        // What was interrupted is tried again, so it is not interrupted for ever.
        Some(last) if error == "EINTR" => format!("..{}", last.min(first + 4)),
        None if error == "EINTR" => format!("..{}", first + 4),
        Some(last) => format!("..{last}"),
        None => "+".to_owned(),
    };
    Some(format!("inject={name}:error={error}:when={first}{last}"))
}

/// All files below `NETO_HOME` but the tokens (a refresh token that was used must not come back), to be put back.
pub(super) struct Snapshot(Vec<(PathBuf, Vec<u8>)>);

impl Snapshot {
    pub(super) fn of(sandbox: &Sandbox) -> Self {
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

/// The calls of the scene's verb, and the place of the first after `main` began.
pub(super) fn calls_of(scene: &mut Scene) -> (Vec<Listed>, usize) {
    scene.prepare();
    let neto = env!("CARGO_BIN_EXE_neto");
    strace::under(&scene.sandbox, &[], neto, &scene.arguments()).stdin(scene.stdin()).run().code(0);
    let calls = strace::listed(&scene.sandbox);
    let main = calls.iter().position(|call| call.line.contains("PR_SET_DUMPABLE")).expect("the start of main");
    (calls, main + 1)
}

/// Fails the verb at each call in each way, or at as many as the scale says.
fn fail(verb: Verb) {
    if !strace::works() {
        return;
    }
    let (calls, first) = calls_of(&mut Scene::new(verb));
    let (all, mut dice) = (cases(&calls, first), Dice::new());
    let (calls, total) = (calls.len() - first, all.len());
    let (kills, errors): (Vec<_>, Vec<_>) = all.into_iter().partition(Case::kills);
    let (some_kills, some_errors) = (rounds(kills.len(), 2), rounds(errors.len(), 5));
    let drawn = [dice.draw(kills, some_kills), dice.draw(errors, some_errors)].concat();
    let (mut failed, mut killed, mut wrong) = (0, 0, Vec::new());
    for batch in drawn.chunks(BATCH) {
        let mut scene = Scene::new(verb);
        let snapshot = Snapshot::of(&scene.sandbox);
        for case in batch {
            snapshot.restore(&scene.sandbox);
            scene.prepare();
            let survived = catch_unwind(AssertUnwindSafe(|| case.survived(&scene)));
            let calls = strace::listed(&scene.sandbox);
            failed += calls.iter().filter(|call| call.line.contains(strace::INJECTED)).count();
            match survived {
                Ok(code) => killed += usize::from(code == KILLED),
                // What is wrong was said.
                Err(_) => wrong.push(case.what.as_str()),
            }
        }
    }
    assert!(wrong.is_empty(), "{verb:?} does not survive {} faults:\n{}", wrong.len(), wrong.join("\n"));
    assert!(failed > 0 && killed > 0, "no fault came about");
    let seed = dice.seed;
    say(&format!(
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

/// The one way to a panic from without: what wakes the event loop fails, which no system ever does.
#[test]
fn r57_a_bug_is_told_by_its_place_alone() {
    if !strace::works() {
        return;
    }
    let mut scene = Scene::new(Verb::Login);
    let (calls, _) = calls_of(&mut scene);
    let wake = strace::wakes(&calls).iter().position(|wakes| *wakes).expect("the event loop is woken");
    let inject = format!("inject=write:error=EIO:when={}", number(&calls, "write", wake));
    scene.prepare();
    let run = strace::under(&scene.sandbox, &[inject], env!("CARGO_BIN_EXE_neto"), &scene.arguments());
    let outcome = run.env("RUST_BACKTRACE", "full").env("RUST_LOG", "trace").run();
    outcome.code(1).stdout("").stderr_has("error: this is a bug in neto ").stderr_has(".rs:").stderr_has("\n  hint: ");
    assert_eq!(outcome.stderr.lines().count(), 2, "{outcome}");
    outcome.stderr_lacks("panicked").stderr_lacks("failed to wake").stderr_lacks("backtrace");
    scene.check(1);
}

#[test]
fn r17_a_program_that_writes_in_place_is_caught() {
    if !strace::works() {
        return;
    }
    let scene = Scene::new(Verb::Use);
    let sandbox = &scene.sandbox;
    let store = sandbox.home("profiles.toml").display().to_string();
    let script = "printf '%s\\n' \"# edited in place\" \"$TEXT\" > \"$0\"";
    let arguments = ["-c", script, &store].map(str::to_owned);
    let text = sandbox.store();
    let in_place = |options: &[String]| strace::under(sandbox, options, "sh", &arguments).env("TEXT", &text).run();
    in_place(&[]).code(0);
    let calls = strace::listed(sandbox);
    let first = calls.iter().position(|call| call.line.contains(&store)).expect("the store is opened");
    let (all, snapshot, mut caught) = (cases(&calls, first), Snapshot::of(sandbox), 0);
    for case in &all {
        snapshot.restore(sandbox);
        in_place(&case.options);
        caught += usize::from(catch_unwind(AssertUnwindSafe(|| sandbox.is_whole(&super::whole::LISTED))).is_err());
    }
    snapshot.restore(sandbox);
    assert!(caught > 0, "no fault harms a store that is written in place");
    say(&format!("control, a program that writes in place: {caught} of {} faults harmed the store", all.len()));
}
