//! `neto export`: prints the environment of a profile for a shell or a file, or the environments of several profiles as
//! JSON.

use crate::context::{CommandLine, Process};
use crate::disk;
use crate::error::{Code, Error, Hint};
use crate::output::{EnvFormat, Shell, ShellError, environments_json, github_masks, shell_from_program};
use crate::workflow::exported_variables::ExportedVariables;
use crate::workflow::shell_state::{self, EXPORTED_VARIABLE, ShellUpdate};
use crate::workflow::{
    Batch, JobsArgs, Run, SelectArgs, TerminalReporter, TokenRequestArgs, record_first_seen_profiles,
};
use clap::{Args, ValueEnum};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;

/// Print the environment of a profile for a shell
///
/// The text first unsets what an earlier export set, so that nothing of another tenant stays. When it fails it
/// prints just those unsets and `false`, so that `eval` fails and no script goes on with the tenant before.
///
/// Without PROFILE it is the chosen one. Several profiles (names, a glob, a tag, --all) go with --format json
/// alone: an array with an object for each.
#[derive(Debug, Args)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
#[command(after_help = "\
Examples:
  eval \"$(neto export acme)\"                              sh, bash, zsh
  neto export acme --shell fish | source
  neto export acme --shell nu | from json | load-env
  neto export acme --shell powershell | Out-String | Invoke-Expression
  neto export --tag prod --format json
  eval \"$(neto export --unset)\"")]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    select: SelectArgs,
    #[command(flatten)]
    token_args: TokenRequestArgs,
    /// Shell to print for [default: the calling shell]
    #[arg(long, value_enum, value_name = "SHELL", conflicts_with = "format")]
    shell: Option<Shell>,
    /// Print a file instead of shell text
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<FileFormat>,
    /// Also the credential: NETO_APPKEY, NETO_SHARED_SECRET, NETOSECRET
    #[arg(long)]
    with_secret: bool,
    /// Log in even if the cached token is valid
    #[arg(long, conflicts_with = "offline")]
    force: bool,
    /// Never ask the server
    #[arg(long)]
    offline: bool,
    /// Print only what unsets an earlier export
    #[arg(long, conflicts_with_all = ["names", "tags", "not_tags", "all", "with_secret", "format", "force", "offline"])]
    unset: bool,
    #[command(flatten)]
    jobs: JobsArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FileFormat {
    /// Lines of NAME='value'
    Dotenv,
    /// An object; of several profiles an array of them
    Json,
    /// Masks to stdout, assignments to the file that GITHUB_ENV names
    Github,
}

/// Prints the environment, or with `--unset` only the text that unsets an earlier export.
pub(crate) fn run(args: &ExportArgs, run: &Run<'_>) -> Result<(), Error> {
    let process = &run.context.process;
    let format = args.env_format(process);
    if args.unset {
        let ShellUpdate { unset, set } = ShellUpdate::drop_export(&process.environment);
        return Ok(run.ui.print(&format.render_exports(&unset, &set).map_err(|error| format_error(&error))?)?);
    }
    if args.select.can_select_several() {
        return export_several(args, run);
    }
    if format == EnvFormat::Github {
        return export_github(args, run);
    }
    let (_, text) = render_environment(args, run, format)?;
    Ok(run.ui.print(&text)?)
}

/// Returns the environment of a profile, and its text in this format.
fn render_environment(
    args: &ExportArgs,
    run: &Run<'_>,
    format: EnvFormat,
) -> Result<(ExportedVariables, String), Error> {
    let mut variables = obtain_variables(args, run)?;
    // In a shell and in later steps of a GitHub job, the variables stay set. The next export needs their names to unset
    // them.
    if matches!(format, EnvFormat::Shell(_) | EnvFormat::Github) {
        let names = variables.names_to_record(run);
        variables.set.push((EXPORTED_VARIABLE.to_owned(), names));
    }
    if matches!(format, EnvFormat::Shell(_)) {
        let marker_variables = shell_state::hook_variables(run, &variables.set);
        variables.set.extend(marker_variables);
    }
    let text = format
        .render_exports(&variables.unset, &variables.set)
        .map_err(|error| format_error(&error).with_hint(Hint::command("neto export --format json")))?;
    Ok((variables, text))
}

