//! Client for the servers of the API: sends a request, retries within limits, and maps the answer to a result or an
//! error.

use super::rate_limit::RateLimit;
use super::request::AuthRequest;
use super::server_text::{error_message, redacted_line};
use super::transport::{self, Route, Tls, TransportKind};
use super::{FusionError, Grant, LoginCredential, Proxies};
use crate::clock::Clock;
use crate::profile::ApiUrl;
use crate::secret::Redactor;
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

/// Maximum number of attempts of a login or of a read-only call.
const MAX_ATTEMPTS: u32 = 3;
/// Maximum number of attempts if the server answers 429 and the requests of this process share its rate limit.
const MAX_RATE_LIMITED_ATTEMPTS: u32 = 10;
/// Delay before the second attempt if the server names none; the delay before the third is three times as long.
const FIRST_BACKOFF: Duration = Duration::from_millis(250);
/// Maximum size of an answer's body, in bytes.
const BODY_CAP: usize = 1024 * 1024;
/// Maximum size of an answer's headers, in bytes.
const HEADER_CAP: usize = 64 * 1024;
/// Maximum timeout of a request, whatever a profile says.
const MAX_TIMEOUT: Duration = Duration::from_secs(24 * 3_600);
/// Clock difference that is tolerated, in seconds. A larger difference is reported.
const SKEW_TOLERANCE: i64 = 30;

/// Observer of requests, for `--verbose`. Its arguments are all that may be shown of a request.
pub trait RequestObserver {
    /// Reports an attempt that ended after `millis` milliseconds. `status` is `None` if there was no answer. `attempt`
    /// counts from 1.
    fn request_ended(&self, method: &str, host: &str, path: &str, attempt: u32, status: Option<u16>, millis: u128);

    /// Reports that the server limits the rate of requests: none is sent to it for the duration of `pause`.
    fn server_paused(&self, _host: &str, _pause: Duration) {}
}

/// Ignores all reports.
impl RequestObserver for () {
    fn request_ended(&self, _: &str, _: &str, _: &str, _: u32, _: Option<u16>, _: u128) {}
}

/// HTTP client either for servers on this machine or for servers beyond it. Creation takes some milliseconds: create a
/// client when a request is due, and share it between profiles with the same root certificates.
#[derive(Debug)]
pub struct Client {
    is_loopback: bool,
    proxies: Proxies,
    ca_pem: Option<Vec<u8>>,
    tls: OnceLock<Tls>,
    plain: HttpClients,
    encrypted: HttpClients,
    /// Clients that use the proxy.
    tunnelled: HttpClients,
    /// Rate limits by host.
    rate_limits: RefCell<HashMap<String, Rc<RateLimit>>>,
    /// True once a server answered, so that a reused connection is possible.
    has_answered: Cell<bool>,
}

/// HTTP clients of the library for one route.
#[derive(Debug, Default)]
struct HttpClients {
    reusing: OnceLock<reqwest::Client>,
    single_use: OnceLock<reqwest::Client>,
}

/// Rule for reusing a connection. A reused connection may be broken, and then it is unknown whether the request was
/// sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ConnectionPolicy {
    /// Reuses an open connection if there is one. If the connection breaks, requests that may be repeated are sent
    /// again.
    Reuse,
    /// Opens a new connection, for requests that must not be sent twice.
    New,
}

/// Options of a call, the same for all of its attempts.
#[derive(Clone, Copy)]
pub struct CallOptions<'a> {
    /// Time limit for all attempts together.
    pub timeout: Duration,
    /// Clock that gives the current time.
    pub clock: Clock,
    /// True if all requests of this process wait for the shared rate limit after a 429. False for a command that works
    /// on one tenant only.
    pub shares_rate_limit: bool,
    /// Observer that gets a report of each attempt.
    pub observer: &'a dyn RequestObserver,
}

/// One attempt: its route and url, and the values from the head of the answer so far.
pub(super) struct Attempt<'a> {
    pub(super) route: Route<'a>,
    pub(super) url: &'a ApiUrl,
    clock: Clock,
    status: Cell<Option<u16>>,
    retry_after: Cell<Option<u64>>,
}

/// Method and path, without the query, of a request in reports.
pub(super) struct RequestLabel<'a> {
    pub(super) method: &'a str,
    pub(super) path: &'a str,
}

