//! One question to the server and its answer: login with its retries, and refresh, which is sent once.

use super::request::Request;
use super::transport::{self, Route, Way};
use super::{FusionError, Grant, Login, Proxies};
use crate::clock::Clock;
use crate::profile::ApiUrl;
use crate::secret::Secret;
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use rand::RngExt;
use reqwest::Response;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, DATE, HeaderName, LOCATION, RETRY_AFTER};
use std::sync::OnceLock;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout_at};
use url::Url;
use zeroize::Zeroizing;

/// How often a login is tried in all.
const TRIES: u32 = 3;
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
}

/// Nobody is told.
impl Progress for () {
    fn asked(&self, _: &str, _: &str, _: &str, _: u32, _: Option<u16>, _: u128) {}
}

/// Asks the servers at the end of one route: those on this machine, or those beyond it. Costs some
/// milliseconds to make: make it when a request is due, and share it between profiles with the same roots.
#[derive(Debug, Clone)]
pub struct Client {
    loopback: bool,
    proxies: Proxies,
    ca_pem: Option<Vec<u8>>,
    plain: OnceLock<reqwest::Client>,
    encrypted: OnceLock<reqwest::Client>,
    /// By the proxy.
    tunnelled: OnceLock<reqwest::Client>,
}

/// One try: whom it asks, and how it is timed and told.
struct Try<'a> {
    way: &'a Way<'a>,
    url: &'a ApiUrl,
    number: u32,
    deadline: Instant,
    clock: Clock,
    tell: &'a dyn Progress,
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
            plain: OnceLock::new(),
            encrypted: OnceLock::new(),
            tunnelled: OnceLock::new(),
        };
        client.way(url)?;
        Ok(client)
    }

    /// Asks for a bearer token with a credential. Tried up to three times within `timeout`, with a new
    /// request token each time, where no connection came about, or on 502, 503, 504, or a 429 with a
    /// `Retry-After` that fits.
    ///
    /// # Errors
    /// Whatever the last try came to; `Setup` where `url` lies on this machine and the client was made for
    /// others, or the reverse.
    pub async fn login(
        &self,
        url: &ApiUrl,
        login: &Login<'_>,
        timeout: Duration,
        clock: Clock,
        tell: &dyn Progress,
    ) -> Result<Grant, FusionError> {
        let way = self.way(url)?;
        let deadline = Instant::now() + timeout.min(LONGEST);
        let mut number = 1;
        loop {
            let request = Request::login(login, clock.now())?;
            let outcome = try_once(&request, &Try { way: &way, url, number, deadline, clock, tell }, timeout).await;
            let Err(error) = outcome else { return outcome };
            match pause(&error, number) {
                Some(pause) if number < TRIES && Instant::now() + pause < deadline => sleep(pause).await,
                _ => return Err(error),
            }
            number += 1;
        }
    }

    /// Asks for a new pair of tokens with a refresh token. Sent once, whatever happens: a second use
    /// can end the session. [`FusionError::was_never_sent`] tells whether the token is still unused.
    ///
    /// # Errors
    /// What the one try came to; `Setup` as for a login.
    pub async fn refresh(
        &self,
        url: &ApiUrl,
        token: &Secret,
        timeout: Duration,
        clock: Clock,
        tell: &dyn Progress,
    ) -> Result<Grant, FusionError> {
        let way = self.way(url)?;
        let deadline = Instant::now() + timeout.min(LONGEST);
        let request = Request::refresh(token, clock.now());
        try_once(&request, &Try { way: &way, url, number: 1, deadline, clock, tell }, timeout).await
    }

    fn way(&self, url: &ApiUrl) -> Result<Way<'_>, FusionError> {
        let route = Route::to(url);
        if route.loopback != self.loopback {
            return Err(FusionError::Setup { what: "the connection was made ready for another kind of url" });
        }
        let proxy = self.proxies.towards(url)?;
        let kept = match (route.encrypted, proxy) {
            (false, _) => &self.plain,
            (true, None) => &self.encrypted,
            (true, Some(_)) => &self.tunnelled,
        };
        let http = match kept.get() {
            Some(http) => http,
            None => transport::build(route, proxy, self.ca_pem.as_deref()).map(|made| kept.get_or_init(|| made))?,
        };
        Ok(Way { http, host: host(url), proxy })
    }
}

/// Host, and port where it is not the usual one, to name in messages.
fn host(url: &ApiUrl) -> String {
    let parsed = Url::parse(&url.with_version()).ok();
    let host = parsed.as_ref().and_then(Url::host_str).unwrap_or_default();
    let port = parsed.as_ref().and_then(Url::port).map(|port| format!(":{port}"));
    host.to_owned() + &port.unwrap_or_default()
}

async fn try_once(request: &Request, this: &Try<'_>, timeout: Duration) -> Result<Grant, FusionError> {
    let started = Instant::now();
    let mut status = None;
    let outcome = timeout_at(this.deadline, exchange(request, this, &mut status))
        .await
        .unwrap_or_else(|_| Err(FusionError::Timeout { host: this.way.whom(), seconds: timeout.as_secs() }));
    this.tell.asked("POST", &this.way.host, request.path, this.number, status, started.elapsed().as_millis());
    outcome
}

async fn exchange(request: &Request, this: &Try<'_>, status: &mut Option<u16>) -> Result<Grant, FusionError> {
    let response = this
        .way
        .http
        .post(this.url.join(request.path))
        .header(CONTENT_TYPE, request.content_type)
        .body(request.body.reveal().to_owned())
        .send()
        .await
        .map_err(|error| transport::explain(&error, this.way, &request.redactor))?;
    let code = response.status().as_u16();
    *status = Some(code);
    if code != 200 {
        return Err(refusal(response, code, request, this).await);
    }
    let unusable = |what| FusionError::Unusable { host: this.way.host.clone(), what };
    let body = read(response).await.map_err(unusable)?;
    Grant::parse(&body, request.made_at).map_err(unusable)
}

/// What an answer means that is not a 200.
async fn refusal(response: Response, status: u16, request: &Request, this: &Try<'_>) -> FusionError {
    let host = this.way.host.clone();
    if (300..400).contains(&status) {
        let to = header(&response, &LOCATION).and_then(|to| place(&response, to)).map(|to| request.redactor.show(&to));
        return FusionError::Redirect { host, status, to };
    }
    let retry_after = header(&response, &RETRY_AFTER).and_then(|value| seconds_until(value, this.clock.now()));
    let clock_skew = header(&response, &DATE).filter(|_| status == 401).and_then(|date| skew(date, this.clock.now()));
    // The status is worth more than its words: where they cannot be read, it stands alone.
    let message = read(response).await.map(|body| request.redactor.message(&body)).unwrap_or_default();
    match status {
        400 | 401 | 403 => FusionError::Rejected { host, status, message, clock_skew },
        _ => FusionError::Status { host, status, message, retry_after },
    }
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

/// How long to wait before the next try; `None`: there is to be none.
fn pause(error: &FusionError, number: u32) -> Option<Duration> {
    match error {
        FusionError::Status { status: 429 | 502..=504, retry_after: Some(seconds), .. } => {
            Some(Duration::from_secs(*seconds).min(LONGEST))
        }
        FusionError::Status { status: 502..=504, .. }
        | FusionError::NotSent { .. }
        | FusionError::Proxy { denied: false, .. } => {
            // Many processes that were refused together should not come back together.
            Some(PAUSE * 3_u32.pow(number - 1)).map(|pause| pause.mul_f64(rand::rng().random_range(0.5..1.0)))
        }
        _ => None,
    }
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
