//! Ties a program to neto: the program ends when neto ends, even if neto is killed. Works only on Linux.
//!
//! On Linux, only the process itself can request a signal for the death of its parent. So neto starts a second neto,
//! which makes this request and then replaces itself with the program.

use super::{exit_code, start_error};
use crate::error::{Code, Error};
use crate::platform;
use crate::workflow::Run;
use clap::Args;
use std::ffi::OsString;
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

/// Returns a command for the same program and environment, tied to this process. On systems other than Linux, the
/// returned command starts the program untied.
pub(super) fn tie_to_parent(command: &Command) -> Command {
    let mut tied = platform::tied_command(command.get_program());
    tied.args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => tied.env(name, value),
            None => tied.env_remove(name),
        };
    }
    tied
}

/// Ties this process to its parent, and replaces this process with the program.
///
/// # Errors
/// Always returns an error. The error is silent if the parent has already ended.
pub(crate) fn run(args: &TiedArgs, _run: &Run<'_>) -> Result<(), Error> {
    let is_parent_alive = platform::die_with_parent(args.parent);
    if !is_parent_alive.map_err(|error| Error::new(Code::Exec(super::NETO_FAILED_EXIT_CODE), error.to_string()))? {
        return Err(Error::silent(Code::Terminated));
    }
    let mut command = Command::new(&args.command[0]);
    command.args(&args.command[1..]);
    match platform::replace_process(command) {
        Ok(status) => Err(Error::silent(Code::Exec(exit_code(status)))),
        Err(error) => Err(start_error(&args.command[0], &error)),
    }
}
