//! `neto api` for several profiles: one line of JSON for each, in the order of the store.
//!
//! A slow tenant delays the printing, but not the other calls. Lines that wait to be printed are bounded: beyond
//! [`MAX_PENDING_BYTES`] no further call starts until the next profile in order has answered.

use super::{ApiArgs, MAX_ANSWER, MAX_REFUSAL, describe_call, json};
use crate::error::{Code, Error, Hint};
use crate::fusion::{Call, Reply};
use crate::output::render_json_line;
use crate::profile::{Profile, ProfileName};
use crate::session::{LoadedProfile, Session};
use crate::workflow::batch::ReorderBuffer;
use crate::workflow::selection::SelectedProfile;
use crate::workflow::{Batch, Run, TerminalReporter, record_first_seen};
use json::Pointer;
use serde::Serialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::ops::ControlFlow;
use tokio::sync::Notify;

/// Size of the waiting lines, in bytes, from which no further call starts.
const MAX_PENDING_BYTES: usize = 64 << 20;

/// Output line of one profile.
#[derive(Serialize)]
struct ApiLine<'a> {
    profile: &'a ProfileName,
    /// Null for the profile of a person, and for an invalid profile.
    shortname: Option<&'a str>,
    /// Null if there was no answer.
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
}

/// Output line of one profile, and the error that the line reports.
struct ApiResult {
    profile: ProfileName,
    line: String,
    failure: Option<Error>,
}

/// Call that is sent for every selected profile.
struct ApiWorker<'a> {
    args: &'a ApiArgs,
    run: &'a Run<'a>,
    session: &'a Session<'a>,
    call: &'a Call,
}

