//! Client for the servers of the API: sends requests, retries them within limits, and converts the responses.
//!
//! Owns the retry rules, the timeouts and the choice of connection. Logins, calls, probes and forwarded requests are
//! all sent by [`Client::send_with_retries`].

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

/// Maximum number of attempts for a request, unless [`MAX_RATE_LIMITED_ATTEMPTS`] applies.
const MAX_ATTEMPTS: u32 = 3;
/// Maximum number of attempts after a 429, if the request shares a rate limit with other requests.
const MAX_RATE_LIMITED_ATTEMPTS: u32 = 10;
/// Maximum delay before the second attempt if no `Retry-After` applies. The maximum is tripled for the third attempt.
const FIRST_BACKOFF: Duration = Duration::from_millis(250);
/// Maximum size of the body of a response to a login or refresh.
const MAX_BODY_BYTES: usize = 1024 * 1024;
/// Maximum size of the headers of a response to a login or refresh.
const MAX_HEADER_BYTES: usize = 64 * 1024;
/// Upper bound for a request's timeout and for the delay that a `Retry-After` requests.
const MAX_TIMEOUT: Duration = Duration::from_secs(24 * 3_600);
/// Maximum difference from the server's clock that is not reported as clock skew.
const CLOCK_SKEW_TOLERANCE_SECONDS: i64 = 30;

/// Observer of requests, for `--verbose`. The arguments of these methods contain no secret, so they may be shown.
pub trait RequestObserver {
    /// Reports an attempt that ended after `millis` milliseconds. `status` is `None` if no response arrived. `attempt`
    /// counts from 1.
    fn request_ended(&self, method: &str, host: &str, path: &str, attempt: u32, status: Option<u16>, millis: u128);

    /// Reports that the server limits requests: requests to `host` now wait for the duration of `pause`.
    fn server_paused(&self, _host: &str, _pause: Duration) {}
}

/// Ignores all reports.
impl RequestObserver for () {
    fn request_ended(&self, _: &str, _: &str, _: &str, _: u32, _: Option<u16>, _: u128) {}
}

/// Client either for servers on this machine or for remote servers, never for both.
///
/// Creating a client takes a few milliseconds. Create a client only when a request is due, and share the client between
/// profiles with the same root certificates.
#[derive(Debug)]
pub struct Client {
    is_loopback: bool,
    proxies: Proxies,
    ca_pem: Option<Vec<u8>>,
    tls: OnceLock<Tls>,
    /// HTTP clients for plain http.
    plain: HttpClients,
    /// HTTP clients for https without a proxy.
    encrypted: HttpClients,
    /// HTTP clients for https through the proxy.
    tunneled: HttpClients,
    /// Rate limits by host. The host includes the port if the port is not the scheme's default.
    rate_limits: RefCell<HashMap<String, Rc<RateLimit>>>,
    /// Whether any response has arrived. Before the first response, no connection can have been reused.
    has_received_response: Cell<bool>,
}

/// The HTTP library's clients for one kind of route, each built at its first use.
#[derive(Debug, Default)]
struct HttpClients {
    /// Client that reuses open connections.
    reusing: OnceLock<reqwest::Client>,
    /// Client that opens a new connection for each request.
    single_use: OnceLock<reqwest::Client>,
}

/// Rule for reusing connections. If a reused connection breaks, it is unknown whether the server received the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ConnectionPolicy {
    /// Reuses an open connection if available. If that connection breaks, the request is sent again, once, over a new
    /// connection. Only for requests that may be repeated.
    Reuse,
    /// Opens a new connection. For requests that must not be sent twice.
    New,
}

/// Options of a request, the same for all of its attempts.
#[derive(Clone, Copy)]
pub struct CallOptions<'a> {
    /// Time limit for all attempts together, not including the wait for the rate limit. While a body is streamed, the
    /// maximum time without progress.
    pub timeout: Duration,
    /// Source of the current time.
    pub clock: Clock,
    /// Whether the request waits for the rate limit that all requests of this client to the same server share. False
    /// for a command that works on a single tenant.
    pub shares_rate_limit: bool,
    /// Observer of all attempts.
    pub observer: &'a dyn RequestObserver,
}

