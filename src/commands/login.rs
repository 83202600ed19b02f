//! `neto login`: gets tokens now, so that no script has to wait for one.

use crate::error::{Code, Error};
use crate::output::humanize;
use crate::profile::Profile;
use crate::session::{Access, Declared, Granted, Want};
use crate::workflow::{Fleet, JobsArgs, Run, SelectArgs, WantArgs, Watch, remember};
use clap::Args;
use std::ops::ControlFlow;

/// Get a token and keep it in the cache
///
/// A cached token that is still good is kept; --force signs in anew. Of several profiles --jobs are signed in at once; a
/// server that says that this is too much is asked more slowly. Ctrl-C stops it at once and keeps what is done.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  neto login
  neto login 'acme-*' --min-ttl 1h
  neto login --all --min-ttl 30m    for cron: renews what has less left")]
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
    let several = selected.len() > 1;
    let profiles = fleet.with_secrets(selected);
    let watch = Watch(run.ui);
    let session = run.context.session(&watch);
    let reading = run.context.reading();
    let declared = profiles.into_iter().map(|profile| Declared { profile, reading });
    let want = args.want.want(args.force, false);
    session.access_each(declared, want, args.jobs.jobs, |Declared { profile, .. }, result| {
        match result.map_err(Error::from).and_then(|access| kept(access, several)) {
            Ok(access) => {
                fleet.tally(kind(access.origin));
                fleet.done(&profile.name, &told(run, &access));
            }
            Err(error) => fleet.failed(&profile.name, error)?,
        }
        ControlFlow::Continue(())
    })?;
    remember(run, &watch);
    fleet.end_with(|failed| Some(args.again(failed)))
}

impl LoginArgs {
    /// What does the same for those that failed, which are absent where they are many.
    fn again(&self, failed: Option<String>) -> String {
        let force = if self.force { " --force" } else { "" };
        let min_ttl = self.want.min_ttl.map(|ttl| format!(" --min-ttl {ttl}")).unwrap_or_default();
        match failed {
            Some(names) => format!("neto login{force}{min_ttl} {names}"),
            None if self.force => "run the same line again".to_owned(),
            None => "run the same line again; what is done is not done twice".to_owned(),
        }
    }
}

/// Signs in to one profile, as `profile add --login` does.
pub(super) fn sign_in(run: &Run<'_>, profile: &Profile) -> Result<(), Error> {
    let watch = Watch(run.ui);
    let want = Want { force: true, ..Want::default() };
    let access = kept(crate::workflow::access(run, &watch, Declared { profile, reading: None }, want)?, false)?;
    run.ui.note(&format!("{}: {}", profile.name, told(run, &access)));
    Ok(())
}

/// Why a token that is good cannot be kept.
pub(super) const NO_LIFETIME: &str = "the server did not say how long the token lives, so it cannot be kept";

/// A login is for the cache: a token that cannot be kept is none. That the cache takes nothing is warned of once, so among
/// `several` those that it concerns are named.
fn kept(access: Access, several: bool) -> Result<Access, Error> {
    let lost = |code, why| Err(Error::new(code, why));
    match access.lifetime {
        Some(_) if access.kept || !several => Ok(access),
        Some(_) => lost(Code::System, "signed in, but the token cannot be kept; the first warning says why"),
        None => lost(Code::Unreachable, NO_LIFETIME),
    }
}

/// In a word, as many are summed up.
fn kind(origin: Granted) -> &'static str {
    match origin {
        Granted::Cached => "cached",
        Granted::Refreshed => "refreshed",
        Granted::Login => "signed in",
    }
}

fn told(run: &Run<'_>, access: &Access) -> String {
    let how = match access.origin {
        Granted::Cached => "the cached token is good",
        Granted::Refreshed => "refreshed, good",
        Granted::Login => "signed in, good",
    };
    let lifetime = access.lifetime.map(|lifetime| {
        let left = humanize::span(lifetime.left(run.context.process.clock.now()).as_secs());
        format!(" until {} ({left})", humanize::minute(lifetime.expires_at))
    });
    lifetime.map_or_else(|| how.to_owned(), |lifetime| how.to_owned() + &lifetime)
}
