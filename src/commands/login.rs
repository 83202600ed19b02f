//! `neto login`: gets tokens in advance, so that scripts need not wait for them.

use crate::error::{Code, Error, Hint};
use crate::output::humanize;
use crate::profile::Profile;
use crate::session::{AccessToken, LoadedProfile, TokenOrigin, TokenRequest};
use crate::workflow::{
    Batch, JobsArgs, Run, SelectArgs, TerminalReporter, TokenRequestArgs, record_first_seen_profiles,
};
use clap::Args;
use std::ops::ControlFlow;

/// Get a token and keep it in the cache
///
/// A valid cached token is kept; --force gets a new one. Several profiles log in --jobs at a time, and more slowly if a
/// server limits the rate. Ctrl-C stops at once and keeps the tokens obtained so far.
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
    token_args: TokenRequestArgs,
    /// Log in even if the cached token is valid
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    jobs: JobsArgs,
}

/// Gets a token for each of the selected profiles.
pub(crate) fn run(args: &LoginArgs, run: &Run<'_>) -> Result<(), Error> {
    let selected = args.select.resolve_or_current(run)?;
    let mut batch = Batch::new(run, "Signing in", selected.iter().map(|selected| &*selected.name));
    let several = selected.len() > 1;
    let profiles = batch.with_secrets(selected);
    let reporter = TerminalReporter(run.ui);
    let session = run.context.session(&reporter);
    let reading = run.context.store_reading();
    let loaded = profiles.into_iter().map(|profile| LoadedProfile::new(profile, reading));
    let token_request = args.token_args.token_request(args.force, false);
    session.obtain_each(loaded, token_request, args.jobs.jobs, |LoadedProfile { profile, .. }, result| {
        match result.map_err(Error::from).and_then(|token| require_cached(token, several)) {
            Ok(token) => {
                batch.count_result(origin_label(token.origin));
                batch.done_with_note(&profile.name, &describe_token(run, &token));
            }
            Err(error) => batch.failed(&profile.name, error)?,
        }
        ControlFlow::Continue(())
    })?;
    record_first_seen_profiles(run, &reporter);
    batch.finish_with(|failed| Some(args.retry_hint(failed)))
}

impl LoginArgs {
    /// Returns the hint to log in again with the failed profiles. `failed` is `None` if there are too many names to
    /// list.
    fn retry_hint(&self, failed: Option<String>) -> Hint {
        let force = if self.force { " --force" } else { "" };
        let min_ttl = self.token_args.min_ttl.map(|ttl| format!(" --min-ttl {ttl}")).unwrap_or_default();
        match failed {
            Some(names) => Hint::command(format!("neto login{force}{min_ttl} {names}")),
            None if self.force => Hint::advice("run the same line again"),
            None => Hint::advice("run the same line again; what is done is not done twice"),
        }
    }
}

/// Logs in to one profile, for `profile add --login` and `rotate --recover`.
pub(super) fn log_in(run: &Run<'_>, profile: &Profile) -> Result<(), Error> {
    let reporter = TerminalReporter(run.ui);
    let token_request = TokenRequest { force: true, ..TokenRequest::default() };
    let token = require_cached(
        crate::workflow::obtain_token(run, &reporter, LoadedProfile::new(profile, None), token_request)?,
        false,
    )?;
    run.ui.note(&format!("{}: {}", profile.name, describe_token(run, &token)));
    Ok(())
}

/// Error message for a valid token that cannot be cached, because its lifetime is unknown.
pub(super) const NO_LIFETIME: &str = "the server did not say how long the token lives, so it cannot be kept";

/// Returns an error for a token that is not cached, because the purpose of a login is a cached token.
///
/// The reporter warns only once about a cache that cannot be written. With one profile, that warning is enough and the
/// token is returned. With `several` profiles, each of them fails.
fn require_cached(token: AccessToken, several: bool) -> Result<AccessToken, Error> {
    let failure = |code, reason| Err(Error::new(code, reason));
    match token.lifetime {
        Some(_) if token.is_cached || !several => Ok(token),
        Some(_) => failure(Code::System, "signed in, but the token cannot be kept; the first warning says why"),
        None => failure(Code::Unreachable, NO_LIFETIME),
    }
}

/// Returns the label of a token's origin in the summary line of a batch.
fn origin_label(origin: TokenOrigin) -> &'static str {
    match origin {
        TokenOrigin::Cached => "cached",
        TokenOrigin::Refreshed => "refreshed",
        TokenOrigin::Login => "signed in",
    }
}

fn describe_token(run: &Run<'_>, token: &AccessToken) -> String {
    let outcome = match token.origin {
        TokenOrigin::Cached => "the cached token is good",
        TokenOrigin::Refreshed => "refreshed, good",
        TokenOrigin::Login => "signed in, good",
    };
    let lifetime = token.lifetime.map(|lifetime| {
        let remaining = humanize::duration(lifetime.remaining(run.context.process.clock.now()).as_secs());
        format!(" until {} ({remaining})", humanize::utc_minute(lifetime.expires_at))
    });
    lifetime.map_or_else(|| outcome.to_owned(), |lifetime| outcome.to_owned() + &lifetime)
}
