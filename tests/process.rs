//! The process itself: what others may see of it, what it leaves in memory, what becomes of its streams, and what it
//! tells when it should say nothing.
#![cfg(target_os = "linux")]

use crate::fusion::{Fault, Gate, TOKEN};
use crate::harness::{Running, Sandbox};
use crate::torture::scale::say_not_tested;
use rustix::process::Signal;
use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

/// So many bytes of a secret are not there by chance.
const PART: usize = 10;

/// What a process may write of its memory; nothing where it may not be read.
fn memory(id: u32) -> Option<Vec<u8>> {
    let maps = fs::read_to_string(format!("/proc/{id}/maps")).ok()?;
    let memory = File::open(format!("/proc/{id}/mem")).ok()?;
    let mut all = Vec::new();
    for line in maps.lines().filter(|line| line.contains(" rw")) {
        let (start, end) = line.split(' ').next().expect("a range").split_once('-').expect("a range");
        let place = |text| u64::from_str_radix(text, 16).expect("an address");
        let mut bytes = vec![0; usize::try_from(place(end) - place(start)).expect("a length")];
        // Of what the kernel keeps for itself nothing can be read.
        let count = memory.read_at(&mut bytes, place(start)).unwrap_or(0);
        all.extend_from_slice(&bytes[..count]);
    }
    Some(all)
}

/// Whether a telling part of the text is there: memory that was given back is soon overwritten in part.
fn holds(memory: &[u8], text: &str) -> bool {
    let parts: Vec<&[u8]> = text.as_bytes().windows(PART).step_by(PART / 2).collect();
    memory.windows(PART).any(|place| parts.contains(&place))
}

/// The last line of a key file, the key, without what all keys begin with.
fn key(path: &Path) -> String {
    let text = fs::read_to_string(path).expect("a key file");
    text.lines().last().and_then(|line| line.strip_prefix("AGE-SECRET-KEY-1")).expect("a key").to_owned()
}

/// Wiping is best effort: what other crates copy (the answer of a server, a request) is theirs.
#[test]
fn r57_what_was_used_is_wiped_from_memory() {
    let sandbox = Sandbox::new();
    let (used, in_use) = (sandbox.add("acme"), sandbox.add("beta"));
    let gate = Gate::new();
    sandbox.server().fault(Fault::at(TOKEN).of("beta").once().hold(&gate));
    let using = sandbox.neto(["login", "beta"]).start();
    gate.wait_for(1);
    // It was refused with the first and waits for the other, whose secret it has not opened. (After a success more
    // would be done, which would overwrite by chance what should have been wiped.)
    sandbox.server().fault(Fault::at(TOKEN).of("acme").once().error(401, "not today"));
    let waiting = sandbox.neto(["login", "acme", "beta"]).start();
    waiting.wait_until_it_says("waiting for neto process");
    let memories = memory(using.id()).zip(memory(waiting.id()));
    gate.open();
    using.finish().code(0);
    waiting.finish().code(8).stderr_has("acme: ").stderr_has("not today");
    let Some((using, waiting)) = memories else {
        say_not_tested("the memory of another process cannot be read here (CAP_SYS_PTRACE), so no wiping is seen");
        return;
    };
    assert!(holds(&using, &in_use.sharedsecret), "a secret in use is not seen, so this would see none");
    assert!(holds(&waiting, &used.url), "what is no secret is not seen");
    assert!(!holds(&waiting, &used.sharedsecret), "the shared secret stays in memory");
    for file in ["keys/identity.txt", "keys/device.key"] {
        assert!(!holds(&waiting, &key(&sandbox.home(file))), "{file} stays in memory");
    }
}

/// What another process of the same user, without root's powers, may look into.
fn open_to_others(sandbox: &Sandbox, id: u32) -> String {
    let script = "for name in environ mem maps auxv; do (cat /proc/$1/$name | head -c 1) 2>/dev/null | grep -q . && echo $name; \
                  : 2>/dev/null </proc/$1/$name && echo $name opens; done; ls /proc/$1/fd >/dev/null 2>&1 && echo fd";
    let looked = sandbox.bound("sh", ["-c", script, "sh", &id.to_string()]).run();
    looked.stdout.clone()
}

/// Waits until the process is this program.
fn wait_until_it_is(run: &Running<'_>, program: &str) {
    let began = Instant::now();
    while fs::read_to_string(format!("/proc/{}/comm", run.id())).expect("a process").trim_end() != program {
        assert!(began.elapsed() < Duration::from_secs(30), "{program} never starts");
        std::thread::yield_now();
    }
}

#[test]
fn r56_nobody_looks_into_neto_and_anybody_into_its_child() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    let gate = Gate::new();
    sandbox.server().fault(Fault::at(TOKEN).once().hold(&gate));
    let neto = sandbox.bound_neto(["login", "acme"]).start();
    gate.wait_for(1);
    assert_eq!(open_to_others(&sandbox, neto.id()), "", "is open to other processes of the same user");
    gate.open();
    neto.finish().code(0);
    // What an ordinary process shows, and so does a child.
    let ordinary = sandbox.bound("sleep", ["60"]).start();
    wait_until_it_is(&ordinary, "sleep");
    let child = sandbox.bound_neto(["exec", "acme", "--", "sleep", "60"]).start();
    wait_until_it_is(&child, "sleep");
    let shown = open_to_others(&sandbox, ordinary.id());
    assert!(shown.contains("environ\n") && shown.contains("mem opens\n") && shown.contains("fd\n"), "{shown}");
    assert_eq!(open_to_others(&sandbox, child.id()), shown);
    for run in [ordinary, child] {
        run.signal(Signal::KILL);
        run.finish().code(137);
    }
}