/// Attempt to send a request: its route and URL and, once a response has arrived, values from the response.
pub(super) struct Attempt<'a> {
    pub(super) route: Route<'a>,
    pub(super) url: &'a ApiUrl,
    clock: Clock,
    status: Cell<Option<u16>>,
    retry_after: Cell<Option<u64>>,
}

/// Method and path of a request, for the observer. The path has no query.
pub(super) struct RequestLabel<'a> {
    pub(super) method: &'a str,
    pub(super) path: &'a str,
}

impl Client {
    /// Creates a client for the API at `url`, and for other URLs of the same kind: all on this machine or all remote.
    /// Trusts the system's root certificates, or those of `SSL_CERT_FILE` and `SSL_CERT_DIR` if set. Also trusts the
    /// certificates in `ca_pem`.
    ///
    /// # Errors
    /// - `NoRoots` if `url` is https and no root certificate is found.
    /// - `CaFile` if `url` is https and `ca_pem` contains no certificate, or an invalid certificate.
    /// - `ProxySetting` if the proxy for `url` is unusable.
    /// - `Setup` if the HTTP library's client cannot be built.
    pub fn new(url: &ApiUrl, ca_pem: Option<&[u8]>, proxies: &Proxies) -> Result<Self, FusionError> {
        let client = Self {
            is_loopback: url.is_loopback(),
            proxies: proxies.clone(),
            ca_pem: ca_pem.map(<[u8]>::to_vec),
            tls: OnceLock::new(),
            plain: HttpClients::default(),
            encrypted: HttpClients::default(),
            tunneled: HttpClients::default(),
            rate_limits: RefCell::default(),
            has_received_response: Cell::new(false),
        };
        client.route(url, ConnectionPolicy::Reuse)?;
        Ok(client)
    }

