//! Checks the numbers in `docs/performance.md` and `bench/instructions.txt`: the table of system calls matches the real
//! binary, and a higher count is detected. No test asserts a time.

#![cfg(target_os = "linux")]

use crate::harness::Sandbox;
use crate::torture::scale::report_skipped;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

#[path = "../bench/counts.rs"]
mod counts;

use counts::{Comparison, Count, Counts, Toolchain};

const PAGE: &str = include_str!("../docs/performance.md");
const COMMITTED: &str = include_str!("../bench/instructions.txt");

fn committed() -> Counts {
    Counts::parse(COMMITTED).expect("bench/instructions.txt as --accept writes it")
}

/// Compares the committed counts with the same counts, one of them higher by this percentage.
fn compare_raised(at: usize, percent: u64, own_alone: bool) -> Comparison {
    let mut now = committed();
    let count = &mut now.counts[at];
    count.own = count.own * (100 + percent) / 100;
    count.total = if own_alone { count.total } else { count.total * (100 + percent) / 100 };
    committed().compare(&now)
}

#[test]
fn a_count_that_rose_by_more_than_5_percent_fails_and_says_how_to_accept_it() {
    let counts = committed();
    assert!(counts.counts.len() >= 5, "the hot paths: {counts:?}");
    assert!(!committed().compare(&counts).failed, "what is committed fails nothing");
    for at in 0..counts.counts.len() {
        for own_alone in [false, true] {
            let allowed = compare_raised(at, 5, own_alone);
            assert!(!allowed.failed, "{allowed:?}");
            let risen = compare_raised(at, 6, own_alone);
            assert!(risen.failed, "{risen:?}");
            let path = &counts.counts[at].path;
            assert!(risen.lines.iter().any(|line| line.starts_with(path) && line.ends_with("TOO MANY")), "{risen:?}");
            assert!(risen.lines.iter().any(|line| line.contains("bench/instructions --accept")), "{risen:?}");
        }
    }
}

#[test]
fn a_path_without_a_committed_count_fails_and_so_does_one_no_longer_counted() {
    let Counts { toolchain, mut counts } = committed();
    counts[0].path = "neto something else".to_owned();
    let verdict = committed().compare(&Counts { toolchain, counts });
    assert!(verdict.failed);
    assert!(verdict.lines.iter().any(|line| line.contains("something else: not among the committed")), "{verdict:?}");
    assert!(verdict.lines.iter().any(|line| line.contains("no longer counted")), "{verdict:?}");
}

#[test]
fn other_compilers_are_not_compared_and_other_libraries_only_outside() {
    let Counts { toolchain, counts } = committed();
    let doubled = |count: &Count, own: u64| Count { own: count.own * own, total: count.total * 2, ..count.clone() };
    let with = |toolchain: &Toolchain, own| Counts {
        toolchain: toolchain.clone(),
        counts: counts.iter().map(|c| doubled(c, own)).collect(),
    };
    let compiler = Toolchain { compiler: "rustc 9.9.9".to_owned(), ..toolchain.clone() };
    let verdict = committed().compare(&with(&compiler, 2));
    assert!(!verdict.failed);
    assert!(matches!(&verdict.lines[..], [line] if line.starts_with("NOT COMPARED") && line.contains("rustc 9.9.9")));
    let library = Toolchain { runtime: "glibc 9.9".to_owned(), ..toolchain };
    assert!(!committed().compare(&with(&library, 1)).failed, "the libraries' part is not compared");
    assert!(committed().compare(&with(&library, 2)).failed, "neto's own part is");
}

#[test]
fn counts_are_read_as_they_are_written() {
    assert_eq!(Counts::parse(&committed().render()), Some(committed()));
    assert_eq!(committed().render(), COMMITTED, "the file is as `bench/instructions --accept` writes it");
    for wrong in ["", "code: a\n", "code: a\nbeside: b\n1 x path\n", "code: a\nbeside: b\n1\n"] {
        assert_eq!(Counts::parse(wrong), None, "{wrong:?}");
    }
}

