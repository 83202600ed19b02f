//! `neto exec --decoy` for one profile: runs the program and the decoy server of its tenant.

use super::stop::Stop;
use super::tied::tie_to_parent;
use super::{ExecArgs, child, exit_code, program_argv, program_command, start_error};
use crate::decoy::{AuditLog, Endpoint, Listener, ReloadProfile, serve};
use crate::error::{Code, Error};
use crate::platform;
use crate::profile::Profile;
use crate::session::Session;
use crate::workflow::{Run, TerminalReporter, decoy, record_first_seen_profiles};
use futures_util::future::{Either, select};
use std::convert::Infallible;
use std::pin::pin;
use std::process::ExitStatus;
use std::rc::Rc;

/// Runs the program with a decoy. Always returns an error; a silent error carries the exit code of a program that ran.
pub(super) fn run(args: &ExecArgs, run: &Run<'_>) -> Result<(), Error> {
    let selected = run.valid_profiles(args.select.resolve_or_current(run)?, true)?;
    let [profile] = selected[..] else { return Err(Error::bug("one profile is another number of them")) };
    args.decoy_args.prepare(run, &[profile], "neto exec --decoy")?;
    let audit = args.decoy_args.open_audit(run)?;
    let reporter = TerminalReporter(run.ui);
    let session = run.context.session(&reporter);
    let stop = Stop::new();
    let reload = |profile: &Profile| decoy::reload_profile(run, profile);
    let status = Session::block_on(async {
        let starting = pin!(start_decoy(args, run, &session, profile, &reload, audit.clone()));
        let decoy_server = match select(pin!(stop.wait_until_requested()), starting).await {
            Either::Left(_) => return Ok(None),
            Either::Right((decoy_server, _)) => decoy_server.map_err(|error| error.about(&profile.name))?,
        };
        record_first_seen_profiles(run, &reporter);
        let audit_warnings = pin!(decoy::monitor_audit(audit.as_deref(), run));
        run_with_decoy(args, run, &decoy_server, &stop, audit_warnings).await.map(Some)
    })??;
    decoy::warn_audit_failed(audit.as_deref(), run);
    // A signal that arrived while the program ran was forwarded, and the exit code shows its effect.
    let reason = stop.into_reason();
    match status {
        Some(status) => Err(Error::silent(Code::Exec(exit_code(status)))),
        None => Err(reason.unwrap_or_else(|| Error::bug("a run was stopped for no reason"))),
    }
}

/// Starts the program, and serves the decoy until the program ends. Returns the exit status of the program.
async fn run_with_decoy(
    args: &ExecArgs,
    run: &Run<'_>,
    decoy_server: &(Listener, Endpoint<'_>),
    stop: &Stop,
    audit_warnings: impl Future<Output = Infallible> + Unpin,
) -> Result<ExitStatus, Error> {
    let program = program_argv(args, run);
    let to_error = |error| start_error(&program[0], &error);
    let variables = decoy::decoy_variables(run, &decoy_server.1, args.with_secret);
    let command = tie_to_parent(&program_command(&program, decoy_server.1.profile, &variables, run));
    let mut child = tokio::process::Command::from(command).spawn().map_err(to_error)?;
    // neto raises its own limit after the program has started, so that the program keeps the original limit.
    platform::raise_open_file_limit();
    let status = pin!(child::wait(&mut child, stop));
    match serve(std::slice::from_ref(decoy_server), select(status, audit_warnings)).await {
        Either::Left((status, _)) => status.map_err(to_error),
        Either::Right((never, _)) => match never {},
    }
}

/// Starts the decoy of a profile on a free port, and returns the endpoint with its listener.
pub(super) async fn start_decoy<'a>(
    args: &ExecArgs,
    run: &Run<'_>,
    session: &'a Session<'a>,
    profile: &'a Profile,
    reload: ReloadProfile<'a>,
    audit: Option<Rc<AuditLog>>,
) -> Result<(Listener, Endpoint<'a>), Error> {
    let listener = decoy::open_listener(None)?;
    let endpoint = args.decoy_args.start_endpoint(run, session, profile, reload, &listener, audit).await?;
    Ok((listener, endpoint))
}
