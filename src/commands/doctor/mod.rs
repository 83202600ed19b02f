//! `neto doctor`: what is wrong with this machine's neto and its profiles, a line a check, with the cure.
//!
//! A file a group of checks: `places` (folders and files), `keys`, `store`, `surroundings` (variables), `network` (the
//! servers) and `credentials` (whether they take what a profile has). `finding` is what a check finds. No check guesses:
//! each asks the room that knows, and says what it did not look at. Nothing is asked of the user, and nothing but
//! `--fix` and a login changes anything.

mod credentials;
mod finding;
mod keys;
mod network;
mod places;
mod store;
mod surroundings;

use crate::error::{Code, Error};
use crate::output::humanize::count;
use crate::output::{Format, Ui, Volume, checklist, render};
use crate::profile::{Profile, ProfileName};
use crate::workflow::selection::Selected;
use crate::workflow::{JobsArgs, Run, SelectArgs};
use clap::Args;
use finding::{FIX, Finding, State, page};
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

/// Looks, mends where that is wanted, and tells.
pub(crate) fn run(args: &DoctorArgs, run: &Run<'_>) -> Result<(), Error> {
    let mut findings = here(args, run)?;
    if args.fix && mend(run, &findings) {
        findings = here(args, run)?;
    }
    if args.offline {
        findings.push(Finding::skipped("network.connection", "--offline forbids asking the servers"));
    } else {
        findings.extend(servers(args, run, &findings)?);
    }
    tell(args, run.ui, findings)
}

/// What can be seen on this machine.
fn here(args: &DoctorArgs, run: &Run<'_>) -> Result<Vec<Finding>, Error> {
    // A store that cannot be read is a finding, and no reason to look at nothing else.
    let selected = match run.context.store() {
        Ok(_) => args.select.all_or(run)?,
        Err(_) => Vec::new(),
    };
    let mut findings = places::check(run);
    let paths = &run.context.paths;
    if !paths.homeless {
        findings.extend(keys::check(run));
    }
    if !paths.homeless || paths.named_store {
        findings.extend(store::check(run, &selected));
    }
    findings.extend(surroundings::check(run));
    Ok(findings)
}

/// Mends what can be mended; says whether there was anything.
fn mend(run: &Run<'_>, findings: &[Finding]) -> bool {
    let mends: Vec<_> = findings.iter().filter_map(Finding::mend).collect();
    for mend in &mends {
        match mend.apply(run) {
            Ok(told) => run.ui.note(&format!("mended: {told}")),
            Err(error) => run.ui.warn(error.message()),
        }
    }
    !mends.is_empty()
}

/// What the servers of the selected profiles say. Those that neto itself would refuse to use are not asked about.
fn servers(args: &DoctorArgs, run: &Run<'_>, found: &[Finding]) -> Result<Vec<Finding>, Error> {
    let selected = match run.context.store() {
        Ok(_) => args.select.or_chosen(run),
        Err(_) => Err(Error::new(Code::Store, "the store cannot be read")),
    };
    let selected = match selected {
        Ok(selected) => selected,
        Err(error) => {
            let nobody = Finding::skipped("network.connection", error.message());
            let several = run.context.store().is_ok_and(|store| !store.profiles.is_empty());
            return Ok(vec![if several { nobody.fix("neto doctor --all") } else { nobody }]);
        }
    };
    let hindered: BTreeSet<&ProfileName> = found.iter().filter_map(Finding::hindered).collect();
    let sound = |one: &Selected<'_>| one.profile.is_ok() && !hindered.contains(&*one.name);
    let (sound, hindered): (Vec<_>, Vec<_>) = selected.into_iter().partition(sound);
    let profiles: Vec<&Profile> = sound.into_iter().filter_map(|one| one.profile.ok()).collect();
    let mut findings = Vec::new();
    for one in hindered {
        findings.push(Finding::skipped("network.connection", "neto itself refuses to use it").of(&one.name));
    }
    let hushed = network::Hushed(run.watch());
    let session = run.context.session(&hushed);
    let reached = network::check(&session, &profiles, args.jobs.jobs, &mut findings)?;
    findings.extend(credentials::check(run, &session, &reached, args)?);
    crate::workflow::remember(run, &run.watch());
    Ok(findings)
}

/// Prints what was found; exit 9 where there is a problem.
fn tell(args: &DoctorArgs, ui: &Ui, mut findings: Vec<Finding>) -> Result<(), Error> {
    let of = |state| findings.iter().filter(|finding| finding.state == state).count();
    let (problems, warnings) = (of(State::Problem), of(State::Warning));
    let mendable = findings.iter().filter(|finding| finding.is_found() && finding.mend().is_some()).count();
    if ui.volume() == Volume::Quiet {
        findings.retain(Finding::is_found);
    }
    let (look, format) = (ui.look(), args.output);
    ui.answer(&match format {
        Format::Table => checklist(&page(&findings), &look),
        format => render(&findings, format, &look),
    })?;
    let counts = [(problems, "problem"), (warnings, "warning")];
    let counts: Vec<String> = counts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| count(*n, what)).collect();
    if problems == 0 {
        ui.note(&if warnings == 0 {
            "Nothing is wrong".to_owned()
        } else {
            format!("No problem, {}", counts.join(""))
        });
        return Ok(());
    }
    let error = Error::new(Code::Found, format!("{} found", counts.join(" and ")));
    Err(if mendable > 0 { error.with_hint(format!("{FIX}    mends {mendable} of them")) } else { error })
}
