//! Starts programs one after the other, round after round, and says what each run cost: `stopwatch ROUNDS < PLAN`.
//!
//! A program of its own, compiled by `rustc` alone, and small: Linux counts the memory of whoever starts a program into
//! the program's peak, so that no run could show less than the measuring program itself, with its server and homes. A
//! line of the plan is a program: its standard input (a file), its folder, how many variables it has, those, the
//! program and its arguments, separated by tabs. A line of the answer is a run: which program (its line in the plan,
//! from 0), nanoseconds from start to end, microseconds of the processor, KiB of memory at most.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};
use std::time::Instant;

/// `struct rusage` of 64-bit Linux: two times (seconds, microseconds), the peak in KiB, and what is not read here.
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

/// A line of the plan.
struct Program<'a> {
    input: &'a str,
    folder: &'a str,
    variables: Vec<(&'a str, &'a str)>,
    words: Vec<&'a str>,
}

impl<'a> Program<'a> {
    fn parse(line: &'a str) -> Self {
        let mut parts = line.split('\t');
        let (input, folder) = (parts.next().expect("an input"), parts.next().expect("a folder"));
        let count: usize = parts.next().and_then(|count| count.parse().ok()).expect("how many variables");
        let variables = parts.by_ref().take(count).map(|pair| pair.split_once('=').expect("NAME=VALUE")).collect();
        Self { input, folder, variables, words: parts.collect() }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(self.words[0]);
        command.args(&self.words[1..]).env_clear().envs(self.variables.iter().copied()).current_dir(self.folder);
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
        for &place in &order {
            let (nanoseconds, usage) = run(&programs[place]);
            let micro = |[seconds, micro]: [i64; 2]| seconds * 1_000_000 + micro;
            let processor = micro(usage.user) + micro(usage.system);
            answer += &format!("{place} {nanoseconds} {processor} {}\n", usage.peak);
        }
    }
    std::io::stdout().write_all(answer.as_bytes()).expect("an answer");
}

/// Runs it once; whoever fails ends all of it.
fn run(program: &Program<'_>) -> (u128, Usage) {
    let mut command = program.command();
    let started = Instant::now();
    let child = command.spawn().unwrap_or_else(|error| panic!("{}: {error}", program.words[0]));
    let (mut status, mut usage) = (0, Usage::default());
    let id = i32::try_from(child.id()).expect("a process id");
    // SAFETY: the two pointers are to values of this frame, of the types that the call fills.
    let ended = unsafe { wait4(id, &mut status, 0, &mut usage) };
    let took = started.elapsed().as_nanos();
    assert_eq!((ended, status), (id, 0), "{} failed", program.words.join(" "));
    (took, usage)
}

/// Another order each round, the same in each measurement: nobody always comes after the same neighbour, who may have
/// emptied the processor's caches.
fn shuffle(order: &mut [usize], seed: &mut u64) {
    for place in (1..order.len()).rev() {
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        order.swap(place, (*seed >> 33) as usize % (place + 1));
    }
}