/// Sends the call for each selected profile.
pub(super) fn run(args: &ApiArgs, run: &Run<'_>) -> Result<(), Error> {
    if args.include {
        return Err(Error::new(Code::Usage, "--include is for one profile; of several each line has the status")
            .with_hint(Hint::advice("the same line without --include")));
    }
    let selected = args.select.resolve_named(run)?;
    let mut batch = Batch::new(run, "Asking", selected.iter().map(|selected| &*selected.name));
    let selected = batch.skip_without_secret(selected);
    let call = args.call(run)?;
    let valid: Vec<&Profile> = selected.iter().filter_map(|selected| selected.profile.as_ref().ok().copied()).collect();
    args.confirm_args.confirm_call(run, &describe_call(&call), !call.is_read_only(), &valid)?;
    let reporter = TerminalReporter(run.ui);
    let session = run.context.session(&reporter);
    let worker = ApiWorker { args, run, session: &session, call: &call };
    let pending = PendingResults::new();
    let mut print_result = Ok(());
    let call_one = async |(index, selected)| {
        pending.wait_for_space(index).await;
        (index, worker.call_profile(selected).await)
    };
    session.run_each(selected.into_iter().enumerate(), args.jobs.jobs, call_one, |(index, result)| {
        for ApiResult { profile, line, failure } in pending.push(index, result) {
            match failure {
                None => batch.done_silently(&profile),
                Some(error) => batch.failed(&profile, error)?,
            }
            print_result = run.ui.print_uninterrupted(&line);
            if print_result.is_err() {
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    })?;
    record_first_seen(run, &reporter);
    print_result?;
    batch.finish_with(|failed| failed.map(|names| Hint::advice(format!("the same call to these alone: {names}"))))
}

impl ApiWorker<'_> {
    /// Sends the call for one profile. A failure is part of the result and does not stop the other calls.
    async fn call_profile(&self, selected: SelectedProfile<'_>) -> ApiResult {
        let profile = match selected.profile {
            Ok(profile) => profile,
            Err(error) => return api_result(&selected.name, None, None, Err(error.into())),
        };
        let loaded = LoadedProfile::new(profile, self.run.context.reading());
        let token_request = self.args.token_args.token_request(false, false);
        let (status, data) = match self.session.call(loaded, token_request, self.call).await {
            Ok(mut reply) => (Some(reply.status().as_u16()), read_data(&mut reply, self.args.pointer.as_ref()).await),
            Err(error) => (None, Err(error.into())),
        };
        api_result(&profile.name, profile.shortname.as_deref(), status, data)
    }
}

fn api_result(
    profile: &ProfileName,
    shortname: Option<&str>,
    status: Option<u16>,
    data: Result<Box<RawValue>, Error>,
) -> ApiResult {
    let error = data.as_ref().err().map(Error::message);
    let line = render_json_line(&ApiLine { profile, shortname, status, data: data.as_deref().ok(), error });
    ApiResult { profile: profile.clone(), line, failure: data.err() }
}

/// Reads the answer as JSON, or the part that `pointer` selects. An empty body is null. A body that is not JSON, or
/// nested too deeply, is a JSON string.
async fn read_data(reply: &mut Reply, pointer: Option<&Pointer>) -> Result<Box<RawValue>, Error> {
    if !reply.status().is_success() {
        let body = reply.read_body(MAX_REFUSAL).await.unwrap_or_default();
        return Err(reply.refusal_error(&body).into());
    }
    let body = reply.read_body(MAX_ANSWER).await?;
    let value = pointer.map(|pointer| pointer.find(&body)).transpose()?.or_else(|| json::parse(&body));
    let text = || value.map_or_else(|| String::from_utf8_lossy(&body), |value| Cow::Borrowed(value.get()));
    let json = match value.and_then(json::compact) {
        Some(json) => json,
        None if body.is_empty() => "null".to_owned(),
        None => serde_json::to_string(&text()).map_err(|_| Error::bug("a text that is no JSON text"))?,
    };
    RawValue::from_string(json).map_err(|_| Error::bug("JSON that is none any more"))
}

/// Results that wait until all earlier profiles are printed.
struct PendingResults {
    results: RefCell<ReorderBuffer<ApiResult>>,
    /// Total size of the waiting lines.
    bytes: Cell<usize>,
    /// Number of results that were printed.
    printed: Cell<usize>,
    drained: Notify,
}

impl PendingResults {
    fn new() -> Self {
        Self {
            results: ReorderBuffer::new().into(),
            bytes: Cell::new(0),
            printed: Cell::new(0),
            drained: Notify::new(),
        }
    }

    /// Waits until the pending lines leave space for the profile at this index. The next profile in order never waits.
    async fn wait_for_space(&self, index: usize) {
        while self.bytes.get() >= MAX_PENDING_BYTES && index > self.printed.get() {
            self.drained.notified().await;
        }
    }

    /// Adds the result of the profile at this index. Returns the results that can be printed now, in order.
    fn push(&self, index: usize, result: ApiResult) -> Vec<ApiResult> {
        let added = result.line.len();
        let ready = self.results.borrow_mut().push(index, result);
        let removed: usize = ready.iter().map(|result| result.line.len()).sum();
        self.bytes.set(self.bytes.get() + added - removed);
        self.printed.set(self.printed.get() + ready.len());
        self.drained.notify_waiters();
        ready
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;

    #[tokio::test]
    async fn what_waits_is_bounded_and_whom_all_wait_for_has_room() {
        let result = |bytes| ApiResult { profile: ProfileName::env(), line: "x".repeat(bytes), failure: None };
        let pending = PendingResults::new();
        assert!(pending.push(1, result(MAX_PENDING_BYTES - 1)).is_empty());
        assert!(pending.wait_for_space(3).now_or_never().is_some());
        assert!(pending.push(2, result(1)).is_empty());
        let mut third = Box::pin(pending.wait_for_space(3));
        assert!(third.as_mut().now_or_never().is_none());
        assert!(pending.wait_for_space(0).now_or_never().is_some());
        let lengths: Vec<usize> = pending.push(0, result(7)).iter().map(|result| result.line.len()).collect();
        assert_eq!(lengths, [7, MAX_PENDING_BYTES - 1, 1]);
        third.await;
        assert_eq!((pending.bytes.get(), pending.printed.get()), (0, 3));
    }
}
