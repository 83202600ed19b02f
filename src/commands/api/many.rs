//! `neto api` for several profiles: prints one line of JSON for each profile, in the order of the store.
//!
//! A slow tenant delays the printing, but not the other calls. While at least [`MAX_PENDING_BYTES`] wait to be printed,
//! only the call for the next profile in order may start.

use super::{ApiArgs, MAX_ERROR_BODY_BYTES, MAX_RESPONSE_BYTES, describe_call, json};
use crate::error::{Code, Error, Hint};
use crate::fusion::{ApiResponse, Call};
use crate::output::render_json_line;
use crate::profile::{Profile, ProfileName};
use crate::session::{LoadedProfile, Session};
use crate::workflow::batch::ReorderBuffer;
use crate::workflow::selection::SelectedProfile;
use crate::workflow::{Batch, Run, TerminalReporter, record_first_seen_profiles};
use json::Pointer;
use serde::Serialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::ops::ControlFlow;
use tokio::sync::Notify;

/// Limit for the total size of the unprinted lines, in bytes. Once this limit is reached, no further call starts.
const MAX_PENDING_BYTES: usize = 64 << 20;

/// Output line of one profile.
#[derive(Serialize)]
struct ApiLine<'a> {
    profile: &'a ProfileName,
    /// Null for a profile with a user name and password, and for an invalid profile.
    shortname: Option<&'a str>,
    /// HTTP status; null if there was no response.
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

/// Call to send for each selected profile, and the data needed to send it.
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
    record_first_seen_profiles(run, &reporter);
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
        let loaded = LoadedProfile::new(profile, self.run.context.store_reading());
        let token_request = self.args.token_args.token_request(false, false);
        let (status, data) = match self.session.call(loaded, token_request, self.call).await {
            Ok(mut response) => {
                (Some(response.status().as_u16()), read_data(&mut response, self.args.pointer.as_ref()).await)
            }
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

/// Reads the response body as JSON, or the part that `pointer` selects. Without `pointer`, an empty body becomes null,
/// and any other body that is not JSON becomes a JSON string. JSON that is nested too deeply also becomes a JSON
/// string.
///
/// # Errors
/// Returns the server's error for a status other than 2xx. Otherwise returns an error if the body cannot be read or the
/// pointer selects nothing.
async fn read_data(response: &mut ApiResponse, pointer: Option<&Pointer>) -> Result<Box<RawValue>, Error> {
    if !response.status().is_success() {
        let body = response.read_body(MAX_ERROR_BODY_BYTES).await.unwrap_or_default();
        return Err(response.refusal_error(&body).into());
    }
    let body = response.read_body(MAX_RESPONSE_BYTES).await?;
    let value = pointer.map(|pointer| pointer.find(&body)).transpose()?.or_else(|| json::parse(&body));
    let body_text = || value.map_or_else(|| String::from_utf8_lossy(&body), |value| Cow::Borrowed(value.get()));
    let json = match value.and_then(json::compact) {
        Some(json) => json,
        None if body.is_empty() => "null".to_owned(),
        None => serde_json::to_string(&body_text()).map_err(|_| Error::bug("a text that is no JSON text"))?,
    };
    RawValue::from_string(json).map_err(|_| Error::bug("JSON that is none any more"))
}

/// Results that wait until the results of all earlier profiles have been printed.
struct PendingResults {
    results: RefCell<ReorderBuffer<ApiResult>>,
    /// Total size of the lines of the waiting results, in bytes.
    bytes: Cell<usize>,
    /// Number of results that [`push`](Self::push) has returned for printing.
    released: Cell<usize>,
    release_notify: Notify,
}

impl PendingResults {
    fn new() -> Self {
        Self {
            results: ReorderBuffer::new().into(),
            bytes: Cell::new(0),
            released: Cell::new(0),
            release_notify: Notify::new(),
        }
    }

    /// Waits while the unprinted lines total at least [`MAX_PENDING_BYTES`]. The next profile in order never waits,
    /// because all unprinted lines wait for its result.
    async fn wait_for_space(&self, index: usize) {
        while self.bytes.get() >= MAX_PENDING_BYTES && index > self.released.get() {
            self.release_notify.notified().await;
        }
    }

    /// Adds the result of the profile at this index. Returns the results that can be printed now, in order.
    fn push(&self, index: usize, result: ApiResult) -> Vec<ApiResult> {
        let added = result.line.len();
        let ready = self.results.borrow_mut().push(index, result);
        let removed: usize = ready.iter().map(|result| result.line.len()).sum();
        self.bytes.set(self.bytes.get() + added - removed);
        self.released.set(self.released.get() + ready.len());
        self.release_notify.notify_waiters();
        ready
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;

    #[tokio::test]
    async fn unprinted_lines_are_limited_but_the_next_profile_in_order_never_waits() {
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
        assert_eq!((pending.bytes.get(), pending.released.get()), (0, 3));
    }
}