impl Client {
    /// Creates a client for the API at `url` and for others of the same kind: on this machine, or beyond it. Trusts the
    /// system's root certificates (`SSL_CERT_FILE` and `SSL_CERT_DIR` replace them) and the certificates in `ca_pem`.
    ///
    /// # Errors
    /// - `NoRoots` if https finds no root certificates.
    /// - `CaFile` if `ca_pem` is not a list of certificates.
    /// - `ProxySetting` if the environment names an unusable proxy.
    pub fn new(url: &ApiUrl, ca_pem: Option<&[u8]>, proxies: &Proxies) -> Result<Self, FusionError> {
        let client = Self {
            is_loopback: url.is_loopback(),
            proxies: proxies.clone(),
            ca_pem: ca_pem.map(<[u8]>::to_vec),
            tls: OnceLock::new(),
            plain: HttpClients::default(),
            encrypted: HttpClients::default(),
            tunnelled: HttpClients::default(),
            rate_limits: RefCell::default(),
            has_answered: Cell::new(false),
        };
        client.route(url, ConnectionPolicy::Reuse)?;
        Ok(client)
    }

    /// Requests an access token with a credential, in at most three attempts within the timeout. Each attempt has a new
    /// request token.
    ///
    /// An attempt is repeated if no connection was made, and on 502, 503 and 504. It is also repeated on a 429 whose
    /// `Retry-After` fits into the timeout.
    ///
    /// # Errors
    /// Error of the last attempt. `Setup` if the client was made for this machine and `url` is beyond it, or the
    /// reverse.
    pub async fn login(
        &self,
        url: &ApiUrl,
        login: &LoginCredential<'_>,
        options: CallOptions<'_>,
    ) -> Result<Grant, FusionError> {
        let label = RequestLabel { method: "POST", path: login.path() };
        let send_attempt = async |attempt: &Attempt<'_>| {
            request_grant(&AuthRequest::login(login, options.clock.now())?, attempt).await
        };
        let delay_after = |outcome: &Result<Grant, FusionError>, attempt_number| {
            retry_delay(outcome.as_ref().err()?, attempt_number, options.shares_rate_limit)
        };
        self.send_with_retries(url, &label, options, ConnectionPolicy::Reuse, send_attempt, delay_after).await
    }

    /// Requests new tokens with a refresh token. The request is sent once: a second use of the token can end the
    /// session. [`FusionError::was_never_sent`] says whether the token is still unused.
    ///
    /// # Errors
    /// Error of the one attempt; `Setup` as for a login.
    pub async fn refresh(&self, url: &ApiUrl, token: &Secret, options: CallOptions<'_>) -> Result<Grant, FusionError> {
        let request = AuthRequest::refresh(token, options.clock.now());
        let label = RequestLabel { method: "POST", path: request.path };
        let send_attempt = async |attempt: &Attempt<'_>| request_grant(&request, attempt).await;
        self.send_with_retries(url, &label, options, ConnectionPolicy::New, send_attempt, |_, _| None).await
    }

    /// Sends a request until `delay_after` returns `None`, the attempts are used up, or the timeout is over. The wait
    /// for the shared rate limit does not count towards the timeout: requests of all tenants cause it.
    pub(super) async fn send_with_retries<T>(
        &self,
        url: &ApiUrl,
        label: &RequestLabel<'_>,
        options: CallOptions<'_>,
        connection: ConnectionPolicy,
        send_attempt: impl AsyncFn(&Attempt<'_>) -> Result<T, FusionError>,
        delay_after: impl Fn(&Result<T, FusionError>, u32) -> Option<Duration>,
    ) -> Result<T, FusionError> {
        let mut attempt = Attempt {
            route: self.route(url, connection)?,
            url,
            clock: options.clock,
            status: Cell::default(),
            retry_after: Cell::default(),
        };
        let rate_limit = self.rate_limit(&attempt.route.host);
        if options.shares_rate_limit {
            rate_limit.wait_turn(&attempt.route.host).await?;
        }
        let mut deadline = Instant::now() + options.timeout.min(MAX_TIMEOUT);
        let (mut attempt_number, mut has_reconnected) = (1, false);
        loop {
            (attempt.status, attempt.retry_after) = Default::default();
            let sent_at = Instant::now();
            let outcome = timeout_at(deadline, send_attempt(&attempt)).await.unwrap_or_else(|_| {
                Err(FusionError::Timeout { host: attempt.route.host_with_proxy(), seconds: options.timeout.as_secs() })
            });
            let may_reuse = connection == ConnectionPolicy::Reuse && self.has_answered.get();
            let status = attempt.status.get();
            self.has_answered.set(self.has_answered.get() || status.is_some());
            options.observer.request_ended(
                label.method,
                &attempt.route.host,
                label.path,
                attempt_number,
                status,
                sent_at.elapsed().as_millis(),
            );
            let pause = status.and_then(|status| rate_limit.record_answer(sent_at, status, attempt.retry_after()));
            if let Some(pause) = pause.filter(|_| options.shares_rate_limit) {
                options.observer.server_paused(&attempt.route.host, pause);
            }
            let max_attempts =
                if options.shares_rate_limit && status == Some(429) { MAX_RATE_LIMITED_ATTEMPTS } else { MAX_ATTEMPTS };
            let delay = match &outcome {
                // Other open connections may be broken as well.
                Err(FusionError::Unreachable { .. }) if may_reuse && !has_reconnected => {
                    (attempt.route, has_reconnected) = (self.route(url, ConnectionPolicy::New)?, true);
                    Some(Duration::ZERO)
                }
                _ => delay_after(&outcome, attempt_number),
            };
            match delay {
                Some(delay) if attempt_number < max_attempts && Instant::now() + delay < deadline => sleep(delay).await,
                _ => return outcome,
            }
            attempt_number += 1;
            if options.shares_rate_limit {
                let wait_began = Instant::now();
                if rate_limit.wait_turn(&attempt.route.host).await.is_err() {
                    return outcome;
                }
                deadline += wait_began.elapsed();
            }
        }
    }

    fn rate_limit(&self, host: &str) -> Rc<RateLimit> {
        self.rate_limits.borrow_mut().entry(host.to_owned()).or_default().clone()
    }

    fn route(&self, url: &ApiUrl, connection: ConnectionPolicy) -> Result<Route<'_>, FusionError> {
        let kind = TransportKind::for_url(url);
        if kind.is_loopback != self.is_loopback {
            return Err(FusionError::Setup { what: "the connection was made ready for another kind of url" });
        }
        let proxy = self.proxies.proxy_for(url)?;
        let clients = match (kind.is_encrypted, proxy) {
            (false, _) => &self.plain,
            (true, None) => &self.encrypted,
            (true, Some(_)) => &self.tunnelled,
        };
        let (client, reuse_connections) = match connection {
            ConnectionPolicy::Reuse => (&clients.reusing, true),
            ConnectionPolicy::New => (&clients.single_use, false),
        };
        if client.get().is_none() {
            let tls = if kind.is_encrypted { self.tls()?.clone() } else { Tls::without_roots()? };
            let _ = client.set(transport::build_http_client(kind, proxy, tls, reuse_connections)?);
        }
        let http = client.get().ok_or(FusionError::Setup { what: "the HTTP client was lost" })?;
        Ok(Route { http, host: url.authority().to_owned(), proxy })
    }

    /// Returns the TLS configuration. It is built once because loading the system's certificates is slow.
    fn tls(&self) -> Result<&Tls, FusionError> {
        match self.tls.get() {
            Some(tls) => Ok(tls),
            None => Tls::new(self.ca_pem.as_deref()).map(|tls| self.tls.get_or_init(|| tls)),
        }
    }
}

