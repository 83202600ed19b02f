//! One question to the server and its answer: how often it is asked, at what pace, and what a refusal means.

use super::rate_limit::Pace;
use super::redact::Redactor;
use super::request::Request;
use super::transport::{self, Route, Tls, Way};
use super::{FusionError, Grant, Login, Proxies};
use crate::clock::Clock;
use crate::profile::ApiUrl;
use crate::secret::Secret;
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use rand::RngExt;
use reqwest::Response;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, DATE, HeaderName, LOCATION, RETRY_AFTER};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::OnceLock;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout_at};
use zeroize::Zeroizing;

/// How often a login is tried in all.
const TRIES: u32 = 3;
/// The same where the server wants to be asked more slowly, and all of the run take turns.
const TURNS: u32 = 10;
/// The pause before the second try, where the server names none; the third waits three times as long.
const PAUSE: Duration = Duration::from_millis(250);
/// The most of an answer's body that is read, in bytes.
const BODY_CAP: usize = 1024 * 1024;
/// The most that an answer's headers may take, in bytes.
const HEADER_CAP: usize = 64 * 1024;
/// No request takes longer than this, whatever a profile says.
const LONGEST: Duration = Duration::from_secs(24 * 3_600);
/// From this difference on, in seconds, the clocks are said to differ.
const SKEW: i64 = 30;

/// Who is told of each request, for `--verbose`. What it gets is all that may be shown of one.
pub trait Progress {
    /// A request came to an end after `millis` milliseconds; without a `status` there was no answer.
    /// `attempt` counts from 1.
    fn asked(&self, method: &str, host: &str, path: &str, attempt: u32, status: Option<u16>, millis: u128);

    /// The server says that it is asked too much; nothing more is sent to it for so long.
    fn rests(&self, _host: &str, _pause: Duration) {}
}

/// Nobody is told.
impl Progress for () {
    fn asked(&self, _: &str, _: &str, _: &str, _: u32, _: Option<u16>, _: u128) {}
}

/// Asks the servers at the end of one route: those on this machine, or those beyond it. Costs some
/// milliseconds to make: make it when a request is due, and share it between profiles with the same roots.
#[derive(Debug)]
pub struct Client {
    loopback: bool,
    proxies: Proxies,
    ca_pem: Option<Vec<u8>>,
    tls: OnceLock<Tls>,
    plain: Made,
    encrypted: Made,
    /// By the proxy.
    tunnelled: Made,
    /// By host.
    paces: RefCell<HashMap<String, Rc<Pace>>>,
    /// Whether a server answered already, so that there may be a connection from before.
    answered: Cell<bool>,
}

/// The library's clients for one way.
#[derive(Debug, Default)]
struct Made {
    kept: OnceLock<reqwest::Client>,
    fresh: OnceLock<reqwest::Client>,
}

/// By which connection a question goes. One from before may be dead, and then nobody knows whether it was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Connection {
    /// One from before if there is any; what may be asked twice is, where that breaks.
    Kept,
    /// A new one, for what may not be asked twice.
    Fresh,
}

/// How a question is timed and told, the same for all of its tries.
#[derive(Clone, Copy)]
pub struct Manner<'a> {
    /// For one question with its tries.
    pub timeout: Duration,
    /// The time.
    pub clock: Clock,
    /// Whether all questions of this run take turns once the server complained of one. Who asks for one tenant alone does
    /// not.
    pub in_turn: bool,
    /// Who is told of each try.
    pub tell: &'a dyn Progress,
}

/// One try: whom it asks, and what is known of the answer so far.
pub(super) struct Try<'a> {
    pub(super) way: Way<'a>,
    pub(super) url: &'a ApiUrl,
    clock: Clock,
    status: Cell<Option<u16>>,
    retry_after: Cell<Option<u64>>,
}

/// How a try is told: method, and path without a query.
pub(super) struct Label<'a> {
    pub(super) method: &'a str,
    pub(super) path: &'a str,
}

