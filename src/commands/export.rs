//! `neto export`: the environment of a profile as text for a shell or a file; of several as JSON.

use crate::context::Process;
use crate::disk;
use crate::error::{Code, Error};
use crate::output::{EnvFormat, Shell, ShellError, add_masks, json_of_several, shell_of_parent};
use crate::workflow::exported_variables::Variables;
use crate::workflow::shell_state::{self, Change, EXPORTED};
use crate::workflow::{Fleet, JobsArgs, Run, SelectArgs, WantArgs, Watch, remember};
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
    want: WantArgs,
    /// The shell to print for; without it the one that asks
    #[arg(long, value_enum, value_name = "SHELL", conflicts_with = "format")]
    shell: Option<Shell>,
    /// Print a file instead of shell text
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<FileFormat>,
    /// Also the credential: NETO_APPKEY, NETO_SHARED_SECRET, NETOSECRET
    #[arg(long)]
    with_secret: bool,
    /// Sign in anew even if the cached token is good
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

/// Prints the environment.
pub(crate) fn run(args: &ExportArgs, run: &Run<'_>) -> Result<(), Error> {
    let process = &run.context.process;
    let format = args.form(process);
    if args.unset {
        let Change { unset, set } = Change::dropping(&process.environment);
        return Ok(run.ui.answer(&format.exports(&unset, &set).map_err(|error| unfit(&error))?)?);
    }
    if args.select.means_several() {
        return several(args, run);
    }
    if format == EnvFormat::Github {
        return github(args, run);
    }
    let (_, text) = told(args, run, format)?;
    Ok(run.ui.answer(&text)?)
}

/// What a profile's environment is, and as the text of this format.
fn told(args: &ExportArgs, run: &Run<'_>, format: EnvFormat) -> Result<(Variables, String), Error> {
    let mut variables = variables(args, run)?;
    // What stays set in a shell, or for the steps to come, is for the next export to unset.
    if matches!(format, EnvFormat::Shell(_) | EnvFormat::Github) {
        let names = variables.names(run);
        variables.set.push((EXPORTED.to_owned(), names));
    }
    if matches!(format, EnvFormat::Shell(_)) {
        let notes = shell_state::notes(run, &variables.set);
        variables.set.extend(notes);
    }
    let text = format
        .exports(&variables.unset, &variables.set)
        .map_err(|error| unfit(&error).with_hint("neto export --format json"))?;
    Ok((variables, text))
}

/// Prints the environments of those of several profiles that give one, in the order of the store.
fn several(args: &ExportArgs, run: &Run<'_>) -> Result<(), Error> {
    if args.format != Some(FileFormat::Json) {
        return Err(Error::new(Code::Usage, "only JSON holds the environments of several profiles")
            .with_hint("neto export --all --format json    or name one profile"));
    }
    let selected = args.select.or_chosen(run)?;
    let mut fleet = Fleet::new(run, "Exporting", selected.iter().map(|one| &*one.name));
    let profiles = fleet.with_secrets(selected);
    if args.with_secret {
        run.unlock(profiles.iter().copied())?;
    }
    let watch = Watch(run.ui);
    let session = run.context.session(&watch);
    let want = args.want.want(args.force, args.offline);
    let obtain = async |(place, profile)| {
        let variables = Variables::obtained(run, &session, profile, want, args.with_secret).await;
        (place, profile, variables)
    };
    let mut environments = BTreeMap::new();
    session.each(profiles.into_iter().enumerate(), args.jobs.jobs, obtain, |(place, profile, variables)| {
        match variables {
            Ok(variables) => {
                environments.insert(place, variables.set);
                fleet.step();
            }
            Err(error) => fleet.failed(&profile.name, error)?,
        }
        ControlFlow::Continue(())
    })?;
    remember(run, &watch);
    if !fleet.is_stopped() {
        let environments: Vec<_> = environments.into_values().collect();
        run.ui.answer(&json_of_several(&environments).map_err(|error| unfit(&error))?)?;
    }
    fleet.end_with(|failed| Some(format!("neto export {} --format json", failed?)))
}

fn unfit(error: &ShellError) -> Error {
    Error::new(Code::Usage, error.to_string())
}