impl Attempt<'_> {
    /// Records status and `Retry-After` of an answer.
    pub(super) fn record_head(&self, response: &Response) {
        self.status.set(Some(response.status().as_u16()));
        self.retry_after.set(retry_after(response, self.clock.now()));
    }

    /// Returns the `Retry-After` of the answer, in seconds.
    pub(super) fn retry_after(&self) -> Option<u64> {
        self.retry_after.get()
    }

    /// Returns by how many seconds this machine's clock is ahead of the server's, if the difference is worth reporting.
    pub(super) fn clock_skew(&self, response: &Response) -> Option<i64> {
        header(response, &DATE).and_then(|date| clock_skew(date, self.clock.now()))
    }
}

async fn request_grant(request: &AuthRequest, attempt: &Attempt<'_>) -> Result<Grant, FusionError> {
    let response = attempt
        .route
        .http
        .post(attempt.url.join(request.path))
        .header(CONTENT_TYPE, request.content_type)
        .body(request.body.reveal().to_owned())
        .send()
        .await
        .map_err(|error| transport::classify_error(&error, &attempt.route, &request.redactor))?;
    attempt.record_head(&response);
    if response.status() != 200 {
        return Err(login_refusal(response, request, attempt).await);
    }
    let unusable = |what| FusionError::Unusable { host: attempt.route.host.clone(), what };
    let body = read_body(response).await.map_err(unusable)?;
    Grant::parse(&body, request.made_at).map_err(unusable)
}

