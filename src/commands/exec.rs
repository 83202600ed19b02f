//! `neto exec`: a program with the environment of a profile, in place of this process.

use super::variables::{Variables, kept_from_children};
use super::{Run, WantArgs, Watch};
use crate::error::{Code, Error};
use crate::profile::{Profile, SecretPlace};
use clap::Args;
use std::ffi::OsString;
use std::io::ErrorKind;
use std::process::Command;

/// The status when neto itself fails before the program starts, as `env` and `nohup` have it.
pub(crate) const OWN_FAILURE: u8 = 125;

/// Run a program with the environment of a profile
///
/// The program takes the place of neto: signals, exit status and the terminal are its own. Without a program it
/// is your shell. What an earlier export set is dropped, and neto's own keys are never passed on.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  neto exec acme -- ./report.py
  neto exec acme --with-secret -- fusion-mcp-server
  neto exec acme                    a shell for this tenant

Exit status: 125 when neto fails before the program starts, 126 when it cannot be run, 127 when
it is not found, else the program's own.")]
pub(crate) struct ExecArgs {
    /// The profile; without it the chosen one
    #[arg(value_name = "PROFILE")]
    name: Option<String>,
    #[command(flatten)]
    want: WantArgs,
    /// Also the credential: NETO_APPKEY, NETO_SHARED_SECRET, NETOSECRET
    #[arg(long)]
    with_secret: bool,
    /// The program and its arguments; without it $SHELL
    #[arg(last = true, value_name = "CMD")]
    command: Vec<OsString>,
}

/// Becomes the program; returns only when that fails.
pub(crate) fn run(args: &ExecArgs, run: &Run<'_>) -> Result<(), Error> {
    let chosen = run.context.chosen(args.name.as_deref())?;
    let profile = &chosen.profile;
    let watch = Watch(run.ui);
    let access = super::access(run, &watch, chosen.declared(), args.want.want(false, false))?;
    let sign_in = super::sign_in(run, &watch, profile, args.with_secret)?;
    let variables = Variables::of(run, profile, &access, sign_in.as_ref());
    start(&program(args, run), profile, &variables, run)
}

fn program(args: &ExecArgs, run: &Run<'_>) -> Vec<OsString> {
    if args.command.is_empty() {
        let shell =
            run.context.process.environment.get("SHELL").map_or_else(|| OsString::from("/bin/sh"), OsString::from);
        return vec![shell];
    }
    args.command.clone()
}

fn start(words: &[OsString], profile: &Profile, variables: &Variables, run: &Run<'_>) -> Result<(), Error> {
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]);
    for name in kept_from_children(&run.context.process.environment) {
        // Under the profile `env`, what the profile is made of stays.
        if !(profile.name.is_env() && name == "NETOSECRET") {
            command.env_remove(name);
        }
    }
    if let (SecretPlace::Env(name), false) = (&profile.secret, profile.name.is_env()) {
        command.env_remove(name);
    }
    command.envs(variables.set.iter().map(|(name, value)| (name, value)));
    let error = match replace(command) {
        Outcome::Ended(status) => return Err(Error::silent(Code::Exec(status))),
        Outcome::NotStarted(error) => error,
    };
    let name = words[0].to_string_lossy().into_owned();
    Err(match error.kind() {
        ErrorKind::NotFound => Error::new(Code::Exec(127), format!("{name} is not found")),
        _ => Error::new(Code::Exec(126), format!("{name} cannot be run: {}", crate::disk::plain(&error))),
    })
}

/// What comes back when a program does not take the place of this process.
enum Outcome {
    /// It ran and ended with this status, where a system cannot replace a process.
    #[cfg_attr(unix, allow(dead_code, reason = "on Unix the program takes the place of neto"))]
    Ended(u8),
    /// It did not start.
    NotStarted(std::io::Error),
}

/// On Unix the program takes the place of this process, so that there is no parent that could die before it.
#[cfg(unix)]
fn replace(mut command: Command) -> Outcome {
    use std::os::unix::process::CommandExt as _;
    Outcome::NotStarted(command.exec())
}

#[cfg(not(unix))]
fn replace(mut command: Command) -> Outcome {
    match command.status() {
        Ok(status) => Outcome::Ended(u8::try_from(status.code().unwrap_or(1)).unwrap_or(1)),
        Err(error) => Outcome::NotStarted(error),
    }
}
