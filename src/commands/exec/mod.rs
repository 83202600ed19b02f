//! `neto exec`: replaces this process with a program that has the environment of a profile.
//!
//! `decoyed` runs the program beside a decoy server instead, and `many` runs it once for each of several profiles.

mod child;
mod decoyed;
mod many;
mod stop;
mod tied;

use crate::context::ContextError;
use crate::error::{Code, Error, Hint};
use crate::platform;
use crate::profile::{Profile, ProfileOrigin, ResolveError, SecretLocation};
use crate::workflow::decoy::DecoyArgs;
use crate::workflow::exported_variables::{ExportedVariables, hidden_from_children};
use crate::workflow::{JobsArgs, Run, SelectArgs, TerminalReporter, TokenRequestArgs};
use clap::{Args, ValueEnum};
use std::ffi::{OsStr, OsString};
use std::io::{self, ErrorKind};
use std::process::{Command, ExitStatus};

/// Exit code of `neto exec` if neto fails before the program starts, as with `env` and `nohup`.
pub(crate) const NETO_FAILED_EXIT_CODE: u8 = 125;

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
    token_args: TokenRequestArgs,
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
    #[arg(short, long, value_enum, default_value_t = ExecFormat::Text)]
    output: ExecFormat,
    /// The program and its arguments; without it $SHELL
    #[arg(last = true, value_name = "CMD")]
    command: Vec<OsString>,
    #[command(flatten)]
    decoy_args: DecoyArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ExecFormat {
    /// As it comes; of several profiles each line with the name before it
    Text,
    /// An object for each profile, on a line of its own
    Json,
}

/// Replaces this process with the program. With several profiles, `-o json` or `--decoy`, runs the program as a child
/// process instead.
///
/// # Errors
/// Always returns an error for one profile without `-o json`. A silent error carries the exit code of a program that
/// ran.
pub(crate) fn run(args: &ExecArgs, run: &Run<'_>) -> Result<(), Error> {
    if !args.decoy && !args.decoy_args.is_empty() {
        return Err(Error::new(
            Code::Usage,
            "--read-only, --allow-keys, --audit and --yes are for what stands behind --decoy",
        )
        .with_hint(Hint::advice("the same line with --decoy")));
    }
    if args.select.can_select_several() || args.output == ExecFormat::Json {
        return many::run(args, run);
    }
    if args.decoy {
        return decoyed::run(args, run);
    }
    let resolved = run.context.resolve_profile(args.select.first_name()).map_err(|error| resolve_error(args, error))?;
    let profile = &resolved.profile;
    let reporter = TerminalReporter(run.ui);
    let token_request = args.token_args.token_request(false, false);
    let login = crate::workflow::requested_login(run, &reporter, profile, token_request, args.with_secret)?;
    let token = crate::workflow::obtain_token(run, &reporter, resolved.loaded_profile(), token_request)?;
    let variables = ExportedVariables::from_token(run, profile, &token, login.as_ref());
    let program = program_argv(args, run);
    if args.command.is_empty() && run.ui.can_prompt() {
        run.ui.note(&format!("A shell with the environment of '{}'; exit leaves it", profile.name));
    }
    match platform::replace_process(program_command(&program, profile, &variables, run)) {
        Ok(status) => Err(Error::silent(Code::Exec(exit_code(status)))),
        Err(error) => Err(start_error(&program[0], &error)),
    }
}

/// Adds a hint about `--` to the error for an argument that neither is nor resembles a profile name. The argument may
/// be a program.
fn resolve_error(args: &ExecArgs, error: ContextError) -> Error {
    let is_unknown = matches!(&error, ContextError::Resolve(ResolveError::Unknown { origin: ProfileOrigin::Argument, similar, is_store_empty: false, .. })
        if similar.is_empty());
    let error = Error::from(error);
    if is_unknown && args.command.is_empty() {
        return error
            .with_hint(Hint::command("neto profile list").remark("a program stands behind --: neto exec -- PROGRAM"));
    }
    error
}

fn program_argv(args: &ExecArgs, run: &Run<'_>) -> Vec<OsString> {
    if args.command.is_empty() {
        let shell =
            run.context.process.environment.get("SHELL").map_or_else(|| OsString::from("/bin/sh"), OsString::from);
        return vec![shell];
    }
    args.command.clone()
}

/// Returns the command that runs a program in the environment of a profile. Removes variables that the program must not
/// inherit, such as secrets and an earlier export.
fn program_command(program: &[OsString], profile: &Profile, variables: &ExportedVariables, run: &Run<'_>) -> Command {
    let mut command = Command::new(&program[0]);
    command.args(&program[1..]);
    for name in hidden_from_children(&run.context.process.environment) {
        // The profile `env` is made from NETOSECRET, so its program keeps that variable.
        if !(profile.name.is_env() && name == "NETOSECRET") {
            command.env_remove(name);
        }
    }
    if let (SecretLocation::Env(name), false) = (&profile.secret, profile.name.is_env()) {
        command.env_remove(name);
    }
    command.envs(variables.set.iter().map(|(name, value)| (name, value)));
    command
}

/// Returns the error for a program that cannot be started.
fn start_error(program: &OsStr, error: &io::Error) -> Error {
    let name = program.to_string_lossy();
    match error.kind() {
        ErrorKind::NotFound => Error::new(Code::Exec(127), format!("{name} is not found")),
        _ => Error::new(Code::Exec(126), format!("{name} cannot be run: {}", crate::disk::os_message(error))),
    }
}

/// Returns the exit code as in a shell: 128 + n for a program that signal n ended. Returns 1 if the code does not fit
/// in a byte.
fn exit_code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| Some(128 + platform::exit_signal(status)?));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}
