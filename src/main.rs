//! The real process: its facts go in, its exit code comes out.

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

/// Ends a run that met a bug: says where the bug is, never what it was about, which may be a secret.
#[allow(clippy::disallowed_methods, reason = "nothing returns to `main` from here")]
fn report_bug(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(|place| format!(" at {}:{}", place.file(), place.line())).unwrap_or_default();
    let version = env!("CARGO_PKG_VERSION");
    let _ = writeln!(
        stderr(),
        "error: this is a bug in neto {version}{place}\n  hint: please report that line, and what you did, to whom you have neto from"
    );
    std::process::exit(1);
}
