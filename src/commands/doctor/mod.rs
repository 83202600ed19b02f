//! `neto doctor`: diagnoses problems of neto on this machine and of its profiles, and suggests fixes.
//!
//! Each group of checks has its own module, and `finding` defines the result of a check. Checks call the same code as
//! the commands. The checks never prompt, and report what they skip. Only `--fix` and the login check change anything.

mod credentials;
mod environment;
mod files;
mod finding;
mod keys;
mod network;
mod store;

use crate::error::{Code, Error, Hint};
use crate::output::humanize::pluralize;
use crate::output::{Format, Ui, Volume, render_checklist, render_rows};
use crate::profile::{Profile, ProfileName};
use crate::workflow::selection::SelectedProfile;
use crate::workflow::{JobsArgs, Run, SelectArgs};
use clap::Args;
use finding::{FIX_COMMAND, Finding, FindingState, checklist};
use std::collections::BTreeSet;

/// Say what is wrong with neto on this machine, and with its profiles, each with its cure
///
/// Looks at folders and keys, at the store and what git has of it, and at the variables around; then asks the servers of
/// the selected profiles: whether they are reached, how their clocks stand, and whether they take the credentials. Without
/// PROFILE it looks at every profile here and asks the server of the chosen one.
///
/// A cached token is shown to its server with GET /api/v1/api-keys; where there is none that is good, a login is tried.
/// Nothing is asked of you: what a passphrase or a touch would open is not checked, and that is said.
///
/// Exit 9 when there is a problem; a warning alone is exit 0. In JSON and CSV the state is ok, warning, problem or
/// skipped, and check says what was looked at.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  neto doctor
  neto doctor acme
  neto doctor --all --offline -q     only what was found; no server is asked
  neto doctor --fix                  mend what is safe to mend")]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    select: SelectArgs,
    /// Mend modes of neto's own files, remove what killed runs left, make missing folders
    #[arg(long)]
    fix: bool,
    /// Ask no server
    #[arg(long)]
    offline: bool,
    #[command(flatten)]
    jobs: JobsArgs,
    /// How to print it; people get a page in place of a table
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    output: Format,
}

/// Runs the checks, makes the repairs with `--fix`, and prints the findings.
pub(crate) fn run(args: &DoctorArgs, run: &Run<'_>) -> Result<(), Error> {
    let mut findings = local_findings(args, run)?;
    if args.fix && apply_fixes(run, &findings) {
        findings = local_findings(args, run)?;
    }
    if args.offline {
        findings.push(Finding::skipped("network.connection", "--offline forbids asking the servers"));
    } else {
        findings.extend(server_findings(args, run, &findings)?);
    }
    print_findings(args, run.ui, findings)
}

/// Runs the checks that contact no server.
fn local_findings(args: &DoctorArgs, run: &Run<'_>) -> Result<Vec<Finding>, Error> {
    // `store` reports a store that cannot be read; the other checks still run.
    let selected = match run.context.store() {
        Ok(_) => args.select.resolve_or_all(run)?,
        Err(_) => Vec::new(),
    };
    let mut findings = files::check(run);
    let paths = &run.context.paths;
    if !paths.has_no_home {
        findings.extend(keys::check(run));
    }
    if !paths.has_no_home || paths.is_store_named {
        findings.extend(store::check(run, &selected));
    }
    findings.extend(environment::check(run));
    Ok(findings)
}

/// Makes the repairs of these findings, and prints each repair. Returns whether any finding has a repair.
fn apply_fixes(run: &Run<'_>, findings: &[Finding]) -> bool {
    let fixes: Vec<_> = findings.iter().filter_map(Finding::auto_fix).collect();
    for fix in &fixes {
        match fix.apply(run) {
            Ok(command) => run.ui.note(&format!("mended: {command}")),
            Err(error) => run.ui.warn(error.message()),
        }
    }
    !fixes.is_empty()
}

/// Checks the servers of the selected profiles. Profiles with a local problem are skipped, because neto refuses to use
/// them.
fn server_findings(args: &DoctorArgs, run: &Run<'_>, local: &[Finding]) -> Result<Vec<Finding>, Error> {
    let selected = match run.context.store() {
        Ok(_) => args.select.resolve_or_current(run),
        Err(_) => Err(Error::new(Code::Store, "the store cannot be read")),
    };
    let selected = match selected {
        Ok(selected) => selected,
        Err(error) => {
            let skipped = Finding::skipped("network.connection", error.message());
            let several = run.context.store().is_ok_and(|store| !store.profiles.is_empty());
            return Ok(vec![if several { skipped.with_fix(&Hint::command("neto doctor --all")) } else { skipped }]);
        }
    };
    let refused: BTreeSet<&ProfileName> = local.iter().filter_map(Finding::problem_profile).collect();
    let is_usable = |selected: &SelectedProfile<'_>| selected.profile.is_ok() && !refused.contains(&*selected.name);
    let (usable, refused): (Vec<_>, Vec<_>) = selected.into_iter().partition(is_usable);
    let profiles: Vec<&Profile> = usable.into_iter().filter_map(|selected| selected.profile.ok()).collect();
    let mut findings = Vec::new();
    for selected in refused {
        let finding = Finding::skipped("network.connection", "neto itself refuses to use it");
        findings.push(finding.for_profile(&selected.name));
    }
    let reporter = network::QuietReporter(run.reporter());
    let session = run.context.session(&reporter);
    let reached = network::check(&session, &profiles, args.jobs.jobs, &mut findings)?;
    findings.extend(credentials::check(run, &session, &reached, args)?);
    crate::workflow::record_first_seen_profiles(run, &run.reporter());
    Ok(findings)
}

/// Prints the findings and their number.
///
/// # Errors
/// Returns [`Code::ProblemFound`] (exit 9) if a finding is a problem.
fn print_findings(args: &DoctorArgs, ui: &Ui, mut findings: Vec<Finding>) -> Result<(), Error> {
    let count = |state| findings.iter().filter(|finding| finding.state == state).count();
    let (problems, warnings) = (count(FindingState::Problem), count(FindingState::Warning));
    let fixable = findings.iter().filter(|finding| finding.needs_attention() && finding.auto_fix().is_some()).count();
    if ui.volume() == Volume::Quiet {
        findings.retain(Finding::needs_attention);
    }
    let (options, format) = (ui.render_options(), args.output);
    ui.print(&match format {
        Format::Table => render_checklist(&checklist(&findings), &options),
        format => render_rows(&findings, format, &options),
    })?;
    let counts = [(problems, "problem"), (warnings, "warning")];
    let counts: Vec<String> =
        counts.iter().filter(|(number, _)| *number > 0).map(|(number, noun)| pluralize(*number, noun)).collect();
    if problems == 0 {
        ui.note(&if warnings == 0 {
            "Nothing is wrong".to_owned()
        } else {
            format!("No problem, {}", counts.join(""))
        });
        return Ok(());
    }
    let error = Error::new(Code::ProblemFound, format!("{} found", counts.join(" and ")));
    Err(if fixable > 0 {
        error.with_hint(Hint::command(FIX_COMMAND).remark(format!("mends {fixable} of them")))
    } else {
        error
    })
}