/// System call and its object, such as `openat` of `keys/device.key`.
type SystemCall = (String, String);

/// Returns the calls in the tables below this heading, with their number of times.
fn listed(heading: &str) -> BTreeMap<SystemCall, String> {
    let (_, below) = PAGE.split_once(&format!("\n### {heading}\n")).expect("a heading of the page");
    let below = below.split("\n#").next().unwrap_or_default();
    let rows = below.lines().filter_map(|line| line.strip_prefix("| `")?.strip_suffix(" |"));
    rows.map(|row| {
        let cells: Vec<&str> = row.split(" | ").collect();
        let [name, object, times, why] = cells[..] else { panic!("call, of what, times, why: {row}") };
        assert!(why.len() > 5, "no reason: {row}");
        ((name.trim_end_matches('`').to_owned(), object.trim_matches('`').to_owned()), times.to_owned())
    })
    .collect()
}

/// Parses a line of strace into the names of the table.
fn parse_call(line: &str, home: &Path) -> Option<SystemCall> {
    let (name, arguments) = line.split_once('(').filter(|(name, _)| !name.contains([' ', '+', '-', '<']))?;
    let between = |from: char, to: char| Some(arguments.split_once(from)?.1.split_once(to)?.0);
    let constant = || arguments.split([' ', ',', ')']).find(|word| word.starts_with(|c: char| c.is_ascii_uppercase()));
    let object = match name {
        "brk" | "mmap" | "munmap" | "mremap" | "madvise" | "mprotect" => {
            return Some(pair("memory", "brk, mmap and the like"));
        }
        "poll" => "stdin, stdout, stderr",
        "getrandom" => "chance",
        "getcwd" => "the working directory",
        // Rust's debug builds check whether a file is open before they close it.
        "fcntl" if arguments.contains("F_GETFD") => return None,
        "statx" if arguments.contains(", NULL,") => "nothing",
        "rt_sigaction" | "prctl" | "prlimit64" => constant().unwrap_or("-"),
        _ if arguments.starts_with("0<") => "stdin",
        _ if arguments.starts_with("1<") => "stdout",
        _ if arguments.starts_with("2<") => "stderr",
        _ => {
            let path = between('"', '"').filter(|path| path.starts_with('/')).or_else(|| between('<', '>'));
            return Some(pair(name, &path.map_or_else(|| "-".to_owned(), |path| path_name(Path::new(path), home))));
        }
    };
    Some(pair(name, object))
}

fn pair(name: &str, object: &str) -> SystemCall {
    (name.to_owned(), object.to_owned())
}

/// Returns the table's name for a path below the home, above the home, or of the system.
fn path_name(path: &Path, home: &Path) -> String {
    match path.strip_prefix(home) {
        Ok(below) if below != Path::new("") => below.display().to_string().replace("acme", "NAME"),
        _ if home.starts_with(path) => "the folders above".to_owned(),
        _ if path.ends_with(".neto-profile") => ".neto-profile".to_owned(),
        // strace shows `/proc/self/maps` as `/proc/PID/maps` once it is open.
        _ if path.ends_with("maps") => "/proc/self/maps".to_owned(),
        _ => path.display().to_string(),
    }
}

/// Creates a home in which neto has cached everything it can. Reports a skipped test and returns `None` if strace
/// cannot trace.
fn traceable() -> Option<Sandbox> {
    if !Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]).status().is_ok_and(|status| status.success()) {
        report_skipped("strace is not installed or may not trace (ptrace), so no system call is listed");
        return None;
    }
    let sandbox = Sandbox::new();
    sandbox.init();
    sandbox.add("acme");
    sandbox.neto(["login", "acme"]).run().code(0);
    wait_until_cacheable(&sandbox);
    Some(sandbox)
}