    /// Logs in: requests an access token with a credential. With an API key, each attempt signs a new request token.
    ///
    /// Makes at most three attempts within the timeout. The login is retried:
    /// - if no connection was made, except after a TLS error or a 407 of the proxy;
    /// - after a 502, 503 or 504, and after a 429 with `Retry-After`;
    /// - after a broken connection, once, if that connection may have been reused.
    ///
    /// With `shares_rate_limit`, every 429 is retried, up to ten attempts.
    ///
    /// # Errors
    /// Returns the error of the last attempt. Before the first attempt, fails with:
    /// - the errors of [`Client::new`] for `url`;
    /// - `Setup` if the client is for servers on this machine and `url` is remote, or the reverse;
    /// - `Status` 429 if the wait for the shared rate limit would be too long.
    pub async fn login(
        &self,
        url: &ApiUrl,
        credential: &LoginCredential<'_>,
        options: CallOptions<'_>,
    ) -> Result<Grant, FusionError> {
        let label = RequestLabel { method: "POST", path: credential.login_path() };
        let send_attempt = async |attempt: &Attempt<'_>| {
            request_grant(&AuthRequest::login(credential, options.clock.now())?, attempt).await
        };
        let delay_after = |outcome: &Result<Grant, FusionError>, attempt_number| {
            retry_delay(outcome.as_ref().err()?, attempt_number, options.shares_rate_limit)
        };
        self.send_with_retries(url, &label, options, ConnectionPolicy::Reuse, send_attempt, delay_after).await
    }

    /// Requests new tokens with a refresh token. The request is sent at most once, because a second use of a refresh
    /// token can end the session. If [`FusionError::was_never_sent`] is true, the refresh token is still unused.
    ///
    /// # Errors
    /// Fails with the same errors as [`Client::login`], but makes only one attempt.
    pub async fn refresh(&self, url: &ApiUrl, token: &Secret, options: CallOptions<'_>) -> Result<Grant, FusionError> {
        let request = AuthRequest::refresh(token, options.clock.now());
        let label = RequestLabel { method: "POST", path: request.path };
        let send_attempt = async |attempt: &Attempt<'_>| request_grant(&request, attempt).await;
        self.send_with_retries(url, &label, options, ConnectionPolicy::New, send_attempt, |_, _| None).await
    }

    /// Sends a request, with retries. `delay_after` returns the delay before the next attempt, or `None` to stop. Also
    /// stops after the maximum number of attempts, and before an attempt that would start after the timeout.
    ///
    /// The wait for the shared rate limit does not count towards the timeout. Requests of other tenants cause this
    /// wait.
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
            let may_have_reused = connection == ConnectionPolicy::Reuse && self.has_received_response.get();
            let status = attempt.status.get();
            self.has_received_response.set(self.has_received_response.get() || status.is_some());
            options.observer.request_ended(
                label.method,
                &attempt.route.host,
                label.path,
                attempt_number,
                status,
                sent_at.elapsed().as_millis(),
            );
            let pause = status.and_then(|status| rate_limit.record_response(sent_at, status, attempt.retry_after()));
            if let Some(pause) = pause.filter(|_| options.shares_rate_limit) {
                options.observer.server_paused(&attempt.route.host, pause);
            }
            let max_attempts =
                if options.shares_rate_limit && status == Some(429) { MAX_RATE_LIMITED_ATTEMPTS } else { MAX_ATTEMPTS };
            let delay = match &outcome {
                // Retry over a new connection: the other open connections may be broken too.
                Err(FusionError::Unreachable { .. }) if may_have_reused && !has_reconnected => {
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
            (true, Some(_)) => &self.tunneled,
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

    /// Returns the TLS configuration. Builds the configuration only once, because loading root certificates is slow.
    fn tls(&self) -> Result<&Tls, FusionError> {
        match self.tls.get() {
            Some(tls) => Ok(tls),
            None => Tls::new(self.ca_pem.as_deref()).map(|tls| self.tls.get_or_init(|| tls)),
        }
    }
}

impl Attempt<'_> {
    /// Records the status and the `Retry-After` of the response.
    pub(super) fn record_head(&self, response: &Response) {
        self.status.set(Some(response.status().as_u16()));
        self.retry_after.set(retry_after(response, self.clock.now()));
    }

    /// Returns the `Retry-After` of the response, in seconds from now.
    pub(super) fn retry_after(&self) -> Option<u64> {
        self.retry_after.get()
    }

    /// Returns the number of seconds by which this machine's clock is ahead of the server's, negative if behind.
    /// Returns `None` if the difference is at most 30 s, or the response has no valid `Date`.
    pub(super) fn clock_skew(&self, response: &Response) -> Option<i64> {
        header_text(response, &DATE).and_then(|date| skew_from_date(date, self.clock.now()))
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
        return Err(auth_error(response, request, attempt).await);
    }
    let unusable_error = |what| FusionError::Unusable { host: attempt.route.host.clone(), what };
    let body = read_body(response).await.map_err(unusable_error)?;
    Grant::parse(&body, request.made_at).map_err(unusable_error)
}

/// Returns the error for a login or refresh whose response has a status other than 200.
async fn auth_error(response: Response, request: &AuthRequest, attempt: &Attempt<'_>) -> FusionError {
    let status = response.status().as_u16();
    let redirect_to = redirect_target(&response, &request.redactor);
    let clock_skew = attempt.clock_skew(&response);
    // If the body cannot be read, the message stays empty: the status is more important.
    let message = match status {
        300..400 => String::new(),
        _ => read_body(response).await.map(|body| error_message(&request.redactor, &body)).unwrap_or_default(),
    };
    let host = attempt.route.host.clone();
    match status {
        300..400 => FusionError::Redirect { host, status, to: redirect_to },
        400 | 401 | 403 => {
            FusionError::Rejected { host, status, message, clock_skew: clock_skew.filter(|_| status == 401) }
        }
        _ => FusionError::Status { host, status, message, retry_after: attempt.retry_after() },
    }
}

/// Returns the target of the `Location` header, redacted and sanitized for display.
pub(super) fn redirect_target(response: &Response, redactor: &Redactor) -> Option<String> {
    header_text(response, &LOCATION)
        .and_then(|to| resolve_location(response, to))
        .map(|to| redacted_line(redactor, &to))
}

fn retry_after(response: &Response, now: Timestamp) -> Option<u64> {
    header_text(response, &RETRY_AFTER).and_then(|value| parse_retry_after(value, now))
}

