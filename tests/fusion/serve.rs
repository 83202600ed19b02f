//! Accepts connections, records each request, and sends the response or the effect of a fault.

use super::faults::{Effect, find_fault};
use super::record::RecordedRequest;
use super::routes::{self, ApiResponse};
use super::server::SharedState;
use super::wire::{RawOverride, RawResponse, Wire};
use super::{TOKEN, request_token};
use http_body_util::BodyExt as _;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use std::collections::VecDeque;
use std::fmt::Write as _;
use std::future::Future as _;
use std::net::TcpListener as StdListener;
use std::pin::Pin;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::time::Sleep;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::HandshakeKind;

/// Accepts connections and serves each one in its own task; never returns.
pub(super) async fn listen(listener: StdListener, tls: Option<TlsAcceptor>, state: SharedState) {
    let listener = TcpListener::from_std(listener).expect("a listener");
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        // As most servers do, disables Nagle's algorithm, so that a body is not delayed until the client acknowledges
        // the head.
        let _ = stream.set_nodelay(true);
        state.lock().unwrap_or_else(PoisonError::into_inner).record.connections += 1;
        let (tls, state) = (tls.clone(), Arc::clone(&state));
        tokio::spawn(async move {
            match tls {
                None => serve_connection(stream, state).await,
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        let resumed = stream.get_ref().1.handshake_kind() == Some(HandshakeKind::Resumed);
                        record_handshake(&state, resumed);
                        serve_connection(stream, state).await;
                    }
                }
            }
        });
    }
}

fn record_handshake(state: &SharedState, resumed: bool) {
    state.lock().unwrap_or_else(PoisonError::into_inner).record.handshakes[usize::from(resumed)] += 1;
}

/// Serves the requests of one connection.
async fn serve_connection(stream: impl AsyncRead + AsyncWrite + Unpin, state: SharedState) {
    let (wire, raw_override) = Wire::new(stream);
    let service = service_fn(move |request| respond_and_time(request, Arc::clone(&state), raw_override.clone()));
    // Errors are expected: the client disconnected, or a fault closed the connection.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(wire), service).await;
}

/// Error that makes the HTTP library close the connection without a response.
#[derive(Debug, thiserror::Error)]
#[error("the connection ends")]
struct ConnectionClosed;

async fn respond_and_time(
    request: Request<Incoming>,
    state: SharedState,
    raw_override: RawOverride,
) -> Result<Response<PacedBody>, ConnectionClosed> {
    let started = Instant::now();
    let response = respond(request, &state, &raw_override).await;
    state.lock().unwrap_or_else(PoisonError::into_inner).record.response_times.push(started.elapsed());
    response
}

async fn respond(
    request: Request<Incoming>,
    state: &SharedState,
    raw_override: &RawOverride,
) -> Result<Response<PacedBody>, ConnectionClosed> {
    let request = read_request(request).await?;
    let fault = {
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        let tenant = state.tenant_of(&request);
        state.record.requests.push(request.clone());
        if request.path == TOKEN {
            state.record.request_tokens.extend(request_token::jwt_in(&request.body));
        }
        find_fault(&mut state.faults, &request.path, tenant.as_deref())
    };
    let Some(fault) = fault else { return Ok(render(carry_out(state, &request), None)) };
    if let Some(gate) = &fault.gate {
        gate.wait_until_open().await;
    }
    if let Some(delay) = fault.delay {
        tokio::time::sleep(delay).await;
    }
    match fault.effect {
        Effect::Usual => Ok(render(carry_out(state, &request), None)),
        Effect::Drip { pause } => Ok(render(carry_out(state, &request), Some(pause))),
        Effect::Respond { status, headers, body } => {
            Ok(render(with_date(state, ApiResponse { status, headers, body }), None))
        }
        Effect::Close => Err(ConnectionClosed),
        Effect::Lose => {
            carry_out(state, &request);
            Err(ConnectionClosed)
        }
        Effect::Cut { keep } => {
            let response = carry_out(state, &request);
            Ok(send_raw(
                raw_override,
                RawResponse { bytes: truncated_response(&response, keep), ..RawResponse::default() },
            ))
        }
        Effect::Raw(bytes) => Ok(send_raw(raw_override, bytes)),
        Effect::Compute(compute) => {
            let (status, body) = compute(&request);
            Ok(render(with_date(state, ApiResponse { status, headers: Vec::new(), body: body.into_bytes() }), None))
        }
    }
}