impl Client {
    /// For the API at `url` and others like it, trusting the system's root certificates (`SSL_CERT_FILE`
    /// and `SSL_CERT_DIR` name others) and those in `ca_pem`.
    ///
    /// # Errors
    /// `NoRoots`, where https finds no root certificates; `CaFile`, where `ca_pem` holds something else;
    /// `ProxySetting`, where a proxy is named that cannot be used.
    pub fn new(url: &ApiUrl, ca_pem: Option<&[u8]>, proxies: &Proxies) -> Result<Self, FusionError> {
        let client = Self {
            loopback: url.is_loopback(),
            proxies: proxies.clone(),
            ca_pem: ca_pem.map(<[u8]>::to_vec),
            tls: OnceLock::new(),
            plain: Made::default(),
            encrypted: Made::default(),
            tunnelled: Made::default(),
            paces: RefCell::default(),
            answered: Cell::new(false),
        };
        client.way(url, Connection::Kept)?;
        Ok(client)
    }

    /// Asks for a bearer token with a credential. Tried up to three times within the timeout, with a new
    /// request token each time, where no connection came about, or on 502, 503, 504, or a 429 with a
    /// `Retry-After` that fits.
    ///
    /// # Errors
    /// Whatever the last try came to; `Setup` where `url` lies on this machine and the client was made for
    /// others, or the reverse.
    pub async fn login(&self, url: &ApiUrl, login: &Login<'_>, manner: Manner<'_>) -> Result<Grant, FusionError> {
        let label = Label { method: "POST", path: login.path() };
        let ask = async |this: &Try<'_>| exchange(&Request::login(login, manner.clock.now())?, this).await;
        let again =
            |outcome: &Result<Grant, FusionError>, number| pause(outcome.as_ref().err()?, number, manner.in_turn);
        self.tried(url, &label, manner, Connection::Kept, ask, again).await
    }

    /// Asks for a new pair of tokens with a refresh token. Sent once, whatever happens: a second use
    /// can end the session. [`FusionError::was_never_sent`] tells whether the token is still unused.
    ///
    /// # Errors
    /// What the one try came to; `Setup` as for a login.
    pub async fn refresh(&self, url: &ApiUrl, token: &Secret, manner: Manner<'_>) -> Result<Grant, FusionError> {
        let request = Request::refresh(token, manner.clock.now());
        let label = Label { method: "POST", path: request.path };
        let ask = async |this: &Try<'_>| exchange(&request, this).await;
        self.tried(url, &label, manner, Connection::Fresh, ask, |_, _| None).await
    }