#[test]
fn r56_neto_leaves_no_core_file() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    let start = |line: &str| sandbox.program("sh", ["-c", &format!("ulimit -c unlimited; {line}")]).start();
    let core =
        || fs::read_dir(sandbox.work("")).expect("a folder").flatten().map(|entry| entry.path()).collect::<Vec<_>>();
    let ordinary = start("exec sleep 60");
    wait_until_it_is(&ordinary, "sleep");
    ordinary.signal(Signal::ABORT);
    if !ordinary.finish().code(134).dumped_core() {
        say_not_tested("no program leaves a core file here, so that neto leaves none shows nothing");
        return;
    }
    for path in core() {
        fs::remove_file(path).expect("a core file");
    }
    for (signal, code) in [(Signal::ABORT, 134), (Signal::QUIT, 131), (Signal::ILL, 132)] {
        let gate = Gate::new();
        sandbox.server().fault(Fault::at(TOKEN).once().hold(&gate));
        let neto = start("exec neto login acme --force");
        gate.wait_for(1);
        neto.signal(signal);
        assert!(!neto.finish().code(code).dumped_core(), "a core file by {signal:?}");
        assert!(core().is_empty(), "{:?}", core());
    }
}

#[test]
fn r57_no_variable_makes_neto_tell_more() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    let loud = [("RUST_LOG", "trace"), ("RUST_BACKTRACE", "full"), ("RUST_LIB_BACKTRACE", "1"), ("NETO_LOG", "trace")];
    let both = |arguments: &[&str]| {
        let run = |loud: &[(&str, &str)]| {
            let call = sandbox.neto(arguments).reveals("access token");
            loud.iter().fold(call, |call, (name, value)| call.env(name, value)).run()
        };
        let (quiet, loud) = (run(&[]), run(&loud));
        loud.code(quiet.exit_code());
        // Only how long the server took differs.
        let told =
            |text: &str| text.split(' ').filter(|word| word.parse::<u64>().is_err()).collect::<Vec<_>>().join(" ");
        assert_eq!(told(&loud.stderr), told(&quiet.stderr), "{loud}");
        loud
    };
    both(&["token", "acme", "--force"]).code(0).silent();
    both(&["-v", "token", "acme", "--force"]).code(0).stderr_has("POST ");
    both(&["token", "nosuch"]).code(3);
    sandbox.server().fault(Fault::at(TOKEN).error(401, "not today"));
    both(&["-v", "token", "acme", "--force"]).code(4).stderr_has("not today");
}

#[test]
fn r57_a_release_checks_its_sums() {
    let manifest: toml::Table = include_str!("../Cargo.toml").parse().expect("a manifest");
    assert_eq!(manifest["profile"]["release"]["overflow-checks"].as_bool(), Some(true));
}

/// Verbs that answer, and what each stream may be instead of a pipe.
const ANSWERS: [&str; 14] = [
    "--help",
    "--version",
    "init",
    "token",
    "token -o header",
    "status",
    "status -o json",
    "export --shell sh",
    "export --format json",
    "profile list",
    "profile show acme",
    "profile current --explain",
    "recipient list",
    "exec acme -- true",
];

#[test]
fn r61_closed_streams_are_no_death() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    sandbox.neto(["login"]).run().code(0);
    let run = |verb: &str, streams: &str| {
        let line = format!("exec neto {verb} {streams}");
        let outcome = sandbox.program("bash", ["-c", &line]).reveals("access token").run();
        outcome.stderr_lacks("panicked").stderr_lacks("is a bug");
        outcome
    };
    for verb in ANSWERS {
        let usual = run(verb, "").code(0).clone();
        // Nobody is told, and the answer is the same.
        for streams in ["<&-", "2>&-", "<&- 2>&-", "2>/dev/full"] {
            let answer = run(verb, streams).code(0).stdout.clone();
            if verb.starts_with("status") {
                // It says how much is left.
                assert_eq!(answer.lines().count(), usual.stdout.lines().count(), "{verb} {streams}: {answer}");
            } else {
                assert_eq!(answer, usual.stdout, "{verb} {streams}");
            }
        }
        // Rust opens /dev/null in place of a closed stream, so that this is no other than `>/dev/null`.
        for streams in [">&-", "<&- >&- 2>&-"] {
            run(verb, streams).code(0).stdout("");
        }
        let lost = i32::from(!verb.starts_with("exec"));
        for streams in [">/dev/full", ">/dev/full 2>/dev/full", "<&- >/dev/full 2>&-"] {
            run(verb, streams).code(lost).stdout("");
        }
    }
    // What is no answer is done all the same.
    for (verb, streams) in [("use acme", "<&- >&- 2>&-"), ("login --force", ">&- 2>/dev/full"), ("logout", "2>&-")] {
        run(verb, streams).code(0).stdout("");
    }
    assert_eq!(sandbox.server().logins(), 2);
    sandbox
        .neto(["status", "-o", "json"])
        .run()
        .code(0)
        .stdout_has("\"state\": \"none\"")
        .stdout_has("\"current\": true");
    // A hidden question at a closed terminal is none.
    run("profile add beta", "<&-").stderr_has("error: ");
}
