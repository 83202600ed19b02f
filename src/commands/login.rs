//! `neto login`: gets tokens now, so that no script has to wait for one.

use super::{Fleet, JobsArgs, Run, SelectArgs, WantArgs, Watch, remember, when};
use crate::error::{Code, Error};
use crate::profile::Profile;
use crate::session::{Access, Declared, Granted, Want};
use clap::Args;
use std::ops::ControlFlow;

/// Get a token and keep it in the cache
///
/// A cached token that is still good is kept; --force signs in anew. Of several profiles --jobs are signed in at once; a
/// server that says that this is too much is asked more slowly.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  neto login
  neto login 'acme-*' --min-ttl 1h
  neto login --all --min-ttl 30m    for cron: renews what has less than that left")]
pub(crate) struct LoginArgs {
    #[command(flatten)]
    select: SelectArgs,
    #[command(flatten)]
    want: WantArgs,
    /// Sign in anew even if the cached token is good
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    jobs: JobsArgs,
}

/// Signs in to the selected profiles.
pub(crate) fn run(args: &LoginArgs, run: &Run<'_>) -> Result<(), Error> {
    let selected = args.select.or_chosen(run)?;
    let mut fleet = Fleet::new(run, "Signing in", selected.iter().map(|one| &*one.name));
    let profiles = fleet.with_secrets(selected);
    let watch = Watch(run.ui);
    let session = run.context.session(&watch);
    let reading = run.context.reading();
    let declared = profiles.into_iter().map(|profile| Declared { profile, reading });
    let want = args.want.want(args.force, false);
    session.access_each(declared, want, args.jobs.jobs, |Declared { profile, .. }, result| {
        match result.map_err(Error::from).and_then(kept) {
            Ok(access) => fleet.done(&profile.name, &told(run, &access)),
            Err(error) => fleet.failed(&profile.name, error)?,
        }
        ControlFlow::Continue(())
    })?;
    remember(run, &watch);
    fleet.end("neto login")
}

/// Signs in to one profile, as `profile add --login` does.
pub(super) fn sign_in(run: &Run<'_>, profile: &Profile) -> Result<(), Error> {
    let watch = Watch(run.ui);
    let access = kept(super::access(
        run,
        &watch,
        Declared { profile, reading: None },
        Want { force: true, ..Want::default() },
    )?)?;
    run.ui.note(&format!("{}: {}", profile.name, told(run, &access)));
    Ok(())
}

/// A login is for the cache: a token that cannot be kept is none.
fn kept(access: Access) -> Result<Access, Error> {
    match access.lifetime {
        Some(_) => Ok(access),
        None => {
            Err(Error::new(Code::Unreachable, "the server did not say how long the token lives, so it cannot be kept"))
        }
    }
}

fn told(run: &Run<'_>, access: &Access) -> String {
    let how = match access.origin {
        Granted::Cached => "the cached token is good",
        Granted::Refreshed => "refreshed, good",
        Granted::Login => "signed in, good",
    };
    let lifetime = access.lifetime.map(|lifetime| {
        let left = when::span(lifetime.left(run.context.process.clock.now()).as_secs());
        format!(" until {} ({left})", when::minute(lifetime.expires_at))
    });
    lifetime.map_or_else(|| how.to_owned(), |lifetime| how.to_owned() + &lifetime)
}
