//! Counts the instructions of neto's hot paths with valgrind's callgrind. Unlike run times, instruction counts hardly
//! vary between runs.

use crate::counts::{Count, Counts, Toolchain};
use crate::home::{self, Home, PROFILE, run_checked};
use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Fail if any is more than 5 % above the committed count
    #[arg(long, conflicts_with = "accept")]
    check: bool,
    /// Commit to these: write bench/instructions.txt
    #[arg(long)]
    accept: bool,
    /// Count each so often, and say how far the counts lie apart
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    repeat: u32,
}

/// File with the committed counts.
const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/bench/instructions.txt");

/// Number of profiles in the large store.
const MANY_PROFILES: usize = 1_000;

/// Number of homes from which the home with the shortest token file is chosen. age adds a stanza of random length to
/// each encrypted file, which costs instructions. The shortest file makes counts comparable.
const CANDIDATES: usize = 20;

/// Program that does not exist. `exec` of an existing program would replace neto's process, and callgrind would count
/// that program.
const NO_PROGRAM: &str = "/nonexistent/program";

pub(crate) fn run(neto: &Path, options: &Options) -> ExitCode {
    let folder = home::temp_dir();
    let server = home::server();
    // The copy has a path of fixed length, because longer paths cost instructions. `Tally` recognizes neto's own code
    // by this path.
    let installed_neto = home::install_copy(neto, folder.path());
    let homes = (10..10 + CANDIDATES)
        .map(|number| Home::new(&installed_neto, &server, folder.path().join(format!("one-{number}")), 1));
    let one = homes.min_by_key(|home| home.token_size(PROFILE)).expect("one at least");
    let many = Home::new(&installed_neto, &server, folder.path().join("all"), MANY_PROFILES);
    let names = (100..MANY_PROFILES).map(|number| format!("tenant-{number}"));
    let name = names.min_by_key(|name| many.token_size(name)).expect("one at least");
    let paths: [(&str, &[&str], &Home, i32); 6] = [
        ("neto token", &["token"], &one, 0),
        ("neto token NAME, among 1,000 profiles", &["token", &name], &many, 0),
        ("neto export NAME", &["export", PROFILE], &one, 0),
        ("neto exec -- PROGRAM, which is not there", &["exec", "--", NO_PROGRAM], &one, 127),
        ("neto status -o json", &["status", "-o", "json"], &one, 0),
        ("neto --help", &["--help"], &one, 0),
    ];
    // Repeats until neto has cached everything that it caches about an unchanged store.
    let mut settled = false;
    while !settled {
        settled = one.is_settled() && many.is_settled();
        for (_, arguments, home, code) in &paths {
            let status = command(&installed_neto, arguments, home).status().expect("neto");
            assert_eq!(status.code(), Some(*code), "{arguments:?}");
        }
    }

    let empty = home::empty_program(folder.path());
    let empty = Tally::count(&command(&empty, &[], &one), 0, &folder.path().join("counts"), &empty);
    let mut counts = vec![];
    for (path, arguments, home, code) in paths {
        let tally = || {
            Tally::count(
                &command(&installed_neto, arguments, home),
                code,
                &folder.path().join("counts"),
                &installed_neto,
            )
            .without(&empty)
        };
        let tallies: Vec<Tally> = (0..options.repeat).map(|_| tally()).collect();
        let least = tallies.iter().min_by_key(|tally| tally.total).expect("one at least");
        let most = tallies.iter().map(|tally| tally.total).max().expect("one at least");
        println!("{:>10}  {:>10}  {path}{}", least.own, least.total, spread(options.repeat, most - least.total));
        counts.push(Count { path: path.to_owned(), own: least.own, total: least.total });
    }
    let new_counts = Counts { toolchain: tools(), counts };
    if options.accept {
        fs::write(COMMITTED, new_counts.render()).expect("the counts written");
        println!("written: bench/instructions.txt");
    }
    if !options.check {
        return ExitCode::SUCCESS;
    }
    let text = fs::read_to_string(COMMITTED).expect("bench/instructions.txt");
    let comparison = Counts::parse(&text).expect("bench/instructions.txt as --accept writes it").compare(&new_counts);
    for line in comparison.lines {
        println!("{line}");
    }
    if comparison.failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn spread(repeat: u32, difference: u64) -> String {
    if repeat == 1 { String::new() } else { format!("  ({difference} apart in {repeat} runs)") }
}

/// Builds a command that runs in this home, with only the environment variables of the home.
fn command(program: &Path, arguments: &[&str], home: &Home) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).env_clear().envs(home.variables()).current_dir(home.path());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// Instruction counts of one run.
struct Tally {
    /// Instructions in the program's own code.
    own: u64,
    /// Instructions in the program and its libraries.
    total: u64,
}