/// Returns the error for an answer other than a 200.
async fn login_refusal(response: Response, request: &AuthRequest, attempt: &Attempt<'_>) -> FusionError {
    let status = response.status().as_u16();
    let to = redirect_target(&response, &request.redactor);
    let clock_skew = attempt.clock_skew(&response);
    // The status matters more than the message: if the message cannot be read, it stays empty.
    let message = match status {
        300..400 => String::new(),
        _ => read_body(response).await.map(|body| error_message(&request.redactor, &body)).unwrap_or_default(),
    };
    let host = attempt.route.host.clone();
    match status {
        300..400 => FusionError::Redirect { host, status, to },
        400 | 401 | 403 => {
            FusionError::Rejected { host, status, message, clock_skew: clock_skew.filter(|_| status == 401) }
        }
        _ => FusionError::Status { host, status, message, retry_after: attempt.retry_after() },
    }
}

/// Returns the target of a redirect, sanitized for display.
pub(super) fn redirect_target(response: &Response, redactor: &Redactor) -> Option<String> {
    header(response, &LOCATION).and_then(|to| resolve_location(response, to)).map(|to| redacted_line(redactor, &to))
}

fn retry_after(response: &Response, now: Timestamp) -> Option<u64> {
    header(response, &RETRY_AFTER).and_then(|value| seconds_until(value, now))
}

/// Reads the body, unless it is compressed or too large.
async fn read_body(mut response: Response) -> Result<Zeroizing<Vec<u8>>, &'static str> {
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

/// Returns the delay before the next attempt, or `None` if there is no retry. The wait for the shared rate limit is not
/// part of the delay.
pub(super) fn retry_delay(error: &FusionError, attempt_number: u32, shares_rate_limit: bool) -> Option<Duration> {
    match error {
        FusionError::Status { status, retry_after, .. } => {
            retry_delay_after_status(*status, *retry_after, attempt_number, shares_rate_limit)
        }
        FusionError::NotSent { .. } | FusionError::Proxy { denied: false, .. } => Some(backoff(attempt_number)),
        _ => None,
    }
}

/// Returns the delay after an answer with this status; `retry_after` is in seconds.
pub(super) fn retry_delay_after_status(
    status: u16,
    retry_after: Option<u64>,
    attempt_number: u32,
    shares_rate_limit: bool,
) -> Option<Duration> {
    match (status, retry_after) {
        (429, _) | (503, Some(_)) if shares_rate_limit => Some(Duration::ZERO),
        (429 | 502..=504, Some(seconds)) => Some(Duration::from_secs(seconds).min(MAX_TIMEOUT)),
        (502..=504, None) => Some(backoff(attempt_number)),
        _ => None,
    }
}

/// Returns the delay if the server names none. The delay is random, so that processes refused together do not retry
/// together.
fn backoff(attempt_number: u32) -> Duration {
    (FIRST_BACKOFF * 3_u32.pow(attempt_number - 1)).mul_f64(rand::rng().random_range(0.5..1.0))
}

fn header<'a>(response: &'a Response, name: &HeaderName) -> Option<&'a str> {
    response.headers().get(name)?.to_str().ok()
}

/// Resolves a `Location` to an address without user info, query and fragment.
fn resolve_location(response: &Response, location: &str) -> Option<String> {
    let mut to = response.url().join(location).ok()?;
    to.set_query(None);
    to.set_fragment(None);
    // Only if there is user info: for an address without a host, these calls fail.
    if !to.username().is_empty() || to.password().is_some() {
        to.set_username("").ok()?;
        to.set_password(None).ok()?;
    }
    Some(to.into())
}

/// Parses `Retry-After`: seconds, or a date, which is compared with this machine's clock.
fn seconds_until(value: &str, now: Timestamp) -> Option<u64> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) {
        return Some(value.parse().unwrap_or(u64::MAX));
    }
    let wait = parse_date(value)?.as_second().saturating_sub(now.as_second());
    Some(u64::try_from(wait).unwrap_or(0))
}

/// Returns by how many seconds this machine's clock is ahead of the server's, if the difference is worth reporting.
fn clock_skew(date: &str, now: Timestamp) -> Option<i64> {
    let ahead = now.as_second() - parse_date(date)?.as_second();
    (ahead.abs() > SKEW_TOLERANCE).then_some(ahead)
}

fn parse_date(text: &str) -> Option<Timestamp> {
    DateTimeParser::new().parse_timestamp(text).ok()
}

#[cfg(test)]
mod tests;
