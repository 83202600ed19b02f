//! `neto logout`: deletes cached tokens on this machine.

use crate::error::{Code, Error};
use crate::output::humanize::pluralize;
use crate::profile::ProfileName;
use crate::workflow::{Batch, Run, SelectArgs, TerminalReporter, locked_edit};
use clap::Args;

/// Forget cached tokens on this machine
///
/// It ends nothing at the server: a token that was already handed out stays good until it expires. With --all
/// also the tokens of profiles that are gone from the store.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  neto logout acme
  neto logout --tag trial
  neto logout --all")]
pub(crate) struct LogoutArgs {
    #[command(flatten)]
    select: SelectArgs,
}

/// Deletes the cached tokens of the selected profiles.
pub(crate) fn run(args: &LogoutArgs, run: &Run<'_>) -> Result<(), Error> {
    let reporter = TerminalReporter(run.ui);
    let mut names: Vec<ProfileName> = Vec::new();
    let is_everything = args.select.is_all_profiles();
    if is_everything {
        names.extend(run.context.session(&reporter).token_files().profiles()?);
    }
    // `--all` deletes tokens even without a store.
    match args.select.resolve_or_current(run) {
        Ok(selected) => names.extend(selected.into_iter().map(|selected| selected.name.into_owned())),
        Err(error) if is_everything && error.code() != Code::Usage => {}
        Err(error) => return Err(error),
    }
    names.sort();
    names.dedup();
    let mut removed = 0;
    let mut batch = Batch::new(run, "Forgetting", names.iter());
    for name in &names {
        match locked_edit::remove_cached_token(run, &reporter, name) {
            Ok(was_cached) => {
                removed += usize::from(was_cached);
                batch.step_done();
            }
            Err(error) => {
                if batch.failed(name, error).is_break() {
                    break;
                }
            }
        }
    }
    let summary = match (names.as_slice(), removed) {
        ([name], 1) => format!("Forgot the token of '{name}' here"),
        ([name], _) => format!("'{name}' had no token here"),
        (_, 0) => "There was no token here".to_owned(),
        _ => format!("Forgot {} here", pluralize(removed, "token")),
    };
    if !batch.has_failures() || removed > 0 {
        run.ui.note(&summary);
    }
    if removed > 0 {
        run.ui.note("At the server nothing ends: who has such a token can use it until it expires");
    }
    batch.finish("neto logout")
}