    /// Asks until `again` names no pause, the tries are used up, or the time is over. Waiting for a turn does not count:
    /// it is the pace of all that the server complained of.
    pub(super) async fn tried<T>(
        &self,
        url: &ApiUrl,
        label: &Label<'_>,
        manner: Manner<'_>,
        connection: Connection,
        ask: impl AsyncFn(&Try<'_>) -> Result<T, FusionError>,
        again: impl Fn(&Result<T, FusionError>, u32) -> Option<Duration>,
    ) -> Result<T, FusionError> {
        let mut this = Try {
            way: self.way(url, connection)?,
            url,
            clock: manner.clock,
            status: Cell::default(),
            retry_after: Cell::default(),
        };
        let pace = self.pace(&this.way.host);
        if manner.in_turn {
            pace.turn(&this.way.host).await?;
        }
        let mut deadline = Instant::now() + manner.timeout.min(LONGEST);
        let (mut number, mut anew) = (1, false);
        loop {
            (this.status, this.retry_after) = Default::default();
            let sent = Instant::now();
            let outcome = timeout_at(deadline, ask(&this)).await.unwrap_or_else(|_| {
                Err(FusionError::Timeout { host: this.way.whom(), seconds: manner.timeout.as_secs() })
            });
            let from_before = connection == Connection::Kept && self.answered.get();
            let status = this.status.get();
            self.answered.set(self.answered.get() || status.is_some());
            manner.tell.asked(label.method, &this.way.host, label.path, number, status, sent.elapsed().as_millis());
            let rest = status.and_then(|status| pace.heard(sent, status, this.retry_after()));
            if let Some(rest) = rest.filter(|_| manner.in_turn) {
                manner.tell.rests(&this.way.host, rest);
            }
            let tries = if manner.in_turn && status == Some(429) { TURNS } else { TRIES };
            let pause = match &outcome {
                // Whatever else is kept from before may be dead as well.
                Err(FusionError::Unreachable { .. }) if from_before && !anew => {
                    (this.way, anew) = (self.way(url, Connection::Fresh)?, true);
                    Some(Duration::ZERO)
                }
                _ => again(&outcome, number),
            };
            match pause {
                Some(pause) if number < tries && Instant::now() + pause < deadline => sleep(pause).await,
                _ => return outcome,
            }
            number += 1;
            if manner.in_turn {
                let began = Instant::now();
                if pace.turn(&this.way.host).await.is_err() {
                    return outcome;
                }
                deadline += began.elapsed();
            }
        }
    }

    fn pace(&self, host: &str) -> Rc<Pace> {
        self.paces.borrow_mut().entry(host.to_owned()).or_default().clone()
    }

    fn way(&self, url: &ApiUrl, connection: Connection) -> Result<Way<'_>, FusionError> {
        let route = Route::to(url);
        if route.loopback != self.loopback {
            return Err(FusionError::Setup { what: "the connection was made ready for another kind of url" });
        }
        let proxy = self.proxies.towards(url)?;
        let made = match (route.encrypted, proxy) {
            (false, _) => &self.plain,
            (true, None) => &self.encrypted,
            (true, Some(_)) => &self.tunnelled,
        };
        let (made, keep) = match connection {
            Connection::Kept => (&made.kept, true),
            Connection::Fresh => (&made.fresh, false),
        };
        if made.get().is_none() {
            let tls = if route.encrypted { self.tls()?.clone() } else { Tls::unused()? };
            let _ = made.set(transport::build(route, proxy, tls, keep)?);
        }
        let http = made.get().ok_or(FusionError::Setup { what: "the HTTP client was lost" })?;
        Ok(Way { http, host: url.authority().to_owned(), proxy })
    }

    /// Made once, since reading the system's certificates takes longer than all the rest.
    fn tls(&self) -> Result<&Tls, FusionError> {
        match self.tls.get() {
            Some(tls) => Ok(tls),
            None => Tls::new(self.ca_pem.as_deref()).map(|tls| self.tls.get_or_init(|| tls)),
        }
    }
}

impl Try<'_> {
    /// Takes note of an answer's head.
    pub(super) fn note(&self, response: &Response) {
        self.status.set(Some(response.status().as_u16()));
        self.retry_after.set(retry_after(response, self.clock.now()));
    }

    /// How long the server wants to be left alone, in seconds.
    pub(super) fn retry_after(&self) -> Option<u64> {
        self.retry_after.get()
    }

    /// By how many seconds our clock is ahead of the server's, if that is worth a word.
    pub(super) fn skew(&self, response: &Response) -> Option<i64> {
        header(response, &DATE).and_then(|date| skew(date, self.clock.now()))
    }
}

async fn exchange(request: &Request, this: &Try<'_>) -> Result<Grant, FusionError> {
    let response = this
        .way
        .http
        .post(this.url.join(request.path))
        .header(CONTENT_TYPE, request.content_type)
        .body(request.body.reveal().to_owned())
        .send()
        .await
        .map_err(|error| transport::explain(&error, &this.way, &request.redactor))?;
    this.note(&response);
    if response.status() != 200 {
        return Err(refusal(response, request, this).await);
    }
    let unusable = |what| FusionError::Unusable { host: this.way.host.clone(), what };
    let body = read(response).await.map_err(unusable)?;
    Grant::parse(&body, request.made_at).map_err(unusable)
}

/// What an answer means that is not a 200.
async fn refusal(response: Response, request: &Request, this: &Try<'_>) -> FusionError {
    let status = response.status().as_u16();
    let to = redirect(&response, &request.redactor);
    let clock_skew = this.skew(&response);
    // The status is worth more than its words: where they cannot be read, it stands alone.
    let message = match status {
        300..400 => String::new(),
        _ => read(response).await.map(|body| request.redactor.message(&body)).unwrap_or_default(),
    };
    let host = this.way.host.clone();
    match status {
        300..400 => FusionError::Redirect { host, status, to },
        400 | 401 | 403 => {
            FusionError::Rejected { host, status, message, clock_skew: clock_skew.filter(|_| status == 401) }
        }
        _ => FusionError::Status { host, status, message, retry_after: this.retry_after() },
    }
}

