//! Sends API calls with an access token, and streams the body of the response.
//!
//! Used for neto's own calls and for `neto api`. Requests from other programs go through `forward`.

use super::client::{
    Attempt, CallOptions, Client, ConnectionPolicy, RequestLabel, redirect_target, retry_delay,
    retry_delay_after_status,
};
use super::server_text::error_message;
use super::transport;
use super::{ApiPath, FusionError};
use crate::profile::ApiUrl;
use crate::secret::Redactor;
use crate::secret::Secret;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Response, StatusCode, Version};
use std::time::Duration;
use tokio::time::timeout;
use zeroize::Zeroizing;

/// Hop-by-hop headers, which apply to a single connection and must not be forwarded: the headers of RFC 9110, and the
/// nonstandard `keep-alive` and `proxy-connection`.
pub const HOP_BY_HOP: [&str; 9] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Call to the API.
#[derive(Debug, Clone)]
pub struct Call {
    /// HTTP method.
    pub method: Method,
    /// Path and query.
    pub path: ApiPath,
    /// Headers of the call. A header here replaces neto's default of the same name: `Accept` (JSON), `Accept-Encoding`
    /// (`identity`) or `User-Agent`. Must not contain `Authorization`.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Body, sent unchanged. `None` sends no body.
    pub body: Option<Vec<u8>>,
}

/// Response whose body has not been read yet.
#[derive(Debug)]
pub struct ApiResponse {
    response: Response,
    host: String,
    clock_skew: Option<i64>,
    retry_after: Option<u64>,
    redactor: Redactor,
    chunk_timeout: Duration,
}

impl Call {
    /// Creates a `GET` without additional headers and without a body.
    #[must_use]
    pub fn get(path: ApiPath) -> Self {
        Self { method: Method::GET, path, headers: Vec::new(), body: None }
    }

    /// Returns true if the call is read-only.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.path.is_read_only(&self.method)
    }
}

impl Client {
    /// Sends a call. A read-only call is retried like a login. A writing call is retried only if no connection was
    /// made, so that the server never receives the call twice.
    ///
    /// The timeout limits the time until the head of the response arrives, including retries. Afterwards the timeout
    /// limits the time between two chunks of the body.
    ///
    /// # Errors
    /// Returns the error of the last attempt if no response arrived. A response with any status is `Ok`. Before the
    /// first attempt, fails with the same errors as [`Client::login`].
    pub async fn call(
        &self,
        url: &ApiUrl,
        token: &Secret,
        call: &Call,
        options: CallOptions<'_>,
    ) -> Result<ApiResponse, FusionError> {
        let label = RequestLabel { method: call.method.as_str(), path: call.path.without_query() };
        let is_read_only = call.is_read_only();
        let delay_after = |outcome: &Result<ApiResponse, FusionError>, attempt_number| match outcome {
            Ok(response) if is_read_only => retry_delay_after_status(
                response.status().as_u16(),
                response.retry_after,
                attempt_number,
                options.shares_rate_limit,
            ),
            Err(error) if is_read_only || error.was_never_sent() => {
                retry_delay(error, attempt_number, options.shares_rate_limit)
            }
            _ => None,
        };
        let send_attempt = async |attempt: &Attempt<'_>| send(token, call, attempt, options.timeout).await;
        let connection = if is_read_only { ConnectionPolicy::Reuse } else { ConnectionPolicy::New };
        self.send_with_retries(url, &label, options, connection, send_attempt, delay_after).await
    }
}

