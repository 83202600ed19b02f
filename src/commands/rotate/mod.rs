//! `neto rotate`: a new key from the server, sealed in place of the one that a profile has.
//!
//! How a key survives a crash is the session's business (`session::rotation`); here stands which profiles are meant, what
//! is made sure of first, what is asked and what is told.

mod plan;
mod recover;
mod second;

use crate::error::Error;
use crate::output::humanize::count;
use crate::output::{Format, quoted};
use crate::profile::{Profile, Span};
use crate::session::{Kind, Rotated};
use crate::workflow::{Fleet, JobsArgs, Run, SelectArgs, Watch, confirm_writes, remember};
use clap::Args;
use plan::Plan;
use std::ops::ControlFlow;

/// Get a new API key from the server, sealed in place of the old one
///
/// The old key is dead at once for everyone who shares the store, until they have the new store. Roles and description of
/// the key are kept. A run that is ended anywhere loses no key: the same line, or the next login of that profile, goes on
/// with it. The new key is kept sealed on this machine for 30 days (--recover), in case the store is lost.
///
/// Where the old key must go on working until all have pulled, --overlap makes a second key beside it, and --finish removes
/// the old one. Only API keys that are sealed in the store can be rotated. Asks before it rotates protected profiles, or
/// more than one; off a terminal it needs --yes.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  neto rotate acme --dry-run
  neto rotate acme
  neto rotate --all --older-than 90d --yes    for cron
  neto rotate acme --overlap                  a second key beside the first
  neto rotate acme --finish                   later, when all have pulled
  neto rotate acme --recover                  the store with the new key is lost")]
pub(crate) struct RotateArgs {
    #[command(flatten)]
    select: SelectArgs,
    /// Only keys that came at least this long ago: 90d
    #[arg(long, value_name = "TIME")]
    older_than: Option<Span>,
    #[command(flatten)]
    mode: ModeArgs,
    /// Only say what would be done; asks no server
    #[arg(long)]
    dry_run: bool,
    /// With --dry-run: how to print it
    #[arg(short, long, value_enum, default_value_t = Format::Table, requires = "dry_run")]
    output: Format,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    #[command(flatten)]
    jobs: JobsArgs,
}

/// What is done in place of a plain rotation, or belongs to one that was.
#[derive(Debug, Clone, Copy, Args)]
struct ModeArgs {
    /// Make a second key beside the first, which goes on working
    #[arg(long, conflicts_with_all = ["finish", "recover"])]
    overlap: bool,
    /// Remove the key beside which --overlap made a second one
    #[arg(long, conflicts_with_all = ["recover", "older_than", "dry_run"])]
    finish: bool,
    /// Put the newest key that is kept on this machine back into the store
    #[arg(long, conflicts_with_all = ["older_than", "dry_run"])]
    recover: bool,
}

/// Rotates the keys of the selected profiles, or does what belongs to it.
pub(crate) fn run(args: &RotateArgs, run: &Run<'_>) -> Result<(), Error> {
    match (args.mode.recover, args.mode.finish) {
        (true, _) => recover::run(args, run),
        (_, true) => second::finish(args, run),
        _ => rotate(args, run),
    }
}

fn rotate(args: &RotateArgs, run: &Run<'_>) -> Result<(), Error> {
    let plan = Plan::of(args, run, args.select.told(run)?)?;
    let profiles = plan.profiles();
    if !profiles.is_empty() {
        plan::make_sure(run, &profiles)?;
    }
    if args.dry_run {
        return plan.show(args, run);
    }
    if plan.is_empty() {
        run.ui.note(if args.older_than.is_some() { "No key is as old as that" } else { "There is no key to rotate" });
        return Ok(());
    }
    if !profiles.is_empty() {
        run.unlock(profiles.iter().copied())?;
        tell(args, run);
        args.ask(run, "Rotate the key of", &profiles)?;
    }
    let mut fleet = Fleet::new(run, "Rotating", plan.names());
    plan.tell_others(&mut fleet);
    let watch = Watch(run.ui);
    let mut rotated = 0;
    let kind = if args.mode.overlap { Kind::Beside } else { Kind::InPlace };
    run.context.session(&watch).rotate_each(&profiles, kind, args.jobs.jobs, |name, result| {
        match result {
            Ok(outcome) => {
                rotated += usize::from(outcome != Rotated::ByAnother);
                fleet.done(name, &told(&outcome));
            }
            Err(error) => fleet.failed(name, error.into())?,
        }
        ControlFlow::Continue(())
    })?;
    remember(run, &watch);
    let verb = if args.mode.overlap { "neto rotate --overlap" } else { "neto rotate" };
    let ended = if args.older_than.is_some() {
        fleet.end(verb)
    } else {
        // The same line would rotate once more what went well.
        let again = || args.line(run, "--older-than 1d") + "    leaves out the keys that came today";
        fleet.end_with(|failed| Some(failed.map_or_else(again, |names| format!("{verb} {names}"))))
    };
    if rotated > 0 {
        run.ui.note(&format!(
            "{} in the store now: share the store with everyone who uses it",
            count(rotated, "new key")
        ));
    }
    ended
}

/// Before anything is done: what it means for others.
fn tell(args: &RotateArgs, run: &Run<'_>) {
    run.ui.note(if args.mode.overlap {
        "The old key goes on working until: neto rotate --finish"
    } else {
        "The old key will be dead for everyone who shares the store, until they have the new store"
    });
}

fn told(outcome: &Rotated) -> String {
    match outcome {
        Rotated::ByAnother => "another neto rotated it just now".to_owned(),
        Rotated::Replaced(_) => "rotated; the new key is in the store and works".to_owned(),
        Rotated::Beside(key) => format!("has a second key '{key}', which is in the store and works"),
    }
}

impl RotateArgs {
    /// Asks before `what` is done to these profiles, since it cannot be taken back.
    fn ask(&self, run: &Run<'_>, what: &str, profiles: &[&Profile]) -> Result<(), Error> {
        confirm_writes::ask(run, self.yes, what, profiles, || self.line(run, "--yes"))
    }

    /// The same line once more, with another flag.
    fn line(&self, run: &Run<'_>, flag: &str) -> String {
        let mut words = vec!["neto rotate".to_owned()];
        let is_plain = |word: &str| word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
        let word = |word: String| if is_plain(&word) { word } else { quoted(&word) };
        words.extend(self.select.words(run).into_iter().map(word));
        let flags =
            [(self.mode.overlap, "--overlap"), (self.mode.finish, "--finish"), (self.mode.recover, "--recover")];
        words.extend(flags.iter().filter(|(given, _)| *given).map(|(_, flag)| (*flag).to_owned()));
        words.extend(self.older_than.map(|span| format!("--older-than {span}")));
        words.push(flag.to_owned());
        words.join(" ")
    }
}
