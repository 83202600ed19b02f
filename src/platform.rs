//! Calls that differ between operating systems, apart from files.
//!
//! Owns every `cfg` for an operating system outside `disk`. Where a system lacks a protection, the function does nothing
//! and says so here.

use crate::disk::TerminationSignal;
use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::process::{Command, ExitStatus};

/// Forbids core dumps and other processes of the same user from reading this one's memory. `exec` lifts the ban for the
/// child. Linux only.
pub fn forbid_core_dumps() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
}

/// Returns the name of the parent program; `None` where the system has no `/proc`.
#[must_use]
pub fn parent_name() -> Option<String> {
    #[cfg(target_os = "linux")]
    {
        let parent = rustix::process::getppid()?;
        #[allow(clippy::disallowed_methods, reason = "a file of the kernel, not of the user")]
        let name = std::fs::read_to_string(format!("/proc/{}/comm", parent.as_raw_nonzero())).ok()?;
        return Some(name.trim_end().to_owned());
    }
    #[allow(unreachable_code, reason = "only Linux has /proc")]
    None
}

/// Replaces this process with a program, so that no parent can die before the program does. Returns only if the program
/// did not start. Windows cannot replace a process: there the program runs as a child until it ends.
///
/// # Errors
/// The system's error if the program did not start.
pub fn replace_process(mut command: Command) -> io::Result<ExitStatus> {
    #[cfg(unix)]
    return Err(std::os::unix::process::CommandExt::exec(&mut command));
    #[cfg(not(unix))]
    command.status()
}

/// Returns the signal that ended a process; `None` if it exited.
#[must_use]
pub fn exit_signal(status: ExitStatus) -> Option<i32> {
    #[cfg(unix)]
    return std::os::unix::process::ExitStatusExt::signal(&status);
    #[cfg(not(unix))]
    {
        let _ = status;
        None
    }
}

/// Forwards a signal to a child process, except an interrupt that the terminal has already sent to the whole foreground
/// group: a second one would tell the child to stop without cleaning up. Unix only.
pub fn forward_signal(signal: TerminationSignal, child: &tokio::process::Child) {
    #[cfg(unix)]
    {
        use rustix::process::{Pid, Signal, kill_process};
        let signal = match signal {
            TerminationSignal::Interrupt if is_in_foreground() => return,
            TerminationSignal::Interrupt => Signal::INT,
            TerminationSignal::Terminate => Signal::TERM,
            TerminationSignal::HangUp => Signal::HUP,
        };
        // An ended child has no id, so the signal cannot reach another process with a reused id.
        if let Some(process) = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)) {
            let _ = kill_process(process, signal);
        }
    }
    #[cfg(not(unix))]
    let _ = (signal, child);
}

/// Checks whether Ctrl-C reaches this process and all its children.
#[cfg(unix)]
fn is_in_foreground() -> bool {
    let terminal = std::fs::File::open("/dev/tty");
    terminal.is_ok_and(|terminal| rustix::termios::tcgetpgrp(terminal) == Ok(rustix::process::getpgrp()))
}

/// Returns a command that starts neto itself, which then becomes `program` and dies with this process. Linux only:
/// elsewhere the command starts `program` directly.
#[must_use]
pub fn tied_command(program: &OsStr) -> Command {
    #[cfg(target_os = "linux")]
    {
        use std::os::unix::process::CommandExt as _;
        let mut command = Command::new("/proc/self/exe");
        command.arg0("neto").args(["__tied", &std::process::id().to_string(), "--"]).arg(program);
        command
    }
    #[cfg(not(target_os = "linux"))]
    Command::new(program)
}

/// Asks the kernel to end this process when its parent ends. Returns `false` if the parent has already ended. Does
/// nothing except on Linux.
///
/// # Errors
/// The system's error.
pub fn die_with_parent(parent: u32) -> io::Result<bool> {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{Signal, getppid, set_parent_process_death_signal};
        // An interactive shell ignores SIGTERM, and passes SIGHUP on to its jobs.
        set_parent_process_death_signal(Some(Signal::HUP))?;
        // The parent may have ended before this process asked.
        Ok(getppid().is_some_and(|now| now.as_raw_nonzero().get().cast_unsigned() == parent))
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = parent;
        Ok(true)
    }
}

/// Raises the limit of open files to the most that the system grants: a request through the decoy takes two. Programs
/// started from now on inherit the limit. Unix only.
pub fn raise_open_file_limit() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let limit = getrlimit(Resource::Nofile);
        let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    }
}

/// Checks that the system still has file descriptors for an event loop, whose set-up panics without them.
///
/// # Errors
/// The system's error if there are too few.
pub fn check_descriptors() -> io::Result<()> {
    #[cfg(unix)]
    {
        /// Pairs of descriptors that an event loop may take.
        const PAIRS: usize = 4;
        let spare: io::Result<Vec<_>> = (0..PAIRS).map(|_| std::os::unix::net::UnixStream::pair()).collect();
        drop(spare?);
    }
    Ok(())
}

/// Checks for a file that this system can run as a program.
#[must_use]
pub fn is_program(file: &Path) -> bool {
    let metadata = file.metadata();
    #[cfg(unix)]
    return metadata.is_ok_and(|found| {
        found.is_file() && std::os::unix::fs::PermissionsExt::mode(&found.permissions()) & 0o111 != 0
    });
    #[cfg(not(unix))]
    metadata.is_ok_and(|found| found.is_file())
}

/// Returns the name of the command that deletes a file so that its content is hard to recover, where the system has one.
#[must_use]
pub fn delete_command() -> &'static str {
    if cfg!(target_os = "linux") { "shred -u" } else { "rm" }
}
