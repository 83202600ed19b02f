//! Starts programs in several rounds and prints the cost of each run: `stopwatch ROUNDS < PLAN`.
//!
//! This is a separate, small program without dependencies. Linux includes the parent's memory in the peak of a program
//! that the parent starts. Runs started by the benchmark itself would show at least the benchmark's own memory.
//!
//! | line of | fields |
//! | --- | --- |
//! | plan, a program | input file, directory, number of variables, variables, program, arguments; separated by tabs |
//! | output, a run | line of the program in the plan (from 0), nanoseconds, µs of CPU time, peak memory in KiB |

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};
use std::time::Instant;

/// `struct rusage` of 64-bit Linux: two times (seconds, microseconds), the peak in KiB, and fields not used here.
#[repr(C)]
#[derive(Default)]
struct Usage {
    user: [i64; 2],
    system: [i64; 2],
    peak: i64,
    rest: [i64; 13],
}

unsafe extern "C" {
    fn wait4(child: i32, status: *mut i32, options: i32, usage: *mut Usage) -> i32;
}

/// Program to run, parsed from a line of the plan.
struct Program<'a> {
    input: &'a str,
    folder: &'a str,
    variables: Vec<(&'a str, &'a str)>,
    argv: Vec<&'a str>,
}

impl<'a> Program<'a> {
    fn parse(line: &'a str) -> Self {
        let mut parts = line.split('\t');
        let (input, folder) = (parts.next().expect("an input"), parts.next().expect("a folder"));
        let count: usize = parts.next().and_then(|count| count.parse().ok()).expect("how many variables");
        let variables = parts.by_ref().take(count).map(|pair| pair.split_once('=').expect("NAME=VALUE")).collect();
        Self { input, folder, variables, argv: parts.collect() }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(self.argv[0]);
        command.args(&self.argv[1..]).env_clear().envs(self.variables.iter().copied()).current_dir(self.folder);
        command.stdin(File::open(self.input).expect("its input")).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }
}

fn main() {
    let rounds: usize = std::env::args().nth(1).and_then(|rounds| rounds.parse().ok()).expect("how many rounds");
    let mut plan = String::new();
    std::io::stdin().read_to_string(&mut plan).expect("a plan");
    let programs: Vec<Program<'_>> = plan.lines().map(Program::parse).collect();
    let mut order: Vec<usize> = (0..programs.len()).collect();
    let mut answer = String::new();
    let mut seed = 1;
    for _ in 0..rounds {
        shuffle(&mut order, &mut seed);
        for &index in &order {
            let (nanoseconds, usage) = run(&programs[index]);
            let micro = |[seconds, micro]: [i64; 2]| seconds * 1_000_000 + micro;
            let processor = micro(usage.user) + micro(usage.system);
            answer += &format!("{index} {nanoseconds} {processor} {}\n", usage.peak);
        }
    }
    std::io::stdout().write_all(answer.as_bytes()).expect("an answer");
}

/// Runs the program once and returns the elapsed nanoseconds and the resource usage. Panics if the program fails.
fn run(program: &Program<'_>) -> (u128, Usage) {
    let mut command = program.command();
    let started = Instant::now();
    let child = command.spawn().unwrap_or_else(|error| panic!("{}: {error}", program.argv[0]));
    let (mut status, mut usage) = (0, Usage::default());
    let id = i32::try_from(child.id()).expect("a process id");
    // SAFETY: both pointers refer to local variables of the types that the call fills.
    let ended = unsafe { wait4(id, &mut status, 0, &mut usage) };
    let took = started.elapsed().as_nanos();
    assert_eq!((ended, status), (id, 0), "{} failed", program.argv.join(" "));
    (took, usage)
}

/// Shuffles the order in which a round runs the programs. A fixed order would always give a program the caches that the
/// same predecessor left. The seed is fixed, so every measurement uses the same orders.
fn shuffle(order: &mut [usize], seed: &mut u64) {
    for index in (1..order.len()).rev() {
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        order.swap(index, (*seed >> 33) as usize % (index + 1));
    }
}
