//! What the servers say of the cached tokens, for `status --live`.
//!
//! Owns which call asks, how long an answer may take, and what an answer makes of a row. Gets no token and forgets none.

use super::StatusRow;
use super::state::Standing;
use crate::error::{Code, Error};
use crate::fusion::{ApiPath, Call};
use crate::output::humanize::count;
use crate::profile::{Profile, ProfileName};
use crate::session::{SessionError, Verdict};
use crate::workflow::batch::by_reason;
use crate::workflow::{JobsArgs, Run, Watch, remember};
use std::ops::ControlFlow;
use std::time::Duration;

/// A call that only reads and exists for every tenant: the tenant's API keys. Who may not read them gets a 403, and that
/// takes a good token too.
const PATH: &str = "/api/v1/api-keys";

/// Within this every server has to answer.
pub(in crate::commands) const PATIENCE: Duration = Duration::from_secs(5);

/// The call by which a token is shown to its server.
pub(in crate::commands) fn call() -> Result<Call, Error> {
    Ok(Call::get(PATH.parse::<ApiPath>().map_err(|_| Error::bug("the path of a live check is none"))?))
}

/// Asks about each row whose token may be used; the others stay as they are. Of whom nothing is known is warned, by reason.
pub(super) fn ask(
    run: &Run<'_>,
    rows: &mut [StatusRow<'_>],
    profiles: &[&Profile],
    jobs: JobsArgs,
) -> Result<(), Error> {
    let call = call()?;
    let watch = Watch(run.ui);
    let session = run.context.session(&watch);
    let asked: Vec<usize> = (0..rows.len()).filter(|place| rows[*place].state.is_good()).collect();
    let progress = run.ui.progress("Asking", asked.len());
    let mut unknown: Vec<(ProfileName, Error)> = Vec::new();
    let mut stopped = None;
    let check = async |place: usize| (place, session.check(profiles[place], &call, PATIENCE).await);
    session.each(asked, jobs.jobs, check, |(place, verdict)| {
        match told(verdict) {
            Ok(Some(standing)) => rows[place].stands(standing),
            Ok(None) => {}
            Err(error) if matches!(error.code(), Code::Interrupted | Code::Terminated) => {
                stopped = Some(error);
                return ControlFlow::Break(());
            }
            Err(error) => {
                rows[place].stands(Standing::Unreachable);
                unknown.push((profiles[place].name.clone(), later(error)));
                progress.failed();
                return ControlFlow::Continue(());
            }
        }
        progress.step();
        ControlFlow::Continue(())
    })?;
    drop(progress);
    remember(run, &watch);
    if !unknown.is_empty() {
        let tokens = count(unknown.len(), "token");
        run.ui.warn(&format!("nothing is known of {tokens}{}", by_reason(&unknown)));
    }
    stopped.map_or(Ok(()), Err)
}

/// A login would find the token good: what helps in a while is to ask again.
fn later(error: Error) -> Error {
    let login = error.hint().is_some_and(|hint| hint.starts_with("neto login"));
    if login { error.with_hint("neto status --live NAME    in a while") } else { error }
}

/// What a verdict makes of a row; nothing where it leaves it as it is.
fn told(verdict: Result<Verdict, SessionError>) -> Result<Option<Standing>, Error> {
    Ok(match verdict? {
        Verdict::Taken => None,
        Verdict::Refused => Some(Standing::Rejected),
        Verdict::Unusable(state) => Some(state.into()),
    })
}
