//! Runs of programs, interleaved: what each cost in time, processor and memory.

use crate::home;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A program with all that it is started with.
#[derive(Clone)]
pub(crate) struct Program {
    pub(crate) label: String,
    pub(crate) words: Vec<String>,
    pub(crate) variables: Vec<(String, String)>,
    pub(crate) folder: PathBuf,
    /// The file that it reads.
    pub(crate) input: PathBuf,
}

impl Program {
    /// Without input.
    pub(crate) fn new(label: impl Into<String>, program: &Path, arguments: &[&str], folder: &Path) -> Self {
        let program = program.to_str().expect("a path in UTF-8").to_owned();
        let words = std::iter::once(program).chain(arguments.iter().map(ToString::to_string)).collect();
        let (folder, input) = (folder.to_path_buf(), PathBuf::from("/dev/null"));
        Self { label: label.into(), words, variables: vec![], folder, input }
    }

    /// With these variables alone.
    pub(crate) fn with(mut self, variables: Vec<(String, String)>) -> Self {
        self.variables = variables;
        self
    }

    /// With this file as its input.
    pub(crate) fn reading(mut self, input: PathBuf) -> Self {
        self.input = input;
        self
    }
}

/// What one run cost.
#[derive(Clone, Copy)]
pub(crate) struct Run {
    pub(crate) milliseconds: f64,
    /// Of the processor, in the program and for it in the kernel.
    pub(crate) busy_milliseconds: f64,
    /// Memory at most, in KiB.
    pub(crate) peak: f64,
}

/// All runs of one program, in the order run.
pub(crate) struct Runs(pub(crate) Vec<Run>);

impl Runs {
    pub(crate) fn milliseconds(&self) -> f64 {
        median(self.0.iter().map(|run| run.milliseconds))
    }

    pub(crate) fn busy_milliseconds(&self) -> f64 {
        median(self.0.iter().map(|run| run.busy_milliseconds))
    }

    /// In MiB.
    pub(crate) fn peak(&self) -> f64 {
        median(self.0.iter().map(|run| run.peak)) / 1024.0
    }
}

/// The middle one; of an even number the upper of the two.
pub(crate) fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_unstable_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// The timing program.
pub(crate) struct Stopwatch(PathBuf);

impl Stopwatch {
    pub(crate) fn new(folder: &Path) -> Self {
        Self(home::compiled(folder, "stopwatch", include_str!("program.rs")))
    }

    /// Runs each once a round, in a new order each round.
    pub(crate) fn run(&self, programs: &[Program], rounds: usize) -> Vec<Runs> {
        let plan: String = programs.iter().map(line).collect();
        let answer = home::done(Command::new(&self.0).arg(rounds.to_string()), &plan);
        let mut all: Vec<Runs> = programs.iter().map(|_| Runs(Vec::with_capacity(rounds))).collect();
        for line in answer.lines() {
            let mut words = line.split(' ');
            let place: usize = words.next().and_then(|word| word.parse().ok()).expect("a place");
            let mut figure = || words.next().and_then(|word| word.parse::<f64>().ok()).expect("a figure");
            let (milliseconds, busy_milliseconds) = (figure() / 1e6, figure() / 1e3);
            all[place].0.push(Run { milliseconds, busy_milliseconds, peak: figure() });
        }
        all
    }
}

/// The program's line in the plan.
fn line(program: &Program) -> String {
    let mut line = format!("{}\t{}\t{}", program.input.display(), program.folder.display(), program.variables.len());
    for (name, value) in &program.variables {
        write!(line, "\t{name}={value}").expect("text");
    }
    for word in &program.words {
        write!(line, "\t{word}").expect("text");
    }
    line + "\n"
}
