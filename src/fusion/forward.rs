//! A request of another program, passed on as it came with the real bearer, and its answer as it comes.
//!
//! Owns how such a request is sent and when it is given up. Which requests are passed on at all, and what of them, is
//! for the caller to say.

use super::client::{Client, Connection, Label, Manner, Try};
use super::redact::Redactor;
use super::{ApiPath, FusionError, call, transport};
use crate::profile::ApiUrl;
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

/// An upload may take this long, as long as it goes on.
const LONGEST: Duration = Duration::from_secs(24 * 3_600);

/// An answer whose body is still to come, as the server sent it.
pub type Passed = hyper::Response<reqwest::Body>;

/// What a request asks for.
#[derive(Debug, Clone)]
pub struct Head {
    /// `GET` and the like.
    pub method: Method,
    /// Where.
    pub path: ApiPath,
    /// As they are sent; `Authorization` is not among them.
    pub headers: HeaderMap,
}

/// The body of a request.
#[derive(Debug)]
pub enum Upload {
    /// All of it, so that it can be sent again.
    Whole(Bytes),
    /// As it comes; it can be sent once.
    Stream(Stream),
}

/// A body on its way.
#[derive(Debug)]
pub struct Stream {
    body: Incoming,
    flow: Arc<Flow>,
}

/// How far a body on its way has come.
#[derive(Debug, Default)]
pub struct Flow {
    bytes: AtomicUsize,
    is_over: AtomicBool,
}

impl Head {
    /// Whether the request only reads.
    #[must_use]
    pub fn reads(&self) -> bool {
        self.path.reads(&self.method)
    }
}

impl Upload {
    /// A body that is sent as it comes, and how far it has come.
    #[must_use]
    pub fn stream(body: Incoming) -> (Self, Arc<Flow>) {
        let flow = Arc::new(Flow::default());
        (Self::Stream(Stream { body, flow: Arc::clone(&flow) }), flow)
    }
}

impl Flow {
    /// Whether the last of it has come.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }
}

impl Body for Stream {
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
                self.flow.bytes.fetch_add(count, Ordering::Relaxed);
                self.flow.is_over.store(self.body.is_end_stream(), Ordering::Relaxed);
            }
            _ => self.flow.is_over.store(true, Ordering::Relaxed),
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
    /// Passes a request on. One that only reads goes by a connection from before if there is one, and once more where
    /// that broke; everything else is sent once by a new one. A body on its way may take as long as it keeps coming.
    ///
    /// # Errors
    /// Whatever left it without any answer. An answer is one, whatever its status.
    pub async fn pass(
        &self,
        url: &ApiUrl,
        bearer: &Secret,
        head: &Head,
        upload: Upload,
        manner: Manner<'_>,
    ) -> Result<Passed, FusionError> {
        let label = Label { method: head.method.as_str(), path: head.path.without_query() };
        let never = |_: &Result<Passed, FusionError>, _| None;
        match upload {
            Upload::Whole(body) => {
                let connection = if head.reads() { Connection::Kept } else { Connection::Fresh };
                let ask = async |this: &Try<'_>| send(bearer, head, body.clone().into(), this).await;
                self.tried(url, &label, manner, connection, ask, never).await
            }
            Upload::Stream(stream) => {
                let (flow, stream) = (Arc::clone(&stream.flow), Cell::new(Some(stream)));
                let ask = async |this: &Try<'_>| {
                    let stream = stream.take().ok_or(FusionError::Setup { what: "its body was sent already" })?;
                    let sending = send(bearer, head, reqwest::Body::wrap(stream), this);
                    unless_stalled(sending, &flow, manner.timeout).await.unwrap_or_else(|| {
                        Err(FusionError::Timeout { host: this.way.whom(), seconds: manner.timeout.as_secs() })
                    })
                };
                let patient = Manner { timeout: LONGEST, ..manner };
                self.tried(url, &label, patient, Connection::Fresh, ask, never).await
            }
        }
    }
}

async fn send(bearer: &Secret, head: &Head, body: reqwest::Body, this: &Try<'_>) -> Result<Passed, FusionError> {
    let address = Url::parse(&this.url.join(head.path.whole()))
        .map_err(|_| FusionError::Setup { what: "its address cannot be read" })?;
    let mut request = reqwest::Request::new(head.method.clone(), address);
    request.headers_mut().clone_from(&head.headers);
    request.headers_mut().insert(AUTHORIZATION, call::authorization(bearer)?);
    // A body of nothing would be announced with its length, also by a GET.
    let is_nothing = body.as_bytes().is_some_and(<[u8]>::is_empty);
    if !(is_nothing && head.reads()) {
        *request.body_mut() = Some(body);
    }
    let redactor = || Redactor::new(vec![bearer.clone()]);
    let sent = this.way.http.execute(request).await;
    let response = sent.map_err(|error| transport::explain(&error, &this.way, &redactor()))?;
    this.note(&response);
    Ok(response.into())
}

/// What comes of `sending`, unless nothing of the body goes for so long, nor any answer comes.
async fn unless_stalled<T>(sending: impl Future<Output = T>, flow: &Flow, patience: Duration) -> Option<T> {
    let mut sending = pin!(sending);
    let mut seen = flow.bytes.load(Ordering::Relaxed);
    loop {
        if let Ok(sent) = timeout(patience, &mut sending).await {
            return Some(sent);
        }
        let now = flow.bytes.load(Ordering::Relaxed);
        if now == seen {
            return None;
        }
        seen = now;
    }
}
