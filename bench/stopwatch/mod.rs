//! Runs programs in interleaved rounds, and returns the elapsed time, CPU time and peak memory of each run.

use crate::home;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Program to time, with its arguments, environment, working directory and standard input.
#[derive(Clone)]
pub(crate) struct Program {
    pub(crate) label: String,
    pub(crate) argv: Vec<String>,
    pub(crate) variables: Vec<(String, String)>,
    pub(crate) folder: PathBuf,
    /// File that becomes the standard input.
    pub(crate) input: PathBuf,
}

impl Program {
    /// Builds a program with empty standard input and no environment variables.
    pub(crate) fn new(label: impl Into<String>, program: &Path, arguments: &[&str], folder: &Path) -> Self {
        let program = program.to_str().expect("a path in UTF-8").to_owned();
        let argv = std::iter::once(program).chain(arguments.iter().map(ToString::to_string)).collect();
        let (folder, input) = (folder.to_path_buf(), PathBuf::from("/dev/null"));
        Self { label: label.into(), argv, variables: vec![], folder, input }
    }

    /// Replaces the environment variables.
    pub(crate) fn with_env(mut self, variables: Vec<(String, String)>) -> Self {
        self.variables = variables;
        self
    }

    /// Makes this file the standard input.
    pub(crate) fn with_stdin(mut self, input: PathBuf) -> Self {
        self.input = input;
        self
    }
}

/// Cost of one run.
#[derive(Clone, Copy)]
pub(crate) struct Run {
    pub(crate) milliseconds: f64,
    /// CPU time in user and kernel mode.
    pub(crate) busy_milliseconds: f64,
    /// Peak memory, in KiB.
    pub(crate) peak_kib: f64,
}

/// All runs of one program, in order.
pub(crate) struct Runs(pub(crate) Vec<Run>);

impl Runs {
    pub(crate) fn milliseconds(&self) -> f64 {
        median(self.0.iter().map(|run| run.milliseconds))
    }

    pub(crate) fn busy_milliseconds(&self) -> f64 {
        median(self.0.iter().map(|run| run.busy_milliseconds))
    }

    /// Returns the median peak memory, in MiB.
    pub(crate) fn peak_mib(&self) -> f64 {
        median(self.0.iter().map(|run| run.peak_kib)) / 1024.0
    }
}

/// Returns the median. For an even number of figures, returns the upper of the two middle figures. Panics if there are
/// no figures.
pub(crate) fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_unstable_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// Compiled timing program (`program.rs`).
pub(crate) struct Stopwatch(PathBuf);

impl Stopwatch {
    pub(crate) fn new(folder: &Path) -> Self {
        Self(home::compile(folder, "stopwatch", include_str!("program.rs")))
    }

    /// Runs each program once per round, in a new order each round, and returns the runs of each program.
    pub(crate) fn run(&self, programs: &[Program], rounds: usize) -> Vec<Runs> {
        let plan: String = programs.iter().map(plan_line).collect();
        let answer = home::run_checked(Command::new(&self.0).arg(rounds.to_string()), &plan);
        let mut all: Vec<Runs> = programs.iter().map(|_| Runs(Vec::with_capacity(rounds))).collect();
        for line in answer.lines() {
            let mut words = line.split(' ');
            let index: usize = words.next().and_then(|word| word.parse().ok()).expect("a place");
            let mut figure = || words.next().and_then(|word| word.parse::<f64>().ok()).expect("a figure");
            let (milliseconds, busy_milliseconds) = (figure() / 1e6, figure() / 1e3);
            all[index].0.push(Run { milliseconds, busy_milliseconds, peak_kib: figure() });
        }
        all
    }
}

/// Returns the line of the plan that describes the program. `program.rs` documents the format.
fn plan_line(program: &Program) -> String {
    let mut line = format!("{}\t{}\t{}", program.input.display(), program.folder.display(), program.variables.len());
    for (name, value) in &program.variables {
        write!(line, "\t{name}={value}").expect("text");
    }
    for word in &program.argv {
        write!(line, "\t{word}").expect("text");
    }
    line + "\n"
}
