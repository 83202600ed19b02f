//! Faults: wrong, late, partial or missing answers that a test sets on the server.

use super::record::RecordedRequest;
use super::wire::RawAnswer;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// Time a test waits for a request to arrive at a [`Gate`] before it fails.
const GATE_TIMEOUT: Duration = Duration::from_secs(30);

/// One fault: the requests that it affects, their number, and the effect. Pass it to `Server::fault`.
#[derive(Clone)]
pub(crate) struct Fault {
    path: String,
    tenant: Option<String>,
    skip: u32,
    remaining: Option<u32>,
    pub(super) gate: Option<Gate>,
    pub(super) delay: Option<Duration>,
    pub(super) effect: Effect,
}

/// Effect of a fault on a request.
#[derive(Clone)]
pub(super) enum Effect {
    /// Sends the usual answer (after the gate or the delay).
    Usual,
    /// Sends this answer; the call is not carried out.
    Answer { status: u16, headers: Vec<(String, String)>, body: Vec<u8> },
    /// Closes the connection without a byte; the call is not carried out.
    Close,
    /// Carries out the call, but loses its answer.
    Lose,
    /// Carries out the call, sends `keep` bytes of the answer's body, then closes the connection.
    Cut { keep: usize },
    /// Sends the body of the usual answer byte by byte.
    Drip { pause: Duration },
    /// Sends these exact bytes in place of any answer; the call is not carried out.
    Raw(RawAnswer),
    /// Sends a status and a body computed from the request; the call is not carried out.
    Reply(ComputedReply),
}

/// Computes a status and a body from a request.
pub(super) type ComputedReply = Arc<dyn Fn(&RecordedRequest) -> (u16, String) + Send + Sync>;

impl Fault {
    /// Creates a fault at one path (`/api/v1/auth/token`) or at all paths below one (`/api/v1/*`). The fault stays
    /// until it is cleared.
    pub(crate) fn at(path: &str) -> Self {
        Self {
            path: path.to_owned(),
            tenant: None,
            skip: 0,
            remaining: None,
            gate: None,
            delay: None,
            effect: Effect::Usual,
        }
    }

    /// Moves the fault to another path.
    pub(crate) fn moved_to(mut self, path: &str) -> Self {
        path.clone_into(&mut self.path);
        self
    }

    /// Limits the fault to `count` requests.
    pub(crate) fn times(mut self, count: u32) -> Self {
        self.remaining = Some(count);
        self
    }

    /// Limits the fault to one request.
    pub(crate) fn once(self) -> Self {
        self.times(1)
    }

    /// Lets `count` requests pass unaffected first.
    pub(crate) fn skip(mut self, count: u32) -> Self {
        self.skip = count;
        self
    }

    /// Limits the fault to one tenant. Its shortname is read from the request token or from the access token.
    pub(crate) fn for_tenant(mut self, shortname: &str) -> Self {
        self.tenant = Some(shortname.to_owned());
        self
    }

    /// Holds the request until the test opens the gate.
    pub(crate) fn hold_at(mut self, gate: &Gate) -> Self {
        self.gate = Some(gate.clone());
        self
    }

    /// Delays the answer by `time`; prefer [`Fault::hold_at`].
    pub(crate) fn delay(mut self, time: Duration) -> Self {
        self.delay = Some(time);
        self
    }

    /// Answers with this status and body.
    pub(crate) fn answer(mut self, status: u16, body: impl Into<Vec<u8>>) -> Self {
        self.effect = Effect::Answer { status, headers: Vec::new(), body: body.into() };
        self
    }

