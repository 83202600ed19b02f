//! A program that ends with the neto that started it, however that ends.
//!
//! A process can be told of its parent's death only if it asks for it itself, between its start and the program that it
//! becomes. So neto starts itself, which asks and then becomes the program.

use super::{Outcome, code, not_started, replace};
use crate::error::{Code, Error};
use crate::workflow::Run;
use clap::Args;
use std::ffi::{OsStr, OsString};
use std::process::Command;

/// Become a program that ends with its parent (not for people)
#[derive(Debug, Args)]
pub(crate) struct TiedArgs {
    /// The process whose end it is told of
    #[arg(value_name = "PID")]
    parent: u32,
    #[arg(last = true, required = true, value_name = "CMD")]
    command: Vec<OsString>,
}

/// The same program with the same environment, tied to this process. Elsewhere than on Linux no process is told of its
/// parent's death, and it is the program as it was.
pub(super) fn tied(command: &Command) -> Command {
    let mut tied = beginning(command.get_program());
    tied.args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => tied.env(name, value),
            None => tied.env_remove(name),
        };
    }
    tied
}

/// Neto itself, which is to become the program.
#[cfg(target_os = "linux")]
fn beginning(program: &OsStr) -> Command {
    use std::os::unix::process::CommandExt as _;
    let mut tied = Command::new("/proc/self/exe");
    tied.arg0("neto").args(["__tied", &std::process::id().to_string(), "--"]).arg(program);
    tied
}

#[cfg(not(target_os = "linux"))]
fn beginning(program: &OsStr) -> Command {
    Command::new(program)
}

/// Becomes the program.
pub(crate) fn run(args: &TiedArgs, _run: &Run<'_>) -> Result<(), Error> {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{Signal, getppid, set_parent_process_death_signal};
        // An interactive shell ignores SIGTERM; of SIGHUP it tells its jobs too.
        let asked = set_parent_process_death_signal(Some(Signal::HUP));
        asked.map_err(|error| Error::new(Code::Exec(super::OWN_FAILURE), error.to_string()))?;
        // It may have ended before anybody asked.
        if getppid().is_none_or(|parent| parent.as_raw_nonzero().get().cast_unsigned() != args.parent) {
            return Err(Error::silent(Code::Terminated));
        }
    }
    let mut command = Command::new(&args.command[0]);
    command.args(&args.command[1..]);
    match replace(command) {
        Outcome::Ended(status) => Err(Error::silent(Code::Exec(code(status)))),
        Outcome::NotStarted(error) => Err(not_started(&args.command[0], &error)),
    }
}