/// Returns the system calls of a command line.
fn trace(sandbox: &Sandbox, arguments: &[&str]) -> Vec<SystemCall> {
    let log = sandbox.root().join("trace");
    let options = ["-f", "-qq", "-y", "-s", "0", "-o", log.to_str().unwrap(), env!("CARGO_BIN_EXE_neto")];
    sandbox.program("strace", options.iter().chain(arguments)).allow_secret("access token").run().code(0);
    let text = fs::read_to_string(log).unwrap();
    let lines = text.lines().filter_map(|line| line.split_once(' ').map(|(_, line)| line.trim_start()));
    lines.filter_map(|line| parse_call(line, &sandbox.home(""))).collect()
}

#[test]
fn the_table_of_system_calls_is_that_of_the_real_binary() {
    let Some(sandbox) = traceable() else { return };
    let calls = trace(&sandbox, &["token", "acme"]);
    let position = |name: &str| calls.iter().position(|(known, _)| known == name).expect(name);
    // Rust's runtime starts with `poll` on its three streams; neto starts with `prctl`, which makes it non-dumpable.
    let (rust, own) = (position("poll"), position("prctl"));
    let mut wrong = String::new();
    for (heading, calls) in [("Rust's start", &calls[rust..own]), ("neto", &calls[own..])] {
        let mut counted: BTreeMap<SystemCall, usize> = BTreeMap::new();
        for call in calls {
            *counted.entry(call.clone()).or_default() += 1;
        }
        wrong += &compare(heading, &counted);
    }
    assert!(wrong.is_empty(), "docs/performance.md is not what neto does:\n{wrong}");
}

#[test]
fn a_prompt_asks_the_kernel_for_nothing_that_a_token_does_not() {
    let Some(sandbox) = traceable() else { return };
    sandbox.add("globex");
    sandbox.neto(["use", "acme"]).run().code(0);
    wait_until_cacheable(&sandbox);
    let count = |calls: Vec<SystemCall>| {
        let mut counted: BTreeMap<SystemCall, usize> = BTreeMap::new();
        // The allocator decides how much memory it requests at once.
        for call in calls.into_iter().filter(|(name, _)| name != "memory") {
            *counted.entry(call).or_default() += 1;
        }
        counted
    };
    let (token, prompt) = (count(trace(&sandbox, &["token"])), count(trace(&sandbox, &["prompt"])));
    let beyond: Vec<_> =
        prompt.iter().filter(|(call, times)| token.get(call).is_none_or(|known| known < times)).collect();
    assert!(beyond.is_empty(), "{beyond:?}");
    // Control: without a token, the store has to be read.
    sandbox.neto(["logout", "acme"]).run().code(0);
    let without = count(trace(&sandbox, &["prompt"]));
    assert!(without.keys().any(|call| !token.contains_key(call)), "{without:?}");
}

/// Compares the calls with the table; a word instead of a number allows any count.
fn compare(heading: &str, counted: &BTreeMap<SystemCall, usize>) -> String {
    let listed = listed(heading);
    let mut wrong = String::new();
    for ((name, of), times) in counted {
        let known = listed.get(&(name.clone(), of.clone()));
        if known.is_none_or(|known| known.parse().is_ok_and(|known: usize| known != *times)) {
            writeln!(wrong, "| `{name}` | `{of}` | {times} | ? |").unwrap();
        }
    }
    for ((name, of), _) in listed.iter().filter(|(call, _)| !counted.contains_key(call)) {
        writeln!(wrong, "no longer: `{name}` of `{of}`").unwrap();
    }
    if wrong.is_empty() { wrong } else { format!("under \"{heading}\":\n{wrong}") }
}

/// Waits until the store has been unchanged for 3 s, because neto caches facts only about a file that old.
fn wait_until_cacheable(sandbox: &Sandbox) {
    let token = || {
        sandbox.neto(["token", "acme"]).allow_secret("access token").run().code(0);
    };
    let changed = fs::metadata(sandbox.home("profiles.toml")).unwrap().ctime().unsigned_abs();
    let settled = SystemTime::UNIX_EPOCH + Duration::from_secs(changed + 1 + 3);
    while SystemTime::now() < settled {
        token();
        std::thread::sleep(Duration::from_millis(50));
    }
    token();
}
