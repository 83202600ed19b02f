//! `neto exec --decoy` of one profile: the program beside the server that stands in for its tenant.

use super::stop::Stop;
use super::tied::tied;
use super::{ExecArgs, child, code, command, not_started, program};
use crate::decoy::{Audit, Door, Reread, Site, allow_many, serve};
use crate::error::{Code, Error};
use crate::profile::Profile;
use crate::session::Session;
use crate::workflow::{Run, Watch, decoy, remember};
use futures_util::future::{Either, select};
use std::convert::Infallible;
use std::pin::pin;
use std::process::ExitStatus;
use std::rc::Rc;

/// Runs the program behind a decoy, and ends as it does.
pub(super) fn run(args: &ExecArgs, run: &Run<'_>) -> Result<(), Error> {
    let selected = run.sound(args.select.or_chosen(run)?, true)?;
    let [profile] = selected[..] else { return Err(Error::bug("one profile is another number of them")) };
    args.behind.prepare(run, &[profile], "neto exec --decoy")?;
    let audit = args.behind.audit(run)?;
    let watch = Watch(run.ui);
    let session = run.context.session(&watch);
    let stop = Stop::new();
    let reread = |profile: &Profile| decoy::reread(run, profile);
    let ended = session.block_on(async {
        let ready = pin!(site(args, run, &session, profile, &reread, audit.clone()));
        let served = match select(pin!(stop.comes()), ready).await {
            Either::Left(_) => return Ok(None),
            Either::Right((served, _)) => served.map_err(|error| error.about(&profile.name))?,
        };
        remember(run, &watch);
        let warned = pin!(decoy::watch_over(audit.as_deref(), run));
        beside(args, run, &served, &stop, warned).await.map(Some)
    })??;
    decoy::warn_of(audit.as_deref(), run);
    // A signal that came while the program ran was the program's, whose end says what became of it.
    let reason = stop.reason();
    match ended {
        Some(status) => Err(Error::silent(Code::Exec(code(status)))),
        None => Err(reason.unwrap_or_else(|| Error::bug("a run was stopped for no reason"))),
    }
}

/// Runs the program to its end beside its server.
async fn beside(
    args: &ExecArgs,
    run: &Run<'_>,
    served: &(Door, Site<'_>),
    stop: &Stop,
    warned: impl Future<Output = Infallible> + Unpin,
) -> Result<ExitStatus, Error> {
    let words = program(args, run);
    let not_started = |error| not_started(&words[0], &error);
    let variables = decoy::variables(run, &served.1, args.with_secret);
    let command = tied(&command(&words, served.1.profile, &variables, run));
    let mut child = tokio::process::Command::from(command).spawn().map_err(not_started)?;
    // From here on, so that the program has the limits that neto was started with.
    allow_many();
    let ended = pin!(child::end(&mut child, stop));
    match serve(std::slice::from_ref(served), select(ended, warned)).await {
        Either::Left((status, _)) => status.map_err(not_started),
        Either::Right((never, _)) => match never {},
    }
}

/// The decoy of a profile, and the door that it serves.
pub(super) async fn site<'a>(
    args: &ExecArgs,
    run: &Run<'_>,
    session: &'a Session<'a>,
    profile: &'a Profile,
    reread: Reread<'a>,
    audit: Option<Rc<Audit>>,
) -> Result<(Door, Site<'a>), Error> {
    let door = decoy::open(None)?;
    let site = args.behind.site(run, session, profile, reread, &door, audit).await?;
    Ok((door, site))
}
