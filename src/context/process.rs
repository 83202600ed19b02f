//! Facts of the process: arguments, environment variables, working directory, clock and streams.
//!
//! `main` collects these facts, and all other code takes them as data. So a test can run neto without a real process.

use crate::clock::Clock;
use crate::environment::Environment;
use std::cell::RefCell;
use std::ffi::OsString;
use std::io::Read;
use std::path::PathBuf;

/// Facts of the process that a run depends on.
pub struct Process {
    /// Command line, with the program name first.
    pub arguments: Vec<OsString>,
    /// Environment variables.
    pub environment: Environment,
    /// Working directory.
    pub working_directory: PathBuf,
    /// Source of the current time.
    pub clock: Clock,
    /// Standard input.
    pub stdin: RefCell<Box<dyn Read>>,
    /// Facts about the terminal: the standard streams that are terminals, and the width.
    pub terminal: Terminal,
    /// Returns the name of the program that started neto, such as `zsh`; `None` if unknown.
    pub parent: fn() -> Option<String>,
}

/// Facts about the terminal: the standard streams that are terminals, and the width.
#[derive(Debug, Clone, Copy, Default)]
pub struct Terminal {
    /// Whether standard input is a terminal, so that neto may prompt.
    pub stdin: bool,
    /// Whether standard output is a terminal.
    pub stdout: bool,
    /// Whether standard error is a terminal.
    pub stderr: bool,
    /// Width in columns of the first terminal among stdout, stderr and stdin; `None` if unknown.
    pub width: Option<usize>,
}
