//! `neto rotate`: gets new API keys from the server and seals them in the store.
//!
//! Owns the selection of profiles, the checks before the first change, the confirmation and the output.
//! `session::rotation` owns the rotation itself, and the journal that makes a rotation survive a crash.

mod plan;
mod recover;
mod second;

use crate::error::{Error, Hint};
use crate::output::humanize::pluralize;
use crate::output::{Format, quote_for_display};
use crate::profile::{Profile, Span};
use crate::session::{Rotated, RotationKind};
use crate::workflow::{Batch, JobsArgs, Run, SelectArgs, TerminalReporter, confirm_writes, record_first_seen_profiles};
use clap::Args;
use plan::RotationPlan;
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

/// Modes other than a plain rotation.
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

/// Rotates the keys of the selected profiles; `--finish` and `--recover` select another action.
pub(crate) fn run(args: &RotateArgs, run: &Run<'_>) -> Result<(), Error> {
    match (args.mode.recover, args.mode.finish) {
        (true, _) => recover::run(args, run),
        (_, true) => second::finish(args, run),
        _ => rotate(args, run),
    }
}

fn rotate(args: &RotateArgs, run: &Run<'_>) -> Result<(), Error> {
    let plan = RotationPlan::build(args, run, args.select.resolve_named(run)?)?;
    let profiles = plan.profiles_to_rotate();
    if !profiles.is_empty() {
        plan::check_can_write(run, &profiles)?;
    }
    if args.dry_run {
        return plan.print_plan(args, run);
    }
    if plan.is_empty() {
        run.ui.note(if args.older_than.is_some() { "No key is as old as that" } else { "There is no key to rotate" });
        return Ok(());
    }
    if !profiles.is_empty() {
        run.unlock(profiles.iter().copied())?;
        print_effect_on_others(args, run);
        args.confirm(run, "Rotate the key of", &profiles)?;
    }
    let mut batch = Batch::new(run, "Rotating", plan.names());
    plan.report_skipped(&mut batch);
    let reporter = TerminalReporter(run.ui);
    let mut rotated = 0;
    let kind = if args.mode.overlap { RotationKind::Beside } else { RotationKind::InPlace };
    run.context.session(&reporter).rotate_each(&profiles, kind, args.jobs.jobs, |name, result| {
        match result {
            Ok(outcome) => {
                rotated += usize::from(outcome != Rotated::ByAnother);
                batch.done_with_note(name, &result_text(&outcome));
            }
            Err(error) => batch.failed(name, error.into())?,
        }
        ControlFlow::Continue(())
    })?;
    record_first_seen_profiles(run, &reporter);
    let command = if args.mode.overlap { "neto rotate --overlap" } else { "neto rotate" };
    let batch_result = if args.older_than.is_some() {
        batch.finish(command)
    } else {
        // Repeating the same command would rotate the successful profiles a second time.
        let rotate_older_keys =
            || Hint::command(args.command_with(run, "--older-than 1d")).remark("leaves out the keys that came today");
        batch.finish_with(|failed| {
            Some(failed.map_or_else(rotate_older_keys, |names| Hint::command(format!("{command} {names}"))))
        })
    };
    if rotated > 0 {
        run.ui.note(&format!(
            "{} in the store now: share the store with everyone who uses it",
            pluralize(rotated, "new key")
        ));
    }
    batch_result
}

/// Prints a note about the effect on other users of the store, before the rotation begins.
fn print_effect_on_others(args: &RotateArgs, run: &Run<'_>) {
    run.ui.note(if args.mode.overlap {
        "The old key goes on working until: neto rotate --finish"
    } else {
        "The old key will be dead for everyone who shares the store, until they have the new store"
    });
}

fn result_text(outcome: &Rotated) -> String {
    match outcome {
        Rotated::ByAnother => "another neto rotated it just now".to_owned(),
        Rotated::Replaced(_) => "rotated; the new key is in the store and works".to_owned(),
        Rotated::Beside(key) => format!("has a second key '{key}', which is in the store and works"),
    }
}

impl RotateArgs {
    /// Asks for confirmation of an irreversible action, if these profiles require it. The question starts with
    /// `action`, such as "Rotate the key of".
    fn confirm(&self, run: &Run<'_>, action: &str, profiles: &[&Profile]) -> Result<(), Error> {
        confirm_writes::confirm_for_profiles(run, self.yes, action, profiles, || {
            Hint::command(self.command_with(run, "--yes"))
        })
    }

    /// Returns the command line that repeats this run with `flag` added.
    fn command_with(&self, run: &Run<'_>, flag: &str) -> String {
        let mut words = vec!["neto rotate".to_owned()];
        let needs_no_quotes =
            |word: &str| word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
        let quote = |word: String| if needs_no_quotes(&word) { word } else { quote_for_display(&word) };
        words.extend(self.select.to_arguments(run).into_iter().map(quote));
        let flags =
            [(self.mode.overlap, "--overlap"), (self.mode.finish, "--finish"), (self.mode.recover, "--recover")];
        words.extend(flags.iter().filter(|(given, _)| *given).map(|(_, flag)| (*flag).to_owned()));
        words.extend(self.older_than.map(|span| format!("--older-than {span}")));
        words.push(flag.to_owned());
        words.join(" ")
    }
}
