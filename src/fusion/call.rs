//! A call with a bearer token, and its answer as it comes.

use super::client::{Client, Connection, Label, Manner, Try, pause, pause_after, redirect};
use super::redact::Redactor;
use super::transport;
use super::{ApiPath, FusionError};
use crate::profile::ApiUrl;
use crate::secret::Secret;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Response, StatusCode, Version};
use std::time::Duration;
use tokio::time::timeout;
use zeroize::Zeroizing;

/// Headers that belong to one connection, says RFC 9110, and two that never became standard.
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

/// What is asked of the API.
#[derive(Debug, Clone)]
pub struct Call {
    /// `GET` and the like.
    pub method: Method,
    /// Where.
    pub path: ApiPath,
    /// In place of neto's own of the same name, which are `Accept` (JSON), `Accept-Encoding` (`identity`) and
    /// `User-Agent`; `Authorization` is not among them.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// As it is sent; absent for none.
    pub body: Option<Vec<u8>>,
}

/// An answer whose body is still to be read.
#[derive(Debug)]
pub struct Reply {
    response: Response,
    host: String,
    clock_skew: Option<i64>,
    retry_after: Option<u64>,
    redactor: Redactor,
    patience: Duration,
}

impl Call {
    /// A `GET` without anything else.
    #[must_use]
    pub fn get(path: ApiPath) -> Self {
        Self { method: Method::GET, path, headers: Vec::new(), body: None }
    }

    /// Whether it only reads.
    #[must_use]
    pub fn reads(&self) -> bool {
        self.path.reads(&self.method)
    }
}

impl Client {
    /// Makes a call. One that only reads is tried as often as a login; one that writes is sent once, unless it is certain
    /// that nothing was sent. The timeout is for the answer's head; its body may take as long as it keeps coming.
    ///
    /// # Errors
    /// What came of the last try without any answer. An answer is one, whatever its status.
    pub async fn call(
        &self,
        url: &ApiUrl,
        bearer: &Secret,
        call: &Call,
        manner: Manner<'_>,
    ) -> Result<Reply, FusionError> {
        let label = Label { method: call.method.as_str(), path: call.path.without_query() };
        let reads = call.reads();
        let again = |outcome: &Result<Reply, FusionError>, number| match outcome {
            Ok(reply) if reads => pause_after(reply.status().as_u16(), reply.retry_after, number, manner.in_turn),
            Err(error) if reads || error.was_never_sent() => pause(error, number, manner.in_turn),
            _ => None,
        };
        let ask = async |this: &Try<'_>| send(bearer, call, this, manner.timeout).await;
        let connection = if reads { Connection::Kept } else { Connection::Fresh };
        self.tried(url, &label, manner, connection, ask, again).await
    }
}

async fn send(bearer: &Secret, call: &Call, this: &Try<'_>, patience: Duration) -> Result<Reply, FusionError> {
    let redactor = Redactor::new(vec![bearer.clone()]);
    let mut headers: HeaderMap = call.headers.iter().cloned().collect();
    headers.insert(AUTHORIZATION, authorization(bearer)?);
    let request = this.way.http.request(call.method.clone(), this.url.join(call.path.whole())).headers(headers);
    let request = match &call.body {
        Some(body) => request.body(body.clone()),
        None => request,
    };
    let response = request.send().await.map_err(|error| transport::explain(&error, &this.way, &redactor))?;
    this.note(&response);
    let (clock_skew, retry_after) = (this.skew(&response), this.retry_after());
    Ok(Reply { response, host: this.way.whom(), clock_skew, retry_after, redactor, patience })
}

/// The header that carries a token.
pub(super) fn authorization(bearer: &Secret) -> Result<HeaderValue, FusionError> {
    let mut text = Zeroizing::new(b"Bearer ".to_vec());
    text.extend_from_slice(bearer.reveal().as_bytes());
    let mut value = HeaderValue::from_bytes(&text)
        .map_err(|_| FusionError::Setup { what: "the token has characters that no header takes" })?;
    value.set_sensitive(true);
    Ok(value)
}

impl Reply {
    /// The status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.response.status()
    }

    /// The version of HTTP that the server spoke.
    #[must_use]
    pub fn version(&self) -> Version {
        self.response.version()
    }

    /// The headers, as they came.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        self.response.headers()
    }

    /// The next piece of the body, as it came; nothing at its end.
    ///
    /// # Errors
    /// `Unreachable` where it breaks off, `Timeout` where nothing comes for as long as a request may take.
    pub async fn chunk(&mut self) -> Result<Option<impl AsRef<[u8]> + use<>>, FusionError> {
        let host = || self.host.clone();
        match timeout(self.patience, self.response.chunk()).await {
            Ok(Ok(chunk)) => Ok(chunk),
            Ok(Err(_)) => Err(FusionError::Unreachable { host: host(), why: "its answer breaks off".to_owned() }),
            Err(_) => Err(FusionError::Timeout { host: host(), seconds: self.patience.as_secs() }),
        }
    }

    /// The whole body.
    ///
    /// # Errors
    /// As [`Reply::chunk`]; `TooLarge` where it is larger than `cap` bytes.
    pub async fn whole(&mut self, cap: usize) -> Result<Vec<u8>, FusionError> {
        let mut body = Vec::new();
        while let Some(chunk) = self.chunk().await? {
            body.extend_from_slice(chunk.as_ref());
            if body.len() > cap {
                return Err(FusionError::TooLarge { host: self.host.clone(), cap });
            }
        }
        Ok(body)
    }

    /// A success that holds nothing of use; `what` is a sentence about "it".
    #[must_use]
    pub fn unusable(&self, what: &'static str) -> FusionError {
        FusionError::Unusable { host: self.host.clone(), what }
    }

    /// What an answer means that is no success; `body` as far as it was read. A 3xx that leads nowhere (a 304, say) is a
    /// refusal like any other.
    #[must_use]
    pub fn refusal(&self, body: &[u8]) -> FusionError {
        let (host, status) = (self.host.clone(), self.status().as_u16());
        match redirect(&self.response, &self.redactor) {
            Some(to) if self.status().is_redirection() => FusionError::Redirect { host, status, to: Some(to) },
            _ => FusionError::Refusal {
                host,
                status,
                message: self.redactor.message(body),
                clock_skew: self.clock_skew.filter(|_| status == 401),
                retry_after: self.retry_after,
            },
        }
    }
}
