//! Promise 1 for keys: killed or failed at any system call of a rotation, files and network alike, no tenant is left without
//! a working key, and the next run finishes the job.

use super::durability::{Renamed, Synced, renames};
use super::faults::{BATCH, is_of_files, number};
use super::scale::{Dice, rounds, say};
use super::strace::{self, Listed};
use crate::harness::{Outcome, Sandbox};
use rustix::process::Signal;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// The calls that a rotation makes of the system: those of files, and of the network.
const CALLS: &str = "trace=openat,?open,read,pread64,write,writev,close,fsync,fdatasync,?rename,?renameat,renameat2,?unlink,\
    unlinkat,?mkdir,mkdirat,?chmod,fchmod,fchmodat,ftruncate,flock,fcntl,lseek,?stat,?lstat,fstat,?newfstatat,statx,\
    getdents64,?readlink,readlinkat,?access,faccessat,getcwd,execve,prctl,?eventfd,eventfd2,socket,connect,sendto,sendmsg,\
    recvfrom,recvmsg,shutdown,getsockopt,setsockopt,getsockname,getpeername";

const KILLED: i32 = 137;

/// So many kills of a rotation of fifty in one sandbox.
const FRESH: usize = 6;

/// What a rotation may end with where the system fails it.
const CODES: [i32; 7] = [0, 1, 3, 4, 5, 6, 7];

/// What the next run may be. Each of them has to finish what it finds.
const NEXT: [&[&str]; 4] = [
    &["login", "acme", "--force"],
    &["rotate", "acme"],
    &["token", "acme", "--force"],
    &["exec", "acme", "--with-secret", "--", "true"],
];

/// What is rotated, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    /// In place of the old key; the token lives.
    InPlace,
    /// The same, with a token that is to be renewed first.
    Stale,
    /// The same, where the server ends the tokens of a key that it changes.
    Ends,
    /// Beside the old key.
    Beside,
}

impl How {
    fn scene(self) -> Sandbox {
        let sandbox = Sandbox::new();
        sandbox.add("acme");
        sandbox.neto(["login", "acme"]).run().code(0);
        if self == Self::Ends {
            sandbox.server().end_access_on_regeneration();
        }
        sandbox
    }

    fn prepare(self, sandbox: &Sandbox) {
        let seconds = if self == Self::Stale { 86_400 - 600 } else { 0 };
        sandbox.neto(["login", "acme", "--force"]).run().code(0);
        sandbox.age_token("acme", seconds);
    }

    fn arguments(self) -> Vec<String> {
        let overlap: &[&str] = if self == Self::Beside { &["--overlap"] } else { &[] };
        // strace skips a call that it makes fail, so a lock whose file is not closed stays where it is.
        ["rotate", "acme", "--lock-timeout", "2s"].iter().chain(overlap).map(|word| (*word).to_owned()).collect()
    }
}

/// A rotation with these faults.
fn rotate(sandbox: &Sandbox, how: How, fault: &[String]) -> Outcome {
    let options = [&[CALLS.to_owned()], fault].concat();
    strace::under(sandbox, &options, env!("CARGO_BIN_EXE_neto"), &how.arguments()).run()
}

/// The calls of a rotation, from where `main` began.
fn calls_of(how: How) -> (Vec<Listed>, usize) {
    let sandbox = how.scene();
    how.prepare(&sandbox);
    rotate(&sandbox, how, &[]).code(0);
    let calls = strace::listed(&sandbox);
    let main = calls.iter().position(|call| call.line.contains("PR_SET_DUMPABLE")).expect("the start of main");
    (calls, main + 1)
}

/// After whatever happened: the store is whole, a token is to be had, the next run finishes what was begun, and the server
/// takes the key that the store has.
fn check(sandbox: &Sandbox, next: &[&str]) {
    sandbox.is_whole(&["acme"]);
    sandbox.neto(["token", "acme"]).reveals("access token").run().code(0);
    sandbox.neto(next).reveals("access token").run().code(0);
    assert_eq!(sandbox.begun(), [""; 0], "`{}` leaves a rotation", next.join(" "));
    sandbox.signs_in("acme");
    assert_eq!(sandbox.server().reused_refresh_tokens(), [""; 0]);
}

/// One way to end a rotation: which call, how.
struct Case {
    what: String,
    inject: String,
}

fn cases(calls: &[Listed], first: usize, how: &[&str]) -> Vec<Case> {
    let wakes = strace::wakes(calls);
    let places = (first..calls.len()).filter(|place| !wakes[*place] && is_of_files(&calls[*place]));
    let mut cases = Vec::new();
    for place in places {
        let (name, number) = (&calls[place].name, number(calls, &calls[place].name, place));
        for how in how {
            let what = format!("{how} at {}", calls[place].line);
            cases.push(Case { what, inject: format!("inject={name}:{how}:when={number}") });
        }
    }
    cases
}