async fn send(
    token: &Secret,
    call: &Call,
    attempt: &Attempt<'_>,
    chunk_timeout: Duration,
) -> Result<ApiResponse, FusionError> {
    let redactor = Redactor::new(vec![token.clone()]);
    let mut headers: HeaderMap = call.headers.iter().cloned().collect();
    headers.insert(AUTHORIZATION, bearer_authorization(token)?);
    let request =
        attempt.route.http.request(call.method.clone(), attempt.url.join(call.path.as_str())).headers(headers);
    let request = match &call.body {
        Some(body) => request.body(body.clone()),
        None => request,
    };
    let response =
        request.send().await.map_err(|error| transport::classify_error(&error, &attempt.route, &redactor))?;
    attempt.record_head(&response);
    let (clock_skew, retry_after) = (attempt.clock_skew(&response), attempt.retry_after());
    Ok(ApiResponse {
        response,
        host: attempt.route.host_with_proxy(),
        clock_skew,
        retry_after,
        redactor,
        chunk_timeout,
    })
}

/// Returns the `Authorization` header value for an access token, marked as sensitive.
///
/// # Errors
/// Returns `Setup` if the token contains characters that are not allowed in a header.
pub(super) fn bearer_authorization(token: &Secret) -> Result<HeaderValue, FusionError> {
    let mut header_text = Zeroizing::new(b"Bearer ".to_vec());
    header_text.extend_from_slice(token.reveal().as_bytes());
    let mut value = HeaderValue::from_bytes(&header_text)
        .map_err(|_| FusionError::Setup { what: "the token has characters that no header takes" })?;
    value.set_sensitive(true);
    Ok(value)
}

impl ApiResponse {
    /// Returns the HTTP status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.response.status()
    }

    /// Returns the HTTP version of the response.
    #[must_use]
    pub fn version(&self) -> Version {
        self.response.version()
    }

    /// Returns the headers, unchanged.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        self.response.headers()
    }

    /// Returns the next chunk of the body, unchanged, or `None` at the end of the body.
    ///
    /// # Errors
    /// Returns `Unreachable` if the connection breaks, and `Timeout` if no data arrives within the call's timeout.
    pub async fn chunk(&mut self) -> Result<Option<impl AsRef<[u8]> + use<>>, FusionError> {
        let host = || self.host.clone();
        match timeout(self.chunk_timeout, self.response.chunk()).await {
            Ok(Ok(chunk)) => Ok(chunk),
            Ok(Err(_)) => Err(FusionError::Unreachable { host: host(), why: "its answer breaks off".to_owned() }),
            Err(_) => Err(FusionError::Timeout { host: host(), seconds: self.chunk_timeout.as_secs() }),
        }
    }

    /// Reads the whole body.
    ///
    /// # Errors
    /// Returns `TooLarge` if the body is larger than `max_bytes`. Also fails with the same errors as
    /// [`ApiResponse::chunk`].
    pub async fn read_body(&mut self, max_bytes: usize) -> Result<Vec<u8>, FusionError> {
        let mut body = Vec::new();
        while let Some(chunk) = self.chunk().await? {
            body.extend_from_slice(chunk.as_ref());
            if body.len() > max_bytes {
                return Err(FusionError::TooLarge { host: self.host.clone(), cap: max_bytes });
            }
        }
        Ok(body)
    }

    /// Returns the error for a success response with an unusable body. `what` describes the problem as a sentence with
    /// the subject "it".
    #[must_use]
    pub fn unusable_error(&self, what: &'static str) -> FusionError {
        FusionError::Unusable { host: self.host.clone(), what }
    }

    /// Returns the error for a status other than 2xx. `body` is the part of the body that was read, and provides the
    /// server's message. A 3xx without a valid `Location`, such as a 304, becomes a `Refusal`.
    #[must_use]
    pub fn refusal_error(&self, body: &[u8]) -> FusionError {
        let (host, status) = (self.host.clone(), self.status().as_u16());
        match redirect_target(&self.response, &self.redactor) {
            Some(target) if self.status().is_redirection() => FusionError::Redirect { host, status, to: Some(target) },
            _ => FusionError::Refusal {
                host,
                status,
                message: error_message(&self.redactor, body),
                clock_skew: self.clock_skew.filter(|_| status == 401),
                retry_after: self.retry_after,
            },
        }
    }
}