/// Where a redirect leads, fit to be shown.
pub(super) fn redirect(response: &Response, redactor: &Redactor) -> Option<String> {
    header(response, &LOCATION).and_then(|to| place(response, to)).map(|to| redactor.show(&to))
}

fn retry_after(response: &Response, now: Timestamp) -> Option<u64> {
    header(response, &RETRY_AFTER).and_then(|value| seconds_until(value, now))
}

/// The body, as long as it is plain and short.
async fn read(mut response: Response) -> Result<Zeroizing<Vec<u8>>, &'static str> {
    let headers: usize = response.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if headers > HEADER_CAP {
        return Err("its headers are larger than 64 KiB");
    }
    let encodings = response.headers().get_all(CONTENT_ENCODING);
    if encodings.iter().any(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Err("it is compressed, though that was not asked for");
    }
    let mut body = Zeroizing::new(Vec::new());
    while let Some(chunk) = response.chunk().await.map_err(|_| "it breaks off")? {
        if body.len() + chunk.len() > BODY_CAP {
            return Err("it is larger than 1 MiB");
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// How long to wait before the next try, besides for a turn where it is taken `in_turn`; `None`: there is to be none.
pub(super) fn pause(error: &FusionError, number: u32, in_turn: bool) -> Option<Duration> {
    match error {
        FusionError::Status { status, retry_after, .. } => pause_after(*status, *retry_after, number, in_turn),
        FusionError::NotSent { .. } | FusionError::Proxy { denied: false, .. } => Some(usual_pause(number)),
        _ => None,
    }
}

/// The same after an answer with this status; `retry_after` in seconds.
pub(super) fn pause_after(status: u16, retry_after: Option<u64>, number: u32, in_turn: bool) -> Option<Duration> {
    match (status, retry_after) {
        (429, _) | (503, Some(_)) if in_turn => Some(Duration::ZERO),
        (429 | 502..=504, Some(seconds)) => Some(Duration::from_secs(seconds).min(LONGEST)),
        (502..=504, None) => Some(usual_pause(number)),
        _ => None,
    }
}

/// Many processes that were refused together should not come back together.
fn usual_pause(number: u32) -> Duration {
    (PAUSE * 3_u32.pow(number - 1)).mul_f64(rand::rng().random_range(0.5..1.0))
}

fn header<'a>(response: &'a Response, name: &HeaderName) -> Option<&'a str> {
    response.headers().get(name)?.to_str().ok()
}

/// Where a `Location` leads, without user info, query and fragment.
fn place(response: &Response, location: &str) -> Option<String> {
    let mut to = response.url().join(location).ok()?;
    to.set_query(None);
    to.set_fragment(None);
    // Only where there is one: an address without a host cannot have it, nor have it taken away.
    if !to.username().is_empty() || to.password().is_some() {
        to.set_username("").ok()?;
        to.set_password(None).ok()?;
    }
    Some(to.into())
}

/// `Retry-After`: seconds, or a date, which is compared with our clock.
fn seconds_until(value: &str, now: Timestamp) -> Option<u64> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) {
        return Some(value.parse().unwrap_or(u64::MAX));
    }
    let wait = parse_date(value)?.as_second().saturating_sub(now.as_second());
    Some(u64::try_from(wait).unwrap_or(0))
}

/// By how many seconds our clock is ahead of the server's, if that is worth a word.
fn skew(date: &str, now: Timestamp) -> Option<i64> {
    let ahead = now.as_second() - parse_date(date)?.as_second();
    (ahead.abs() > SKEW).then_some(ahead)
}

fn parse_date(text: &str) -> Option<Timestamp> {
    DateTimeParser::new().parse_timestamp(text).ok()
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