/// Ends rotations at each call in each of these ways, or at as many as the scale says.
fn harm(how: How, ways: &[&str], least: usize) {
    if !strace::works() {
        return;
    }
    let (calls, first) = calls_of(how);
    let (all, mut dice) = (cases(&calls, first, ways), Dice::new());
    let total = all.len();
    let drawn = dice.draw(all, rounds(total, least));
    let (mut killed, mut failed, mut begun, mut wrong) = (0, 0, 0, Vec::new());
    for (batch, cases) in drawn.chunks(BATCH).enumerate() {
        let sandbox = how.scene();
        for (place, case) in cases.iter().enumerate() {
            how.prepare(&sandbox);
            let survived = catch_unwind(AssertUnwindSafe(|| {
                let outcome = rotate(&sandbox, how, std::slice::from_ref(&case.inject));
                let code = outcome.exit_code();
                assert!(code == KILLED || CODES.contains(&code), "{} ends with {code}: {outcome}", case.what);
                outcome.stderr_lacks("panicked").stderr_lacks("this is a bug");
                begun += usize::from(!sandbox.begun().is_empty());
                check(&sandbox, NEXT[(batch + place) % NEXT.len()]);
                code
            }));
            match survived {
                Ok(KILLED) => killed += 1,
                Ok(code) => failed += usize::from(code != 0),
                // What is wrong was said.
                Err(_) => wrong.push(case.what.as_str()),
            }
        }
    }
    assert!(wrong.is_empty(), "{how:?} does not survive {}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(killed + failed > 0, "nothing came about");
    say(&format!(
        "rotation, {how:?}: {} of {total} harms (seed {}) over {} calls: {killed} kills, {failed} failed runs, {begun} \
         of them with a rotation to finish: 0 keys lost",
        drawn.len(),
        dice.seed,
        calls.len() - first
    ));
}

/// So many profiles, each of another tenant.
fn many(count: usize) -> (Sandbox, Vec<String>) {
    let sandbox = Sandbox::new();
    sandbox.init();
    let names: Vec<String> = (0..count).map(|number| format!("t{number:02}")).collect();
    let secrets = names.iter().map(|name| sandbox.server().add_tenant(name, "soc").netosecret() + "\n");
    let secrets: String = secrets.collect();
    sandbox.neto(["profile", "import", "-"]).stdin(secrets).run().code(0);
    (sandbox, names)
}

#[test]
fn what_a_rotation_notes_is_synced_before_the_key_is_changed_and_the_store_is_written_once_for_many() {
    if !strace::works() {
        return;
    }
    let (sandbox, _) = many(1);
    let arguments = ["rotate", "--all", "--yes"].map(str::to_owned);
    strace::under(&sandbox, &[], env!("CARGO_BIN_EXE_neto"), &arguments).run().code(0);
    let renamed = renames(&strace::listed(&sandbox));
    let kept = &sandbox.kept("t00")[0];
    let (both, neither) = ((true, true), (false, false));
    let wanted: [(&str, Synced); 7] = [
        // A login, and the same token for good, which syncs the folder of both.
        ("t00.token", (false, true)),
        ("t00.token", both),
        // What is asked, and the answer.
        ("t00.json", both),
        ("t00.json", both),
        ("profiles.toml", both),
        ("t00.token", neither),
        (kept, both),
    ];
    let found: Vec<_> = renamed.iter().map(Renamed::synced).collect();
    // The profile was trusted with its import.
    assert_eq!(found, wanted);

    let (sandbox, names) = many(20);
    strace::under(&sandbox, &[], env!("CARGO_BIN_EXE_neto"), &arguments).run().code(0);
    let renamed = renames(&strace::listed(&sandbox));
    let changes = renamed.iter().filter(|one| one.target.ends_with("/profiles.toml")).count();
    assert_eq!(changes, 1, "changes of the store for {} keys", names.len());
}

/// Kills rotations of many profiles at random instants; whatever was reached, the next runs lose none.
#[test]
fn a_rotation_of_fifty_that_is_killed_loses_no_key() {
    let (target, mut dice) = (rounds(300, 3), Dice::new());
    let (mut sandbox, names) = many(50);
    let line = ["rotate", "--all", "--yes"];
    let began = Instant::now();
    sandbox.neto(line).run().code(0);
    let usual = usize::try_from(began.elapsed().as_micros()).expect("a short time");
    let (mut landed, mut tried, mut cut_off) = (0, 0, 0);
    while landed < target {
        // All that a run prints is searched for every secret that its server ever made.
        if tried % FRESH == FRESH - 1 {
            sandbox = many(names.len()).0;
        }
        let run = sandbox.neto(line).start();
        std::thread::sleep(Duration::from_micros(dice.below(usual) as u64));
        run.signal(Signal::KILL);
        landed += usize::from(run.end() == KILLED);
        cut_off += sandbox.begun().len();
        tried += 1;
        assert!(tried < 100 + 20 * target, "of {tried} kills only {landed} landed");
        if tried % 2 == 0 {
            sandbox.neto(line).run().code(0);
        }
        sandbox.neto(["login", "--all", "--force"]).run().code(0);
        assert_eq!(sandbox.begun(), [""; 0], "rotations that are not finished");
        sandbox.neto(["seal", "--check"]).run().code(0);
    }
    let seed = dice.seed;
    say(&format!(
        "{landed} kills of a rotation of {} that landed, of {tried} (seed {seed}), {cut_off} of its keys to finish: 0 lost",
        names.len()
    ));
}

const KILL: [&str; 1] = ["signal=KILL"];

const ERRORS: [&str; 4] = ["error=EIO", "error=ENOSPC", "error=EACCES", "error=EMFILE"];

#[test]
fn a_rotation_that_is_killed_at_any_call_loses_no_key() {
    harm(How::InPlace, &KILL, 12);
}

#[test]
fn a_rotation_that_renews_its_token_first_and_is_killed_loses_no_key() {
    harm(How::Stale, &KILL, 4);
}

#[test]
fn a_rotation_that_is_killed_where_tokens_end_with_the_key_loses_none() {
    harm(How::Ends, &KILL, 6);
}

#[test]
fn a_second_key_that_is_killed_at_any_call_is_one() {
    harm(How::Beside, &KILL, 6);
}

#[test]
fn a_rotation_that_the_system_fails_loses_no_key() {
    harm(How::InPlace, &ERRORS, 8);
}
