//! Checks the cached tokens with their servers, for `status --live`.
//!
//! Owns the call, its timeout, and the status that follows from a response. Must not get new tokens, and must not
//! delete tokens.

use super::StatusRow;
use super::state::TokenStatus;
use crate::error::{Code, Error, Hint};
use crate::fusion::{ApiPath, Call};
use crate::output::humanize::pluralize;
use crate::profile::{Profile, ProfileName};
use crate::session::{SessionError, TokenCheck};
use crate::workflow::batch::group_by_reason;
use crate::workflow::{JobsArgs, Run, TerminalReporter, record_first_seen_profiles};
use std::ops::ControlFlow;
use std::time::Duration;

/// Path of a read-only call that works for every tenant: it lists the tenant's API keys. Without permission to list
/// keys, the response is 403, which also shows that the token is valid.
const CHECK_PATH: &str = "/api/v1/api-keys";

/// Maximum time to wait for the response of a server.
pub(in crate::commands) const LIVE_TIMEOUT: Duration = Duration::from_secs(5);

/// Returns the call that checks a token.
pub(in crate::commands) fn check_call() -> Result<Call, Error> {
    Ok(Call::get(CHECK_PATH.parse::<ApiPath>().map_err(|_| Error::bug("the path of a live check is none"))?))
}

/// Checks each row whose token is usable by the clock, and sets its status. Warns about tokens whose status stays
/// unknown, grouped by reason.
///
/// # Errors
/// Returns an error if the user interrupts the checks.
pub(super) fn check_tokens(
    run: &Run<'_>,
    rows: &mut [StatusRow<'_>],
    profiles: &[&Profile],
    jobs: JobsArgs,
) -> Result<(), Error> {
    let check_call = check_call()?;
    let reporter = TerminalReporter(run.ui);
    let session = run.context.session(&reporter);
    let usable: Vec<usize> = (0..rows.len()).filter(|index| rows[*index].state.is_usable()).collect();
    let progress = run.ui.progress("Asking", usable.len());
    let mut unknown: Vec<(ProfileName, Error)> = Vec::new();
    let mut interruption = None;
    let check = async |index: usize| (index, session.check_cached(profiles[index], &check_call, LIVE_TIMEOUT).await);
    session.run_each(usable, jobs.jobs, check, |(index, check)| {
        match checked_status(check) {
            Ok(Some(status)) => rows[index].set_status(status),
            Ok(None) => {}
            Err(error) if matches!(error.code(), Code::Interrupted | Code::Terminated) => {
                interruption = Some(error);
                return ControlFlow::Break(());
            }
            Err(error) => {
                rows[index].set_status(TokenStatus::Unreachable);
                unknown.push((profiles[index].name.clone(), with_retry_hint(error)));
                progress.step_failed();
                return ControlFlow::Continue(());
            }
        }
        progress.step_done();
        ControlFlow::Continue(())
    })?;
    drop(progress);
    record_first_seen_profiles(run, &reporter);
    if !unknown.is_empty() {
        let tokens = pluralize(unknown.len(), "token");
        run.ui.warn(&format!("nothing is known of {tokens}{}", group_by_reason(&unknown)));
    }
    interruption.map_or(Ok(()), Err)
}

/// Replaces a hint to log in with a hint to check again later. A login would only return the cached token.
fn with_retry_hint(error: Error) -> Error {
    if error.suggests_login() {
        error.with_hint(Hint::profile_command(|name| format!("neto status --live {name}")).remark("in a while"))
    } else {
        error
    }
}

/// Returns the new status of a row after the check of its token; `None` if the status does not change.
fn checked_status(check: Result<TokenCheck, SessionError>) -> Result<Option<TokenStatus>, Error> {
    Ok(match check? {
        TokenCheck::Accepted => None,
        TokenCheck::Refused => Some(TokenStatus::Rejected),
        TokenCheck::Unusable(state) => Some(state.into()),
    })
}