/// Reads the body of a response. Fails if the body is compressed, or if the headers or the body are too large.
async fn read_body(mut response: Response) -> Result<Zeroizing<Vec<u8>>, &'static str> {
    let header_bytes: usize =
        response.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if header_bytes > MAX_HEADER_BYTES {
        return Err("its headers are larger than 64 KiB");
    }
    let encodings = response.headers().get_all(CONTENT_ENCODING);
    if encodings.iter().any(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Err("it is compressed, though that was not asked for");
    }
    let mut body = Zeroizing::new(Vec::new());
    while let Some(chunk) = response.chunk().await.map_err(|_| "it breaks off")? {
        if body.len() + chunk.len() > MAX_BODY_BYTES {
            return Err("it is larger than 1 MiB");
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Returns the delay before the next attempt after an error, or `None` to stop. The delay does not include the wait for
/// the shared rate limit.
pub(super) fn retry_delay(error: &FusionError, attempt_number: u32, shares_rate_limit: bool) -> Option<Duration> {
    match error {
        FusionError::Status { status, retry_after, .. } => {
            retry_delay_after_status(*status, *retry_after, attempt_number, shares_rate_limit)
        }
        FusionError::NotSent { .. } | FusionError::Proxy { denied: false, .. } => Some(backoff(attempt_number)),
        _ => None,
    }
}

/// Returns the delay before the next attempt after a response with this status, or `None` to stop. `retry_after` is in
/// seconds.
pub(super) fn retry_delay_after_status(
    status: u16,
    retry_after: Option<u64>,
    attempt_number: u32,
    shares_rate_limit: bool,
) -> Option<Duration> {
    match (status, retry_after) {
        // The request waits in `RateLimit::wait_turn` instead.
        (429, _) | (503, Some(_)) if shares_rate_limit => Some(Duration::ZERO),
        (429 | 502..=504, Some(seconds)) => Some(Duration::from_secs(seconds).min(MAX_TIMEOUT)),
        (502..=504, None) => Some(backoff(attempt_number)),
        _ => None,
    }
}

/// Returns the delay before the next attempt if no `Retry-After` applies. The delay is random, so that processes do not
/// all retry at the same time.
fn backoff(attempt_number: u32) -> Duration {
    (FIRST_BACKOFF * 3_u32.pow(attempt_number - 1)).mul_f64(rand::rng().random_range(0.5..1.0))
}

fn header_text<'a>(response: &'a Response, name: &HeaderName) -> Option<&'a str> {
    response.headers().get(name)?.to_str().ok()
}

/// Resolves a `Location` against the request's URL. Removes user info, query and fragment: they may contain secrets.
fn resolve_location(response: &Response, location: &str) -> Option<String> {
    let mut target = response.url().join(location).ok()?;
    target.set_query(None);
    target.set_fragment(None);
    // These calls fail for a URL without a host, so they are made only if user info exists.
    if !target.username().is_empty() || target.password().is_some() {
        target.set_username("").ok()?;
        target.set_password(None).ok()?;
    }
    Some(target.into())
}

/// Parses the value of a `Retry-After` header, which contains seconds or a date. Returns the number of seconds from
/// `now`, or 0 for a date in the past.
fn parse_retry_after(value: &str, now: Timestamp) -> Option<u64> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) {
        return Some(value.parse().unwrap_or(u64::MAX));
    }
    let seconds = parse_date(value)?.as_second().saturating_sub(now.as_second());
    Some(u64::try_from(seconds).unwrap_or(0))
}

/// Returns the number of seconds by which `now` is ahead of a `Date` header. Returns `None` if the difference is within
/// the tolerance, or the date is invalid.
fn skew_from_date(date: &str, now: Timestamp) -> Option<i64> {
    let skew = now.as_second() - parse_date(date)?.as_second();
    (skew.abs() > CLOCK_SKEW_TOLERANCE_SECONDS).then_some(skew)
}

fn parse_date(text: &str) -> Option<Timestamp> {
    DateTimeParser::new().parse_timestamp(text).ok()
}

#[cfg(test)]
mod tests;