/// Prints the environments of several profiles in the order of the store. Omits the profiles that failed, and prints
/// nothing if the batch was stopped.
fn export_several(args: &ExportArgs, run: &Run<'_>) -> Result<(), Error> {
    if args.format != Some(FileFormat::Json) {
        return Err(Error::new(Code::Usage, "only JSON holds the environments of several profiles")
            .with_hint(Hint::command("neto export --all --format json").remark("or name one profile")));
    }
    let selected = args.select.resolve_or_current(run)?;
    let mut batch = Batch::new(run, "Exporting", selected.iter().map(|selected| &*selected.name));
    let profiles = batch.with_secrets(selected);
    if args.with_secret {
        run.unlock(profiles.iter().copied())?;
    }
    let reporter = TerminalReporter(run.ui);
    let session = run.context.session(&reporter);
    let token_request = args.token_args.token_request(args.force, args.offline);
    let obtain = async |(index, profile)| {
        let variables = ExportedVariables::obtain(run, &session, profile, token_request, args.with_secret).await;
        (index, profile, variables)
    };
    let mut environments = BTreeMap::new();
    session.run_each(profiles.into_iter().enumerate(), args.jobs.jobs, obtain, |(index, profile, variables)| {
        match variables {
            Ok(variables) => {
                environments.insert(index, variables.set);
                batch.step_done();
            }
            Err(error) => batch.failed(&profile.name, error)?,
        }
        ControlFlow::Continue(())
    })?;
    record_first_seen_profiles(run, &reporter);
    if !batch.is_stopped() {
        let environments: Vec<_> = environments.into_values().collect();
        run.ui.print(&environments_json(&environments).map_err(|error| format_error(&error))?)?;
    }
    batch.finish_with(|failed| Some(Hint::command(format!("neto export {} --format json", failed?))))
}

fn format_error(error: &ShellError) -> Error {
    Error::new(Code::Usage, error.to_string())
}

fn obtain_variables(args: &ExportArgs, run: &Run<'_>) -> Result<ExportedVariables, Error> {
    let resolved = run.context.resolve_profile_from(shell_state::export_sources(run, args.select.first_name()))?;
    let profile = &resolved.profile;
    let reporter = TerminalReporter(run.ui);
    let token_request = args.token_args.token_request(args.force, args.offline);
    let login = crate::workflow::requested_login(run, &reporter, profile, token_request, args.with_secret)?;
    let token = crate::workflow::obtain_token(run, &reporter, resolved.loaded_profile(), token_request)?;
    Ok(ExportedVariables::from_token(run, profile, &token, login.as_ref()))
}

/// Prints masks to stdout, then appends assignments to the file that GitHub's runner reads after the step. If
/// `GITHUB_ENV` is not set, also prints the assignments to stdout.
///
/// If the export fails, appends lines to that file that unset an earlier export, because later steps may still run.
fn export_github(args: &ExportArgs, run: &Run<'_>) -> Result<(), Error> {
    let file = run.context.process.environment.get("GITHUB_ENV").map(|path| run.context.absolute(Path::new(path)));
    let (variables, text) = render_environment(args, run, EnvFormat::Github).inspect_err(|_| {
        let unsets =
            EnvFormat::Github.render_exports(&shell_state::exported_names(&run.context.process.environment), &[]);
        if let (Some(file), Ok(unsets)) = (&file, unsets) {
            // The step fails in any case, so an error of this write is ignored.
            let _ = disk::append_lines(file, unsets.as_bytes());
        }
    })?;
    let secrets: Vec<&str> = variables.secrets.iter().map(String::as_str).collect();
    // The masks are printed first, so that no secret can appear before it is masked.
    run.ui.print(&github_masks(&secrets))?;
    match file {
        Some(file) => Ok(disk::append_lines(&file, text.as_bytes())?),
        None => Ok(run.ui.print(&text)?),
    }
}

impl ExportArgs {
    fn env_format(&self, process: &Process) -> EnvFormat {
        match self.format {
            Some(FileFormat::Dotenv) => EnvFormat::Dotenv,
            Some(FileFormat::Json) => EnvFormat::Json,
            Some(FileFormat::Github) => EnvFormat::Github,
            None => EnvFormat::Shell(self.shell.unwrap_or_else(|| calling_shell(process.parent))),
        }
    }
}

/// Returns the shell that started this process; `sh` if the parent is unknown or not a known shell.
pub(super) fn calling_shell(parent: fn() -> Option<String>) -> Shell {
    parent().map_or(Shell::Sh, |name| shell_from_program(&name))
}

/// Returns a function that renders the shell text of a failed `export`: unsets and `false`. Returns `None` for another
/// verb and with `--format`.
///
/// The verb and flags are looked up without clap, because clap may have rejected the command line.
#[must_use]
pub(crate) fn failure_script(process: &Process, command_line: &CommandLine) -> Option<impl FnOnce() -> String + use<>> {
    if command_line.verb() != Some("export") || command_line.value("--format").is_some() {
        return None;
    }
    let shell = command_line.value("--shell").and_then(|name| Shell::from_str(name, true).ok());
    let (environment, parent) = (process.environment.clone(), process.parent);
    Some(move || {
        let ShellUpdate { unset, set } = ShellUpdate::drop_export(&environment);
        EnvFormat::Shell(shell.unwrap_or_else(|| calling_shell(parent))).render_failure(&unset, &set)
    })
}