async fn read_request(request: Request<Incoming>) -> Result<RecordedRequest, ConnectionClosed> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| ConnectionClosed)?.to_bytes().to_vec();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(RecordedRequest {
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: head.headers.iter().map(|(name, value)| (name.to_string(), text(value.as_bytes()))).collect(),
        body,
    })
}

fn carry_out(state: &SharedState, request: &RecordedRequest) -> ApiResponse {
    let response = routes::handle(&mut state.lock().unwrap_or_else(PoisonError::into_inner), request);
    with_date(state, response)
}

/// Adds a `Date` header from the server's clock, unless the response already has one.
fn with_date(state: &SharedState, mut response: ApiResponse) -> ApiResponse {
    if !response.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("date")) {
        let now = state.lock().unwrap_or_else(PoisonError::into_inner).now();
        let now = Timestamp::from_second(i64::try_from(now).expect("a time")).expect("a time");
        response.headers.push(("date".to_owned(), now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()));
    }
    response
}

/// Renders a response with the `content-length` of the whole body, but only the first `keep` bytes of the body.
fn truncated_response(response: &ApiResponse, keep: usize) -> Vec<u8> {
    let mut text = format!("HTTP/1.1 {} Cut\r\ncontent-length: {}\r\n", response.status, response.body.len());
    for (name, value) in &response.headers {
        let _ = write!(text, "{name}: {value}\r\n");
    }
    text.push_str("\r\n");
    let mut bytes = text.into_bytes();
    bytes.extend(response.body.iter().take(keep));
    bytes
}

/// Makes the connection send these bytes in place of the returned response and of all later responses.
fn send_raw(raw_override: &RawOverride, bytes: RawResponse) -> Response<PacedBody> {
    raw_override.send_raw(bytes);
    let headers = vec![("connection".to_owned(), "close".to_owned())];
    render(ApiResponse { status: 200, headers, body: Vec::new() }, None)
}

fn render(response: ApiResponse, pause: Option<Duration>) -> Response<PacedBody> {
    let mut builder = Response::builder().status(response.status);
    for (name, value) in &response.headers {
        builder = builder.header(name, value);
    }
    builder.body(PacedBody::new(response.body, pause)).expect("a valid answer")
}

/// Response body that is sent at once, or byte by byte with a pause before each byte.
struct PacedBody {
    remaining: VecDeque<Bytes>,
    pause: Option<(Duration, Pin<Box<Sleep>>)>,
}

impl PacedBody {
    fn new(body: Vec<u8>, pause: Option<Duration>) -> Self {
        let remaining = match pause {
            Some(_) => body.iter().map(|byte| Bytes::copy_from_slice(&[*byte])).collect(),
            None => VecDeque::from([Bytes::from(body)]),
        };
        Self { remaining, pause: pause.map(|time| (time, Box::pin(tokio::time::sleep(time)))) }
    }
}

impl Body for PacedBody {
    type Data = Bytes;
    type Error = ConnectionClosed;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ConnectionClosed>>> {
        if let Some((time, sleep)) = &mut self.pause {
            ready!(sleep.as_mut().poll(task));
            *sleep = Box::pin(tokio::time::sleep(*time));
        }
        Poll::Ready(self.remaining.pop_front().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.remaining.iter().map(|bytes| bytes.len() as u64).sum())
    }
}
