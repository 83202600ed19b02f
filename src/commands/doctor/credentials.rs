//! Checks whether the servers accept the tokens and credentials, and finds likely reasons for a rejection.

use super::DoctorArgs;
use super::finding::Finding;
use super::network::{ReachedProfile, set_clock_hint, url_path_reason};
use crate::commands::login::NO_LIFETIME;
use crate::commands::status::live;
use crate::error::{Code, Error, Hint};
use crate::fusion::{Call, FusionError};
use crate::output::humanize;
use crate::profile::{Profile, SecretLocation};
use crate::session::{LoadedProfile, Session, SessionError, TokenCheck, TokenRequest, VaultError};
use crate::workflow::Run;
use std::ops::ControlFlow;

const LOGIN: &str = "credentials.login";
const REASON: &str = "credentials.reason";

/// Token or credential that the server accepts.
enum Accepted {
    /// The cached token.
    CachedToken,
    /// The credential: a login returned a new token.
    Login {
        /// Whether the server refused the cached token before the login.
        token_refused: bool,
        /// Whether the response contains the lifetime of the new token.
        has_lifetime: bool,
    },
}

/// Reason why the server was not asked, or the error of the request.
enum NotAccepted {
    Skipped(String),
    Failed(SessionError),
}

/// Checks the cached token of each profile with the profile's server. Logs in if there is no valid token.
pub(super) fn check(
    run: &Run<'_>,
    session: &Session<'_>,
    reached: &[ReachedProfile<'_>],
    args: &DoctorArgs,
) -> Result<Vec<Finding>, Error> {
    let call = live::check_call()?;
    let mut findings: Vec<Vec<Finding>> = reached.iter().map(|_| Vec::new()).collect();
    let progress = run.ui.progress("Asking", reached.len());
    let check_one = async |index: usize| (index, check_profile(session, reached[index].profile, &call).await);
    session.run_each(0..reached.len(), args.jobs.jobs, check_one, |(index, result)| {
        findings[index] = login_findings(run, session, &reached[index], args, result);
        progress.step_done();
        ControlFlow::Continue(())
    })?;
    Ok(findings.into_iter().flatten().collect())
}

async fn check_profile(session: &Session<'_>, profile: &Profile, call: &Call) -> Result<Accepted, NotAccepted> {
    if profile.secret == SecretLocation::None {
        return Err(NotAccepted::Skipped("it has no secret yet".to_owned()));
    }
    let token_refused =
        match session.check_cached(profile, call, live::LIVE_TIMEOUT).await.map_err(NotAccepted::Failed)? {
            TokenCheck::Accepted => return Ok(Accepted::CachedToken),
            TokenCheck::Refused => true,
            TokenCheck::Unusable(_) => false,
        };
    if session.has_unfinished_rotation(&profile.name) {
        return Err(NotAccepted::Skipped("a login would go on with the rotation that was cut off".to_owned()));
    }
    if let SecretLocation::Command(_) = profile.secret {
        return Err(NotAccepted::Skipped("its secret comes from a command, which may ask".to_owned()));
    }
    let token_request = TokenRequest { force: true, ..TokenRequest::default() };
    let token = session.obtain(LoadedProfile::new(profile, None), token_request).await.map_err(NotAccepted::Failed)?;
    Ok(Accepted::Login { token_refused, has_lifetime: token.lifetime.is_some() })
}

fn login_findings(
    run: &Run<'_>,
    session: &Session<'_>,
    reached: &ReachedProfile<'_>,
    args: &DoctorArgs,
    result: Result<Accepted, NotAccepted>,
) -> Vec<Finding> {
    let name = &reached.profile.name;
    let finding = match result {
        Ok(Accepted::CachedToken) => Finding::ok(LOGIN, "its server takes the cached token").for_profile(name),
        Ok(Accepted::Login { has_lifetime: false, .. }) => {
            Finding::profile_warning(LOGIN, name, Error::new(Code::Unreachable, NO_LIFETIME))
        }
        Ok(Accepted::Login { token_refused: false, .. }) => {
            Finding::ok(LOGIN, "its server takes the credential").for_profile(name)
        }
        Ok(Accepted::Login { token_refused: true, .. }) => {
            let message = "its server did not take the cached token, and gave a new one";
            Finding::profile_warning(LOGIN, name, Error::new(Code::Rejected, message))
        }
        Err(NotAccepted::Skipped(reason)) => Finding::skipped(LOGIN, reason).for_profile(name),
        Err(NotAccepted::Failed(SessionError::Vault(error))) if is_skipped(&error, args) => {
            Finding::skipped(LOGIN, error).for_profile(name)
        }
        Err(NotAccepted::Failed(SessionError::Fusion(error @ FusionError::Rejected { .. }))) => {
            let mut findings =
                vec![Finding::problem(LOGIN, Error::new(Code::Rejected, error.to_string())).for_profile(name)];
            findings.extend(rejection_reasons(run, session, reached, &error));
            return findings;
        }
        Err(NotAccepted::Failed(error)) => Finding::profile_problem(LOGIN, name, error),
    };
    vec![finding]
}

/// Checks whether a decryption error is reported as a skipped check instead of a problem. This is the case if:
/// - decryption needs a prompt,
/// - the check of keys or files reports the error, or
/// - several profiles can be selected, and the secret of this profile is encrypted to others.
fn is_skipped(error: &VaultError, args: &DoctorArgs) -> bool {
    error.needs_interaction()
        || matches!(error, VaultError::Key(_) | VaultError::Trust(_))
        || (error.is_wrong_identity() && args.select.can_select_several())
}

/// Returns possible reasons for the rejection, the likeliest first.
fn rejection_reasons(
    run: &Run<'_>,
    session: &Session<'_>,
    reached: &ReachedProfile<'_>,
    error: &FusionError,
) -> Vec<Finding> {
    let profile = reached.profile;
    let FusionError::Rejected { status, clock_skew, .. } = error else { return Vec::new() };
    let clock = clock_skew.or(reached.probe.clock_skew).filter(|_| *status == 401);
    let reasons = [
        newer_key_reason(session, profile),
        clock.map(clock_reason),
        url_path_reason(profile),
        (*status == 403).then(address_reason),
        Some(changed_secret_reason(run, profile)),
    ];
    let finding = |(index, (reason, hint)): (usize, RejectionReason)| {
        let prefix = if index == 0 { "likeliest: " } else { "or: " };
        Finding::profile_warning(
            REASON,
            &profile.name,
            Error::new(Code::Rejected, format!("{prefix}{reason}")).with_hint(hint),
        )
    };
    reasons.into_iter().flatten().enumerate().map(finding).collect()
}

/// Possible reason for a rejection, and a hint to fix it.
type RejectionReason = (String, Hint);

/// Returns a reason if this machine keeps a key that is newer than the profile's key in the store.
fn newer_key_reason(session: &Session<'_>, profile: &Profile) -> Option<RejectionReason> {
    let note = profile.sealed.as_ref()?;
    let newer = session.newest_key(&profile.name).ok()??;
    let sealed = newer.sealed().filter(|sealed| sealed.note.id != note.id && sealed.note.since >= note.since)?;
    let reason = format!("this machine holds a newer key of {}, which is not in the store", sealed.note.since);
    Some((reason, Hint::profile_command(|name| format!("neto rotate --recover {name}"))))
}

fn clock_reason(skew: i64) -> RejectionReason {
    let direction = if skew > 0 { "ahead" } else { "behind" };
    (
        format!(
            "this machine's clock is {} {direction}, and what signs in bears its time",
            humanize::duration(skew.abs())
        ),
        set_clock_hint(),
    )
}

fn address_reason() -> RejectionReason {
    let reason = "a 403 is said of a key that may not be used from this address, or has no role";
    (reason.to_owned(), Hint::set_secret().remark("with a key that may sign in from here"))
}

/// Returns the reason that is always possible: the secret was changed elsewhere after it was stored.
fn changed_secret_reason(run: &Run<'_>, profile: &Profile) -> RejectionReason {
    let cause = if profile.username.is_some() {
        "its password may have been changed"
    } else {
        "its key may have been regenerated or removed"
    };
    let since = profile.sealed.as_ref().map(|note| {
        let ago = match run.today().since(note.since).map_or(0, |span| span.get_days()) {
            ..1 => "today".to_owned(),
            1 => "yesterday".to_owned(),
            days => format!("{days} days ago"),
        };
        format!(" since it came, {ago} ({})", note.since)
    });
    (format!("{cause} elsewhere{}", since.unwrap_or_default()), Hint::set_secret())
}
