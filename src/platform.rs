//! System calls that differ between operating systems, except calls on files.
//!
//! Owns every `cfg` for an operating system outside `disk`. A comment on each function says what it does on a system
//! that lacks the feature.

use crate::disk::TerminationSignal;
use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::process::{Command, ExitStatus};

/// Disables core dumps of this process, and denies other processes of the same user access to its memory. A program
/// that this process executes is not protected. Does nothing except on Linux.
pub fn forbid_core_dumps() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
}

/// Returns the name of the program that started this process; `None` except on Linux, or if `/proc` cannot be read.
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

/// Replaces this process with a program. Otherwise neto could be killed while the program still runs. On Unix this
/// function returns only if the program did not start. Windows cannot replace a process: the program runs as a child,
/// and this function returns the program's exit status.
///
/// # Errors
/// Returns the system's error if the program did not start.
pub fn replace_process(mut command: Command) -> io::Result<ExitStatus> {
    #[cfg(unix)]
    return Err(std::os::unix::process::CommandExt::exec(&mut command));
    #[cfg(not(unix))]
    command.status()
}

/// Returns the number of the signal that ended a process; `None` if the process exited. Always `None` except on Unix.
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

/// Forwards a signal to a child process; does nothing except on Unix. If neto is in the foreground, SIGINT is not
/// forwarded, because Ctrl-C also sends SIGINT to the child. Many programs skip their cleanup at a second SIGINT.
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
        // `id` is `None` once neto has waited for the child. So the signal cannot reach another process that reuses the
        // id.
        if let Some(process) = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)) {
            let _ = kill_process(process, signal);
        }
    }
    #[cfg(not(unix))]
    let _ = (signal, child);
}

/// Checks whether this process is in the terminal's foreground process group, to which Ctrl-C sends SIGINT.
#[cfg(unix)]
fn is_in_foreground() -> bool {
    let terminal = std::fs::File::open("/dev/tty");
    terminal.is_ok_and(|terminal| rustix::termios::tcgetpgrp(terminal) == Ok(rustix::process::getpgrp()))
}

/// Returns a command that runs `program`. On Linux, the program ends when this process ends: the command starts
/// `neto __tied`, which calls [`die_with_parent`] and then executes `program`.
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

/// Asks the kernel to end this process when the parent process ends. `parent` is the id of the parent process. Returns
/// `false` if the parent has already ended. Except on Linux, does nothing and returns `true`.
///
/// # Errors
/// Returns the system's error if the kernel refuses.
pub fn die_with_parent(parent: u32) -> io::Result<bool> {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{Signal, getppid, set_parent_process_death_signal};
        // SIGHUP rather than SIGTERM: an interactive shell ignores SIGTERM, but passes SIGHUP on to its jobs.
        set_parent_process_death_signal(Some(Signal::HUP))?;
        // The kernel sends no signal if the parent ended before the request.
        Ok(getppid().is_some_and(|current| current.as_raw_nonzero().get().cast_unsigned() == parent))
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = parent;
        Ok(true)
    }
}

/// Raises the soft limit on open files to the hard limit, because each request through the decoy takes two descriptors.
/// Programs that this process starts later inherit the limit. Ignores errors. Does nothing except on Unix.
pub fn raise_open_file_limit() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let limit = getrlimit(Resource::Nofile);
        let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    }
}

/// Checks that this process can open the file descriptors that an event loop needs. Call this before creating an event
/// loop, which panics if too few descriptors are available. Does nothing except on Unix.
///
/// # Errors
/// Returns the system's error if too few descriptors are available.
pub fn check_spare_descriptors() -> io::Result<()> {
    #[cfg(unix)]
    {
        /// Maximum number of descriptor pairs that an event loop opens.
        const MAX_DESCRIPTOR_PAIRS: usize = 4;
        let pairs: io::Result<Vec<_>> =
            (0..MAX_DESCRIPTOR_PAIRS).map(|_| std::os::unix::net::UnixStream::pair()).collect();
        drop(pairs?);
    }
    Ok(())
}

/// Checks whether `file` is a regular file and, on Unix, has an execute permission. Follows symbolic links.
#[must_use]
pub fn is_program(file: &Path) -> bool {
    let metadata = file.metadata();
    #[cfg(unix)]
    return metadata.is_ok_and(|metadata| {
        metadata.is_file() && std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o111 != 0
    });
    #[cfg(not(unix))]
    metadata.is_ok_and(|metadata| metadata.is_file())
}

/// Returns the shell command for deleting a file with secrets: `shred -u` on Linux, which overwrites the content first,
/// and `rm` on other systems.
#[must_use]
pub fn delete_command() -> &'static str {
    if cfg!(target_os = "linux") { "shred -u" } else { "rm" }
}
