//! The process itself: access by other processes, secrets left in memory, closed streams, and variables that must not
//! reveal more.
#![cfg(target_os = "linux")]

use crate::fusion::{Fault, Gate, TOKEN};
use crate::harness::{Running, Sandbox};
use crate::torture::scale::report_skipped;
use rustix::process::Signal;
use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

/// Length of a part of a secret that does not occur in memory by chance, in bytes.
const PART_LENGTH: usize = 10;

/// Returns the writable memory of a process, or `None` if it cannot be read.
fn memory(id: u32) -> Option<Vec<u8>> {
    let maps = fs::read_to_string(format!("/proc/{id}/maps")).ok()?;
    let memory = File::open(format!("/proc/{id}/mem")).ok()?;
    let mut all = Vec::new();
    for line in maps.lines().filter(|line| line.contains(" rw")) {
        let (start, end) = line.split(' ').next().expect("a range").split_once('-').expect("a range");
        let address = |text| u64::from_str_radix(text, 16).expect("an address");
        let mut bytes = vec![0; usize::try_from(address(end) - address(start)).expect("a length")];
        // Reading memory that the kernel keeps for itself fails.
        let count = memory.read_at(&mut bytes, address(start)).unwrap_or(0);
        all.extend_from_slice(&bytes[..count]);
    }
    Some(all)
}

/// Returns whether memory contains a part of the text. Freed memory is soon overwritten in part, so a part is enough.
fn contains_part(memory: &[u8], text: &str) -> bool {
    let parts: Vec<&[u8]> = text.as_bytes().windows(PART_LENGTH).step_by(PART_LENGTH / 2).collect();
    memory.windows(PART_LENGTH).any(|window| parts.contains(&window))
}

/// Returns the key in the last line of a key file, without the prefix that all keys share.
fn key(path: &Path) -> String {
    let text = fs::read_to_string(path).expect("a key file");
    text.lines().last().and_then(|line| line.strip_prefix("AGE-SECRET-KEY-1")).expect("a key").to_owned()
}

/// Wiping is best effort. Copies made by other crates (a server's answer, a request) are outside neto's control.
#[test]
fn r57_what_was_used_is_wiped_from_memory() {
    let sandbox = Sandbox::new();
    let (used, in_use) = (sandbox.add("acme"), sandbox.add("beta"));
    let gate = Gate::new();
    sandbox.server().fault(Fault::at(TOKEN).for_tenant("beta").once().hold_at(&gate));
    let using = sandbox.neto(["login", "beta"]).start();
    gate.wait_for_requests(1);
    // The server refused acme, and the run waits for beta, whose secret it has not opened. (After a success neto would
    // do more work, which could overwrite by chance what wiping missed.)
    sandbox.server().fault(Fault::at(TOKEN).for_tenant("acme").once().error(401, "not today"));
    let waiting = sandbox.neto(["login", "acme", "beta"]).start();
    waiting.wait_for_stderr("waiting for neto process");
    let memories = memory(using.id()).zip(memory(waiting.id()));
    gate.open();
    using.finish().code(0);
    waiting.finish().code(8).stderr_has("acme: ").stderr_has("not today");
    let Some((using, waiting)) = memories else {
        report_skipped("the memory of another process cannot be read here (CAP_SYS_PTRACE), so no wiping is seen");
        return;
    };
    assert!(contains_part(&using, &in_use.sharedsecret), "a secret in use is not seen, so this would see none");
    assert!(contains_part(&waiting, &used.url), "what is no secret is not seen");
    assert!(!contains_part(&waiting, &used.sharedsecret), "the shared secret stays in memory");
    for file in ["keys/identity.txt", "keys/device.key"] {
        assert!(!contains_part(&waiting, &key(&sandbox.home(file))), "{file} stays in memory");
    }
}

