//! Facts of the process: arguments, environment variables, working directory, clock, streams.
//!
//! Owns no decision. `main` fills these values in, and everything below takes them as data.

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
    /// Streams that are terminals, and the terminal width.
    pub terminal: Terminal,
    /// Returns the name of the parent program, such as `zsh`, if it is known.
    pub parent: fn() -> Option<String>,
}

/// Streams that are terminals.
#[derive(Debug, Clone, Copy, Default)]
pub struct Terminal {
    /// Standard input is a terminal, so neto may ask questions.
    pub stdin: bool,
    /// Standard output is a terminal.
    pub stdout: bool,
    /// Standard error is a terminal.
    pub stderr: bool,
    /// Columns of standard output; `None` if unknown.
    pub width: Option<usize>,
}