fn variables(args: &ExportArgs, run: &Run<'_>) -> Result<Variables, Error> {
    let chosen = run.context.chosen_by(shell_state::sources(run, args.select.one()))?;
    let profile = &chosen.profile;
    let watch = Watch(run.ui);
    let want = args.want.want(args.force, args.offline);
    let sign_in = crate::workflow::sign_in(run, &watch, profile, want, args.with_secret)?;
    let access = crate::workflow::access(run, &watch, chosen.declared(), want)?;
    Ok(Variables::of(run, profile, &access, sign_in.as_ref()))
}

/// For GitHub's runner: masks to stdout, then assignments to the file that it reads when the step is over. When there is no
/// environment, the steps to come, which may go on all the same, have none of an earlier tenant either.
fn github(args: &ExportArgs, run: &Run<'_>) -> Result<(), Error> {
    let file = run.context.process.environment.get("GITHUB_ENV").map(|path| run.context.absolute(Path::new(path)));
    let (variables, text) = told(args, run, EnvFormat::Github).inspect_err(|_| {
        let blanks = EnvFormat::Github.exports(&shell_state::exported(&run.context.process.environment), &[]);
        if let (Some(file), Ok(blanks)) = (&file, blanks) {
            // That this cannot be written either changes nothing: the step fails.
            let _ = disk::append_lines(file, blanks.as_bytes());
        }
    })?;
    let secrets: Vec<&str> = variables.secrets.iter().map(String::as_str).collect();
    // The masks go first: nothing may be able to print a secret before it is masked.
    run.ui.answer(&add_masks(&secrets))?;
    match file {
        Some(file) => Ok(disk::append_lines(&file, text.as_bytes())?),
        None => Ok(run.ui.answer(&text)?),
    }
}

impl ExportArgs {
    fn form(&self, process: &Process) -> EnvFormat {
        match self.format {
            Some(FileFormat::Dotenv) => EnvFormat::Dotenv,
            Some(FileFormat::Json) => EnvFormat::Json,
            Some(FileFormat::Github) => EnvFormat::Github,
            None => EnvFormat::Shell(self.shell.unwrap_or_else(|| asking(process.parent))),
        }
    }
}

/// The shell that started this process; an unknown one is taken for `sh`.
pub(super) fn asking(parent: fn() -> Option<String>) -> Shell {
    parent().map_or(Shell::Sh, |name| shell_of_parent(&name))
}

/// What a failed `export` prints on stdout: unsets and `false` in the words of the shell. Judged from the bare
/// words, because the command line may be what is wrong. Nothing for another verb or for a file.
#[must_use]
pub(crate) fn failure(process: &Process) -> Option<impl FnOnce() -> String + use<>> {
    let words = words(process);
    let (verb, rest) = split_verb(&words)?;
    if verb != "export" {
        return None;
    }
    let value = |flag: &str| {
        let at =
            rest.iter().position(|word| word == flag || word.strip_prefix(flag).is_some_and(|r| r.starts_with('=')))?;
        rest[at].split_once('=').map(|(_, value)| value.to_owned()).or_else(|| rest.get(at + 1).cloned())
    };
    if value("--format").is_some() {
        return None;
    }
    let told = value("--shell").and_then(|name| Shell::from_str(&name, true).ok());
    let (environment, parent) = (process.environment.clone(), process.parent);
    Some(move || {
        let Change { unset, set } = Change::dropping(&environment);
        EnvFormat::Shell(told.unwrap_or_else(|| asking(parent))).failure(&unset, &set)
    })
}

/// What was typed behind the program's name.
fn words(process: &Process) -> Vec<String> {
    process.arguments.iter().skip(1).map(|word| word.to_string_lossy().into_owned()).collect()
}

/// The verb and the words after it; flags before it, and the values of those that take one, are passed over.
fn split_verb(words: &[String]) -> Option<(&str, &[String])> {
    let mut at = 0;
    while let Some(word) = words.get(at) {
        match word.as_str() {
            "--profile" | "--store" | "--lock-timeout" | "--color" => at += 2,
            // `-p NAME` and `-qp NAME`; in `-pNAME` the name is there already.
            short if !short.starts_with("--") && short.starts_with('-') && short.find('p') == Some(short.len() - 1) => {
                at += 2;
            }
            flag if flag.starts_with('-') => at += 1,
            verb => return Some((verb, &words[at + 1..])),
        }
    }
    None
}

/// The verb of a command line that may be wrong.
#[must_use]
pub(crate) fn verb(process: &Process) -> Option<String> {
    split_verb(&words(process)).map(|(verb, _)| verb.to_owned())
}
