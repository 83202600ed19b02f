//! `neto api` of several profiles: a line of JSON each, in the order of the store.
//!
//! A tenant that is slow holds up the printing alone. What came and waits for its turn is bounded: when it is too much,
//! no further call is begun until the one that all wait for has answered.

use super::{ApiArgs, MOST_SAID, MOST_WHOLE, json, words};
use crate::error::{Code, Error};
use crate::fusion::{Call, Reply};
use crate::output::json_line;
use crate::profile::{Profile, ProfileName};
use crate::session::{Declared, Session};
use crate::workflow::batch::InOrder;
use crate::workflow::selection::Selected;
use crate::workflow::{Fleet, Run, Watch, remember};
use json::Pointer;
use serde::Serialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::ops::ControlFlow;
use tokio::sync::Notify;

/// From so many bytes of lines on that wait for their turn, no further call is begun.
const MOST_WAITING: usize = 64 << 20;

/// One profile's answer.
#[derive(Serialize)]
struct ApiLine<'a> {
    profile: &'a ProfileName,
    /// Null for a person, and for a faulty profile.
    shortname: Option<&'a str>,
    /// Null where there was no answer.
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
}

/// What came of one profile: its line, and the failure that it tells.
struct Told {
    profile: ProfileName,
    line: String,
    failure: Option<Error>,
}

/// A call that is made to every profile.
struct Work<'a> {
    args: &'a ApiArgs,
    run: &'a Run<'a>,
    session: &'a Session<'a>,
    call: &'a Call,
}

/// Makes the call to the selected profiles.
pub(super) fn run(args: &ApiArgs, run: &Run<'_>) -> Result<(), Error> {
    if args.include {
        return Err(Error::new(Code::Usage, "--include is for one profile; of several each line has the status")
            .with_hint("the same line without --include"));
    }
    let selected = args.select.told(run)?;
    let mut fleet = Fleet::new(run, "Asking", selected.iter().map(|one| &*one.name));
    let selected = fleet.without_skeletons(selected);
    let call = args.call(run)?;
    let sound: Vec<&Profile> = selected.iter().filter_map(|one| one.profile.as_ref().ok().copied()).collect();
    args.guard.allow(run, &words(&call), !call.reads(), &sound)?;
    let watch = Watch(run.ui);
    let session = run.context.session(&watch);
    let work = Work { args, run, session: &session, call: &call };
    let waiting = Waiting::new();
    let mut unprinted = Ok(());
    let one = async |(place, selected)| {
        waiting.room(place).await;
        (place, work.one(selected).await)
    };
    session.each(selected.into_iter().enumerate(), args.jobs.jobs, one, |(place, told)| {
        for Told { profile, line, failure } in waiting.put(place, told) {
            match failure {
                None => fleet.passed(&profile),
                Some(error) => fleet.failed(&profile, error)?,
            }
            unprinted = run.ui.answer_whole(&line);
            if unprinted.is_err() {
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    })?;
    remember(run, &watch);
    unprinted?;
    fleet.end_with(|failed| failed.map(|names| format!("the same call to these alone: {names}")))
}

impl Work<'_> {
    /// Asks one profile, whose answer no longer matters to others.
    async fn one(&self, selected: Selected<'_>) -> Told {
        let profile = match selected.profile {
            Ok(profile) => profile,
            Err(error) => return told(&selected.name, None, None, Err(error.into())),
        };
        let declared = Declared { profile, reading: self.run.context.reading() };
        let want = self.args.want.want(false, false);
        let (status, data) = match self.session.ask(declared, want, self.call).await {
            Ok(mut reply) => (Some(reply.status().as_u16()), data(&mut reply, self.args.pointer.as_ref()).await),
            Err(error) => (None, Err(error.into())),
        };
        told(&profile.name, profile.shortname.as_deref(), status, data)
    }
}

fn told(
    profile: &ProfileName,
    shortname: Option<&str>,
    status: Option<u16>,
    data: Result<Box<RawValue>, Error>,
) -> Told {
    let error = data.as_ref().err().map(Error::message);
    let line = json_line(&ApiLine { profile, shortname, status, data: data.as_deref().ok(), error });
    Told { profile: profile.clone(), line, failure: data.err() }
}

/// What an answer says: its JSON, or the part that was asked for; null for an empty body, and a text for what is no
/// JSON or lies too deep.
async fn data(reply: &mut Reply, pointer: Option<&Pointer>) -> Result<Box<RawValue>, Error> {
    if !reply.status().is_success() {
        let said = reply.whole(MOST_SAID).await.unwrap_or_default();
        return Err(reply.refusal(&said).into());
    }
    let body = reply.whole(MOST_WHOLE).await?;
    let value = pointer.map(|pointer| pointer.part(&body)).transpose()?.or_else(|| json::parse(&body));
    let text = || value.map_or_else(|| String::from_utf8_lossy(&body), |value| Cow::Borrowed(value.get()));
    let json = match value.and_then(json::compact) {
        Some(json) => json,
        None if body.is_empty() => "null".to_owned(),
        None => serde_json::to_string(&text()).map_err(|_| Error::bug("a text that is no JSON text"))?,
    };
    RawValue::from_string(json).map_err(|_| Error::bug("JSON that is none any more"))
}

/// What came before its turn.
struct Waiting {
    told: RefCell<InOrder<Told>>,
    /// In all that waits.
    bytes: Cell<usize>,
    /// How many had their turn.
    printed: Cell<usize>,
    moved: Notify,
}

impl Waiting {
    fn new() -> Self {
        Self { told: InOrder::new().into(), bytes: Cell::new(0), printed: Cell::new(0), moved: Notify::new() }
    }

    /// Waits until there is room for what the profile at this place will say. Whom all wait for always has it.
    async fn room(&self, place: usize) {
        while self.bytes.get() >= MOST_WAITING && place > self.printed.get() {
            self.moved.notified().await;
        }
    }

    /// Takes what came of the profile at this place; what has its turn now.
    fn put(&self, place: usize, told: Told) -> Vec<Told> {
        let came = told.line.len();
        let ready = self.told.borrow_mut().put(place, told);
        let goes: usize = ready.iter().map(|told| told.line.len()).sum();
        self.bytes.set(self.bytes.get() + came - goes);
        self.printed.set(self.printed.get() + ready.len());
        self.moved.notify_waiters();
        ready
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;

    #[tokio::test]
    async fn what_waits_is_bounded_and_whom_all_wait_for_has_room() {
        let told = |bytes| Told { profile: ProfileName::env(), line: "x".repeat(bytes), failure: None };
        let waiting = Waiting::new();
        assert!(waiting.put(1, told(MOST_WAITING - 1)).is_empty());
        assert!(waiting.room(3).now_or_never().is_some());
        assert!(waiting.put(2, told(1)).is_empty());
        let mut third = Box::pin(waiting.room(3));
        assert!(third.as_mut().now_or_never().is_none());
        assert!(waiting.room(0).now_or_never().is_some());
        let lengths: Vec<usize> = waiting.put(0, told(7)).iter().map(|told| told.line.len()).collect();
        assert_eq!(lengths, [7, MOST_WAITING - 1, 1]);
        third.await;
        assert_eq!((waiting.bytes.get(), waiting.printed.get()), (0, 3));
    }
}
