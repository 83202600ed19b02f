//! Faults that a test sets on the server: wrong, late, partial or missing responses.

use super::record::RecordedRequest;
use super::wire::RawResponse;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// Maximum time to wait for requests to arrive at a [`Gate`].
const GATE_TIMEOUT: Duration = Duration::from_secs(30);

/// One fault: which requests it affects, how many of them, and the effect. `Server::fault` sets it.
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
    /// Carries out the call and sends the normal response, after the gate and the delay.
    Usual,
    /// Sends this response; the call is not carried out.
    Respond { status: u16, headers: Vec<(String, String)>, body: Vec<u8> },
    /// Closes the connection without sending a byte; the call is not carried out.
    Close,
    /// Carries out the call, then closes the connection without sending a byte.
    Lose,
    /// Carries out the call, sends the header and `keep` bytes of the body, then closes the connection.
    Cut { keep: usize },
    /// Carries out the call and sends the body of the response byte by byte, with a pause before each byte.
    Drip { pause: Duration },
    /// Sends these exact bytes in place of a response; the call is not carried out.
    Raw(RawResponse),
    /// Sends a status and a body computed from the request; the call is not carried out.
    Compute(ResponseFn),
}

/// Function that computes a status and a body from a request.
pub(super) type ResponseFn = Arc<dyn Fn(&RecordedRequest) -> (u16, String) + Send + Sync>;

impl Fault {
    /// Creates a fault for one path (`/api/v1/auth/token`) or for all paths with a prefix (`/api/v1/*`). Without
    /// further settings the fault affects all matching requests until it is cleared, but leaves the response unchanged.
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

    /// Replaces the path of the fault.
    pub(crate) fn moved_to(mut self, path: &str) -> Self {
        path.clone_into(&mut self.path);
        self
    }

    /// Limits the fault to the next `count` requests that match.
    pub(crate) fn times(mut self, count: u32) -> Self {
        self.remaining = Some(count);
        self
    }

    /// Limits the fault to the next request that matches.
    pub(crate) fn once(self) -> Self {
        self.times(1)
    }

    /// Leaves the first `count` matching requests unaffected.
    pub(crate) fn skip(mut self, count: u32) -> Self {
        self.skip = count;
        self
    }

    /// Limits the fault to one tenant, which the server determines from the token in the request.
    pub(crate) fn for_tenant(mut self, shortname: &str) -> Self {
        self.tenant = Some(shortname.to_owned());
        self
    }

    /// Holds each affected request until the test opens the gate.
    pub(crate) fn hold_at(mut self, gate: &Gate) -> Self {
        self.gate = Some(gate.clone());
        self
    }

    /// Delays each affected request by `time`. [`Fault::hold_at`] is better where a test can use a gate.
    pub(crate) fn delay(mut self, time: Duration) -> Self {
        self.delay = Some(time);
        self
    }

    /// Responds with this status and body; the call is not carried out.
    pub(crate) fn respond(mut self, status: u16, body: impl Into<Vec<u8>>) -> Self {
        self.effect = Effect::Respond { status, headers: Vec::new(), body: body.into() };
        self
    }

