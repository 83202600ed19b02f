//! Promise 1 for keys: at any system call for files or the network, a rotation is killed or the call fails. Each tenant
//! keeps a working key, and the next run finishes the rotation.

use super::durability::{Renamed, Synced, renames};
use super::faults::{CASES_PER_SANDBOX, is_injectable, occurrence};
use super::scale::{SeededRng, print_summary, rounds};
use super::strace::{self, TracedCall};
use crate::harness::{Outcome, Sandbox};
use rustix::process::Signal;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// System calls that strace traces: those for files and those for the network.
const CALLS: &str = "trace=openat,?open,read,pread64,write,writev,close,fsync,fdatasync,?rename,?renameat,renameat2,?unlink,\
    unlinkat,?mkdir,mkdirat,?chmod,fchmod,fchmodat,ftruncate,flock,fcntl,lseek,?stat,?lstat,fstat,?newfstatat,statx,\
    getdents64,?readlink,readlinkat,?access,faccessat,getcwd,execve,prctl,?eventfd,eventfd2,socket,connect,sendto,sendmsg,\
    recvfrom,recvmsg,shutdown,getsockopt,setsockopt,getsockname,getpeername";

const KILLED: i32 = 137;

/// Number of kills of a rotation of 50 profiles before a new sandbox starts.
const KILLS_PER_SANDBOX: usize = 6;

/// Permitted exit codes of a rotation in which system calls fail.
const CODES: [i32; 7] = [0, 1, 3, 4, 5, 6, 7];

/// Commands that may run next. Each of them must finish a rotation that was begun.
const NEXT_COMMANDS: [&[&str]; 4] = [
    &["login", "acme", "--force"],
    &["rotate", "acme"],
    &["token", "acme", "--force"],
    &["exec", "acme", "--with-secret", "--", "true"],
];

/// Kind of rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RotationKind {
    /// Replaces the old key; the access token is valid before and after.
    InPlace,
    /// Replaces the old key; the cached access token must be renewed first.
    Stale,
    /// Replaces the old key on a server that ends the key's access tokens at the same time.
    Ends,
    /// Adds a second key beside the old one.
    Beside,
}

impl RotationKind {
    fn fixture(self) -> Sandbox {
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
        sandbox.backdate_token("acme", seconds);
    }

    fn arguments(self) -> Vec<String> {
        let overlap: &[&str] = if self == Self::Beside { &["--overlap"] } else { &[] };
        // strace does not execute a call that it fails. If the `close` of a lock file fails, the lock stays held.
        ["rotate", "acme", "--lock-timeout", "2s"].iter().chain(overlap).map(|word| (*word).to_owned()).collect()
    }
}

/// Runs a rotation with these strace options.
fn rotate(sandbox: &Sandbox, kind: RotationKind, fault: &[String]) -> Outcome {
    let options = [&[CALLS.to_owned()], fault].concat();
    strace::traced(sandbox, &options, env!("CARGO_BIN_EXE_neto"), &kind.arguments()).run()
}

/// Runs a rotation once under strace. Returns its calls, and the index of the first call in `main`.
fn calls_of(kind: RotationKind) -> (Vec<TracedCall>, usize) {
    let sandbox = kind.fixture();
    kind.prepare(&sandbox);
    rotate(&sandbox, kind, &[]).code(0);
    let calls = strace::traced_calls(&sandbox);
    let main = calls.iter().position(|call| call.line.contains("PR_SET_DUMPABLE")).expect("the start of main");
    (calls, main + 1)
}

/// Asserts that the files are intact, that neto still prints a token, and that `next` finishes the rotation. Also
/// asserts that the server then accepts the stored key.
fn check(sandbox: &Sandbox, next: &[&str]) {
    sandbox.assert_intact(&["acme"]);
    sandbox.neto(["token", "acme"]).allow_secret("access token").run().code(0);
    sandbox.neto(next).allow_secret("access token").run().code(0);
    assert_eq!(sandbox.unfinished_rotations(), [""; 0], "`{}` leaves a rotation", next.join(" "));
    sandbox.assert_logs_in("acme");
    assert_eq!(sandbox.server().reused_refresh_tokens(), [""; 0]);
}

/// A system call and the fault injected there.
struct Case {
    description: String,
    inject: String,
}

fn cases(calls: &[TracedCall], first: usize, faults: &[&str]) -> Vec<Case> {
    let wakes = strace::event_loop_wakes(calls);
    let indexes = (first..calls.len()).filter(|index| !wakes[*index] && is_injectable(&calls[*index]));
    let mut cases = Vec::new();
    for index in indexes {
        let (name, number) = (&calls[index].name, occurrence(calls, &calls[index].name, index));
        for fault in faults {
            let description = format!("{fault} at {}", calls[index].line);
            cases.push(Case { description, inject: format!("inject={name}:{fault}:when={number}") });
        }
    }
    cases
}

