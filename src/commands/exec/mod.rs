//! `neto exec`: a program with the environment of a profile, in place of this process; of several, once for each.

mod child;
mod decoyed;
mod many;
mod stop;
mod tied;

use crate::context::ContextError;
use crate::error::{Code, Error};
use crate::profile::{ChoiceError, Origin, Profile, SecretPlace};
use crate::workflow::decoy::DecoyArgs;
use crate::workflow::exported_variables::{Variables, kept_from_children};
use crate::workflow::{JobsArgs, Run, SelectArgs, WantArgs, Watch};
use clap::{Args, ValueEnum};
use std::ffi::{OsStr, OsString};
use std::io::{self, ErrorKind};
use std::process::{Command, ExitStatus};

/// The status when neto itself fails before the program starts, as `env` and `nohup` have it.
pub(crate) const OWN_FAILURE: u8 = 125;

pub(crate) use tied::{TiedArgs, run as run_tied};

/// Run a program with the environment of a profile, or of each of several
///
/// The program takes the place of neto: signals, exit status and the terminal are its own. Without a program it
/// is your shell, without PROFILE the chosen one. What an earlier export set is dropped, and neto's own keys are
/// never passed on.
///
/// For several profiles (names, a glob, a tag, --all) the program runs once for each, --jobs of them at once and
/// without input. Each line that they print has the profile's name before it; with -o json there is an object for
/// each profile instead, on a line of its own: profile, shortname, exit_code, signal, stdout, stderr, truncated
/// (more than 16 MiB came on a stream), error (why none ran). What ends neto, such as Ctrl-C, ends them, and neto
/// waits for them.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  neto exec acme -- ./report.py
  neto exec acme --with-secret -- fusion-mcp-server
  neto exec acme                    a shell for this tenant
  neto exec --decoy acme -- fusion-mcp-server
  neto exec --tag prod -- ./report.py
  neto exec --all -o json -- ./count.sh | jq 'select(.exit_code == 0)'

Exit status: 125 when neto fails before the program starts, 126 when it cannot be run, 127 when
it is not found, else the program's own; 8 when several profiles were selected and some failed.")]
pub(crate) struct ExecArgs {
    #[command(flatten)]
    select: SelectArgs,
    #[command(flatten)]
    want: WantArgs,
    /// Also the credential: NETO_APPKEY, NETO_SHARED_SECRET, NETOSECRET
    #[arg(long)]
    with_secret: bool,
    /// A decoy in place of the token and the credential: they open nothing but a server on this machine, which passes
    /// what is asked with them on to the tenant, and they end with the program
    #[arg(long)]
    decoy: bool,
    #[command(flatten)]
    jobs: JobsArgs,
    /// How to print what the programs print
    #[arg(short, long, value_enum, default_value_t = Form::Text)]
    output: Form,
    /// The program and its arguments; without it $SHELL
    #[arg(last = true, value_name = "CMD")]
    command: Vec<OsString>,
    #[command(flatten)]
    behind: DecoyArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// As it comes; of several profiles each line with the name before it
    Text,
    /// An object for each profile, on a line of its own
    Json,
}

/// Becomes the program, and returns only when that fails; or runs it for each of several profiles.
pub(crate) fn run(args: &ExecArgs, run: &Run<'_>) -> Result<(), Error> {
    if !args.decoy && !args.behind.is_empty() {
        return Err(Error::new(
            Code::Usage,
            "--read-only, --allow-keys, --audit and --yes are for what stands behind --decoy",
        )
        .with_hint("the same line with --decoy"));
    }
    if args.select.means_several() || args.output == Form::Json {
        return many::run(args, run);
    }
    if args.decoy {
        return decoyed::run(args, run);
    }
    let chosen = run.context.chosen(args.select.one()).map_err(|error| not_chosen(args, error))?;
    let profile = &chosen.profile;
    let watch = Watch(run.ui);
    let want = args.want.want(false, false);
    let sign_in = crate::workflow::sign_in(run, &watch, profile, want, args.with_secret)?;
    let access = crate::workflow::access(run, &watch, chosen.declared(), want)?;
    let variables = Variables::of(run, profile, &access, sign_in.as_ref());
    let words = program(args, run);
    if args.command.is_empty() && run.ui.can_ask() {
        run.ui.note(&format!("A shell with the environment of '{}'; exit leaves it", profile.name));
    }
    match replace(command(&words, profile, &variables, run)) {
        Outcome::Ended(status) => Err(Error::silent(Code::Exec(code(status)))),
        Outcome::NotStarted(error) => Err(not_started(&words[0], &error)),
    }
}

/// Who forgets `--` names a program where a profile is wanted.
fn not_chosen(args: &ExecArgs, error: ContextError) -> Error {
    let is_other = matches!(&error, ContextError::Choice(ChoiceError::Unknown { origin: Origin::Argument, near, empty: false, .. })
        if near.is_empty());
    let error = Error::from(error);
    if is_other && args.command.is_empty() {
        return error.with_hint("neto profile list    a program stands behind --: neto exec -- PROGRAM");
    }
    error
}

fn program(args: &ExecArgs, run: &Run<'_>) -> Vec<OsString> {
    if args.command.is_empty() {
        let shell =
            run.context.process.environment.get("SHELL").map_or_else(|| OsString::from("/bin/sh"), OsString::from);
        return vec![shell];
    }
    args.command.clone()
}

/// The program with the environment of a profile.
fn command(words: &[OsString], profile: &Profile, variables: &Variables, run: &Run<'_>) -> Command {
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
    command
}

/// Why there is no program.
fn not_started(program: &OsStr, error: &io::Error) -> Error {
    let name = program.to_string_lossy();
    match error.kind() {
        ErrorKind::NotFound => Error::new(Code::Exec(127), format!("{name} is not found")),
        _ => Error::new(Code::Exec(126), format!("{name} cannot be run: {}", crate::disk::plain(error))),
    }
}

/// The code as a shell sees it: 128 + n for a program that signal n ended.
fn code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| Some(128 + signal(status)?));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}

/// The signal that ended it, if one did.
fn signal(status: ExitStatus) -> Option<i32> {
    #[cfg(unix)]
    return std::os::unix::process::ExitStatusExt::signal(&status);
    #[cfg(not(unix))]
    None
}

/// What comes back when a program does not take the place of this process.
enum Outcome {
    /// It ran and ended with this status, where a system cannot replace a process.
    #[cfg_attr(unix, allow(dead_code, reason = "on Unix the program takes the place of neto"))]
    Ended(ExitStatus),
    /// It did not start.
    NotStarted(io::Error),
}

/// On Unix the program takes the place of this process, so that there is no parent that could die before it.
#[cfg(unix)]
fn replace(mut command: Command) -> Outcome {
    use std::os::unix::process::CommandExt as _;
    Outcome::NotStarted(command.exec())
}

#[cfg(not(unix))]
fn replace(mut command: Command) -> Outcome {
    command.status().map_or_else(Outcome::NotStarted, Outcome::Ended)
}