    /// Adds a header to the response set by [`Fault::respond`]. Panics if the fault has another effect.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        match &mut self.effect {
            Effect::Respond { headers, .. } => headers.push((name.to_owned(), value.to_owned())),
            _ => panic!("only an answer takes headers"),
        }
        self
    }

    /// Responds with an error in the API's format; the call is not carried out.
    pub(crate) fn error(self, status: u16, message: &str) -> Self {
        let body = super::routes::error_body(status, message);
        self.respond(status, body).header("content-type", "application/json")
    }

    /// Responds with a redirect to this location; the call is not carried out.
    pub(crate) fn redirect(self, status: u16, to: &str) -> Self {
        self.respond(status, "").header("location", to)
    }

    /// Closes the connection without sending a byte; the call is not carried out.
    pub(crate) fn close(mut self) -> Self {
        self.effect = Effect::Close;
        self
    }

    /// Carries out the call, then closes the connection without sending a byte.
    pub(crate) fn lose_response(mut self) -> Self {
        self.effect = Effect::Lose;
        self
    }

    /// Carries out the call, sends the header and `keep` bytes of the body, then closes the connection.
    pub(crate) fn cut_body(mut self, keep: usize) -> Self {
        self.effect = Effect::Cut { keep };
        self
    }

    /// Carries out the call and sends the body of the response byte by byte, with a pause before each byte.
    pub(crate) fn drip(mut self, pause: Duration) -> Self {
        self.effect = Effect::Drip { pause };
        self
    }

    /// Responds with a status and a body computed from the request; the call is not carried out.
    pub(crate) fn respond_with(
        mut self,
        compute: impl Fn(&RecordedRequest) -> (u16, String) + Send + Sync + 'static,
    ) -> Self {
        self.effect = Effect::Compute(Arc::new(compute));
        self
    }

    /// Sends these bytes in place of a response, then closes the connection; the call is not carried out.
    pub(crate) fn raw(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.effect = Effect::Raw(RawResponse { bytes: bytes.into(), ..RawResponse::default() });
        self
    }

    /// Sends these bytes `times` times after the bytes of [`Fault::raw`]. `u64::MAX` means until the client
    /// disconnects.
    pub(crate) fn then_repeat(mut self, bytes: impl Into<Vec<u8>>, times: u64) -> Self {
        let raw = self.raw_response();
        (raw.repeated, raw.times) = (bytes.into(), times);
        self
    }

    /// Pauses before each repetition of [`Fault::then_repeat`].
    pub(crate) fn pause_between(mut self, pause: Duration) -> Self {
        self.raw_response().pause = Some(pause);
        self
    }

    /// Keeps the connection open and silent after the bytes of [`Fault::raw`].
    pub(crate) fn keep_open(mut self) -> Self {
        self.raw_response().keep_open = true;
        self
    }

    fn raw_response(&mut self) -> &mut RawResponse {
        match &mut self.effect {
            Effect::Raw(raw) => raw,
            _ => panic!("only raw bytes are repeated, paused or held"),
        }
    }

    /// Returns whether the fault affects this request. If the path and the tenant match, the request counts for `skip`
    /// or `times`.
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

/// Returns a copy of the first fault that affects the request, and counts the request for that fault.
pub(super) fn find_fault(faults: &mut [Fault], path: &str, tenant: Option<&str>) -> Option<Fault> {
    faults.iter_mut().find_map(|fault| fault.affects(path, tenant).then(|| fault.clone()))
}

/// Holds requests until the test releases them, so that a test needs no sleep.
#[derive(Clone, Default)]
pub(crate) struct Gate {
    shared: Arc<GateInner>,
}

#[derive(Default)]
struct GateInner {
    state: Mutex<GateState>,
    arrival: Condvar,
    opened: Notify,
}

#[derive(Default)]
struct GateState {
    arrived: usize,
    open: bool,
}

impl Gate {
    /// Creates a closed gate.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Blocks until `requests` requests have arrived since the gate was created. Fails after [`GATE_TIMEOUT`].
    pub(crate) fn wait_for_requests(&self, requests: usize) {
        let state = self.shared.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (state, waited) = self
            .shared
            .arrival
            .wait_timeout_while(state, GATE_TIMEOUT, |state| state.arrived < requests)
            .unwrap_or_else(PoisonError::into_inner);
        assert!(!waited.timed_out(), "{} of {requests} requests came to the gate", state.arrived);
    }

    /// Releases all held requests, and lets later requests pass.
    pub(crate) fn open(&self) {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner).open = true;
        self.shared.opened.notify_waiters();
    }

    /// Counts the request as arrived, then waits until the gate is open.
    pub(super) async fn wait_until_open(&self) {
        let opened = self.shared.opened.notified();
        {
            let mut state = self.shared.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.arrived += 1;
            self.shared.arrival.notify_all();
            if state.open {
                return;
            }
        }
        opened.await;
    }
}
