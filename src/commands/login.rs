//! `neto login`: gets tokens now, so that no script has to wait for one.

use super::{Run, SelectArgs, WantArgs, Watch, remember, when};
use crate::error::{Code, Error};
use crate::profile::{Profile, SecretPlace};
use crate::session::{Access, Declared, Granted, Want};
use clap::Args;

/// Get a token and keep it in the cache
///
/// A cached token that is still good is kept; --force signs in anew.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  neto login
  neto login 'acme-*' --min-ttl 1h
  neto login --all")]
pub(crate) struct LoginArgs {
    #[command(flatten)]
    select: SelectArgs,
    #[command(flatten)]
    want: WantArgs,
    /// Sign in anew even if the cached token is good
    #[arg(long)]
    force: bool,
}

/// Signs in to the selected profiles.
pub(crate) fn run(args: &LoginArgs, run: &Run<'_>) -> Result<(), Error> {
    let selected = args.select.or_chosen(run)?;
    let count = selected.len();
    let mut failures = Vec::new();
    let mut profiles = Vec::new();
    for one in selected {
        match one.profile {
            Ok(profile) if count > 1 && profile.secret == SecretPlace::None => {
                run.ui.note(&format!("{}: skipped, it has no secret yet", profile.name));
            }
            Ok(profile) => profiles.push(profile),
            Err(error) => failures.push(super::told(run, count, error.into())),
        }
    }
    if count == 0 {
        run.ui.note("There is no profile yet. Add one: neto profile add");
    }
    let watch = Watch(run.ui);
    let session = run.context.session(&watch);
    let reading = run.context.reading();
    let declared = profiles.into_iter().map(|profile| Declared { profile, reading });
    session.access_each(declared, args.want.want(args.force, false), |profile, result| {
        match result.map_err(Error::from).and_then(kept) {
            Ok(access) => tell(run, profile, &access),
            Err(error) => failures.push(super::told(run, count, error.about(&profile.name))),
        }
    })?;
    remember(run, &watch);
    super::several(count, failures)
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
    tell(run, profile, &access);
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

fn tell(run: &Run<'_>, profile: &Profile, access: &Access) {
    let how = match access.origin {
        Granted::Cached => "the cached token is good",
        Granted::Refreshed => "refreshed, good",
        Granted::Login => "signed in, good",
    };
    if let Some(lifetime) = access.lifetime {
        let left = when::span(lifetime.left(run.context.process.clock.now()).as_secs());
        run.ui.note(&format!("{}: {how} until {} ({left})", profile.name, when::minute(lifetime.expires_at)));
    }
}
