//! What neto costs beside an empty program: `neto token` from the cache, with one profile and with a
//! thousand, and `neto status` of a thousand.
//!
//! Prints medians of interleaved runs, so that whatever else the machine does hits all of them alike.
//! Asserts no time: a figure says something only beside the others of the same run.
#![allow(
    clippy::print_stdout,
    clippy::disallowed_macros,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a measuring program, not the product: it prints, and what goes wrong ends it"
)]

#[path = "../tests/fusion/mod.rs"]
mod fusion;

use fusion::Server;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const ROUNDS: usize = 100;
const MANY: usize = 1_000;

/// A program with its arguments and the folder that neto is told to live in.
struct Runner {
    label: String,
    program: PathBuf,
    arguments: Vec<String>,
    home: PathBuf,
    times: Vec<Duration>,
}

impl Runner {
    fn new(label: impl Into<String>, program: &Path, home: &Path, arguments: &[&str]) -> Self {
        let arguments = arguments.iter().map(ToString::to_string).collect();
        let (program, home) = (program.to_path_buf(), home.to_path_buf());
        Self { label: label.into(), program, arguments, home, times: vec![] }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).env_clear().env("NETO_HOME", &self.home).current_dir(&self.home);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// Runs it once; only the time counts.
    fn time(&mut self) {
        let mut command = self.command();
        let started = Instant::now();
        let status = command.status().expect("a program that starts");
        self.times.push(started.elapsed());
        assert!(status.success(), "{} failed", self.label);
    }

    /// Runs it once and shows what it says if it fails.
    fn done(&self, input: &str) {
        let mut command = self.command();
        let mut child = command.stdin(Stdio::piped()).stderr(Stdio::inherit()).spawn().expect("a program that starts");
        child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("input taken");
        assert!(child.wait().expect("an end").success(), "{} failed", self.label);
    }

    fn median(&self) -> f64 {
        let mut times = self.times.clone();
        times.sort_unstable();
        times[times.len() / 2].as_secs_f64() * 1e3
    }
}

fn main() {
    let neto = Path::new(env!("CARGO_BIN_EXE_neto"));
    let folder = tempfile::tempdir().expect("a folder");
    let empty = empty_program(folder.path());
    let server = Server::http();
    let (one, many) = (home(neto, &server, 1), home(neto, &server, MANY));
    let mut runners = [
        Runner::new("an empty program", &empty, one.path(), &[]),
        Runner::new("neto token, cached, 1 profile", neto, one.path(), &["token", "tenant-0"]),
        Runner::new(format!("neto token, cached, {MANY} profiles"), neto, many.path(), &["token", "tenant-0"]),
        Runner::new(format!("neto status, {MANY} profiles"), neto, many.path(), &["status"]),
    ];
    let asked = server.requests().len();
    for _ in 0..ROUNDS {
        runners.iter_mut().for_each(Runner::time);
    }
    assert_eq!(server.requests().len(), asked, "what was measured did not come from the cache");
    report(&runners);
}

fn report(runners: &[Runner]) {
    let floor = runners[0].median();
    println!("medians of {ROUNDS} interleaved runs");
    println!("{:<36} {:>9} {:>12} {:>8}", "", "ms", "over empty", "ratio");
    for runner in runners {
        let median = runner.median();
        println!("{:<36} {median:>9.2} {:>12.2} {:>8.2}", runner.label, median - floor, median / floor);
    }
}

/// An optimised program that does nothing: what starting a process costs here.
fn empty_program(folder: &Path) -> PathBuf {
    let (source, program) = (folder.join("empty.rs"), folder.join("empty"));
    fs::write(&source, "fn main() {}\n").expect("a source file");
    let status = Command::new("rustc").arg("-O").arg(&source).arg("-o").arg(&program).status().expect("rustc");
    assert!(status.success(), "rustc failed");
    program
}

/// A folder with so many sealed profiles, each with a cached token, as a user gets there: profiles
/// typed by hand with their NETOSECRET, sealed by one command, signed in by another.
fn home(neto: &Path, server: &Server, count: usize) -> TempDir {
    let home = tempfile::tempdir().expect("a folder");
    let run = |arguments: &[&str]| Runner::new(arguments.join(" "), neto, home.path(), arguments).done("");
    run(&["init"]);
    let store = home.path().join("profiles.toml");
    let mut text = fs::read_to_string(&store).expect("the store that init made");
    for number in 0..count {
        let credential = server.add_tenant(&format!("tenant-{number}"), "bench");
        write!(
            text,
            "\n[profiles.tenant-{number}]\ntags = [\"bench\"]\nnetosecret = \"{}\"\n",
            credential.netosecret()
        )
        .expect("text");
    }
    fs::write(&store, text).expect("the store written");
    run(&["seal"]);
    run(&["login", "--all"]);
    home
}