/// Runs rotations with each of these faults at each call, or with a random share of these cases (see `scale`).
fn interrupt_rotations(kind: RotationKind, faults: &[&str], minimum: usize) {
    if !strace::works() {
        return;
    }
    let (calls, first) = calls_of(kind);
    let (all, mut rng) = (cases(&calls, first, faults), SeededRng::new());
    let total = all.len();
    let sampled = rng.sample(all, rounds(total, minimum));
    let (mut killed, mut failed, mut begun, mut failed_cases) = (0, 0, 0, Vec::new());
    for (batch, cases) in sampled.chunks(CASES_PER_SANDBOX).enumerate() {
        let sandbox = kind.fixture();
        for (index, case) in cases.iter().enumerate() {
            kind.prepare(&sandbox);
            let result = catch_unwind(AssertUnwindSafe(|| {
                let outcome = rotate(&sandbox, kind, std::slice::from_ref(&case.inject));
                let code = outcome.exit_code();
                assert!(code == KILLED || CODES.contains(&code), "{} ends with {code}: {outcome}", case.description);
                outcome.stderr_lacks("panicked").stderr_lacks("this is a bug");
                begun += usize::from(!sandbox.unfinished_rotations().is_empty());
                check(&sandbox, NEXT_COMMANDS[(batch + index) % NEXT_COMMANDS.len()]);
                code
            }));
            match result {
                Ok(KILLED) => killed += 1,
                Ok(code) => failed += usize::from(code != 0),
                // The panic already printed the reason.
                Err(_) => failed_cases.push(case.description.as_str()),
            }
        }
    }
    assert!(failed_cases.is_empty(), "{kind:?} does not survive {}:\n{}", failed_cases.len(), failed_cases.join("\n"));
    assert!(killed + failed > 0, "nothing came about");
    print_summary(&format!(
        "rotation, {kind:?}: {} of {total} harms (seed {}) over {} calls: {killed} kills, {failed} failed runs, {begun} \
         of them with a rotation to finish: 0 keys lost",
        sampled.len(),
        rng.seed,
        calls.len() - first
    ));
}

/// Creates a sandbox with `count` profiles of different tenants, and returns the profile names.
fn with_profiles(count: usize) -> (Sandbox, Vec<String>) {
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
    let (sandbox, _) = with_profiles(1);
    let arguments = ["rotate", "--all", "--yes"].map(str::to_owned);
    strace::traced(&sandbox, &[], env!("CARGO_BIN_EXE_neto"), &arguments).run().code(0);
    let renamed = renames(&strace::traced_calls(&sandbox));
    let old_key_file = &sandbox.kept_keys("t00")[0];
    let (both, neither) = ((true, true), (false, false));
    let expected: [(&str, Synced); 7] = [
        // The login saves its token twice. The sync of the directory after the second rename covers both.
        ("t00.token", (false, true)),
        ("t00.token", both),
        // The journal, first before the request for a new key, then with the response.
        ("t00.json", both),
        ("t00.json", both),
        ("profiles.toml", both),
        ("t00.token", neither),
        (old_key_file, both),
    ];
    let found: Vec<_> = renamed.iter().map(Renamed::synced).collect();
    // The import has already trusted the profile, so the trust state is not written again.
    assert_eq!(found, expected);

    let (sandbox, names) = with_profiles(20);
    strace::traced(&sandbox, &[], env!("CARGO_BIN_EXE_neto"), &arguments).run().code(0);
    let renamed = renames(&strace::traced_calls(&sandbox));
    let store_writes = renamed.iter().filter(|renamed| renamed.target.ends_with("/profiles.toml")).count();
    assert_eq!(store_writes, 1, "changes of the store for {} keys", names.len());
}

/// Kills rotations of 50 profiles at random times. The following runs must be able to use every profile.
#[test]
fn a_rotation_of_fifty_that_is_killed_loses_no_key() {
    let (target, mut rng) = (rounds(300, 3), SeededRng::new());
    let (mut sandbox, names) = with_profiles(50);
    let arguments = ["rotate", "--all", "--yes"];
    let began = Instant::now();
    sandbox.neto(arguments).run().code(0);
    let usual_micros = usize::try_from(began.elapsed().as_micros()).expect("a short time");
    let (mut landed, mut tried, mut unfinished) = (0, 0, 0);
    while landed < target {
        // The output of each run is searched for all secrets created so far, so long-lived sandboxes are slow.
        if tried % KILLS_PER_SANDBOX == KILLS_PER_SANDBOX - 1 {
            sandbox = with_profiles(names.len()).0;
        }
        let run = sandbox.neto(arguments).start();
        std::thread::sleep(Duration::from_micros(rng.below(usual_micros) as u64));
        run.signal(Signal::KILL);
        landed += usize::from(run.wait_for_exit_code() == KILLED);
        unfinished += sandbox.unfinished_rotations().len();
        tried += 1;
        assert!(tried < 100 + 20 * target, "of {tried} kills only {landed} landed");
        if tried % 2 == 0 {
            sandbox.neto(arguments).run().code(0);
        }
        sandbox.neto(["login", "--all", "--force"]).run().code(0);
        assert_eq!(sandbox.unfinished_rotations(), [""; 0], "rotations that are not finished");
        sandbox.neto(["seal", "--check"]).run().code(0);
    }
    let seed = rng.seed;
    print_summary(&format!(
        "{landed} kills of a rotation of {} that landed, of {tried} (seed {seed}), {unfinished} of its keys to finish: 0 lost",
        names.len()
    ));
}

const KILL: [&str; 1] = ["signal=KILL"];

const ERRORS: [&str; 4] = ["error=EIO", "error=ENOSPC", "error=EACCES", "error=EMFILE"];

#[test]
fn a_rotation_that_is_killed_at_any_call_loses_no_key() {
    interrupt_rotations(RotationKind::InPlace, &KILL, 12);
}

#[test]
fn a_rotation_that_renews_its_token_first_and_is_killed_loses_no_key() {
    interrupt_rotations(RotationKind::Stale, &KILL, 4);
}

#[test]
fn a_rotation_that_is_killed_where_tokens_end_with_the_key_loses_none() {
    interrupt_rotations(RotationKind::Ends, &KILL, 6);
}

#[test]
fn a_second_key_that_is_killed_at_any_call_is_one() {
    interrupt_rotations(RotationKind::Beside, &KILL, 6);
}

#[test]
fn a_rotation_that_the_system_fails_loses_no_key() {
    interrupt_rotations(RotationKind::InPlace, &ERRORS, 8);
}