impl Tally {
    /// Runs the command under callgrind, which writes to `file`, and returns the counts. `program` is the program whose
    /// own code is counted. Panics unless the command exits with `code`.
    fn count(command: &Command, code: i32, file: &Path, program: &Path) -> Self {
        let _ = fs::remove_file(file);
        let out = format!("--callgrind-out-file={}", file.display());
        let mut counted = Command::new("valgrind");
        counted.args(["-q", "--tool=callgrind", &out]).arg(command.get_program()).args(command.get_args());
        counted.env_clear();
        for (name, value) in command.get_envs() {
            counted.env(name, value.expect("no variable is taken away"));
        }
        counted.current_dir(command.get_current_dir().expect("a folder"));
        counted.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let status = counted.status().expect("valgrind is installed");
        assert_eq!(status.code(), Some(code), "{counted:?}");
        Self::parse(&fs::read_to_string(file).expect("callgrind's counts"), program)
    }

    /// Parses callgrind's output. An `ob=` line names an object (the program or a library), and lines with its costs
    /// follow. The line after a `calls=` line is skipped: it repeats the cost of the callee, which is listed under the
    /// callee's own object.
    fn parse(text: &str, program: &Path) -> Self {
        let mut names: HashMap<&str, &str> = HashMap::new();
        let (mut object, mut is_call_cost) = ("", false);
        let mut tally = Self { own: 0, total: 0 };
        for line in text.lines() {
            if let Some((key, named)) = line.split_once("ob=").filter(|(key, _)| matches!(*key, "" | "c")) {
                let (id, name) = named.split_once(' ').unwrap_or((named, ""));
                if !name.is_empty() {
                    names.insert(id, name);
                }
                object = if key.is_empty() { id } else { object };
            } else if line.starts_with("calls=") {
                is_call_cost = true;
            } else if line.starts_with(|first: char| first.is_ascii_digit() || "+-*".contains(first)) {
                let cost: u64 = line.split(' ').nth(1).and_then(|cost| cost.parse().ok()).expect("a cost");
                if !std::mem::take(&mut is_call_cost) {
                    tally.total += cost;
                    tally.own +=
                        if names.get(object).is_some_and(|name| Path::new(name) == program) { cost } else { 0 };
                }
            }
        }
        let total = text.lines().find_map(|line| line.strip_prefix("summary: ")?.parse().ok());
        assert_eq!(Some(tally.total), total, "callgrind's file was read as it was meant");
        tally
    }

    /// Subtracts the total of an empty program from the total. Keeps the count of own code.
    fn without(self, empty: &Self) -> Self {
        Self { total: self.total - empty.total, ..self }
    }
}

/// Returns the versions of the tools that were used in this run.
fn tools() -> Toolchain {
    let first_line = |program: &str, argument: &str| {
        let text = run_checked(Command::new(program).arg(argument), "");
        text.lines().next().unwrap_or_default().trim().to_owned()
    };
    let (system, architecture) = (std::env::consts::OS, std::env::consts::ARCH);
    Toolchain {
        compiler: format!("{}, {architecture}-{system}{}", first_line("rustc", "--version"), avx2_suffix()),
        runtime: format!("{}, {}", first_line("getconf", "GNU_LIBC_VERSION"), first_line("valgrind", "--version")),
    }
}

/// Returns a suffix that says whether the CPU has AVX2. Some code is chosen by CPU features at run time.
fn avx2_suffix() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    return if std::is_x86_feature_detected!("avx2") { " with AVX2" } else { " without AVX2" };
    #[cfg(not(target_arch = "x86_64"))]
    ""
}
