//! Forwards another program's request with a real access token, and streams the response back.
//!
//! Decides how a request is sent, and when an upload times out. The caller decides which requests and headers are
//! forwarded.

use super::client::{Attempt, CallOptions, Client, ConnectionPolicy, RequestLabel};
use super::{ApiPath, FusionError, call, transport};
use crate::profile::ApiUrl;
use crate::secret::Redactor;
use crate::secret::Secret;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use reqwest::Method;
use reqwest::header::{AUTHORIZATION, HeaderMap};
use std::cell::Cell;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::timeout;
use url::Url;

/// Time limit for a streamed request, even if its body makes progress.
const MAX_UPLOAD_DURATION: Duration = Duration::from_secs(24 * 3_600);

/// Response whose body has not been read yet.
pub type ForwardedResponse = hyper::Response<reqwest::Body>;

/// Head of a request to forward.
#[derive(Debug, Clone)]
pub struct ForwardHead {
    /// HTTP method.
    pub method: Method,
    /// Path and query.
    pub path: ApiPath,
    /// Headers, sent unchanged. Must not contain `Authorization`. neto adds its default for a missing `Accept`,
    /// `Accept-Encoding` or `User-Agent`.
    pub headers: HeaderMap,
}

/// Body of a request to forward.
#[derive(Debug)]
pub enum ForwardBody {
    /// Complete body, which can be sent again.
    Buffered(Bytes),
    /// Body that is sent while it arrives. Cannot be sent again.
    Streamed(StreamedBody),
}

/// Request body that is sent while it arrives from the other program.
#[derive(Debug)]
pub struct StreamedBody {
    body: Incoming,
    progress: Arc<StreamProgress>,
}

/// Progress of a [`StreamedBody`], readable while the body is being sent.
#[derive(Debug, Default)]
pub struct StreamProgress {
    /// Number of body bytes that were passed on to the HTTP library.
    bytes: AtomicUsize,
    has_ended: AtomicBool,
}

impl ForwardHead {
    /// Returns true if the request is read-only.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.path.is_read_only(&self.method)
    }
}

impl ForwardBody {
    /// Creates a body that is sent while it arrives. Returns the body and its progress.
    #[must_use]
    pub fn streamed(body: Incoming) -> (Self, Arc<StreamProgress>) {
        let progress = Arc::new(StreamProgress::default());
        (Self::Streamed(StreamedBody { body, progress: Arc::clone(&progress) }), progress)
    }
}

impl StreamProgress {
    /// Returns true if no more of the body will arrive: the body is complete, or reading it failed.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::Relaxed)
    }
}

impl Body for StreamedBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        match &frame {
            Some(Ok(frame)) => {
                let count = frame.data_ref().map_or(0, Bytes::len);
                self.progress.bytes.fetch_add(count, Ordering::Relaxed);
                self.progress.has_ended.store(self.body.is_end_stream(), Ordering::Relaxed);
            }
            _ => self.progress.has_ended.store(true, Ordering::Relaxed),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Client {
    /// Forwards a request. A read-only request with a buffered body may reuse an open connection. If that connection
    /// breaks, the request is sent again, once. Any other request is sent once, over a new connection.
    ///
    /// The timeout limits the time until the head of the response arrives. For a streamed body, the timeout limits only
    /// the time without progress, and the request may take 24 hours.
    ///
    /// # Errors
    /// Returns the error of the last attempt if no response arrived. A response with any status is `Ok`. Before the
    /// first attempt, fails with the same errors as [`Client::login`].
    pub async fn forward(
        &self,
        url: &ApiUrl,
        token: &Secret,
        head: &ForwardHead,
        body: ForwardBody,
        options: CallOptions<'_>,
    ) -> Result<ForwardedResponse, FusionError> {
        let label = RequestLabel { method: head.method.as_str(), path: head.path.without_query() };
        let no_retry = |_: &Result<ForwardedResponse, FusionError>, _| None;
        match body {
            ForwardBody::Buffered(body) => {
                let connection = if head.is_read_only() { ConnectionPolicy::Reuse } else { ConnectionPolicy::New };
                let send_attempt = async |attempt: &Attempt<'_>| send(token, head, body.clone().into(), attempt).await;
                self.send_with_retries(url, &label, options, connection, send_attempt, no_retry).await
            }
            ForwardBody::Streamed(stream) => {
                let (progress, stream) = (Arc::clone(&stream.progress), Cell::new(Some(stream)));
                let send_attempt = async |attempt: &Attempt<'_>| {
                    let stream = stream.take().ok_or(FusionError::Setup { what: "its body was sent already" })?;
                    let sending = send(token, head, reqwest::Body::wrap(stream), attempt);
                    unless_stalled(sending, &progress, options.timeout).await.unwrap_or_else(|| {
                        Err(FusionError::Timeout {
                            host: attempt.route.host_with_proxy(),
                            seconds: options.timeout.as_secs(),
                        })
                    })
                };
                let upload_options = CallOptions { timeout: MAX_UPLOAD_DURATION, ..options };
                self.send_with_retries(url, &label, upload_options, ConnectionPolicy::New, send_attempt, no_retry).await
            }
        }
    }
}

async fn send(
    token: &Secret,
    head: &ForwardHead,
    body: reqwest::Body,
    attempt: &Attempt<'_>,
) -> Result<ForwardedResponse, FusionError> {
    let request_url = Url::parse(&attempt.url.join(head.path.as_str()))
        .map_err(|_| FusionError::Setup { what: "its address cannot be read" })?;
    let mut request = reqwest::Request::new(head.method.clone(), request_url);
    request.headers_mut().clone_from(&head.headers);
    request.headers_mut().insert(AUTHORIZATION, call::bearer_authorization(token)?);
    // With an empty body, the library would add a `Content-Length` header, even to a GET.
    let is_empty = body.as_bytes().is_some_and(<[u8]>::is_empty);
    if !(is_empty && head.is_read_only()) {
        *request.body_mut() = Some(body);
    }
    let redactor = || Redactor::new(vec![token.clone()]);
    let result = attempt.route.http.execute(request).await;
    let response = result.map_err(|error| transport::classify_error(&error, &attempt.route, &redactor()))?;
    attempt.record_head(&response);
    Ok(response.into())
}

/// Returns the result of `sending`, which ends when a response arrives. Returns `None` after a `stall_timeout` without
/// a response and without further bytes of the body.
async fn unless_stalled<T>(
    sending: impl Future<Output = T>,
    progress: &StreamProgress,
    stall_timeout: Duration,
) -> Option<T> {
    let mut sending = pin!(sending);
    let mut bytes_before = progress.bytes.load(Ordering::Relaxed);
    loop {
        if let Ok(result) = timeout(stall_timeout, &mut sending).await {
            return Some(result);
        }
        let bytes_now = progress.bytes.load(Ordering::Relaxed);
        if bytes_now == bytes_before {
            return None;
        }
        bytes_before = bytes_now;
    }
}
