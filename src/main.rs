//! Collects the facts of the real process, runs neto and returns the exit code.

use neto::{Clock, Environment, Process, Terminal, forbid_core_dumps, parent_name};
use std::cell::RefCell;
use std::io::{IsTerminal as _, Write as _, stderr, stdin, stdout};
use std::panic::PanicHookInfo;
use std::process::ExitCode;

#[allow(clippy::disallowed_methods, reason = "the one place that touches the real process")]
fn main() -> ExitCode {
    forbid_core_dumps();
    std::panic::set_hook(Box::new(report_bug));
    let process = Process {
        arguments: std::env::args_os().collect(),
        environment: Environment::new(std::env::vars_os()),
        working_directory: std::env::current_dir().unwrap_or_default(),
        clock: Clock::System,
        stdin: RefCell::new(Box::new(stdin())),
        terminal: Terminal {
            stdin: stdin().is_terminal(),
            stdout: stdout().is_terminal(),
            stderr: stderr().is_terminal(),
            width: terminal_size::terminal_size().map(|(width, _)| usize::from(width.0)),
        },
        parent: parent_name,
    };
    neto::run(process, Box::new(stdout()), Box::new(stderr())).into()
}

/// Reports a panic and exits with code 1. Prints only the location, because the panic message may contain a secret.
#[allow(clippy::disallowed_methods, reason = "nothing returns to `main` from here")]
fn report_bug(panic: &PanicHookInfo<'_>) {
    let location =
        panic.location().map(|location| format!(" at {}:{}", location.file(), location.line())).unwrap_or_default();
    let version = env!("CARGO_PKG_VERSION");
    let _ = writeln!(
        stderr(),
        "error: this is a bug in neto {version}{location}\n  hint: please report that line, and what you did, to whom you have neto from"
    );
    std::process::exit(1);
}
