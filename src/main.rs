//! The real process: its facts go in, its exit code comes out.

use neto::clock::Clock;
use neto::context::{Environment, Process, Terminal};
use std::cell::RefCell;
use std::io::{IsTerminal as _, Write as _, stderr, stdin, stdout};
use std::panic::PanicHookInfo;
use std::process::ExitCode;

#[allow(clippy::disallowed_methods, reason = "the one place that touches the real process")]
fn main() -> ExitCode {
    forbid_dumps();
    std::panic::set_hook(Box::new(report_bug));
    let process = Process {
        arguments: std::env::args_os().collect(),
        environment: Environment::new(std::env::vars_os()),
        folder: std::env::current_dir().unwrap_or_default(),
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

/// No core file and no look into this process by another of the same user; exec ends that for a child.
fn forbid_dumps() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
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

/// The name of the program that started this one.
fn parent_name() -> Option<String> {
    #[cfg(target_os = "linux")]
    {
        let parent = rustix::process::getppid()?;
        #[allow(clippy::disallowed_methods, reason = "the kernel's own file, not one of the user's")]
        let name = std::fs::read_to_string(format!("/proc/{}/comm", parent.as_raw_nonzero())).ok()?;
        return Some(name.trim_end().to_owned());
    }
    #[allow(unreachable_code, reason = "other systems: the name of the login shell says as much as there is")]
    None
}