    /// Adds a header to an [`Fault::answer`].
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        match &mut self.effect {
            Effect::Answer { headers, .. } => headers.push((name.to_owned(), value.to_owned())),
            _ => panic!("only an answer takes headers"),
        }
        self
    }

    /// Answers with an error in the API's format.
    pub(crate) fn error(self, status: u16, message: &str) -> Self {
        let body = super::routes::error_body(status, message);
        self.answer(status, body).header("content-type", "application/json")
    }

    /// Redirects the client.
    pub(crate) fn redirect(self, status: u16, to: &str) -> Self {
        self.answer(status, "").header("location", to)
    }

    /// Closes the connection without a byte; the call is not carried out.
    pub(crate) fn close(mut self) -> Self {
        self.effect = Effect::Close;
        self
    }

    /// Carries out the call and closes the connection without a byte.
    pub(crate) fn lose_answer(mut self) -> Self {
        self.effect = Effect::Lose;
        self
    }

    /// Carries out the call and closes the connection after the header and `keep` bytes of the body.
    pub(crate) fn cut_body(mut self, keep: usize) -> Self {
        self.effect = Effect::Cut { keep };
        self
    }

    /// Sends the body of the usual answer byte by byte.
    pub(crate) fn drip(mut self, pause: Duration) -> Self {
        self.effect = Effect::Drip { pause };
        self
    }

    /// Answers with a status and a body computed from the request.
    pub(crate) fn reply(mut self, reply: impl Fn(&RecordedRequest) -> (u16, String) + Send + Sync + 'static) -> Self {
        self.effect = Effect::Reply(Arc::new(reply));
        self
    }

    /// Sends these bytes in place of an answer and closes the connection.
    pub(crate) fn raw(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.effect = Effect::Raw(RawAnswer { bytes: bytes.into(), ..RawAnswer::default() });
        self
    }

    /// Sends these bytes `times` times after those of a [`Fault::raw`]. With `u64::MAX` the server repeats them until
    /// the client disconnects.
    pub(crate) fn then_repeat(mut self, bytes: impl Into<Vec<u8>>, times: u64) -> Self {
        let raw = self.raw_answer();
        (raw.repeated, raw.times) = (bytes.into(), times);
        self
    }

    /// Pauses before each repetition of a [`Fault::then_repeat`].
    pub(crate) fn pause_between(mut self, pause: Duration) -> Self {
        self.raw_answer().pause = Some(pause);
        self
    }

    /// Keeps the connection open and silent after the bytes of a [`Fault::raw`].
    pub(crate) fn keep_open(mut self) -> Self {
        self.raw_answer().keep_open = true;
        self
    }

    fn raw_answer(&mut self) -> &mut RawAnswer {
        match &mut self.effect {
            Effect::Raw(raw) => raw,
            _ => panic!("only raw bytes are repeated, paused or held"),
        }
    }

    /// Returns whether the fault affects this request, and counts the request if path and tenant match.
    fn affects(&mut self, path: &str, tenant: Option<&str>) -> bool {
        let path_matches = match self.path.strip_suffix('*') {
            Some(prefix) => path.starts_with(prefix),
            None => path == self.path,
        };
        if !path_matches || self.tenant.as_deref().is_some_and(|affected| tenant != Some(affected)) {
            return false;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        match &mut self.remaining {
            None => true,
            Some(0) => false,
            Some(remaining) => {
                *remaining -= 1;
                true
            }
        }
    }
}

/// Returns the first fault that affects the request.
pub(super) fn find_fault(faults: &mut [Fault], path: &str, tenant: Option<&str>) -> Option<Fault> {
    faults.iter_mut().find_map(|fault| fault.affects(path, tenant).then(|| fault.clone()))
}

/// Holds requests until the test releases them. Tests use a gate in place of a sleep.
#[derive(Clone, Default)]
pub(crate) struct Gate {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    state: Mutex<State>,
    arrival: Condvar,
    opened: Notify,
}

#[derive(Default)]
struct State {
    arrived: usize,
    open: bool,
}

impl Gate {
    /// Creates a closed gate.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Blocks until `requests` requests have arrived since the gate was created.
    pub(crate) fn wait_for_requests(&self, requests: usize) {
        let state = self.inner.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (state, waited) = self
            .inner
            .arrival
            .wait_timeout_while(state, GATE_TIMEOUT, |state| state.arrived < requests)
            .unwrap_or_else(PoisonError::into_inner);
        assert!(!waited.timed_out(), "{} of {requests} requests came to the gate", state.arrived);
    }

    /// Releases all requests, present and future.
    pub(crate) fn open(&self) {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner).open = true;
        self.inner.opened.notify_waiters();
    }

    /// Waits until the gate is open.
    pub(super) async fn pass(&self) {
        let opened = self.inner.opened.notified();
        {
            let mut state = self.inner.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.arrived += 1;
            self.inner.arrival.notify_all();
            if state.open {
                return;
            }
        }
        opened.await;
    }
}