/// Lists the /proc files that another process of the same user can read without root's powers.
fn readable_by_others(sandbox: &Sandbox, id: u32) -> String {
    let script = "for name in environ mem maps auxv; do (cat /proc/$1/$name | head -c 1) 2>/dev/null | grep -q . && echo $name; \
                  : 2>/dev/null </proc/$1/$name && echo $name opens; done; ls /proc/$1/fd >/dev/null 2>&1 && echo fd";
    let listing = sandbox.unprivileged("sh", ["-c", script, "sh", &id.to_string()]).run();
    listing.stdout.clone()
}

/// Waits until the process runs this program.
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
    sandbox.server().fault(Fault::at(TOKEN).once().hold_at(&gate));
    let neto = sandbox.unprivileged_neto(["login", "acme"]).start();
    gate.wait_for_requests(1);
    assert_eq!(readable_by_others(&sandbox, neto.id()), "", "is open to other processes of the same user");
    gate.open();
    neto.finish().code(0);
    // Ordinary processes are readable, and so is neto's child.
    let ordinary = sandbox.unprivileged("sleep", ["60"]).start();
    wait_until_it_is(&ordinary, "sleep");
    let child = sandbox.unprivileged_neto(["exec", "acme", "--", "sleep", "60"]).start();
    wait_until_it_is(&child, "sleep");
    let shown = readable_by_others(&sandbox, ordinary.id());
    assert!(shown.contains("environ\n") && shown.contains("mem opens\n") && shown.contains("fd\n"), "{shown}");
    assert_eq!(readable_by_others(&sandbox, child.id()), shown);
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
        report_skipped("no program leaves a core file here, so that neto leaves none shows nothing");
        return;
    }
    for path in core() {
        fs::remove_file(path).expect("a core file");
    }
    for (signal, code) in [(Signal::ABORT, 134), (Signal::QUIT, 131), (Signal::ILL, 132)] {
        let gate = Gate::new();
        sandbox.server().fault(Fault::at(TOKEN).once().hold_at(&gate));
        let neto = start("exec neto login acme --force");
        gate.wait_for_requests(1);
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
            let call = sandbox.neto(arguments).allow_secret("access token");
            loud.iter().fold(call, |call, (name, value)| call.env(name, value)).run()
        };
        let (quiet, loud) = (run(&[]), run(&loud));
        loud.code(quiet.exit_code());
        // Only the server's response time differs.
        let without_numbers =
            |text: &str| text.split(' ').filter(|word| word.parse::<u64>().is_err()).collect::<Vec<_>>().join(" ");
        assert_eq!(without_numbers(&loud.stderr), without_numbers(&quiet.stderr), "{loud}");
        loud
    };
    both(&["token", "acme", "--force"]).code(0).stderr("");
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

/// Commands that print an answer.
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
        let outcome = sandbox.program("bash", ["-c", &line]).allow_secret("access token").run();
        outcome.stderr_lacks("panicked").stderr_lacks("is a bug");
        outcome
    };
    for verb in ANSWERS {
        let usual = run(verb, "").code(0).clone();
        // A closed stderr loses the messages but does not change the answer.
        for streams in ["<&-", "2>&-", "<&- 2>&-", "2>/dev/full"] {
            let answer = run(verb, streams).code(0).stdout.clone();
            if verb.starts_with("status") {
                // `status` shows the remaining lifetime, which changes.
                assert_eq!(answer.lines().count(), usual.stdout.lines().count(), "{verb} {streams}: {answer}");
            } else {
                assert_eq!(answer, usual.stdout, "{verb} {streams}");
            }
        }
        // Rust opens /dev/null in place of a closed stream, so these cases equal `>/dev/null`.
        for streams in [">&-", "<&- >&- 2>&-"] {
            run(verb, streams).code(0).stdout("");
        }
        let lost = i32::from(!verb.starts_with("exec"));
        for streams in [">/dev/full", ">/dev/full 2>/dev/full", "<&- >/dev/full 2>&-"] {
            run(verb, streams).code(lost).stdout("");
        }
    }
    // Commands without an answer still do their work.
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
    // A hidden prompt cannot be answered through a closed stdin.
    run("profile add beta", "<&-").stderr_has("error: ");
}
