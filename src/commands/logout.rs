//! `neto logout`: forgets cached tokens on this machine.

use crate::error::{Code, Error};
use crate::output::humanize::count;
use crate::profile::ProfileName;
use crate::workflow::{Fleet, Run, SelectArgs, Watch, locked_edit};
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

/// Forgets the tokens of the selected profiles.
pub(crate) fn run(args: &LogoutArgs, run: &Run<'_>) -> Result<(), Error> {
    let watch = Watch(run.ui);
    let mut names: Vec<ProfileName> = Vec::new();
    let everything = args.select.is_everything();
    if everything {
        names.extend(run.context.session(&watch).tokens().profiles()?);
    }
    // `--all` without a store still has tokens to forget.
    match args.select.or_chosen(run) {
        Ok(selected) => names.extend(selected.into_iter().map(|selected| selected.name.into_owned())),
        Err(error) if everything && error.code() != Code::Usage => {}
        Err(error) => return Err(error),
    }
    names.sort();
    names.dedup();
    let mut forgotten = 0;
    let mut fleet = Fleet::new(run, "Forgetting", names.iter());
    for name in &names {
        match locked_edit::forget_token(run, &watch, name) {
            Ok(had_one) => {
                forgotten += usize::from(had_one);
                fleet.step();
            }
            Err(error) => {
                if fleet.failed(name, error).is_break() {
                    break;
                }
            }
        }
    }
    let what = match (names.as_slice(), forgotten) {
        ([name], 1) => format!("Forgot the token of '{name}' here"),
        ([name], _) => format!("'{name}' had no token here"),
        (_, 0) => "There was no token here".to_owned(),
        _ => format!("Forgot {} here", count(forgotten, "token")),
    };
    if !fleet.has_failures() || forgotten > 0 {
        run.ui.note(&what);
    }
    if forgotten > 0 {
        run.ui.note("At the server nothing ends: who has such a token can use it until it expires");
    }
    fleet.end("neto logout")
}
