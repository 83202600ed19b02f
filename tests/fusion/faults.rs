//! Switches that make the server answer wrongly, late, in part or not at all.

use super::record::Seen;
use super::wire::Speech;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// How long a test waits for a request to arrive at a [`Gate`] before it fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// One fault: where it strikes, how often, and what happens. Hand it to `Server::fault`.
#[derive(Clone)]
pub(crate) struct Fault {
    path: String,
    tenant: Option<String>,
    skip: u32,
    left: Option<u32>,
    pub(super) gate: Option<Gate>,
    pub(super) delay: Option<Duration>,
    pub(super) act: Act,
}

/// What happens to a request.
#[derive(Clone)]
pub(super) enum Act {
    /// The usual answer (after the gate or the delay).
    Usual,
    /// This answer; the call itself is not carried out.
    Answer { status: u16, headers: Vec<(String, String)>, body: Vec<u8> },
    /// The connection ends without a byte; the call is not carried out.
    Close,
    /// The call is carried out, its answer is lost.
    Lose,
    /// The call is carried out; of its answer's body come only so many bytes, then the connection ends.
    Cut { keep: usize },
    /// The usual answer, a byte of its body at a time.
    Drip { pause: Duration },
    /// This in place of any answer, to the letter; the call is not carried out.
    Raw(Speech),
    /// A status and a body made of the request; the call is not carried out.
    Reply(Reply),
}

/// Makes a status and a body of a request.
pub(super) type Reply = Arc<dyn Fn(&Seen) -> (u16, String) + Send + Sync>;

impl Fault {
    /// A fault at a path (`/api/v1/auth/token`), or at all below one (`/api/v1/*`), until it is taken away.
    pub(crate) fn at(path: &str) -> Self {
        Self { path: path.to_owned(), tenant: None, skip: 0, left: None, gate: None, delay: None, act: Act::Usual }
    }

    /// The same at another path.
    pub(crate) fn moved_to(mut self, path: &str) -> Self {
        path.clone_into(&mut self.path);
        self
    }

    /// Strikes only so many times.
    pub(crate) fn times(mut self, count: u32) -> Self {
        self.left = Some(count);
        self
    }

    /// Strikes once.
    pub(crate) fn once(self) -> Self {
        self.times(1)
    }

    /// Lets so many requests pass unharmed first.
    pub(crate) fn after(mut self, count: u32) -> Self {
        self.skip = count;
        self
    }

    /// Strikes only requests of one tenant (its shortname stands in the request token or behind the bearer).
    pub(crate) fn of(mut self, shortname: &str) -> Self {
        self.tenant = Some(shortname.to_owned());
        self
    }

    /// Holds the request until the test opens the gate.
    pub(crate) fn hold(mut self, gate: &Gate) -> Self {
        self.gate = Some(gate.clone());
        self
    }

    /// Answers so much later; prefer [`Fault::hold`].
    pub(crate) fn delay(mut self, time: Duration) -> Self {
        self.delay = Some(time);
        self
    }

    /// Answers with this status and body.
    pub(crate) fn answer(mut self, status: u16, body: impl Into<Vec<u8>>) -> Self {
        self.act = Act::Answer { status, headers: Vec::new(), body: body.into() };
        self
    }

    /// Adds a header to an [`Fault::answer`].
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        match &mut self.act {
            Act::Answer { headers, .. } => headers.push((name.to_owned(), value.to_owned())),
            _ => panic!("only an answer takes headers"),
        }
        self
    }

    /// Answers as the API does when something is wrong.
    pub(crate) fn error(self, status: u16, message: &str) -> Self {
        let body = super::routes::error_body(status, message);
        self.answer(status, body).header("content-type", "application/json")
    }

    /// Sends the client elsewhere.
    pub(crate) fn redirect(self, status: u16, to: &str) -> Self {
        self.answer(status, "").header("location", to)
    }

    /// Ends the connection without a byte; the call is not carried out.
    pub(crate) fn close(mut self) -> Self {
        self.act = Act::Close;
        self
    }

    /// Carries the call out and ends the connection without a byte.
    pub(crate) fn lose_answer(mut self) -> Self {
        self.act = Act::Lose;
        self
    }

    /// Carries the call out and ends the connection after the header and so many bytes of the body.
    pub(crate) fn cut_body(mut self, keep: usize) -> Self {
        self.act = Act::Cut { keep };
        self
    }

    /// Sends the usual answer's body a byte at a time.
    pub(crate) fn drip(mut self, pause: Duration) -> Self {
        self.act = Act::Drip { pause };
        self
    }

    /// Answers with a status and a body that depend on what was sent.
    pub(crate) fn reply(mut self, reply: impl Fn(&Seen) -> (u16, String) + Send + Sync + 'static) -> Self {
        self.act = Act::Reply(Arc::new(reply));
        self
    }

    /// Sends these bytes in place of an answer and ends the connection.
    pub(crate) fn raw(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.act = Act::Raw(Speech { bytes: bytes.into(), ..Speech::default() });
        self
    }

    /// After the bytes of a [`Fault::raw`] these, so many times (or as long as the client listens: `u64::MAX`).
    pub(crate) fn again(mut self, bytes: impl Into<Vec<u8>>, times: u64) -> Self {
        let speech = self.speech();
        (speech.again, speech.times) = (bytes.into(), times);
        self
    }

    /// Pauses before each repetition of a [`Fault::again`].
    pub(crate) fn pausing(mut self, pause: Duration) -> Self {
        self.speech().pause = Some(pause);
        self
    }

    /// After the bytes of a [`Fault::raw`] the connection stays open, in silence.
    pub(crate) fn holding(mut self) -> Self {
        self.speech().hold = true;
        self
    }

    fn speech(&mut self) -> &mut Speech {
        match &mut self.act {
            Act::Raw(speech) => speech,
            _ => panic!("only raw bytes are repeated, paused or held"),
        }
    }

    /// Whether the fault strikes this request; counts it if it is one of its kind.
    fn strikes(&mut self, path: &str, tenant: Option<&str>) -> bool {
        let here = match self.path.strip_suffix('*') {
            Some(prefix) => path.starts_with(prefix),
            None => path == self.path,
        };
        if !here || self.tenant.as_deref().is_some_and(|wanted| tenant != Some(wanted)) {
            return false;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        match &mut self.left {
            None => true,
            Some(0) => false,
            Some(left) => {
                *left -= 1;
                true
            }
        }
    }
}

/// The first fault that strikes, of those set.
pub(super) fn strike(faults: &mut [Fault], path: &str, tenant: Option<&str>) -> Option<Fault> {
    faults.iter_mut().find_map(|fault| fault.strikes(path, tenant).then(|| fault.clone()))
}

/// Holds requests until the test lets them go on: what a test uses in place of a sleep.
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
    /// A closed gate.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Blocks until so many requests have arrived (since the gate was made).
    pub(crate) fn wait_for(&self, requests: usize) {
        let state = self.inner.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (state, waited) = self
            .inner
            .arrival
            .wait_timeout_while(state, PATIENCE, |state| state.arrived < requests)
            .unwrap_or_else(PoisonError::into_inner);
        assert!(!waited.timed_out(), "{} of {requests} requests came to the gate", state.arrived);
    }

    /// Lets all go on, now and later.
    pub(crate) fn open(&self) {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner).open = true;
        self.inner.opened.notify_waiters();
    }

    /// Waits at the gate.
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
