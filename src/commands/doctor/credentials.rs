//! Whether a server takes what a profile has; and of a credential that it rejects, what speaks for which reason.

use super::DoctorArgs;
use super::finding::Finding;
use super::network::{Reached, SET_CLOCK, longer_path};
use crate::commands::login::NO_LIFETIME;
use crate::commands::status::live;
use crate::error::{Code, Error};
use crate::fusion::{Call, FusionError};
use crate::output::humanize;
use crate::profile::{Profile, SecretPlace};
use crate::session::{Declared, Session, SessionError, VaultError, Verdict, Want};
use crate::workflow::Run;
use crate::workflow::sealing::today;
use std::ops::ControlFlow;

const LOGIN: &str = "credentials.login";
const REASON: &str = "credentials.reason";

/// What the server takes.
enum Taken {
    /// The cached token.
    Token,
    /// The credential, with which a token was got now.
    Login {
        /// Whether the server refused the cached one before.
        refused: bool,
        /// Whether it said how long the new one lives.
        keeps: bool,
    },
}

/// Why it was not asked, or does not take it.
enum Not {
    Asked(String),
    Taken(SessionError),
}

/// Shows each profile's token to its server, or signs in where there is none that is good.
pub(super) fn check(
    run: &Run<'_>,
    session: &Session<'_>,
    reached: &[Reached<'_>],
    args: &DoctorArgs,
) -> Result<Vec<Finding>, Error> {
    let call = live::call()?;
    let mut told: Vec<Vec<Finding>> = reached.iter().map(|_| Vec::new()).collect();
    let progress = run.ui.progress("Asking", reached.len());
    let ask = async |place: usize| (place, show(session, reached[place].profile, &call).await);
    session.each(0..reached.len(), args.jobs.jobs, ask, |(place, outcome)| {
        told[place] = tell(run, session, &reached[place], args, outcome);
        progress.step();
        ControlFlow::Continue(())
    })?;
    Ok(told.into_iter().flatten().collect())
}

async fn show(session: &Session<'_>, profile: &Profile, call: &Call) -> Result<Taken, Not> {
    if profile.secret == SecretPlace::None {
        return Err(Not::Asked("it has no secret yet".to_owned()));
    }
    let refused = match session.check(profile, call, live::PATIENCE).await.map_err(Not::Taken)? {
        Verdict::Taken => return Ok(Taken::Token),
        Verdict::Refused => true,
        Verdict::Unusable(_) => false,
    };
    if session.is_begun(&profile.name) {
        return Err(Not::Asked("a login would go on with the rotation that was cut off".to_owned()));
    }
    if let SecretPlace::Command(_) = profile.secret {
        return Err(Not::Asked("its secret comes from a command, which may ask".to_owned()));
    }
    let want = Want { force: true, ..Want::default() };
    let access = session.obtain(Declared { profile, reading: None }, want).await.map_err(Not::Taken)?;
    Ok(Taken::Login { refused, keeps: access.lifetime.is_some() })
}

fn tell(
    run: &Run<'_>,
    session: &Session<'_>,
    reached: &Reached<'_>,
    args: &DoctorArgs,
    outcome: Result<Taken, Not>,
) -> Vec<Finding> {
    let name = &reached.profile.name;
    let finding = match outcome {
        Ok(Taken::Token) => Finding::fine(LOGIN, "its server takes the cached token").of(name),
        Ok(Taken::Login { keeps: false, .. }) => {
            Finding::warning_of(LOGIN, name, Error::new(Code::Unreachable, NO_LIFETIME))
        }
        Ok(Taken::Login { refused: false, .. }) => Finding::fine(LOGIN, "its server takes the credential").of(name),
        Ok(Taken::Login { refused: true, .. }) => {
            let message = "its server did not take the cached token, and gave a new one";
            Finding::warning_of(LOGIN, name, Error::new(Code::Rejected, message))
        }
        Err(Not::Asked(why)) => Finding::skipped(LOGIN, why).of(name),
        Err(Not::Taken(SessionError::Vault(error))) if is_closed(&error, args) => {
            Finding::skipped(LOGIN, error).of(name)
        }
        Err(Not::Taken(SessionError::Fusion(error @ FusionError::Rejected { .. }))) => {
            let mut findings = vec![Finding::problem(LOGIN, Error::new(Code::Rejected, error.to_string())).of(name)];
            findings.extend(reasons(run, session, reached, &error));
            return findings;
        }
        Err(Not::Taken(error)) => Finding::problem_of(LOGIN, name, error),
    };
    vec![finding]
}

/// Whether the secret only stays closed: it would ask, what keeps it closed is told of among the keys and places, or it
/// is one of several and for others.
fn is_closed(error: &VaultError, args: &DoctorArgs) -> bool {
    error.wants_a_person()
        || matches!(error, VaultError::Key(_) | VaultError::Memory(_))
        || (error.is_for_others() && args.select.means_several())
}

/// What may have led to the rejection, the likeliest first, each with what speaks for it.
fn reasons(run: &Run<'_>, session: &Session<'_>, reached: &Reached<'_>, error: &FusionError) -> Vec<Finding> {
    let profile = reached.profile;
    let FusionError::Rejected { status, clock_skew, .. } = error else { return Vec::new() };
    let clock = clock_skew.or(reached.sight.clock_skew).filter(|_| *status == 401);
    let reasons = [
        newer_key(session, profile),
        clock.map(of_clock),
        longer_path(profile),
        (*status == 403).then(of_address),
        Some(of_age(run, profile)),
    ];
    let tell = |(place, (why, line)): (usize, (String, String))| {
        let first = if place == 0 { "likeliest: " } else { "or: " };
        Finding::warning_of(REASON, &profile.name, Error::new(Code::Rejected, format!("{first}{why}")).with_hint(line))
    };
    reasons.into_iter().flatten().enumerate().map(tell).collect()
}

/// A reason, and the line that helps if it is the one.
type Reason = (String, String);

/// This machine has a newer key of the profile than the store.
fn newer_key(session: &Session<'_>, profile: &Profile) -> Option<Reason> {
    let note = profile.sealed.as_ref()?;
    let newer = session.newest_key(&profile.name).ok()??;
    let sealed = newer.sealed().filter(|sealed| sealed.note.id != note.id && sealed.note.since >= note.since)?;
    let why = format!("this machine holds a newer key of {}, which is not in the store", sealed.note.since);
    Some((why, "neto rotate --recover NAME".to_owned()))
}

fn of_clock(skew: i64) -> Reason {
    let side = if skew > 0 { "ahead" } else { "behind" };
    (
        format!("this machine's clock is {} {side}, and what signs in bears its time", humanize::span(skew.abs())),
        SET_CLOCK.to_owned(),
    )
}

fn of_address() -> Reason {
    let why = "a 403 is said of a key that may not be used from this address, or has no role";
    (why.to_owned(), "neto profile set-secret NAME    with a key that may sign in from here".to_owned())
}

/// Nothing else speaks for it than the time that went by.
fn of_age(run: &Run<'_>, profile: &Profile) -> Reason {
    let what = if profile.username.is_some() {
        "its password may have been changed"
    } else {
        "its key may have been regenerated or removed"
    };
    let since = profile.sealed.as_ref().map(|note| {
        let ago = match today(run).since(note.since).map_or(0, |span| span.get_days()) {
            ..1 => "today".to_owned(),
            1 => "yesterday".to_owned(),
            days => format!("{days} days ago"),
        };
        format!(" since it came, {ago} ({})", note.since)
    });
    (format!("{what} elsewhere{}", since.unwrap_or_default()), "neto profile set-secret NAME".to_owned())
}
